/**
 * What of a folder or file from elsewhere (an old computer, a backup) can be imported. Reads names
 * and a little of files; whatever lies there was perhaps made by somebody else, so no link in it is
 * followed out of it.
 */
import { ClaudeSyncError } from "../errors.ts";
import type { FileSystem, Host } from "../platform/types.ts";
import type { ClaudeRoot } from "./claude_root.ts";
import { discoverSessions, type LocalFile } from "./discover.ts";
import type { LocalMemory, LocalSession } from "./discover.ts";
import { TRANSCRIPT } from "./file_name.ts";
import { areaDir } from "./layout.ts";
import { pathBelow, pathRules } from "./local_path.ts";
import { discoverPlans } from "./plans.ts";
import { parseSessionId, type SessionId } from "./session_id.ts";
import type { SkippedPath } from "./skipped_path.ts";
import { records } from "./transcript.ts";

/** How much of a lone transcript is read to see that it is one, and whose. */
const HEAD_BYTES = 4 * 1024 * 1024;

/** Everything that one path gives. */
export interface ImportSource {
  /** The folder like Claude Code's that it lies in. */
  readonly root: ClaudeRoot;
  readonly sessions: readonly LocalSession[];
  readonly memories: readonly LocalMemory[];
  readonly plans: readonly LocalFile[];
  /** False for lone transcripts: the prompt history is not theirs to bring. */
  readonly hasHistory: boolean;
  readonly skipped: readonly SkippedPath[];
}

/**
 * Looks at `path`, which is absolute: a folder like `~/.claude`, a home folder with one in it, its
 * `projects` folder, one project's folder in that, a folder of transcripts, or one transcript.
 * Errors: `not-found`, `unsafe-file` (a link out of the folder), `usage` (Claude Code's own folder
 * on this machine, `own`), `local-io`.
 */
export function importSource(
  fs: FileSystem,
  host: Host,
  own: ClaudeRoot,
  path: string,
): ImportSource {
  const real = fs.realpath(path);
  const kind = real === null ? null : fs.lstat(real)?.kind ?? null;
  if (real === null || kind === null) {
    throw new ClaudeSyncError("not-found", `There is no "${path}"`, {
      path,
      hint: "Give a folder like ~/.claude, or transcripts (.jsonl)",
    });
  }
  const source = kind === "file" ? fileSource(fs, host, real) : folderSource(fs, host, real);
  const realOr = (dir: string) => fs.realpath(dir) ?? dir;
  const ownProjects = realOr(areaDir(own, "projects"));
  const isOwn = realOr(source.root.configDir) === realOr(own.configDir) ||
    realOr(areaDir(source.root, "projects")) === ownProjects ||
    pathBelow(host.os, ownProjects, real) !== null;
  if (isOwn) {
    throw new ClaudeSyncError("usage", `"${path}" is Claude Code's own folder here`, {
      path,
      hint: "What is there goes to the vault with: claude-sync push",
    });
  }
  return source;
}

function folderSource(fs: FileSystem, host: Host, dir: string): ImportSource {
  const { join, dirname, basename } = pathRules(host.os);
  const nested = join(dir, ".claude");
  for (const configDir of [dir, nested]) {
    if (fs.lstat(join(configDir, "projects")) !== null) {
      return rootSource(fs, host, configDir, null);
    }
  }
  const entries = fs.readDir(dir) ?? [];
  const hasTranscripts = entries.some(({ name }) => idOfName(name) !== null);
  if (basename(dirname(dir)) === "projects" && hasTranscripts) {
    return rootSource(fs, host, dirname(dirname(dir)), basename(dir));
  }
  if (basename(dir) === "projects" && entries.some(({ kind }) => kind === "directory")) {
    return rootSource(fs, host, dirname(dir), null);
  }
  if (!hasTranscripts) {
    throw new ClaudeSyncError("not-found", `There are no sessions in "${dir}"`, {
      path: dir,
      hint: "Give a folder like ~/.claude, the home folder it is in, or transcripts (.jsonl)",
    });
  }
  const sessions: LocalSession[] = [];
  const skipped: SkippedPath[] = [];
  for (const { name, kind } of entries) {
    const [id, path] = [idOfName(name), join(dir, name)];
    if (id === null) continue;
    if (kind !== "file") {
      skipped.push({ path, kind: "link", reason: "is no regular file", loses: "session" });
    } else if (!isTranscript(fs, path)) {
      skipped.push({ path, kind: "special", reason: "is no transcript", loses: "session" });
    } else sessions.push(loneSession(fs, id, path, basename(dir)));
  }
  return loneSource(host, dir, sessions, skipped);
}

