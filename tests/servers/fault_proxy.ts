/**
 * An HTTP proxy in front of a real server that makes faults to order and notes what it was sent.
 *
 * It hands the Host header on, so signatures made for its address hold behind it. It reads whole
 * messages before it sends them on.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import { createHash } from "node:crypto";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";
import { setTimeout as pause } from "node:timers/promises";
import { answerClient } from "./fault/answer.ts";
import { ActiveRule, type Fault, type FaultRule, type InjectedFault } from "./fault/faults.ts";
import {
  ConnectionLost,
  headBytes,
  headerValues,
  HttpReader,
  type MessageHead,
  type RawHeader,
  withoutHeaders,
} from "./fault/http_bytes.ts";
import { type Answer, changedAnswer, ownAnswer } from "./fault/made_answers.ts";
import { signAgain } from "./sigv4.ts";

export type { Fault, FaultRule, InjectedFault } from "./fault/faults.ts";

/** Bodies up to this size are kept, of requests and of answers. */
const KEPT_BODY_BYTES_MAX = 1024 * 1024;

/** A request as it reached the proxy. */
export interface RecordedRequest {
  readonly method: string;
  /** Path and query, as sent. */
  readonly target: string;
  /** In their order, with the letters that were sent. */
  readonly headers: readonly RawHeader[];
  readonly bodyBytes: number;
  /** Null when the body is larger than 1 MiB or was cut. */
  readonly body: Uint8Array | null;
  /** What was done to it. */
  readonly fault: Fault["kind"] | null;
  /** What was answered; null when nothing was, or not yet. */
  status: number | null;
}

/** A running proxy. */
export interface FaultProxy extends AsyncDisposable {
  /** Such as `http://127.0.0.1:23456`. */
  readonly origin: string;
  /** Everything that arrived, oldest first. */
  readonly requests: RecordedRequest[];
  /** Adds a rule. Of several that fit a request, the one added first takes it. */
  inject(rule: FaultRule): InjectedFault;
  /** Ends all connections and the proxy. */
  stop(): Promise<void>;
}

/** How the proxy is set up. */
export interface FaultProxyOptions {
  /** The server's origin, http only. Null: everything that no rule takes gets 404. */
  readonly upstream: string | null;
  /** Lets the proxy sign again what it changes, for the faults that need it. */
  readonly secretAccessKey?: string;
}

/** Starts a proxy, on a free port of loopback. */
export async function startFaultProxy(options: FaultProxyOptions): Promise<FaultProxy> {
  const proxy = new Proxy(options);
  await proxy.listen();
  return proxy;
}

class Proxy implements FaultProxy {
  readonly requests: RecordedRequest[] = [];
  readonly #options: FaultProxyOptions;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  readonly #rules: ActiveRule[] = [];
  readonly #lastAnswers = new Map<string, Answer>();
  readonly #stopped = new AbortController();

