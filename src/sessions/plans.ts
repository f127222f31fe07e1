/** The client's plans: where they are, and which of them a session's records name. */
import { isClaudeSyncError } from "../errors.ts";
import type { FileSystem } from "../platform/types.ts";
import type { ClaudeRoot } from "./claude_root.ts";
import { DISCOVERY_LIMITS, type LocalFile, type LocalTemp } from "./discover.ts";
import type { SkippedPath } from "./skipped_path.ts";
import { fileNameProblem, parseFileName } from "./file_name.ts";
import { bytesBefore } from "./grown_file.ts";
import { parseJsonObject } from "./json_object.ts";
import { areaDir } from "./layout.ts";
import { linePieces } from "./line_pieces.ts";
import { pathRules } from "./local_path.ts";
import { isPlanFile, isPlanName } from "./shelf.ts";
import { isTempName } from "./write_back.ts";

/** Most plans of one session that are looked for. */
export const PLANS_PER_SESSION_MAX = 64;

/** What is in `plans/`. */
export interface LocalPlans {
  /** By name. */
  readonly files: readonly LocalFile[];
  readonly skipped: readonly SkippedPath[];
  readonly temps: readonly LocalTemp[];
}

/**
 * Lists the plans; links are not followed, and what cannot be a plan's name is left alone. An
 * absent folder is empty. Never throws for what is there.
 */
export function discoverPlans(fs: FileSystem, root: ClaudeRoot): LocalPlans {
  const dir = areaDir(root, "plans");
  const files: LocalFile[] = [];
  const skipped: SkippedPath[] = [];
  const temps: LocalTemp[] = [];
  const skip = (path: string, kind: SkippedPath["kind"], reason: string) => {
    skipped.push({ path, kind, reason, loses: "file" });
  };
  const attempt = <T>(path: string, look: () => T): T | null => {
    try {
      return look();
    } catch (error) {
      if (!isClaudeSyncError(error, "local-io", "unsafe-file")) throw error;
      skip(path, "unreadable", "cannot be read");
      return null;
    }
  };
  const kind = attempt(dir, () => fs.lstat(dir))?.kind;
  if (kind === "symlink") skip(dir, "link", "is a symbolic link");
  if (kind !== "directory") return { files, skipped, temps };
  const { sep } = pathRules(root.os);
  for (const entry of attempt(dir, () => fs.readDir(dir)) ?? []) {
    // `join` for a plain name, without normalising again and again.
    const path = dir + sep + entry.name;
    if (!isPlanFile(entry.name)) {
      if (isTempName(entry.name)) temps.push({ path });
      continue;
    }
    const name = parseFileName(`plans/${entry.name}`);
    const problem = name === null ? fileNameProblem(`plans/${entry.name}`) : null;
    if (problem !== null) skip(path, problem.kind, problem.reason);
    else if (entry.kind === "symlink") skip(path, "link", "is a symbolic link");
    else if (files.length >= DISCOVERY_LIMITS.filesPerSession) {
      skip(path, "limit", `is past the first ${DISCOVERY_LIMITS.filesPerSession} plans`);
      break;
    } else {
      const stat = attempt(path, () => fs.lstat(path));
      if (name !== null && stat?.kind === "file") files.push({ name, path, stat });
    }
  }
  return { files, skipped, temps };
}

/** The plans that records up to some point of a transcript name. */
export interface PlanNamesSoFar {
  readonly names: readonly string[];
  /** End of the last line that was looked at. */
  readonly lengthBytes: number;
  /** Hash of the last bytes before that; empty for none. */
  readonly tail: string;
}

/** Nothing was looked at. */
const NOTHING: PlanNamesSoFar = { names: [], lengthBytes: 0, tail: "" };

const SLUG = /"slug":"([A-Za-z0-9_-]+)"/g;
const latin1 = new TextDecoder("latin1");

/**
 * The plans that a transcript names (`slug` of a record, not of anything inside it), looking only
 * at what comes after `before` while the file has the same tail there: one that was rewritten in
 * place may have grown since. `hashOf` gives a tail's hash. Null when the file is absent. Throws
 * `local-io`.
 */
export function readPlanNames(
  fs: FileSystem,
  path: string,
  hashOf: (bytes: Uint8Array) => string,
  before: PlanNamesSoFar = NOTHING,
): PlanNamesSoFar | null {
  const handle = fs.openRead(path);
  if (handle === null) return null;
  try {
    const tailAt = (end: number) => end === 0 ? "" : hashOf(bytesBefore(handle, end));
    const known = tailAt(before.lengthBytes) === before.tail ? before : NOTHING;
    const names = new Set(known.names);
    let { lengthBytes } = known;
    for (const { bytes, offset } of linePieces(handle, known.lengthBytes)) {
      addPlanNames(bytes, names);
      lengthBytes = offset + bytes.length;
    }
    return { names: [...names].sort(), lengthBytes, tail: tailAt(lengthBytes) };
  } finally {
    handle.close();
  }
}

function addPlanNames(lines: Uint8Array, names: Set<string>): void {
  // A search in text of one unit a byte costs a fraction of parsing every record.
  const text = latin1.decode(lines);
  let done = 0;
  for (const match of text.matchAll(SLUG)) {
    const name = match[1]!;
    if (match.index < done || names.has(name) || !isPlanName(name)) continue;
    if (names.size >= PLANS_PER_SESSION_MAX) return;
    const start = text.lastIndexOf("\n", match.index) + 1;
    const end = text.indexOf("\n", match.index);
    // However often the word comes, a line is parsed once.
    done = end;
    const slug = parseJsonObject(lines.subarray(start, end))?.["slug"];
    if (typeof slug === "string" && isPlanName(slug)) names.add(slug);
  }
}
