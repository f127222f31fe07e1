/**
 * What people and plans want to know of a transcript, gathered in one pass that can be continued.
 */
import { isObject } from "./json_object.ts";
import { records, recordsFromEnd, recordTimeMs } from "./transcript.ts";
import type { RecordLine } from "./transcript.ts";

/** Longest text that a fact keeps, in UTF-16 units; what is longer is cut. */
export const FACT_TEXT_MAX = 4_000;

/** Facts about the complete lines of a transcript. Plain data, fit for JSON. */
export interface TranscriptFacts {
  /** Working folder of the first record that has one: the project the session was begun in. */
  readonly firstCwd: string | null;
  /** Working folder of the last record that has one; also subfolders the model went to. */
  readonly lastCwd: string | null;
  /** Latest time of any record. A wrong clock may have put it into the future. */
  readonly lastActivityMs: number | null;
  /** The title the user gave, else the client's own, else the first prompt. Not cut for display. */
  readonly title: string | null;
  /** Last title the user gave. */
  readonly customTitle: string | null;
  /** Last title the client made up. */
  readonly aiTitle: string | null;
  /** First thing a person typed that is no command and no note of the client's. */
  readonly firstPrompt: string | null;
  /** Prompts by people plus answers; several records of one answer count once. */
  readonly messages: number;
  /** Client version of the last record that has one. */
  readonly lastVersion: string | null;
  /** Git branch of the last record that names one. */
  readonly gitBranch: string | null;
  /** Id of the answer counted last, so that its other records are not counted again. */
  readonly lastAnswerId: string | null;
}

/** Facts about an empty transcript. */
export const NO_FACTS: TranscriptFacts = {
  firstCwd: null,
  lastCwd: null,
  lastActivityMs: null,
  title: null,
  customTitle: null,
  aiTitle: null,
  firstPrompt: null,
  messages: 0,
  lastVersion: null,
  gitBranch: null,
  lastAnswerId: null,
};

type Draft = { -readonly [K in keyof TranscriptFacts]: TranscriptFacts[K] };

/** Facts about a whole transcript. A torn last line does not count. */
export function transcriptFacts(bytes: Uint8Array): TranscriptFacts {
  return extendFacts(NO_FACTS, bytes);
}

/**
 * Facts about what `facts` are about followed by `bytes`, which begin at the beginning of a line.
 * `extendFacts(transcriptFacts(a), b)` equals `transcriptFacts(a + b)` when `a` ends in a newline.
 */
export function extendFacts(facts: TranscriptFacts, bytes: Uint8Array): TranscriptFacts {
  const draft: Draft = { ...facts };
  for (const record of records(bytes)) {
    if (!record.isComplete || cannotMatter(record.line)) continue;
    if (record.parsed !== null) addRecord(draft, record.parsed);
  }
  draft.title = draft.customTitle ?? draft.aiTitle ?? draft.firstPrompt;
  return draft;
}

function addRecord(draft: Draft, record: Readonly<Record<string, unknown>>): void {
  const timeMs = recordTimeMs(record);
  if (timeMs !== null) draft.lastActivityMs = Math.max(timeMs, draft.lastActivityMs ?? 0);
  const cwd = factText(record["cwd"]);
  draft.firstCwd ??= cwd;
  draft.lastCwd = cwd ?? draft.lastCwd;
  draft.lastVersion = factText(record["version"]) ?? draft.lastVersion;
  draft.gitBranch = factText(record["gitBranch"]) ?? draft.gitBranch;
  switch (record["type"]) {
    case "custom-title":
      draft.customTitle = factText(record["customTitle"]);
      break;
    case "ai-title":
      draft.aiTitle = factText(record["aiTitle"]) ?? factText(record["title"]);
      break;
    case "user":
      addPrompt(draft, promptOf(record));
      break;
    case "assistant":
      addAnswer(draft, record);
      break;
  }
}

function addPrompt(draft: Draft, prompt: string | null): void {
  if (prompt === null) return;
  draft.messages++;
  draft.firstPrompt ??= factText(prompt);
}

function addAnswer(draft: Draft, record: Readonly<Record<string, unknown>>): void {
  if (record["isSidechain"] === true) return;
  const message = record["message"];
  const id = isObject(message) ? factText(message["id"]) : null;
  if (id !== null && id === draft.lastAnswerId) return;
  draft.messages++;
  draft.lastAnswerId = id;
}

/** Beginnings of `user` text that the client writes by itself. */
const CLIENT_TEXT = new RegExp(
  "^\\s*(<(command-(name|message|args)|local-command-[a-z]+|bash-(input|stdout|stderr)" +
    "|system-reminder|task-notification|user-memory-input)>" +
    "|Caveat: The messages below were generated|\\[Request interrupted by user)",
);

