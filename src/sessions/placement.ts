/** Where a project is on this machine. */
import type { FileSystem, Host } from "../platform/types.ts";
import type { ClaudeRoot } from "./claude_root.ts";
import type { LocalFile, LocalSession } from "./discover.ts";
import { fileKind, TRANSCRIPT } from "./file_name.ts";
import { ifReadable, readIfAny, realpathIfAny } from "./foreign_file.ts";
import { isObject, parseJsonObject } from "./json_object.ts";
import { absolutePath, pathRules } from "./local_path.ts";
import { identifyProject, projectKey } from "./project.ts";
import type { ProjectIdentity } from "./project.ts";
import { slugOf } from "./slug.ts";
import { readTranscriptHead, readTranscriptTail } from "./transcript_file.ts";

/** A folder that Claude Code has been used in here, and the key of the project it is. */
export interface KnownFolder {
  /** Absolute, links resolved; exists. */
  readonly dir: string;
  readonly key: string;
}

/** Newest transcripts of one slug that are asked for their working folder. */
const TRANSCRIPTS_PER_SLUG = 4;
const CLAUDE_JSON_BYTES_MAX = 64 * 1024 * 1024;
/** Most folders that are looked at. */
const FOLDERS_MAX = 20_000;

/** The working folders that a transcript names; none when it cannot be read. */
export type WorkingFolders = (transcript: LocalFile) => Iterable<string>;

/**
 * The existing folders that local transcripts and `.claude.json` speak of, most recently used
 * first. Transcripts that cannot be read and a `.claude.json` that does not parse are passed over.
 * `named`: reads the transcripts unless given.
 */
export function knownFolders(
  fs: FileSystem,
  host: Host,
  root: ClaudeRoot,
  sessions: readonly LocalSession[],
  named: WorkingFolders = ({ path }) => workingFolders(fs, path),
): KnownFolder[] {
  const dirs = new Map<string, string>();
  // The same few folders are spoken of again and again.
  const found = new Map<string, string | null>();
  const existing = (dir: string): string | null => {
    const known = found.get(dir);
    if (known !== undefined) return known;
    const real = existingDir(fs, host, dir);
    found.set(dir, real);
    return real;
  };
  const candidates = [
    ...transcriptFolders(sessions, named, existing),
    ...claudeJsonFolders(fs, root),
  ];
  for (const candidate of candidates.slice(0, FOLDERS_MAX)) {
    const dir = existing(candidate);
    if (dir !== null && !dirs.has(dir)) dirs.set(dir, projectKey(identifyProject(fs, host, dir)));
  }
  return [...dirs].map(([dir, key]) => ({ dir, key }));
}

function transcriptFolders(
  sessions: readonly LocalSession[],
  named: WorkingFolders,
  existing: (dir: string) => string | null,
): string[] {
  const bySlug = new Map<string, LocalFile[]>();
  for (const { slug, files } of sessions) {
    const transcript = files.find((file) => file.name === TRANSCRIPT);
    if (transcript === undefined) continue;
    const list = bySlug.get(slug);
    if (list === undefined) bySlug.set(slug, [transcript]);
    else list.push(transcript);
  }
  const slugs = [...bySlug].map(([slug, list]) => ({
    slug,
    newest: list.sort((a, b) => b.stat.mtimeMs - a.stat.mtimeMs).slice(0, TRANSCRIPTS_PER_SLUG),
  }));
  const newestMs = ({ newest }: { newest: readonly LocalFile[] }) => newest[0]?.stat.mtimeMs ?? 0;
  slugs.sort((a, b) => newestMs(b) - newestMs(a));
  return slugs.flatMap(({ slug, newest }) => foldersOfSlug(slug, newest, named, existing));
}

/**
 * Working folders that the slug's transcripts name. A transcript that came from another machine
 * names that machine's folder first, which may be here too: the one with this very slug is it.
 */
function foldersOfSlug(
  slug: string,
  newest: readonly LocalFile[],
  named: WorkingFolders,
  existing: (dir: string) => string | null,
): string[] {
  const folders: string[] = [];
  for (const transcript of newest) {
    for (const cwd of named(transcript)) {
      const dir = existing(cwd);
      if (dir === null) continue;
      if (slugOf(dir) === slug) return [dir];
      folders.push(dir);
    }
  }
  return folders;
}

/**
 * The folder here that a session belongs to, for finding out its project: of the first and last
 * working folder in its transcript the one whose slug it stands in, else the first that exists,
 * else the first as it is written (its folder is gone, or it came from another machine). Null
 * without one.
 */
export function sessionFolder(fs: FileSystem, host: Host, session: LocalSession): string | null {
  // A session may have said nothing itself, only its agents.
  const spoken = session.files.filter((file) =>
    fileKind(file.name) === "lines" && file.stat.sizeBytes > 0
  );
  const [source] = spoken;
  if (source === undefined) return null;
  let first: string | null = null;
  let existing: string | null = null;
  for (const cwd of workingFolders(fs, source.path)) {
    const dir = existingDir(fs, host, cwd);
    if (slugOf(dir ?? cwd) === session.slug) return dir ?? cwd;
    first ??= cwd;
    existing ??= dir;
  }
  return existing ?? first;
}

function* workingFolders(fs: FileSystem, path: string): Generator<string> {
  const first = ifReadable(() => readTranscriptHead(fs, path))?.firstCwd ?? null;
  if (first !== null) yield first;
  const last = ifReadable(() => readTranscriptTail(fs, path))?.lastCwd ?? null;
  if (last !== null && last !== first) yield last;
}

