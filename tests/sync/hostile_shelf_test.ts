/** Lies about plans and memories, told by a member with the right key. */
import assert from "node:assert/strict";
import { existsSync, lstatSync, mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { memoryShelfId, planShelfId } from "../../src/sessions/shelf.ts";
import { slugOf } from "../../src/sessions/slug.ts";
import { said } from "../support/sync_machine.ts";
import { addOf, type LooseAdd } from "./hostile_member.ts";
import { changes, everything, HONEST, HOSTILE, turns, type Victims } from "./hostile_world.ts";
import { withVictims } from "./hostile_world.ts";

const PLAN = "linear-swinging-cat";
const SHELF = planShelfId(PLAN);

/** bert has a session that names the plan. */
async function withNamedPlan(work: (victims: Victims) => Promise<void>): Promise<void> {
  await withVictims(async (victims) => {
    const { bert } = victims;
    const facts = { session: HONEST, cwd: bert.project, atMs: Date.now() - 7_200_000 };
    const record = JSON.parse(said("assistant", "a plan", facts));
    const text = bert.readTranscript(HONEST) + JSON.stringify({ ...record, slug: PLAN }) + "\n";
    bert.writeTranscript(HONEST, text);
    await bert.sync();
    await work(victims);
  });
}

/** Lets bert pull the lies; gives what changed below his Claude Code folder and what failed. */
async function pulled(
  { dir, bert, mallory }: Victims,
  ...lies: readonly LooseAdd[]
): Promise<{ written: string[]; failed: string[] }> {
  for (const lie of lies) await mallory.add(lie);
  const before = everything(dir);
  const { failures } = await bert.pull();
  return {
    written: changes(before, everything(dir)),
    failed: failures.map(({ sessionId }) => sessionId ?? ""),
  };
}

Deno.test("a plan of its own shelf arrives: the other tests would notice if it did not", () =>
  withNamedPlan(async (victims) => {
    const { written, failed } = await pulled(victims, addOf(SHELF, { [`plans/${PLAN}.md`]: "x" }));
    assert.deepEqual([written, failed], [[`bert/.claude/plans/${PLAN}.md`], []]);
  }));

const LIES: Readonly<Record<string, (victims: Victims) => LooseAdd>> = {
  "a plan on another plan's shelf": () => addOf(SHELF, { "plans/other-plan.md": "x" }),
  "a plan on a shelf of no plan": () => addOf(HOSTILE, { [`plans/${PLAN}.md`]: "x" }),
  "a plan in a session": ({ bert }) =>
    addOf(HOSTILE, {
      transcript: turns(HOSTILE, bert.project, ["x"]),
      [`plans/${PLAN}.md`]: "x",
    }),
  "a session on a plan's shelf": ({ bert }) =>
    addOf(SHELF, {
      transcript: turns(SHELF, bert.project, ["x"]),
      [`plans/${PLAN}.md`]: "x",
    }),
  "a plan beside one that is not its own": () =>
    addOf(SHELF, { [`plans/${PLAN}.md`]: "x", "plans/other-plan.md": "x" }),
  "a plan and a memory": () => addOf(SHELF, { [`plans/${PLAN}.md`]: "x", "memory/x.md": "x" }),
  "two plans that differ in case": () =>
    addOf(SHELF, {
      [`plans/${PLAN}-agent-a.md`]: "x",
      [`plans/${PLAN}-agent-A.md`]: "x",
    }),
  "a path": () => addOf(SHELF, { [`plans/../${PLAN}.md`]: "x" }),
  "a folder": () => addOf(SHELF, { [`plans/${PLAN}.md/x.md`]: "x" }),
};

for (const [what, lie] of Object.entries(LIES)) {
  Deno.test(`pull refuses ${what}`, () =>
    withNamedPlan(async (victims) => {
      const add = lie(victims);
      const { written, failed } = await pulled(victims, add);
      assert.deepEqual([written, failed], [[], [String(add.op["session"])]]);
    }));
}

Deno.test("a plan that no session here names is not written", () =>
  withVictims(async (victims) => {
    const { written, failed } = await pulled(victims, addOf(SHELF, { [`plans/${PLAN}.md`]: "x" }));
    assert.ok(written.every((path) => !path.includes("plans")), String(written));
    assert.deepEqual(failed, []);
  }));

const MEMORY = memoryShelfId({ kind: "home", path: "code/app" });

Deno.test("a memory of its own shelf arrives: the next test would notice if it did not", () =>
  withVictims(async (victims) => {
    const { written } = await pulled(victims, addOf(MEMORY, { "memory/a/b.md": "x" }));
    const expected = `bert/.claude/projects/${slugOf(victims.bert.project)}/memory/a/b.md`;
    assert.ok(written.includes(expected), String(written));
  }));

Deno.test("pull writes no memory with an unsafe name or on another project's shelf", async () => {
  const elsewhere = memoryShelfId({ kind: "home", path: "code/other" });
  const lies: readonly LooseAdd[] = [
    ...[
      "memory/../../../../evil",
      "memory/..",
      "memory//x",
      "memory/.credentials.json",
      "memory/settings.local.json",
      "memory/.git/hooks/pre-commit",
      "memory/con",
      "memory/\u202egnp.exe",
      "memory/x\u001b[2J",
      "memory/C:\\evil",
    ].map((name) => addOf(MEMORY, { [name]: "evil" })),
    addOf(MEMORY, { "memory/x.md": "1", "memory/X.md": "2" }),
    // The op says bert's project, the id another one.
    addOf(elsewhere, { "memory/x.md": "evil" }),
    addOf(HOSTILE, { "memory/x.md": "evil" }),
    // The id says bert's home folder, the op nothing.
    addOf(elsewhere, { "memory/x.md": "evil" }, { project: null }),
  ];
  for (const lie of lies) {
    await withVictims(async (victims) => {
      const { written } = await pulled(victims, lie);
      assert.ok(written.every((path) => !/memory|evil/.test(path)), String(written));
      assert.equal(existsSync(join(victims.dir, "evil")), false);
    });
  }
});

Deno.test("a version of the same name as somebody's own file costs that file nothing", () =>
  withNamedPlan(async (victims) => {
    const { bert, mallory } = victims;
    await mallory.add(addOf(SHELF, { [`plans/${PLAN}.md`]: "x" }));
    bert.write(`plans/${PLAN}.01234567.md`, "bert's own");
    await bert.sync();
    await mallory.add(addOf(SHELF, { [`plans/${PLAN}.01234567.md`]: "other" }));
    await bert.sync();
    const texts = Object.entries(bert.files()).filter(([path]) => path.startsWith("plans/"));
    assert.ok(texts.some(([, text]) => text === "bert's own"), JSON.stringify(texts));
    assert.ok(texts.some(([, text]) => text === "other"), JSON.stringify(texts));
  }));

Deno.test("a plan is not written over a link or a folder of its name", () =>
  withNamedPlan(async (victims) => {
    const { dir, bert } = victims;
    const outside = join(dir, "outside");
    writeFileSync(outside, "untouched");
    mkdirSync(join(bert.configDir, "plans", `${PLAN}-agent-a.md`), { recursive: true });
    symlinkSync(outside, join(bert.configDir, "plans", `${PLAN}.md`));
    const { written } = await pulled(
      victims,
      addOf(SHELF, { [`plans/${PLAN}.md`]: "x", [`plans/${PLAN}-agent-a.md`]: "x" }),
    );
    assert.deepEqual(written, []);
    assert.ok(lstatSync(join(bert.configDir, "plans", `${PLAN}.md`)).isSymbolicLink());
    assert.equal(existsSync(join(dir, "evil")), false);
  }));
