/**
 * A stand-in for the Messages API on loopback, so that the real client runs without a network.
 *
 * It keeps every request, which is the only sure witness of what the model was shown. Words in the
 * newest human prompt steer the answer:
 *
 * - `[[tool NAME {json}]]` calls that tool; several are called one after another;
 * - `[[hold]]` never answers, for tests that end the client in the middle of a turn;
 * - anything else is answered with `Heard: ` and the prompt.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

/** One request of a client, as the model would have received it. */
export interface ApiRequest {
  /** The machine name that the client's base URL carried. */
  readonly machine: string;
  /** The whole body, for searching. */
  readonly text: string;
  /** Human and assistant turns in order; what the client itself adds to prompts is left out. */
  readonly turns: readonly Turn[];
  /** Whether this asks for the conversation's next turn (titles and the like do not). */
  readonly isConversation: boolean;
}

/** What one side said. */
export interface Turn {
  readonly role: "user" | "assistant";
  readonly text: string;
}

/** A running stand-in. */
export interface FakeApi {
  /** The base URL to give to a client; requests are kept under `machine`. */
  urlFor(machine: string): string;
  /** Every request so far, oldest first. */
  readonly requests: readonly ApiRequest[];
  close(): Promise<void>;
}

type Block =
  | { type: "text"; text: string }
  | { type: "tool_use"; id: string; name: string; input: unknown };

interface Answer {
  readonly kind: "say" | "hold";
  readonly blocks: readonly Block[];
}

/** Starts the stand-in on a free port of the loopback interface. */
export async function startFakeApi(): Promise<FakeApi> {
  const requests: ApiRequest[] = [];
  const server = createServer((request, response) => {
    serve(request, response, requests).catch((error) => {
      response.statusCode = 500;
      response.end(JSON.stringify({ error: String(error) }));
    });
  });
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  const { port } = server.address() as AddressInfo;
  return {
    urlFor: (machine) => `http://127.0.0.1:${port}/${machine}`,
    requests,
    close: () =>
      new Promise((done) => {
        server.close(() => done());
        server.closeAllConnections();
      }),
  };
}

async function serve(
  request: IncomingMessage,
  response: ServerResponse,
  requests: ApiRequest[],
): Promise<void> {
  const parts: Uint8Array[] = [];
  for await (const part of request) parts.push(part as Uint8Array);
  const text = Buffer.concat(parts).toString("utf8");
  const [, machine = "", route = ""] = /^\/([^/]*)(\/[^?]*)/.exec(request.url ?? "") ?? [];
  if (route === "/v1/messages/count_tokens") return sendJson(response, { input_tokens: 100 });
  if (route !== "/v1/messages") return sendJson(response, {}, request.method === "GET" ? 404 : 200);
  const body = JSON.parse(text) as Record<string, unknown>;
  const messages = Array.isArray(body["messages"]) ? body["messages"] as Message[] : [];
  const isConversation = Array.isArray(body["tools"]) && body["tools"].length > 0;
  requests.push({ machine, text, turns: messages.flatMap(turnOf), isConversation });
  const answer = isConversation ? answerTo(messages) : sayTitle(body);
  if (answer.kind === "hold") return;
  const message = completeMessage(body, answer.blocks, requests.length);
  if (body["stream"] === true) sendStream(response, message);
  else sendJson(response, message);
}

interface Message {
  role: string;
  content: string | readonly ContentBlock[];
}

interface ContentBlock {
  type: string;
  text?: string;
}

function turnOf(message: Message): Turn[] {
  if (message.role !== "user" && message.role !== "assistant") return [];
  const text = spokenTexts(message).join("\n");
  return text === "" ? [] : [{ role: message.role, text }];
}

/** The texts of a message without the reminders that the client wraps around them. */
function spokenTexts(message: Message): string[] {
  const blocks = typeof message.content === "string"
    ? [{ type: "text", text: message.content }]
    : message.content;
  return blocks
    .map((block) => block.type === "text" ? block.text ?? "" : "")
    .map((text) => text.replace(/<system-reminder>[^]*?<\/system-reminder>/g, "").trim())
    .filter((text) => text !== "");
}

