/**
 * Nothing that happens to local files takes anything from the vault, and a pull does not bring back
 * what the user or the client's clean-up has removed.
 */
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync } from "node:fs";
import { statSync, truncateSync } from "node:fs";
import { dirname, join } from "node:path";
import { Sha256, sha256Hex } from "../../src/crypto/hash.ts";
import { utf8 } from "../../src/base/bytes.ts";
import { slugOf } from "../../src/sessions/slug.ts";
import { syncService } from "../../src/sync/service.ts";
import { withVault } from "../../src/sync/vault_access.ts";
import { chainBytes } from "../../src/sync/vault_content.ts";
import { codeOf } from "../support/outcome.ts";
import { pair } from "../support/pair.ts";
import { filesBelow, inTempDir, said, SyncMachine, TestClock } from "../support/sync_machine.ts";
import { withoutFlush } from "../support/unflushed_fs.ts";

const FIRST = "11111111-1111-4111-8111-111111111111";
const SECOND = "22222222-2222-4222-8222-222222222222";
const OLD = "33333333-3333-4333-8333-333333333333";
const NOW = Date.now();
const DAY_MS = 86_400_000;
const OLD_MS = NOW - 40 * DAY_MS;

function turns(machine: SyncMachine, session: string, texts: readonly string[], atMs: number) {
  return texts.map((text, i) => {
    const facts = { session, cwd: machine.project, atMs: atMs + 10 * i };
    return said("user", text, facts) + said("assistant", `echo ${text}`, facts);
  }).join("");
}

interface Pair {
  readonly dir: string;
  readonly clock: TestClock;
  readonly anna: SyncMachine;
  readonly bert: SyncMachine;
}

/** anna has pushed two recent sessions, one with sidecars, and an old one; bert has nothing yet. */
async function withPair(work: (pair: Pair) => Promise<void>): Promise<void> {
  await inTempDir(async (dir) => {
    const clock = new TestClock(NOW);
    const [anna, bert] = await pair(dir, { clock, fs: withoutFlush });
    anna.writeTranscript(FIRST, turns(anna, FIRST, ["one", "two", "three"], NOW - DAY_MS));
    const beforeMs = NOW - 2 * DAY_MS;
    anna.writeTranscript(SECOND, turns(anna, SECOND, ["second"], beforeMs), beforeMs);
    anna.writeTranscript(OLD, turns(anna, OLD, ["old"], OLD_MS), OLD_MS);
    const slug = slugOf(anna.project);
    anna.write(join("projects", slug, FIRST, "tool-results", "r.txt"), "result\n");
    anna.write(join("file-history", FIRST, "v1"), "file\n");
    assert.equal((await anna.push()).pushed, 3);
    await work({ dir, clock, anna, bert });
  });
}

/** Asserts that another machine still gets every byte of `files`, whatever happened meanwhile. */
async function assertAllThere(
  { anna, bert }: Pair,
  files: Record<string, string>,
  vault: Record<string, string>,
): Promise<void> {
  assert.deepEqual(filesBelow(anna.vaultDir), vault, "the vault's objects");
  assert.deepEqual((await bert.verify()).problems, []);
  await bert.pull({ all: true });
  const slugs = [slugOf(anna.project), slugOf(bert.project)] as const;
  const moved = Object.entries(files).map(([name, text]) => [name.replace(...slugs), text]);
  assert.deepEqual(bert.files(), Object.fromEntries(moved));
}

function pullOf(machine: SyncMachine, { all = false, sessions = [] }: typeof requests[number]) {
  return syncService.pull(machine.context(), { all, sessions, dryRun: false });
}

const removals: Record<string, (machine: SyncMachine) => void> = {
  "a session": (machine) => rmSync(machine.transcriptPath(FIRST)),
  "a session with its bundle": (machine) => {
    rmSync(machine.transcriptPath(FIRST));
    rmSync(join(dirname(machine.transcriptPath(FIRST)), FIRST), { recursive: true });
    rmSync(join(machine.configDir, "file-history"), { recursive: true });
  },
  "a sidecar": (machine) => rmSync(join(machine.configDir, "file-history", FIRST, "v1")),
  "a project's folder": (machine) => {
    rmSync(dirname(machine.transcriptPath(FIRST)), { recursive: true });
  },
  "the projects folder": (machine) => {
    rmSync(join(machine.configDir, "projects"), { recursive: true });
  },
  "Claude Code's folder": (machine) => rmSync(machine.configDir, { recursive: true }),
  "the working folder": (machine) => rmSync(machine.project, { recursive: true }),
};

