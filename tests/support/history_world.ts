/** Sessions with a past, for tests of what brings them back or takes them in. */
import fs from "node:fs";
import { join } from "node:path";
import { slugOf } from "../../src/sessions/slug.ts";
import { said, type SyncMachine } from "./sync_machine.ts";

/** Ids of sessions. */
export const [FIRST, SECOND, APART] = [1, 2, 3].map((n) =>
  `${String(n).repeat(8)}-1111-4111-8111-111111111111`
) as [string, string, string];

/** When these tests run. */
export const NOW = Date.now();
export const HOUR_MS = 3_600_000;
export const DAY_MS = 24 * HOUR_MS;

/** Where an old laptop's sessions were. */
const OLD_CWD = "/home/annabelle/code/app";

function turn(session: string, cwd: string, text: string, atMs: number): string {
  const facts = { session, cwd, atMs };
  return said("user", text, facts) + said("assistant", `echo ${text}`, facts);
}

/** Appends a turn to the session's transcript, which is made when it is not there. */
export function goOn(machine: SyncMachine, session: string, text: string, atMs: number): void {
  const path = machine.transcriptPath(session);
  const old = fs.existsSync(path) ? fs.readFileSync(path, "utf8") : "";
  machine.writeTranscript(session, old + turn(session, machine.project, text, atMs), atMs);
}

/** Pushes two versions of FIRST, each with a file of a subagent and one of its history. */
export async function pushVersions(machine: SyncMachine): Promise<void> {
  const agent = join("projects", slugOf(machine.project), FIRST, "subagents", "agent-a.jsonl");
  for (const [text, days] of [["one", 3], ["two", 2]] as const) {
    const atMs = NOW - days * DAY_MS;
    goOn(machine, FIRST, text, atMs);
    machine.write(agent, turn(FIRST, machine.project, `agent of ${text}`, atMs), atMs);
    machine.write(join("file-history", FIRST, "aaaa@v1"), `file of ${text}`, atMs);
    await machine.push();
  }
}

/** Takes a session away as the client's clean-up does. */
export function cleanUp(machine: SyncMachine, session: string): void {
  const path = machine.transcriptPath(session);
  fs.rmSync(path);
  fs.rmSync(path.replace(/\.jsonl$/, ""), { recursive: true, force: true });
  const history = join(machine.configDir, "file-history", session);
  fs.rmSync(history, { recursive: true, force: true });
}

/**
 * Makes an old laptop's Claude Code folder at `dir`: FIRST further on than here, APART gone on in
 * another way, SECOND with `text`, and what goes with them.
 */
export function oldLaptop(dir: string, here: SyncMachine, text: string): void {
  const projects = `projects/${slugOf(OLD_CWD)}`;
  const atMs = NOW - DAY_MS;
  const prompt = { display: "old prompt", timestamp: atMs, sessionId: FIRST };
  const saidIn = (session: string, what: string) => turn(session, OLD_CWD, what, atMs);
  const files: Record<string, string> = {
    [`${projects}/${FIRST}.jsonl`]: here.readTranscript(FIRST) + saidIn(FIRST, "further on"),
    [`${projects}/${APART}.jsonl`]: here.readTranscript(APART) + saidIn(APART, "another way"),
    [`${projects}/${SECOND}.jsonl`]: saidIn(SECOND, text),
    [`${projects}/${SECOND}/subagents/agent-a.jsonl`]: saidIn(SECOND, "agent"),
    [`${projects}/memory/MEMORY.md`]: "# what I learned\n",
    [`todos/${SECOND}-agent-${SECOND}.json`]: "[1]",
    "history.jsonl": JSON.stringify(prompt) + "\n",
  };
  for (const [path, content] of Object.entries(files)) {
    const absolute = join(dir, path);
    fs.mkdirSync(join(absolute, ".."), { recursive: true });
    fs.writeFileSync(absolute, content);
    fs.utimesSync(absolute, atMs / 1000, atMs / 1000);
  }
}
