/** Kills the real program in the middle of moving a vault, until a run gets through. */
import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { cpSync, existsSync, readFileSync, rmSync } from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { seededNumbers, SessionCorpus } from "../support/session_corpus.ts";
import { filesBelow, inTempDir, SyncMachine } from "../support/sync_machine.ts";

const PROGRAM = process.platform === "win32" ? "claude-sync.exe" : "claude-sync";
const BINARY = process.env["CLAUDE_SYNC_BINARY"] ??
  join(import.meta.dirname!, "..", "..", "dist", PROGRAM);
const SESSIONS = 12;
/** Enough for packs beside the entries. */
const SESSION_BYTES = 400_000;
const ROUNDS = 6;
const KILLS_MAX = 30;
const SEED = 3;

interface Ended {
  readonly code: number | null;
  readonly out: string;
  readonly ms: number;
}

function run(machine: SyncMachine, args: readonly string[], killAfterMs?: number): Promise<Ended> {
  const startMs = performance.now();
  const child = spawn(BINARY, args, {
    cwd: machine.project,
    env: { HOME: machine.home, PATH: process.env["PATH"] },
    stdio: ["ignore", "pipe", "pipe"],
    // Git's processes end with it.
    detached: true,
  });
  let out = "";
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (text) => out += text);
  const timer = killAfterMs === undefined
    ? undefined
    : setTimeout(() => process.kill(-child.pid!, "SIGKILL"), killAfterMs);
  return new Promise((done, failed) => {
    child.on("error", failed);
    child.on("close", (code) => {
      clearTimeout(timer);
      done({ code, out, ms: performance.now() - startMs });
    });
  });
}

async function machineWithVault(dir: string): Promise<SyncMachine> {
  const real = new SyncMachine({ name: "anna", dir });
  const host = { ...real.platform.host, hostname: hostname() };
  const machine = Object.assign(real, { platform: { ...real.platform, host } });
  await machine.init();
  const startMs = Date.now() - 86_400_000;
  for (let seed = 0; seed < SESSIONS; seed++) {
    const session = `000000${String(seed).padStart(2, "0")}-0000-4000-8000-000000000000`;
    const corpus = new SessionCorpus({ session, cwd: machine.project, seed, startMs });
    machine.writeTranscript(session, corpus.next(SESSION_BYTES));
    await machine.push();
  }
  return machine;
}

function storeOf(machine: SyncMachine): unknown {
  const path = join(machine.home, ".claude-sync", "config.json");
  return JSON.parse(readFileSync(path, "utf8")).store;
}

/** Moves and is killed, again and again, until a move gets through. */
async function moveAmongKills(
  machine: SyncMachine,
  flags: readonly string[],
  undisturbedMs: number,
  next: () => number,
): Promise<number> {
  const before = storeOf(machine);
  for (let kills = 0; kills < KILLS_MAX; kills++) {
    const { code, out } = await run(machine, ["store", "move", ...flags], next() * undisturbedMs);
    if (code === 0) return kills;
    assert.equal(code, null, out);
    // Killed after the switch is moved as well.
    if (JSON.stringify(storeOf(machine)) !== JSON.stringify(before)) return kills + 1;
  }
  const { code, out } = await run(machine, ["store", "move", ...flags]);
  assert.equal(code, 0, out);
  return KILLS_MAX;
}

Deno.test("killing store move at any moment loses nothing, to a folder and to Git", () =>
  inTempDir(async (dir) => {
    assert.ok(existsSync(BINARY), `${BINARY} is missing: run deno task build first`);
    const machine = await machineWithVault(dir);
    const vault = filesBelow(machine.vaultDir);
    const home = join(machine.home, ".claude-sync");
    cpSync(home, `${home}.before`, { recursive: true });
    const next = seededNumbers(SEED);
    const target = join(dir, "target");
    let killed = 0;
    for (const kind of ["--dir", "--git"] as const) {
      let undisturbedMs = 0;
      for (let round = 0; round < ROUNDS; round++) {
        rmSync(home, { recursive: true });
        rmSync(target, { recursive: true, force: true });
        cpSync(`${home}.before`, home, { recursive: true });
        if (kind === "--git") spawnSync("git", ["init", "--quiet", "--bare", target]);
        if (round === 0) {
          const { code, out, ms } = await run(machine, ["store", "move", kind, target]);
          assert.equal(code, 0, out);
          undisturbedMs = ms;
        } else killed += await moveAmongKills(machine, [kind, target], undisturbedMs, next);
        if (kind === "--dir") {
          const moved = Object.entries(filesBelow(target)).filter(([name]) => !/\.tmp$/.test(name));
          assert.deepEqual(Object.fromEntries(moved), vault);
        }
        assert.deepEqual(filesBelow(machine.vaultDir), vault, "the old place is as it was");
        const { code, out } = await run(machine, ["verify", "--read-data"]);
        assert.equal(code, 0, out);
        assert.match(out, /No damage/);
      }
    }
    console.log(`${2 * (ROUNDS - 1)} moves among ${killed} kills`);
    assert.ok(killed >= ROUNDS, `only ${killed} were killed at work`);
  }));
