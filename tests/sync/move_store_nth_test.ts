/**
 * Breaks every single call that store move makes to either place, once and from then on: between
 * buckets, which are held in memory here, and between a folder and a real Git repository. The old
 * place stays as it was, the machine uses one that holds everything, and the next try completes.
 */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import {
  folderLocationOf,
  formatStoreLocation,
  type StoreLocation,
} from "../../src/storage/location.ts";
import { MemoryStore } from "../../src/storage/memory/store.ts";
import type { ObjectStore } from "../../src/storage/object_store.ts";
import { syncService } from "../../src/sync/service.ts";
import { failNth, type FaultyStore, faultyStore } from "../support/faulty_store.ts";
import { seededNumbers } from "../support/session_corpus.ts";
import { inMemoryDir, said, SyncMachine, TestClock } from "../support/sync_machine.ts";
import { objectsOf } from "../support/sync_world.ts";
import { withoutFlush } from "../support/unflushed_fs.ts";

const IDS = [1, 2].map((n) => `${String(n).repeat(8)}-1111-4111-8111-111111111111`);
/** Too much to travel inside an entry. */
const PACKED_BYTES = 400_000;
/** Of the calls to a real repository, which takes its time; all of them were broken once. */
const GIT_STRIDE = process.env["CLAUDE_SYNC_FAIL_NTH"] === "all" ? 1 : 16;

type Kind = "bucket" | "folder" | "git";

interface Route {
  readonly from: Kind;
  readonly to: Kind;
  readonly stride: number;
}

const ROUTES: readonly Route[] = [
  { from: "bucket", to: "bucket", stride: 1 },
  { from: "folder", to: "git", stride: GIT_STRIDE },
  { from: "git", to: "folder", stride: GIT_STRIDE },
];

function locationOf(dir: string, kind: Kind, name: string): StoreLocation {
  const path = join(dir, "places", name);
  if (kind === "folder") return folderLocationOf(path);
  if (kind === "git") return { kind: "git", url: path };
  const rest = { region: null, endpoint: "http://127.0.0.1:9", pathStyle: true, awsProfile: null };
  return { kind: "s3", bucket: name, prefix: "", ...rest };
}

/** A machine with a vault at the old place, had again and again. */
class Stage {
  readonly #dir: string;
  readonly #from: StoreLocation;
  readonly to: StoreLocation;
  /** What buckets hold, by name. */
  #buckets = new Map<string, MemoryStore>();
  #old = new Map<string, string>();

