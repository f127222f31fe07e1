/** What `forget` takes and gives: plain data, as in `api.ts`. */
import type { Failure, Traffic } from "./api.ts";

/** Which sessions are to be forgotten. At least one of the three says something. */
export interface ForgetRequest {
  /** Ids, unique beginnings of ids, or the words of one title. */
  readonly queries: readonly string[];
  /** All sessions of a project, by key or unambiguous name, and its memory; null = no matter. */
  readonly project: string | null;
  /** All sessions in which nothing was said since then, in ms since 1970; null = no matter. */
  readonly beforeMs: number | null;
  /**
   * Only these of them, which the user has seen and confirmed, and only as they were seen; null =
   * all.
   */
  readonly only: readonly SeenSession[] | null;
  /** Says what would be forgotten, and does nothing. */
  readonly dryRun: boolean;
}

/** What shows whether a session is still as it was when the user was asked. */
export interface SeenSession {
  readonly id: string;
  readonly lastActivityMs: number;
  /** As a pull would write it. */
  readonly sizeBytes: number;
}

/** One session that was forgotten. */
export interface ForgottenSession extends SeenSession {
  /** The session that it branched off and that was forgotten with it; null for all others. */
  readonly of: string | null;
  /** Known of sessions that are on this machine. */
  readonly title: string | null;
  readonly project: string | null;
  /** Names of the machines that wrote it; hostile text. */
  readonly machines: readonly string[];
  /** Whether this machine has it. */
  readonly isHere: boolean;
}

/** What `forget` did. Exit 3 when `failures` is not empty. */
export interface ForgetResult extends Traffic {
  /** Newest first, branches after the session that they come from. */
  readonly sessions: readonly ForgottenSession[];
  /** Files of plans and memories that were forgotten with them. */
  readonly otherFiles: number;
  /** Sessions that were asked for and are forgotten already. */
  readonly already: readonly string[];
  /** Name of the project that `project` means. */
  readonly project: string | null;
  readonly sizeBytes: number;
  /** Sessions that stay, as they are open here or went on while the user was asked. */
  readonly failures: readonly Failure[];
  readonly dryRun: boolean;
}

/** A forgotten session that can be brought back. */
export interface RecallableSession {
  readonly id: string;
  /** Known of sessions that are on this machine. */
  readonly title: string | null;
  readonly project: string | null;
  readonly sizeBytes: number;
  /** When it was forgotten, by that machine's clock. */
  readonly forgottenMs: number;
  /** Name of the machine that it was forgotten on; hostile text. */
  readonly by: string;
  /**
   * Days that this machine waits at least until it deletes its part of the text; each machine
   * counts for itself. 0: it may be gone after any compaction.
   */
  readonly daysLeft: number;
  readonly isHere: boolean;
}
