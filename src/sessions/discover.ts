/**
 * Finds every session's files. Each of the client's folders is listed once, however many sessions
 * there are, and each file costs one `lstat`. Links are not followed, with two exceptions that the
 * client has too: `projects/` may be a link to another place (a larger disk), and a project's
 * folder one to another place inside `projects/`.
 */
import { isClaudeSyncError } from "../errors.ts";
import type { DirEntry, FileStat, FileSystem } from "../platform/types.ts";
import type { ClaudeRoot } from "./claude_root.ts";
import { realpathIfAny } from "./foreign_file.ts";
import { fileNameProblem, parseFileName, TRANSCRIPT } from "./file_name.ts";
import type { FileName } from "./file_name.ts";
import { areaDir } from "./layout.ts";
import { legacyOwner } from "./legacy_owner.ts";
import { pathBelow, pathRules } from "./local_path.ts";
import type { PathRules } from "./local_path.ts";
import { Transcript, type TranscriptFolder } from "./lone_session.ts";
import { parseSessionId } from "./session_id.ts";
import type { SessionId } from "./session_id.ts";
import { SKIP_REASONS, type SkipKind, type SkippedPath } from "./skipped_path.ts";
import { isTempName } from "./write_back.ts";

/** How much is taken; the rest is reported as skipped. */
export interface DiscoveryLimits {
  readonly sessions: number;
  readonly filesPerSession: number;
  /** Folders in folders, a session's own folder being the first. */
  readonly folderDepth: number;
}

/** Far more than anybody has, and little enough to keep in memory. */
export const DISCOVERY_LIMITS: DiscoveryLimits = {
  sessions: 100_000,
  filesPerSession: 10_000,
  folderDepth: 12,
};

/** One regular file of a session. */
export interface LocalFile {
  readonly name: FileName;
  /** Absolute path. */
  readonly path: string;
  readonly stat: FileStat;
}

/**
 * What one project folder holds of one session. An id that stands in two folders gives two of
 * these, which share the files outside `projects/` (the same paths in both).
 */
export interface LocalSession {
  readonly id: SessionId;
  /** Name of the folder below `projects/`. */
  readonly slug: string;
  /** At least one, the transcript first when there is one, then by name. */
  readonly files: readonly LocalFile[];
}

/** The memory of one project: what its sessions wrote down for later ones. */
export interface LocalMemory {
  /** Name of the folder below `projects/`. */
  readonly slug: string;
  /** At least one. */
  readonly files: readonly LocalFile[];
}

/** What is on this machine. */
export interface Discovery {
  /** By slug, then id. */
  readonly sessions: readonly LocalSession[];
  /** By slug. */
  readonly memories: readonly LocalMemory[];
  readonly skipped: readonly SkippedPath[];
  /** Slugs that are links to other slugs: what is placed in one is seen from both. */
  readonly slugLinks: ReadonlyMap<string, string>;
  /** Slugs of sessions that have nothing but an empty transcript, the first by name. */
  readonly empties: ReadonlyMap<string, string>;
  /** Our own unfinished temporary files, for `sweepTemps`. */
  readonly temps: readonly LocalTemp[];
}

/** A temporary file of ours. */
export interface LocalTemp {
  readonly path: string;
}

/**
 * Lists all sessions. Absent folders count as empty. Files outside `projects/` whose session has
 * nothing in any project folder are left alone. What cannot be read is skipped, so that it does not
 * keep the rest from being seen; only when `projects/` itself cannot be listed, `local-io` is
 * thrown.
 */
export function discoverSessions(
  fs: FileSystem,
  root: ClaudeRoot,
  limits: DiscoveryLimits = DISCOVERY_LIMITS,
): Discovery {
  return new Finder(fs, root, limits).run();
}

