/** Replacing a session's file so that no crash, link or other writer can make it lose bytes. */
import { ClaudeSyncError, isClaudeSyncError } from "../errors.ts";
import { TEMPORARY_NAME, temporaryPathBeside } from "../platform/atomic_file.ts";
import type { Clock, FileStat, FileSystem, Random, WriteHandle } from "../platform/types.ts";
import type { ClaudeRoot } from "./claude_root.ts";
import { areaDir } from "./layout.ts";
import { pathBelow, pathRules } from "./local_path.ts";

/** What writing needs of the world. */
export interface WriteBackDeps {
  readonly fs: FileSystem;
  readonly random: Random;
  readonly root: ClaudeRoot;
}

/** "changed-meanwhile": the file is not as expected any more; nothing was written. */
export type WriteOutcome = "written" | "changed-meanwhile";

/** Age from which a temporary file of ours is one that a crash left behind. */
export const TEMP_STALE_MS = 60 * 60_000;

/**
 * Whether a file name is one of our temporary files. No transcript or sidecar can have such a name.
 */
export function isTempName(name: string): boolean {
  return TEMPORARY_NAME.test(name);
}

/** Whether a file is still the one that `expected` describes, unchanged; null means absent. */
export function isSameFile(actual: FileStat | null, expected: FileStat | null): boolean {
  if (actual === null || expected === null) return actual === expected;
  return actual.kind === "file" && expected.kind === "file" &&
    actual.sizeBytes === expected.sizeBytes && actual.mtimeMs === expected.mtimeMs &&
    actual.ino === expected.ino && actual.dev === expected.dev;
}

/**
 * New content that is on the disk beside its file. The first `commit` or `discard` ends it; later
 * calls do nothing.
 */
export interface PreparedFile {
  /** Folder of the file. */
  readonly dir: string;
  /**
   * Publishes the content with this modification time, unless the file is not the expected one any
   * more. Throws as `prepareSessionFile` does; then the file has its old or its new content. The
   * caller flushes `dir`, once for all files in it: until then a power cut may undo this.
   * `beforePublished` is told, just before, what the file is going to be like.
   */
  commit(mtimeMs: number, beforePublished?: (stat: FileStat) => void): WriteOutcome;
  /** Removes it. */
  discard(): void;
}

/**
 * Writes new content for `path` into a temporary file beside it, 0600 and flushed, without touching
 * the file itself. Missing folders are made. `path` lies below the configuration folder; folders on
 * the way to it that are links leading out of it throw `unsafe-file`. Throws `local-io` or
 * `no-space`; then nothing changed. An error of `writeContent` passes through.
 */
export async function prepareSessionFile(
  deps: WriteBackDeps,
  path: string,
  expected: FileStat | null,
  writeContent: (handle: WriteHandle) => Promise<void> | void,
): Promise<PreparedFile> {
  const { fs, random, root } = deps;
  const dir = pathRules(root.os).dirname(path);
  makeSafeDir(fs, root, dir);
  const temp = temporaryPathBeside(random, path);
  const handle = fs.createFile(temp);
  try {
    try {
      await writeContent(handle);
      handle.sync();
    } finally {
      handle.close();
    }
  } catch (error) {
    removeQuietly(fs, temp);
    throw error;
  }
  return preparedFile(deps, dir, temp, path, expected);
}

/** Apart from the above, so that waiting to be published keeps nothing of the content in memory. */
function preparedFile(
  { fs, root }: WriteBackDeps,
  dir: string,
  temp: string,
  path: string,
  expected: FileStat | null,
): PreparedFile {
  let outcome: WriteOutcome | null = null;
  return {
    dir,
    commit(mtimeMs, beforePublished) {
      if (outcome !== null) return outcome;
      outcome = "changed-meanwhile";
      try {
        makeSafeDir(fs, root, dir);
        fs.setMtime(temp, mtimeMs);
        const stat = beforePublished === undefined ? null : fs.lstat(temp);
        if (stat !== null) beforePublished?.(stat);
        if (publish(fs, temp, path, expected)) outcome = "written";
      } finally {
        if (outcome !== "written") removeQuietly(fs, temp);
      }
      return outcome;
    },
    discard() {
      if (outcome === null) removeQuietly(fs, temp);
      outcome ??= "changed-meanwhile";
    },
  };
}

function publish(
  fs: FileSystem,
  temp: string,
  path: string,
  expected: FileStat | null,
): boolean {
  if (expected === null) {
    // A second name never replaces a file, not even one that appears in this instant.
    const linked = fs.link(temp, path);
    if (linked === true) removeQuietly(fs, temp);
    if (linked !== null) return linked;
  }
  if (!isSameFile(fs.lstat(path), expected)) return false;
  fs.rename(temp, path);
  return true;
}

/**
 * Makes `dir`, which lies in the configuration folder, and its parents. The configuration folder
 * and `projects` in it may be links; a folder below them only if it leads to another place inside.
 */
function makeSafeDir(fs: FileSystem, root: ClaudeRoot, dir: string): void {
  const { join } = pathRules(root.os);
  const below = pathBelow(root.os, root.configDir, dir);
  if (below === null || below.split("/").some((part) => part === "." || part === "..")) {
    throw new ClaudeSyncError("bug", "Broken invariant: session files lie in the config folder");
  }
  if (fs.realpath(root.configDir) === null) fs.makeDir(root.configDir);
  const projects = areaDir(root, "projects");
  const inside = [fs.realpath(root.configDir), fs.realpath(projects)];
  let at = root.configDir;
  for (const part of below === "" ? [] : below.split("/")) {
    at = join(at, part);
    const stat = fs.lstat(at);
    if (stat === null) fs.makeDir(at);
    else if (stat.kind === "symlink") checkLink(fs, root, at, at === projects ? null : inside);
    else if (stat.kind !== "directory") throw unsafe(at, "is no folder");
  }
}

/** `inside`: folders of which the link must lead into one; null when it may lead anywhere. */
function checkLink(
  fs: FileSystem,
  root: ClaudeRoot,
  at: string,
  inside: readonly (string | null)[] | null,
): void {
  const target = fs.realpath(at);
  const isInside = target !== null &&
    (inside?.some((dir) => dir !== null && pathBelow(root.os, dir, target) !== null) ?? true);
  if (!isInside) throw unsafe(at, "is a link that leads out of Claude Code's folder");
  if (fs.lstat(target)?.kind !== "directory") throw unsafe(at, "is a link to no folder");
}

function unsafe(path: string, what: string): ClaudeSyncError {
  return new ClaudeSyncError("unsafe-file", `Cannot write below '${path}' as it ${what}`, { path });
}

function removeQuietly(fs: FileSystem, path: string): void {
  try {
    fs.removeFile(path);
  } catch (error) {
    // The outcome of the write matters more; `sweepTemps` removes the file later.
    if (!isClaudeSyncError(error, "local-io", "unsafe-file")) throw error;
  }
}

/**
 * Removes those of our temporary files (from `discoverSessions`) that are older than an hour, which
 * only a crash leaves behind. Gives the number removed. Files that cannot be removed stay.
 */
export function sweepTemps(
  fs: FileSystem,
  clock: Clock,
  temps: readonly { readonly path: string }[],
): number {
  let removed = 0;
  for (const { path } of temps) {
    const stat = fs.lstat(path);
    // The time may already be that of the content; the file is then old enough, and finished.
    if (stat?.kind !== "file" || clock.nowMs() - stat.mtimeMs < TEMP_STALE_MS) continue;
    removeQuietly(fs, path);
    removed++;
  }
  return removed;
}
