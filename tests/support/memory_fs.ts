/** A disk in memory with the strictest reading of the `FileSystem` contract. */
import { dirname } from "node:path/posix";
import type { Bytes } from "../../src/base/bytes.ts";
import { ClaudeSyncError, type ErrorCode } from "../../src/errors.ts";
import { linkError, localError, tooLargeError } from "../../src/platform/local_error.ts";
import type {
  DirEntry,
  FileStat,
  FileSystem,
  ReadHandle,
  WriteHandle,
} from "../../src/platform/types.ts";
import { systemError } from "./faulty_fs.ts";

export { type FaultPlan, type FaultyFs, faultyFs } from "./faulty_fs.ts";

interface FileNode {
  kind: "file";
  bytes: Bytes;
  mtimeMs: number;
  ino: number;
  nlink: number;
  mode: number;
}
interface DirNode {
  kind: "directory";
  names: Map<string, Node>;
  mtimeMs: number;
  ino: number;
  mode: number;
}
interface LinkNode {
  kind: "symlink";
  target: string;
  mtimeMs: number;
  ino: number;
}
type Node = FileNode | DirNode | LinkNode;

const LINKS_FOLLOWED_MAX = 40;

/** Settings of a memory disk. */
export interface MemoryFsOptions {
  /** Gives modification times; a counter unless given. */
  readonly nowMs?: () => number;
  /** False for a disk that has none, like FAT. */
  readonly hardLinks?: boolean;
}

/** A disk in memory. Paths are absolute and POSIX; `/` is there from the start. */
export class MemoryFs implements FileSystem {
  readonly #nowMs: () => number;
  readonly #hardLinks: boolean;
  #inodes = 1;
  #ticks = 0;
  #openHandles = 0;
  readonly #root: DirNode;

  constructor(options: MemoryFsOptions = {}) {
    this.#nowMs = options.nowMs ?? (() => 1_700_000_000_000 + this.#ticks++);
    this.#hardLinks = options.hardLinks ?? true;
    this.#root = this.#newDir();
  }

  /** How many handles are open: a test that expects 0 finds leaks. */
  get openHandles(): number {
    return this.#openHandles;
  }

  /** Makes a symbolic link, which the contract itself cannot. */
  symlink(target: string, path: string): void {
    const { parent, name } = this.#parentOf(path, "link");
    if (parent.names.has(name)) throw systemError("EEXIST", "link", path);
    parent.names.set(name, {
      kind: "symlink",
      target,
      ino: this.#inodes++,
      mtimeMs: this.#nowMs(),
    });
  }

