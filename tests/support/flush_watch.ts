/** A disk, over any other, that knows what a power cut would take. */
import { dirname } from "node:path";
import type { FileSystem, WriteHandle } from "../../src/platform/types.ts";

interface Mark {
  isDirty: boolean;
}

/** What is known of the writes through `fs`. */
export interface FlushWatch {
  readonly fs: FileSystem;
  /**
   * Paths that are there and that a power cut would take now, in order: files with bytes that were
   * not flushed, and names that their folder was not flushed for. Folders end in a slash.
   */
  unflushed(): string[];
  /** Files that got their final name while their bytes were not flushed, since the start. */
  readonly early: readonly string[];
}

/** What a test is told of, just before it happens. */
export interface FlushEvents {
  readonly beforeCreate?: (path: string) => void;
  readonly beforeSyncDir?: (path: string) => void;
}

/** Watches all that is written through the returned `fs`; what others write is never noted. */
export function watchFlushes(fs: FileSystem, events: FlushEvents = {}): FlushWatch {
  const marks = new Map<string, Mark>();
  const newNames = new Set<string>();
  const early: string[] = [];
  const opened = (handle: WriteHandle, mark: Mark): WriteHandle => ({
    write: (bytes) => {
      mark.isDirty = true;
      handle.write(bytes);
    },
    sync: () => {
      handle.sync();
      mark.isDirty = false;
    },
    close: () => handle.close(),
  });
  const named = (from: string, to: string) => {
    const mark = marks.get(from);
    if (mark?.isDirty === true) early.push(to);
    if (mark === undefined) marks.delete(to);
    else marks.set(to, mark);
    newNames.add(to);
  };
  const gone = (path: string) => {
    marks.delete(path);
    newNames.delete(path);
  };
  const watched: FileSystem = {
    ...fs,
    makeDir: (path) => {
      for (let at = path; fs.lstat(at) === null; at = dirname(at)) newNames.add(`${at}/`);
      fs.makeDir(path);
    },
    createFile: (path) => {
      events.beforeCreate?.(path);
      const mark = { isDirty: true };
      const handle = fs.createFile(path);
      marks.set(path, mark);
      newNames.add(path);
      return opened(handle, mark);
    },
    openAppend: (path) => {
      const handle = fs.openAppend(path);
      if (handle === null) return null;
      const mark = marks.get(path) ?? { isDirty: false };
      marks.set(path, mark);
      return opened(handle, mark);
    },
    rename: (from, to) => {
      fs.rename(from, to);
      named(from, to);
      gone(from);
    },
    link: (from, to) => {
      const isLinked = fs.link(from, to);
      if (isLinked === true) named(from, to);
      return isLinked;
    },
    removeFile: (path) => {
      gone(path);
      return fs.removeFile(path);
    },
    removeDir: (path) => {
      const isRemoved = fs.removeDir(path);
      if (isRemoved) gone(`${path}/`);
      return isRemoved;
    },
    syncDir: (path) => {
      events.beforeSyncDir?.(path);
      fs.syncDir(path);
      for (const name of newNames) if (dirname(name) === path) newNames.delete(name);
    },
  };
  const unflushed = () => {
    const dirty = [...marks].flatMap(([path, { isDirty }]) => isDirty ? [path] : []);
    return [...new Set([...newNames, ...dirty])]
      .filter((path) => fs.lstat(path.replace(/\/$/, "")) !== null).sort();
  };
  return { fs: watched, unflushed, early };
}
