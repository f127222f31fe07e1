/** Real sessions on a throw-away machine: putting them there and letting them go on. */
import { appendFileSync, existsSync, mkdirSync, readdirSync, readFileSync } from "node:fs";
import { utimesSync, writeFileSync } from "node:fs";
import { randomUUID } from "node:crypto";
import { Buffer } from "node:buffer";
import { dirname, join, relative } from "node:path";
import { slugOf } from "../../src/sessions/slug.ts";
import { type DemoMachine, filesBelow } from "./machine.ts";

/** The folder that the samples were recorded in, and its name below `projects`. */
const RECORDED_DIR = "/home/alice/code/app";
const RECORDED_SLUG = "-home-alice-code-app";

/** Sessions are an hour old, so that nothing takes them for open ones. */
const AGE_MS = 60 * 60 * 1000;

/**
 * Copies the samples to the machine as if they had been held in its project folder: the recorded
 * folder's name is replaced by the machine's, all other bytes stay. Left out are samples that were
 * recorded in another folder, or whose session is there already. Gives the number of files.
 */
export function placeSamples(samplesDir: string, machine: DemoMachine): number {
  const sessions = new Set<string>();
  let files = 0;
  for (const sample of readdirSync(samplesDir).sort()) {
    const recorded = join(samplesDir, sample, "projects", RECORDED_SLUG);
    if (!existsSync(recorded)) continue;
    const ids = readdirSync(recorded).filter((name) => /^[0-9a-f-]{36}\.jsonl$/.test(name));
    if (ids.some((id) => sessions.has(id))) continue;
    for (const id of ids) sessions.add(id);
    const slugDir = join(machine.configDir, "projects", slugOf(machine.project));
    files += placeFolder(recorded, slugDir, machine.project);
    for (const area of ["file-history", "todos", "tasks"]) {
      const folder = join(samplesDir, sample, area);
      if (existsSync(folder)) files += placeFolder(folder, join(machine.configDir, area), null);
    }
  }
  return files;
}

function placeFolder(from: string, to: string, project: string | null): number {
  const when = new Date(Date.now() - AGE_MS);
  const files = filesBelow(from);
  for (const path of files) {
    const target = join(to, relative(from, path));
    mkdirSync(dirname(target), { recursive: true });
    const bytes = readFileSync(path);
    writeFileSync(target, project === null ? bytes : rewritten(bytes, project));
    utimesSync(target, when, when);
  }
  return files.length;
}

/** One character a byte, so that bytes which are no text survive. */
function rewritten(bytes: Uint8Array, project: string): Uint8Array {
  const inJson = JSON.stringify(project).slice(1, -1);
  const text = Buffer.from(bytes).toString("latin1");
  const name = Buffer.from(inJson, "utf8").toString("latin1");
  return Buffer.from(text.replaceAll(RECORDED_DIR, name), "latin1");
}

interface LastRecord {
  readonly uuid: string;
  readonly version: string;
}

/** Appends what Claude Code writes when `question` is asked at a time and `answer` comes back. */
export function appendTurn(
  machine: DemoMachine,
  sessionId: string,
  question: string,
  answer: string,
  atMs = Date.now(),
): void {
  const path = machine.transcript(sessionId);
  const last = lastRecord(readFileSync(path, "utf8"));
  const record = (type: "user" | "assistant", parentUuid: string, message: unknown) => ({
    parentUuid,
    isSidechain: false,
    userType: "external",
    cwd: machine.project,
    sessionId,
    version: last.version,
    gitBranch: "main",
    type,
    message,
    uuid: randomUUID(),
    timestamp: new Date(atMs).toISOString(),
  });
  const asked = record("user", last.uuid, { role: "user", content: question });
  const answered = record("assistant", asked.uuid, {
    id: `msg_${randomUUID().replaceAll("-", "")}`,
    type: "message",
    role: "assistant",
    model: "claude-sonnet-4-5",
    content: [{ type: "text", text: answer }],
    stop_reason: "end_turn",
  });
  appendFileSync(path, `${JSON.stringify(asked)}\n${JSON.stringify(answered)}\n`);
}

function lastRecord(transcript: string): LastRecord {
  for (const line of transcript.trimEnd().split("\n").reverse()) {
    const record: unknown = JSON.parse(line);
    if (typeof record !== "object" || record === null) continue;
    const { type, uuid, version } = record as Record<string, unknown>;
    if (type !== "user" && type !== "assistant") continue;
    if (typeof uuid === "string" && typeof version === "string") return { uuid, version };
  }
  throw new Error("the transcript holds no turn to go on from");
}
