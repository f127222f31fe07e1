/** A machine on which one file lies: as much of a platform as reading it needs. */
import { fixedRandom } from "../crypto/fixed_random.ts";
import { fakeHost, put } from "../sessions/disk.ts";
import { MemoryFs } from "../support/memory_fs.ts";

/** The host of that machine. */
export const HOST = fakeHost({ processes: new Map([[7, "123"]]) });

/** The machine with `content` at `path`, readable by its owner alone. */
export function platformWith(path: string, content: string | Uint8Array) {
  const fs = new MemoryFs();
  put(fs, path, content);
  fs.setMode(path, 0o600);
  const clock = { nowMs: () => 0, monotonicMs: () => 0, sleep: () => Promise.resolve() };
  return { fs, host: HOST, clock, random: fixedRandom("fuzz") } as never;
}