function forgetState(machine: SyncMachine): void {
  const home = join(machine.home, ".claude-sync");
  for (const name of readdirSync(home)) {
    if (name.startsWith("state")) rmSync(join(home, name));
  }
}

for (const [what, remove] of Object.entries(removals)) {
  Deno.test(`removing ${what} here removes nothing from the vault`, () =>
    withPair(async (pair) => {
      const { anna } = pair;
      const files = anna.files();
      const vault = filesBelow(anna.vaultDir);
      remove(anna);
      const left = existsSync(anna.configDir) ? anna.files() : {};
      assert.equal((await anna.push()).pushed, 0);
      assert.equal((await anna.push({ all: true })).pushed, 0);
      assert.equal((await anna.pull()).pulled, 0);
      assert.equal((await anna.sync()).push.pushed, 0);
      const after = existsSync(anna.configDir) ? anna.files() : {};
      assert.deepEqual(after, left, "what was removed stays away");
      await assertAllThere(pair, files, vault);
    }));
}

Deno.test("removing the state database as well removes nothing from the vault", () =>
  withPair(async (pair) => {
    const { anna } = pair;
    const files = anna.files();
    const vault = filesBelow(anna.vaultDir);
    removals["the projects folder"]!(anna);
    forgetState(anna);
    assert.equal((await anna.push()).pushed, 0);
    await assertAllThere(pair, files, vault);
    // What was here is not known any more, so the recent sessions come back; the old one does not.
    await anna.pull();
    assert.ok(existsSync(anna.transcriptPath(FIRST)));
    assert.ok(!existsSync(anna.transcriptPath(OLD)));
  }));

Deno.test("a plain pull leaves in the vault what the client would delete at once", () =>
  withPair(async ({ anna, bert }) => {
    const pulled = await bert.pull();
    assert.deepEqual([pulled.pulled, pulled.archived], [2, 1]);
    assert.ok(!existsSync(bert.transcriptPath(OLD)));
    const row = (await syncService.list(bert.context())).find(({ id }) => id === OLD);
    assert.deepEqual([row?.where, row?.archived], ["vault", true]);
    assert.equal((await bert.push()).pushed, 0);
    assert.equal((await bert.pull()).pulled, 0);
    assert.ok(existsSync(anna.transcriptPath(OLD)));
  }));

Deno.test("a plain pull goes by cleanupPeriodDays of the settings", () =>
  withPair(async ({ bert }) => {
    bert.write("settings.json", JSON.stringify({ cleanupPeriodDays: 90 }));
    assert.equal((await bert.pull()).pulled, 3);
    assert.equal(Math.floor(statSync(bert.transcriptPath(OLD)).mtimeMs), OLD_MS);
  }));

Deno.test("a short cleanupPeriodDays keeps also yesterday's sessions in the vault", () =>
  withPair(async ({ bert }) => {
    bert.write("settings.json", JSON.stringify({ cleanupPeriodDays: 1.5 }));
    const pulled = await bert.pull();
    assert.deepEqual([pulled.pulled, pulled.archived], [1, 2]);
    assert.ok(existsSync(bert.transcriptPath(FIRST)));
  }));

const requests: readonly { all?: boolean; sessions?: string[] }[] = [
  { all: true },
  { sessions: [OLD] },
  { sessions: [OLD.slice(0, 8)] },
];

for (const request of requests) {
  Deno.test(`pull of ${JSON.stringify(request)} brings the old session back to stay`, () =>
    withPair(async ({ anna, bert, clock }) => {
      await bert.pull();
      assert.equal((await pullOf(bert, request)).pulled, 1);
      assert.equal(bert.readTranscript(OLD), anna.readTranscript(OLD));
      const ageMs = NOW - statSync(bert.transcriptPath(OLD)).mtimeMs;
      assert.ok(ageMs > 0 && ageMs <= 15 * DAY_MS, `${ageMs / DAY_MS} days old`);
      // A week later it still stands, and neither run takes it away or sends it again.
      clock.advance(7 * DAY_MS);
      assert.equal((await bert.sync()).push.pushed, 0);
      assert.equal(bert.readTranscript(OLD), anna.readTranscript(OLD));
    }));
}

