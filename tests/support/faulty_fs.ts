/** A disk some of whose calls fail, over any other disk. */
import process from "node:process";
import type { ClaudeSyncError } from "../../src/errors.ts";
import { localError } from "../../src/platform/local_error.ts";
import type { FileSystem, ReadHandle, WriteHandle } from "../../src/platform/types.ts";

/** The error that a real disk gives for the system's error `errno`. */
export function systemError(errno: string, action: string, path: string): ClaudeSyncError {
  return localError(action, path, Object.assign(new Error(errno), { code: errno }));
}

/** Calls that change the disk: for all others it makes no difference when they fail. */
export const CHANGES = [
  ...["createFile", "openAppend", "write", "sync", "rename", "link", "makeDir"],
  ...["removeFile", "removeDir", "syncDir", "setMtime", "setMode"],
];

/** Calls that look at the disk. */
export const LOOKS = ["lstat", "stat", "realpath", "readDir", "readFile", "openRead", "readAt"];

/** Whether every single call is to be broken. */
export const BREAKS_ALL = process.env["CLAUDE_SYNC_FAIL_NTH"] === "all";

/** What is random in a path: names of packs, entries and temporary files. */
const RANDOM_NAME = /[0-9a-z]{16,}|[0-9a-f]{8,}/g;

/**
 * Numbers of the calls in a log to break, from 1: every change of the disk; of looks at the same
 * path in the same way the first and the last. `CLAUDE_SYNC_FAIL_NTH=all` breaks all.
 */
export function callsToBreak(log: readonly string[]): number[] {
  const places = new Map<string, number[]>();
  for (const [index, call] of log.entries()) {
    const isChange = CHANGES.includes(call.slice(0, call.indexOf(" ")));
    const key = isChange || BREAKS_ALL ? `${index}` : call.replace(RANDOM_NAME, "*");
    places.set(key, [...(places.get(key) ?? []), index + 1]);
  }
  const chosen = [...places.values()].flatMap((at) => [...new Set([at[0]!, at.at(-1)!])]);
  return chosen.sort((a, b) => a - b);
}

/** What a faulty disk does. */
export interface FaultPlan {
  /** The first call to fail, counted from 1. */
  readonly failNth: number;
  /** Only that call (the default), or that one and all after it. */
  readonly from?: "once" | "then-on";
  /** Whether the call's effect happens although it fails. Default: it does not. */
  readonly effect?: "before" | "after";
  /** The system's error name; ENOSPC gives `no-space`. Default EIO. */
  readonly errno?: string;
  /**
   * Limits counting to these calls, e.g. `["rename"]`. A handle's are `write`, `sync`, `readAt`.
   */
  readonly calls?: readonly string[];
}

/** A disk some of whose calls fail; `calls` tells how many it counted, `failed` how many failed. */
export type FaultyFs = FileSystem & {
  readonly calls: number;
  readonly failed: number;
  /** What each counted call was, as `name path`, the first at 0. */
  readonly log: readonly string[];
};

/** Wraps `fs` so that it fails by `plan`. `close` never fails, so that handles do not leak. */
export function faultyFs(fs: FileSystem, plan: FaultPlan): FaultyFs {
  let calls = 0;
  let failed = 0;
  const log: string[] = [];
  const guard = <T>(name: string, path: string, run: () => T): T => {
    if (plan.calls !== undefined && !plan.calls.includes(name)) return run();
    calls++;
    log.push(`${name} ${path}`);
    const fails = calls === plan.failNth || (plan.from === "then-on" && calls > plan.failNth);
    if (!fails) return run();
    failed++;
    if (plan.effect === "after") closeHandle(run());
    throw systemError(plan.errno ?? "EIO", name, path);
  };
  const read = (handle: ReadHandle, path: string): ReadHandle => ({
    stat: () => guard("stat", path, () => handle.stat()),
    readAt: (into, offset) => guard("readAt", path, () => handle.readAt(into, offset)),
    close: () => handle.close(),
  });
  const write = (handle: WriteHandle, path: string): WriteHandle => ({
    write: (bytes) => guard("write", path, () => handle.write(bytes)),
    sync: () => guard("sync", path, () => handle.sync()),
    close: () => handle.close(),
  });
  return {
    get calls() {
      return calls;
    },
    get failed() {
      return failed;
    },
    log,
    lstat: (path) => guard("lstat", path, () => fs.lstat(path)),
    realpath: (path) => guard("realpath", path, () => fs.realpath(path)),
    readDir: (path) => guard("readDir", path, () => fs.readDir(path)),
    readFile: (path, maxBytes) => guard("readFile", path, () => fs.readFile(path, maxBytes)),
    openRead: (path) =>
      guard("openRead", path, () => {
        const handle = fs.openRead(path);
        return handle === null ? null : read(handle, path);
      }),
    makeDir: (path) => guard("makeDir", path, () => fs.makeDir(path)),
    createFile: (path) => guard("createFile", path, () => write(fs.createFile(path), path)),
    openAppend: (path) =>
      guard("openAppend", path, () => {
        const handle = fs.openAppend(path);
        return handle === null ? null : write(handle, path);
      }),
    rename: (from, to) => guard("rename", to, () => fs.rename(from, to)),
    link: (from, to) => guard("link", to, () => fs.link(from, to)),
    removeFile: (path) => guard("removeFile", path, () => fs.removeFile(path)),
    removeDir: (path) => guard("removeDir", path, () => fs.removeDir(path)),
    syncDir: (path) => guard("syncDir", path, () => fs.syncDir(path)),
    setMtime: (path, mtimeMs) => guard("setMtime", path, () => fs.setMtime(path, mtimeMs)),
    setMode: (path, mode) => guard("setMode", path, () => fs.setMode(path, mode)),
  };
}

function closeHandle(result: unknown): void {
  if (typeof result === "object" && result !== null && "close" in result) {
    (result as ReadHandle | WriteHandle).close();
  }
}
