/**
 * A disk, the vault's as well, that is full or whose quota is used up from some call on: whoever
 * needs room says where there is none, nothing is harmed, and the same command completes when there
 * is room again. `CLAUDE_SYNC_FAIL_NTH=all` begins at every call, otherwise at some.
 */
import assert from "node:assert/strict";
import { cpSync, rmSync } from "node:fs";
import { join } from "node:path";
import { ClaudeSyncError } from "../../src/errors.ts";
import type { Failure } from "../../src/sync/api.ts";
import { BREAKS_ALL, type FaultPlan, type FaultyFs, faultyFs } from "../support/faulty_fs.ts";
import { gc, IDS, pushTurns, speak } from "../support/gc_world.ts";
import { inMemoryDir, SyncMachine, TestClock } from "../support/sync_machine.ts";
import { contentsOf } from "../support/sync_world.ts";
import { withoutFlush } from "../support/unflushed_fs.ts";

type Errno = "ENOSPC" | "EDQUOT";
type Command = "init" | "push" | "pull" | "gc";

/** All that may need room. */
const CALLS = ["createFile", "openAppend", "write", "makeDir", "sync", "rename", "link"];
const STRIDE = BREAKS_ALL ? 1 : 5;
const START_MS = Date.UTC(2026, 0, 15, 12);
/** What a run notes of itself, which is less than what it has done. */
const NOTES = /\.claude-sync\/(runs\.json|journal\.jsonl)$/;
const TEMPORARY = /\.tmp$/;
/** How the message and what to do about it tell of the reason. */
const REASONS: Readonly<Record<Errno, { message: RegExp; hint: RegExp }>> = {
  ENOSPC: { message: /\(ENOSPC\)/, hint: /[Ff]ree some space/ },
  EDQUOT: { message: /\(EDQUOT\)/, hint: /quota is used up; free some space/ },
};

/** A world for one command, had again and again. */
class Stage {
  readonly #dir: string;
  readonly #command: Command;

  constructor(dir: string, command: Command) {
    [this.#dir, this.#command] = [dir, command];
  }

  get #world(): string {
    return join(this.#dir, "world");
  }

  machine(name: "anna" | "bert", plan?: FaultPlan, made: FaultyFs[] = []): SyncMachine {
    return new SyncMachine({
      name,
      dir: this.#world,
      clock: new TestClock(START_MS + 3_600_000),
      fs: (disk) => {
        const quick = withoutFlush(disk);
        if (plan === undefined) return quick;
        const faulty = faultyFs(quick, plan);
        made.push(faulty);
        return faulty;
      },
    });
  }

  get actor(): "anna" | "bert" {
    return this.#command === "pull" ? "bert" : "anna";
  }

  async prepare(): Promise<void> {
    const [anna, bert] = [this.machine("anna"), this.machine("bert")];
    speak(anna, IDS[0]!, "base");
    if (this.#command !== "init") {
      await anna.init();
      await bert.join(anna);
      await pushTurns(anna, new TestClock(START_MS), 5);
      await bert.pull();
      speak(anna, IDS[1]!, "more");
      speak(anna, IDS[4]!, "new");
      if (this.#command === "pull") await anna.push();
    }
    cpSync(this.#world, join(this.#dir, "kept"), { recursive: true, preserveTimestamps: true });
  }

  restore(): void {
    rmSync(this.#world, { recursive: true });
    cpSync(join(this.#dir, "kept"), this.#world, { recursive: true, preserveTimestamps: true });
  }

  /** What the run said of what failed. */
  async run(machine: SyncMachine): Promise<readonly (Failure | ClaudeSyncError)[]> {
    const command = this.#command;
    try {
      const result = await (command === "gc" ? gc(machine) : machine[command]());
      return "failures" in result ? result.failures : [];
    } catch (error) {
      assert.ok(error instanceof ClaudeSyncError, String(error));
      return [error];
    }
  }

  /** The same command completes, and whoever reads the vault has everything. */
  async completes(what: string): Promise<void> {
    assert.deepEqual(await this.run(this.machine(this.actor)), [], `${what}: the next try`);
    const [anna, bert] = [this.machine("anna"), this.machine("bert")];
    if (this.#command === "init") await bert.join(anna);
    await anna.push();
    assert.deepEqual((await bert.pull()).failures, [], what);
    assert.deepEqual(contentsOf(bert), contentsOf(anna), what);
    for (const machine of [anna, bert]) {
      assert.deepEqual((await machine.verify()).problems, [], `${what}: verify`);
    }
  }
}

/** How many of these calls come before nothing but notes is left to be written. */
function neededCalls(log: readonly string[]): number {
  const paths = log.map((call) => call.slice(call.indexOf(" ") + 1));
  const isNote = paths.map((path, index) => {
    const name = TEMPORARY.test(path) ? paths.slice(index).find((to) => !TEMPORARY.test(to)) : path;
    return NOTES.test(name ?? "");
  });
  return isNote.lastIndexOf(false) + 1;
}

for (const errno of ["ENOSPC", "EDQUOT"] as const) {
  for (const command of ["init", "push", "pull", "gc"] as const) {
    const name = `${command} on a disk that says ${errno} from some call on harms nothing`;
    Deno.test(`${name}, and can go on`, () =>
      inMemoryDir(async (dir) => {
        const stage = new Stage(dir, command);
        await stage.prepare();
        const made: FaultyFs[] = [];
        const counting = { failNth: Infinity, calls: CALLS };
        assert.deepEqual(await stage.run(stage.machine(stage.actor, counting, made)), []);
        const after = stage.machine(stage.actor).files();
        const needed = neededCalls(made[0]!.log);
        assert.ok(needed > 10, `${needed} calls are too few to be all`);
        // The last that is needed, and the first that is not, are always among them.
        const first = (needed - 1) % STRIDE + 1;
        const ends = [needed + 1, made[0]!.log.length];
        const chosen = Array.from({ length: Math.ceil(needed / STRIDE) }, (_, n) =>
          first + n * STRIDE);
        for (const failNth of new Set([...chosen, ...ends])) {
          stage.restore();
          const what = `${command}, call ${failNth} of ${needed}`;
          const before = stage.machine(stage.actor).files();
          const plan = { failNth, from: "then-on", errno, calls: CALLS } as const;
          const failures = await stage.run(stage.machine(stage.actor, plan));
          assert.equal(failures.length > 0, failNth <= needed, `${what}: ${failures.length}`);
          for (const failure of failures) {
            assert.equal(failure.code, "no-space", what);
            assert.match(failure.message, REASONS[errno].message, what);
            if (failure instanceof ClaudeSyncError) {
              assert.match(failure.hint ?? "", REASONS[errno].hint, what);
            }
          }
          for (const [path, text] of Object.entries(stage.machine(stage.actor).files())) {
            const isKnown = text === before[path] || text === after[path];
            assert.ok(isKnown, `${what}: ${path} is neither old nor new`);
          }
          for (const path of Object.keys(before)) {
            assert.ok(path in stage.machine(stage.actor).files(), `${what}: ${path} is gone`);
          }
          await stage.completes(what);
        }
      }));
  }
}
