/** The service that gives machines in Google's cloud the token of their own account. */
import { ClaudeSyncError } from "../../errors.ts";
import type { Http } from "../../platform/types.ts";
import { ifReadable, type OutsideFiles, readOutsideText } from "../credentials/outside_file.ts";
import type { TokenDeps, TokenGetter } from "./access_token.ts";
import { requestToken } from "./token_request.ts";

const ADDRESS = "169.254.169.254";
const TOKEN_PATH = "/computeMetadata/v1/instance/service-accounts/default/token";
const HOST_AND_PORT = /^[A-Za-z0-9.-]{1,253}(:\d{1,5})?$/;
/** Set by Google in its containers: Cloud Run's services and jobs, Functions. */
const CONTAINER_SIGNS = ["K_SERVICE", "CLOUD_RUN_JOB", "FUNCTION_NAME"];
/** What the firmware of virtual machines calls itself. */
const PRODUCT_NAME_PATH = "/sys/class/dmi/id/product_name";
const PRODUCT_NAME = /^Google( Compute Engine)?$/;
const PRODUCT_NAME_BYTES_MAX = 4096;

/**
 * Whether this is a machine of Google's, by signs that cost nothing: to ask a service that is not
 * there takes seconds on a laptop, and in a foreign network it is not there but may be answered.
 */
export function isOnGoogle(files: OutsideFiles): boolean {
  const { host } = files;
  if (host.env("NO_GCE_CHECK")?.toLowerCase() === "true") return false;
  if (metadataHost(host) !== null) return true;
  if (CONTAINER_SIGNS.some((name) => host.env(name) !== undefined)) return true;
  if (host.os !== "linux") return false;
  const read = () => readOutsideText(files, PRODUCT_NAME_PATH, PRODUCT_NAME_BYTES_MAX);
  return PRODUCT_NAME.test(ifReadable(read)?.trim() ?? "");
}

/** Where the user says that the service is; null when nothing is said. */
function metadataHost(host: OutsideFiles["host"]): string | null {
  const named = host.env("GCE_METADATA_HOST") ?? host.env("GCE_METADATA_IP") ?? null;
  return named !== null && HOST_AND_PORT.test(named) ? named : null;
}

/** Gets the token of the machine's account. Its scopes are those that the machine was given. */
export const metadataToken: TokenGetter = async (_scope, deps, signal) => {
  const place = metadataHost(deps.host) ?? ADDRESS;
  const request = {
    method: "GET",
    url: `http://${place}${TOKEN_PATH}`,
    headers: { "metadata-flavor": "Google" },
  };
  const answer = await requestToken(request, { ...deps, http: onlyGoogles(deps, place) }, signal);
  if (answer.kind === "token") return answer.token;
  throw new ClaudeSyncError("store-refused", "This machine has no service account", {
    hint: "Give it one in the Google Cloud console, with the scope devstorage.read_write " +
      `(${answer.code})`,
  });
};

/** Takes answers that bear the service's own mark only: anything may sit at that address. */
function onlyGoogles({ http }: Pick<TokenDeps, "http">, place: string): Http {
  return {
    async request(request) {
      const response = await http.request(request);
      if (response.headers.get("metadata-flavor") === "Google") return response;
      throw new ClaudeSyncError(
        "store-refused",
        `What answers at ${place} is not Google's metadata server`,
        { hint: "Check GCE_METADATA_HOST; NO_GCE_CHECK=true leaves that server out" },
      );
    },
  };
}
