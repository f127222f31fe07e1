/**
 * Breaks every single call of init, push and pull to the disk and to the store in turn, once and
 * from then on; see `fail_nth_stage.ts`.
 */
import fs from "node:fs";
import { join } from "node:path";
import {
  ANNA,
  BERT,
  type Scenario,
  START_MS,
  survivesEveryFailure,
} from "../support/fail_nth_stage.ts";
import { SessionCorpus } from "../support/session_corpus.ts";
import { remember } from "../support/shelf_world.ts";
import { said, type SyncMachine } from "../support/sync_machine.ts";

const IDS = ["11111111-1111-4111-8111-111111111111", "22222222-2222-4222-8222-222222222222"];
const PLAN = "quiet-walking-hare";
const HOUR_MS = 3_600_000;
/** Compressed, this is too much to travel inside an entry. */
const PACKED_BYTES = 1_500_000;
/** Of a world that takes long; `CLAUDE_SYNC_FAIL_NTH=all` breaks every call there too. */
const LARGE_DISK_STRIDE = 29;

let uuids = 0;

function turn(machine: SyncMachine, id: string, text: string): string {
  const uuid = () => `00000000-0000-4000-9000-${String(++uuids).padStart(12, "0")}`;
  const atMs = START_MS - HOUR_MS + uuids;
  const facts = { session: id, cwd: machine.project, atMs };
  return said("user", text, { ...facts, uuid: uuid() }) +
    said("assistant", text, { ...facts, atMs: atMs + 1, uuid: uuid() });
}

function speak(machine: SyncMachine, id: string, text: string): void {
  const path = machine.transcriptPath(id);
  const old = fs.existsSync(path) ? fs.readFileSync(path, "utf8") : "";
  machine.writeTranscript(id, old + turn(machine, id, text), START_MS - 60_000 + uuids);
}

function type(machine: SyncMachine, display: string): void {
  const line = { display, pastedContents: {}, timestamp: START_MS + ++uuids, sessionId: IDS[0] };
  const path = join(machine.configDir, "history.jsonl");
  fs.appendFileSync(path, JSON.stringify(line) + "\n");
}

/** A plan that the session names, a memory and a prompt. */
function shelve(machine: SyncMachine, text: string, atMs = START_MS - HOUR_MS): void {
  machine.write(`plans/${PLAN}.md`, `plan: ${text}`, atMs);
  remember(machine, "MEMORY.md", `memory: ${text}`, atMs);
  type(machine, text);
}

async function bothSetUp(anna: SyncMachine, bert: SyncMachine): Promise<void> {
  speak(anna, IDS[0]!, "base");
  fs.appendFileSync(anna.transcriptPath(IDS[0]!), `{"type":"user","slug":"${PLAN}"}\n`);
  await anna.init();
  await bert.join(anna);
  await anna.push();
  await bert.pull();
}

const SCENARIOS: readonly Scenario[] = [
  {
    name: "init of a new vault",
    actor: ANNA,
    prepare: (anna) => Promise.resolve(speak(anna, IDS[0]!, "base")),
    run: (anna) => anna.init(),
  },
  {
    name: "init and key import on a second machine",
    actor: BERT,
    prepare: async (anna) => {
      speak(anna, IDS[0]!, "base");
      await anna.init();
      await anna.push();
    },
    run: (anna, bert) => bert.join(anna),
  },
  {
    name: "the first push",
    actor: BERT,
    prepare: async (anna, bert) => {
      await bothSetUp(anna, bert);
      speak(bert, IDS[1]!, "new");
      bert.write(`todos/${IDS[1]}-agent-${IDS[1]}.json`, "[1]");
    },
    run: (_anna, bert) => bert.push(),
  },
  {
    name: "push of a grown session",
    actor: ANNA,
    prepare: async (anna, bert) => {
      await bothSetUp(anna, bert);
      speak(anna, IDS[0]!, "more");
    },
    run: (anna) => anna.push(),
  },
  {
    name: "push of so much that it takes packs",
    actor: ANNA,
    diskStride: LARGE_DISK_STRIDE,
    prepare: async (anna, bert) => {
      await bothSetUp(anna, bert);
      const facts = { session: IDS[1]!, cwd: anna.project, seed: 5, startMs: START_MS - HOUR_MS };
      anna.writeTranscript(IDS[1]!, new SessionCorpus(facts).next(PACKED_BYTES));
    },
    run: (anna) => anna.push(),
  },
  {
    name: "pull of a grown session, a new one and a sidecar",
    actor: BERT,
    prepare: async (anna, bert) => {
      await bothSetUp(anna, bert);
      speak(anna, IDS[0]!, "more");
      speak(anna, IDS[1]!, "new");
      anna.write(`todos/${IDS[1]}-agent-${IDS[1]}.json`, "[1]");
      await anna.push();
    },
    run: (_anna, bert) => bert.pull(),
  },
  {
    name: "sync of a session that was continued apart",
    actor: BERT,
    prepare: async (anna, bert) => {
      await bothSetUp(anna, bert);
      speak(anna, IDS[0]!, "from anna");
      speak(bert, IDS[0]!, "from bert");
      await anna.push();
    },
    run: (_anna, bert) => bert.sync(),
  },
  {
    name: "the first push of a plan, a memory and prompts",
    actor: ANNA,
    prepare: async (anna, bert) => {
      await bothSetUp(anna, bert);
      shelve(anna, "anna's");
    },
    run: (anna) => anna.push(),
  },
  {
    name: "pull of a plan, a memory and prompts",
    actor: BERT,
    prepare: async (anna, bert) => {
      await bothSetUp(anna, bert);
      shelve(anna, "anna's");
      type(bert, "bert's own");
      await anna.push();
    },
    run: (_anna, bert) => bert.pull(),
  },
  {
    name: "sync of a plan and a memory that were changed apart, over an outdated copy",
    actor: BERT,
    prepare: async (anna, bert) => {
      await bothSetUp(anna, bert);
      shelve(anna, "anna's first", START_MS - 50_000);
      shelve(bert, "bert's", START_MS - 30_000);
      await anna.push();
      await bert.sync();
      shelve(anna, "anna's second", START_MS - 40_000);
      await anna.push();
      type(bert, "bert again");
      remember(bert, "topic.md", "bert's topic", START_MS - 20_000);
    },
    run: (_anna, bert) => bert.sync(),
  },
];

for (const scenario of SCENARIOS) survivesEveryFailure(scenario);
