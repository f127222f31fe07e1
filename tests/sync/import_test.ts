/** Sessions from an old computer or a backup: all of them, and nothing that is not one. */
import assert from "node:assert/strict";
import { appendFileSync, cpSync, existsSync, mkdirSync, readFileSync, rmSync } from "node:fs";
import { symlinkSync, utimesSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { ClaudeSyncError } from "../../src/errors.ts";
import { slugOf } from "../../src/sessions/slug.ts";
import type { ImportRequest } from "../../src/sync/history_api.ts";
import { syncService } from "../../src/sync/service.ts";
import { errorOf } from "../support/outcome.ts";
import { pair } from "../support/pair.ts";
import { filesBelow, inTempDir, said, SyncMachine, TestClock } from "../support/sync_machine.ts";
import type { ObjectStore } from "../../src/storage/object_store.ts";
import { failNth, type FaultyStore, faultyStore } from "../support/faulty_store.ts";
import { SessionCorpus } from "../support/session_corpus.ts";
import { historyOf, newWorld } from "../support/sync_world.ts";
import { withoutFlush } from "../support/unflushed_fs.ts";

const FIRST = "11111111-1111-4111-8111-111111111111";
const SECOND = "22222222-2222-4222-8222-222222222222";
const OLD = "33333333-3333-4333-8333-333333333333";
const NOW = Date.now();
const DAY_MS = 86_400_000;
const SAMPLES = join(import.meta.dirname!, "..", "testdata", "claude-sessions");

function turn(session: string, cwd: string, text: string, atMs: number): string {
  const facts = { session, cwd, atMs };
  return said("user", text, facts) + said("assistant", `echo ${text}`, facts);
}

function put(path: string, content: string | Uint8Array, atMs = NOW - DAY_MS): void {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, content);
  utimesSync(path, atMs / 1000, atMs / 1000);
}

interface World {
  readonly dir: string;
  readonly anna: SyncMachine;
  readonly bert: SyncMachine;
  /** An old laptop's home folder, with sessions of a user of another name. */
  readonly old: string;
}

const OLD_CWD = "/Users/annabelle/code/app";

async function withWorld(work: (world: World) => Promise<void>): Promise<void> {
  await inTempDir(async (dir) => {
    const clock = new TestClock(NOW);
    const [anna, bert] = await pair(dir, { clock, fs: withoutFlush });
    const old = join(dir, "old-laptop", "annabelle");
    const slug = slugOf(OLD_CWD);
    const files: Record<string, string> = {
      [`projects/${slug}/${FIRST}.jsonl`]: turn(FIRST, OLD_CWD, "first", NOW - DAY_MS),
      [`projects/${slug}/${FIRST}/subagents/agent-a.jsonl`]: turn(FIRST, OLD_CWD, "agent", NOW),
      [`projects/${slug}/memory/MEMORY.md`]: "# what I learned\n",
      [`file-history/${FIRST}/aaaa@v1`]: "a file\n",
      "history.jsonl": JSON.stringify({
        display: "first",
        pastedContents: {},
        timestamp: NOW - DAY_MS,
        project: OLD_CWD,
        sessionId: FIRST,
      }) + "\n",
      ".credentials.json": '{"secret":"sk-planted"}',
      "settings.json": '{"env":{"TOKEN":"sk-planted"}}',
      [`projects/${slug}/${FIRST}/.credentials.json`]: "sk-planted",
    };
    for (const [path, text] of Object.entries(files)) put(join(old, ".claude", path), text);
    const oldMs = NOW - 100 * DAY_MS;
    put(
      join(old, ".claude", "projects", slug, `${OLD}.jsonl`),
      turn(OLD, OLD_CWD, "old", oldMs),
      oldMs,
    );
    await work({ dir, anna, bert, old });
  });
}

function importFrom(machine: SyncMachine, paths: string[], more: Partial<ImportRequest> = {}) {
  return syncService.import(machine.context(), { paths, all: false, dryRun: false, ...more });
}

