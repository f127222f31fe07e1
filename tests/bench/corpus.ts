/**
 * A made-up Claude Code folder of a chosen size, shaped as real ones are: most sessions small and a
 * few huge, source files quoted again and again, images and signatures that do not compress.
 * Nothing in it comes from a real conversation.
 */
import { appendFileSync, closeSync, mkdirSync, openSync, statSync, utimesSync } from "node:fs";
import { writeFileSync, writeSync } from "node:fs";
import { dirname, join } from "node:path";
import { slugOf } from "../../src/sessions/slug.ts";
import { Conversation, makeProject, type Project } from "./conversation.ts";
import { Choices } from "./random.ts";

/** How much of what. */
export interface CorpusShape {
  readonly sessions: number;
  readonly totalBytes: number;
  readonly projects: number;
  /** Sizes of the first sessions; the others share the rest unevenly. */
  readonly largestBytes: readonly number[];
}

/** One session on the disk. */
export interface CorpusSession {
  readonly id: string;
  readonly path: string;
  readonly project: Project;
}

/** What was written. */
export interface Corpus {
  readonly sessions: readonly CorpusSession[];
  readonly files: number;
  readonly totalBytes: number;
  /** Working folders of the projects. */
  readonly cwds: readonly string[];
}

/** 300 sessions, 100 MB: a few weeks of one person. */
export const SMALL: CorpusShape = {
  sessions: 300,
  totalBytes: 100e6,
  projects: 12,
  largestBytes: [20e6, 8e6, 4e6],
};

/** 2,000 sessions, 1 GB: more than a year, for who keeps everything. */
export const LARGE: CorpusShape = {
  sessions: 2_000,
  totalBytes: 1_000e6,
  projects: 40,
  largestBytes: [50e6, 30e6, 20e6],
};

/** 2,000 sessions with little in each: for what costs by the session. */
export const MANY: CorpusShape = {
  sessions: 2_000,
  totalBytes: 40e6,
  projects: 40,
  largestBytes: [],
};

const SESSION_BYTES_MIN = 3_000;
const BUFFER_CHARACTERS = 1024 * 1024;
const HOUR_MS = 3_600_000;
/** All within the client's 30 days, so that a pull brings them. */
const OLDEST_HOURS = 20 * 24;
/** Of a session's bytes, where a fifth of the sessions put some: agents of their own. */
const AGENT_SHARE = 0.25;

/** Writes the corpus below `configDir`, with projects in `<home>/code`. */
export function writeCorpus(home: string, shape: CorpusShape, nowMs: number): Corpus {
  const choices = new Choices(shape.sessions * 31 + shape.totalBytes);
  const projects = Array.from(
    { length: shape.projects },
    (_, index) => makeProject(index + 1, join(home, "code")),
  );
  const sizes = sessionSizes(choices, shape);
  const sessions: CorpusSession[] = [];
  let totalBytes = 0;
  let files = 0;
  for (const [index, sizeBytes] of sizes.entries()) {
    const project = choices.early(projects);
    const id = choices.uuid();
    const folder = join(home, ".claude", "projects", slugOf(project.cwd));
    const path = join(folder, `${id}.jsonl`);
    const ageHours = 2 + (OLDEST_HOURS * index) / sizes.length;
    const startMs = nowMs - ageHours * HOUR_MS;
    const hasAgent = sizeBytes > 40_000 && choices.fraction() < 0.2;
    const agentBytes = hasAgent ? Math.floor(sizeBytes * AGENT_SHARE) : 0;
    const talk = new Conversation({ choices, project, sessionId: id, startMs });
    totalBytes += writeRecords(path, talk, sizeBytes - agentBytes);
    files++;
    if (agentBytes > 0) {
      const agentId = choices.hex(17);
      const agent = new Conversation({ choices, project, sessionId: id, startMs, agentId });
      const agentPath = join(folder, id, "subagents", `agent-${agentId}.jsonl`);
      totalBytes += writeRecords(agentPath, agent, agentBytes);
      files++;
    }
    sessions.push({ id, path, project });
  }
  const cwds = projects.map(({ cwd }) => cwd);
  for (const cwd of cwds) mkdirSync(cwd, { recursive: true });
  return { sessions, files, totalBytes, cwds };
}

/** Continues a session by whole records of about `bytes` together; gives the bytes added. */
export function appendRecords(session: CorpusSession, bytes: number, nowMs: number): number {
  const choices = new Choices(statSync(session.path).size);
  const { id, project } = session;
  const talk = new Conversation({ choices, project, sessionId: id, startMs: nowMs - HOUR_MS });
  let added = "";
  while (added.length < bytes) added += talk.turn(bytes - added.length);
  appendFileSync(session.path, added);
  setTime(session.path, nowMs - HOUR_MS);
  return new TextEncoder().encode(added).length;
}

function sessionSizes(choices: Choices, shape: CorpusShape): number[] {
  const fixed = shape.largestBytes.slice(0, shape.sessions);
  const weights = Array.from(
    { length: shape.sessions - fixed.length },
    () => choices.around(1, 1.3),
  );
  const sum = weights.reduce((total, weight) => total + weight, 0);
  const left = shape.totalBytes - fixed.reduce((total, size) => total + size, 0);
  const rest = weights.map((weight) => Math.max(SESSION_BYTES_MIN, (left * weight) / sum));
  return [...fixed, ...rest].map(Math.floor);
}

function writeRecords(path: string, talk: Conversation, sizeBytes: number): number {
  mkdirSync(dirname(path), { recursive: true });
  const file = openSync(path, "w", 0o600);
  let written = 0;
  let buffer = "";
  const flush = () => {
    if (buffer !== "") written += writeSync(file, buffer);
    buffer = "";
  };
  while (written + buffer.length < sizeBytes) {
    buffer += talk.turn(sizeBytes - written - buffer.length);
    if (buffer.length > BUFFER_CHARACTERS) flush();
  }
  flush();
  closeSync(file);
  setTime(path, talk.nowMs);
  return written;
}

function setTime(path: string, atMs: number): void {
  utimesSync(path, atMs / 1000, atMs / 1000);
}

/** Folders that stand for the same projects in another home, so that a pull finds them. */
export function makeProjectFolders(corpus: Corpus, from: string, to: string): void {
  for (const cwd of corpus.cwds) mkdirSync(cwd.replace(from, to), { recursive: true });
}

/** A corpus of one session of `sizeBytes`. */
export function writeOneSession(home: string, sizeBytes: number, nowMs: number): CorpusSession {
  const shape = { sessions: 1, totalBytes: sizeBytes, projects: 1, largestBytes: [sizeBytes] };
  const [session] = writeCorpus(home, shape, nowMs).sessions;
  writeFileSync(join(home, ".claude", "settings.json"), "{}\n");
  return session!;
}
