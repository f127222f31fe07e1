/** `forget`. */
import { ClaudeSyncError } from "../../errors.ts";
import type { ForgetRequest, ForgetResult, ForgottenSession } from "../../sync/forget_api.ts";
import type { Answer, CommandDeps } from "../answer.ts";
import type { InvocationOf } from "../command_line.ts";
import { agoText, bytesText, countText, durationText, numberText } from "../humanise.ts";
import { tableLines, terminalText } from "../terminal_text.ts";
import { parseTime } from "../time_text.ts";
import { failureLines, partialFailure, shortId } from "./traffic.ts";

/** Sessions that the table shows; `--json` has all. */
const SHOWN_MAX = 50;
const TITLE_COLUMN = 3;
const TITLE_GRAPHEMES_MAX = 60;
const NAME_GRAPHEMES_MAX = 30;

/** Says what would be forgotten, asks, and forgets exactly that. */
export async function forget(
  deps: CommandDeps,
  invocation: InvocationOf<"forget">,
): Promise<Answer> {
  const request = requestOf(deps, invocation);
  const plan = await deps.service.forget(deps.context, { ...request, dryRun: true });
  const isNothing = plan.sessions.length === 0 && plan.otherFiles === 0;
  if (isNothing || invocation.dryRun) {
    return await answerOf(deps, { ...plan, dryRun: invocation.dryRun }, isNothing);
  }
  const { streams } = deps.world;
  if (!invocation.yes) {
    for (const line of [...await tableOf(deps, plan), "", ...CONSEQUENCE, ""]) streams.err(line);
  }
  if (!await isConfirmed(deps, request, plan)) {
    return { json: { ...plan, sessions: [], dryRun: false }, talk: ["Nothing was forgotten."] };
  }
  const only = plan.sessions.map(({ id, lastActivityMs, sizeBytes }) => ({
    ...{ id, lastActivityMs, sizeBytes },
  }));
  const done = await deps.service.forget(deps.context, { ...request, only, dryRun: false });
  return await answerOf(deps, done, done.sessions.length === 0 && done.otherFiles === 0);
}

function requestOf(
  deps: CommandDeps,
  { queries, project, before }: InvocationOf<"forget">,
): Omit<ForgetRequest, "dryRun"> {
  if (queries.length > 0 && (project !== undefined || before !== undefined)) {
    throw new ClaudeSyncError("usage", "Name sessions, or say --project and --before, not both");
  }
  const nowMs = deps.world.platform.clock.nowMs();
  const beforeMs = before === undefined ? null : parseTime(before, nowMs, "first");
  if (before !== undefined && beforeMs === null) {
    throw new ClaudeSyncError("usage", `"${before}" is no time`, {
      hint: "Write 2026-01-15, 2026-01-15 12:30, or 36h, 90d, 52w for that long ago",
    });
  }
  return { queries, project: project ?? null, beforeMs, only: null };
}

/** One session, or some that were named, is a yes; a whole project or time has to be typed. */
async function isConfirmed(
  deps: CommandDeps,
  { queries }: Pick<ForgetRequest, "queries">,
  plan: ForgetResult,
): Promise<boolean> {
  const count = countText(plan.sessions.length, "session");
  if (queries.length > 0) return await deps.confirm(`Forget ${count}?`, "--yes");
  const name = plan.project === null ? "" : terminalText(plan.project, NAME_GRAPHEMES_MAX);
  // Nobody can type a name that is too long to be shown.
  const isNamed = name !== "" && name === plan.project;
  const expected = isNamed ? name : String(plan.sessions.length);
  const what = isNamed ? "project" : "number of sessions";
  const question = `To forget ${count}, type the ${what} (${expected})`;
  return await deps.confirmByTyping(question, expected, "--yes");
}

const CONSEQUENCE = [
  "Files stay on this machine and on all others. Text is deleted from the store after 30 days;",
  "until then it can be brought back: claude-sync restore ID",
  "What the provider keeps of deleted objects (versions, Git history) is not ours to delete.",
] as const;

async function answerOf(
  deps: CommandDeps,
  result: ForgetResult,
  isNothing: boolean,
): Promise<Answer> {
  return {
    json: { ...result },
    data: result.dryRun ? await tableOf(deps, result) : [],
    result: isNothing ? nothingLines(result) : doneLines(result),
    talk: failureLines(result.failures),
    ...partialFailure(result.failures.length),
  };
}

function nothingLines({ already, failures }: ForgetResult): string[] {
  // What fits stays for a reason that is told.
  if (failures.length > 0) return [];
  if (already.length === 0) return ["Nothing to forget: no session in the vault fits."];
  return [
    `Nothing to forget: ${countText(already.length, "session")} ` +
    `${already.length === 1 ? "is" : "are"} forgotten already.  ` +
    "See: claude-sync list --forgotten",
  ];
}

function doneLines(result: ForgetResult): string[] {
  const { sessions, otherFiles, sizeBytes, dryRun, requests, ms } = result;
  const more = otherFiles === 0
    ? ""
    : ` and ${countText(otherFiles, "file")} of plans and memories`;
  const what = `${countText(sessions.length, "session")}${more}, ${bytesText(sizeBytes)}`;
  if (dryRun) return [`Would forget ${what}  (nothing was written)`];
  const id = sessions[0] === undefined ? "ID" : shortId(sessions[0].id);
  return [
    `Forgot ${what}  (${countText(requests, "request")}, ${durationText(ms)})`,
    "Files stay on every machine. The text is deleted from the store after 30 days; until then:",
    `  claude-sync restore ${id}`,
  ];
}

async function tableOf(deps: CommandDeps, { sessions }: ForgetResult): Promise<string[]> {
  if (sessions.length === 0) return [];
  const { streams, platform } = deps.world;
  const nowMs = platform.clock.nowMs();
  const columns = await streams.isTerminal("stdout") ? streams.columns() : null;
  const heading = ["ID", "LAST ACTIVITY", "PROJECT", "TITLE", "SIZE", "HERE", "WRITTEN BY"];
  const body = sessions.slice(0, SHOWN_MAX).map((row) => [
    shortId(row.id),
    agoText(row.lastActivityMs, nowMs),
    terminalText(row.project ?? "-", NAME_GRAPHEMES_MAX),
    titleText(row),
    bytesText(row.sizeBytes),
    row.isHere ? "yes" : "no",
    row.machines.map((name) => terminalText(name, NAME_GRAPHEMES_MAX)).join(", "),
  ]);
  const more = sessions.length - body.length;
  return [
    ...tableLines([heading, ...body], TITLE_COLUMN, columns ?? Infinity),
    ...(more > 0 ? [`… and ${numberText(more)} more; --json shows all`] : []),
  ];
}

function titleText({ title, of }: ForgottenSession): string {
  const text = terminalText(title ?? "(no title)", TITLE_GRAPHEMES_MAX);
  return of === null ? text : `${text} (branch of ${shortId(of)})`;
}
