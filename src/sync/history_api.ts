/**
 * What the use cases about the past take and give: plain data, as in `api.ts`.
 */
import type { ToldRecord } from "../sessions/record_diff.ts";
import type { Failure, PullResult, Traffic } from "./api.ts";

/** What `restore` is asked for. */
export interface RestoreRequest {
  /** Ids, unique beginnings of ids, or words of one title. */
  readonly queries: readonly string[];
  /** All sessions of a project, by key or unambiguous name; null = no matter which. */
  readonly project: string | null;
  /** All sessions that a plain pull leaves in the vault: old, or deleted here. */
  readonly archived: boolean;
  /** As everything was at that time; null = the newest. */
  readonly atMs: number | null;
  /** The version with this beginning of its SHA-256, of the one session named; null = by time. */
  readonly version: string | null;
  /** Absolute folder for plain files instead of Claude Code's own; null = there. */
  readonly to: string | null;
  /** With `to`: replaces files there that the vault has. */
  readonly force: boolean;
  readonly dryRun: boolean;
}

/** One session that was asked for. */
export interface RestoredSession {
  /** The id that it can be resumed by; of a copy, its own. */
  readonly id: string;
  /** The session asked for. */
  readonly of: string;
  readonly title: string | null;
  /**
   * `restored`: written (with a dry run: would be). `unchanged`: was here like that. `open`: in use
   * in Claude Code, nothing was done. `failed`: see the failures.
   */
  readonly outcome: "restored" | "unchanged" | "open" | "failed";
  /**
   * `itself`: in its place, with its newest state. `copy`: an earlier version as a session of its
   * own. `files`: as files in a folder.
   */
  readonly as: "itself" | "copy" | "files";
  /** SHA-256 of the version's transcript. */
  readonly version: string | null;
  /** File time of that version, on the machine that pushed it. */
  readonly atMs: number | null;
  readonly sizeBytes: number;
  /** Of the transcript; null when it is not here. */
  readonly path: string | null;
}

/** What `restore` did. Exit 3 when something asked for was not restored. */
export interface RestoreResult extends Traffic {
  readonly restored: number;
  /** Files of plans and memories that came along; with a dry run those known to be missing. */
  readonly otherFiles: number;
  readonly sessions: readonly RestoredSession[];
  readonly bytes: { readonly received: number; readonly written: number };
  readonly failures: readonly Failure[];
  /** Ids of sessions that were forgotten and are not any more. */
  readonly recalled: readonly string[];
  readonly dryRun: boolean;
}

/** One version of a session that the vault has. */
export interface VersionRow {
  /** SHA-256 of its transcript. */
  readonly version: string;
  /** File time, on the machine that pushed it. */
  readonly atMs: number;
  readonly sizeBytes: number;
  /** Name of the machine that pushed it; hostile text. */
  readonly machine: string;
  /**
   * `newest`: what a pull brings. `earlier`: the newest goes on from it. `branch`: was continued
   * elsewhere. `rewritten`: Claude Code wrote the file anew after it.
   */
  readonly kind: "newest" | "earlier" | "branch" | "rewritten";
}

/** The versions of one session, newest first. */
export interface VersionList extends Traffic {
  readonly id: string;
  readonly title: string | null;
  readonly versions: readonly VersionRow[];
}

/** Which plan, or file of a project's memory, is meant. */
export interface FileQuery {
  /** `plans/NAME.md` or `memory/PATH`. */
  readonly file: string;
  /** Whose memory, by key or unambiguous name; null = that of the current folder's project. */
  readonly project: string | null;
}

/** What `restore` is asked for of such a file; see `RestoreRequest`. */
export interface FileRestoreRequest
  extends FileQuery, Pick<RestoreRequest, "atMs" | "version" | "to" | "force" | "dryRun"> {}

/** What `restore` did with such a file. Exit 3 when it is open. */
export interface RestoredFile extends Traffic {
  readonly file: string;
  /** Name of the memory's project; null for a plan. */
  readonly project: string | null;
  /**
   * `restored`: written (with a dry run: would be). `unchanged`: was here like that. `open`: a plan
   * of a session that is in use in Claude Code; nothing was done.
   */
  readonly outcome: "restored" | "unchanged" | "open";
  /** SHA-256 of what was brought, its file time on the machine that pushed it, its size. */
  readonly version: string;
  readonly atMs: number;
  readonly sizeBytes: number;
  /** Where it stands, or would. */
  readonly path: string;
  /** SHA-256 of what stood there, which the vault has; null when nothing did. */
  readonly replaced: string | null;
  /** `sent`: of what stood there, when the vault had not got it. */
  readonly bytes: { readonly sent: number; readonly received: number; readonly written: number };
  readonly dryRun: boolean;
}

