/** Ways in which merging and failing have gone wrong elsewhere (`tests/checks/known_bugs.ts`). */
import assert from "node:assert/strict";
import { appendFileSync, existsSync, rmSync } from "node:fs";
import { join } from "node:path";
import { ClaudeSyncError, isClaudeSyncError } from "../../src/errors.ts";
import type { FileSystem } from "../../src/platform/types.ts";
import { slugOf } from "../../src/sessions/slug.ts";
import { syncService } from "../../src/sync/service.ts";
import { changedStore } from "../support/changed_store.ts";
import { ID, pair, T0 } from "../support/pair.ts";
import { filesBelow, inTempDir, said, SyncMachine } from "../support/sync_machine.ts";

const OTHER = "22222222-2222-4222-8222-222222222222";

function turn(machine: SyncMachine, text: string, atMs: number, more = {}): string {
  const facts = { session: ID, cwd: machine.project, atMs, ...more };
  return said("user", text, facts) + said("assistant", `to ${text}`, { ...facts, atMs: atMs + 1 });
}

/** A text that a machine's session begins or goes on with. */
type TextOf = (machine: SyncMachine) => string;

/** Both machines go on with what anna has pushed; gives the text of each session's file on both. */
async function fork(dir: string, base: TextOf, ours: TextOf, theirs: TextOf): Promise<string[]> {
  const [a, b] = await pair(dir);
  a.writeTranscript(ID, base(a));
  await a.push();
  await b.pull();
  appendFileSync(a.transcriptPath(ID), ours(a));
  appendFileSync(b.transcriptPath(ID), theirs(b));
  for (const machine of [a, b, a]) await machine.sync();
  const texts = [a, b].map((machine) =>
    Object.entries(machine.files()).filter(([path]) => path.endsWith(".jsonl"))
      .map(([path, text]) => [path.slice(path.lastIndexOf("/")), text] as const)
  );
  assert.deepEqual(texts[0], texts[1], "both machines have the same files");
  assert.equal(texts[0]!.length, 2);
  return texts[0]!.map(([, text]) => text);
}

function titlesOf(text: string): string[] {
  return text.trimEnd().split("\n").map((line) => JSON.parse(line))
    .filter(({ type }) => type === "custom-title").map(({ customTitle }) => customTitle);
}

Deno.test("paths of Windows stay what they were where a branch is written anew", () =>
  inTempDir(async (dir) => {
    const cwd = "C:\\Users\\new\\u0041pp";
    const words = `open ${cwd}\\table "q"`;
    const facts = { session: ID, cwd, atMs: T0 };
    const title = JSON.stringify({ type: "custom-title", customTitle: words, sessionId: ID }) +
      "\n";
    const begin = said("user", "begin", { ...facts, cwd: join(dir, "anna", "code", "app") });
    const base = begin + said("user", words, facts) + title;
    const later = (atMs: number) => said("user", words, { ...facts, atMs });
    const texts = await fork(
      dir,
      () => base,
      () => later(T0 + 1000),
      () => later(T0 + 2000) + title,
    );
    for (const text of texts) {
      const records = text.trimEnd().split("\n").map((line) => JSON.parse(line));
      const spoken = records.filter(({ type }) => type === "user");
      assert.equal(spoken.length, 3);
      for (const record of spoken.slice(1)) {
        assert.deepEqual([record.cwd, record.message.content], [cwd, words]);
      }
      for (const one of titlesOf(text)) assert(one.startsWith(words), one);
    }
    const branch = texts.find((text) => !text.startsWith(base))!;
    assert.match(titlesOf(branch).at(-1)!, /\\table "q" \(from bert\)$/);
  }));

Deno.test("the lines of two that went on keep their order, and the last title counts", () =>
  inTempDir(async (dir) => {
    const title = (customTitle: string) =>
      JSON.stringify({ type: "custom-title", customTitle, sessionId: ID }) + "\n";
    const say = (text: string, atMs: number) =>
      said("user", text, { session: ID, cwd: join(dir, "anna", "code", "app"), atMs });
    // By time the titles, which have none, would come first and "late" after "early".
    const base = say("start", T0) + title("first") + say("late", T0 + 9000) +
      say("early", T0 + 500);
    const ours = say("ours", T0 + 10_000) + title("our last");
    const theirs = say("theirs", T0 + 11_000) + title("their middle") + title("their last");
    const texts = await fork(dir, () => base, () => ours, () => theirs);
    const branch = texts.find((text) => text !== base + ours)!;
    assert(texts.includes(base + ours), "the one that keeps its id is as it was");
    const words = branch.trimEnd().split("\n").map((line) => JSON.parse(line))
      .flatMap(({ message }) => message === undefined ? [] : [message.content]);
    assert.deepEqual(words, ["start", "late", "early", "theirs"]);
    assert.equal(titlesOf(base + ours).at(-1), "our last");
    assert.equal(titlesOf(branch).at(-1), "their last (from bert)");
  }));

