/**
 * Breaks every single call of restore and import to the disk and to the store in turn, once and
 * from then on; see `fail_nth_stage.ts`.
 */
import assert from "node:assert/strict";
import fs from "node:fs";
import { join } from "node:path";
import { slugOf } from "../../src/sessions/slug.ts";
import type { RestoreRequest } from "../../src/sync/history_api.ts";
import { syncService } from "../../src/sync/service.ts";
import { ANNA, type Scenario, START_MS, survivesEveryFailure } from "../support/fail_nth_stage.ts";
import { said, type SyncMachine } from "../support/sync_machine.ts";

const FIRST = "11111111-1111-4111-8111-111111111111";
const SECOND = "22222222-2222-4222-8222-222222222222";
const APART = "33333333-3333-4333-8333-333333333333";
const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
/** Where an old laptop's sessions were. */
const OLD_CWD = "/home/annabelle/code/app";
/**
 * Of what is broken here, most is what any command does first. All of it was, and is with
 * `CLAUDE_SYNC_FAIL_NTH=all`.
 */
const STRIDE = 5;

let uuids = 0;

function turn(session: string, cwd: string, text: string, atMs: number): string {
  const uuid = () => `00000000-0000-4000-9000-${String(++uuids).padStart(12, "0")}`;
  const facts = { session, cwd, atMs };
  return said("user", text, { ...facts, uuid: uuid() }) +
    said("assistant", text, { ...facts, uuid: uuid() });
}

function goOn(machine: SyncMachine, session: string, text: string, atMs: number): void {
  const path = machine.transcriptPath(session);
  const old = fs.existsSync(path) ? fs.readFileSync(path, "utf8") : "";
  machine.writeTranscript(session, old + turn(session, machine.project, text, atMs), atMs);
}

/** FIRST has two versions, each with a file of its history. */
async function withVersions(anna: SyncMachine, bert: SyncMachine): Promise<void> {
  await anna.init();
  await bert.join(anna);
  for (const [text, days] of [["one", 3], ["two", 2]] as const) {
    goOn(anna, FIRST, text, START_MS - days * DAY_MS);
    anna.write(join("file-history", FIRST, "aaaa@v1"), text, START_MS - days * DAY_MS);
    await anna.push();
  }
  goOn(anna, SECOND, "old", START_MS - 20 * DAY_MS);
  await anna.push();
  await bert.pull();
}

async function restore(machine: SyncMachine, request: Partial<RestoreRequest>): Promise<void> {
  const nothing = { queries: [], project: null, archived: false, atMs: null, version: null };
  const more = { to: null, force: false, dryRun: false };
  const result = await syncService.restore(machine.context(), { ...nothing, ...more, ...request });
  for (const { code } of result.failures) assert.notEqual(code, "bug");
}

/** A folder of an old laptop: FIRST further on, APART in another way, and a new session. */
function oldLaptop(anna: SyncMachine): void {
  const projects = `projects/${slugOf(OLD_CWD)}`;
  const atMs = START_MS - DAY_MS;
  const here = (session: string) => anna.readTranscript(session);
  const prompt = { display: "old prompt", timestamp: atMs, sessionId: FIRST };
  const files: Record<string, string> = {
    [`${projects}/${FIRST}.jsonl`]: here(FIRST) + turn(FIRST, OLD_CWD, "further on", atMs),
    [`${projects}/${APART}.jsonl`]: here(APART) + turn(APART, OLD_CWD, "another way", atMs),
    [`${projects}/${SECOND}.jsonl`]: turn(SECOND, OLD_CWD, "new", atMs),
    [`${projects}/memory/MEMORY.md`]: "# what I learned\n",
    [`todos/${SECOND}-agent-${SECOND}.json`]: "[1]",
    "history.jsonl": JSON.stringify(prompt) + "\n",
  };
  for (const [path, text] of Object.entries(files)) {
    const absolute = join(oldDir(anna), path);
    fs.mkdirSync(join(absolute, ".."), { recursive: true });
    fs.writeFileSync(absolute, text);
    fs.utimesSync(absolute, atMs / 1000, atMs / 1000);
  }
}

function oldDir({ home }: SyncMachine): string {
  return join(home, "backup", "annabelle", ".claude");
}

const SCENARIOS: readonly Scenario[] = [
  {
    name: "restore of what was deleted, and of what is old",
    actor: ANNA,
    isRepeated: true,
    stride: STRIDE,
    prepare: async (anna, bert) => {
      await withVersions(anna, bert);
      fs.rmSync(anna.transcriptPath(FIRST));
      fs.rmSync(join(anna.configDir, "file-history"), { recursive: true });
      goOn(bert, FIRST, "three", START_MS - HOUR_MS);
      await bert.push();
    },
    run: (anna) => restore(anna, { queries: [FIRST, SECOND] }),
  },
  {
    name: "restore of an earlier version",
    actor: ANNA,
    isRepeated: true,
    isLocal: true,
    stride: STRIDE,
    prepare: withVersions,
    run: (anna) => restore(anna, { queries: [FIRST], atMs: START_MS - 2.5 * DAY_MS }),
  },
  {
    name: "restore into a folder",
    actor: ANNA,
    isRepeated: true,
    stride: STRIDE,
    prepare: withVersions,
    run: (anna) => restore(anna, { queries: [FIRST, SECOND], to: join(anna.home, "out") }),
  },
  {
    name: "import of an old laptop",
    actor: ANNA,
    isRepeated: true,
    stride: STRIDE,
    prepare: async (anna, bert) => {
      await anna.init();
      await bert.join(anna);
      goOn(anna, FIRST, "one", START_MS - 3 * DAY_MS);
      goOn(anna, APART, "base", START_MS - 3 * DAY_MS);
      await anna.push();
      await bert.pull();
      oldLaptop(anna);
      goOn(anna, APART, "anna's way", START_MS - 2 * HOUR_MS);
    },
    run: (anna) =>
      syncService.import(anna.context(), { paths: [oldDir(anna)], all: false, dryRun: false }),
  },
];

for (const scenario of SCENARIOS) survivesEveryFailure(scenario);