/** `slug`: only that project's. */
function rootSource(
  fs: FileSystem,
  host: Host,
  configDir: string,
  slug: string | null,
): ImportSource {
  const root = rootAt(host, configDir);
  for (const dir of [configDir, areaDir(root, "projects")]) {
    const target = fs.realpath(dir);
    const isInside = target !== null && pathBelow(host.os, configDir, target) !== null;
    if (isInside) continue;
    throw new ClaudeSyncError("unsafe-file", `"${dir}" is a link that leads out of the folder`, {
      path: dir,
      hint: "Name the folder that it leads to, if you trust it",
    });
  }
  const discovery = discoverSessions(fs, root);
  const plans = discoverPlans(fs, root);
  const isWanted = (each: { readonly slug: string }) => slug === null || each.slug === slug;
  return {
    root,
    sessions: discovery.sessions.filter(isWanted),
    memories: discovery.memories.filter(isWanted),
    plans: plans.files,
    hasHistory: true,
    skipped: [...discovery.skipped, ...plans.skipped],
  };
}

function fileSource(fs: FileSystem, host: Host, path: string): ImportSource {
  const { dirname, basename } = pathRules(host.os);
  const id = idOfName(basename(path)) ?? idInRecords(fs, path);
  if (id === null || !isTranscript(fs, path)) {
    throw new ClaudeSyncError("not-found", `"${path}" is no transcript of Claude Code`, {
      path,
      hint: "A transcript is a .jsonl file whose name or records say which session it is",
    });
  }
  const dir = dirname(path);
  return loneSource(host, dir, [loneSession(fs, id, path, basename(dir))], []);
}

function rootAt({ os }: Host, configDir: string): ClaudeRoot {
  return { os, configDir, claudeJsonPath: pathRules(os).join(configDir, ".claude.json") };
}

function loneSource(
  host: Host,
  dir: string,
  sessions: readonly LocalSession[],
  skipped: readonly SkippedPath[],
): ImportSource {
  const root = rootAt(host, dir);
  return { root, sessions, memories: [], plans: [], hasHistory: false, skipped };
}

function loneSession(fs: FileSystem, id: SessionId, path: string, slug: string): LocalSession {
  const stat = fs.lstat(path);
  if (stat === null) throw new ClaudeSyncError("not-found", `"${path}" is gone`, { path });
  return { id, slug, files: [{ name: TRANSCRIPT, path, stat }] };
}

function idOfName(name: string): SessionId | null {
  return name.endsWith(".jsonl") ? parseSessionId(name.slice(0, -".jsonl".length)) : null;
}

function idInRecords(fs: FileSystem, path: string): SessionId | null {
  for (const { parsed } of records(headOf(fs, path))) {
    const id = parsed?.["sessionId"];
    if (typeof id === "string") return parseSessionId(id);
  }
  return null;
}

function isTranscript(fs: FileSystem, path: string): boolean {
  for (const { parsed } of records(headOf(fs, path))) {
    if (typeof parsed?.["type"] === "string") return true;
  }
  return false;
}

function headOf(fs: FileSystem, path: string): Uint8Array {
  const handle = fs.openRead(path);
  if (handle === null) return new Uint8Array(0);
  try {
    const head = new Uint8Array(Math.min(HEAD_BYTES, handle.stat().sizeBytes));
    return head.subarray(0, handle.readAt(head, 0));
  } finally {
    handle.close();
  }
}
