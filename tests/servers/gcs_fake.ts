/**
 * A strict fake of Google Cloud Storage: its XML API and the services that give out tokens for it.
 * No server of Google's runs outside Google; this one refuses what the documentation forbids, so
 * that what works here has a chance there.
 *
 * - A request is signed with an HMAC key (Signature V4) or bears a token; both are verified.
 * - Headers `x-amz-*` and `x-goog-*` in one request are refused, and `x-amz-*` beside a token.
 * - `If-None-Match` on PUT is ignored, `x-goog-if-generation-match` is honoured.
 * - DELETE of what is absent is 404.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { type RawHeader, withoutHeaders } from "./fault/http_bytes.ts";
import { emptyBucket } from "./gcs/buckets.ts";
import { type Identities, makeIdentities } from "./gcs/identities.ts";
import { type GcsReply, type GcsRequest, Refusal, xmlRefusal } from "./gcs/reply.ts";
import { TokenServices } from "./gcs/token_services.ts";
import { accessOf, Tokens } from "./gcs/tokens.ts";
import { type Caller, XmlApi } from "./gcs/xml_api.ts";
import { sigV4Refusal } from "./sigv4.ts";

/** Google's hosts other than the storage's are served below this; no bucket is called so. */
const SERVICES = "/.services/";

const STORAGE_HOST = "storage.googleapis.com";
const METADATA_HOSTS = ["169.254.169.254", "metadata.google.internal", "metadata"];

/** A request that reached the fake. */
export interface GcsRecord {
  readonly method: string;
  /** Which of Google's hosts it was for. */
  readonly host: string;
  /** Path and query at that host. */
  readonly target: string;
  readonly headers: readonly RawHeader[];
  readonly status: number;
}

/** A running fake. What is not readonly may be changed at any time. */
export interface GcsFake extends AsyncDisposable {
  /** Stands for `https://storage.googleapis.com`, and takes `GCE_METADATA_HOST` as host and port. */
  readonly origin: string;
  /** Who may use it. `gcs/identities.ts` makes credential files of them. */
  readonly identities: Identities;
  /** Everything that was asked, oldest first. */
  readonly requests: GcsRecord[];
  /** How long new tokens last. Default 3599 seconds. */
  tokenLifetimeSeconds: number;
  /** By how much its clock is ahead. Default 0. */
  clockOffsetMs: number;
  /** Whether refresh tokens are worthless until the next login. Default false. */
  mustLogInAgain: boolean;
  /** Whether something else than a metadata server answers in its place. Default false. */
  isMetadataImpostor: boolean;
  /** Principals (addresses of accounts) that may only read. */
  readonly readers: Set<string>;
  /**
   * Where a request to one of Google's addresses goes here. A program believes in Google's hosts
   * only, so a test's HTTP client calls this between the program and the network.
   *
   * @throws Error for an address that is not Google's: it must not have been asked.
   */
  reroute(url: string): string;
  /** Makes an empty bucket without a request. */
  makeBucket(name: string, options?: { readonly requesterPays?: boolean }): void;
  /** The names in a bucket, sorted. */
  namesIn(bucket: string): string[];
  /** Ends the time of all tokens. */
  revokeTokens(): void;
  /** Ends the server. */
  stop(): Promise<void>;
}

/** Starts a fake without buckets. */
export async function startGcsFake(): Promise<GcsFake> {
  const fake = new Fake(await makeIdentities());
  await fake.listen();
  return fake;
}

class Fake implements GcsFake {
  readonly identities: Identities;
  readonly requests: GcsRecord[] = [];
  readonly readers = new Set<string>();
  tokenLifetimeSeconds = 3599;
  clockOffsetMs = 0;
  mustLogInAgain = false;
  isMetadataImpostor = false;
  readonly #tokens = new Tokens();
  readonly #api = new XmlApi(() => this.#nowMs());
  readonly #services: TokenServices;
  readonly #server: Server;

