/** `restore` of a plan or of a file of a memory. */
import type { FileList, RestoredFile } from "../../sync/history_api.ts";
import type { Answer, CommandDeps } from "../answer.ts";
import type { InvocationOf } from "../command_line.ts";
import { bytesText } from "../humanise.ts";
import { tableLines, terminalText } from "../terminal_text.ts";
import { timeText } from "../time_text.ts";
import {
  checkVersionFlags,
  shortVersion,
  versionAndPlace,
  versionCells,
  versionLines,
  wrong,
} from "./restore_versions.ts";
import { partialFailure } from "./traffic.ts";

/** Files that are shown; `--json` has all. */
const FILES_SHOWN_MAX = 1000;

/** Whether `text` names plans or a memory, and no session. */
export function isFileText(
  text: string,
  os: CommandDeps["world"]["platform"]["host"]["os"],
): boolean {
  return (os === "windows" ? /^(plans|memory)[\\/]/ : /^(plans|memory)\//).test(text);
}

/** Brings the file back, or shows its versions; of a whole folder, shows its files. */
export async function restoreNamedFile(
  deps: CommandDeps,
  invocation: InvocationOf<"restore">,
  file: string,
): Promise<Answer> {
  const { service, context } = deps;
  checkVersionFlags(invocation);
  const { list } = invocation;
  const project = invocation.project ?? null;
  const isPlan = file.startsWith("plans");
  if (isPlan && project !== null) {
    throw wrong("A plan belongs to no project", "Leave --project out");
  }
  if (/^(plans|memory).$/.test(file)) {
    if (!list) throw wrong("Which file is to be restored?", "See them with --list");
    const files = await service.listFiles(context, isPlan ? "plans" : "memory", project);
    return { json: { ...files }, data: fileLines(files) };
  }
  if (list) {
    const found = await service.fileVersions(context, { file, project });
    return { json: { ...found }, data: [nameOf(found), ...versionLines(found.versions)] };
  }
  const asked = { file, project, ...versionAndPlace(deps, invocation) };
  const result = await service.restoreFile(context, asked);
  return {
    json: { ...result },
    result: restoredLines(result),
    ...partialFailure(result.outcome === "open" ? 1 : 0, "file"),
  };
}

function nameOf({ file, project }: Pick<RestoredFile, "file" | "project">): string {
  return terminalText(file) + (project === null ? "" : ` of ${terminalText(project)}`);
}

function restoredLines(result: RestoredFile): string[] {
  const { outcome, path, sizeBytes, atMs, replaced, dryRun } = result;
  const name = nameOf(result);
  if (outcome === "open") {
    return [`${name} is of a session that is open in Claude Code; try again when it ends`];
  }
  if (outcome === "unchanged") {
    return [`${name} is here already: nothing to do`, `  ${terminalText(path)}`];
  }
  const facts = `(${bytesText(sizeBytes)}, ${timeText(atMs)})`;
  if (dryRun) return [`Would restore ${name}  ${facts}  (nothing was written)`];
  return [
    `Restored ${name}  ${facts}`,
    `  ${terminalText(path)}`,
    ...(replaced === null
      ? []
      : [`  What stood there: --pick ${shortVersion({ version: replaced })}`]),
  ];
}

function fileLines({ project, files }: FileList): string[] {
  if (files.length === 0) {
    return [project === null ? "No plans in the vault" : `No memory of ${terminalText(project)}`];
  }
  const shown = files.slice(0, FILES_SHOWN_MAX);
  const rows = shown.map((row) => [
    terminalText(row.file),
    ...versionCells(row),
    String(row.versions),
  ]);
  const more = files.length - shown.length;
  return [
    ...tableLines([["FILE", "TIME", "SIZE", "MACHINE", "VERSIONS"], ...rows]),
    ...(more > 0 ? [`${more} more; --json shows them all`] : []),
  ];
}