/** The versions of such a file, newest first. */
export interface FileVersionList extends Traffic {
  readonly file: string;
  readonly project: string | null;
  readonly versions: readonly VersionRow[];
}

/** All plans of the vault, or all files of one memory, by name; each with its newest version. */
export interface FileList extends Traffic {
  readonly project: string | null;
  readonly files: readonly (VersionRow & {
    readonly file: string;
    /** How many versions the vault has. */
    readonly versions: number;
  })[];
}

/** One run of this machine, as the journal has it. */
export interface JournalRecord {
  readonly command: "push" | "pull" | "sync" | "restore" | "import" | "forget" | "gc";
  readonly by: "user" | "hook";
  /** When it ended. */
  readonly atMs: number;
  /** How long it took. */
  readonly ms: number;
  readonly ok: boolean;
  /** Error code; `partial` when some sessions failed. Null when it was ok. */
  readonly code: string | null;
  readonly message: string | null;
  /** Sessions of which new bytes went into the vault, and came here. */
  readonly sentSessions: number;
  readonly receivedSessions: number;
  /** Over the line, and into files here. */
  readonly bytes: { readonly sent: number; readonly received: number; readonly written: number };
}

/** What another machine did, as one entry of its log in the vault tells it. */
export interface VaultActivity {
  readonly machineId: string;
  /** Hostile text. */
  readonly machine: string;
  /** What wrote the entry; what a command sent before it did its own work is a `push`. */
  readonly command: "push" | "restore" | "forget" | "gc" | "init";
  /** By that machine's clock. */
  readonly atMs: number;
  readonly seq: number;
  readonly sessions: number;
  /** Of files, and of the objects that hold them; of a `gc`, which brings nothing new, 0. */
  readonly bytes: { readonly plain: number; readonly stored: number };
}

/** One line of `log`. */
export type LogLine =
  | (JournalRecord & { readonly source: "here" })
  | (VaultActivity & { readonly source: "vault" });

/** Which lines `log` shows. */
export interface LogRequest {
  /** At most so many, the newest. */
  readonly limit: number;
  /** None before; null = all. */
  readonly sinceMs: number | null;
  /** Only runs of this machine that failed. */
  readonly errors: boolean;
}

/** What happened, newest first. */
export interface LogReport {
  readonly machineName: string;
  readonly lines: readonly LogLine[];
  /** Lines that fit and are not among these. */
  readonly more: number;
}

/** What `import` is asked for. */
export interface ImportRequest {
  /** Absolute paths of folders like Claude Code's, or of transcripts. */
  readonly paths: readonly string[];
  /** Also sessions of excluded projects, and old ones are brought here as well. */
  readonly all: boolean;
  readonly dryRun: boolean;
}

/** What `import` did. Exit 3 when something could not be taken or placed. */
export interface ImportResult extends Traffic {
  /** Sessions that are there. */
  readonly found: number;
  /** Those of which the vault lacked something. */
  readonly imported: number;
  /** Files of plans and memories of which it lacked something. */
  readonly otherFiles: number;
  readonly bytes: { readonly plain: number; readonly sent: number };
  /** Of taking them in; the pull has its own. */
  readonly failures: readonly Failure[];
  /** The pull that followed; null with a dry run. */
  readonly pull: PullResult | null;
  readonly dryRun: boolean;
}

/** One side of a comparison. */
export interface DiffSide {
  /** Of the file here; null for the vault. */
  readonly path: string | null;
  readonly sizeBytes: number;
  readonly lastActivityMs: number | null;
}

/** Another session that went on from the same one. */
export interface DiffBranch {
  readonly id: string;
  readonly title: string | null;
  /** What was said only there. */
  readonly said: readonly ToldRecord[];
}

/** How this machine's file of a session and the vault differ. */
export interface DiffResult extends Traffic {
  readonly id: string;
  readonly title: string | null;
  /** Null when it is not on this machine. */
  readonly here: DiffSide | null;
  /** What a pull would write; null when the vault has nothing of it. */
  readonly vault: DiffSide | null;
  /** The vault has it, and is to forget it: no push sends it again. */
  readonly isForgotten: boolean;
  /** Records of both. */
  readonly common: number;
  readonly onlyHere: readonly ToldRecord[];
  readonly onlyVault: readonly ToldRecord[];
  readonly branches: readonly DiffBranch[];
}
