/**
 * Who may use the fake of Google Cloud Storage, and the credential files that say so: as gcloud and
 * the Google console write them, with Google's own addresses in them.
 *
 * @module
 */
import { generateKeyPair, type KeyObject, randomBytes } from "node:crypto";
import { promisify } from "node:util";

/** Where tokens are given out, as credential files name it. */
export const TOKEN_URI = "https://oauth2.googleapis.com/token";

/** Where foreign tokens are exchanged. */
export const STS_URI = "https://sts.googleapis.com/v1/token";

const POOL = "//iam.googleapis.com/projects/123456789012/locations/global";

/** The type of the foreign tokens. */
export const SUBJECT_TOKEN_TYPE = "urn:ietf:params:oauth:token-type:jwt";

/** A pair of keys that signs as S3 clients do. */
export interface HmacKey {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
}

/** Every identity of one fake: of each kind one, all of them allowed to write. */
export interface Identities {
  readonly serviceAccount: {
    readonly email: string;
    readonly privateKeyId: string;
    readonly privateKeyPem: string;
    readonly publicKey: KeyObject;
  };
  /** The account that others may act as. It has no key. */
  readonly impersonated: { readonly email: string };
  readonly user: {
    readonly email: string;
    readonly clientId: string;
    readonly clientSecret: string;
    readonly refreshToken: string;
    readonly quotaProject: string;
  };
  readonly external: { readonly audience: string; readonly subjectToken: string };
  /** What the metadata server speaks for. */
  readonly machine: { readonly email: string };
  readonly hmac: HmacKey;
}

/** New identities: with an RSA key, so some tenths of a second. */
export async function makeIdentities(): Promise<Identities> {
  const keys = await promisify(generateKeyPair)("rsa", { modulusLength: 2048 });
  return {
    serviceAccount: {
      email: "writer@test-project.iam.gserviceaccount.com",
      privateKeyId: random(20),
      privateKeyPem: keys.privateKey.export({ type: "pkcs8", format: "pem" }) as string,
      publicKey: keys.publicKey,
    },
    impersonated: { email: "acted-as@test-project.iam.gserviceaccount.com" },
    user: {
      email: "someone@example.com",
      clientId: `${random(6)}.apps.googleusercontent.com`,
      clientSecret: random(12),
      refreshToken: `1//${random(24)}`,
      quotaProject: "test-project",
    },
    external: {
      audience: `${POOL}/workloadIdentityPools/pool/providers/provider`,
      subjectToken: random(32),
    },
    machine: { email: "machine@test-project.iam.gserviceaccount.com" },
    hmac: { accessKeyId: `GOOG1E${random(14).toUpperCase()}`, secretAccessKey: random(20) },
  };
}

/** A `service_account` file. */
export function serviceAccountFile({ serviceAccount }: Identities): Record<string, string> {
  return {
    type: "service_account",
    project_id: "test-project",
    private_key_id: serviceAccount.privateKeyId,
    private_key: serviceAccount.privateKeyPem,
    client_email: serviceAccount.email,
    client_id: "100000000000000000001",
    auth_uri: "https://accounts.google.com/o/oauth2/auth",
    token_uri: TOKEN_URI,
    universe_domain: "googleapis.com",
  };
}

/** An `authorized_user` file: what `gcloud auth application-default login` leaves behind. */
export function authorizedUserFile({ user }: Identities): Record<string, string> {
  return {
    type: "authorized_user",
    client_id: user.clientId,
    client_secret: user.clientSecret,
    refresh_token: user.refreshToken,
    quota_project_id: user.quotaProject,
    universe_domain: "googleapis.com",
  };
}

/** An `impersonated_service_account` file: the user acts as the account without a key. */
export function impersonatedFile(identities: Identities): Record<string, unknown> {
  return {
    type: "impersonated_service_account",
    delegates: [],
    service_account_impersonation_url: impersonationUrl(identities),
    source_credentials: authorizedUserFile(identities),
  };
}

/** From where an `external_account` file takes its foreign token. */
export type SubjectTokenSource =
  | { readonly file: string; readonly format?: { readonly type: string } }
  | {
    readonly url: string;
    readonly headers?: Readonly<Record<string, string>>;
    readonly format?: { readonly type: string; readonly subject_token_field_name?: string };
  };

/** An `external_account` file; with or without impersonation as a second step. */
export function externalAccountFile(
  identities: Identities,
  source: SubjectTokenSource,
  then: "use it" | "impersonate" = "use it",
): Record<string, unknown> {
  return {
    type: "external_account",
    audience: identities.external.audience,
    subject_token_type: SUBJECT_TOKEN_TYPE,
    token_url: STS_URI,
    credential_source: source,
    ...(then === "use it"
      ? {}
      : { service_account_impersonation_url: impersonationUrl(identities) }),
  };
}

/** Where a token of the account that others may act as is given out. */
export function impersonationUrl({ impersonated }: Identities): string {
  const path = `projects/-/serviceAccounts/${impersonated.email}:generateAccessToken`;
  return `https://iamcredentials.googleapis.com/v1/${path}`;
}

function random(bytes: number): string {
  return randomBytes(bytes).toString("hex");
}
