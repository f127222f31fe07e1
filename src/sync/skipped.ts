/** Says what of Claude Code's files is not synced, so that nobody takes it for safe. */
import type { ErrorCode } from "../errors.ts";
import type { ClaudeRoot } from "../sessions/claude_root.ts";
import type { SkipKind, SkippedPath } from "../sessions/skipped_path.ts";
import { areaDir } from "../sessions/layout.ts";
import { pathBelow } from "../sessions/local_path.ts";
import type { Failure } from "./api.ts";
import type { Exclusion } from "./projects.ts";

const CODES: Readonly<Record<SkipKind, ErrorCode>> = {
  "unsafe-name": "unsafe-file",
  "never-synced": "unsafe-file",
  "link": "unsafe-file",
  "special": "unsafe-file",
  "unknown-transcript": "unsafe-file",
  "unreadable": "local-io",
  "limit": "too-large",
};

/** Leaves out what lies in folders of excluded projects. */
export function skippedHere(
  skipped: readonly SkippedPath[],
  root: ClaudeRoot,
  exclusion: Exclusion,
): SkippedPath[] {
  const projects = areaDir(root, "projects");
  return skipped.filter(({ path }) => {
    const slug = pathBelow(root.os, projects, path)?.split("/")[0] ?? "";
    return slug === "" || !exclusion.excludesSlug(slug);
  });
}

/** What is not synced although it should be: whole sessions, and all that cannot be read. */
export function skippedFailures(skipped: readonly SkippedPath[]): Failure[] {
  return skipped.filter(isFailure).map(({ path, kind, reason }) => ({
    sessionId: null,
    path,
    code: CODES[kind],
    message: `"${path}" ${reason} and is not synced`,
  }));
}

/**
 * One sentence about files that are left out and that a session does without; null when there are
 * none. What must not leave the machine is not worth a word.
 */
export function skippedNote(skipped: readonly SkippedPath[]): string | null {
  const files = skipped.filter((each) => !isFailure(each) && each.kind !== "never-synced");
  const [first] = files;
  if (first === undefined) return null;
  const more = files.length === 1 ? "" : ` (and ${files.length - 1} more like it)`;
  return `Not synced: "${first.path}" ${first.reason}${more}`;
}

function isFailure({ kind, loses }: SkippedPath): boolean {
  return kind === "unreadable" || kind === "limit" ||
    (loses === "session" && kind !== "never-synced" && kind !== "unknown-transcript");
}