  /** Every file's path and bytes, sorted: for comparing whole disks. */
  files(): Map<string, Bytes> {
    const found: [string, Bytes][] = [];
    const visit = (dir: DirNode, path: string) => {
      for (const [name, node] of dir.names) {
        if (node.kind === "directory") visit(node, `${path}/${name}`);
        if (node.kind === "file") found.push([`${path}/${name}`, node.bytes.slice()]);
      }
    };
    visit(this.#root, "");
    return new Map(found.sort(([a], [b]) => (a < b ? -1 : 1)));
  }

  lstat(path: string): FileStat | null {
    const node = this.#find(path, "look at");
    return node === null ? null : statOf(node);
  }

  realpath(path: string): string | null {
    return this.#walk(path, true, "resolve")?.path ?? null;
  }

  readDir(path: string): DirEntry[] | null {
    const node = this.#walk(path, true, "list the folder")?.node;
    if (node?.kind !== "directory") return null;
    return [...node.names]
      .map(([name, child]): DirEntry => ({ name, kind: child.kind }))
      .sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  readFile(path: string, maxBytes: number): Bytes | null {
    const file = this.#ordinary(path);
    if (file === null) return null;
    if (file.bytes.length > maxBytes) throw tooLargeError(path, maxBytes);
    return file.bytes.slice();
  }

  openRead(path: string): ReadHandle | null {
    const file = this.#ordinary(path);
    if (file === null) return null;
    const closer = this.#opened();
    return {
      stat: () => (closer.mustBeOpen("look at", path), statOf(file)),
      readAt: (into, offset) => {
        closer.mustBeOpen("read", path);
        const part = file.bytes.subarray(offset, offset + into.length);
        into.set(part);
        return part.length;
      },
      close: closer.close,
    };
  }

  makeDir(path: string): void {
    const there = this.#walk(path, true, "create the folder")?.node;
    if (there?.kind === "directory") return;
    if (there !== undefined || this.#find(path, "create the folder") !== null) {
      throw systemError("EEXIST", "create the folder", path);
    }
    if (dirname(path) !== path) this.makeDir(dirname(path));
    const { parent, name } = this.#parentOf(path, "create the folder");
    parent.names.set(name, this.#newDir());
    parent.mtimeMs = this.#nowMs();
  }

  createFile(path: string): WriteHandle {
    const { parent, name } = this.#parentOf(path, "create");
    if (parent.names.has(name)) throw systemError("EEXIST", "create", path);
    const file: FileNode = {
      kind: "file",
      bytes: new Uint8Array(0),
      mtimeMs: this.#nowMs(),
      ino: this.#inodes++,
      nlink: 1,
      mode: 0o600,
    };
    parent.names.set(name, file);
    parent.mtimeMs = file.mtimeMs;
    return this.#writer(path, file);
  }

  openAppend(path: string): WriteHandle | null {
    const file = this.#ordinary(path);
    return file === null ? null : this.#writer(path, file);
  }

  #writer(path: string, file: FileNode): WriteHandle {
    const closer = this.#opened();
    return {
      write: (bytes) => {
        closer.mustBeOpen("write", path);
        file.bytes = appended(file.bytes, bytes);
        file.mtimeMs = this.#nowMs();
      },
      sync: () => closer.mustBeOpen("flush", path),
      close: closer.close,
    };
  }

  rename(from: string, to: string): void {
    const source = this.#parentOf(from, "rename to");
    const node = source.parent.names.get(source.name);
    if (node === undefined) throw systemError("ENOENT", "rename to", to);
    const target = this.#parentOf(to, "rename to");
    const replaced = target.parent.names.get(target.name);
    if (replaced === node) return;
    if (replaced?.kind === "directory") throw systemError("EISDIR", "rename to", to);
    if (replaced !== undefined && node.kind === "directory") {
      throw systemError("ENOTDIR", "rename to", to);
    }
    if (replaced?.kind === "file") replaced.nlink--;
    source.parent.names.delete(source.name);
    target.parent.names.set(target.name, node);
  }

  link(from: string, to: string): boolean | null {
    const source = this.#find(from, "link to");
    if (source === null) throw systemError("ENOENT", "link to", to);
    if (source.kind !== "file" || !this.#hardLinks) return null;
    const { parent, name } = this.#parentOf(to, "link to");
    if (parent.names.has(name)) return false;
    parent.names.set(name, source);
    source.nlink++;
    return true;
  }

  removeFile(path: string): boolean {
    const node = this.#find(path, "remove");
    if (node === null) return false;
    if (node.kind === "directory") throw systemError("EISDIR", "remove", path);
    const { parent, name } = this.#parentOf(path, "remove");
    parent.names.delete(name);
    if (node.kind === "file") node.nlink--;
    return true;
  }

  removeDir(path: string): boolean {
    const node = this.#find(path, "remove the folder");
    if (node === null) return false;
    if (node.kind !== "directory") throw systemError("ENOTDIR", "remove the folder", path);
    if (node.names.size > 0) return false;
    const { parent, name } = this.#parentOf(path, "remove the folder");
    parent.names.delete(name);
    return true;
  }

  syncDir(path: string): void {
    const node = this.#walk(path, true, "flush the folder")?.node;
    if (node?.kind !== "directory") throw systemError("ENOENT", "flush the folder", path);
  }

  setMtime(path: string, mtimeMs: number): void {
    const node = this.#find(path, "set the time of");
    if (node === null) throw systemError("ENOENT", "set the time of", path);
    node.mtimeMs = Math.floor(mtimeMs);
  }

  setMode(path: string, mode: number): void {
    const node = this.#find(path, "set the permissions of");
    if (node === null) throw systemError("ENOENT", "set the permissions of", path);
    if (node.kind === "symlink") throw linkError(path);
    node.mode = mode;
  }

  #newDir(): DirNode {
    const ino = this.#inodes++;
    return { kind: "directory", names: new Map(), mtimeMs: this.#nowMs(), ino, mode: 0o700 };
  }

  #ordinary(path: string): FileNode | null {
    const node = this.#find(path, "read");
    if (node === null) return null;
    if (node.kind === "symlink") throw linkError(path);
    if (node.kind === "directory") throw localError("read", path, new Error("it is a folder"));
    return node;
  }

  /** The node at `path`, the last part not followed. */
  #find(path: string, action: string): Node | null {
    return this.#walk(path, false, action)?.node ?? null;
  }

  #parentOf(path: string, action: string): { parent: DirNode; name: string } {
    if (path.includes("\0")) throw systemError("EINVAL", action, path);
    const parent = this.#walk(dirname(path), true, action)?.node;
    if (parent === undefined) throw systemError("ENOENT", action, path);
    if (parent.kind !== "directory") throw systemError("ENOTDIR", action, path);
    return { parent, name: path.slice(path.lastIndexOf("/") + 1) };
  }

