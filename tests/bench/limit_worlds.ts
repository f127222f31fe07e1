/** What is at the edge of what anybody has: one large, many small, long names. */
import { appendFileSync, closeSync, existsSync, mkdirSync, openSync, readdirSync } from "node:fs";
import { utimesSync, writeFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import { slugOf } from "../../src/sessions/slug.ts";
import { Conversation, makeProject } from "./conversation.ts";
import { Choices } from "./random.ts";

const HOUR_MS = 3_600_000;
const BLOCK_BYTES = 64 * 1024 * 1024;
const AGENT_FILES = 3;
const NAME_LENGTH_MAX = 200;

/** Where the files of a machine go. */
export interface LimitHome {
  readonly home: string;
  /** The client's folder. */
  readonly claude: string;
  readonly nowMs: number;
}

/** A working folder of this home that is there. */
export function workFolder({ home }: Pick<LimitHome, "home">, name: string): string {
  const dir = join(home, "code", name);
  mkdirSync(dir, { recursive: true });
  return dir;
}

/** A uuid for the session number `index`. */
export function sessionId(index: number): string {
  return `${(0x60000000 + index).toString(16)}-0000-4000-8000-000000000060`;
}

function projectFolder({ claude }: LimitHome, cwd: string): string {
  const folder = join(claude, "projects", slugOf(cwd));
  mkdirSync(folder, { recursive: true });
  return folder;
}

function settle(path: string, { nowMs }: LimitHome): void {
  const at = (nowMs - HOUR_MS) / 1000;
  utimesSync(path, at, at);
}

/** One transcript of `sizeBytes`: a long conversation, its records again and again. */
export function writeHuge(at: LimitHome, cwd: string, sizeBytes: number): void {
  const id = sessionId(0);
  const path = join(projectFolder(at, cwd), `${id}.jsonl`);
  const choices = new Choices(sizeBytes);
  const project = { ...makeProject(1, at.home), cwd };
  const startMs = at.nowMs - 30 * HOUR_MS;
  const talk = new Conversation({ choices, project, sessionId: id, startMs });
  const blockBytes = Math.min(BLOCK_BYTES, sizeBytes);
  const turns: string[] = [];
  for (let made = 0; made < blockBytes;) {
    const turn = talk.turn(blockBytes - made);
    turns.push(turn);
    made += turn.length;
  }
  const block = new TextEncoder().encode(turns.join(""));
  const file = openSync(path, "w", 0o600);
  for (let written = 0; written < sizeBytes;) written += writeSync(file, block);
  closeSync(file);
  settle(path, at);
}

/** `count` sessions of one turn, `perProject` in each project. */
export function writeMany(at: LimitHome, count: number, perProject: number): readonly string[] {
  const cwds: string[] = [];
  for (let index = 0; index < count; index++) {
    if (index % perProject === 0) cwds.push(workFolder(at, `project-${cwds.length}`));
    writeSmall(at, cwds.at(-1)!, index);
  }
  return cwds;
}

/** A session of one turn. */
export function writeSmall(at: LimitHome, cwd: string, index: number): void {
  const id = sessionId(index);
  const record = (type: "user" | "assistant", content: unknown, uuid: string) =>
    JSON.stringify({
      parentUuid: null,
      cwd,
      sessionId: id,
      version: "2.1.330",
      type,
      message: { role: type, content },
      uuid,
      timestamp: new Date(at.nowMs - HOUR_MS).toISOString(),
    });
  const text = `Question ${index}, asked once.`;
  const answer = [{ type: "text", text: `Answer ${index * 7919}, given once.` }];
  const path = join(projectFolder(at, cwd), `${id}.jsonl`);
  const records = [record("user", text, sessionId(1)), record("assistant", answer, sessionId(2))];
  writeFileSync(path, `${records.join("\n")}\n`, { mode: 0o600 });
  settle(path, at);
}

/** One more turn of the user in session `index`, half an hour later: each `speaker` has another. */
export function goOn(at: LimitHome, index: number, speaker: number): void {
  const id = sessionId(index);
  const projects = join(at.claude, "projects");
  const [path] = readdirSync(projects).map((slug) => join(projects, slug, `${id}.jsonl`))
    .filter((path) => existsSync(path));
  const record = {
    parentUuid: null,
    sessionId: id,
    version: "2.1.330",
    type: "user",
    message: { role: "user", content: `What ${speaker} says, and nobody else.` },
    uuid: sessionId(1000 + speaker),
    timestamp: new Date(at.nowMs - HOUR_MS + speaker).toISOString(),
  };
  appendFileSync(path!, `${JSON.stringify(record)}\n`);
  const laterS = (at.nowMs - HOUR_MS / 2) / 1000;
  utimesSync(path!, laterS, laterS);
}

/** A session with one line of `lineBytes`, line feed included, between two others. */
export function writeLongLine(at: LimitHome, cwd: string, lineBytes: number): void {
  writeSmall(at, cwd, 0);
  const path = join(projectFolder(at, cwd), `${sessionId(0)}.jsonl`);
  const begin = `{"type":"user","cwd":${JSON.stringify(cwd)},"sessionId":"${sessionId(0)}",` +
    `"message":{"role":"user","content":"`;
  const end = `"}}\n`;
  const choices = new Choices(64);
  const filler = choices.base64(3 * 1024 * 1024);
  let left = lineBytes - begin.length - end.length;
  appendFileSync(path, begin);
  for (; left > 0; left -= filler.length) appendFileSync(path, filler.slice(0, left));
  appendFileSync(path, end);
  appendFileSync(path, `{"type":"summary","summary":"after the long line"}\n`);
  settle(path, at);
}

/** One session of `count` files, its transcript included. */
export function writeBundle(at: LimitHome, cwd: string, count: number): void {
  writeSmall(at, cwd, 0);
  const folder = join(projectFolder(at, cwd), sessionId(0));
  mkdirSync(join(folder, "subagents"), { recursive: true });
  mkdirSync(join(folder, "tool-results"), { recursive: true });
  for (let index = 1; index < count; index++) {
    const isAgent = index <= count / AGENT_FILES;
    const name = index.toString(16).padStart(8, "0");
    const path = isAgent
      ? join(folder, "subagents", `agent-${name}.jsonl`)
      : join(folder, "tool-results", `toolu_${name}.txt`);
    writeFileSync(path, isAgent ? `{"type":"user","n":${index}}\n` : `result ${index}\n`);
    settle(path, at);
  }
}

/** A folder below `parent` whose path has `length` characters. */
export function longPath(parent: string, length: number): string {
  let path = parent;
  while (path.length < length) {
    const left = length - path.length - 1;
    // What is left after this part must be nothing, or room for a separator and a name.
    const part = left <= NAME_LENGTH_MAX ? left : Math.min(NAME_LENGTH_MAX, left - 2);
    path += `/${"deep-".repeat(NAME_LENGTH_MAX).slice(0, part)}`;
  }
  return path;
}
