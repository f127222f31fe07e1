/** How answers and errors reach the standard streams. */
import type { Host, Memory } from "../platform/types.ts";
import type { Answer, Look } from "./answer.ts";
import { errorJson, errorLines, type ErrorReport, offlineLine } from "./error_report.ts";
import type { Streams } from "./world.ts";

/** Version of what `--json` prints. */
const JSON_SCHEMA = 1;

const LOOKS: Readonly<Record<Look, readonly [number, number]>> = {
  good: [32, 39],
  warning: [33, 39],
  bad: [31, 39],
  dim: [2, 22],
  bold: [1, 22],
};

/** Whether to use colours on a stream. The flag wins, then NO_COLOR, then FORCE_COLOR. */
export function hasColours(
  host: Host,
  when: "auto" | "always" | "never",
  isTerminal: boolean,
): boolean {
  if (when !== "auto") return when === "always";
  if (host.env("NO_COLOR") !== undefined) return false;
  const forced = host.env("FORCE_COLOR");
  if (forced !== undefined) return forced !== "0" && forced !== "false";
  return isTerminal && host.env("TERM") !== "dumb";
}

/** Gives the function that colours text, or leaves it as it is. */
export function painter(isOn: boolean): (look: Look, text: string) => string {
  if (!isOn) return (_look, text) => text;
  return (look, text) => `\x1b[${LOOKS[look][0]}m${text}\x1b[${LOOKS[look][1]}m`;
}

/** What the printing depends on. */
export interface OutputStyle {
  readonly command: string;
  readonly json: boolean;
  readonly quiet: boolean;
  readonly verbose: boolean;
  /** For standard error. */
  readonly paint: (look: Look, text: string) => string;
  readonly memory: Pick<Memory, "passed">;
}

/** Prints an answer; gives the exit code. */
export function printAnswer(streams: Streams, style: OutputStyle, answer: Answer): number {
  const exit = answer.failure?.exit ?? answer.exit ?? 0;
  if (!style.quiet) { for (const line of answer.talk ?? []) streams.err(line); }
  if (style.json) {
    const error = answer.failure === undefined ? {} : { error: errorJson(answer.failure) };
    printJson(streams, style, exit === 0, { ...answer.json, ...error });
    return exit;
  }
  for (const line of answer.data ?? []) streams.out(line);
  if (!style.quiet) { for (const line of answer.result ?? []) streams.out(line); }
  if (answer.failure !== undefined && answer.isExplained !== true) {
    printError(streams, style, answer.failure);
  }
  return exit;
}

/** Prints a failure to standard error, with `--json` also as the answer on standard output. */
export function printFailure(streams: Streams, style: OutputStyle, report: ErrorReport): number {
  if (style.json) printJson(streams, style, false, { error: errorJson(report) });
  else printError(streams, style, report);
  return report.exit;
}

/** Commands that do later what they cannot do now. */
const CAN_WAIT: ReadonlySet<string> = new Set(["push", "pull", "sync"]);

function printError(streams: Streams, style: OutputStyle, report: ErrorReport): void {
  const isOffline = report.code === "store-unreachable" && CAN_WAIT.has(style.command);
  if (isOffline && !style.verbose) {
    const line = offlineLine(report);
    return streams.err(line.replace(/^offline:/, (word) => style.paint("warning", word)));
  }
  const [first = "", ...more] = errorLines(report, style.verbose);
  streams.err([first.replace(/^error:/, (word) => style.paint("bad", word)), ...more].join("\n"));
}

/** Objects, texts and bytes that each part is made of on its way. */
const PART_COPIES = 8;
/** Characters of an answer that are put together before they are written. */
const PART_LENGTH = 64 * 1024;

/** Prints the one object of a command with `--json`, on one line. */
function printJson(
  streams: Streams,
  { command, memory }: OutputStyle,
  ok: boolean,
  fields: Readonly<Record<string, unknown>>,
): void {
  let text = "";
  for (const part of jsonParts({ schema: JSON_SCHEMA, command, ok, ...fields })) {
    if (text.length > PART_LENGTH) {
      streams.outPart(harmless(text));
      memory.passed(PART_COPIES * text.length);
      text = "";
    }
    text += part;
  }
  streams.out(harmless(text));
}

/** What `JSON.stringify` gives, element by element: a list may be of any length. */
function* jsonParts(fields: Readonly<Record<string, unknown>>): Generator<string> {
  let before = "{";
  for (const [name, value] of Object.entries(fields)) {
    if (value === undefined) continue;
    yield `${before}${JSON.stringify(name)}:`;
    before = ",";
    if (!Array.isArray(value)) {
      yield JSON.stringify(value);
      continue;
    }
    yield "[";
    for (const [index, element] of value.entries()) {
      yield `${index === 0 ? "" : ","}${JSON.stringify(element) ?? "null"}`;
    }
    yield "]";
  }
  yield "}";
}

/** Still the same JSON, but of no effect when it ends up on a terminal. */
function harmless(text: string): string {
  return text.replace(
    /[\x7f-\x9f\p{Cf}\p{Zl}\p{Zp}]/gu,
    (character) =>
      Array.from(
        { length: character.length },
        (_, at) => `\\u${character.charCodeAt(at).toString(16).padStart(4, "0")}`,
      ).join(""),
  );
}