class Finder {
  readonly #fs: FileSystem;
  readonly #root: ClaudeRoot;
  readonly #rules: PathRules;
  readonly #limits: DiscoveryLimits;
  readonly #sessions: LocalSession[] = [];
  readonly #memories: LocalMemory[] = [];
  readonly #skipped: SkippedPath[] = [];
  readonly #slugLinks = new Map<string, string>();
  readonly #empties = new Map<string, string>();
  readonly #temps: LocalTemp[] = [];
  /** Files outside `projects/`, listed once for all sessions. */
  #shared: SharedFolders = { todos: new Map(), histories: new Set(), tasks: new Set() };
  readonly #sharedFiles = new Map<SessionId, readonly LocalFile[]>();

  constructor(fs: FileSystem, root: ClaudeRoot, limits: DiscoveryLimits) {
    this.#fs = fs;
    this.#limits = limits;
    this.#root = root;
    this.#rules = pathRules(root.os);
  }

  run(): Discovery {
    const projects = areaDir(this.#root, "projects");
    this.#shared = {
      todos: this.#todosById(),
      histories: this.#idFolders(areaDir(this.#root, "file-history")),
      tasks: this.#idFolders(areaDir(this.#root, "tasks")),
    };
    const entries = this.#listProjects(projects);
    const folders = new Set(entries.filter((e) => e.kind === "directory").map((e) => e.name));
    for (const entry of entries) {
      if (entry.kind === "directory") this.#addSlug(projects, entry.name);
      else if (entry.kind === "symlink") this.#addSlugLink(projects, entry.name, folders);
    }
    return {
      sessions: this.#sessions,
      memories: this.#memories,
      skipped: this.#skipped,
      slugLinks: this.#slugLinks,
      empties: this.#empties,
      temps: this.#temps,
    };
  }

  /** Entries of `projects/`, which may be a link. */
  #listProjects(projects: string): DirEntry[] {
    if (this.#fs.lstat(projects)?.kind !== "symlink") return this.#list(projects);
    const target = realpathIfAny(this.#fs, projects);
    const entries = target === null ? null : this.#fs.readDir(target);
    if (entries === null) this.#skipSession(projects, "link", "is a symbolic link to no folder");
    return entries ?? [];
  }

  /** Entries of a folder that is itself no link. */
  #list(dir: string): DirEntry[] {
    const stat = this.#fs.lstat(dir);
    if (stat === null) return [];
    if (stat.kind === "directory") return this.#fs.readDir(dir) ?? [];
    this.#skip(dir, stat.kind === "symlink" ? "link" : "special");
    return [];
  }

  #addSlugLink(projects: string, slug: string, folders: ReadonlySet<string>): void {
    const path = this.#rules.join(projects, slug);
    const target = realpathIfAny(this.#fs, path);
    const home = realpathIfAny(this.#fs, projects);
    const below = target === null || home === null ? null : pathBelow(this.#root.os, home, target);
    if (below === null || below === "") {
      this.#skipSession(path, "link", "is a symbolic link that leads out of the projects folder");
    } else if (folders.has(below)) {
      this.#slugLinks.set(slug, below);
    } else {
      this.#addSlug(projects, slug);
    }
  }

  #addSlug(projects: string, slug: string): void {
    const dir = this.#rules.join(projects, slug);
    const folder = { slug, dir: dir + this.#rules.sep };
    const found = new Map<SessionId, LocalFile[]>();
    const filesOf = (id: SessionId) => {
      const known = found.get(id);
      if (known !== undefined) return known;
      const files: LocalFile[] = [];
      found.set(id, files);
      return files;
    };
    for (const entry of this.#entries(dir, "session")) {
      const path = this.#child(dir, entry.name);
      if (entry.kind === "directory") {
        const id = parseSessionId(entry.name);
        if (id !== null) this.#addFolder(filesOf(id), path, "side", 1);
        else if (entry.name === "memory") this.#addMemory(slug, path);
      } else if (entry.name.endsWith(".jsonl")) {
        this.#addTranscript(filesOf, folder, entry);
      } else if (entry.kind === "symlink" && parseSessionId(entry.name) !== null) {
        this.#skipSession(path, "link");
      } else if (entry.kind === "symlink" && entry.name === "memory") {
        this.#skip(path, "link");
      } else if (isTempName(entry.name)) {
        this.#temps.push({ path });
      }
    }
    for (const id of [...found.keys()].sort()) this.#addSession(slug, id, found.get(id) ?? []);
  }

  #addMemory(slug: string, dir: string): void {
    const files: LocalFile[] = [];
    this.#addFolder(files, dir, "memory", 1);
    const { filesPerSession } = this.#limits;
    if (files.length > filesPerSession) {
      this.#skip(dir, "limit", `holds more than ${filesPerSession} files`);
      files.length = filesPerSession;
    }
    if (files.length > 0) this.#memories.push({ slug, files: sortFiles(files) });
  }

  #addTranscript(
    filesOf: (id: SessionId) => LocalFile[],
    folder: TranscriptFolder,
    entry: DirEntry,
  ): void {
    const path = folder.dir + entry.name;
    const id = parseSessionId(entry.name.slice(0, -".jsonl".length));
    const name = id === null ? parseFileName(`legacy/${entry.name}`) : TRANSCRIPT;
    if (name === null) return this.#skip(path, "unknown-transcript");
    const stat = this.#regular(path, entry.kind, "session");
    if (stat === null) return;
    const owner = id ??
      this.#attempt(path, () => legacyOwner(this.#fs, path) ?? "unowned", "session");
    if (owner === null) return;
    if (owner === "unowned") return this.#skip(path, "unknown-transcript");
    if (id === null) filesOf(owner).push({ name, path, stat });
    else filesOf(owner).unshift(new Transcript(folder, id, stat));
  }

