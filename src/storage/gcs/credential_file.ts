/**
 * Google's credential files: those that the console and gcloud write. Secrets in them are hidden as
 * soon as they are read.
 *
 * @see https://google.aip.dev/auth/4110
 */
import * as z from "zod/mini";
import { listOf } from "../../base/checked_lists.ts";
import { SecretText } from "../../base/secret.ts";
import {
  type OutsideFiles,
  parseOutsideJson,
  readOutsideText,
} from "../credentials/outside_file.ts";
import { malformed } from "../credentials/outside_file.ts";
import { googleUrl, subjectTokenUrl, TOKEN_URI } from "./google_url.ts";

/** Largest file that is read; real ones have a few KiB. */
export const CREDENTIAL_FILE_BYTES_MAX = 64 * 1024;
const TEXT_LENGTH_MAX = 4096;
const SECRET_LENGTH_MAX = 16 * 1024;

const text = z.string().check(z.minLength(1), z.maxLength(TEXT_LENGTH_MAX));
const secret = z.pipe(
  z.string().check(z.minLength(1), z.maxLength(SECRET_LENGTH_MAX)),
  z.transform((value: string) => new SecretText(value)),
);
const parsedUrl = (parse: (text: string) => URL | null) =>
  z.pipe(
    text.check(z.refine((value: string) => parse(value) !== null)),
    z.transform((value: string) => parse(value)?.href ?? ""),
  );
const url = parsedUrl(googleUrl);
/** Goes into a header. */
const project = z.string().check(z.regex(/^[\w.:-]{1,128}$/));

const ServiceAccount = z.object({
  type: z.literal("service_account"),
  client_email: text,
  private_key: secret,
  private_key_id: z.optional(text),
  project_id: z.optional(project),
  token_uri: z._default(url, TOKEN_URI),
  quota_project_id: z.optional(project),
});

const AuthorizedUser = z.object({
  type: z.literal("authorized_user"),
  client_id: text,
  client_secret: secret,
  refresh_token: secret,
  token_uri: z._default(url, TOKEN_URI),
  quota_project_id: z.optional(project),
});

/** A login of a workforce pool. */
const ExternalUser = z.object({
  type: z.literal("external_account_authorized_user"),
  client_id: text,
  client_secret: secret,
  refresh_token: secret,
  token_url: url,
  quota_project_id: z.optional(project),
});

const Format = z.optional(z.discriminatedUnion("type", [
  z.object({ type: z.literal("text") }),
  z.object({ type: z.literal("json"), subject_token_field_name: text }),
]));

const headerName = z.string().check(z.regex(/^[A-Za-z0-9-]{1,64}$/));
const headerValue = z.string().check(z.maxLength(TEXT_LENGTH_MAX), z.regex(/^[ -~]*$/));

/** Several of the members may be there by mistake; the first that we know counts. */
const SubjectTokenSource = z.union([
  z.object({ environment_id: text }),
  z.object({ file: text, format: Format }),
  z.object({
    url: parsedUrl(subjectTokenUrl),
    headers: z.optional(z.record(headerName, headerValue)),
    format: Format,
  }),
  z.object({ executable: z.object({}) }),
  z.object({ certificate: z.object({}) }),
]);

const ExternalAccount = z.object({
  type: z.literal("external_account"),
  audience: text,
  subject_token_type: text,
  token_url: url,
  credential_source: SubjectTokenSource,
  service_account_impersonation_url: z.optional(url),
  workforce_pool_user_project: z.optional(project),
  client_id: z.optional(text),
  client_secret: z.optional(secret),
  quota_project_id: z.optional(project),
});

const Impersonated = z.object({
  type: z.literal("impersonated_service_account"),
  service_account_impersonation_url: url,
  delegates: z._default(listOf(text).check(z.maxLength(16)), []),
  source_credentials: z.discriminatedUnion("type", [
    ServiceAccount,
    AuthorizedUser,
    ExternalUser,
    ExternalAccount,
  ]),
  quota_project_id: z.optional(project),
});

const CredentialFileSchema = z.discriminatedUnion("type", [
  ServiceAccount,
  AuthorizedUser,
  ExternalUser,
  ExternalAccount,
  Impersonated,
]);

/** What a credential file holds. */
export type CredentialFile = z.infer<typeof CredentialFileSchema>;
/** One kind of it. */
export type CredentialFileOf<Type extends CredentialFile["type"]> = Extract<
  CredentialFile,
  { type: Type }
>;
/** Where a foreign token comes from. */
export type SubjectTokenSource = z.infer<typeof SubjectTokenSource>;

const Head = z.object({ type: z.string(), universe_domain: z.optional(z.string()) });
const TYPE = /^\w{1,64}$/;

/**
 * Reads and checks a credential file; null when it is absent. Errors: `malformed-file` for what is
 * none, is of a kind that we do not take, or names a server that is not Google's; never quotes
 * it. `too-large`, `local-io`.
 */
export function readCredentialFile(files: OutsideFiles, path: string): CredentialFile | null {
  const written = readOutsideText(files, path, CREDENTIAL_FILE_BYTES_MAX);
  if (written === null) return null;
  const value = parseOutsideJson(path, written);
  const head = Head.safeParse(value);
  if (!head.success) throw malformed(path, "holds no Google credentials", HINT);
  const { type, universe_domain = "googleapis.com" } = head.data;
  if (universe_domain !== "googleapis.com") {
    throw malformed(path, "is for another cloud than Google's public one", "Use HMAC keys there");
  }
  const parsed = CredentialFileSchema.safeParse(value);
  if (parsed.success) return parsed.data;
  // Of zod's complaints the place alone: the rest may quote a value.
  const issue = parsed.error.issues[0];
  const member = issue?.path.join(".") ?? "";
  if (member === "" || member === "type" || member === "source_credentials.type") {
    const shown = TYPE.test(type) ? ` (${type})` : "";
    throw malformed(path, `holds credentials of a kind that is not known${shown}`, HINT);
  }
  throw malformed(
    path,
    `has no usable "${member}"`,
    `Addresses in it are only taken when they are Google's (https, *.googleapis.com). ${HINT}`,
  );
}

const HINT = "Make it anew: gcloud auth application-default login";