Deno.test("what was deleted here stays away until it is asked for, or goes on elsewhere", () =>
  withPair(async ({ anna, bert }) => {
    await bert.pull();
    rmSync(bert.transcriptPath(FIRST));
    rmSync(bert.transcriptPath(SECOND));
    const pulled = await bert.pull();
    assert.deepEqual([pulled.pulled, pulled.archived], [0, 3]);
    assert.equal((await pullOf(bert, { sessions: [FIRST] })).pulled, 1);
    assert.equal(bert.readTranscript(FIRST), anna.readTranscript(FIRST));
    assert.ok(!existsSync(bert.transcriptPath(SECOND)));
    const more = turns(anna, SECOND, ["goes on"], NOW - 3_600_000);
    anna.writeTranscript(SECOND, anna.readTranscript(SECOND) + more);
    await anna.push();
    assert.equal((await bert.pull()).pulled, 1);
    assert.equal(bert.readTranscript(SECOND), anna.readTranscript(SECOND));
  }));

Deno.test("a sidecar that was deleted here stays away until it is asked for", () =>
  withPair(async ({ bert }) => {
    await bert.pull();
    const path = join(bert.configDir, "file-history", FIRST, "v1");
    for (const request of [{ all: true }, { sessions: [FIRST] }]) {
      rmSync(path);
      assert.equal((await bert.pull()).pulled, 0);
      assert.equal((await pullOf(bert, { sessions: [SECOND] })).pulled, 0);
      assert.ok(!existsSync(path));
      await pullOf(bert, request);
      assert.ok(existsSync(path), JSON.stringify(request));
      assert.equal(readFileSync(path, "utf8"), "file\n");
    }
  }));

Deno.test("a session that was deleted and goes on here stays without its old sidecars", () =>
  withPair(async ({ anna, bert }) => {
    await bert.pull();
    removals["a session with its bundle"]!(bert);
    const result = join("projects", slugOf(bert.project), FIRST, "tool-results", "r.txt");
    const version = join("file-history", FIRST, "v1");
    const isHere = (name: string) => existsSync(join(bert.configDir, name));
    bert.writeTranscript(FIRST, turns(bert, FIRST, ["goes on"], NOW - 3_600_000));
    await bert.sync();
    assert.deepEqual([isHere(result), isHere(version)], [false, false]);
    anna.write(version, "changed\n");
    await anna.sync();
    await bert.sync();
    assert.deepEqual([isHere(result), isHere(version)], [false, true], "only what has changed");
    await bert.pull({ all: true });
    assert.equal(readFileSync(join(bert.configDir, result), "utf8"), "result\n");
    assert.equal(readFileSync(join(bert.configDir, version), "utf8"), "changed\n");
  }));

Deno.test("a copy that became shorter is never pushed, and a pull makes it whole", () =>
  withPair(async ({ anna, bert }) => {
    await bert.pull();
    const path = bert.transcriptPath(FIRST);
    const whole = readFileSync(path);
    const lineEnd = whole.indexOf(10) + 1;
    const cuts = [whole.length - 1, whole.length - 40, lineEnd, lineEnd + 7, lineEnd - 1, 1];
    const vault = filesBelow(anna.vaultDir);
    for (const cut of cuts) {
      for (const isKnown of [true, false]) {
        if (!isKnown) forgetState(bert);
        truncateSync(path, cut);
        bert.write(join("projects", slugOf(bert.project), `${FIRST}.jsonl`), readFileSync(path));
        assert.equal((await bert.push()).pushed, 0, `${cut}`);
        assert.equal((await bert.push({ all: true })).pushed, 0, `${cut}`);
        assert.deepEqual(filesBelow(anna.vaultDir), vault, `${cut}`);
        assert.equal((await bert.pull()).pulled, 1, `${cut}`);
        assert.deepEqual(readFileSync(path), whole, `${cut}`);
      }
    }
    assert.equal((await anna.pull()).pulled, 0);
  }));

Deno.test("an emptied transcript takes nothing from the vault and is filled again", () =>
  withPair(async ({ anna, bert }) => {
    await bert.pull();
    const vault = filesBelow(anna.vaultDir);
    truncateSync(bert.transcriptPath(FIRST), 0);
    assert.equal((await bert.push()).pushed, 0);
    assert.deepEqual(filesBelow(anna.vaultDir), vault);
    assert.equal((await pullOf(bert, { sessions: [FIRST] })).pulled, 1);
    assert.equal(bert.readTranscript(FIRST), anna.readTranscript(FIRST));
  }));

Deno.test("a transcript whose last answer was taken out becomes a generation; old bytes stay", () =>
  withPair(async ({ anna, bert }) => {
    await bert.pull();
    const old = anna.readTranscript(FIRST);
    const vault = filesBelow(anna.vaultDir);
    const rewritten = old.slice(0, old.lastIndexOf("\n", old.length - 2) + 1);
    // Shorter is not enough: the client goes on after it.
    const more = turns(anna, FIRST, ["four"], NOW - 3_600_000);
    anna.writeTranscript(FIRST, rewritten + more, NOW - 1_800_000);
    assert.equal((await anna.push()).pushed, 1);
    const after = filesBelow(anna.vaultDir);
    for (const [name, bytes] of Object.entries(vault)) assert.equal(after[name], bytes, name);
    const pulled = await bert.pull();
    assert.deepEqual([pulled.pulled, pulled.branches], [1, 0]);
    assert.equal(bert.readTranscript(FIRST), rewritten + more);
    assert.equal(await storedText(bert, old), old);
    assert.deepEqual((await bert.verify()).problems, []);
  }));

