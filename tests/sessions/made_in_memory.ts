/** What is made of transcripts in pieces, for tests that have them whole. */
import { joined } from "../../src/base/bytes.ts";
import { cutLines, type LineFeed } from "../../src/sessions/line_cutter.ts";
import {
  isSaidOutside,
  LineTally,
  toldLine,
  type ToldRecord,
} from "../../src/sessions/record_diff.ts";
import * as copies from "../../src/sessions/restored_copy.ts";
import { spokenRecords } from "../../src/sessions/spoken_records.ts";

/** What two transcripts have. */
export interface RecordDiff {
  readonly onlyFirst: readonly ToldRecord[];
  readonly onlySecond: readonly ToldRecord[];
  /** Records of both. */
  readonly common: number;
}

/**
 * Compares by the exact bytes of each line; one that stands twice in one of them counts twice.
 * Each list is in the order of its transcript.
 */
export function diffRecords(first: Uint8Array, second: Uint8Array): RecordDiff {
  const tallies = [new LineTally(), new LineTally()] as const;
  for (const line of cutLines(second)) tallies[1].add(line);
  const onlyFirst = [...cutLines(first)].filter((line) => {
    tallies[0].add(line);
    return !tallies[1].takeAway(line);
  });
  const onlySecond = [...cutLines(second)].filter((line) => !tallies[0].takeAway(line));
  const common = tallies[0].lines - onlyFirst.length;
  return { onlyFirst: onlyFirst.map(toldLine), onlySecond: onlySecond.map(toldLine), common };
}

/** The records of `one` that somebody said and that `other` has not, whatever session they name. */
export function saidOnlyIn(one: Uint8Array, other: Uint8Array): ToldRecord[] {
  const known = new Set(spokenRecords(other).map(({ hash }) => hash));
  return [...cutLines(one)].filter((line) => isSaidOutside(line, known)).map(toldLine);
}

/** The restored version of a whole transcript. */
export function restoredCopy(bytes: Uint8Array, version: copies.RestoredVersion): Uint8Array {
  return made(bytes, (put) => copies.restoredCopy(version, put));
}

/** The same of a file of lines beside it. */
export function restoredLines(bytes: Uint8Array, version: copies.RestoredVersion): Uint8Array {
  return made(bytes, (put) => copies.restoredLines(version, put));
}

function made(
  bytes: Uint8Array,
  begin: (put: (bytes: Uint8Array) => void) => LineFeed,
): Uint8Array {
  const parts: Uint8Array[] = [];
  const feed = begin((part) => parts.push(part));
  feed.take(bytes);
  feed.end();
  return joined(parts);
}
