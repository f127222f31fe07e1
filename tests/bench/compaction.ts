/** What a vault costs its readers after thousands of pushes, before and after `gc`. */
import { join } from "node:path";
import { gc, liveOn } from "../support/gc_world.ts";
import {
  countedWorld,
  firstPull,
  freshWorld,
  type PullCost,
  pushMany,
} from "../support/many_pushes.ts";
import type { SyncMachine } from "../support/sync_machine.ts";
import { objectsOf, type SyncWorld } from "../support/sync_world.ts";
import { bytesText, tableLines, timeText } from "./table.ts";
import type { BenchWorld } from "./world.ts";

/** Issue: after so many pushes. */
const PUSHES = 5_000;
const SESSIONS = 40;
/** What a turn or two of Claude add to a transcript. */
const PUSH_BYTES = 20_000;
/** Issue: a new machine's first pull, beside that of a fresh vault. */
const BYTES_TARGET = 1.05;
const REQUESTS_TARGET = 2;

/** See `main.ts`. */
export async function benchCompaction({ dir, print }: BenchWorld): Promise<void> {
  const rows: string[][] = [];
  const row = (name: string, { requests, bytes, ms }: PullCost) =>
    rows.push([name, String(requests), bytesText(bytes), timeText(ms)]);
  const world = await countedWorld(join(dir, "old"));
  const [anna] = world.machines as [SyncMachine];
  const started = performance.now();
  const many = { pushes: PUSHES, sessions: SESSIONS, pushBytes: PUSH_BYTES };
  await pushMany(anna, world, many);
  const pushMs = (performance.now() - started) / PUSHES;
  row("first pull before gc", await firstPull(world, "before"));
  const stored = await storedIn(world);
  const began = performance.now();
  const done = await gc(anna);
  const written = done.compacted?.written;
  const gcMs = performance.now() - began;
  row("gc", { requests: done.requests, bytes: written?.bytes ?? 0, ms: gcMs });
  row("first pull, old entries still there", await firstPull(world, "grace"));
  await liveOn(anna, world.clock, 7);
  const deleting = performance.now();
  const { deleted, requests } = await gc(anna);
  row("gc that deletes", { requests, bytes: deleted.bytes, ms: performance.now() - deleting });
  const compacted = await firstPull(world, "after");
  row("first pull afterwards", compacted);
  const idle = await anna.pull();
  row("pull with nothing to do", { requests: idle.requests, bytes: 0, ms: idle.ms });
  const fresh = await firstPull(await freshWorld(dir, anna, world), "fresh");
  row("first pull of a fresh vault", fresh);
  print(
    `${PUSHES} pushes of ${bytesText(PUSH_BYTES)}, ${timeText(pushMs)} each: ${stored}; ` +
      `afterwards ${await storedIn(world)}.`,
  );
  for (const line of tableLines(["", "requests", "moved", "time"], rows)) print(line);
  print(
    `${(compacted.bytes / fresh.bytes).toFixed(3)}x the bytes (target ${BYTES_TARGET}x), ` +
      `${(compacted.requests / fresh.requests).toFixed(2)}x the requests ` +
      `(target ${REQUESTS_TARGET}x), ${idle.requests} for nothing to do (target 1)`,
  );
}

async function storedIn({ store }: SyncWorld): Promise<string> {
  const objects = [...(await objectsOf(store)).values()];
  const bytes = objects.reduce((sum, { length }) => sum + length, 0);
  return `${objects.length} objects, ${bytesText(bytes)}`;
}
