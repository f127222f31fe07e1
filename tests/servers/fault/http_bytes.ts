/**
 * HTTP/1.1 by the byte, because a server library tidies up what the tests want to see: header names
 * as they were written, bodies that break off.
 *
 * @module
 */
import type { Socket } from "node:net";
import { Buffer } from "node:buffer";

/** A header as it was sent. */
export type RawHeader = readonly [name: string, value: string];

/** The first line and the headers of a message. */
export interface MessageHead {
  /** Without the line end, such as `GET /a?b HTTP/1.1`. */
  readonly startLine: string;
  readonly headers: readonly RawHeader[];
}

/** A larger head is nobody's. */
const HEAD_BYTES_MAX = 256 * 1024;

/** The other side has gone in the middle of a message. */
export class ConnectionLost extends Error {}

/** The values of a header, whatever its letters' case. */
export function headerValues(headers: readonly RawHeader[], name: string): string[] {
  return headers.filter(([key]) => key.toLowerCase() === name).map(([, value]) => value);
}

/** The headers without some, named in lower case. */
export function withoutHeaders(headers: readonly RawHeader[], names: readonly string[]) {
  return headers.filter(([key]) => !names.includes(key.toLowerCase()));
}

/** A head as it goes over the wire. */
export function headBytes({ startLine, headers }: MessageHead): Buffer {
  const lines = [startLine, ...headers.map(([name, value]) => `${name}: ${value}`)];
  return Buffer.from(`${lines.join("\r\n")}\r\n\r\n`, "latin1");
}

/** Reads messages from one connection, one after the other. */
export class HttpReader {
  readonly #socket: Socket;
  #buffer: Buffer = Buffer.alloc(0);
  #hasEnded = false;
  #wake: () => void = () => {};

  constructor(socket: Socket) {
    this.#socket = socket;
    socket.on("data", (bytes: Buffer) => {
      this.#buffer = this.#buffer.length === 0 ? bytes : Buffer.concat([this.#buffer, bytes]);
      socket.pause();
      this.#wake();
    });
    const end = () => {
      this.#hasEnded = true;
      this.#wake();
    };
    socket.on("end", end);
    socket.on("error", end);
    socket.on("close", end);
  }

  /** The next head; null when the connection has ended before its first byte. */
  async head(): Promise<MessageHead | null> {
    while (true) {
      const end = this.#buffer.indexOf("\r\n\r\n");
      if (end >= 0) {
        const [startLine = "", ...lines] = this.#take(end + 4).toString("latin1").trimEnd()
          .split("\r\n");
        const headers = lines.map((line): RawHeader => {
          const colon = line.indexOf(":");
          return [line.slice(0, colon), line.slice(colon + 1).trim()];
        });
        return { startLine, headers };
      }
      if (this.#buffer.length > HEAD_BYTES_MAX) throw new ConnectionLost("The head has no end");
      if (!await this.#more()) {
        if (this.#buffer.length === 0) return null;
        throw new ConnectionLost("The connection ended within a head");
      }
    }
  }

  /**
   * The body that belongs to a head.
   *
   * @param untilClose whether a body without a length goes on until the connection ends.
   */
  async body(head: MessageHead, untilClose: "until close" | "none"): Promise<Buffer> {
    const codings = headerValues(head.headers, "transfer-encoding");
    if (codings.some((coding) => coding.toLowerCase() === "chunked")) return await this.#chunks();
    const [length] = headerValues(head.headers, "content-length");
    if (length !== undefined) return await this.bytes(Number(length));
    if (untilClose === "none") return Buffer.alloc(0);
    const parts: Buffer[] = [];
    do parts.push(this.#take(this.#buffer.length)); while (await this.#more());
    return Buffer.concat(parts);
  }

  /** Exactly so many bytes. */
  async bytes(count: number): Promise<Buffer> {
    const parts: Buffer[] = [];
    let missing = count;
    while (missing > 0) {
      if (this.#buffer.length === 0 && !await this.#more()) {
        throw new ConnectionLost(`The connection ended ${missing} bytes early`);
      }
      const part = this.#take(Math.min(missing, this.#buffer.length));
      parts.push(part);
      missing -= part.length;
    }
    return Buffer.concat(parts);
  }

  async #chunks(): Promise<Buffer> {
    const parts: Buffer[] = [];
    while (true) {
      const size = parseInt(await this.#line(), 16);
      if (Number.isNaN(size)) throw new ConnectionLost("A chunk has no size");
      if (size === 0) break;
      parts.push(await this.bytes(size));
      await this.#line();
    }
    while (await this.#line() !== "");
    return Buffer.concat(parts);
  }

  async #line(): Promise<string> {
    while (true) {
      const end = this.#buffer.indexOf("\r\n");
      if (end >= 0) return this.#take(end + 2).subarray(0, -2).toString("latin1");
      if (!await this.#more()) throw new ConnectionLost("The connection ended within a line");
    }
  }

  #take(count: number): Buffer {
    const taken = this.#buffer.subarray(0, count);
    this.#buffer = this.#buffer.subarray(count);
    return taken;
  }

  /** Waits for bytes beyond those in the buffer; false when none will come. */
  async #more(): Promise<boolean> {
    const before = this.#buffer.length;
    while (this.#buffer.length === before) {
      if (this.#hasEnded) return false;
      const woken = new Promise<void>((done) => this.#wake = done);
      this.#socket.resume();
      await woken;
    }
    return true;
  }
}