function answerTo(messages: readonly Message[]): Answer {
  const asked = messages.findLastIndex((message) =>
    message.role === "user" && spokenTexts(message).length > 0 && !holdsToolResult(message)
  );
  // What the client notes of its own commands stands before what the person has typed.
  const prompt = asked < 0 ? "" : spokenTexts(messages[asked]!).at(-1) ?? "";
  if (prompt.includes("[[hold]]")) return { kind: "hold", blocks: [] };
  const calls = [...prompt.matchAll(/\[\[tool (\w+) (\{[^]*?\})\]\]/g)];
  const called = messages.slice(asked + 1).filter((message) => message.role === "assistant").length;
  const call = calls[called];
  if (call === undefined) {
    return { kind: "say", blocks: [{ type: "text", text: `Heard: ${prompt}` }] };
  }
  const [, name = "", json = "{}"] = call;
  const id = `toolu_${messages.length}_${called}`;
  return { kind: "say", blocks: [{ type: "tool_use", id, name, input: JSON.parse(json) }] };
}

function holdsToolResult(message: Message): boolean {
  return typeof message.content !== "string" &&
    message.content.some((block) => block.type === "tool_result");
}

/** Answers the client's side questions (a title, say), which may ask for JSON of some shape. */
function sayTitle(body: Record<string, unknown>): Answer {
  const config = body["output_config"] as { format?: { schema?: Schema } } | undefined;
  const format = config?.format ?? body["output_format"] as { schema?: Schema } | undefined;
  const properties = format?.schema?.properties;
  if (properties === undefined) return { kind: "say", blocks: [{ type: "text", text: "Sure" }] };
  const fields = Object.entries(properties).map(([name, { type }]) =>
    [name, type === "boolean" ? false : `Some ${name}`] as const
  );
  return {
    kind: "say",
    blocks: [{ type: "text", text: JSON.stringify(Object.fromEntries(fields)) }],
  };
}

interface Schema {
  properties?: Record<string, { type?: string }>;
}

interface CompleteMessage {
  readonly content: readonly Block[];
  readonly stop_reason: string;
  readonly [field: string]: unknown;
}

function completeMessage(
  body: Record<string, unknown>,
  content: readonly Block[],
  number: number,
): CompleteMessage {
  const callsTool = content.some((block) => block.type === "tool_use");
  return {
    id: `msg_${String(number).padStart(24, "0")}`,
    type: "message",
    role: "assistant",
    model: body["model"],
    content,
    stop_reason: callsTool ? "tool_use" : "end_turn",
    stop_sequence: null,
    usage: { input_tokens: 10, output_tokens: 10 },
  };
}

function sendJson(response: ServerResponse, value: unknown, status = 200): void {
  response.writeHead(status, { "content-type": "application/json" });
  response.end(JSON.stringify(value));
}

function sendStream(response: ServerResponse, message: CompleteMessage): void {
  response.writeHead(200, { "content-type": "text/event-stream" });
  const send = (type: string, fields: object) =>
    response.write(`event: ${type}\ndata: ${JSON.stringify({ type, ...fields })}\n\n`);
  send("message_start", { message: { ...message, content: [], stop_reason: null } });
  for (const [index, block] of message.content.entries()) {
    if (block.type === "text") {
      send("content_block_start", { index, content_block: { type: "text", text: "" } });
      send("content_block_delta", { index, delta: { type: "text_delta", text: block.text } });
    } else {
      const delta = { type: "input_json_delta", partial_json: JSON.stringify(block.input) };
      send("content_block_start", { index, content_block: { ...block, input: {} } });
      send("content_block_delta", { index, delta });
    }
    send("content_block_stop", { index });
  }
  const delta = { stop_reason: message.stop_reason, stop_sequence: null };
  send("message_delta", { delta, usage: { output_tokens: 10 } });
  send("message_stop", {});
  response.end();
}
