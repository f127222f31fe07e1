/** What is found in Claude Code's folders and not taken, and why. */

/** Why something was left out. */
export type SkipKind =
  /** The name is not safe on all systems. */
  | "unsafe-name"
  /** Machine-local or secret by its name; nothing to worry about. */
  | "never-synced"
  /** A symbolic link. */
  | "link"
  /** Neither a file nor a folder. */
  | "special"
  /** A transcript that no session id or known agent file names. */
  | "unknown-transcript"
  /** The system does not let us read it. */
  | "unreadable"
  /** A limit was reached. */
  | "limit";

/** Something in Claude Code's folders that is not synced, and why. */
export interface SkippedPath {
  readonly path: string;
  readonly kind: SkipKind;
  /** For people; reads on after the path ("is a symbolic link"). */
  readonly reason: string;
  /** What is missing for it: a transcript or more, or one file beside it. */
  readonly loses: "session" | "file";
}

/** What each kind means; for people. */
export const SKIP_REASONS: Readonly<Record<SkipKind, string>> = {
  "unsafe-name": "has a name that is not safe on every system",
  "never-synced": "belongs to this machine or may hold secrets",
  "link": "is a symbolic link",
  "special": "is no regular file",
  "unknown-transcript": "is no session that can be told by its name",
  "unreadable": "cannot be read",
  "limit": "is past the largest number of sessions",
};
