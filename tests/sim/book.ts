/**
 * What the clients of a world have written. Every record, file and prompt holds a mark that is
 * nowhere else, so that whoever finds the mark has found it.
 */
import { CANARY } from "./store.ts";

const MARKS = /mark-\d{6}/g;

/** All marks in a text. */
export function marksIn(text: string): string[] {
  return [...text.matchAll(MARKS)].map(([mark]) => mark);
}

/** Plans that a transcript's records name. What was written on after a torn line is no record. */
export function plansNamedIn(transcript: string): string[] {
  const lines = transcript.split("\n").filter((line) => line.includes('"slug":"'));
  return lines.flatMap((line) => {
    try {
      return [(JSON.parse(line) as { slug: string }).slug];
    } catch (error) {
      if (error instanceof SyntaxError) return [];
      throw error;
    }
  });
}

/** The book of one world. */
export class Book {
  /** Whole lines and whole files, exactly as a client wrote them. */
  readonly exact = new Set<string>();
  /** What people and models said: must be visible everywhere in the end. */
  readonly spoken = new Set<string>();
  /** Everything: must be in the vault in the end. */
  readonly written = new Set<string>();
  /** Taken out of some file by a client or a person, or lost by a disk. */
  readonly dropped = new Set<string>();
  #count = 0;

  /** Text with a new mark in it. */
  mark(): string {
    return `mark-${String(++this.#count).padStart(6, "0")} ${CANARY}`;
  }

  /** The number of marks so far: for what is to be different each time. */
  get count(): number {
    return this.#count;
  }

  /** Notes lines that a client has written. `loose`: they need not be synced with any session. */
  wrote(text: string, kind: "spoken" | "other" | "loose"): void {
    // A line without a mark may be made again from another session's.
    for (const line of text.split(/(?<=\n)/)) if (marksIn(line).length > 0) this.exact.add(line);
    for (const mark of kind === "loose" ? [] : marksIn(text)) {
      this.written.add(mark);
      if (kind === "spoken") this.spoken.add(mark);
    }
  }

  /** Notes a file that a client has written as a whole. */
  wroteWhole(text: string, kind: "other" | "loose"): void {
    this.exact.add(text);
    for (const mark of kind === "loose" ? [] : marksIn(text)) this.written.add(mark);
  }

  /** Notes that somebody other than the program has removed this. */
  drop(text: string): void {
    for (const mark of marksIn(text)) this.dropped.add(mark);
  }
}
