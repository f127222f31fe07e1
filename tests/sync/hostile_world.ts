/** Two honest machines, a hostile member, and what honest machines make of his lies. */
import assert from "node:assert/strict";
import { lstatSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { type ErrorCode } from "../../src/errors.ts";
import { slugOf } from "../../src/sessions/slug.ts";
import { codeOf } from "../support/outcome.ts";
import { inTempDir, said, SyncMachine, TestClock } from "../support/sync_machine.ts";
import { withoutFlush } from "../support/unflushed_fs.ts";
import { addOf, HostileMember, type LooseAdd } from "./hostile_member.ts";

/** Session that bert has. */
export const HONEST = "11111111-1111-4111-8111-111111111111";
/** Session that waits for bert. */
export const NEWS = "22222222-2222-4222-8222-222222222222";
/** Session that is lied about. */
export const HOSTILE = "66666666-6666-4666-8666-666666666666";
/** Session of the hostile member that is as it should be. */
export const GOOD = "77777777-7777-4777-8777-777777777777";
const T0 = Date.now() - 86_400_000;
/** A hash of nothing known. */
export const HASH_A = "a".repeat(64);

/** Two honest machines and a hostile member. */
export interface Victims {
  readonly dir: string;
  readonly anna: SyncMachine;
  readonly bert: SyncMachine;
  readonly mallory: HostileMember;
}

/** A transcript in which `texts` are said. */
export function turns(session: string, cwd: string, texts: readonly string[]): string {
  return texts.map((text, i) =>
    said("user", text, { session, cwd, atMs: T0 + 10 * i }) +
    said("assistant", `echo ${text}`, { session, cwd, atMs: T0 + 10 * i + 1 })
  ).join("");
}

/** bert has one honest session, and an honest one is waiting for him. */
export async function withVictims(work: (victims: Victims) => Promise<void>): Promise<void> {
  await inTempDir(async (dir) => {
    const clock = new TestClock(Date.now());
    const anna = new SyncMachine({ name: "anna", dir, clock, fs: withoutFlush });
    const bert = new SyncMachine({ name: "bert", dir, clock, fs: withoutFlush });
    await anna.init();
    await bert.join(anna);
    anna.writeTranscript(HONEST, turns(HONEST, anna.project, ["honest"]));
    await anna.push();
    await bert.pull();
    anna.writeTranscript(NEWS, turns(NEWS, anna.project, ["news"]));
    await anna.push();
    await work({ dir, anna, bert, mallory: await HostileMember.join(anna) });
  });
}

/** Every file and link below `dir` but those of our own folders and the vault. */
export function everything(dir: string): Map<string, string> {
  const found = new Map<string, string>();
  const walk = (at: string) => {
    for (const entry of readdirSync(join(dir, at), { withFileTypes: true })) {
      const path = at === "" ? entry.name : `${at}/${entry.name}`;
      if (entry.name === ".claude-sync" || path === "vault") continue;
      if (entry.isDirectory()) walk(path);
      else if (entry.isFile()) {
        const { mtimeMs } = lstatSync(join(dir, path));
        found.set(path, `${mtimeMs} ${readFileSync(join(dir, path), "latin1")}`);
      } else found.set(path, "link");
    }
  };
  walk("");
  return found;
}

/** Paths that differ. */
export function changes(before: Map<string, string>, after: Map<string, string>): string[] {
  const paths = new Set([...before.keys(), ...after.keys()]);
  return [...paths].filter((path) => before.get(path) !== after.get(path)).sort();
}

/** Asserts that bert refuses the vault as a whole: nothing changes here or there. */
export async function assertRefused(
  { dir, bert }: Victims,
  what: string,
  codes: readonly ErrorCode[] = ["damaged"],
): Promise<void> {
  const before = everything(dir);
  const vault = vaultNames(bert);
  for (const run of [() => bert.pull(), () => bert.push(), () => bert.sync()]) {
    const code = await codeOf(run());
    assert.ok(code !== null && codes.includes(code), `${what}: ${code}`);
  }
  assert.deepEqual(changes(before, everything(dir)), [], what);
  assert.deepEqual(vaultNames(bert), vault, what);
  const problems = (await bert.verify()).problems.map(({ code }) => code);
  assert.ok(problems.some((code) => codes.some((one) => one === code)), `${what}: ${problems}`);
}

/** Every path in the vault's folder. */
export function vaultNames(machine: SyncMachine): string[] {
  return readdirSync(machine.vaultDir, { recursive: true, encoding: "utf8" }).sort();
}

/** Runs `lie` in one vault after the other; each must be refused as a whole. */
export async function assertAllRefused(
  lies: Readonly<Record<string, (victims: Victims) => Promise<unknown>>>,
  codes?: readonly ErrorCode[],
): Promise<void> {
  await withVictims(async (victims) => {
    for (const [what, lie] of Object.entries(lies)) {
      const mallory = await HostileMember.join(victims.anna);
      await lie({ ...victims, mallory });
      await assertRefused(victims, what, codes);
      rmSync(join(mallory.vaultDir, "log", mallory.tag), { recursive: true, force: true });
    }
    assert.equal((await victims.bert.pull()).pulled, 1, "without the lies all is well");
  });
}

/**
 * Lets bert pull a vault in which `adds` lie about session HOSTILE, beside a good session of the
 * same member and an honest one.
 */
export async function pullBeside(
  victims: Victims,
  what: string,
  ...adds: readonly LooseAdd[]
): Promise<{ written: string[]; failed: string[] }> {
  const { dir, bert, mallory } = victims;
  const before = everything(dir);
  for (const add of adds) await mallory.add(add);
  const good = turns(GOOD, bert.project, ["good"]);
  await mallory.add(addOf(GOOD, { transcript: good, "side/ok.txt": "ok" }));
  const result = await bert.pull();
  const written = changes(before, everything(dir));
  for (const path of written) {
    assert.match(path, /^bert\/\.claude\/(projects|file-history|todos|tasks)\//, what);
    assert.match(path, new RegExp(`${HOSTILE}|${GOOD}|${NEWS}|agent-`), what);
  }
  assert.equal(bert.readTranscript(GOOD), good, `${what}: the member's good session`);
  assert.match(bert.readTranscript(NEWS), /news/, `${what}: the honest session`);
  assert.match(bert.readTranscript(HONEST), /honest/, `${what}: what was here`);
  const failed = result.failures.map(({ sessionId }) => sessionId ?? "");
  // Nothing of it stands in the way of this machine's own bytes.
  const own = join("projects", slugOf(bert.project), `${NEWS}.jsonl`);
  bert.write(own, bert.readTranscript(NEWS) + turns(NEWS, bert.project, ["own"]));
  assert.equal((await bert.push()).pushed, 1, what);
  return { written: written.filter((path) => path.includes(HOSTILE)), failed };
}

/** What the machine remembers of its own log, the only one so far. */
export function ownMark(
  machine: SyncMachine,
): { tag: string; machine: string; seq: number; hash: string } {
  const path = join(machine.home, ".claude-sync", "trust.json");
  const { logs } = JSON.parse(readFileSync(path, "utf8"));
  const [tag = ""] = Object.keys(logs);
  return { tag, ...logs[tag] };
}
