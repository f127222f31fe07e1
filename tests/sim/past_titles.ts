/** Which titles a vault's entries say (FORMAT.md section 8), for the checkers. */
import { Buffer } from "node:buffer";
import type { DecodedTitle } from "./decoder.ts";
import { stateKey } from "./file_tree.ts";
import type { PastEntry } from "./past_files.ts";

/**
 * Keys of the titles that hold, or would if their states were not forgotten: `title
 * <session>/transcript <state> …`.
 */
export function largestTitles(entries: readonly PastEntry[]): string[] {
  const largest = new Map<string, DecodedTitle>();
  for (const op of entries.flatMap(({ body }) => body.ops)) {
    if (op.op !== "add" || op.title === undefined) continue;
    const known = largest.get(op.session);
    if (known === undefined || isLarger(op.title, known)) largest.set(op.session, op.title);
  }
  return [...largest].map(([session, title]) => {
    const { text, time } = title;
    return `title ${session}/transcript ${stateKey(title)} ${time} ${text}`;
  });
}

/** Of the titles that a log says of a session the largest counts, and of those of all logs. */
function isLarger(a: DecodedTitle, b: DecodedTitle): boolean {
  if (a.time !== b.time) return a.time > b.time;
  const order = Buffer.compare(Buffer.from(a.text), Buffer.from(b.text));
  return order === 0 ? stateKey(a) > stateKey(b) : order > 0;
}
