/** A machine with Google's credentials of one kind, and Google's services made up. */
import { generateKeyPairSync } from "node:crypto";
import { fromUtf8 } from "../../src/base/bytes.ts";
import type { HttpRequest } from "../../src/platform/types.ts";
import { googleCredentialSource } from "../../src/storage/gcs/google_credentials.ts";
import { answer, credentialWorld, type CredentialWorldOptions, HOME } from "./credential_world.ts";

const keys = generateKeyPairSync("rsa", { modulusLength: 2048 });
/** Verifies what the service account signs. */
export const PUBLIC_KEY = keys.publicKey;
/** The service account's key. */
export const PEM = keys.privateKey.export({ type: "pkcs8", format: "pem" }) as string;
/** Where gcloud keeps its login. */
export const ADC = `${HOME}/.config/gcloud/application_default_credentials.json`;
/** When it is, in seconds. */
export const NOW_S = Date.UTC(2026, 10, 24, 12) / 1000;
/** The scope of a store. */
export const READ_WRITE = "https://www.googleapis.com/auth/devstorage.read_write";

/** A service account's file. */
export const KEY = {
  type: "service_account",
  project_id: "key-project",
  private_key_id: "key-id",
  private_key: PEM,
  client_email: "writer@key-project.iam.gserviceaccount.com",
  token_uri: "https://oauth2.googleapis.com/token",
};
/** A login's file. */
export const USER = {
  type: "authorized_user",
  client_id: "client",
  client_secret: "client-secret",
  refresh_token: "refresh-secret",
  quota_project_id: "payer",
};
/** A federation's file. */
export const EXTERNAL = {
  type: "external_account",
  audience: "//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/p/providers/q",
  subject_token_type: "urn:ietf:params:oauth:token-type:jwt",
  token_url: "https://sts.googleapis.com/v1/token",
  credential_source: { file: "/run/token" },
};
/** Where the token of another account is given out. */
export const ACT_AS = "https://iamcredentials.googleapis.com/v1/projects/-/serviceAccounts/" +
  "other@p.iam.gserviceaccount.com:generateAccessToken";

/** What nothing may show. */
export const SECRETS = [
  ...[PEM, PEM.split("\n")[2]!, "client-secret", "refresh-secret", "subject-secret"],
  ...["ya29.one", "ya29.two", "ya29.gcloud"],
];

/** An answer with a token. */
export const token = (access_token = "ya29.one") =>
  answer(200, { access_token, expires_in: 3599, token_type: "Bearer" });
/** An answer that refuses one. */
export const refusal = (error: string, more: object = {}, headers: Record<string, string> = {}) =>
  answer(400, { error, error_description: "refresh-secret subject-secret", ...more }, headers);

/** What a form holds. */
export function form({ body }: HttpRequest): Record<string, string> {
  return Object.fromEntries(new URLSearchParams(fromUtf8(body ?? new Uint8Array())));
}

/** What is on the machine. */
export interface GoogleSetup extends CredentialWorldOptions {
  /** Content of the file that gcloud leaves behind. */
  readonly adc?: object;
}

/** Builds the machine. Google gives a token unless told otherwise. */
export function googleMachine({ adc, files = {}, ...options }: GoogleSetup) {
  const all = adc === undefined ? files : { ...files, [ADC]: JSON.stringify(adc) };
  const world = credentialWorld({ http: () => token(), ...options, files: all });
  const source = googleCredentialSource(world);
  return { world, source, get: (refresh = false) => source.credentials({ refresh }) };
}
