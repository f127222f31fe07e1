/**
 * The disk of a simulated machine, and how it breaks.
 *
 * What holds: a call has its whole effect or none. Folders that were made stay. A move from one
 * folder to another is never half of one (file systems keep a journal for that). What was flushed
 * (`sync` of a file, `syncDir` of a folder for its names) stays whatever happens. The system
 * flushes by itself what is older than 30 s.
 *
 * What breaks:
 * - **Power cut**: of every file the bytes that were not flushed may be there, in part or not at
 *   all; the names in a folder that were not flushed may all be the old ones. Each folder and file
 *   decides for itself, so that a rename may survive and the bytes not.
 * - **Full**: whatever makes a file longer fails with ENOSPC; names can be removed and changed.
 * - **Read-only**: whatever changes anything fails with EROFS.
 *
 * The program's SQLite files are real ones, in a folder in memory: SQLite opens them itself. Of
 * them a power cut leaves the state that they were in at the cut or when the run began, or none. On
 * a full disk the state database does not grow, on a read-only one it does not change; the lock is
 * always to be had.
 */
import realFs from "node:fs";
import { dirname } from "node:path/posix";
import type { Bytes } from "../../src/base/bytes.ts";
import { localError, tooLargeError } from "../../src/platform/local_error.ts";
import type { DirEntry, FileStat, FileSystem } from "../../src/platform/types.ts";
import type { ReadHandle, WriteHandle } from "../../src/platform/types.ts";
import { systemError } from "../support/faulty_fs.ts";
import type { Dice } from "./dice.ts";
import { copyDir, cutFile, type DirNode, type DiskOptions } from "./disk_nodes.ts";
import { type FileNode, findIn, type Node } from "./disk_nodes.ts";
import { entriesOf, filesIn, NONE, statOf } from "./disk_nodes.ts";
import { breakDatabases, closeKept, copyOfDatabase, type DiskState } from "./open_databases.ts";

/** After this time the system has flushed what was written. */
export const WRITE_BACK_MS = 30_000;

/** A whole disk as it was at some time. */
export interface DiskCopy {
  readonly root: DirNode;
  readonly databases: ReadonlyMap<string, Uint8Array>;
}

const DATABASE = /^(state|lock)\.db(-wal|-shm|-journal)?$/;

/** A disk in memory. Absolute POSIX paths, no symbolic links. */
export class SimDisk implements FileSystem {
  readonly #options: DiskOptions;
  #inodes = 1;
  #root: DirNode;
  #state: DiskState = "sound";
  /** Called whenever it refuses. */
  onFailure: (what: string) => void = () => {};

  constructor(options: DiskOptions) {
    this.#options = options;
    this.#root = this.#newDir();
    this.state = this.#state;
  }

  /** How it is broken right now. */
  get state(): DiskState {
    return this.#state;
  }

