/** What every failure means for the user: exit code, general hint, and how it is shown. */
import { errnoOf } from "../base/errno.ts";
import { ClaudeSyncError, type ErrorCode } from "../errors.ts";
import { terminalText } from "./terminal_text.ts";

/** Where to report bugs. */
const ISSUES_URL = "https://github.com/claude-sync/claude-sync/issues";

/** Exit codes, documented in every help page. */
export const EXIT = {
  done: 0,
  failed: 1,
  usage: 2,
  partial: 3,
  refused: 4,
  unreachable: 5,
  changesWaiting: 8,
  notSetUp: 10,
  busy: 11,
  wrongKey: 12,
  damaged: 13,
  bug: 70,
  interrupted: 130,
} as const;

/** What `code` leads to. */
interface Consequence {
  readonly exit: number;
  /**
   * What the user can do about it, unless the error itself knows better. Null when nothing helps.
   */
  readonly hint: string | null;
}

/** One line per error code; a new code does not compile without one. */
export const CONSEQUENCES = {
  "usage": { exit: EXIT.usage, hint: "See: claude-sync help" },
  "not-set-up": {
    exit: EXIT.notSetUp,
    hint: "Set this machine up: claude-sync help init",
  },
  "no-vault": {
    exit: EXIT.notSetUp,
    hint: "Check the path, and that the drive or share is mounted: claude-sync status",
  },
  "already-set-up": {
    exit: EXIT.failed,
    hint: "See what this machine uses: claude-sync status",
  },
  "key-missing": {
    exit: EXIT.notSetUp,
    hint: "On a machine that works: claude-sync key export   then here: claude-sync key import",
  },
  "key-malformed": {
    exit: EXIT.wrongKey,
    hint: "A key is one line of base64, as printed by: claude-sync key export",
  },
  "wrong-key": {
    exit: EXIT.wrongKey,
    hint:
      "Compare on both machines: claude-sync key fingerprint   and copy the key of one that works",
  },
  "newer-format": {
    exit: EXIT.failed,
    hint: "Install the newest claude-sync on this machine; nothing was changed",
  },
  "busy": {
    exit: EXIT.busy,
    hint: "Another claude-sync is working on this machine; try again when it is done",
  },
  "damaged": {
    exit: EXIT.damaged,
    hint: "Nothing local was replaced. Find out how far it goes: claude-sync verify --read-data",
  },
  "rolled-back": {
    exit: EXIT.damaged,
    hint:
      "Nothing local was replaced. Restore the newest state of the store, or ask who changed it",
  },
  "forked": {
    exit: EXIT.damaged,
    hint: "Nothing local was replaced. Somebody changed the store: claude-sync verify",
  },
  "incomplete": {
    exit: EXIT.damaged,
    hint: "Nothing local was replaced. The store may still be copying its files: try again, " +
      "then claude-sync verify",
  },
  "store-refused": {
    exit: EXIT.refused,
    hint: "See what the store allows: claude-sync store test",
  },
  "store-unreachable": {
    exit: EXIT.unreachable,
    hint: "Nothing is lost: what waits goes out with the next push",
  },
  "store-invalid": {
    exit: EXIT.failed,
    hint: "The store does not keep its promises; see claude-sync verify",
  },
  "no-space": {
    exit: EXIT.failed,
    hint: "Free some space there, then run the command again; nothing is half-written",
  },
  "local-io": {
    exit: EXIT.failed,
    hint: "Check the path and its permissions, then run the command again",
  },
  "malformed-file": {
    exit: EXIT.failed,
    hint: "The file was left untouched; repair it or move it away",
  },
  "unsafe-file": {
    exit: EXIT.failed,
    hint: "The file must belong to you alone (chmod 600) and must not be a link",
  },
  "too-large": { exit: EXIT.failed, hint: null },
  "not-found": { exit: EXIT.failed, hint: "See what there is: claude-sync list" },
  "ambiguous": { exit: EXIT.usage, hint: "Give more characters of the id or name" },
  "partial": {
    exit: EXIT.partial,
    hint: "What worked is safe; run the command again for the rest",
  },
  "interrupted": { exit: EXIT.interrupted, hint: null },
  "bug": {
    exit: EXIT.bug,
    hint: `This is a mistake in claude-sync, please report it: ${ISSUES_URL}`,
  },
} as const satisfies Record<ErrorCode, Consequence>;

