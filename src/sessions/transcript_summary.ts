/**
 * What a list shows of a transcript: its title, folder and time. The same as `transcriptFacts`
 * tells of these, found by searching bytes instead of parsing every record, which takes a minute of
 * some GB. Only to be looked at: no decision about what is synced rests on it.
 */
import { ByteWord } from "../base/byte_search.ts";
import type { FileSystem, ReadHandle } from "../platform/types.ts";
import { bytesBefore } from "./grown_file.ts";
import { parseJsonObject } from "./json_object.ts";
import { LineJoiner, linePieces } from "./line_pieces.ts";
import { cannotMatter, factText, promptOf, transcriptTail } from "./transcript_facts.ts";

/** Plain data. Texts are cut as in `TranscriptFacts`. */
export interface TranscriptSummary {
  /** Last title the user gave. */
  readonly customTitle: string | null;
  /** Last title the client made up. */
  readonly aiTitle: string | null;
  /** First thing a person typed that is no command and no note of the client's. */
  readonly firstPrompt: string | null;
  /** Working folder of the first record that has one. */
  readonly firstCwd: string | null;
  /** Latest time of the last records of what was read; a later one further up is not found. */
  readonly lastActivityMs: number | null;
}

/** Of an empty transcript. */
export const NO_SUMMARY: TranscriptSummary = {
  customTitle: null,
  aiTitle: null,
  firstPrompt: null,
  firstCwd: null,
  lastActivityMs: null,
};

/** The title that people see, not cut for display. */
export function summaryTitle(
  { customTitle, aiTitle, firstPrompt }: Pick<
    TranscriptSummary,
    "customTitle" | "aiTitle" | "firstPrompt"
  >,
): string | null {
  return customTitle ?? aiTitle ?? firstPrompt;
}

const NEWLINE = 0x0a;
/** Timed records at the end of each piece that are compared. */
const TAIL_TIMES = 16;

// A JSON text that holds one of these has it in a member's name or value, and a whole one but for
// the first: inside a string the quotes would be escaped. The client escapes no letters.
const TITLE = new ByteWord('-title"');
const USER = new ByteWord('"user"');
const CWD = new ByteWord('"cwd"');

/** Summary of what `summary` is about followed by `lines`, which are complete. */
export function extendSummary(summary: TranscriptSummary, lines: Uint8Array): TranscriptSummary {
  const titled = [...linesWith(lines, TITLE)].reverse();
  const custom = firstOf(
    titled,
    ({ type, customTitle }) => type === "custom-title" ? { text: factText(customTitle) } : null,
  );
  const ai = firstOf(
    titled,
    ({ type, aiTitle, title }) =>
      type === "ai-title" ? { text: factText(aiTitle) ?? factText(title) } : null,
  );
  const { lastActivityMs } = transcriptTail(lines, TAIL_TIMES);
  return {
    customTitle: custom === null ? summary.customTitle : custom.text,
    aiTitle: ai === null ? summary.aiTitle : ai.text,
    firstPrompt: summary.firstPrompt ??
      firstOf(linesWith(lines, USER), (record) => factText(promptOf(record))),
    firstCwd: summary.firstCwd ?? firstOf(linesWith(lines, CWD), ({ cwd }) => factText(cwd)),
    lastActivityMs: lastActivityMs === null
      ? summary.lastActivityMs
      : Math.max(lastActivityMs, summary.lastActivityMs ?? 0),
  };
}

/** The first that `look` finds among the records of `lines`. */
function firstOf<Found>(
  lines: Iterable<Uint8Array>,
  look: (record: Record<string, unknown>) => Found | null,
): Found | null {
  for (const line of lines) {
    const record = cannotMatter(line) ? null : parseJsonObject(line);
    const found = record === null ? null : look(record);
    if (found !== null) return found;
  }
  return null;
}

