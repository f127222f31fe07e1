/**
 * The error model: one base class, a closed set of codes. What a code means for the user (exit code
 * and hint) is the table in `cli/error_report.ts`, which does not compile while a code is missing.
 *
 * Expected outcomes (absent object, lost race, nothing to do) are return values, never errors.
 */

/** Every way a command can fail. Stable: printed by `--json` and documented in the README. */
export type ErrorCode =
  /** Wrong flags or arguments, or a question that could not be asked. */
  | "usage"
  /** No `config.json` on this machine. */
  | "not-set-up"
  /** Nothing that looks like a vault at the given place. */
  | "no-vault"
  /**
   * `init` on a place that holds something else, or when this machine is set up for another vault.
   */
  | "already-set-up"
  /** No key file on this machine. */
  | "key-missing"
  /** Text or file that should hold a key does not. */
  | "key-malformed"
  /** A key, but not this vault's. */
  | "wrong-key"
  /** The vault or a local file was written by a newer version. */
  | "newer-format"
  /** Another claude-sync process holds the lock. */
  | "busy"
  /** An object fails decryption, authentication or its checks. */
  | "damaged"
  /** The vault lost entries this machine has seen. */
  | "rolled-back"
  /** A log has two different entries with one number. */
  | "forked"
  /** A signed entry speaks of entries or objects that the store does not show. */
  | "incomplete"
  /** The store refused the credentials or the permission. */
  | "store-refused"
  /** The store cannot be reached or keeps failing. */
  | "store-unreachable"
  /** The store answered something that breaks its contract. */
  | "store-invalid"
  /** No space or quota left, in the store or on this machine. */
  | "no-space"
  /** A local file or folder cannot be read or written. */
  | "local-io"
  /** A file this tool needs (config, settings, state) does not parse. */
  | "malformed-file"
  /** A file or folder is owned, linked or readable in an unsafe way. */
  | "unsafe-file"
  /** A named limit was exceeded. */
  | "too-large"
  /** The session, project or machine named by the user is not there. */
  | "not-found"
  /** A name fits more than one thing. */
  | "ambiguous"
  /** Some sessions failed, the others are safe. */
  | "partial"
  /** Ctrl-C or a signal. */
  | "interrupted"
  /** A bug in claude-sync. */
  | "bug";

/** Facts that go with an error. Never holds secrets or conversation text. */
export interface ErrorFacts {
  /** Absolute local path. */
  readonly path?: string;
  /** Object name in the store. */
  readonly objectName?: string;
  /** Session id. */
  readonly sessionId?: string;
  /** Replaces the table's general hint when something more exact is known. */
  readonly hint?: string;
  /** The failure that caused this one. */
  readonly cause?: unknown;
}

/** The only error class that leaves a layer. `message` is one sentence without a full stop. */
export class ClaudeSyncError extends Error {
  readonly code: ErrorCode;
  readonly path: string | undefined;
  readonly objectName: string | undefined;
  readonly sessionId: string | undefined;
  readonly hint: string | undefined;

  constructor(code: ErrorCode, message: string, facts: ErrorFacts = {}) {
    super(message, facts.cause === undefined ? undefined : { cause: facts.cause });
    this.name = "ClaudeSyncError";
    this.code = code;
    this.path = facts.path;
    this.objectName = facts.objectName;
    this.sessionId = facts.sessionId;
    this.hint = facts.hint;
  }
}

/** Narrows an unknown throwable to our own error, optionally with one of `codes`. */
export function isClaudeSyncError(
  error: unknown,
  ...codes: readonly ErrorCode[]
): error is ClaudeSyncError {
  return error instanceof ClaudeSyncError && (codes.length === 0 || codes.includes(error.code));
}