  constructor(identities: Identities) {
    this.identities = identities;
    this.#services = new TokenServices({
      identities,
      tokens: this.#tokens,
      nowMs: () => this.#nowMs(),
      lifetimeSeconds: () => this.tokenLifetimeSeconds,
      mustLogInAgain: () => this.mustLogInAgain,
      isImpostor: () => this.isMetadataImpostor,
    });
    this.#server = createServer((incoming, response) => {
      // A client that has gone is not this server's failure.
      this.#serve(incoming, response).catch(() => response.destroy());
    });
  }

  get origin(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async listen(): Promise<void> {
    await new Promise<void>((done) => this.#server.listen(0, "127.0.0.1", done));
  }

  reroute(url: string): string {
    const { protocol, hostname, origin, pathname, search } = new URL(url);
    // An address of our own was named to the program by the test itself.
    if (origin === this.origin) return url;
    const target = pathname + search;
    if (METADATA_HOSTS.includes(hostname)) {
      return `${this.origin}${SERVICES}metadata.google.internal${target}`;
    }
    if (protocol !== "https:" || !hostname.endsWith(".googleapis.com")) {
      throw new Error(`${url} is none of Google's addresses`);
    }
    return hostname === STORAGE_HOST
      ? `${this.origin}${target}`
      : `${this.origin}${SERVICES}${hostname}${target}`;
  }

  makeBucket(name: string, options: { readonly requesterPays?: boolean } = {}): void {
    const isRequesterPays = options.requesterPays ?? false;
    this.#api.buckets.set(name, { ...emptyBucket(), isRequesterPays });
  }

  namesIn(bucket: string): string[] {
    return [...this.#api.buckets.get(bucket)?.objects.keys() ?? []].sort();
  }

  revokeTokens(): void {
    this.#tokens.revokeAll();
  }

  async stop(): Promise<void> {
    if (!this.#server.listening) return;
    const closed = new Promise<void>((done) => this.#server.close(() => done()));
    this.#server.closeAllConnections();
    await closed;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  #nowMs(): number {
    return Date.now() + this.clockOffsetMs;
  }

  async #serve(incoming: IncomingMessage, response: ServerResponse): Promise<void> {
    const { host, request } = placed(await received(incoming));
    let reply: GcsReply;
    try {
      reply = host === STORAGE_HOST
        ? this.#api.answer(request, this.#callerOf(request))
        : this.#services.answer(host, request);
    } catch (error) {
      if (error instanceof Refusal) reply = error.reply;
      else reply = { status: 500, body: `The fake has failed: ${error}` };
    }
    const { method, target, rawHeaders } = request;
    this.requests.push({ method, host, target, headers: rawHeaders, status: reply.status });
    const body = Buffer.from(reply.body ?? "");
    const isHead = method === "HEAD";
    const length = reply.status === 204 || isHead ? {} : { "content-length": `${body.length}` };
    const date = { date: new Date(this.#nowMs()).toUTCString() };
    response.writeHead(reply.status, { ...date, ...length, ...reply.headers });
    response.end(isHead ? undefined : body);
  }

  /** Who has sent a request to the storage. */
  #callerOf(request: GcsRequest): Caller {
    const names = [...request.headers.keys()];
    const hasAmazons = names.some((name) => name.startsWith("x-amz-"));
    if (hasAmazons && names.some((name) => name.startsWith("x-goog-"))) {
      const message = "Requests cannot specify both x-amz and x-goog headers";
      throw xmlRefusal(400, "InvalidArgument", message);
    }
    const authorization = request.headers.get("authorization");
    if (authorization === undefined) {
      throw xmlRefusal(403, "AccessDenied", "Anonymous caller does not have access.");
    }
    if (!authorization.startsWith("Bearer ")) return this.#signerOf(request);
    if (hasAmazons) {
      throw xmlRefusal(400, "InvalidArgument", "x-amz headers mean nothing beside a token");
    }
    const grant = this.#tokens.grantOf(authorization.slice("Bearer ".length), this.#nowMs());
    if (grant === null) throw xmlRefusal(401, "AuthenticationRequired", "Authentication required.");
    const access = accessOf(grant.scopes);
    const isReader = this.readers.has(grant.principal) && access === "write";
    return { dialect: "x-goog", access: isReader ? "read" : access };
  }

  #signerOf(request: GcsRequest): Caller {
    const { accessKeyId, secretAccessKey } = this.identities.hmac;
    const { method, target, rawHeaders, body } = request;
    const verify = (headers: readonly RawHeader[]) =>
      sigV4Refusal({ method, target, headers, body }, {
        secretOf: (id) => id === accessKeyId ? secretAccessKey : null,
        regions: ["auto", "us-east-1"],
        nowMs: this.#nowMs(),
      });
    // What was rerouted to here was signed for the host that it was meant for.
    const asMeant: RawHeader[] = [...withoutHeaders(rawHeaders, ["host"]), ["Host", STORAGE_HOST]];
    const refusal = verify(rawHeaders) && verify(asMeant);
    if (refusal !== null) throw xmlRefusal(refusal.status, refusal.code, refusal.message);
    return { dialect: "x-amz", access: "write" };
  }
}

async function received(incoming: IncomingMessage): Promise<GcsRequest> {
  const parts: Buffer[] = [];
  for await (const part of incoming) parts.push(part);
  const rawHeaders: RawHeader[] = [];
  for (let index = 0; index < incoming.rawHeaders.length; index += 2) {
    rawHeaders.push([incoming.rawHeaders[index]!, incoming.rawHeaders[index + 1]!]);
  }
  const target = incoming.url ?? "/";
  return {
    method: incoming.method ?? "",
    target,
    ...pathAndQuery(target),
    rawHeaders,
    headers: new Map(rawHeaders.map(([name, value]) => [name.toLowerCase(), value])),
    body: new Uint8Array(Buffer.concat(parts)),
  };
}

/** Tells which of Google's hosts a request is for, and gives it its target there. */
function placed(request: GcsRequest): { host: string; request: GcsRequest } {
  const { target } = request;
  // Who asks for the metadata server by GCE_METADATA_HOST names no other host.
  if (target.startsWith("/computeMetadata/")) return { host: "metadata.google.internal", request };
  if (!target.startsWith(SERVICES)) return { host: STORAGE_HOST, request };
  const [host = "", ...rest] = target.slice(SERVICES.length).split("/");
  const there = `/${rest.join("/")}`;
  return { host, request: { ...request, target: there, ...pathAndQuery(there) } };
}

function pathAndQuery(target: string): { path: string; query: URLSearchParams } {
  const [path = "", query = ""] = target.split(/\?(.*)/s);
  return { path, query: new URLSearchParams(query) };
}
