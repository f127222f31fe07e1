/**
 * The credentials that every user of Google Cloud expects to be found.
 *
 * @see https://cloud.google.com/docs/authentication/application-default-credentials
 */
import { join } from "node:path";
import { ClaudeSyncError } from "../../errors.ts";
import type { Host } from "../../platform/types.ts";
import { renewing } from "../credentials/renewing.ts";
import { outsidePath } from "../credentials/outside_file.ts";
import {
  type GoogleCredentials,
  type GoogleCredentialSource,
  STORAGE_SCOPE,
  type TokenDeps,
  type TokenGetter,
} from "./access_token.ts";
import { type CredentialFile, readCredentialFile } from "./credential_file.ts";
import { externalAccountToken } from "./external_account.ts";
import { gcloudToken } from "./gcloud_program.ts";
import { impersonatedToken } from "./impersonation.ts";
import { isOnGoogle, metadataToken } from "./metadata_server.ts";
import { authorizedUserToken, externalUserToken } from "./refresh_token.ts";
import { serviceAccountToken } from "./service_account.ts";

const FILE_NAME = "application_default_credentials.json";
/** Goes into a header. */
const PROJECT = /^[\w.:-]{1,128}$/;

/**
 * Makes the source. Nothing is read or asked before the first request needs a token. Errors of
 * `credentials`: `store-refused` (none, refused, expired: with what to do), `store-unreachable`,
 * `store-invalid` (what answers is not Google), `malformed-file`, `too-large`, `local-io`.
 */
export function googleCredentialSource(deps: TokenDeps): GoogleCredentialSource {
  let from: string | null = null;
  const current = renewing(async ({ signal }) => {
    const found = await findCredentials(deps, signal);
    from = found.from;
    return found;
  }, deps.clock);
  return {
    get from() {
      return from;
    },
    credentials: current,
  };
}

async function findCredentials(deps: TokenDeps, signal: AbortSignal): Promise<GoogleCredentials> {
  const { host } = deps;
  const named = host.env("GOOGLE_APPLICATION_CREDENTIALS");
  if (named !== undefined) {
    const path = outsidePath(host, named);
    const file = readCredentialFile(deps, path);
    if (file === null) throw namedIsAbsent(path);
    return await fromFile(file, path, deps, signal);
  }
  const path = adcPath(host);
  const file = readCredentialFile(deps, path);
  if (file !== null) return await fromFile(file, path, deps, signal);
  const unnamed = { quotaProject: quotaProject(host), project: environmentProject(host) };
  if (isOnGoogle(deps)) {
    const token = await metadataToken(STORAGE_SCOPE, deps, signal);
    return { ...token, ...unnamed, from: "this machine's service account" };
  }
  const token = await gcloudToken(deps, signal);
  signal.throwIfAborted();
  if (token !== null) return { ...token, ...unnamed, from: "gcloud" };
  throw nothingFound(path);
}

/** Where gcloud keeps what `gcloud auth application-default login` makes. */
function adcPath(host: TokenDeps["host"]): string {
  const named = host.env("CLOUDSDK_CONFIG");
  if (named !== undefined) return join(outsidePath(host, named), FILE_NAME);
  const windows = host.os === "windows" ? host.env("APPDATA") : undefined;
  return windows === undefined
    ? join(host.home, ".config", "gcloud", FILE_NAME)
    : join(windows, "gcloud", FILE_NAME);
}

async function fromFile(
  file: CredentialFile,
  path: string,
  deps: TokenDeps,
  signal: AbortSignal,
): Promise<GoogleCredentials> {
  const token = await getterOf(file)(STORAGE_SCOPE, deps, signal);
  const own = file.type === "service_account" ? file.project_id ?? null : null;
  return {
    ...token,
    quotaProject: quotaProject(deps.host) ?? file.quota_project_id ?? null,
    project: environmentProject(deps.host) ?? own ?? file.quota_project_id ?? null,
    from: `${describe(file)} (${path})`,
  };
}

function getterOf(file: CredentialFile): TokenGetter {
  switch (file.type) {
    case "service_account":
      return serviceAccountToken(file);
    case "authorized_user":
      return authorizedUserToken(file);
    case "external_account_authorized_user":
      return externalUserToken(file);
    case "external_account":
      return externalAccountToken(file);
    case "impersonated_service_account": {
      const { source_credentials, service_account_impersonation_url: url, delegates } = file;
      return impersonatedToken({ source: getterOf(source_credentials), url, delegates });
    }
  }
}

function describe(file: CredentialFile): string {
  switch (file.type) {
    case "service_account":
      return shown(file.client_email);
    case "authorized_user":
    case "external_account_authorized_user":
      return "gcloud login";
    case "external_account":
      return "identity federation";
    case "impersonated_service_account":
      return "a service account that you act as";
  }
}

/** Without what a terminal could take for more than text. */
function shown(email: string): string {
  return email.replaceAll(/[^\w@.+-]/g, "?");
}

/** The project that the environment names for new things; null when it names none. */
export function environmentProject(host: Pick<Host, "env">): string | null {
  return projectName(host.env("GOOGLE_CLOUD_PROJECT") ?? host.env("CLOUDSDK_CORE_PROJECT"));
}

function quotaProject(host: Pick<Host, "env">): string | null {
  return projectName(host.env("GOOGLE_CLOUD_QUOTA_PROJECT"));
}

function projectName(text: string | undefined): string | null {
  return text !== undefined && PROJECT.test(text) ? text : null;
}

function namedIsAbsent(path: string): ClaudeSyncError {
  return new ClaudeSyncError("store-refused", `There is no credential file "${path}"`, {
    path,
    hint: "GOOGLE_APPLICATION_CREDENTIALS names it: correct or unset that variable",
  });
}

function nothingFound(path: string): ClaudeSyncError {
  return new ClaudeSyncError("store-refused", "No Google credentials were found", {
    hint: `Looked in GOOGLE_APPLICATION_CREDENTIALS, "${path}", for Google's own machines, and ` +
      "asked gcloud. Log in: gcloud auth application-default login   or use HMAC keys: --hmac",
  });
}