Deno.test("import takes an old laptop's folder, places it here, and only reads it", () =>
  withWorld(async ({ anna, bert, old }) => {
    const before = filesBelow(old);
    const dry = await importFrom(anna, [old], { dryRun: true });
    assert.deepEqual([dry.found, dry.imported, dry.pull], [2, 2, null]);
    assert.deepEqual(anna.files(), {});
    const result = await importFrom(anna, [old]);
    assert.deepEqual([result.found, result.imported, result.failures], [2, 2, []]);
    assert.deepEqual(filesBelow(old), before);
    const { pull } = result;
    assert.deepEqual([pull!.pulled, pull!.archived, pull!.unplaced, pull!.failures], [1, 1, 0, []]);
    const slug = slugOf(OLD_CWD);
    const here = anna.files();
    for (const [path, bytes] of Object.entries(before)) {
      const name = path.replace(".claude/", "").replace(slug, slugOf(anna.project));
      const isTaken = !/credentials|settings|33333333/.test(path);
      assert.equal(here[name], isTaken ? bytes : undefined, name);
    }
    assert.ok(!JSON.stringify(await historyOf(anna)).includes("sk-planted"), "no secret was taken");
    // Resumable, here and on the other machine, the old one too.
    const target = await syncService.resume(anna.context(), FIRST);
    assert.deepEqual([target.id, target.dir], [FIRST, anna.project]);
    await bert.pull({ all: true });
    assert.equal(bert.readTranscript(OLD), before[`.claude/projects/${slug}/${OLD}.jsonl`]);
    const [row] = await syncService.projectList(bert.context());
    assert.equal(row!.key, "home:code/app");
    assert.deepEqual((await bert.verify()).problems, []);
  }));

Deno.test("import again has nothing to do, and --all brings the old ones", () =>
  withWorld(async ({ anna, old }) => {
    await importFrom(anna, [join(old, ".claude")]);
    const here = anna.files();
    const again = await importFrom(anna, [join(old, ".claude")]);
    assert.deepEqual([again.found, again.imported, again.bytes.sent], [2, 0, 0]);
    assert.deepEqual(anna.files(), here);
    const all = await importFrom(anna, [old], { all: true });
    assert.deepEqual([all.imported, all.pull!.pulled], [0, 1]);
    assert.ok(existsSync(anna.transcriptPath(OLD)));
    const push = await anna.push();
    assert.equal(push.pushed, 0, "what came from the vault goes to it no second time");
  }));

Deno.test("import of a session that went on here keeps both continuations", () =>
  withWorld(async ({ anna, bert, old }) => {
    const backup = join(old, ".claude", "projects", slugOf(OLD_CWD), `${FIRST}.jsonl`);
    const base = readFileSync(backup, "utf8");
    anna.writeTranscript(FIRST, base + turn(FIRST, anna.project, "here", NOW - 3000));
    await anna.push();
    appendFileSync(backup, turn(FIRST, OLD_CWD, "there", NOW - 2000));
    const result = await importFrom(anna, [old]);
    assert.deepEqual([result.failures, result.pull!.branches], [[], 1]);
    assert.ok(anna.readTranscript(FIRST).includes('"here"'), "the older one keeps its id");
    const [branch] = result.pull!.branchSessions;
    assert.ok(anna.readTranscript(branch!.id).includes('"there"'));
    assert.equal(branch!.how, "import", "it went on on no other machine");
    const [received] = (await bert.pull({ all: true })).branchSessions;
    assert.deepEqual([received?.id, received?.how], [branch!.id, "apart"]);
    assert.equal(bert.readTranscript(branch!.id), anna.readTranscript(branch!.id));
  }));

Deno.test("import of a backup that is behind changes nothing here", () =>
  withWorld(async ({ anna, old }) => {
    const backup = join(old, ".claude", "projects", slugOf(OLD_CWD), `${FIRST}.jsonl`);
    const longer = readFileSync(backup, "utf8") + turn(FIRST, anna.project, "more", NOW - 3000);
    anna.writeTranscript(FIRST, longer);
    const result = await importFrom(anna, [backup]);
    assert.equal(anna.readTranscript(FIRST), longer);
    assert.equal(result.pull!.branches, 0);
    await anna.push();
    await anna.pull();
    assert.equal(anna.readTranscript(FIRST), longer);
  }));

