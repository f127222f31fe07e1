import { assert } from "../../base/assert.ts";
import { type Bytes, equalBytes } from "../../base/bytes.ts";
import { ClaudeSyncError } from "../../errors.ts";
import { createFileExclusive, TEMPORARY_NAME } from "../../platform/atomic_file.ts";
import type { Clock, DirEntry, FileSystem, Random } from "../../platform/types.ts";
import { type ObjectName, parseObjectName } from "../object_name.ts";
import { assertListPrefix } from "../object_prefix.ts";
import {
  type ListOptions,
  OBJECT_BYTES_MAX,
  type ObjectInfo,
  type ObjectStore,
  type PutItem,
  type PutOutcome,
  type StoreOptions,
} from "../object_store.ts";
import { putEach } from "../put_each.ts";
import { folderError, strangeKindError, vanishedError } from "./folder_error.ts";

/** Our own temporary files older than this are what a crash left: a day. */
export const STALE_TEMPORARY_MS = 24 * 60 * 60 * 1000;

/**
 * How often `put` looks again when the object it collided with vanishes before it can be compared.
 */
const COLLISION_ATTEMPTS = 3;

/** What a folder store needs from the world. */
export interface FolderStoreOptions {
  readonly fs: FileSystem;
  readonly random: Random;
  readonly clock: Clock;
  /**
   * Makes the folder when it is not there, and takes an empty one. Default: both are
   * `store-unreachable`.
   */
  readonly create?: boolean;
}

/**
 * Opens the folder at the absolute path `root` as a store: a disk, a NAS or SMB mount, a USB stick,
 * a folder that Dropbox or Syncthing keeps. Errors: `store-unreachable` when it is not there (or
 * empty, as a mount point without its disk is), `store-invalid` when it is a file, `store-refused`,
 * `no-space`.
 */
export function openFolderStore(root: string, options: FolderStoreOptions): ObjectStore {
  const store = new FolderStore(root, options);
  store.open();
  return store;
}

class FolderStore implements ObjectStore {
  readonly label: string;
  readonly concurrency = 1;
  readonly isBatching = false;
  readonly #fs: FileSystem;
  readonly #random: Random;
  readonly #clock: Clock;
  readonly #create: boolean;
  /** What joins the parts of a path here: Windows paths never start with a slash. */
  readonly #separator: "/" | "\\";
  readonly #sweptFolders = new Set<string>();
  #rootMode: number | null = null;

  constructor(root: string, { fs, random, clock, create = false }: FolderStoreOptions) {
    this.label = root;
    this.#fs = fs;
    this.#random = random;
    this.#clock = clock;
    this.#create = create;
    this.#separator = root.startsWith("/") ? "/" : "\\";
  }

  open(): void {
    this.#guard("write", { path: this.label }, () => {
      if (!this.#create || this.#fs.lstat(this.label) !== null) return;
      this.#fs.makeDir(this.label);
      const end = this.label.lastIndexOf(this.#separator);
      if (end > 0) this.#fs.syncDir(this.label.slice(0, end));
    });
    this.#guard("list", { path: this.label }, () => this.#assertReachable());
  }