/** `fs` on which a file is deleted right before the nth call about it, counted in `seen`. */
function deletingFs(fs: FileSystem, plan: { path: string; nth: number; seen: number }): FileSystem {
  const calls = Object.entries(fs).map(([name, call]) => [
    name,
    (path: string, ...more: unknown[]) => {
      if (path === plan.path && ++plan.seen === plan.nth) rmSync(path);
      return (call as (...all: unknown[]) => unknown)(path, ...more);
    },
  ]);
  return Object.fromEntries(calls);
}

Deno.test("a file that is deleted while a push reads it costs that file alone", () =>
  inTempDir(async (dir) => {
    const plan = { path: "", nth: 0, seen: 0 };
    const a = new SyncMachine({ name: "anna", dir, fs: (fs) => deletingFs(fs, plan) });
    const b = new SyncMachine({ name: "bert", dir });
    await a.init();
    await b.join(a);
    const other = turn(a, "goes", T0, { session: OTHER });
    a.writeTranscript(ID, turn(a, "stays", T0));
    for (let nth = 1;; nth++) {
      a.writeTranscript(OTHER, other);
      await a.push();
      appendFileSync(a.transcriptPath(ID), turn(a, "more", T0 + nth));
      appendFileSync(a.transcriptPath(OTHER), turn(a, "more", T0 + nth, { session: OTHER }));
      Object.assign(plan, { path: a.transcriptPath(OTHER), nth, seen: 0 });
      const { failures } = await a.push();
      Object.assign(plan, { path: "" });
      assert(failures.every(({ sessionId }) => sessionId === OTHER), `call ${nth}`);
      assert.equal((await a.push()).failed, 0);
      assert.deepEqual((await a.verify()).problems, []);
      await b.pull();
      assert.equal(b.readTranscript(ID), a.readTranscript(ID), `call ${nth}`);
      assert(b.readTranscript(OTHER).startsWith(other), "what was sent before is there");
      if (plan.seen < nth) break;
      assert(!existsSync(a.transcriptPath(OTHER)), `deleted at call ${nth}`);
    }
  }));

Deno.test("names of files come back sign for sign, whatever a store writes them as", () =>
  inTempDir(async (dir) => {
    const [a, b] = await pair(dir);
    const names = ["a_b__c.txt", "%2F%5f.txt", "a+b=c-.txt", "_.txt", "a b&amp;.txt", "é’日.txt"];
    a.writeTranscript(ID, turn(a, "one", T0));
    for (const name of names) {
      a.write(`projects/${slugOf(a.project)}/${ID}/tool-results/${name}`, `in ${name}`);
    }
    a.write(`projects/${slugOf(a.project)}/${ID}/subagents/agent-_a_.jsonl`, turn(a, "sub", T0));
    assert.deepEqual((await a.push()).failures, []);
    await b.pull();
    const under = (machine: SyncMachine) => filesBelow(machine.transcriptPath(ID).slice(0, -6));
    assert.equal(Object.keys(under(a)).length, names.length + 1);
    assert.deepEqual(under(b), under(a));
  }));

Deno.test("a file here that cannot be compared is not taken for one without a conflict", () =>
  inTempDir(async (dir) => {
    let broken = false;
    const disk = (fs: FileSystem): FileSystem => ({
      ...fs,
      openRead: (path) => {
        if (!broken || !path.endsWith(`${ID}.jsonl`)) return fs.openRead(path);
        throw new ClaudeSyncError("local-io", `Cannot read "${path}": EIO`, { path });
      },
    });
    const a = new SyncMachine({ name: "anna", dir });
    const b = new SyncMachine({ name: "bert", dir, fs: disk });
    await a.init();
    await b.join(a);
    a.writeTranscript(ID, turn(a, "one", T0));
    await a.push();
    await b.pull();
    appendFileSync(a.transcriptPath(ID), turn(a, "ours", T0 + 1000));
    await a.push();
    const unsent = b.readTranscript(ID) + turn(b, "theirs", T0 + 2000);
    b.writeTranscript(ID, unsent);
    broken = true;
    const { failures } = await b.pull();
    assert(failures.some(({ sessionId }) => sessionId === ID), "it is said");
    assert.equal(b.readTranscript(ID), unsent);
    broken = false;
    await b.sync();
    assert(Object.values(b.files()).some((text) => text.includes("to ours")));
    assert(Object.values(b.files()).some((text) => text.includes("to theirs")));
  }));

