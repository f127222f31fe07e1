/** After every command, and at every instant before, a power cut takes nothing that counts. */
import assert from "node:assert/strict";
import { appendFileSync, existsSync } from "node:fs";
import { join, relative } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { folderLocationOf } from "../../src/storage/location.ts";
import { saveKeys } from "../../src/sync/saved_keys.ts";
import { syncService } from "../../src/sync/service.ts";
import { type FlushEvents, type FlushWatch, watchFlushes } from "../support/flush_watch.ts";
import { gc, liveOn, pushTurns, speak } from "../support/gc_world.ts";
import { forget } from "../support/forget_world.ts";
import { APART, cleanUp, FIRST, goOn, NOW, pushVersions } from "../support/history_world.ts";
import { restore } from "../support/restore_world.ts";
import { inTempDir, SyncMachine, TestClock } from "../support/sync_machine.ts";
import { withoutFlush } from "../support/unflushed_fs.ts";

/** Files that somebody waits for and nothing depends on, or that are for people only. */
const MAY_BE_LOST = /^\.claude-sync\/(runs\.json|journal\.jsonl|queue\/.*|cache\/.*)$/;

/** One computer, and what is not flushed of what it wrote. */
class Watched {
  readonly machine: SyncMachine;
  readonly #dir: string;
  #watch: FlushWatch | null = null;