  #walk(path: string, followLast: boolean, action: string): { node: Node; path: string } | null {
    if (!path.startsWith("/") || path.includes("\0")) throw systemError("EINVAL", action, path);
    let parts = path.split("/").filter((part) => part !== "" && part !== ".");
    const done: string[] = [];
    let node: Node = this.#root;
    for (let links = 0; parts.length > 0;) {
      const [part, ...rest] = parts as [string, ...string[]];
      if (part === "..") throw systemError("EINVAL", action, path);
      if (node.kind !== "directory") return null;
      const child: Node | undefined = node.names.get(part);
      if (child === undefined) return null;
      if (child.kind === "symlink" && (rest.length > 0 || followLast)) {
        if (++links > LINKS_FOLLOWED_MAX) throw systemError("ELOOP", action, path);
        const target = child.target.startsWith("/")
          ? child.target
          : `/${done.join("/")}/${child.target}`;
        parts = [...target.split("/").filter((piece) => piece !== "" && piece !== "."), ...rest];
        done.length = 0;
        node = this.#root;
        continue;
      }
      done.push(part);
      node = child;
      parts = rest;
    }
    return { node, path: `/${done.join("/")}` };
  }

  #opened(): { mustBeOpen(action: string, path: string): void; close(): void } {
    let open = true;
    this.#openHandles++;
    return {
      mustBeOpen: (action, path) => {
        if (!open) throw localError(action, path, new Error("the file is closed"));
      },
      close: () => {
        if (open) this.#openHandles--;
        open = false;
      },
    };
  }
}

/**
 * Appends in place while the buffer has room, so that long files cost no more than their length.
 */
function appended(bytes: Bytes, more: Uint8Array): Bytes {
  const sizeBytes = bytes.length + more.length;
  let { buffer } = bytes;
  if (sizeBytes > buffer.byteLength) {
    buffer = new ArrayBuffer(Math.max(sizeBytes, 2 * buffer.byteLength));
    new Uint8Array(buffer).set(bytes);
  }
  const longer = new Uint8Array(buffer, 0, sizeBytes);
  longer.set(more, bytes.length);
  return longer;
}

function statOf(node: Node): FileStat {
  return {
    kind: node.kind,
    sizeBytes: node.kind === "file" ? node.bytes.length : 0,
    mtimeMs: node.mtimeMs,
    ino: node.ino,
    dev: 1,
    nlink: node.kind === "file" ? node.nlink : 1,
    mode: node.kind === "symlink" ? 0o777 : node.mode,
    uid: 1000,
  };
}

/** The code of the error that `run` throws, or null when it throws none. */
export function thrownCode(run: () => unknown): ErrorCode | null {
  try {
    run();
    return null;
  } catch (error) {
    if (error instanceof ClaudeSyncError) return error.code;
    throw error;
  }
}