/** Lines that have `word`, each once. */
function* linesWith(lines: Uint8Array, word: ByteWord): Generator<Uint8Array> {
  for (let at = word.indexIn(lines); at !== -1;) {
    const newline = lines.indexOf(NEWLINE, at);
    const end = newline === -1 ? lines.length : newline;
    yield lines.subarray(lines.lastIndexOf(NEWLINE, at) + 1, end);
    at = word.indexIn(lines, end);
  }
}

/** A summary of the beginning of a file, and what proves that it still begins so. */
export interface SummarySoFar {
  readonly summary: TranscriptSummary;
  /** End of the last line that was looked at. */
  readonly lengthBytes: number;
  /** Hash of the last bytes before that; empty for none. */
  readonly tail: string;
}

/** Nothing was looked at. */
const NOTHING: SummarySoFar = { summary: NO_SUMMARY, lengthBytes: 0, tail: "" };

type HashOf = (bytes: Uint8Array) => string;

function tailAt(handle: ReadHandle, end: number, hashOf: HashOf): string {
  return end === 0 ? "" : hashOf(bytesBefore(handle, end));
}

/** `before` if the open file still begins with what that is about, else nothing. */
function provenIn(handle: ReadHandle, before: SummarySoFar | null, hashOf: HashOf): SummarySoFar {
  const isProven = before !== null && tailAt(handle, before.lengthBytes, hashOf) === before.tail;
  return isProven ? before : NOTHING;
}

/**
 * Reads the summary of a whole transcript, looking only at what comes after `before` while the file
 * has the same tail there. `hashOf` gives a tail's hash. Null when the file is absent. Throws
 * `local-io`.
 */
export function readTranscriptSummary(
  fs: FileSystem,
  path: string,
  hashOf: HashOf,
  before: SummarySoFar | null = null,
): SummarySoFar | null {
  const handle = fs.openRead(path);
  if (handle === null) return null;
  try {
    let { summary, lengthBytes } = provenIn(handle, before, hashOf);
    for (const { bytes, offset } of linePieces(handle, lengthBytes)) {
      summary = extendSummary(summary, bytes);
      lengthBytes = offset + bytes.length;
    }
    return { summary, lengthBytes, tail: tailAt(handle, lengthBytes, hashOf) };
  } finally {
    handle.close();
  }
}

/** The title of a transcript; null when it is absent or has none. Throws `local-io`. */
export function readTranscriptTitle(fs: FileSystem, path: string): string | null {
  const found = readTranscriptSummary(fs, path, () => "");
  return found === null ? null : summaryTitle(found.summary);
}

/** Makes the summary along the way while somebody else reads the whole file. Use once. */
export class SummaryFollower {
  readonly #hashOf: HashOf;
  readonly #before: SummarySoFar | null;
  readonly #joiner = new LineJoiner();
  #soFar = NOTHING;
  /** Where the bytes begin that were not looked at before: the beginning of a line. */
  #from = 0;

  /** `before`: as for `readTranscriptSummary`. */
  constructor(hashOf: HashOf, before: SummarySoFar | null) {
    this.#hashOf = hashOf;
    this.#before = before;
  }

  /** To be called before the first bytes are read. */
  begin(handle: ReadHandle): void {
    this.#soFar = provenIn(handle, this.#before, this.#hashOf);
    this.#from = this.#soFar.lengthBytes;
  }

  /** Takes the bytes at `offset`, which follow those of the call before. */
  take(bytes: Uint8Array, offset: number): void {
    const known = Math.max(0, this.#from - offset);
    if (known >= bytes.length) return;
    const lines = this.#joiner.take(bytes.subarray(known), offset + known);
    if (lines === null) return;
    const summary = extendSummary(this.#soFar.summary, lines.bytes);
    this.#soFar = { summary, lengthBytes: lines.offset + lines.bytes.length, tail: "" };
  }

  /** The summary; to be called when all bytes were read. */
  end(handle: ReadHandle): SummarySoFar {
    return { ...this.#soFar, tail: tailAt(handle, this.#soFar.lengthBytes, this.#hashOf) };
  }
}
