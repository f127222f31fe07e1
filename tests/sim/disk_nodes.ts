/** Files and folders of the simulated disk. */
import type { Bytes } from "../../src/base/bytes.ts";
import type { DirEntry, FileStat } from "../../src/platform/types.ts";
import type { Dice } from "./dice.ts";

/** What a run has written and not put in its place yet. */
export const TEMPORARY = /\.claude-sync-[0-9a-f]{16}\.tmp$/;

/** The bytes of an empty file. */
export const NONE: Bytes = new Uint8Array(0);

/** A file. `bytes` are never changed in place. */
export interface FileNode {
  kind: "file";
  bytes: Bytes;
  /** What a power cut leaves at least; null: not even the file. */
  durable: Bytes;
  changedAtMs: number;
  mtimeMs: number;
  ino: number;
  nlink: number;
  mode: number;
}

/** A folder; `durable`: its names as a power cut may leave them, null when they are flushed. */
export interface DirNode {
  kind: "directory";
  names: Map<string, FileNode | DirNode>;
  durable: Map<string, FileNode | DirNode> | null;
  changedAtMs: number;
  mtimeMs: number;
  ino: number;
  mode: number;
}

/** What has a name. */
export type Node = FileNode | DirNode;

const PATHS_KEPT_MAX = 10_000;
/** Parts of paths: the same ones are looked up all the time. */
const keptParts = new Map<string, readonly string[]>();

function partsOf(path: string): readonly string[] {
  const known = keptParts.get(path);
  if (known !== undefined) return known;
  if (keptParts.size >= PATHS_KEPT_MAX) keptParts.clear();
  const parts = path.split("/").filter((part) => part !== "" && part !== ".");
  keptParts.set(path, parts);
  return parts;
}

/** The node at `path`, null when absent. */
export function findIn(root: DirNode, path: string): Node | null {
  let node: Node = root;
  for (const part of partsOf(path)) {
    if (node.kind !== "directory") return null;
    const child: Node | undefined = node.names.get(part);
    if (child === undefined) return null;
    node = child;
  }
  return node;
}

/** What a power cut leaves of a file. */
export function cutFile(file: FileNode, beforeMs: number, dice: Dice): void {
  const { bytes, durable } = file;
  if (bytes !== durable && file.changedAtMs > beforeMs) {
    const isLonger = bytes.length >= durable.length &&
      durable.every((byte, index) => bytes[index] === byte);
    const keep = dice.below(3);
    if (keep === 0 || !isLonger) file.bytes = durable;
    if (keep === 1 && isLonger) {
      file.bytes = bytes.slice(0, dice.between(durable.length, bytes.length));
    }
  }
  // What lost bytes has an older time, too: a disk that keeps the time of what it has not kept
  // would fool every program that goes by it.
  if (file.bytes !== bytes) file.mtimeMs--;
  file.durable = file.bytes;
}

/** A copy that does not change with it, everything flushed; `files`: copies made so far. */
export function copyDir(dir: DirNode, files: Map<FileNode, FileNode>): DirNode {
  const names = new Map<string, Node>();
  for (const [name, node] of dir.names) {
    if (node.kind === "directory") {
      names.set(name, copyDir(node, files));
      continue;
    }
    const copy = files.get(node) ?? { ...node, durable: node.bytes };
    files.set(node, copy);
    names.set(name, copy);
  }
  return { ...dir, names, durable: null };
}

/** Bytes of all files in `dir`, which stands at `path`, in order. */
export function filesIn(dir: DirNode, path: string, found = new Map<string, Bytes>()) {
  for (const name of [...dir.names.keys()].sort()) {
    const node = dir.names.get(name)!;
    if (node.kind === "directory") filesIn(node, `${path}/${name}`, found);
    else found.set(`${path}/${name}`, node.bytes);
  }
  return found;
}

/** What `readDir` says. */
export function entriesOf(dir: DirNode): DirEntry[] {
  return [...dir.names]
    .map(([name, child]): DirEntry => ({ name, kind: child.kind }))
    .sort((a, b) => (a.name < b.name ? -1 : 1));
}

/** What `lstat` says. */
export function statOf(node: Node): FileStat {
  return {
    kind: node.kind,
    sizeBytes: node.kind === "file" ? node.bytes.length : 0,
    mtimeMs: node.mtimeMs,
    ino: node.ino,
    dev: 1,
    nlink: node.kind === "file" ? node.nlink : 1,
    mode: node.mode,
    uid: 1000,
  };
}

/** Where and when a disk is. */
export interface DiskOptions {
  /** Real folder for the SQLite files; what lies in it has the same path on this disk. */
  readonly databaseDir: string;
  /** Time by which files get theirs. */
  readonly nowMs: () => number;
  /** Time that nobody can change. */
  readonly trueMs: () => number;
}
