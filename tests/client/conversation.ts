/**
 * What a person does at a machine, in more than one step.
 *
 * @module
 */
import assert from "node:assert/strict";
import { access, rm, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Machine } from "./machine.ts";
import { says } from "./transcript.ts";
import { until } from "./until.ts";

/** Older than the 30 days after which the client deletes sessions. */
const OLD_SECONDS = 40 * 24 * 60 * 60;

/**
 * Says one thing in the interactive client, waits for the answer and leaves.
 *
 * @param prompt plain words that nobody has said on this machine before.
 * @returns the id of the session in which it was said.
 */
export async function speakOn(
  machine: Machine,
  args: readonly string[],
  prompt: string,
): Promise<string> {
  const terminal = await machine.openClaude(...args);
  await terminal.shows(/^❯/m);
  await terminal.type(prompt);
  await terminal.shows(new RegExp(`Heard: ${prompt}`));
  await terminal.type("/exit");
  const { status, screen } = await terminal.ended();
  assert.equal(status, 0, screen);
  const spoken = (await machine.transcripts()).filter((transcript) => says(transcript, prompt));
  assert.equal(spoken.length, 1, `"${prompt}" is in one session`);
  return spoken[0]!.sessionId;
}

/** Gives a session's file the time of one that the client's next clean-up takes. */
export async function makeOld(machine: Machine, sessionId: string): Promise<void> {
  const longAgo = Date.now() / 1000 - OLD_SECONDS;
  await utimes((await machine.transcript(sessionId)).path, longAgo, longAgo);
}

/** Makes a session that nobody has seen yet one of long ago, in what it says, too. */
export async function dateBack(machine: Machine, sessionId: string): Promise<void> {
  const { path, text } = await machine.transcript(sessionId);
  const earlier = (time: string) => new Date(Date.parse(time) - OLD_SECONDS * 1000).toISOString();
  await writeFile(path, text.replaceAll(/\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z/g, earlier));
  await makeOld(machine, sessionId);
}

/**
 * Runs the client until its clean-up, which it does once a day, has taken what is too old.
 *
 * @param prompt said in a session of its own, which nobody answers.
 */
export async function cleanUp(machine: Machine, prompt: string): Promise<void> {
  // Written when the clean-up is over; while it is young, there is no other.
  await rm(join(machine.configDir, ".last-cleanup"), { force: true });
  const cleaner = machine.startClaude(`${prompt} [[hold]]`);
  await until("the client has cleaned up", async () => {
    return await exists(join(machine.configDir, ".last-cleanup"));
  });
  cleaner.kill("SIGTERM");
  await cleaner.outcome;
}

async function exists(path: string): Promise<boolean> {
  try {
    await access(path);
    return true;
  } catch {
    return false; // Not there, which is all that there is to learn.
  }
}