Deno.test("import takes lone transcripts, by name or by what their records say", () =>
  withWorld(async ({ dir, anna }) => {
    const [named, other] = [join(dir, "in", `${FIRST}.jsonl`), join(dir, "in", "chat.jsonl")];
    put(named, turn(FIRST, anna.project, "named", NOW - DAY_MS));
    // Its last line was torn by a full disk, and it was copied just now.
    put(other, turn(SECOND, anna.project, "told", NOW - DAY_MS) + '{"type":"us', NOW);
    const result = await importFrom(anna, [named, other]);
    assert.deepEqual([result.found, result.imported, result.failures], [2, 2, []]);
    assert.equal(anna.readTranscript(FIRST), readFileSync(named, "utf8"));
    assert.equal(anna.readTranscript(SECOND), readFileSync(other, "utf8"));
    const folder = await importFrom(anna, [join(dir, "in")]);
    assert.deepEqual([folder.found, folder.imported], [1, 0], "the one that its name tells");
    put(join(dir, "garbage.jsonl"), "no\nJSON\n");
    put(join(dir, `${OLD}.jsonl`), "\0\0\0\n");
    for (const path of ["garbage.jsonl", `${OLD}.jsonl`, "nothing"]) {
      const error = await errorOf(importFrom(anna, [join(dir, path)]));
      assert.equal(error.code, "not-found", path);
    }
    const mixed = await importFrom(anna, [dir]);
    assert.deepEqual([mixed.found, mixed.failures.length], [0, 1], "garbage is told");
  }));

Deno.test("import takes one project's folder, or projects itself", () =>
  withWorld(async ({ anna, bert, old }) => {
    const projects = join(old, ".claude", "projects");
    put(join(projects, "-other", `${SECOND}.jsonl`), turn(SECOND, "/other", "other", NOW - DAY_MS));
    const one = await importFrom(anna, [join(projects, slugOf(OLD_CWD))]);
    assert.deepEqual([one.found, one.imported], [2, 2]);
    const all = await importFrom(bert, [projects]);
    assert.deepEqual([all.found, all.imported], [3, 1]);
  }));

Deno.test("import finds a project by the repository that the backup has", () =>
  withWorld(async ({ anna, old }) => {
    put(
      join(old, "code", "app", ".git", "config"),
      '[remote "origin"]\n\turl = git@github.com:acme/app.git\n',
    );
    put(join(old, "code", "app", ".git", "HEAD"), "ref: refs/heads/main\n");
    await importFrom(anna, [old]);
    const keys = (await syncService.projectList(anna.context())).map(({ key }) => key);
    assert.ok(keys.includes("git:github.com/acme/app"), keys.join(" "));
  }));

Deno.test("import refuses Claude Code's own folder here", () =>
  withWorld(async ({ anna }) => {
    anna.writeTranscript(FIRST, turn(FIRST, anna.project, "mine", NOW));
    const link = join(anna.home, "link");
    symlinkSync(anna.configDir, link);
    for (const path of [anna.configDir, anna.home, join(anna.configDir, "projects"), link]) {
      assert.equal((await errorOf(importFrom(anna, [path]))).code, "usage", path);
    }
    const own = dirname(anna.transcriptPath(FIRST));
    assert.equal((await errorOf(importFrom(anna, [own]))).code, "usage");
    assert.equal((await errorOf(importFrom(anna, [anna.transcriptPath(FIRST)]))).code, "usage");
  }));

Deno.test("import follows no link in the folder, and takes nothing by a hostile name", () =>
  withWorld(async ({ dir, anna, old }) => {
    const secret = join(dir, "secret.jsonl");
    put(secret, turn(SECOND, "/secret", "planted secret", NOW));
    const claude = join(old, ".claude");
    const project = join(claude, "projects", slugOf(OLD_CWD));
    symlinkSync(secret, join(project, `${SECOND}.jsonl`));
    symlinkSync(dir, join(claude, "file-history", SECOND));
    symlinkSync(dir, join(claude, "projects", "-linked"));
    symlinkSync(secret, join(project, FIRST, "tool.txt"));
    put(join(project, FIRST, "con.txt"), "device");
    put(join(project, FIRST, "a\u202eb.txt"), "hidden");
    put(join(project, FIRST, "key.pem"), "planted secret");
    const result = await importFrom(anna, [old]);
    assert.ok(result.failures.length >= 2, "links in the place of sessions are told");
    assert.equal(result.imported, 2, "the others are taken");
    assert.ok(!JSON.stringify(await historyOf(anna)).includes("planted secret"));
    const names = Object.keys(anna.files()).join("\n");
    assert.doesNotMatch(names, /con\.txt|\u202e|key\.pem|tool\.txt/);
    // `projects` itself as a link to somewhere else.
    const trap = join(dir, "trap");
    mkdirSync(trap);
    symlinkSync(join(claude, "projects"), join(trap, "projects"));
    assert.equal((await errorOf(importFrom(anna, [trap]))).code, "unsafe-file");
  }));

