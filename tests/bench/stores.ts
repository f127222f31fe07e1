/**
 * How often each kind of store is asked for what, on the servers that tests use, and what eight
 * machines do to one place in a minute. Runs from source: requests are the same, times are not.
 */
import { appendFileSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { SHARED_SERVERS } from "../servers/servers.ts";
import { crowd } from "../support/crowd.ts";
import { type PlaceName, PLACES, storePlace } from "../support/store_place.ts";
import { said, SyncMachine } from "../support/sync_machine.ts";
import { bytesText, tableLines } from "./table.ts";
import type { BenchWorld } from "./world.ts";

const SESSIONS = 20;
const SESSION_BYTES = 1_000_000;
const T0 = Date.now() - 86_400_000;
const CROWD = 8;
const CROWD_MS = 60_000;

/** See `main.ts`. */
export async function benchStores(world: BenchWorld): Promise<void> {
  const rows: string[][] = [];
  for (const name of ["folder", ...PLACES, "gcs"] as const) {
    const isOwn = name === "folder" || name === "gcs";
    const why = isOwn ? null : SHARED_SERVERS[name].whyAbsent();
    if (why !== null) world.print(`${name}: skipped, ${why}`);
    else rows.push(...await measureStore(world, name));
  }
  for (const line of tableLines(["store", "action", "requests", "moved", "ms"], rows)) {
    world.print(line);
  }
}

/** See `main.ts`. */
export async function benchCrowd(world: BenchWorld): Promise<void> {
  for (const name of ["rgw", "git-http"] as const) {
    const why = SHARED_SERVERS[name].whyAbsent();
    if (why !== null) {
      world.print(`${name}: skipped, ${why}`);
      continue;
    }
    await using place = await storePlace(name);
    const dir = join(world.dir, name);
    mkdirSync(dir);
    let endMs: number | null = null;
    const isOver = () => performance.now() >= (endMs ??= performance.now() + CROWD_MS);
    const { pushes, failures, pushMs } = await crowd(dir, place, CROWD, isOver);
    const quarter = Math.ceil(pushMs.length / 4);
    const [early, late] = [medianOf(pushMs.slice(0, quarter)), medianOf(pushMs.slice(-quarter))];
    world.print(
      `${name}: ${CROWD} machines, ${CROWD_MS / 1000} s: ${pushes} pushes, ` +
        `${failures.length} failed; median ${early} ms at first, ${late} ms at last; all converged`,
    );
    for (const failure of failures.slice(0, 5)) world.print(`  ${failure}`);
  }
}

async function measureStore(world: BenchWorld, name: PlaceName | "folder"): Promise<string[][]> {
  const dir = join(world.dir, name);
  mkdirSync(dir);
  await using place = name === "folder" ? null : await storePlace(name);
  const machine = async (who: string) =>
    new SyncMachine({ name: who, dir, ...await place?.access(join(dir, who)) });
  const [a, b] = [await machine("a"), await machine("b")];
  await a.init();
  await b.join(a);
  const rows: string[][] = [];
  const act = async (
    action: string,
    run: () => Promise<{ requests: number; ms: number; bytes: Record<string, number> }>,
  ) => {
    const { requests, ms, bytes } = await run();
    const moved = (bytes["sent"] ?? 0) + (bytes["received"] ?? 0);
    rows.push([name, action, String(requests), bytesText(moved), String(ms)]);
  };
  for (let index = 0; index < SESSIONS; index++) {
    const text = randomText(SESSION_BYTES);
    a.writeTranscript(idOf(index), turn(a, idOf(index), text, T0), T0);
  }
  await act("first push", () => a.push());
  await act("push, nothing new", () => a.push());
  await act("first pull", () => b.pull({ all: true }));
  await act("pull, nothing new", () => b.pull());
  appendFileSync(a.transcriptPath(idOf(0)), turn(a, idOf(0), randomText(3000), T0 + 5000));
  await act("push of 3 kB more", () => a.push());
  await act("pull of 3 kB more", () => b.pull());
  return rows;
}

function idOf(index: number): string {
  return `11111111-1111-4111-8111-${String(index).padStart(12, "0")}`;
}

function turn(machine: SyncMachine, session: string, text: string, atMs: number): string {
  const facts = { session, cwd: machine.project, atMs };
  return said("user", text, facts) + said("assistant", "ok", { ...facts, atMs: atMs + 1 });
}

/** Base64 of random bytes: no compressor makes it much smaller than three quarters. */
function randomText(length: number): string {
  const bytes = new Uint8Array(Math.ceil((length * 3) / 4));
  for (let at = 0; at < bytes.length; at += 65_536) {
    crypto.getRandomValues(bytes.subarray(at, at + 65_536));
  }
  return bytes.toBase64();
}

function medianOf(values: readonly number[]): number {
  const sorted = [...values].sort((x, y) => x - y);
  return Math.round(sorted[Math.floor(sorted.length / 2)] ?? 0);
}
