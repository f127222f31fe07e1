/** Making files and machines for the tests of sessions. */
import { utf8 } from "../../src/base/bytes.ts";
import type { FileSystem, Host } from "../../src/platform/types.ts";
import { parseSessionId, type SessionId } from "../../src/sessions/session_id.ts";

/** Makes a file with its folders; `mtimeMs` is its time. */
export function put(fs: FileSystem, path: string, content: string | Uint8Array, mtimeMs?: number) {
  fs.makeDir(path.slice(0, path.lastIndexOf("/")) || "/");
  fs.removeFile(path);
  const handle = fs.createFile(path);
  handle.write(typeof content === "string" ? utf8(content) : content);
  handle.close();
  if (mtimeMs !== undefined) fs.setMtime(path, mtimeMs);
}

/** The file's text, or null. */
export function textAt(fs: FileSystem, path: string): string | null {
  const bytes = fs.readFile(path, 1 << 20);
  return bytes === null ? null : new TextDecoder().decode(bytes);
}

/** A session id that ends in `n`. */
export function idOf(n: number): SessionId {
  const id = parseSessionId(`00000000-0000-4000-8000-${n.toString(16).padStart(12, "0")}`);
  if (id === null) throw new Error("the test's id is no id");
  return id;
}

/** Settings of a made-up machine. */
export interface FakeHost {
  readonly os?: Host["os"];
  readonly home?: string;
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
  /** Living processes and their start times. */
  readonly processes?: ReadonlyMap<number, string | null>;
}

/** A machine with nothing ambient: only what the test says. */
export function fakeHost(options: FakeHost = {}): Host {
  const home = options.home ?? "/home/bob";
  return {
    os: options.os ?? "linux",
    arch: "x64",
    pid: 1,
    home,
    cwd: () => options.cwd ?? home,
    env: (name) => options.env?.[name],
    hostname: "desk",
    uid: 1000,
    executable: "/usr/bin/claude-sync",
    process: (pid) => {
      const startTicks = options.processes?.get(pid);
      return { alive: startTicks !== undefined, startTicks: startTicks ?? null };
    },
  };
}
