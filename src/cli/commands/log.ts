/** `log`. */
import { ClaudeSyncError } from "../../errors.ts";
import type { LogLine, LogReport } from "../../sync/history_api.ts";
import type { Answer, CommandDeps } from "../answer.ts";
import type { InvocationOf } from "../command_line.ts";
import { bytesText, countText, durationText } from "../humanise.ts";
import { tableLines, terminalText } from "../terminal_text.ts";
import { parseTime, timeText } from "../time_text.ts";

const MACHINE_GRAPHEMES_MAX = 30;
const ENDING_COLUMN = 5;

/** What happened, newest first. */
export async function log(deps: CommandDeps, invocation: InvocationOf<"log">): Promise<Answer> {
  const { limit, since, errors } = invocation;
  const { clock } = deps.world.platform;
  const sinceMs = since === undefined ? null : parseTime(since, clock.nowMs(), "first");
  if (since !== undefined && sinceMs === null) {
    throw new ClaudeSyncError("usage", `"${since}" is no time`, {
      hint: "Write it as 2026-01-15, 2026-01-15 12:30, 36h or 7d",
    });
  }
  const report = await deps.service.log(deps.context, { limit, sinceMs, errors });
  const { streams } = deps.world;
  const columns = await streams.isTerminal("stdout") ? streams.columns() : null;
  const nothing = errors ? "No run failed" : "Nothing happened";
  return {
    json: { ...report },
    data: logLines(report, columns ?? Infinity),
    talk: report.lines.length > 0
      ? []
      : [`${nothing}${since === undefined ? " yet" : " since then"}.`],
  };
}

/** The table, without one when there is nothing in it. */
function logLines({ machineName, lines, more }: LogReport, columns: number): string[] {
  if (lines.length === 0) return [];
  const heading = ["TIME", "MACHINE", "WHAT", "SESSIONS", "BYTES", "RESULT"];
  const rows = lines.map((line) => [
    timeText(line.atMs),
    terminalText(line.source === "here" ? machineName : line.machine, MACHINE_GRAPHEMES_MAX),
    ...cellsOf(line),
  ]);
  const table = tableLines([heading, ...rows], ENDING_COLUMN, columns);
  const rest = `${countText(more, "older line")}; --limit shows more`;
  return more > 0 ? [...table, rest] : table;
}

function cellsOf(line: LogLine): string[] {
  if (line.source === "vault") {
    const { command, sessions, bytes } = line;
    return [command, directions(sessions, 0), directions(bytes.stored, 0, bytesText), ""];
  }
  const { command, by, sentSessions, receivedSessions, bytes, ms, code, message } = line;
  const ending = line.ok
    ? durationText(ms)
    : `failed: ${terminalText(message ?? "")}   [${terminalText(code ?? "")}]`;
  return [
    by === "hook" ? `${command} (hook)` : command,
    directions(sentSessions, receivedSessions),
    directions(bytes.sent, bytes.received, bytesText),
    ending,
  ];
}

/** `3 out, 1 in`, or a dash. */
function directions(
  out: number,
  into: number,
  text: (value: number) => string = (value) => String(value),
): string {
  const parts = [
    ...(out > 0 ? [`${text(out)} out`] : []),
    ...(into > 0 ? [`${text(into)} in`] : []),
  ];
  return parts.length === 0 ? "-" : parts.join(", ");
}
