/** A vault of two machines with all kinds of objects, and what machines make of an attack on it. */
import assert from "node:assert/strict";
import { cpSync, readFileSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import type { Bytes } from "../../src/base/bytes.ts";
import { CONSEQUENCES, EXIT } from "../../src/cli/error_report.ts";
import { type ErrorCode } from "../../src/errors.ts";
import { slugOf } from "../../src/sessions/slug.ts";
import { type ObjectName, objectName } from "../../src/storage/object_name.ts";
import { codeOf } from "../support/outcome.ts";
import { inTempDir, said, SyncMachine, TestClock } from "../support/sync_machine.ts";
import { type Objects, TamperedStore } from "../support/tampered_store.ts";
import { withoutFlush } from "../support/unflushed_fs.ts";

/** A session whose bytes travel inside entries, rewritten once. */
export const SMALL = "11111111-1111-4111-8111-111111111111";
/** Sessions whose bytes travel in packs, with sidecars. */
const LARGE = [
  "22222222-2222-4222-8222-222222222222",
  "33333333-3333-4333-8333-333333333333",
];
/** A session that only bert has. */
export const UNSENT = "44444444-4444-4444-8444-444444444444";
const NOW = Date.now();
const T0 = NOW - 86_400_000;

/** Name of the header. */
export const HEADER = objectName("claude-sync.json");

/**
 * `anna` and `bert` wrote the vault and have read all of it. `carl` has its key and has read
 * nothing. `history` holds the vault after each push, the newest last.
 */
export interface World {
  readonly store: TamperedStore;
  readonly anna: SyncMachine;
  readonly bert: SyncMachine;
  readonly carl: SyncMachine;
  readonly history: readonly Objects[];
  readonly whole: Objects;
  readonly dir: string;
  readonly clock: TestClock;
}

/** Incompressible lines, so that they travel in a pack. */
function noise(sizeBytes: number, seed: number): string {
  const bytes = new Uint8Array(sizeBytes);
  let state = seed;
  for (let i = 0; i < sizeBytes; i++) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) | 0;
    bytes[i] = state >>> 24;
  }
  return Buffer.from(bytes).toString("base64");
}

async function makeWorld(dir: string): Promise<World> {
  const store = new TamperedStore();
  const clock = new TestClock(NOW);
  const machine = (name: string) =>
    new SyncMachine({ name, dir, clock, fs: withoutFlush, store: () => store.open() });
  const [anna, bert, carl] = [machine("anna"), machine("bert"), machine("carl")];
  const history: Objects[] = [];
  const push = async (who: SyncMachine) => {
    clock.advance(60_000);
    assert.ok((await who.push()).pushed > 0);
    history.push(store.objects());
  };
  await anna.init();
  await bert.join(anna);
  await carl.join(anna);
  const turn = (who: SyncMachine, session: string, text: string, atMs: number) => {
    const facts = { session, cwd: who.project, atMs };
    return said("user", text, facts) +
      said("assistant", `echo ${text}`, { ...facts, atMs: atMs + 1 });
  };
  const first = turn(anna, SMALL, "hello", T0);
  anna.writeTranscript(SMALL, first);
  await push(anna);
  await bert.pull();
  bert.writeTranscript(SMALL, bert.readTranscript(SMALL) + turn(bert, SMALL, "more", T0 + 5000));
  await push(bert);
  await anna.pull();
  for (const [i, session] of LARGE.entries()) {
    const facts = { session, cwd: anna.project, atMs: T0 + i };
    const answer = said("assistant", noise(280_000, i + 1), facts);
    anna.writeTranscript(session, said("user", "make noise", facts) + answer);
    const side = join("projects", slugOf(anna.project), session);
    anna.write(join(side, "subagents", "agent-abc.jsonl"), turn(anna, session, "side", T0));
    anna.write(join(side, "tool-results", "one.txt"), `result ${i}\n`);
    await push(anna);
  }
  await bert.pull();
  bert.write(
    join("projects", slugOf(bert.project), LARGE[0]!, "tool-results", "one.txt"),
    "another result\n",
  );
  // An answer was taken back: a new generation.
  const lines = bert.readTranscript(SMALL).trimEnd().split("\n");
  const kept = lines.slice(0, -1).join("\n") + "\n";
  bert.writeTranscript(SMALL, kept + turn(bert, SMALL, "again", T0 + 7000), NOW - 7_200_000);
  await push(bert);
  await anna.pull();
  anna.writeTranscript(SMALL, anna.readTranscript(SMALL) + turn(anna, SMALL, "last", T0 + 9000));
  await push(anna);
  await bert.pull();
  // What bert has not sent yet: a push that went on regardless would show in the store.
  bert.writeTranscript(UNSENT, turn(bert, UNSENT, "not sent", T0));
  // What carl has of the session was copied there by hand; a pull would go on with it.
  carl.writeTranscript(SMALL, first);
  cpSync(join(carl.home, ".claude-sync"), join(dir, "carl-at-first"), { recursive: true });
  return { store, anna, bert, carl, history, whole: store.objects(), dir, clock };
}

