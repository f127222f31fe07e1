/**
 * Compaction on real servers: many small pushes become few objects, the old ones are gone from the
 * bucket or the branches after the grace, and nobody misses anything, whoever pushes meanwhile.
 */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { appendFileSync } from "node:fs";
import { basename, join } from "node:path";
import { serverTest, sharedServer } from "../servers/servers.ts";
import { DAY_MS, gc } from "../support/gc_world.ts";
import { type StorePlace, storePlace } from "../support/store_place.ts";
import { inTempDir, said, SyncMachine, TestClock } from "../support/sync_machine.ts";
import { contentsOf, historyOf } from "../support/sync_world.ts";

const IDS = [1, 2, 3].map((n) => `${n}1111111-1111-4111-8111-111111111111`);
const PUSHES = 10;
/** Too much for an entry alone, and too little for a pack that stays. */
const PACKED_BYTES = 300_000;
const GRACE_DAYS = 7;

/** Appends a turn and sends it. */
async function say(machine: SyncMachine, session: string, text: string): Promise<void> {
  const atMs = machine.platform.clock.nowMs() - 3_600_000;
  const turn = said("user", text, { session, cwd: machine.project, atMs });
  const path = machine.transcriptPath(session);
  if (machine.files()[`projects/${basename(join(path, ".."))}/${session}.jsonl`] === undefined) {
    machine.writeTranscript(session, turn);
  } else appendFileSync(path, turn);
  const { pushed, failures } = await machine.push();
  assert.deepEqual([pushed, failures], [1, []]);
}

/** Every state that the vault can give back, without its bytes. */
async function states(machine: SyncMachine): Promise<string[]> {
  const history = await historyOf(machine);
  return history.map(({ bytes, ...state }) => JSON.stringify([state, bytes.length])).sort();
}

/** Names of the vault's objects, as the server itself has them where that can be seen. */
async function namesOn(place: StorePlace, machine: SyncMachine): Promise<string[]> {
  const { location } = place;
  if (location.kind !== "git") {
    const names: string[] = [];
    const store = await machine.openStore(location, false);
    for await (const { name } of store.list("")) names.push(name);
    return names.sort();
  }
  const { folder } = await sharedServer("git-http");
  const git = (...args: string[]) => {
    const run = spawnSync("git", args, { cwd: join(folder, basename(location.url)) });
    assert.equal(run.status, 0, run.stderr.toString());
    return run.stdout.toString().split("\n").filter((line) => line !== "");
  };
  const branches = git("for-each-ref", "--format=%(refname)", "refs/heads/claude-sync/");
  const paths = branches.flatMap((branch) => git("ls-tree", "-r", "--name-only", branch));
  return paths.map((path) => path.slice(3, path.lastIndexOf("=")).replaceAll("+", "/")).sort();
}

for (const name of ["rgw", "git-http"] as const) {
  serverTest(
    name,
    `gc makes a vault on ${name} small, and nobody misses anything`,
    () =>
      inTempDir(async (dir) => {
        await using place = await storePlace(name);
        const clock = new TestClock(Date.now());
        const machine = async (who: string) => {
          const options = { name: who, dir, ...await place.access(join(dir, who)) };
          // Days go by for the machine, and not for the server, which compares the clocks.
          const today = new SyncMachine(options);
          return new SyncMachine({ ...options, clock, store: today.openStore.bind(today) });
        };
        const [anna, bert, carl] = [await machine("a"), await machine("b"), await machine("c")];
        await anna.init();
        await bert.join(anna);
        await carl.join(anna);
        await say(anna, IDS[0]!, randomBytes(PACKED_BYTES).toString("base64"));
        for (let n = 2; n < PUSHES; n++) await say(anna, IDS[n % 2]!, `turn ${n}`);
        // From here on carl is away.
        await carl.pull({ all: true });
        await say(anna, IDS[0]!, "the last one before");
        const old = await namesOn(place, anna);
        assert.equal(old.length, 1 + PUSHES + 1, "header, entries, a pack");

        const meanwhile = async (when: string) => {
          for (let n = 0; n < 2; n++) await say(bert, IDS[2]!, `${when} ${n}`);
        };
        const [done] = await Promise.all([gc(anna), meanwhile("during the checkpoint")]);
        assert.deepEqual([done.compacted?.entries, done.deleted.objects], [PUSHES, 0]);
        const before = await states(bert);
        for (let day = 0; day < GRACE_DAYS; day++) {
          clock.advance(DAY_MS);
          await anna.pull({ all: true });
        }
        const listed = await namesOn(place, anna);
        assert.deepEqual(
          old.filter((object) => !listed.includes(object)),
          [],
          "not before the grace",
        );
        const [tidied] = await Promise.all([gc(anna), meanwhile("during the deletion")]);
        assert.equal(tidied.deleted.objects, PUSHES + 1);
        const left = await namesOn(place, anna);
        assert.deepEqual(old.filter((object) => left.includes(object)), ["claude-sync.json"]);

        await anna.pull({ all: true });
        await bert.pull({ all: true });
        const now = await states(bert);
        assert.deepEqual(before.filter((state) => !now.includes(state)), []);
        const dora = await machine("d");
        await dora.join(anna);
        for (const each of [carl, dora]) {
          const { failures } = await each.pull({ all: true });
          assert.deepEqual(failures, []);
        }
        for (const each of [anna, carl, dora]) {
          assert.deepEqual(contentsOf(each), contentsOf(bert), each.name);
          assert.deepEqual(await states(each), now, each.name);
          assert.deepEqual((await each.verify()).problems, [], each.name);
          assert.equal((await each.pull()).requests, 1, `${each.name}: a no-op is one look`);
        }
      }),
  );
}