  constructor(options: FaultProxyOptions) {
    this.#options = options;
    this.#server = createServer((socket) => {
      this.#keep(socket);
      this.#serve(socket).catch(() => socket.destroy());
    });
  }

  get origin(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async listen(): Promise<void> {
    await new Promise<void>((done) => this.#server.listen(0, "127.0.0.1", done));
  }

  inject(rule: FaultRule): InjectedFault {
    const active = new ActiveRule(rule, (ended) => {
      const index = this.#rules.indexOf(ended);
      if (index >= 0) this.#rules.splice(index, 1);
    });
    this.#rules.push(active);
    return active;
  }

  async stop(): Promise<void> {
    this.#stopped.abort();
    if (!this.#server.listening) return;
    const closed = new Promise<void>((done) => this.#server.close(() => done()));
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  #keep(socket: Socket): void {
    this.#sockets.add(socket);
    socket.setNoDelay(true);
    socket.on("close", () => this.#sockets.delete(socket));
    // Whoever reads from it notices that it has ended.
    socket.on("error", () => {});
  }

  async #serve(socket: Socket): Promise<void> {
    const reader = new HttpReader(socket);
    while (true) {
      const head = await reader.head();
      if (head === null) return void socket.end();
      const isOver = await this.#serveOne(socket, reader, head);
      if (isOver) return void socket.end();
    }
  }

  /** Whether the connection is over. */
  async #serveOne(socket: Socket, reader: HttpReader, head: MessageHead): Promise<boolean> {
    const [method = "", target = ""] = head.startLine.split(" ");
    const active = this.#rules.find((rule) => rule.takes(method, target)) ?? null;
    const fault = active?.rule.fault ?? null;
    const record = (body: Buffer | null): RecordedRequest => {
      const kept = body !== null && body.length <= KEPT_BODY_BYTES_MAX ? body : null;
      const request = { method, target, headers: head.headers, bodyBytes: body?.length ?? 0 };
      const recorded = { ...request, body: kept, fault: fault?.kind ?? null, status: null };
      this.requests.push(recorded);
      return recorded;
    };
    if (headerValues(head.headers, "expect").length > 0) {
      socket.write("HTTP/1.1 100 Continue\r\n\r\n");
    }
    if (fault?.kind === "reset-request") {
      const length = Number(headerValues(head.headers, "content-length")[0] ?? 0);
      record(await reader.bytes(Math.min(fault.afterBytes, length)));
      socket.resetAndDestroy();
      return true;
    }
    const body = await reader.body(head, "none");
    const request = record(body);
    if (method === "PUT") {
      for (const rule of this.#rules) rule.putSince.add(decodeURIComponent(target.split("?")[0]!));
    }
    const answer = await this.#answer({ head, method, target, body }, active);
    request.status = answer.status;
    return await answerClient(socket, { method, headers: head.headers }, answer, {
      fault,
      pause: (ms) => this.#pause(ms),
    });
  }

  async #answer(request: Received, active: ActiveRule | null): Promise<Answer> {
    const fault = active?.rule.fault ?? null;
    const { target, head } = request;
    if (fault?.kind === "latency") await this.#pause(fault.ms);
    const own = fault === null ? null : ownAnswer(fault, target, head.headers);
    if (own !== null) return own;
    // Git asks for branches by POST, so the body tells requests apart too.
    const bodyHash = createHash("sha256").update(request.body).digest("hex");
    const key = `${request.method} ${target} ${bodyHash}`;
    if (fault?.kind === "stale-answer") {
      const last = this.#lastAnswers.get(key);
      if (last !== undefined) return last;
    }
    if (fault?.kind === "duplicate") await this.#forward(request, fault);
    const answer = await this.#forward(request, fault);
    const isKept = fault === null && (answer.body?.length ?? 0) <= KEPT_BODY_BYTES_MAX;
    if (isKept) this.#lastAnswers.set(key, answer);
    return fault === null ? answer : changedAnswer(fault, answer, active!.putSince, target);
  }

  async #forward(request: Received, fault: Fault | null): Promise<Answer> {
    const { upstream } = this.#options;
    if (upstream === null) {
      return { status: 404, reason: "Not Found", headers: [], body: Buffer.alloc(0) };
    }
    const { hostname, port } = new URL(upstream);
    const socket = connect({ host: hostname, port: Number(port) });
    this.#keep(socket);
    try {
      const headers = withoutHeaders(this.#headersFor(request, fault), [
        ...["connection", "keep-alive", "expect", "transfer-encoding", "content-length"],
      ]);
      const hasBody = request.body.length > 0 ||
        headerValues(request.head.headers, "content-length").length > 0;
      const length: RawHeader[] = hasBody ? [["Content-Length", `${request.body.length}`]] : [];
      socket.write(headBytes({
        startLine: request.head.startLine,
        headers: [...headers, ...length, ["Connection", "close"]],
      }));
      socket.write(request.body);
      return await readAnswer(new HttpReader(socket), request.method);
    } finally {
      socket.destroy();
    }
  }

  #headersFor({ head, method, target, body }: Received, fault: Fault | null) {
    const { secretAccessKey } = this.#options;
    const dropped = fault?.kind === "drop-header"
      ? withoutHeaders(head.headers, [fault.name.toLowerCase()])
      : head.headers;
    if (secretAccessKey === undefined) return dropped;
    const request = { method, target, headers: dropped, body };
    if (fault?.kind === "clock") return signAgain(request, secretAccessKey, { dateMs: Date.now() });
    return fault?.kind === "drop-header" ? signAgain(request, secretAccessKey) : dropped;
  }

  async #pause(ms: number): Promise<void> {
    try {
      await pause(ms, undefined, { signal: this.#stopped.signal });
    } catch (cause) {
      throw new ConnectionLost("The proxy was stopped", { cause });
    }
  }
}

interface Received {
  readonly head: MessageHead;
  readonly method: string;
  readonly target: string;
  readonly body: Buffer;
}

async function readAnswer(reader: HttpReader, method: string): Promise<Answer> {
  while (true) {
    const head = await reader.head();
    if (head === null) throw new ConnectionLost("The server gave no answer");
    const [, code = "", ...reason] = head.startLine.split(" ");
    const status = Number(code);
    if (status < 200) continue;
    const isBodiless = method === "HEAD" || status === 204 || status === 304;
    const body = isBodiless ? null : await reader.body(head, "until close");
    return { status, reason: reason.join(" "), headers: head.headers, body };
  }
}
