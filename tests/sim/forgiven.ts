/** What need not be in the vault, or on every machine, as somebody wished it to be forgotten. */
import { createHash } from "node:crypto";
import { marksIn } from "./book.ts";
import { type SimMachine, text } from "./machine.ts";
import type { Past } from "./past.ts";

/** All of it. */
export interface Forgiven {
  /** Whole lines and whole files. */
  readonly exact: ReadonlySet<string>;
  readonly marks: ReadonlySet<string>;
}

/**
 * Transcripts, by session, that somebody went on with elsewhere after they were forgotten, and that
 * this machine keeps as they were: the vault may soon not have them, so nothing replaces them.
 */
export function frozenOn(machine: SimMachine, past: Past): Map<string, string> {
  const frozen = new Map<string, string>();
  for (const { session, path } of machine.client.transcripts()) {
    const bytes = machine.disk.readFile(path, 1e9);
    if (bytes === null || !past.forgottenNames().includes(session)) continue;
    const hash = createHash("sha256").update(bytes).digest("hex");
    if (past.isForgottenTranscript(session, hash)) frozen.set(session, text(bytes));
  }
  return frozen;
}

const SESSION = /[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}/;

/**
 * What the forgotten states are, and what stands on machines in forgotten sessions: that is not
 * sent.
 */
export function forgivenIn(past: Past, machines: readonly SimMachine[]): Forgiven {
  const exact = new Set<string>();
  const marks = new Set<string>();
  const forgive = (content: string) => {
    exact.add(content);
    for (const line of content.split(/(?<=\n)/)) exact.add(line);
    for (const mark of marksIn(content)) marks.add(mark);
  };
  for (const content of past.forgivenContents()) forgive(content);
  for (const machine of machines) {
    for (const transcript of frozenOn(machine, past).values()) forgive(transcript);
    for (const [path, bytes] of machine.clientFiles()) {
      const session = SESSION.exec(path)?.[0];
      if (session !== undefined && past.isForgotten(session)) forgive(text(bytes));
    }
  }
  return { exact, marks };
}
