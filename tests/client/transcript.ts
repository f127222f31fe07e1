/**
 * Reads the transcripts that a client left, as far as these tests must understand them.
 *
 * @module
 */
import { readdir, readFile } from "node:fs/promises";
import { basename, join } from "node:path";

/** One line of a transcript. */
export interface TranscriptRecord {
  readonly type: string;
  readonly uuid?: string;
  readonly sessionId?: string;
  readonly cwd?: string;
  readonly message?: { readonly content?: unknown };
  readonly [field: string]: unknown;
}

/** A transcript on a machine. */
export interface Transcript {
  readonly sessionId: string;
  readonly path: string;
  readonly text: string;
  readonly records: readonly TranscriptRecord[];
}

/** Every transcript under a configuration folder, in order of session id; subagents left out. */
export async function readTranscripts(configDir: string): Promise<Transcript[]> {
  const transcripts: Transcript[] = [];
  const projects = join(configDir, "projects");
  for (const slug of await listOrNothing(projects)) {
    for (const name of await listOrNothing(join(projects, slug))) {
      if (!name.endsWith(".jsonl") || name.startsWith("agent-")) continue;
      const path = join(projects, slug, name);
      const text = await readFile(path, "utf8");
      // The oldest client leaves empty transcripts of its own warm-up.
      if (text === "") continue;
      const sessionId = basename(name, ".jsonl");
      transcripts.push({ sessionId, path, text, records: recordsOf(text) });
    }
  }
  return transcripts.sort((one, other) => one.sessionId < other.sessionId ? -1 : 1);
}

/** Whether somebody says `words` in the transcript, as a person or as the model. */
export function says(transcript: Transcript, words: string): boolean {
  return transcript.records.some((record) =>
    (record.type === "user" || record.type === "assistant") &&
    JSON.stringify(record.message?.content ?? "").includes(words)
  );
}

function recordsOf(text: string): TranscriptRecord[] {
  return text.split("\n").filter((line) => line !== "").map((line) => JSON.parse(line));
}

async function listOrNothing(folder: string): Promise<string[]> {
  try {
    return (await readdir(folder)).sort();
  } catch (error) {
    const { code } = error as { code?: string };
    if (code === "ENOENT" || code === "ENOTDIR") return [];
    throw error;
  }
}