  constructor(dir: string, route: Route) {
    this.#dir = dir;
    this.#from = locationOf(this.#world, route.from, "old");
    this.to = locationOf(this.#world, route.to, "new");
  }

  get #world(): string {
    return join(this.#dir, "world");
  }

  machine(wrap: (store: ObjectStore) => ObjectStore = (store) => store): SyncMachine {
    const machine: SyncMachine = new SyncMachine({
      name: "anna",
      dir: this.#world,
      location: this.#from,
      // What is tried again waits by this clock: not at all.
      clock: new TestClock(Date.now()),
      fs: withoutFlush,
      childEnv: { GIT_CONFIG_NOSYSTEM: "1", HOME: this.#dir },
      store: async (location, create) => {
        if (location.kind !== "s3") return wrap(await machine.openStore(location, create));
        const bucket = this.#buckets.get(location.bucket) ?? new MemoryStore();
        this.#buckets.set(location.bucket, bucket);
        return wrap(bucket);
      },
    });
    return machine;
  }

  async prepare(): Promise<void> {
    mkdirSync(join(this.#world, "places"), { recursive: true });
    for (const location of [this.#from, this.to]) {
      if (location.kind !== "git") continue;
      const made = spawnSync("git", ["init", "--quiet", "--bare", location.url]);
      assert.equal(made.status, 0, made.stderr.toString());
    }
    const anna = this.machine();
    await anna.init();
    const atMs = Date.now() - 3_600_000;
    const next = seededNumbers(3);
    const noise = Uint8Array.from({ length: PACKED_BYTES }, () => next() * 256).toBase64();
    for (const [id, text] of [[IDS[0]!, "small"], [IDS[1]!, noise]] as const) {
      anna.writeTranscript(id, said("user", text, { session: id, cwd: anna.project, atMs }));
      await anna.push();
    }
    this.#old = await this.objects(this.#from);
    assert.ok([...this.#old.keys()].some((name) => name.startsWith("packs/")));
    cpSync(this.#world, join(this.#dir, "kept"), { recursive: true, preserveTimestamps: true });
  }

  restore(): void {
    rmSync(this.#world, { recursive: true });
    cpSync(join(this.#dir, "kept"), this.#world, { recursive: true, preserveTimestamps: true });
    this.#buckets.delete("new");
  }

  async objects(location: StoreLocation): Promise<Map<string, string>> {
    const looking = new SyncMachine({ name: "looking", dir: this.#world });
    if (location.kind !== "s3") return await objectsOf(await looking.openStore(location, false));
    return await objectsOf(this.#buckets.get(location.bucket) ?? new MemoryStore());
  }

  async check(files: Record<string, string>, what: string): Promise<void> {
    const anna = this.machine();
    assert.deepEqual(anna.files(), files, `${what}: local files`);
    assert.deepEqual(await this.objects(this.#from), this.#old, `${what}: the old place`);
    assert.deepEqual((await anna.verify()).problems, [], `${what}: verify`);
    if (placeOf(anna) !== formatStoreLocation(this.to)) await move(anna, this.to);
    assert.equal(placeOf(anna), formatStoreLocation(this.to), what);
    assert.deepEqual(await this.objects(this.to), this.#old, `${what}: the new place`);
    assert.deepEqual((await anna.verify()).problems, [], `${what}: verify at the end`);
    const { failed, requests } = await anna.push();
    assert.deepEqual([failed, requests], [0, 1], `${what}: nothing to push`);
  }
}

function move(anna: SyncMachine, location: StoreLocation): Promise<unknown> {
  const request = { location, createBucket: false, keys: null, dryRun: false };
  return syncService.storeMove(anna.context(), request);
}

function placeOf(anna: SyncMachine): string {
  const path = join(anna.home, ".claude-sync", "config.json");
  return formatStoreLocation(JSON.parse(readFileSync(path, "utf8")).store);
}

for (const route of ROUTES) {
  const { from, to, stride } = route;
  for (const times of [1, Infinity]) {
    const how = `${times} times`;
    Deno.test(`store move from ${from} to ${to} survives failures of both, ${how}`, () =>
      inMemoryDir(async (dir) => {
        const stage = new Stage(dir, route);
        await stage.prepare();
        const files = stage.machine().files();
        let broken = 0;
        for (const effect of ["before", "after"] as const) {
          for (let n = 1;; n += stride) {
            stage.restore();
            // Both places are opened, and their calls counted as one series.
            const opened: FaultyStore[] = [];
            let calls = 0;
            const isDue = () => ++calls === n || (calls > n && times > 1);
            const machine = stage.machine((store) => {
              const faulty = faultyStore(store);
              faulty.plan({ ...failNth(1, effect, Infinity), subject: isDue });
              opened.push(faulty);
              return faulty;
            });
            const ended = await move(machine, stage.to)
              .then(() => "done", (error) => error.name);
            if (opened.every(({ struck }) => struck === 0)) break;
            broken++;
            assert.ok(["done", "ClaudeSyncError"].includes(ended), `call ${n}: ${ended}`);
            if (times === 1) assert.equal(ended, "done", `call ${n} fails once and is repeated`);
            await stage.check(files, `call ${n} fails ${effect}, ${how}`);
          }
        }
        assert.ok(broken >= 4, `${broken} calls are too few to be all`);
      }));
  }
}
