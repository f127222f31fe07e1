/**
 * Gives an answer to the client, well or as a fault wants it.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import type { Socket } from "node:net";
import type { Fault } from "./faults.ts";
import { headBytes, headerValues, type RawHeader, withoutHeaders } from "./http_bytes.ts";
import type { Answer } from "./made_answers.ts";

/** What follows an answer that is too large comes in pieces of this size. */
const PIECE_BYTES = 64 * 1024;

/** What the answer depends on beside itself. */
export interface AnswerContext {
  readonly fault: Fault | null;
  pause(ms: number): Promise<void>;
}

/** Sends the answer; true when the connection is over. */
export async function answerClient(
  socket: Socket,
  request: { readonly method: string; readonly headers: readonly RawHeader[] },
  answer: Answer,
  { fault, pause }: AnswerContext,
): Promise<boolean> {
  const wantsClose = headerValues(request.headers, "connection")
    .some((value) => value.toLowerCase() === "close");
  const head = (framing: readonly RawHeader[]) =>
    headBytes({
      startLine: `HTTP/1.1 ${answer.status} ${answer.reason}`,
      headers: [
        // The length of an answer without a body tells of another one.
        ...withoutHeaders(answer.headers, [
          ...["connection", "keep-alive", "transfer-encoding"],
          ...(answer.body === null ? [] : ["content-length"]),
        ]),
        ...framing,
        ["Connection", wantsClose ? "close" : "keep-alive"],
      ],
    });
  const { body } = answer;
  if (body === null) {
    await send(socket, head([]));
    return wantsClose;
  }
  const whole: RawHeader = ["Content-Length", `${body.length}`];
  if (fault?.kind === "reset-response") {
    await send(socket, Buffer.concat([head([whole]), body.subarray(0, fault.afterBytes)]));
    // As a router does that forgot about it: not in good order.
    socket.resetAndDestroy();
    return true;
  }
  if (fault?.kind === "oversized") {
    const isDeclared = fault.length === "declared";
    const total: RawHeader = ["Content-Length", `${body.length + fault.extraBytes}`];
    await send(socket, head([isDeclared ? total : ["Transfer-Encoding", "chunked"]]));
    await sendOversized(socket, body, fault);
    return wantsClose;
  }
  if (fault?.kind === "drip") {
    await send(socket, head([whole]));
    for (let offset = 0; offset < body.length; offset += fault.bytes) {
      await pause(fault.everyMs);
      await send(socket, body.subarray(offset, offset + fault.bytes));
    }
    return wantsClose;
  }
  await send(socket, Buffer.concat([head([whole]), body]));
  return wantsClose;
}

async function sendOversized(
  socket: Socket,
  body: Buffer,
  { extraBytes, length }: Fault & { kind: "oversized" },
): Promise<void> {
  const piece = Buffer.alloc(PIECE_BYTES, 0x20);
  const sendPart = async (part: Buffer) => {
    if (part.length === 0) return;
    if (length === "declared") return await send(socket, part);
    await send(
      socket,
      Buffer.concat([Buffer.from(`${part.length.toString(16)}\r\n`), part, Buffer.from("\r\n")]),
    );
  };
  await sendPart(body);
  for (let left = extraBytes; left > 0; left -= PIECE_BYTES) {
    await sendPart(piece.subarray(0, Math.min(left, PIECE_BYTES)));
  }
  if (length === "chunked") await send(socket, Buffer.from("0\r\n\r\n"));
}

/** Writes, and waits until the system has taken it. Throws when the client has gone. */
async function send(socket: Socket, bytes: Buffer): Promise<void> {
  await new Promise<void>((done, reject) => {
    socket.write(bytes, (error) => error ? reject(error) : done());
  });
}