  constructor(name: string, dir: string, clock: TestClock, events: FlushEvents = {}) {
    this.#dir = dir;
    const fs = (real: Parameters<typeof watchFlushes>[0]) =>
      (this.#watch = watchFlushes(withoutFlush(real), events)).fs;
    this.machine = new SyncMachine({ name, dir, clock, fs });
  }

  /**
   * Paths below the test's folder that a power cut would take now. Folders made on the way count in
   * the vault only: a disk that flushes a file there keeps them.
   */
  lost(): string[] {
    const paths = this.#watch!.unflushed().filter((path) =>
      !path.endsWith("/") || path.startsWith(`${this.machine.vaultDir}/`)
    );
    return paths.map((path) => relative(this.#dir, path).replaceAll("\\", "/"))
      .filter((path) => !MAY_BE_LOST.test(path.slice(path.indexOf("/") + 1)));
  }

  /** Runs one command: nothing of it can be lost when it has ended. */
  async safe<Result>(what: string, work: Promise<Result>): Promise<Result> {
    const result = await work;
    assert.deepEqual(this.lost(), [], `${what}: a power cut would take this`);
    const early = this.#watch!.early.filter((path) =>
      !MAY_BE_LOST.test(relative(this.machine.home, path).replaceAll("\\", "/"))
    );
    assert.deepEqual(early, [], `${what}: these had their names before their bytes`);
    return result;
  }
}

async function withPair(
  work: (anna: Watched, bert: Watched, clock: TestClock, dir: string) => Promise<void>,
): Promise<void> {
  await inTempDir(async (dir) => {
    const clock = new TestClock(NOW);
    const [anna, bert] = [new Watched("anna", dir, clock), new Watched("bert", dir, clock)];
    await anna.safe("init", anna.machine.init());
    await bert.safe("join", bert.machine.join(anna.machine));
    await work(anna, bert, clock, dir);
  });
}

/** Gives `machine` a session with everything that can go with one. */
async function fill(machine: SyncMachine): Promise<void> {
  await pushVersions(machine);
  const slug = machine.transcriptPath(FIRST).split("/").at(-2)!;
  machine.write("plans/brave-blue-fox.md", "# plan\n");
  machine.write(`projects/${slug}/memory/MEMORY.md`, "# learned\n");
  const record = { type: "user", slug: "brave-blue-fox", sessionId: FIRST };
  appendFileSync(machine.transcriptPath(FIRST), JSON.stringify(record) + "\n");
  const prompt = { display: "hello", timestamp: NOW, project: "/p", sessionId: FIRST };
  machine.write("history.jsonl", JSON.stringify(prompt) + "\n");
}

Deno.test("a power cut takes nothing of a push or a pull that has ended", () =>
  withPair(async (anna, bert) => {
    await fill(anna.machine);
    const pushed = await anna.safe("push", anna.machine.push());
    assert.deepEqual(pushed.failures, []);
    const pulled = await bert.safe("pull", bert.machine.pull());
    assert.deepEqual(pulled.failures, []);
    for (const path of ["plans/brave-blue-fox.md", "history.jsonl"]) {
      assert.ok(existsSync(join(bert.machine.configDir, path)), path);
    }
    goOn(anna.machine, FIRST, "three", NOW - 3_600_000);
    anna.machine.write("plans/brave-blue-fox.md", "# another plan\n");
    await anna.safe("push", anna.machine.push());
    assert.equal((await bert.safe("pull", bert.machine.pull())).pulled, 1);
    // Both go on: one becomes a branch.
    speak(anna.machine, FIRST, "here");
    speak(bert.machine, FIRST, "there");
    await anna.safe("sync", anna.machine.sync());
    await bert.safe("sync", bert.machine.sync());
    await anna.safe("sync", anna.machine.sync());
  }));

Deno.test("a power cut takes nothing of what was restored", () =>
  withPair(async (anna, _, __, dir) => {
    const { machine } = anna;
    await pushVersions(machine);
    const [older] = (await restore(machine, { queries: [FIRST], atMs: NOW - 60 * 3_600_000 }))
      .sessions;
    assert.equal(older!.as, "copy");
    await anna.safe("restore --at", Promise.resolve());
    const to = join(dir, "out");
    const files = restore(machine, { queries: [FIRST], to });
    assert.equal((await anna.safe("restore --to", files)).restored, 1);
    cleanUp(machine, FIRST);
    const itself = restore(machine, { queries: [FIRST] });
    assert.equal((await anna.safe("restore", itself)).restored, 1);
  }));

Deno.test("a power cut takes nothing of what keeps a vault in order", () =>
  withPair(async (anna, bert, clock, dir) => {
    const { machine } = anna;
    await pushVersions(machine);
    goOn(machine, APART, "apart", NOW - 3_600_000);
    await machine.push();
    await pushTurns(machine, clock, 5);
    await bert.machine.pull();
    await anna.safe("forget", forget(machine, [APART]));
    await anna.safe("gc", gc(machine));
    await liveOn(machine, clock, 9);
    assert.ok((await anna.safe("gc", gc(machine))).deleted.objects > 0);
    const moved = { createBucket: false, keys: null, dryRun: false };
    const location = folderLocationOf(join(dir, "second"));
    await anna.safe("move", syncService.storeMove(machine.context(), { location, ...moved }));
    const keys = { accessKeyId: "AKIDEXAMPLE", secretAccessKey: "not a secret of anybody" };
    const { platform, home } = machine.context();
    saveKeys(platform, home, location, keys);
    await anna.safe("keys", Promise.resolve());
  }));

Deno.test("nothing reaches the store before all that is to be sent is on the disk", () =>
  inTempDir(async (dir) => {
    let puts = 0;
    const anna: Watched = new Watched("anna", dir, new TestClock(NOW), {
      beforeCreate: (path) => {
        if (!path.startsWith(join(dir, "vault"))) return;
        puts++;
        const own = anna.lost().filter((each) => each.startsWith("anna/"));
        assert.deepEqual(own, [], `before ${path}`);
      },
    });
    await anna.machine.init();
    await fill(anna.machine);
    const noise = Array.from({ length: 40_000 }, () => Math.random().toString(36)).join("");
    speak(anna.machine, APART, noise);
    assert.equal((await anna.machine.push()).failed, 0);
    assert.ok(puts >= 5, "the header, packs and entries");
  }));

Deno.test("a pull remembers a file only when its name is on the disk", () =>
  inTempDir(async (dir) => {
    const clock = new TestClock(NOW);
    let looks = 0;
    const bert: Watched = new Watched("bert", dir, clock, {
      beforeSyncDir: (path) => {
        if (!path.startsWith(`${bert.machine.configDir}/`)) return;
        looks++;
        assert.deepEqual(rememberedIn(bert.machine, path), [], `${path} is not flushed yet`);
      },
    });
    const anna = new Watched("anna", dir, clock);
    await anna.machine.init();
    await bert.machine.join(anna.machine);
    await fill(anna.machine);
    await anna.machine.push();
    assert.equal((await bert.machine.pull()).pulled, 1);
    assert.ok(looks >= 3, "projects, plans, the history of a file");
  }));

Deno.test("a key that waited for a vault is gone for good before init goes on", () =>
  inTempDir(async (dir) => {
    let isFlushed = false;
    const home = join(dir, "anna", ".claude-sync");
    const isSettled = () => existsSync(join(home, "key")) && !existsSync(join(home, "key.new"));
    const anna = new Watched("anna", dir, new TestClock(NOW), {
      beforeSyncDir: (path) => {
        isFlushed ||= path === home && isSettled();
      },
      // It would fit a vault that is not there, and be taken for that of the next one.
      beforeCreate: (path) => assert.ok(isFlushed || !isSettled(), path),
    });
    await anna.machine.init();
    assert.ok(isFlushed && isSettled());
  }));

/** Paths in the folder `dir` that the machine's state says it has. */
function rememberedIn(machine: SyncMachine, dir: string): string[] {
  const database = new DatabaseSync(join(machine.home, ".claude-sync", "state.db"), {
    readOnly: true,
  });
  try {
    const rows = database.prepare("SELECT path FROM local").all() as { path: string }[];
    return rows.map(({ path }) => path).filter((path) => path.startsWith(`${dir}/`));
  } finally {
    database.close();
  }
}
