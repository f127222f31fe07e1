/** What `restore` brings back, and what it never touches. */
import assert from "node:assert/strict";
import { appendFileSync, existsSync, readFileSync, rmSync, statSync } from "node:fs";
import { mkdirSync, symlinkSync, utimesSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { slugOf } from "../../src/sessions/slug.ts";
import { syncService } from "../../src/sync/service.ts";
import { type FaultPlan, type FaultyFs, faultyFs } from "../support/faulty_fs.ts";
import { errorOf } from "../support/outcome.ts";
import { restore } from "../support/restore_world.ts";
import { pair, turn } from "../support/pair.ts";
import { filesBelow, inTempDir, said, SyncMachine, TestClock } from "../support/sync_machine.ts";
import { withoutFlush } from "../support/unflushed_fs.ts";

const FIRST = "11111111-1111-4111-8111-111111111111";
const OLD = "33333333-3333-4333-8333-333333333333";
const NOW = Date.now();
const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

/** Appends a turn as the client does, with the file's time. */
function goOn(machine: SyncMachine, session: string, text: string, atMs: number): void {
  const path = machine.transcriptPath(session);
  const line = turn(machine, text, atMs, session);
  if (existsSync(path)) appendFileSync(path, line);
  else machine.writeTranscript(session, line);
  utimesSync(path, atMs / 1000, atMs / 1000);
}

interface World {
  readonly dir: string;
  readonly clock: TestClock;
  readonly anna: SyncMachine;
  readonly bert: SyncMachine;
}

/** anna's FIRST has three versions, a day apart, with side files; OLD was used 100 days ago. */
async function withWorld(work: (world: World) => Promise<void>): Promise<void> {
  await inTempDir(async (dir) => {
    const clock = new TestClock(NOW);
    const [anna, bert] = await pair(dir, { clock, fs: withoutFlush });
    const slug = slugOf(anna.project);
    for (const [text, days] of [["one", 3], ["two", 2], ["three", 1]] as const) {
      goOn(anna, FIRST, text, NOW - days * DAY_MS);
      const agent = turn(anna, `agent of ${text}`, NOW - days * DAY_MS, FIRST);
      anna.write(
        join("projects", slug, FIRST, "subagents", "agent-a.jsonl"),
        agent,
        NOW - days * DAY_MS,
      );
      anna.write(join("file-history", FIRST, "aaaa@v1"), `file of ${text}`, NOW - days * DAY_MS);
      await anna.push();
    }
    goOn(anna, OLD, "old", NOW - 100 * DAY_MS);
    anna.write(join("file-history", OLD, "bbbb@v1"), "old file", NOW - 100 * DAY_MS);
    await anna.push();
    await work({ dir, clock, anna, bert });
  });
}

function removeAll(machine: SyncMachine, session: string): void {
  const path = machine.transcriptPath(session);
  rmSync(path);
  rmSync(path.replace(/\.jsonl$/, ""), { recursive: true, force: true });
  rmSync(join(machine.configDir, "file-history", session), { recursive: true, force: true });
}

Deno.test("restore brings back what the client's clean-up deleted, and it stays", () =>
  withWorld(async ({ anna, clock }) => {
    const before = anna.files();
    removeAll(anna, OLD);
    assert.equal((await anna.pull()).archived, 1);
    const result = await restore(anna, { queries: [OLD.slice(0, 6)] });
    assert.deepEqual([result.restored, result.failures], [1, []]);
    const [session] = result.sessions;
    assert.deepEqual(
      [session!.id, session!.outcome, session!.as, session!.title],
      [OLD, "restored", "itself", "old"],
    );
    assert.equal(session!.path, anna.transcriptPath(OLD));
    assert.deepEqual(anna.files(), before, "every byte, also of what goes with it");
    // The client goes by the file's time.
    for (const path of [session!.path!, join(anna.configDir, "file-history", OLD, "bbbb@v1")]) {
      const ageMs = clock.nowMs() - statSync(path).mtimeMs;
      assert.ok(ageMs >= 0 && ageMs < HOUR_MS, `${path} is ${ageMs} ms old`);
    }
    const [pull, push] = [await anna.pull(), await anna.push()];
    assert.deepEqual([pull.pulled, pull.archived, push.pushed], [0, 0, 0]);
    assert.deepEqual(anna.files(), before);
    const again = await restore(anna, { queries: [OLD] });
    assert.deepEqual([again.restored, again.sessions[0]!.outcome], [0, "unchanged"]);
    const target = await syncService.resume(anna.context(), OLD);
    assert.deepEqual([target.id, target.dir], [OLD, anna.project]);
  }));

Deno.test("restore brings back a file beside a transcript that is still here", () =>
  withWorld(async ({ anna }) => {
    const before = anna.files();
    rmSync(join(anna.configDir, "file-history", FIRST), { recursive: true });
    await anna.pull();
    assert.ok(!existsSync(join(anna.configDir, "file-history", FIRST)), "a pull leaves it away");
    assert.equal((await restore(anna, { queries: [FIRST] })).restored, 1);
    assert.deepEqual(anna.files(), before);
  }));

Deno.test("restore keeps what is still here, but old, from the clean-up", () =>
  withWorld(async ({ anna, clock }) => {
    const path = anna.transcriptPath(OLD);
    const result = await restore(anna, { queries: [OLD], dryRun: true });
    assert.equal(result.sessions[0]!.outcome, "unchanged");
    assert.ok(clock.nowMs() - statSync(path).mtimeMs > 99 * DAY_MS, "a dry run touches nothing");
    const before = anna.files();
    assert.equal((await restore(anna, { queries: [OLD] })).restored, 0);
    assert.ok(clock.nowMs() - statSync(path).mtimeMs < HOUR_MS);
    assert.deepEqual(anna.files(), before);
    const { pushed, bytes } = await anna.push();
    assert.deepEqual([pushed, bytes.sent], [0, 0]);
  }));

Deno.test("restore brings a session of an excluded project when it is named", () =>
  withWorld(async ({ anna, bert }) => {
    await bert.pull();
    removeAll(bert, FIRST);
    await syncService.projectExclude(bert.context(), "home:code/app", true);
    assert.equal((await restore(bert, { queries: [FIRST] })).restored, 1);
    assert.equal(bert.readTranscript(FIRST), anna.readTranscript(FIRST));
    assert.equal((await bert.push()).pushed, 0);
  }));

Deno.test("restore --archived takes all that a pull leaves, and a dry run writes nothing", () =>
  withWorld(async ({ anna, bert }) => {
    await bert.pull();
    const before = bert.files();
    const dry = await restore(bert, { archived: true, dryRun: true });
    assert.deepEqual([dry.restored, dry.sessions.map(({ of }) => of)], [1, [OLD]]);
    assert.deepEqual(bert.files(), before);
    const result = await restore(bert, { archived: true });
    assert.deepEqual([result.restored, result.failures], [1, []]);
    assert.equal(readFileSync(bert.transcriptPath(OLD), "utf8"), anna.readTranscript(OLD));
    assert.equal((await restore(bert, { archived: true })).sessions.length, 0);
  }));

Deno.test("restore finds a session by words of its title, though only the vault has it", () =>
  withWorld(async ({ bert }) => {
    const result = await restore(bert, { queries: ["OLD"] });
    assert.deepEqual(result.sessions.map(({ of }) => of), [OLD]);
    assert.equal(
      (await errorOf(restore(bert, { queries: ["nothing", "such"] }))).code,
      "not-found",
    );
    assert.equal((await errorOf(restore(bert, { queries: ["99999999"] }))).code, "not-found");
  }));

Deno.test("restore --project takes the project's sessions and no others", () =>
  withWorld(async ({ anna, bert }) => {
    const other = "44444444-4444-4444-8444-444444444444";
    const cwd = join(anna.home, "code", "other");
    mkdirSync(cwd, { recursive: true });
    const text = turn({ project: cwd }, "elsewhere", NOW - DAY_MS, other);
    anna.write(join("projects", slugOf(cwd), `${other}.jsonl`), text);
    await anna.push();
    const { sessions } = await restore(bert, { project: "app" });
    assert.deepEqual(new Set(sessions.map(({ of }) => of)), new Set([FIRST, OLD]));
    assert.equal((await errorOf(restore(bert, { project: "nowhere" }))).code, "not-found");
  }));

Deno.test("restore --at makes an earlier version a session of its own, with its files", () =>
  withWorld(async ({ anna, bert }) => {
    const before = anna.files();
    const result = await restore(anna, { queries: [FIRST], atMs: NOW - 2 * DAY_MS + HOUR_MS });
    const [session] = result.sessions;
    assert.deepEqual([session!.outcome, session!.as, result.failures], ["restored", "copy", []]);
    assert.notEqual(session!.id, FIRST);
    const after = anna.files();
    const { [`projects/${slugOf(anna.project)}/${session!.id}.jsonl`]: copy = "" } = after;
    assert.ok(copy.includes('"echo two"') && !copy.includes("three"), "as it was then");
    assert.ok(!copy.split("\n").some((line) => line.includes(`"sessionId":"${FIRST}","version"`)));
    assert.match(session!.title!, /^one \(as of \d{4}-\d\d-\d\d \d\d:\d\d UTC\)$/);
    const side = `projects/${slugOf(anna.project)}/${session!.id}/subagents/agent-a.jsonl`;
    assert.ok(after[side]!.includes("agent of two") && !after[side]!.includes(FIRST));
    assert.equal(after[`file-history/${session!.id}/aaaa@v1`], "file of two");
    for (const [path, bytes] of Object.entries(before)) assert.equal(after[path], bytes, path);
    // Nothing to send as long as nobody speaks in it; nothing undoes it.
    const [pull, push] = [await anna.pull({ all: true }), await anna.push()];
    assert.deepEqual([pull.pulled, push.pushed], [0, 0]);
    assert.deepEqual(anna.files(), after);
    const again = await restore(anna, { queries: [FIRST], atMs: NOW - 2 * DAY_MS + HOUR_MS });
    assert.deepEqual([again.restored, again.sessions[0]!.id], [0, session!.id]);
    // Somebody goes on with it: then it travels, with all that belongs to it.
    goOn(anna, session!.id, "another way", NOW);
    assert.equal((await anna.push()).pushed, 1);
    await bert.pull({ all: true });
    const [here, there] = [anna.files(), bert.files()];
    for (const path of Object.keys(here).filter((each) => each.includes(session!.id))) {
      assert.equal(
        there[path.replace(slugOf(anna.project), slugOf(bert.project))],
        here[path],
        path,
      );
    }
    assert.deepEqual((await bert.verify()).problems, []);
  }));

Deno.test("restore without a version that old says so", () =>
  withWorld(async ({ anna }) => {
    const error = await errorOf(restore(anna, { queries: [FIRST], atMs: NOW - 9 * DAY_MS }));
    assert.equal(error.code, "not-found");
    const many = await restore(anna, { project: "app", atMs: NOW - 9 * DAY_MS });
    assert.deepEqual(
      many.sessions.map(({ of, outcome }) => [of, outcome]),
      [[FIRST, "failed"], [OLD, "unchanged"]],
    );
  }));

Deno.test("restore gets back a rewritten generation and another machine's continuation", () =>
  withWorld(async ({ anna, bert }) => {
    await bert.pull();
    goOn(bert, FIRST, "bert's way", NOW - 20 * HOUR_MS);
    await bert.push();
    goOn(anna, FIRST, "anna's way", NOW - 30 * HOUR_MS);
    await anna.push();
    // The client takes an answer back and gives another one: the file is written anew.
    const kept = anna.readTranscript(OLD).trimEnd().split("\n").slice(0, -1).join("\n") + "\n";
    const facts = { session: OLD, cwd: anna.project, atMs: NOW - 10 * HOUR_MS };
    anna.writeTranscript(OLD, kept + said("assistant", "otherwise", facts), NOW - 10 * HOUR_MS);
    await anna.push();
    const expected = {
      [FIRST]: ["branch", "earlier", "earlier", "earlier", "newest"],
      [OLD]: ["newest", "rewritten"],
    };
    for (const [id, kinds] of Object.entries(expected)) {
      const list = await syncService.restoreVersions(anna.context(), [id]);
      assert.deepEqual(list.versions.map(({ kind }) => kind).sort(), kinds, list.title!);
      for (const row of list.versions) {
        const request = { queries: [id], version: row.version.slice(0, 10) };
        const { sessions: [one], failures } = await restore(anna, request);
        assert.deepEqual(failures, []);
        assert.equal(one!.version, row.version);
        assert.equal(one!.as, row.kind === "newest" ? "itself" : "copy");
        assert.ok(existsSync(one!.path!));
      }
    }
    assert.ok(Object.values(anna.files()).join("").includes('"echo old"'), "what was taken back");
    const texts = Object.values(anna.files()).join("");
    assert.ok(texts.includes("bert's way"), "what the other machine said");
    assert.equal(
      (await errorOf(restore(anna, { queries: [FIRST], version: "ffff" }))).code,
      "not-found",
    );
  }));

Deno.test("restore pushes what is new here before it replaces anything", () =>
  withWorld(async ({ anna, bert }) => {
    await bert.pull();
    goOn(anna, FIRST, "anna goes on", NOW - HOUR_MS);
    await anna.push();
    goOn(bert, FIRST, "bert goes on", NOW - HOUR_MS + 1);
    const result = await restore(bert, { queries: [FIRST] });
    assert.deepEqual(result.failures, []);
    const texts = Object.values(bert.files()).join("");
    assert.ok(texts.includes("anna goes on") && texts.includes("bert goes on"), "both are here");
    await anna.pull();
    assert.ok(Object.values(anna.files()).join("").includes("bert goes on"), "and in the vault");
  }));

Deno.test("restore leaves a session alone that is open", () =>
  withWorld(async ({ anna, bert }) => {
    await bert.pull();
    goOn(anna, FIRST, "more", NOW - HOUR_MS);
    await anna.push();
    const before = bert.readTranscript(FIRST);
    const { pid } = bert.platform.host;
    bert.write(join("sessions", `${pid}.json`), JSON.stringify({ pid, sessionId: FIRST }));
    const result = await restore(bert, { queries: [FIRST] });
    assert.deepEqual([result.restored, result.sessions[0]!.outcome], [0, "open"]);
    assert.equal(bert.readTranscript(FIRST), before);
  }));

Deno.test("restore --to writes exact files, and replaces only what the vault has", () =>
  withWorld(async ({ dir, anna, bert }) => {
    const to = join(dir, "out");
    const here = bert.files();
    const result = await restore(bert, { queries: [FIRST, OLD], to });
    assert.deepEqual([result.restored, result.failures], [2, []]);
    assert.deepEqual(bert.files(), here, "nothing in Claude Code's own folder");
    const moved = Object.entries(anna.files())
      .map(([path, bytes]) => [path.replace(slugOf(anna.project), slugOf(bert.project)), bytes]);
    assert.deepEqual(filesBelow(to), Object.fromEntries(moved));
    const [first] = result.sessions;
    assert.ok(Math.abs(statSync(first!.path!).mtimeMs - (NOW - DAY_MS)) < 1000, "its own time");
    assert.equal((await restore(bert, { queries: [FIRST], to })).sessions[0]!.outcome, "unchanged");
    // An earlier version under the same name: refused, then forced, as the vault has what is there.
    const earlier = { queries: [FIRST], to, atMs: NOW - 2 * DAY_MS + HOUR_MS };
    const refused = await restore(bert, earlier);
    assert.deepEqual([refused.restored, refused.sessions[0]!.outcome], [0, "failed"]);
    assert.ok(readFileSync(first!.path!, "utf8").includes("three"));
    assert.equal((await restore(bert, { ...earlier, force: true })).restored, 1);
    assert.ok(!readFileSync(first!.path!, "utf8").includes("three"));
    // Bytes that nobody else has stay, forced or not.
    appendFileSync(first!.path!, "mine\n");
    const forced = await restore(bert, { queries: [FIRST], to, force: true });
    assert.equal(forced.sessions[0]!.outcome, "failed");
    assert.ok(readFileSync(first!.path!, "utf8").endsWith("mine\n"));
  }));

Deno.test("restore --to follows no link out of the folder, and refuses Claude Code's own", () =>
  withWorld(async ({ dir, bert }) => {
    const [to, outside] = [join(dir, "out"), join(dir, "outside")];
    mkdirSync(join(to, "file-history"), { recursive: true });
    mkdirSync(outside);
    symlinkSync(outside, join(to, "file-history", FIRST));
    const result = await restore(bert, { queries: [FIRST], to });
    assert.equal(result.sessions[0]!.outcome, "failed");
    assert.deepEqual(filesBelow(outside), {});
    const link = join(dir, "link");
    symlinkSync(bert.configDir, link);
    const inside = [join(bert.configDir, "projects"), join(link, "new"), join(link, "new", "er")];
    for (const own of [bert.configDir, link, ...inside]) {
      assert.equal((await errorOf(restore(bert, { queries: [FIRST], to: own }))).code, "usage");
    }
    assert.ok(!existsSync(dirname(bert.transcriptPath(FIRST))));
  }));

Deno.test("a restored copy that crashed half-way is finished by the next one", () =>
  withWorld(async ({ anna }) => {
    const wish = { queries: [FIRST], atMs: NOW - 2 * DAY_MS + HOUR_MS };
    const { sessions: [one] } = await restore(anna, wish);
    const whole = anna.files();
    // The transcript comes last, so this is what a crash leaves.
    rmSync(one!.path!);
    rmSync(join(anna.configDir, "file-history", one!.id), { recursive: true });
    assert.equal((await restore(anna, wish)).restored, 1);
    assert.deepEqual(anna.files(), whole);
    writeFileSync(one!.path!, "somebody else's\n");
    assert.equal((await restore(anna, wish)).sessions[0]!.outcome, "unchanged");
    assert.equal(readFileSync(one!.path!, "utf8"), "somebody else's\n");
  }));

Deno.test("a restored copy of which a crash left a part is pushed no more than a whole one", () =>
  withWorld(async ({ dir, anna, bert, clock }) => {
    const request = { queries: [FIRST], atMs: NOW - 3 * DAY_MS };
    const before = anna.files();
    const links: string[] = [];
    // Each time one more file comes to its place.
    for (let crash = 0; crash < 3; crash++) {
      const plan: FaultPlan = { failNth: 1, from: "then-on", effect: "after", calls: ["link"] };
      const made: FaultyFs[] = [];
      const crashing = new SyncMachine({
        name: "anna",
        dir,
        clock,
        fs: (fs) => {
          made.push(faultyFs(withoutFlush(fs), plan));
          return made[0]!;
        },
      });
      assert.equal((await restore(crashing, request)).failures.length, 1);
      links.push(...made[0]!.log);
      assert.deepEqual([(await anna.push()).bytes.sent, (await anna.push()).requests], [0, 1]);
    }
    assert.equal(new Set(links).size, 3, links.join("\n"));
    const { sessions: [copy] } = await restore(anna, request);
    assert.equal(copy!.outcome, "unchanged");
    assert.deepEqual({ ...anna.files(), ...before }, anna.files());
    goOn(anna, copy!.id, "somebody goes on", NOW - HOUR_MS);
    assert.deepEqual((await anna.push()).pushed, 1);
    await bert.pull({ all: true });
    const ofCopy = Object.keys(bert.files()).filter((path) => path.includes(copy!.id));
    assert.equal(ofCopy.length, 3, `all of it is sent: ${ofCopy}`);
  }));