Deno.test("a push that the store refuses is never called in step", () =>
  inTempDir(async (dir) => {
    let refuses = false;
    const a: SyncMachine = new SyncMachine({
      name: "anna",
      dir,
      store: async (location, create) => {
        const store = await a.openStore(location, create);
        return changedStore(store, {
          put: (name, body, options) => {
            if (!refuses) return store.put(name, body, options);
            throw new ClaudeSyncError("store-refused", "No more writes");
          },
        });
      },
    });
    await a.init();
    a.writeTranscript(ID, turn(a, "one", T0));
    await a.push();
    appendFileSync(a.transcriptPath(ID), turn(a, "two", T0 + 1000));
    refuses = true;
    const isRefused = (error: unknown) => isClaudeSyncError(error, "store-refused");
    for (let round = 0; round < 2; round++) {
      await assert.rejects(a.push(), isRefused);
      await assert.rejects(a.sync(), isRefused);
      const { verdict, unsent, lastPush } = await syncService.status(a.context());
      assert.deepEqual([verdict, unsent, lastPush?.ok], ["failing", 1, false]);
    }
    refuses = false;
    assert.equal((await a.sync()).push.pushed, 1);
    assert.equal((await syncService.status(a.context())).verdict, "ok");
  }));

Deno.test("files beside both continuations come to every machine with them", () =>
  inTempDir(async (dir) => {
    const [a, b] = await pair(dir);
    a.writeTranscript(ID, turn(a, "one", T0));
    await a.push();
    await b.pull();
    for (const machine of [a, b]) {
      const { name } = machine;
      appendFileSync(machine.transcriptPath(ID), turn(machine, name, T0 + 1000));
      const beside = `projects/${slugOf(machine.project)}/${ID}`;
      machine.write(`${beside}/tool-results/${name}.txt`, `result of ${name}`);
      machine.write(
        `${beside}/subagents/agent-${name}.jsonl`,
        turn(machine, `${name}'s agent`, T0),
      );
    }
    for (const machine of [a, b, a, b]) await machine.sync();
    for (const machine of [a, b]) {
      const files = Object.values(machine.files()).join("");
      for (const name of ["anna", "bert"]) {
        assert(files.includes(`result of ${name}`), `${machine.name}: result of ${name}`);
        assert(files.includes(`to ${name}'s agent`), `${machine.name}: agent of ${name}`);
      }
    }
  }));

Deno.test("a push only adds to the store: nothing there is replaced or taken away", () =>
  inTempDir(async (dir) => {
    const [a] = await pair(dir);
    a.writeTranscript(ID, turn(a, "one", T0) + turn(a, "two", T0 + 1000));
    await a.push();
    const steps = [
      () => appendFileSync(a.transcriptPath(ID), turn(a, "three", T0 + 2000)),
      () => a.writeTranscript(ID, turn(a, "rewritten", T0), T0),
      () => a.writeTranscript(OTHER, turn(a, "other", T0, { session: OTHER })),
      () => rmSync(a.transcriptPath(ID)),
    ];
    for (const step of steps) {
      const before = filesBelow(a.vaultDir);
      step();
      await a.push();
      const after = filesBelow(a.vaultDir);
      for (const [name, content] of Object.entries(before)) assert(after[name] === content, name);
    }
  }));

Deno.test("a machine without the key brings nothing here and sends nothing", () =>
  inTempDir(async (dir) => {
    const a = new SyncMachine({ name: "anna", dir });
    const b = new SyncMachine({ name: "bert", dir });
    await a.init();
    a.writeTranscript(ID, turn(a, "one", T0));
    await a.push();
    await b.init();
    b.writeTranscript(OTHER, turn(b, "theirs", T0, { session: OTHER }));
    const [here, vault] = [b.files(), filesBelow(a.vaultDir)];
    for (const run of [() => b.push(), () => b.pull(), () => b.sync()]) {
      await assert.rejects(
        run(),
        (error: unknown) => isClaudeSyncError(error) && error.code !== "bug",
      );
    }
    assert.deepEqual([b.files(), filesBelow(a.vaultDir)], [here, vault]);
    assert.equal((await syncService.status(b.context())).verdict, "needs-key");
  }));
