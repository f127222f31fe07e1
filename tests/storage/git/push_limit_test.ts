import assert from "node:assert/strict";
import type { Clock, Platform } from "../../../src/platform/types.ts";
import { nodePlatform } from "../../../src/platform/node.ts";
import { PUSH_WINDOW_MS, PUSHES_MAX, PushLimit } from "../../../src/storage/git/push_limit.ts";
import { MemoryFs } from "../../support/memory_fs.ts";

class FakeClock implements Clock {
  ms = 1_700_000_000_000;
  nowMs = () => this.ms;
  monotonicMs = () => this.ms;
  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    if (signal?.aborted) return Promise.reject(signal.reason);
    this.ms += ms;
    return Promise.resolve();
  }
}

function world() {
  const clock = new FakeClock();
  const fs = new MemoryFs();
  fs.makeDir("/cache");
  const platform: Platform = { ...nodePlatform(), clock, fs };
  const notes: string[] = [];
  const open = () => new PushLimit(platform, "/cache", (note) => notes.push(note));
  return { clock, fs, notes, open };
}

Deno.test("PushLimit lets a handful through at once, and never more than hosts take", async () => {
  const { clock, notes, open } = world();
  const times: number[] = [];
  for (let push = 0; push < 40; push++) {
    // Each by another process.
    await open().wait(undefined);
    times.push(clock.ms);
    clock.ms += (push * 997) % 5_000;
  }
  assert.ok(times[PUSHES_MAX - 1]! - times[0]! < 20_000, "the first ones do not wait");
  for (let i = PUSHES_MAX; i < times.length; i++) {
    assert.ok(times[i]! - times[i - PUSHES_MAX]! >= PUSH_WINDOW_MS, `push ${i}`);
  }
  assert.match(notes[0]!, /^The next push begins in \d+ s: hosts take 6 a minute$/);
});

Deno.test("PushLimit lets through who pushes seldom, without a word", async () => {
  const { clock, notes, open } = world();
  for (let push = 0; push < 20; push++) {
    await open().wait(undefined);
    clock.ms += PUSH_WINDOW_MS / PUSHES_MAX - 1;
  }
  assert.deepEqual(notes, []);
});

Deno.test("PushLimit survives a clock that goes back and a file that is nonsense", async () => {
  const { clock, fs, notes, open } = world();
  for (let push = 0; push < PUSHES_MAX; push++) await open().wait(undefined);
  clock.ms -= 365 * 24 * 60 * 60 * 1000;
  await open().wait(undefined);
  assert.deepEqual(notes, []);
  for (
    const text of ["", "{", "[1,2", '["x"]', "null", "\xff", "[1,2,3,4,5,6,7]", "x".repeat(9999)]
  ) {
    fs.removeFile("/cache/pushes.json");
    const file = fs.createFile("/cache/pushes.json");
    file.write(new TextEncoder().encode(text));
    file.close();
    await open().wait(undefined);
  }
  assert.deepEqual(notes, []);
});

Deno.test("PushLimit can be interrupted while it waits", async () => {
  const { open } = world();
  for (let push = 0; push < PUSHES_MAX; push++) await open().wait(undefined);
  const reason = new RangeError("enough");
  await assert.rejects(open().wait(AbortSignal.abort(reason)), (error) => error === reason);
});
