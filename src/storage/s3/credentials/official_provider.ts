/**
 * AWS's own library, for what would be unwise to write again: signing in, assuming roles, the
 * credentials of containers and instances. The only file that knows it; it is loaded when a profile
 * asks for it, and reads the environment, the files and the clock by itself. What it sends to AWS
 * goes through our own `Http` (proxy, certificates); only the container's and the instance's
 * services are asked directly.
 */
import type { HttpRequest, HttpResponse } from "../../../platform/types.ts";
import { ClaudeSyncError } from "../../../errors.ts";
import { type Bytes, utf8 } from "../../../base/bytes.ts";
import type { Http } from "../../../platform/types.ts";
import type { AwsCredentials } from "../aws_credentials.ts";
import { awsKeys } from "./keys.ts";

const TIMEOUT_MS = 15_000;
const ANSWER_BYTES_MAX = 1024 * 1024;
/** The services of a container or an instance are near. */
const NEAR_TIMEOUT_MS = 2_000;
const NEAR_RETRIES = 2;

/** What the library is to find. */
export type OfficialRequest =
  | {
    readonly kind: "profile";
    readonly profile: string;
    readonly region: string | null;
    readonly configPath: string;
    readonly credentialsPath: string;
  }
  | { readonly kind: "container" }
  | { readonly kind: "instance" };

/** Asks for credentials. Rejects with whatever the library does not like; that may name secrets. */
export type OfficialProvider = (
  request: OfficialRequest,
  options: { readonly http: Http; readonly from: string; readonly signal: AbortSignal },
) => Promise<AwsCredentials | null>;

/** See `OfficialProvider`. Null when what it gives can be no credentials. */
export const officialCredentials: OfficialProvider = async (request, { http, from, signal }) => {
  const network = libraryNetwork(http, signal);
  try {
    const found = await (await providerOf(request, network))();
    return awsKeys({
      accessKeyId: found.accessKeyId,
      secretAccessKey: found.secretAccessKey,
      sessionToken: found.sessionToken ?? null,
      expiresAtMs: found.expiration?.getTime() ?? null,
    }, from);
  } catch (error) {
    signal.throwIfAborted();
    // The library wraps it into one of its own; ours is known to be worth another attempt.
    throw network.failure() ?? error;
  }
};

async function providerOf(request: OfficialRequest, { requestHandler }: LibraryNetwork) {
  switch (request.kind) {
    case "profile": {
      const { fromIni } = await import("@aws-sdk/credential-provider-ini");
      const { profile, region, configPath, credentialsPath } = request;
      return fromIni({
        profile,
        configFilepath: configPath,
        filepath: credentialsPath,
        // The user may have signed in again since.
        ignoreCache: true,
        clientConfig: { requestHandler },
        // Without one the library warns on the console and takes the same.
        parentClientConfig: { region: region ?? "us-east-1" },
      });
    }
    case "container": {
      const { fromHttp } = await import("@aws-sdk/credential-provider-http");
      return fromHttp({ timeout: NEAR_TIMEOUT_MS, maxRetries: NEAR_RETRIES });
    }
    case "instance": {
      const { fromInstanceMetadata } = await import("@smithy/credential-provider-imds");
      return fromInstanceMetadata({ timeout: NEAR_TIMEOUT_MS, maxRetries: NEAR_RETRIES });
    }
  }
}

/** A request as the library makes it, as far as it is needed. */
interface LibraryRequest {
  readonly method: string;
  readonly protocol: string;
  readonly hostname: string;
  readonly port?: number;
  readonly path: string;
  readonly query?: Readonly<Record<string, string | string[] | null>>;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: unknown;
}

interface LibraryNetwork {
  /** What the library takes in place of its own HTTP client. */
  readonly requestHandler: {
    handle(request: LibraryRequest): Promise<{ response: LibraryResponse }>;
    updateHttpClientConfig(): void;
    httpHandlerConfigs(): Record<string, never>;
  };
  /** Why the last request failed for no fault of its own; null when it was answered. */
  failure(): ClaudeSyncError | null;
}

interface LibraryResponse {
  readonly statusCode: number;
  readonly headers: Record<string, string>;
  readonly body: ReadableStream<Bytes> | null;
}

function libraryNetwork(http: Http, signal: AbortSignal): LibraryNetwork {
  let failure: ClaudeSyncError | null = null;
  async function send(request: HttpRequest): Promise<HttpResponse> {
    failure = null;
    try {
      const response = await http.request(request);
      if (response.status >= 500 || response.status === 429) {
        const { host } = new URL(request.url);
        const message = `${host} is busy or failing (HTTP ${response.status})`;
        failure = new ClaudeSyncError("store-unreachable", message);
      }
      return response;
    } catch (error) {
      if (error instanceof ClaudeSyncError) failure = error;
      throw error;
    }
  }
  return {
    requestHandler: {
      async handle(request) {
        const { status, headers, body } = await send({
          method: request.method,
          url: urlOf(request),
          headers: sentHeaders(request.headers),
          ...bodyOf(request.body),
          timeoutMs: TIMEOUT_MS,
          bodyBytesMax: ANSWER_BYTES_MAX,
          signal,
        });
        const stream = new Response(body).body;
        return {
          response: { statusCode: status, headers: Object.fromEntries(headers), body: stream },
        };
      },
      updateHttpClientConfig() {},
      httpHandlerConfigs: () => ({}),
    },
    failure: () => failure,
  };
}

function urlOf({ protocol, hostname, port, path, query = {} }: LibraryRequest): string {
  const url = new URL(`${protocol}//${hostname}${port === undefined ? "" : `:${port}`}${path}`);
  for (const [name, value] of Object.entries(query)) {
    for (const one of Array.isArray(value) ? value : [value ?? ""]) {
      url.searchParams.append(name, one);
    }
  }
  return url.href;
}

/** Host and length are the client's own business. */
function sentHeaders(headers: LibraryRequest["headers"]): Record<string, string> {
  return Object.fromEntries(
    Object.entries(headers).filter(([name]) => !/^(host|content-length)$/i.test(name)),
  );
}

function bodyOf(body: unknown): { body?: Bytes } {
  if (typeof body === "string") return { body: utf8(body) };
  if (body instanceof Uint8Array) return { body: new Uint8Array(body) };
  return {};
}
