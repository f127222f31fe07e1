/** The questions of the compiled program, answered on a real terminal. */
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { forget, listed, speak } from "../support/forget_world.ts";
import { Pty, type PtyEnd, whyNoPty } from "../support/pty.ts";
import { inTempDir, SyncMachine, TestClock } from "../support/sync_machine.ts";

const BINARY = process.env["CLAUDE_SYNC_BINARY"] ??
  join(import.meta.dirname!, "..", "..", "dist", "claude-sync");
const IDS = ["3f2a0000-0000-4000-8000-000000000001", "91bc0000-0000-4000-8000-000000000002"];
const DAY_MS = 24 * 3_600_000;

const CTRL_C = "\x03";
const CTRL_D = "\x04";
const ESC = "\x1b";
const ENTER = "\r";

/** Two sessions of one project in the vault, and a machine that has not been seen for long. */
async function world(dir: string): Promise<SyncMachine> {
  const anna = new SyncMachine({ name: "anna", dir });
  await anna.init();
  const clock = new TestClock(Date.now() - 60 * DAY_MS);
  const lost = new SyncMachine({ name: "old laptop", dir, clock });
  await lost.join(anna);
  speak(lost, "aaaaaaaa-0000-4000-8000-000000000001", "from long ago");
  await lost.push();
  for (const id of IDS) speak(anna, id, `said in ${id.slice(0, 4)}`);
  await anna.push();
  return anna;
}

/** Runs the program on a terminal. */
function open({ home, project }: SyncMachine, ...args: string[]): Pty {
  assert.ok(existsSync(BINARY), `${BINARY} is missing: run deno task build first`);
  return new Pty([BINARY, ...args], { cwd: project, env: { HOME: home } });
}

/** Lets the program ask `question` and types `keys`. */
async function answer(
  machine: SyncMachine,
  args: readonly string[],
  question: RegExp,
  keys: string,
): Promise<PtyEnd> {
  const terminal = open(machine, ...args);
  await terminal.shows(question);
  terminal.type(keys);
  return await terminal.ended();
}

interface Case {
  readonly name: string;
  readonly args: readonly string[];
  readonly question: RegExp;
  readonly keys: string;
  readonly exit: number;
  readonly says: RegExp;
}

const ONE = { args: ["forget", "3f2a"], question: /Forget 1 session\?/ };
const OLD = {
  args: ["forget", "--before", "2100-01-01"],
  question: /type the number of sessions \(3\)/,
};
const PROJECT = { args: ["forget", "--project", "~/code/app"], question: /type the project/ };
const GIVE_UP = {
  args: ["gc", "--machine", "old laptop"],
  question: /Type "old laptop" to give this machine up/,
};
const IMPORT = { args: ["key", "import"], question: /Paste the key/ };
const EXPORT = { args: ["key", "export"], question: /Show it on this screen\?/ };

const INTERRUPTED = { exit: 130, says: /interrupted/ };
const NOT_FORGOTTEN = { exit: 0, says: /Nothing was forgotten\./ };
const NOT_GIVEN_UP = { exit: 0, says: /"old laptop" was not given up/ };

/** Everything that is no yes. */
const REFUSALS: readonly Case[] = [
  { name: "forget: n", ...ONE, keys: "n", ...NOT_FORGOTTEN },
  { name: "forget: Enter alone", ...ONE, keys: ENTER, ...NOT_FORGOTTEN },
  { name: "forget: other letters", ...ONE, keys: `x1${ENTER}`, ...NOT_FORGOTTEN },
  { name: "forget: nothing typed", ...OLD, keys: ENTER, ...NOT_FORGOTTEN },
  { name: "forget: yes in words", ...OLD, keys: `yes${ENTER}`, exit: 2, says: /takes exactly: 3/ },
  {
    name: "forget: a project's name begun",
    ...PROJECT,
    keys: `~/cod${ENTER}`,
    exit: 2,
    says: /"~\/cod" was typed/,
  },
  { name: "gc: nothing typed", ...GIVE_UP, keys: ENTER, ...NOT_GIVEN_UP },
  { name: "gc: another name", ...GIVE_UP, keys: `laptop${ENTER}`, exit: 2, says: /takes exactly/ },
  { name: "key export: Enter alone", ...EXPORT, keys: ENTER, exit: 0, says: /was not shown/ },
  { name: "key import: nothing typed", ...IMPORT, keys: ENTER, exit: 2, says: /holds no key/ },
  ...[ONE, OLD, PROJECT, GIVE_UP, EXPORT, IMPORT].flatMap((asked) =>
    Object.entries({ "Ctrl-C": CTRL_C, "Ctrl-D": CTRL_D, "Esc": ESC }).map(([name, keys]) => ({
      name: `${asked.args.join(" ")}: ${name}`,
      ...asked,
      keys,
      ...INTERRUPTED,
    }))
  ),
];