Deno.test("a transcript that lost earlier words takes the place of the whole one nowhere", () =>
  withPair(async ({ anna, bert }) => {
    await bert.pull();
    const old = anna.readTranscript(FIRST);
    const lines = old.split("\n");
    const damaged = [...lines.slice(0, 2), ...lines.slice(3)].join("\n");
    anna.writeTranscript(FIRST, damaged, NOW - 1_800_000);
    await anna.sync();
    await bert.pull();
    assert.equal(bert.readTranscript(FIRST), old);
    assert.equal(anna.readTranscript(FIRST), old);
    assert.equal(await storedText(bert, damaged), damaged);
    assert.deepEqual((await bert.verify()).problems, []);
  }));

/** The bytes that the vault has of the transcript's state `text`, from its chain. */
async function storedText(machine: SyncMachine, text: string): Promise<string> {
  return await withVault(machine.context(), async (vault) => {
    const bytes = utf8(text);
    const state = { gen: "", hash: sha256Hex(bytes), len: bytes.length };
    const chain = vault.index.chain(FIRST, "transcript", state);
    assert.ok(chain !== null, "the vault still has the way to it");
    const parts: Uint8Array[] = [];
    for await (const part of chainBytes(vault, chain, 0, new Sha256())) parts.push(part);
    return new TextDecoder().decode(Buffer.concat(parts));
  });
}

Deno.test("a vault's folder that is not there is unreachable, and nothing is lost", () =>
  withPair(async ({ dir, anna, bert }) => {
    await bert.pull();
    const files = bert.files();
    const more = turns(bert, SECOND, ["while away"], NOW - 3_600_000);
    bert.writeTranscript(SECOND, bert.readTranscript(SECOND) + more);
    const unmounted: Record<string, () => void> = {
      "gone": () => {},
      // The mount point of a share or stick.
      "empty": () => mkdirSync(bert.vaultDir),
    };
    renameSync(bert.vaultDir, join(dir, "elsewhere"));
    for (const [what, make] of Object.entries(unmounted)) {
      make();
      const before = bert.files();
      for (const run of [() => bert.push(), () => bert.pull({ all: true }), () => bert.sync()]) {
        assert.equal(await codeOf(run()), "store-unreachable", what);
      }
      assert.equal(await codeOf(bert.verify()), "store-unreachable", what);
      assert.deepEqual(bert.files(), before, what);
      const names = existsSync(bert.vaultDir) ? readdirSync(bert.vaultDir) : [];
      assert.deepEqual(names, [], `${what}: no second vault is made`);
      assert.equal((await syncService.status(bert.context())).verdict, "failing");
      rmSync(bert.vaultDir, { recursive: true, force: true });
    }
    // Another disk at the same place is no vault either.
    mkdirSync(join(bert.vaultDir, "photos"), { recursive: true });
    for (const run of [() => bert.push(), () => bert.pull({ all: true }), () => bert.sync()]) {
      assert.equal(await codeOf(run()), "store-unreachable");
    }
    assert.deepEqual(readdirSync(bert.vaultDir), ["photos"]);
    rmSync(bert.vaultDir, { recursive: true });
    renameSync(join(dir, "elsewhere"), bert.vaultDir);
    assert.equal((await bert.push()).pushed, 1);
    assert.equal((await anna.pull()).pulled, 1);
    assert.match(anna.readTranscript(SECOND), /while away/);
    assert.ok(Object.keys(files).every((name) => name in bert.files()));
  }));

Deno.test("a machine that has joined but not synced yet makes no vault in another folder", () =>
  withPair(async ({ dir, bert }) => {
    bert.writeTranscript(SECOND, turns(bert, SECOND, ["own"], NOW - DAY_MS));
    renameSync(bert.vaultDir, join(dir, "elsewhere"));
    mkdirSync(join(bert.vaultDir, "photos"), { recursive: true });
    for (const run of [() => bert.push(), () => bert.pull(), () => bert.sync()]) {
      assert.equal(await codeOf(run()), "store-unreachable");
    }
    assert.deepEqual(readdirSync(bert.vaultDir), ["photos"]);
  }));
