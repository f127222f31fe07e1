/** `project list|map|unmap|exclude|include`. */
import type { ProjectRow } from "../../sync/api.ts";
import type { Answer, CommandDeps } from "../answer.ts";
import type { InvocationOf } from "../command_line.ts";
import { absolute } from "../home_folder.ts";
import { countText, numberText } from "../humanise.ts";
import { tableLines, terminalText } from "../terminal_text.ts";

const HOW = {
  map: "project map",
  cwd: "this folder",
  known: "Claude Code knows it",
  home: "same place below home",
} as const satisfies Record<NonNullable<ProjectRow["how"]>, string>;

/** All projects. */
export async function projectList(deps: CommandDeps): Promise<Answer> {
  const rows = await deps.service.projectList(deps.context);
  return {
    json: { projects: rows },
    data: rows.length === 0 ? [] : projectLines(rows),
    talk: rows.length === 0 ? ["No projects yet."] : [],
  };
}

/** The table with its heading. */
function projectLines(rows: readonly ProjectRow[]): string[] {
  const body = rows.map((row) => [
    terminalText(row.name),
    numberText(row.sessions),
    row.dir === null ? "(no folder here)" : terminalText(row.dir),
    row.excluded ? "excluded" : row.how === null ? "-" : HOW[row.how],
    terminalText(row.key),
  ]);
  return tableLines([["PROJECT", "SESSIONS", "FOLDER HERE", "FOUND BY", "KEY"], ...body]);
}

/** Maps a project to a folder. */
export async function projectMap(
  deps: CommandDeps,
  invocation: InvocationOf<"project map">,
): Promise<Answer> {
  const dir = absolute(deps.world.platform.host, invocation.dir);
  if (invocation.dryRun) return dryRun(`Would map "${invocation.project}" to ${dir}.`);
  const row = await deps.service.projectMap(deps.context, invocation.project, dir);
  const sessions = countText(row.sessions, "session");
  return changed(row, `Mapped "${terminalText(row.name)}" to ${terminalText(row.dir ?? dir)}`, [
    `${sessions} will be placed there: claude-sync pull`,
  ]);
}

/** Forgets the folder that was named by hand. */
export async function projectUnmap(
  deps: CommandDeps,
  invocation: InvocationOf<"project unmap">,
): Promise<Answer> {
  if (invocation.dryRun) return dryRun(`Would forget the folder of "${invocation.project}".`);
  const row = await deps.service.projectUnmap(deps.context, invocation.project);
  const now = row.dir === null ? "it has no folder here now" : `it is ${terminalText(row.dir)} now`;
  return changed(row, `Forgot the folder of "${terminalText(row.name)}"; ${now}`);
}

/** Leaves a project out on this machine, or takes it in again. */
export async function projectExclude(
  deps: CommandDeps,
  invocation: InvocationOf<"project exclude" | "project include">,
): Promise<Answer> {
  const excluded = invocation.command === "project exclude";
  const verb = excluded ? "exclude" : "include";
  if (invocation.dryRun) return dryRun(`Would ${verb} "${invocation.project}".`);
  const row = await deps.service.projectExclude(deps.context, invocation.project, excluded);
  const name = terminalText(row.name);
  return changed(
    row,
    excluded
      ? `"${name}" is neither pushed nor pulled on this machine any more`
      : `"${name}" is pushed and pulled again`,
    excluded ? ["What is in the vault already stays there."] : [],
  );
}

function changed(row: ProjectRow, line: string, more: readonly string[] = []): Answer {
  return { json: { project: row }, result: [line, ...more] };
}

function dryRun(line: string): Answer {
  return { json: { dryRun: true }, result: [terminalText(line, 400)] };
}