  set state(state: DiskState) {
    this.#state = state;
    breakDatabases(this.#options.databaseDir, state);
  }

  /** Bytes of every ordinary file by path; never changed in place. */
  files(below = "/"): Map<string, Bytes> {
    const start = this.#find(below);
    return start?.kind === "directory" ? filesIn(start, below === "/" ? "" : below) : new Map();
  }

  /** Everything as it is now. */
  copy(): DiskCopy {
    return { root: copyDir(this.#root, new Map()), databases: this.databases() };
  }

  /** Becomes what `copy` holds; a part of it when `below` is given. */
  restore(copy: DiskCopy, below: readonly string[] = ["/"]): void {
    const { root, databases } = copy;
    const fresh = copyDir(root, new Map());
    for (const path of below) {
      if (path === "/") {
        this.#root = fresh;
        this.setDatabases(databases);
        continue;
      }
      const there = findIn(fresh, path);
      const parent = this.#find(dirname(path));
      if (parent?.kind !== "directory") continue;
      const name = path.slice(path.lastIndexOf("/") + 1);
      if (there === null) parent.names.delete(name);
      else parent.names.set(name, there);
      if (path === this.#options.databaseDir) this.setDatabases(databases);
    }
  }

  /** The bytes of the SQLite files. Nobody may have them open for writing. */
  databases(): ReadonlyMap<string, Uint8Array> {
    return copyOfDatabase(this.#options.databaseDir, "state.db");
  }

  /** Nothing of the simulation itself has the SQLite files open then. */
  letGo = (): void => closeKept(this.#options.databaseDir);

  /** Replaces the SQLite files. Nobody may have them open. */
  setDatabases(databases: ReadonlyMap<string, Uint8Array>): void {
    const { databaseDir } = this.#options;
    this.letGo();
    for (const name of realFs.readdirSync(databaseDir)) realFs.rmSync(`${databaseDir}/${name}`);
    for (const [name, bytes] of databases) realFs.writeFileSync(`${databaseDir}/${name}`, bytes);
  }

  /** Everything is flushed. */
  flush(): void {
    this.#root = copyDir(this.#root, new Map());
  }

  /** The power goes and comes back. Databases are the machine's business. */
  cutPower(dice: Dice): void {
    const beforeMs = this.#options.trueMs() - WRITE_BACK_MS;
    const cut = (dir: DirNode) => {
      if (dir.durable !== null && dir.changedAtMs > beforeMs && dice.isLucky(0.5)) {
        for (const [name, node] of dir.names) {
          // Folders that were made stay.
          if (node.kind === "directory") dir.durable.set(name, node);
        }
        dir.names = dir.durable;
      }
      dir.durable = null;
      for (const name of [...dir.names.keys()].sort()) {
        const node = dir.names.get(name)!;
        if (node.kind === "directory") cut(node);
        else cutFile(node, beforeMs, dice);
      }
    };
    cut(this.#root);
  }

  lstat(path: string): FileStat | null {
    if (this.#isDatabase(path)) {
      const stat = realFs.lstatSync(path, { throwIfNoEntry: false });
      if (stat === undefined) return null;
      const { size, mtimeMs, ino, mode } = stat;
      return { kind: "file", sizeBytes: size, mtimeMs, ino, dev: 2, nlink: 1, mode, uid: 1000 };
    }
    // SQLite's name for a database that is no file.
    if (path === ":memory:") return null;
    const node = this.#find(path);
    return node === null ? null : statOf(node);
  }

  realpath(path: string): string | null {
    return this.#find(path) === null ? null : path.replace(/(.)\/+$/, "$1");
  }

  readDir(path: string): DirEntry[] | null {
    const node = this.#find(path);
    return node?.kind === "directory" ? entriesOf(node) : null;
  }

  readFile(path: string, maxBytes: number): Bytes | null {
    const file = this.#file(path);
    if (file === null) return null;
    if (file.bytes.length > maxBytes) throw tooLargeError(path, maxBytes);
    return file.bytes.slice();
  }

  openRead(path: string): ReadHandle | null {
    const file = this.#file(path);
    if (file === null) return null;
    let isOpen = true;
    const mustBeOpen = () => {
      if (!isOpen) throw localError("read", path, new Error("the file is closed"));
    };
    return {
      stat: () => (mustBeOpen(), statOf(file)),
      readAt: (into, offset) => {
        mustBeOpen();
        const part = file.bytes.subarray(offset, offset + into.length);
        into.set(part);
        return part.length;
      },
      close: () => {
        isOpen = false;
      },
    };
  }

  makeDir(path: string): void {
    if (path === "/") return;
    const there = this.#find(path);
    if (there?.kind === "directory") return;
    if (there !== null) throw systemError("EEXIST", "create the folder", path);
    this.#mayChange("create the folder", path, "longer");
    this.makeDir(dirname(path));
    const { dir, name } = this.#parent(path, "create the folder");
    const made = this.#newDir();
    dir.names.set(name, made);
    dir.durable?.set(name, made);
    dir.mtimeMs = this.#options.nowMs();
  }

  createFile(path: string): WriteHandle {
    this.#mayChange("create", path, "longer");
    const { dir, name } = this.#parent(path, "create");
    if (dir.names.has(name)) throw systemError("EEXIST", "create", path);
    const nowMs = this.#options.nowMs();
    const file: FileNode = {
      kind: "file",
      bytes: NONE,
      durable: NONE,
      changedAtMs: this.#options.trueMs(),
      mtimeMs: nowMs,
      ino: this.#inodes++,
      nlink: 1,
      mode: 0o600,
    };
    this.#changeNames(dir).set(name, file);
    return this.#writer(path, file);
  }

  openAppend(path: string): WriteHandle | null {
    const file = this.#file(path);
    return file === null ? null : this.#writer(path, file);
  }

  /** Writes a file anew in its place, as clients do. */
  overwrite(path: string, bytes: Bytes): void {
    const file = this.#file(path);
    if (file === null) {
      const handle = this.createFile(path);
      handle.write(bytes);
      return handle.close();
    }
    this.#mayChange("write", path, "longer");
    this.#writeBack(file);
    file.bytes = bytes;
    file.mtimeMs = this.#options.nowMs();
    file.changedAtMs = this.#options.trueMs();
  }

  rename(from: string, to: string): void {
    this.#mayChange("rename to", to, "same");
    const source = this.#parent(from, "rename to");
    const node = source.dir.names.get(source.name);
    if (node === undefined) throw systemError("ENOENT", "rename to", to);
    const target = this.#parent(to, "rename to");
    const replaced = target.dir.names.get(target.name);
    if (replaced === node) return;
    if (replaced?.kind === "directory") throw systemError("EISDIR", "rename to", to);
    if (replaced !== undefined && node.kind === "directory") {
      throw systemError("ENOTDIR", "rename to", to);
    }
    if (replaced !== undefined) replaced.nlink--;
    this.#changeNames(source.dir).delete(source.name);
    this.#changeNames(target.dir).set(target.name, node);
    if (source.dir !== target.dir) source.dir.durable = target.dir.durable = null;
  }

  link(from: string, to: string): boolean | null {
    const node = this.#find(from);
    if (node === null) throw systemError("ENOENT", "link to", to);
    if (node.kind !== "file") return null;
    this.#mayChange("link to", to, "longer");
    const { dir, name } = this.#parent(to, "link to");
    if (dir.names.has(name)) return false;
    this.#changeNames(dir).set(name, node);
    node.nlink++;
    return true;
  }

  removeFile(path: string): boolean {
    if (this.#isDatabase(path)) {
      this.#mayChange("remove", path, "same");
      this.letGo();
      const isThere = realFs.existsSync(path);
      realFs.rmSync(path, { force: true });
      return isThere;
    }
    const node = this.#find(path);
    if (node === null) return false;
    if (node.kind === "directory") throw systemError("EISDIR", "remove", path);
    this.#mayChange("remove", path, "same");
    const { dir, name } = this.#parent(path, "remove");
    this.#changeNames(dir).delete(name);
    node.nlink--;
    return true;
  }

  removeDir(path: string): boolean {
    const node = this.#find(path);
    if (node === null) return false;
    if (node.kind !== "directory") throw systemError("ENOTDIR", "remove the folder", path);
    if (node.names.size > 0) return false;
    this.#mayChange("remove the folder", path, "same");
    const { dir, name } = this.#parent(path, "remove the folder");
    dir.durable?.delete(name);
    dir.names.delete(name);
    return true;
  }

  syncDir(path: string): void {
    const node = this.#find(path);
    if (node?.kind !== "directory") throw systemError("ENOENT", "flush the folder", path);
    node.durable = null;
  }

  setMtime(path: string, mtimeMs: number): void {
    this.#mayChange("set the time of", path, "same");
    const node = this.#find(path);
    if (node === null) throw systemError("ENOENT", "set the time of", path);
    node.mtimeMs = Math.floor(mtimeMs);
  }

  setMode(path: string, mode: number): void {
    this.#mayChange("set the permissions of", path, "same");
    const node = this.#find(path);
    if (node === null) throw systemError("ENOENT", "set the permissions of", path);
    node.mode = mode;
  }

  #writer(path: string, file: FileNode): WriteHandle {
    let isOpen = true;
    return {
      write: (bytes) => {
        if (!isOpen) throw localError("write", path, new Error("the file is closed"));
        this.#mayChange("write", path, "longer");
        this.#writeBack(file);
        const longer = new Uint8Array(file.bytes.length + bytes.length);
        longer.set(file.bytes);
        longer.set(bytes, file.bytes.length);
        file.bytes = longer;
        file.mtimeMs = this.#options.nowMs();
        file.changedAtMs = this.#options.trueMs();
      },
      sync: () => {
        file.durable = file.bytes;
      },
      close: () => {
        isOpen = false;
      },
    };
  }

  /** Before a change: what was there long enough is flushed. */
  #writeBack(file: FileNode): void {
    if (file.changedAtMs <= this.#options.trueMs() - WRITE_BACK_MS) file.durable = file.bytes;
  }

  #mayChange(action: string, path: string, how: "longer" | "same"): void {
    if (this.state === "sound" || (this.state === "full" && how === "same")) return;
    this.onFailure(this.state);
    throw systemError(this.state === "full" ? "ENOSPC" : "EROFS", action, path);
  }

  #changeNames(dir: DirNode): Map<string, Node> {
    const nowMs = this.#options.trueMs();
    const isOld = dir.changedAtMs <= nowMs - WRITE_BACK_MS;
    if (dir.durable === null || isOld) dir.durable = new Map(dir.names);
    dir.changedAtMs = nowMs;
    dir.mtimeMs = this.#options.nowMs();
    return dir.names;
  }

  #newDir(): DirNode {
    const names = new Map<string, Node>();
    const mtimeMs = this.#options.nowMs();
    const ino = this.#inodes++;
    return { kind: "directory", names, durable: null, changedAtMs: 0, mtimeMs, ino, mode: 0o700 };
  }

  #isDatabase(path: string): boolean {
    const { databaseDir } = this.#options;
    return path.startsWith(databaseDir + "/") && DATABASE.test(path.slice(databaseDir.length + 1));
  }

  #file(path: string): FileNode | null {
    const node = this.#find(path);
    if (node === null) return null;
    if (node.kind === "directory") throw localError("read", path, new Error("it is a folder"));
    return node;
  }

  #find(path: string): Node | null {
    if (!path.startsWith("/") || path.includes("\0")) throw systemError("EINVAL", "read", path);
    return findIn(this.#root, path);
  }

  #parent(path: string, action: string): { dir: DirNode; name: string } {
    if (path.includes("\0")) throw systemError("EINVAL", action, path);
    const dir = this.#find(dirname(path));
    if (dir === null) throw systemError("ENOENT", action, path);
    if (dir.kind !== "directory") throw systemError("ENOTDIR", action, path);
    return { dir, name: path.slice(path.lastIndexOf("/") + 1) };
  }
}