Deno.test({
  name: "whatever is no yes changes nothing, and leaves the terminal as it was",
  ignore: whyNoPty !== null,
  fn: (t) =>
    inTempDir(async (dir) => {
      const anna = await world(dir);
      const before = await listed(anna);
      for (const { name, args, question, keys, exit, says } of REFUSALS) {
        await t.step(name, async () => {
          const end = await answer(anna, args, question, keys);
          assert.deepEqual([end.exit, end.isRestored], [exit, true], end.shown);
          assert.match(end.shown, says);
        });
      }
      assert.deepEqual(await listed(anna), before);
      assert.deepEqual((await anna.verify()).problems, []);
    }),
});

Deno.test({
  name: "SIGTERM ends a question, changes nothing, and leaves the terminal as it was",
  ignore: whyNoPty !== null,
  fn: () =>
    inTempDir(async (dir) => {
      const anna = await world(dir);
      const before = await listed(anna);
      for (const { args, question } of [ONE, GIVE_UP]) {
        const terminal = open(anna, ...args);
        await terminal.shows(question);
        await terminal.kill("SIGTERM");
        const end = await terminal.ended();
        assert.deepEqual([end.exit, end.isRestored], [130, true], end.shown);
      }
      assert.deepEqual(await listed(anna), before);
    }),
});

Deno.test({
  name: "a yes, and what is asked for, does it",
  ignore: whyNoPty !== null,
  fn: () =>
    inTempDir(async (dir) => {
      const anna = await world(dir);
      const yes = await answer(anna, ONE.args, ONE.question, "y");
      assert.deepEqual([yes.exit, yes.isRestored], [0, true], yes.shown);
      assert.match(yes.shown, /Forgot 1 session/);
      assert.equal((await listed(anna))[IDS[0]!], "here, forgotten");
      const { args, question } = PROJECT;
      const typed = await answer(anna, args, question, `~/code/app${ENTER}`);
      assert.deepEqual([typed.exit, typed.isRestored], [0, true], typed.shown);
      assert.equal((await listed(anna))[IDS[1]!], "here, forgotten");
      const up = await answer(anna, GIVE_UP.args, GIVE_UP.question, `old laptop${ENTER}`);
      assert.deepEqual([up.exit, up.isRestored], [0, true], up.shown);
      assert.match(up.shown, /Gave "old laptop" up/);
      assert.deepEqual((await forget(anna, [], { beforeMs: Date.now() })).sessions, []);
    }),
});

Deno.test({
  name: "questions go to the terminal where standard output goes to a file",
  ignore: whyNoPty !== null,
  fn: () =>
    inTempDir(async (dir) => {
      const anna = await world(dir);
      const shell = (redirected: string) =>
        new Pty(["/bin/sh", "-c", `"$0" forget 3f2a ${redirected}`, BINARY], {
          cwd: anna.project,
          env: { HOME: anna.home },
        });
      const seen = shell(">out.txt");
      await seen.shows(ONE.question);
      seen.type("n");
      assert.equal((await seen.ended()).exit, 0);
      const unseen = await shell("2>err.txt").ended();
      assert.equal(unseen.exit, 2, unseen.shown);
      const piped = await shell("</dev/null").ended();
      assert.equal(piped.exit, 2, piped.shown);
    }),
});