/**
 * What a person typed in a `user` record, or null: for tool results, notes and echoes of the
 * client, compaction summaries and subagents' prompts.
 */
export function promptOf(record: Readonly<Record<string, unknown>>): string | null {
  const isAside = record["isMeta"] === true || record["isSidechain"] === true ||
    record["isCompactSummary"] === true;
  const message = record["message"];
  if (record["type"] !== "user" || isAside || !isObject(message)) return null;
  const content = message["content"];
  const texts = typeof content === "string" ? [content] : textBlocks(content);
  return texts.find((text) => text.trim() !== "" && !CLIENT_TEXT.test(text)) ?? null;
}

function textBlocks(content: unknown): string[] {
  if (!Array.isArray(content)) return [];
  const texts: string[] = [];
  for (const block of content) {
    if (!isObject(block)) continue;
    if (block["type"] === "tool_result") return [];
    if (block["type"] === "text" && typeof block["text"] === "string") texts.push(block["text"]);
  }
  return texts;
}

/** Non-empty text, cut between characters after `FACT_TEXT_MAX`; null for anything else. */
export function factText(value: unknown): string | null {
  if (typeof value !== "string" || value === "") return null;
  if (value.length <= FACT_TEXT_MAX) return value;
  const last = value.charCodeAt(FACT_TEXT_MAX - 1);
  const splitsPair = last >= 0xd800 && last <= 0xdbff;
  return value.slice(0, splitsPair ? FACT_TEXT_MAX - 1 : FACT_TEXT_MAX);
}

const TYPE_PREFIX = new TextEncoder().encode('{"type":"');
const TYPE_LENGTH_MAX = 40;

/** Types of records that hold no fact; some are large. The client writes their type first. */
const FACTLESS = /^(api-request.*|file-history-.*|last-prompt|mode|permission-mode|cost-state)$/;

/** Whether a line is a record of a type that holds no fact. */
export function cannotMatter(line: Uint8Array): boolean {
  for (let i = 0; i < TYPE_PREFIX.length; i++) {
    if (line[i] !== TYPE_PREFIX[i]) return false;
  }
  let type = "";
  for (let i = TYPE_PREFIX.length; type.length <= TYPE_LENGTH_MAX; i++) {
    const unit = line[i];
    if (unit === undefined || unit === 0x22) break;
    type += String.fromCharCode(unit);
  }
  return FACTLESS.test(type);
}

/** What the beginning of a transcript tells. */
export interface TranscriptHead {
  readonly firstCwd: string | null;
}

/** Looks at complete lines from the start and stops at the first working folder. */
export function transcriptHead(bytes: Uint8Array): TranscriptHead {
  for (const record of records(bytes)) {
    const cwd = cwdOf(record);
    if (cwd !== null) return { firstCwd: cwd };
  }
  return { firstCwd: null };
}

function cwdOf(record: RecordLine): string | null {
  if (!record.isComplete || cannotMatter(record.line)) return null;
  return factText(record.parsed?.["cwd"]);
}

/** What the end of a transcript tells. */
export interface TranscriptTail {
  /** Latest time among the last records. */
  readonly lastActivityMs: number | null;
  readonly lastVersion: string | null;
  readonly lastCwd: string | null;
  readonly gitBranch: string | null;
}

/**
 * Records with a time that the tail compares; the latest is among the last few, not always the
 * last.
 */
const TAIL_TIMES = 64;

/**
 * Looks at complete lines from the end. The first line of `bytes` may be cut; it is then taken for
 * garbage. A latest time further than `timesMax` timed records from the end is not found.
 */
export function transcriptTail(bytes: Uint8Array, timesMax = TAIL_TIMES): TranscriptTail {
  let times = 0;
  let lastActivityMs: number | null = null;
  let lastVersion: string | null = null;
  let lastCwd: string | null = null;
  let gitBranch: string | null = null;
  for (const { line, parsed } of usefulFromEnd(bytes)) {
    if (line.length === 0 || parsed === null) continue;
    const timeMs = recordTimeMs(parsed);
    if (timeMs !== null) {
      times++;
      lastActivityMs = Math.max(timeMs, lastActivityMs ?? 0);
    }
    lastVersion ??= factText(parsed["version"]);
    lastCwd ??= factText(parsed["cwd"]);
    gitBranch ??= factText(parsed["gitBranch"]);
    if (times >= timesMax) break;
  }
  return { lastActivityMs, lastVersion, lastCwd, gitBranch };
}

function* usefulFromEnd(bytes: Uint8Array): Generator<RecordLine> {
  for (const record of recordsFromEnd(bytes)) {
    if (!cannotMatter(record.line)) yield record;
  }
}
