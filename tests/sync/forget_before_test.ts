/** `forget --before`: nothing goes of which a part is younger than the time that was given. */
import assert from "node:assert/strict";
import { dirname, join } from "node:path";
import { forget, HOUR_MS, speak, type } from "../support/forget_world.ts";
import { inTempDir, type SyncMachine } from "../support/sync_machine.ts";
import { newWorld } from "../support/sync_world.ts";

const FIRST = "11111111-1111-4111-8111-111111111111";
const OTHER = "22222222-2222-4222-8222-222222222222";
const PLAN = "quiet-walking-hare";

interface World {
  readonly anna: SyncMachine;
  readonly bert: SyncMachine;
  /** What was said before this is old. */
  readonly beforeMs: number;
  /** Where the session's other files are, below the configuration folder. */
  readonly dir: string;
}

/** Appends `line` to anna's transcript, with that time of the file. */
function append({ anna }: World, line: string, atMs: number): void {
  anna.writeTranscript(FIRST, anna.readTranscript(FIRST) + line, atMs);
}

const TAIL = '{"type":"mode","mode":"plan"}\n';

/** How a session gets a young part whose transcript ends with an old one, or is itself old. */
const YOUNG: readonly { name: string; make: (world: World) => Promise<unknown> }[] = [
  {
    name: "a turn after which the clock was set back",
    make: async (world) => {
      const { anna, beforeMs } = world;
      append(world, TAIL, beforeMs + HOUR_MS);
      await anna.push();
      append(world, TAIL, beforeMs - HOUR_MS);
      await anna.push();
    },
  },
  {
    name: "a turn here that was not sent",
    make: (world) => {
      append(world, TAIL, world.beforeMs + HOUR_MS);
      return Promise.resolve();
    },
  },
  {
    name: "a subagent's file",
    make: ({ anna, dir, beforeMs }) => {
      anna.write(join(dir, FIRST, "subagents", "agent-a1.jsonl"), "{}\n", beforeMs + HOUR_MS);
      return anna.push();
    },
  },
  {
    name: "a subagent's file of another machine, where nobody spoke since",
    make: async ({ bert, dir, beforeMs }) => {
      const slug = dirname(bert.transcriptPath(FIRST)).split("/").at(-1)!;
      assert.notEqual(slug, dir);
      const path = join("projects", slug, FIRST, "tool-results", "1.txt");
      bert.write(path, "output", beforeMs + HOUR_MS);
      await bert.push();
    },
  },
  {
    name: "an end of another machine in which nobody spoke",
    make: async ({ bert, beforeMs }) => {
      bert.writeTranscript(FIRST, bert.readTranscript(FIRST) + TAIL, beforeMs + HOUR_MS);
      await bert.push();
    },
  },
  {
    name: "a branch",
    make: async (world) => {
      const { anna, bert } = world;
      speak(bert, FIRST, "bert goes on");
      await bert.push();
      append(world, TAIL, world.beforeMs - HOUR_MS);
      await anna.sync();
    },
  },
];

async function withOld(work: (world: World) => Promise<void>): Promise<void> {
  await inTempDir(async (temp) => {
    const { machines, clock } = await newWorld(temp);
    const [anna, bert] = machines as [SyncMachine, SyncMachine];
    for (const id of [FIRST, OTHER]) {
      speak(anna, id, `old words of ${id}`);
      const text = anna.readTranscript(id);
      anna.writeTranscript(id, `${text}{"type":"user","slug":"${PLAN}"}\n`);
    }
    await anna.push();
    await bert.pull();
    clock.advance(48 * HOUR_MS);
    const beforeMs = clock.nowMs() - 24 * HOUR_MS;
    const dir = dirname(anna.transcriptPath(FIRST)).slice(anna.configDir.length + 1);
    await work({ anna, bert, beforeMs, dir });
  });
}

async function forgotten({ anna, beforeMs }: World): Promise<string[]> {
  const { sessions, failures } = await forget(anna, [], { beforeMs });
  assert.deepEqual(failures, []);
  return sessions.map(({ id }) => id).sort();
}

Deno.test("forget --before takes what is old, with its prompts", () =>
  withOld(async (world) => {
    // They are in one file with those of today.
    type(world.anna, FIRST, "old words");
    await world.anna.push();
    assert.deepEqual(await forgotten(world), [FIRST, OTHER]);
  }));

for (const { name, make } of YOUNG) {
  Deno.test(`forget --before leaves a session alone that has ${name}`, () =>
    withOld(async (world) => {
      await make(world);
      assert.deepEqual(await forgotten(world), [OTHER]);
    }));
}

Deno.test("forget --before takes an old branch of a session that has young parts", () =>
  withOld(async (world) => {
    const { anna, bert, dir, beforeMs } = world;
    for (const machine of [anna, bert]) {
      speak(machine, FIRST, `from ${machine.name}`);
      const text = machine.readTranscript(FIRST);
      machine.writeTranscript(FIRST, text, beforeMs - HOUR_MS);
    }
    await anna.push();
    await bert.sync();
    await anna.sync();
    anna.write(join(dir, FIRST, "subagents", "agent-a1.jsonl"), "{}\n", beforeMs + HOUR_MS);
    await anna.push();
    const gone = await forgotten(world);
    assert.equal(gone.length, 2);
    assert.ok(gone.includes(OTHER) && !gone.includes(FIRST));
  }));

Deno.test("forget --before leaves a plan and a memory alone that are young", () =>
  withOld(async (world) => {
    const { anna, dir, beforeMs } = world;
    anna.write(`plans/${PLAN}.md`, "the plan\n", beforeMs + HOUR_MS);
    anna.write(`${dir}/memory/MEMORY.md`, "the memory\n", beforeMs + HOUR_MS);
    await anna.push();
    const project = "~/code/app";
    const young = await forget(anna, [], { beforeMs, project, dryRun: true });
    assert.deepEqual([young.sessions.length, young.otherFiles], [2, 0]);
    const later = beforeMs + 2 * HOUR_MS;
    const old = await forget(anna, [], { beforeMs: later, project, dryRun: true });
    assert.deepEqual([old.sessions.length, old.otherFiles], [2, 2]);
  }));
