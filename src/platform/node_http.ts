import process from "node:process";
import { type Bytes, concat } from "../base/bytes.ts";
import { errnoOf } from "../base/errno.ts";
import { ClaudeSyncError } from "../errors.ts";
import type { Http, HttpRequest, HttpResponse } from "./types.ts";

/**
 * HTTP by the runtime's `fetch`, which knows HTTPS_PROXY, NO_PROXY and NODE_EXTRA_CA_CERTS by
 * itself.
 */
export function nodeHttp(): Http {
  return { request };
}

/**
 * The error for an environment in which the runtime would print every request with its credentials;
 * null for any other. Bun reads the variable before the first line of ours, so that removing it
 * comes too late.
 */
export function printedRequestsError(
  versions: Readonly<Record<string, string | undefined>>,
  env: Readonly<Record<string, string | undefined>>,
): ClaudeSyncError | null {
  const name = "BUN_CONFIG_VERBOSE_FETCH";
  if (versions["bun"] === undefined || !/^(1|true|curl)$/.test(env[name] ?? "")) return null;
  return new ClaudeSyncError("usage", `${name} would print the store's credentials`, {
    hint: `Unset ${name}, then run the command again`,
  });
}

async function request(options: HttpRequest): Promise<HttpResponse> {
  const { method, url, headers = {}, body, timeoutMs, silenceMsMax, bodyBytesMax, signal } =
    options;
  signal?.throwIfAborted();
  const printed = printedRequestsError(process.versions, process.env);
  if (printed !== null) throw printed;
  const limits = new TimeLimits(timeoutMs, silenceMsMax);
  try {
    const response = await fetch(url, {
      method,
      headers: { ...headers },
      redirect: "manual",
      signal: signal === undefined ? limits.signal : AbortSignal.any([signal, limits.signal]),
      ...(body === undefined ? {} : { body }),
    });
    limits.heard();
    return {
      status: response.status,
      headers: new Map(response.headers),
      body: await readBody(response, bodyBytesMax, limits),
    };
  } catch (cause) {
    if (cause instanceof ClaudeSyncError) throw cause;
    signal?.throwIfAborted();
    throw unreachableError(url, cause, limits.broken);
  } finally {
    limits.end();
  }
}

/** How long an exchange may take in all, and how long nothing may come. */
class TimeLimits {
  readonly #controller = new AbortController();
  readonly #silenceMsMax: number | null;
  readonly #whole: ReturnType<typeof setTimeout>;
  #silence: ReturnType<typeof setTimeout> | undefined;
  /** Which limit was broken, in words; null as long as none is. */
  broken: string | null = null;

  constructor(timeoutMs: number, silenceMsMax: number | undefined) {
    this.#silenceMsMax = silenceMsMax ?? null;
    this.#whole = setTimeout(
      () => this.#break(`no whole answer in ${inSeconds(timeoutMs)}`),
      timeoutMs,
    );
    this.heard();
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** Something came. */
  heard(): void {
    clearTimeout(this.#silence);
    const silenceMs = this.#silenceMsMax;
    if (silenceMs === null) return;
    this.#silence = setTimeout(
      () => this.#break(`nothing came for ${inSeconds(silenceMs)}`),
      silenceMs,
    );
  }

  end(): void {
    clearTimeout(this.#whole);
    clearTimeout(this.#silence);
  }

  #break(how: string): void {
    this.broken ??= how;
    this.#controller.abort();
  }
}

function inSeconds(ms: number): string {
  return `${Math.ceil(ms / 1000)} s`;
}

/** The whole body, counted as it comes: the length that a server announces is only its word. */
async function readBody(
  response: Response,
  bytesMax: number,
  limits: TimeLimits,
): Promise<Bytes> {
  const chunks: Bytes[] = [];
  let length = 0;
  const reader = response.body?.getReader();
  while (reader !== undefined) {
    const { done, value } = await reader.read();
    if (done) break;
    limits.heard();
    length += value.length;
    if (length > bytesMax) {
      await reader.cancel();
      throw new ClaudeSyncError("too-large", `The answer is longer than ${bytesMax} bytes`);
    }
    chunks.push(value);
  }
  const [only] = chunks;
  return chunks.length === 1 && only !== undefined ? only : concat(...chunks);
}

const REASONS: readonly (readonly [pattern: RegExp, reason: string, hint: string])[] = [
  [
    /CERT|SELF_SIGNED|UNABLE_TO_(GET|VERIFY)|SSL|TLS|HOSTNAME_MISMATCH/i,
    "its certificate is not trusted",
    "If your network has a certificate authority of its own, name its file in NODE_EXTRA_CA_CERTS",
  ],
  [/PROXY/i, "the proxy lets nothing through to it", "Check HTTPS_PROXY: address, user, password"],
  [
    /ENOTFOUND|EAI_AGAIN|FailedToOpenSocket|DNS/i,
    "its name is not known or there is no network",
    "Check the address and the network; behind a proxy, HTTPS_PROXY",
  ],
  [/ECONNREFUSED|ConnectionRefused/i, "nothing answers there", "Check the address and the port"],
  [/ECONNRESET|ConnectionClosed|EPIPE|UND_ERR_SOCKET/i, "it closed the connection", "Try again"],
];

function unreachableError(url: string, cause: unknown, known: string | null): ClaudeSyncError {
  const { host } = new URL(url);
  const code = codeOf(cause) ?? "";
  const [, reason, hint] = REASONS.find(([pattern]) => pattern.test(code)) ??
    [null, code, "Check the network; behind a proxy, HTTPS_PROXY"];
  const why = known ?? reason;
  return new ClaudeSyncError(
    "store-unreachable",
    `Cannot reach ${host}${why === "" ? "" : `: ${why}`}`,
    { cause, hint },
  );
}

/** The code of the failure or of what caused it: the runtimes put it in different places. */
function codeOf(error: unknown): string | null {
  for (let at = error, depth = 0; at instanceof Error && depth < 4; at = at.cause, depth++) {
    const code = errnoOf(at) ?? ("code" in at && typeof at.code === "string" ? at.code : null);
    if (code !== null && code !== "") return code;
  }
  return null;
}