/** Runs `work` in a new world. */
export async function withWorld(work: (world: World) => Promise<void>): Promise<void> {
  await inTempDir(async (dir) => await work(await makeWorld(dir)));
}

/** Makes carl again the machine that has read nothing. */
function forgetAll({ carl, dir }: World): void {
  rmSync(join(carl.home, ".claude-sync"), { recursive: true });
  cpSync(join(dir, "carl-at-first"), join(carl.home, ".claude-sync"), { recursive: true });
}

/** The client's files and their times. */
export function filesOf(machine: SyncMachine) {
  const files = machine.files();
  return Object.entries(files).map(([name, content]) => {
    const { mtimeMs } = statSync(join(machine.configDir, name));
    return { name, mtimeMs, content };
  });
}

/** What an attacker could want to change on a machine that has read everything. */
export function localState(machine: SyncMachine) {
  const trust = readFileSync(join(machine.home, ".claude-sync", "trust.json"), "utf8");
  return { files: filesOf(machine), trust };
}

/** Asserts that `code` is one of exit 13. */
export function assertAlarm(code: string | null, what: string): void {
  assert.ok(code !== null, `${what}: went unnoticed`);
  assert.equal(CONSEQUENCES[code as ErrorCode].exit, EXIT.damaged, `${what}: ${code}`);
}

/** What verify reports; all of it must be of exit 13. */
export async function problemsOf(machine: SyncMachine, readData: boolean) {
  const { problems } = await machine.verify(readData);
  for (const { code } of problems) assert.equal(CONSEQUENCES[code as ErrorCode].exit, EXIT.damaged);
  return problems;
}

/** How a machine that has read everything, and one that has read nothing, take an attack. */
export interface Expected {
  /** verify of the veteran must name this object; null: it must find nothing. */
  readonly names?: string | null;
  /** verify notices without data; otherwise only with `readData`. */
  readonly byListing: boolean;
  /** pull and push of the veteran alarm; otherwise they have no reason to look and do nothing. */
  readonly veteran: boolean;
  /** pull of the newcomer alarms. */
  readonly newcomer: boolean;
}

/** Shows `objects` to bert and carl and asserts what they make of it, and that nothing changes. */
export async function attack(
  world: World,
  what: string,
  objects: Objects,
  expected: Expected,
): Promise<void> {
  const { store, bert, carl } = world;
  await store.show(objects);
  const before = [localState(bert), filesOf(carl)];
  // What the listing shows, verify reports without reading packs; the rest it reports with them.
  const problems = await problemsOf(bert, !expected.byListing);
  if (!expected.byListing) assert.deepEqual(await problemsOf(bert, false), [], what);
  if (expected.names === null) {
    assert.deepEqual(problems, [], what);
  } else {
    assert.ok(problems.length > 0, `${what}: verify found nothing`);
    const { names } = expected;
    if (names !== undefined) {
      assert.ok(problems.some((one) => one.objectName === names), `${what}: ${names} not named`);
    }
  }
  const pulled = await codeOf(bert.pull());
  if (expected.veteran) {
    assertAlarm(pulled, `${what}: pull of a veteran`);
    assertAlarm(await codeOf(bert.push()), `${what}: push of a veteran`);
    assertAlarm(await codeOf(bert.sync()), `${what}: sync of a veteran`);
  } else {
    assert.equal(pulled, null, `${what}: pull of a veteran`);
  }
  if (expected.newcomer) {
    assertAlarm(await codeOf(carl.pull()), `${what}: pull of a newcomer`);
    assert.deepEqual(filesOf(carl), before[1], `${what}: a newcomer's files`);
    forgetAll(world);
  }
  assert.deepEqual(localState(bert), before[0], `${what}: a veteran's files`);
  assert.deepEqual(store.puts, [], `${what}: something was pushed`);
}

/** `objects` with one replaced, or removed. */
export function changed(objects: Objects, name: ObjectName, bytes: Bytes | null): Objects {
  const copy = new Map(objects);
  if (bytes === null) copy.delete(name);
  else copy.set(name, bytes);
  return copy;
}

/** All names but the header, sorted. */
export function sealedNames(objects: Objects): ObjectName[] {
  return [...objects.keys()].filter((name) => name !== HEADER).sort();
}

/** Whether the object is a log entry. */
export function isLog(name: ObjectName): boolean {
  return name.startsWith("log/");
}

/** `bytes` with one bit of one byte turned over. */
export function flipped(bytes: Bytes, at: number): Bytes {
  const copy = bytes.slice();
  copy[at]! ^= 1 << (at % 8);
  return copy;
}