/** A failure, ready to be shown. All text is safe for terminals. */
export interface ErrorReport {
  readonly code: ErrorCode;
  readonly exit: number;
  /** What happened; no full stop. */
  readonly message: string;
  /** Facts that say where, e.g. a path or object name. */
  readonly facts: readonly string[];
  /** What caused it, outermost first. */
  readonly why: readonly string[];
  /** What to do about it. */
  readonly hint: string | null;
  /** Only for bugs. */
  readonly stack: string | null;
}

const CAUSES_MAX = 4;
const MESSAGE_GRAPHEMES_MAX = 600;

/** Explains anything that was thrown. What is not a `ClaudeSyncError` is a bug of ours. */
export function reportOf(thrown: unknown): ErrorReport {
  if (!(thrown instanceof ClaudeSyncError)) return bugReport(thrown);
  const consequence: Consequence = CONSEQUENCES[thrown.code];
  const facts: string[] = [];
  // Messages mostly name the path already.
  for (const fact of [thrown.path, thrown.objectName, thrown.sessionId]) {
    if (fact !== undefined && !thrown.message.includes(fact)) facts.push(safe(fact));
  }
  return {
    code: thrown.code,
    exit: consequence.exit,
    message: safe(thrown.message),
    facts,
    why: causesOf(thrown),
    hint: thrown.hint === undefined ? consequence.hint : safe(thrown.hint),
    stack: thrown.code === "bug" ? stackOf(thrown) : null,
  };
}

function bugReport(thrown: unknown): ErrorReport {
  const message = thrown instanceof Error ? `${thrown.name}: ${thrown.message}` : String(thrown);
  return {
    code: "bug",
    exit: EXIT.bug,
    message: `Unexpected failure: ${safe(message)}`,
    facts: [],
    why: thrown instanceof Error ? causesOf(thrown) : [],
    hint: CONSEQUENCES.bug.hint,
    stack: stackOf(thrown),
  };
}

/**
 * Only our own sentences and those of the operating system: a parser's message quotes what it read,
 * which may be a secret.
 */
function causesOf(error: Error): string[] {
  const why: string[] = [];
  let cause: unknown = error.cause;
  for (let depth = 0; cause instanceof Error && depth < CAUSES_MAX; depth++) {
    const isSpeakable = cause instanceof ClaudeSyncError || errnoOf(cause) !== null;
    if (isSpeakable && !error.message.includes(cause.message)) why.push(safe(cause.message));
    cause = cause.cause;
  }
  return why;
}

function stackOf(thrown: unknown): string | null {
  if (!(thrown instanceof Error) || thrown.stack === undefined) return null;
  return thrown.stack.split("\n").map((line) => terminalText(line)).join("\n");
}

function safe(text: string): string {
  return terminalText(text, MESSAGE_GRAPHEMES_MAX);
}

/**
 * The lines for stderr: what, where, why, how to fix it, and for bugs with `isVerbose` the stack.
 */
export function errorLines(report: ErrorReport, isVerbose: boolean): string[] {
  const lines = [`error: ${lowerFirst(report.message)}   [${report.code}]`];
  for (const fact of report.facts) lines.push(`  what  ${fact}`);
  for (const cause of report.why) lines.push(`  why   ${cause}`);
  if (report.hint !== null) lines.push(`  fix   ${report.hint}`);
  if (report.stack !== null) {
    if (isVerbose) lines.push(report.stack);
    else lines.push("        with the output of the same command and --verbose");
  }
  return lines;
}

/** The one line about a store out of reach, which is nothing to worry about. */
export function offlineLine(report: ErrorReport): string {
  return `offline: ${lowerFirst(report.message)} - nothing is lost; --verbose says more   ` +
    `[${report.code}]`;
}

/** Sentence case after `error:` looks wrong, unless the sentence begins with a name. */
function lowerFirst(message: string): string {
  return /^[A-Z][a-z ]/.test(message)
    ? message.charAt(0).toLowerCase() + message.slice(1)
    : message;
}

/** The `error` field of a command's JSON answer. */
export interface ErrorJson {
  readonly code: ErrorCode;
  readonly message: string;
  readonly hint: string | null;
  readonly exit: number;
}

/** The stable part of a report. */
export function errorJson(report: ErrorReport): ErrorJson {
  return { code: report.code, message: report.message, hint: report.hint, exit: report.exit };
}