function claudeJsonFolders(fs: FileSystem, root: ClaudeRoot): string[] {
  const bytes = readIfAny(fs, root.claudeJsonPath, CLAUDE_JSON_BYTES_MAX);
  const projects = bytes === null ? null : parseJsonObject(bytes)?.["projects"];
  return isObject(projects) ? Object.keys(projects) : [];
}

/** The real path of an absolute path to a folder; null for everything else. */
function existingDir(fs: FileSystem, host: Host, dir: string): string | null {
  if (!pathRules(host.os).isAbsolute(dir) || dir.includes("\0")) return null;
  const real = realpathIfAny(fs, absolutePath(host.os, host.home, dir));
  if (real === null) return null;
  return ifReadable(() => fs.lstat(real))?.kind === "directory" ? real : null;
}

/** How a place was found. */
export type PlacedBy =
  /** The program runs in a folder of this very project. */
  | "cwd"
  /** The user mapped it. */
  | "map"
  /** Claude Code has been used there. */
  | "known"
  /** The same path under this home, or the same absolute path. */
  | "same-path";

/** A project's folder here. */
export interface Placement {
  /** Absolute, links resolved when it exists (a mapped one need not exist). */
  readonly dir: string;
  readonly how: PlacedBy;
}

/** What placing goes by. */
export interface PlacementFacts {
  readonly fs: FileSystem;
  readonly host: Host;
  /** The folder that the program, or the hook that started it, runs in. */
  readonly cwd?: string;
  /** The user's mappings: project key to absolute folder. */
  readonly maps: ReadonlyMap<string, string>;
  /** From `knownFolders`; earlier ones win. */
  readonly known: readonly KnownFolder[];
}

/** The project's folder here, or null when nothing tells where it is. */
export function placeProject(identity: ProjectIdentity, facts: PlacementFacts): Placement | null {
  const { fs, host } = facts;
  const key = projectKey(identity);
  const cwdDir = facts.cwd === undefined ? null : existingDir(fs, host, facts.cwd);
  if (cwdDir !== null && projectKey(identifyProject(fs, host, cwdDir)) === key) {
    return { dir: cwdDir, how: "cwd" };
  }
  const mapped = facts.maps.get(key);
  if (mapped !== undefined) {
    const absolute = absolutePath(host.os, host.home, mapped);
    return { dir: existingDir(fs, host, absolute) ?? absolute, how: "map" };
  }
  const known = facts.known.find((folder) => folder.key === key);
  if (known !== undefined) return { dir: known.dir, how: "known" };
  const same = identity.kind === "git" ? null : translatedDir(identity, host);
  const sameDir = same === null ? null : existingDir(fs, host, same);
  return sameDir === null ? null : { dir: sameDir, how: "same-path" };
}

/**
 * Where `pull --all` puts a project without a folder here. The folder need not exist. A path under
 * the other home becomes the same path under this one; another absolute path stays (a path that
 * this system cannot have goes under home, without its drive). A Git project goes where
 * `originalCwd`, its transcript's first working folder, would be under this home, else to
 * `<home>/<name>/<sub>`. Null when no safe path can be made.
 */
export function translatedDir(
  identity: ProjectIdentity,
  host: Host,
  originalCwd: string | null = null,
): string | null {
  switch (identity.kind) {
    case "home":
      return belowHome(host, identity.path);
    case "path":
      return absoluteHere(host, identity.path);
    case "git": {
      const below = originalCwd === null ? null : pathUnderForeignHome(originalCwd);
      const name = identity.remote.slice(identity.remote.lastIndexOf("/") + 1);
      const fallback = identity.sub === "" ? name : `${name}/${identity.sub}`;
      return (below === null ? null : belowHome(host, below)) ?? belowHome(host, fallback);
    }
  }
}

/** Home folders of the three systems, as they appear in transcripts of other machines. */
const FOREIGN_HOME = /^(?:\/(?:home|Users)\/[^/]+|\/root|[A-Za-z]:\\Users\\[^\\]+)[\\/](.+)$/s;

/** The `/`-separated part of `cwd` below some user's home folder; null when it is not below one. */
export function pathUnderForeignHome(cwd: string): string | null {
  const below = FOREIGN_HOME.exec(cwd)?.[1];
  if (below === undefined) return null;
  return /^[A-Za-z]:/.test(cwd) ? below.replaceAll("\\", "/") : below;
}

/** The folder `path`, `/`-separated, below this home; null when that is no safe path here. */
export function belowHome(host: Host, path: string): string | null {
  if (path === "") return absolutePath(host.os, host.cwd(), host.home);
  const segments = path.split("/");
  if (!segments.every((segment) => isFolderName(host, segment))) return null;
  return pathRules(host.os).join(host.home, ...segments);
}

function absoluteHere(host: Host, path: string): string | null {
  const isWindowsPath = /^([A-Z]:|\/)\//.test(path);
  if (isWindowsPath !== (host.os === "windows")) {
    return belowHome(host, path.replace(/^([A-Z]:)?\/+/, ""));
  }
  const rest = path.replace(/^[A-Z]:/, "").split("/").filter((segment) => segment !== "");
  if (!rest.every((segment) => isFolderName(host, segment))) return null;
  return pathRules(host.os).normalize(path);
}

function isFolderName(host: Host, segment: string): boolean {
  if (segment === "" || segment === "." || segment === ".." || segment.includes("\0")) return false;
  return host.os !== "windows" || !/[\\<>:"|?*]/.test(segment);
}