  async get(name: ObjectName, options: StoreOptions = {}): Promise<Bytes | null> {
    await turn(options);
    const path = this.#pathOf(name);
    return this.#guard("read", { path, objectName: name }, () => {
      const bytes = this.#folderIsThere(name) ? this.#readObject(path) : null;
      if (bytes === null) this.#assertReachable();
      return bytes;
    });
  }

  async put(name: ObjectName, body: Bytes, options: StoreOptions = {}): Promise<PutOutcome> {
    await turn(options);
    const path = this.#pathOf(name);
    if (body.length > OBJECT_BYTES_MAX) {
      throw new ClaudeSyncError("too-large", `"${name}" is over ${OBJECT_BYTES_MAX} bytes`, {
        objectName: name,
      });
    }
    return this.#guard("write", { path, objectName: name }, () => {
      const mode = this.#makeFolderOf(name);
      this.#sweep(folderOf(name));
      for (let attempt = 0; attempt < COLLISION_ATTEMPTS; attempt++) {
        const created = createFileExclusive(this.#fs, this.#random, path, body, {
          withoutHardLinks: "atomic",
          ...(mode === null ? {} : { mode }),
        });
        if (created) return "created";
        const present = this.#readObject(path);
        if (present !== null) return equalBytes(present, body) ? "exists" : "differs";
      }
      throw new ClaudeSyncError("store-unreachable", `"${path}" comes and goes`, {
        path,
        objectName: name,
      });
    });
  }

  putAll(items: readonly PutItem[], options?: StoreOptions): Promise<ObjectName | null> {
    return putEach(this, items, options);
  }

  async *list(prefix: string, options: ListOptions = {}): AsyncIterable<ObjectInfo> {
    assertListPrefix(prefix);
    await turn(options);
    const gaps = { found: false };
    if (prefix === "" || this.#guard("list", { path: this.label }, () => this.#isFolder(prefix))) {
      yield* this.#listFolder(prefix, options, gaps);
    } else {
      gaps.found = true;
    }
    // What vanished may have been deleted, or the whole disk may be gone: the latter is no end of
    // the list.
    if (gaps.found) this.#guard("list", { path: this.label }, () => this.#assertReachable());
  }

  async delete(name: ObjectName, options: StoreOptions = {}): Promise<void> {
    await turn(options);
    const path = this.#pathOf(name);
    this.#guard("delete", { path, objectName: name }, () => {
      if (!this.#folderIsThere(name)) return this.#assertReachable();
      this.#assertOrdinary(path);
      if (!this.#fs.removeFile(path)) this.#assertReachable();
    });
  }

  /** `folder` is `""` or ends in a slash. */
  async *#listFolder(
    folder: string,
    options: ListOptions,
    gaps: { found: boolean },
  ): AsyncIterable<ObjectInfo> {
    options.signal?.throwIfAborted();
    const path = this.#pathOf(folder);
    const entries = this.#guard("list", { path }, () => this.#fs.readDir(path));
    if (entries === null || (folder === "" && entries.length === 0)) gaps.found = true;
    for (const { sortedAs, kind } of listable(folder, entries ?? [])) {
      options.signal?.throwIfAborted();
      if (options.after !== undefined && isBehind(sortedAs, options.after)) continue;
      if (kind === "directory") {
        yield* this.#listFolder(sortedAs, options, gaps);
        continue;
      }
      const name = parseObjectName(sortedAs);
      if (name === null) continue;
      const file = this.#pathOf(name);
      const stat = this.#guard("list", { path: file }, () => this.#fs.lstat(file));
      if (stat === null) gaps.found = true;
      if (stat?.kind === "file") yield { name, sizeBytes: stat.sizeBytes };
    }
  }

  #readObject(path: string): Bytes | null {
    this.#assertOrdinary(path);
    return this.#fs.readFile(path, OBJECT_BYTES_MAX);
  }

  #assertOrdinary(path: string): void {
    const kind = this.#fs.lstat(path)?.kind ?? "file";
    if (kind !== "file") throw strangeKindError(path, kind, "file");
  }

  /** Whether the folders above an object are there; a link or file in their place is refused. */
  #folderIsThere(name: ObjectName): boolean {
    return foldersAbove(name).every((folder) => {
      const path = this.#pathOf(folder);
      const kind = this.#fs.lstat(path)?.kind;
      if (kind !== undefined && kind !== "directory") throw strangeKindError(path, kind, "folder");
      return kind !== undefined;
    });
  }

  /**
   * Whether all of the folder `prefix` is really a folder; strangers in its place are ignored, as
   * `list` does.
   */
  #isFolder(prefix: string): boolean {
    const folders = foldersAbove(`${prefix}x`);
    return folders.every((folder) => this.#fs.lstat(this.#pathOf(folder))?.kind === "directory");
  }

  /**
   * Makes the folders above an object, as open to others as the vault's own folder is: who shares
   * that folder with a group wants its objects shared. Gives the objects' permission bits, or null
   * where the default is right.
   */
  #makeFolderOf(name: ObjectName): number | null {
    this.#assertReachable();
    const rootMode = this.#rootMode ??= this.#readRootMode();
    const folderMode = 0o700 | (rootMode & 0o2077);
    let parent = this.label;
    for (const folder of foldersAbove(name)) {
      const path = this.#pathOf(folder);
      const kind = this.#fs.lstat(path)?.kind;
      if (kind === undefined) {
        this.#fs.makeDir(path);
        if (folderMode !== 0o700) this.#fs.setMode(path, folderMode);
        this.#fs.syncDir(parent);
      } else if (kind !== "directory") {
        throw strangeKindError(path, kind, "folder");
      }
      parent = path;
    }
    const mode = 0o600 | (rootMode & 0o044);
    return mode === 0o600 ? null : mode;
  }

  #readRootMode(): number {
    const root = this.#fs.realpath(this.label);
    return root === null ? 0 : this.#fs.lstat(root)?.mode ?? 0;
  }

  /**
   * Removes our own temporary files that a crash left behind, once a folder. Strangers' files stay.
   */
  #sweep(folder: string): void {
    if (this.#sweptFolders.has(folder)) return;
    this.#sweptFolders.add(folder);
    try {
      for (const { name, kind } of this.#fs.readDir(this.#pathOf(folder)) ?? []) {
        if (kind !== "file" || !TEMPORARY_NAME.test(name)) continue;
        const path = this.#pathOf(folder + name);
        const stat = this.#fs.lstat(path);
        if (stat === null || this.#clock.nowMs() - stat.mtimeMs <= STALE_TEMPORARY_MS) continue;
        this.#fs.removeFile(path);
      }
    } catch (error) {
      // Rubbish that cannot be removed must not stop a push.
      if (!(error instanceof ClaudeSyncError)) throw error;
    }
  }

  /** An unplugged disk or unmounted share must never look like a vault without objects. */
  #assertReachable(): void {
    const entries = this.#fs.readDir(this.label);
    if (entries === null) {
      throw vanishedError(this.label, this.#fs.realpath(this.label) === null ? "absent" : "file");
    }
    if (entries.length === 0 && !this.#create) throw vanishedError(this.label, "empty");
  }

  /** Absolute path of an object, or of a folder given as `""` or `a/b/`. */
  #pathOf(name: string): string {
    if (name === "") return this.label;
    const root = this.label.endsWith(this.#separator) ? this.label : this.label + this.#separator;
    const below = name.endsWith("/") ? name.slice(0, -1) : name;
    return root + below.replaceAll("/", this.#separator);
  }

  #guard<T>(
    action: "read" | "write" | "list" | "delete",
    subject: { path: string; objectName?: ObjectName },
    call: () => T,
  ): T {
    const { objectName } = subject;
    if (objectName !== undefined) {
      assert(parseObjectName(objectName) !== null, `"${objectName}" is a valid object name`);
    }
    try {
      return call();
    } catch (error) {
      throw folderError(error, action, subject);
    }
  }
}

function turn(options: StoreOptions): Promise<void> {
  options.signal?.throwIfAborted();
  return Promise.resolve();
}

/** `a/b/c` gives `["a/", "a/b/"]`. */
function foldersAbove(name: string): string[] {
  const folders: string[] = [];
  for (let at = name.indexOf("/"); at >= 0; at = name.indexOf("/", at + 1)) {
    folders.push(name.slice(0, at + 1));
  }
  return folders;
}

function folderOf(name: ObjectName): string {
  return name.slice(0, name.lastIndexOf("/") + 1);
}

/**
 * What could be ours in a folder, in the order of object names: a folder's names all start with its
 * own and a slash, so it sorts as if it ended in one. Everything else is a stranger's.
 */
function listable(
  folder: string,
  entries: readonly DirEntry[],
): { sortedAs: string; kind: "file" | "directory" }[] {
  const own: { sortedAs: string; kind: "file" | "directory" }[] = [];
  for (const { name, kind } of entries) {
    if (kind !== "file" && kind !== "directory") continue;
    if (parseObjectName(folder + name) === null) continue;
    own.push({ sortedAs: folder + name + (kind === "directory" ? "/" : ""), kind });
  }
  return own.sort((a, b) => (a.sortedAs < b.sortedAs ? -1 : 1));
}

/**
 * Whether a name, or all names in a folder that ends in a slash, sort up to and including `after`.
 */
function isBehind(sortedAs: string, after: ObjectName): boolean {
  return sortedAs <= after && !(sortedAs.endsWith("/") && after.startsWith(sortedAs));
}