Deno.test("import keeps excluded projects out unless all is asked for", () =>
  withWorld(async ({ anna, old }) => {
    anna.writeTranscript(SECOND, turn(SECOND, anna.project, "mine", NOW - DAY_MS));
    await anna.push();
    await syncService.projectExclude(anna.context(), "home:code/app", true);
    const result = await importFrom(anna, [old]);
    assert.deepEqual([result.found, result.imported], [2, 0]);
    assert.equal((await importFrom(anna, [old], { all: true })).imported, 2);
  }));

Deno.test("import takes real session files byte for byte", () =>
  inTempDir(async (dir) => {
    for (const sample of ["01-interactive", "02-tools", "03-subagent", "10-client-2.0.77"]) {
      const anna = new SyncMachine({
        name: `anna-${sample}`,
        dir,
        vaultDir: join(dir, sample),
        fs: withoutFlush,
      });
      await anna.init();
      const backup = join(dir, `backup-${sample}`, ".claude");
      cpSync(join(SAMPLES, sample), backup, { recursive: true });
      const result = await importFrom(anna, [backup], { all: true });
      assert.deepEqual([result.failures, result.pull!.failures], [[], []], sample);
      assert.ok(result.imported > 0, sample);
      const stored = new Set((await historyOf(anna)).map(({ bytes }) => bytes));
      const ids = new Set<string>();
      for (const [path, bytes] of Object.entries(filesBelow(backup))) {
        const id = /([0-9a-f-]{36})\.jsonl$/.exec(path)?.[1];
        if (id === undefined || bytes === "") continue;
        ids.add(id);
        assert.ok(stored.has(bytes), `${path} is in the vault`);
        const here = Object.entries(anna.files()).filter(([name]) => name.endsWith(`${id}.jsonl`));
        assert.deepEqual(here.map(([, text]) => text), [bytes], `${path} is here, once`);
      }
      assert.ok(ids.size > 0, "transcripts were compared");
      assert.equal((await importFrom(anna, [backup], { all: true })).imported, 0);
      assert.deepEqual((await anna.verify()).problems, []);
      rmSync(backup, { recursive: true });
    }
  }));

Deno.test("an import that is cut off at any call of the store is finished by the next one", () =>
  inTempDir(async (dir) => {
    for (let nth = 1, isOver = false; !isOver; nth++) {
      const faulty = new Map<string, FaultyStore>();
      const storeOf = (name: string, store: ObjectStore) => {
        const made = faulty.get(name) ?? faultyStore(store);
        faulty.set(name, made);
        return made;
      };
      const world = await newWorld(join(dir, String(nth)), { storeOf, startMs: NOW });
      const [anna, bert] = world.machines as [SyncMachine, SyncMachine];
      const backup = join(dir, `backup-${nth}`, ".claude");
      const ids = [FIRST, SECOND, OLD];
      for (const [seed, session] of ids.entries()) {
        const options = { session, cwd: OLD_CWD, seed, startMs: NOW - DAY_MS };
        const text = new SessionCorpus(options).next(200_000);
        put(join(backup, "projects", slugOf(OLD_CWD), `${session}.jsonl`), text);
      }
      const store = faulty.get("anna")!;
      store.plan(failNth(nth, nth % 2 === 0 ? "before" : "after", Infinity));
      const before = store.struck;
      await importFrom(anna, [backup]).catch((error) => {
        if (!(error instanceof ClaudeSyncError)) throw error;
      });
      isOver = store.struck === before;
      store.heal();
      const again = await importFrom(anna, [backup]);
      assert.deepEqual([again.found, again.failures, again.pull!.failures], [3, [], []]);
      await bert.pull({ all: true });
      for (const id of ids) {
        const path = join(backup, "projects", slugOf(OLD_CWD), `${id}.jsonl`);
        assert.equal(bert.readTranscript(id), readFileSync(path, "utf8"), `cut off at ${nth}`);
        assert.equal(anna.readTranscript(id), readFileSync(path, "utf8"), `cut off at ${nth}`);
      }
      assert.deepEqual((await bert.verify()).problems, []);
      assert.ok(nth < 60, "the import ends");
    }
  }));