  #addSession(slug: string, id: SessionId, files: LocalFile[]): void {
    const shared = this.#sharedOf(id);
    const all = shared.length === 0 ? files : [...files, ...shared];
    if (all.every(isNothing)) {
      if (all.length > 0 && !this.#empties.has(id)) this.#empties.set(id, slug);
      return;
    }
    const path = files[0]?.path ?? all[0]?.path ?? "";
    const { sessions, filesPerSession } = this.#limits;
    if (this.#sessions.length >= sessions) return this.#skipSession(path, "limit");
    if (all.length > filesPerSession) {
      this.#skip(path, "limit", `belongs to a session of more than ${filesPerSession} files`);
      all.length = filesPerSession;
    }
    const [first] = all;
    const isLone = all.length === 1 && first instanceof Transcript;
    this.#sessions.push(isLone ? first : { id, slug, files: sortFiles(all) });
  }

  #sharedOf(id: SessionId): readonly LocalFile[] {
    const { todos, histories, tasks } = this.#shared;
    if (todos.size === 0 && histories.size === 0 && tasks.size === 0) return NO_FILES;
    const own = todos.get(id) ?? NO_FILES;
    const [hasHistory, hasTasks] = [histories.has(id), tasks.has(id)];
    if (!hasHistory && !hasTasks) return own;
    const known = this.#sharedFiles.get(id);
    if (known !== undefined) return known;
    const files = [...own];
    const add = (area: "file-history" | "tasks") =>
      this.#addFolder(files, this.#child(areaDir(this.#root, area), id), area, 1);
    if (hasHistory) add("file-history");
    if (hasTasks) add("tasks");
    this.#sharedFiles.set(id, files);
    return files;
  }

  /** Adds the regular files below `dir`; `prefix` is their name's beginning. */
  #addFolder(files: LocalFile[], dir: string, prefix: string, depth: number): void {
    if (depth > this.#limits.folderDepth) return this.#skip(dir, "limit", "lies too deep");
    for (const entry of this.#entries(dir)) {
      const path = this.#child(dir, entry.name);
      const text = `${prefix}/${entry.name}`;
      if (isTempName(entry.name)) {
        this.#temps.push({ path });
      } else if (entry.kind === "directory") {
        this.#addFolder(files, path, text, depth + 1);
      } else {
        this.#addFile(files, path, text, entry.kind);
      }
    }
  }

  #addFile(files: LocalFile[], path: string, text: string, kind: DirEntry["kind"]): void {
    if (files.length > this.#limits.filesPerSession) return;
    const name = parseFileName(text);
    if (name === null) {
      const problem = fileNameProblem(text);
      return this.#skip(path, problem?.kind ?? "unsafe-name", problem?.reason);
    }
    const stat = this.#regular(path, kind);
    if (stat !== null) files.push({ name, path, stat });
  }

