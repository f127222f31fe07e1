/**
 * What a person does at a machine, in more than one step.
 *
 * @module
 */
import assert from "node:assert/strict";
import type { Machine } from "./machine.ts";
import { says } from "./transcript.ts";

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