  #regular(
    path: string,
    kind: DirEntry["kind"],
    loses: SkippedPath["loses"] = "file",
  ): FileStat | null {
    if (kind === "symlink") return this.#skip(path, "link", SKIP_REASONS.link, loses), null;
    if (kind !== "file") return this.#skip(path, "special", SKIP_REASONS.special, loses), null;
    let stat: FileStat | null;
    try {
      stat = this.#fs.lstat(path);
    } catch (error) {
      return this.#skipUnreadable(path, error, loses), null;
    }
    return stat?.kind === "file" ? stat : null;
  }

  /** `join` for a plain name, without normalising again and again. */
  #child(dir: string, name: string): string {
    return dir + this.#rules.sep + name;
  }

  #entries(dir: string, loses: SkippedPath["loses"] = "file"): DirEntry[] {
    return this.#attempt(dir, () => this.#fs.readDir(dir), loses) ?? [];
  }

  /** Null, and a note, when the system does not let us. */
  #attempt<T>(path: string, look: () => T, loses: SkippedPath["loses"] = "file"): T | null {
    try {
      return look();
    } catch (error) {
      return this.#skipUnreadable(path, error, loses), null;
    }
  }

  #skipUnreadable(path: string, error: unknown, loses: SkippedPath["loses"]): void {
    if (!isClaudeSyncError(error, "local-io", "unsafe-file")) throw error;
    this.#skip(path, "unreadable", SKIP_REASONS.unreadable, loses);
  }

  #idFolders(dir: string): ReadonlySet<SessionId> {
    const ids = new Set<SessionId>();
    for (const entry of this.#attempt(dir, () => this.#list(dir)) ?? []) {
      const id = parseSessionId(entry.name);
      if (id === null) continue;
      if (entry.kind === "directory") ids.add(id);
      else if (entry.kind === "symlink") this.#skip(this.#child(dir, entry.name), "link");
    }
    return ids;
  }

  #todosById(): ReadonlyMap<SessionId, readonly LocalFile[]> {
    const dir = areaDir(this.#root, "todos");
    const todos = new Map<SessionId, LocalFile[]>();
    for (const entry of this.#attempt(dir, () => this.#list(dir)) ?? []) {
      const path = this.#child(dir, entry.name);
      const id = parseSessionId(entry.name.slice(0, 36));
      if (isTempName(entry.name)) this.#temps.push({ path });
      if (id === null) continue;
      const files = todos.get(id) ?? [];
      const own = entry.name.includes("@") ? entry.name : entry.name.replaceAll(id, "@");
      this.#addFile(files, path, `todos/${own}`, entry.kind);
      if (files.length > 0) todos.set(id, files);
    }
    return todos;
  }

  #skip(
    path: string,
    kind: SkipKind,
    reason = SKIP_REASONS[kind],
    loses: SkippedPath["loses"] = "file",
  ): void {
    this.#skipped.push({ path, kind, reason, loses });
  }

  #skipSession(path: string, kind: SkipKind, reason = SKIP_REASONS[kind]): void {
    this.#skip(path, kind, reason, "session");
  }
}

const NO_FILES: readonly LocalFile[] = [];

/** The client makes empty transcripts and takes them for absent: alone they are nothing. */
function isNothing(file: LocalFile): boolean {
  return file.name === TRANSCRIPT && file.stat.sizeBytes === 0;
}

interface SharedFolders {
  readonly todos: ReadonlyMap<SessionId, readonly LocalFile[]>;
  readonly histories: ReadonlySet<SessionId>;
  readonly tasks: ReadonlySet<SessionId>;
}

function sortFiles(files: LocalFile[]): LocalFile[] {
  const rank = (file: LocalFile) => file.name === TRANSCRIPT ? "" : file.name;
  return files.sort((a, b) => rank(a) < rank(b) ? -1 : rank(a) > rank(b) ? 1 : 0);
}
