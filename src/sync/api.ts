/**
 * What the use cases take and give. `cli` renders these and knows nothing below them; everything
 * here is plain data.
 */
import type { Platform } from "../platform/types.ts";
import type { StoreLocation } from "../storage/location.ts";
import type { ObjectStore } from "../storage/object_store.ts";
import type { StoreFact } from "../storage/store_facts.ts";
import type { ForgetRequest, ForgetResult, RecallableSession } from "./forget_api.ts";
import type { GcRequest, GcResult } from "./gc_api.ts";
import type {
  DiffResult,
  FileList,
  FileQuery,
  FileRestoreRequest,
  FileVersionList,
  ImportRequest,
  ImportResult,
  LogReport,
  LogRequest,
  RestoredFile,
  RestoreRequest,
  RestoreResult,
  VersionList,
} from "./history_api.ts";
import type {
  KeyPair,
  MoveRequest,
  MoveResult,
  OpenStoreRequest,
  StoreInfo,
  StoreTest,
  TransferLimitChanges,
} from "./store_api.ts";
import type { Thresholds } from "./thresholds.ts";

/** A program's surroundings, built once by `cli` and passed to every use case. */
export interface SyncContext {
  readonly platform: Platform;
  /**
   * Folder of this profile's key, config and state: `~/.claude-sync` or `CLAUDE_SYNC_HOME`, or
   * `profiles/NAME` in it.
   */
  readonly home: string;
  /** `CLAUDE_SYNC_KEY_FILE`, or `<home>/key`. */
  readonly keyFile: string;
  /** Opens the store at a place (`storage/open.ts`). */
  readonly openStore: (
    location: StoreLocation,
    options: OpenStoreRequest,
  ) => Promise<ObjectStore>;
  /** Limits for this run. Default: those of the configuration. */
  readonly limits?: TransferLimitChanges;
  /** Smaller ones let a small vault meet what large ones do. Default: the program's own. */
  readonly thresholds?: Partial<Thresholds>;
  readonly signal: AbortSignal;
  /** Progress for people; may be called very often. */
  readonly onProgress: (event: ProgressEvent) => void;
}

/** Where work stands. `total` grows while work is discovered. */
export type ProgressEvent =
  | {
    readonly kind: "phase";
    readonly phase: "reading" | "sending" | "receiving" | "writing" | "copying" | "checking";
  }
  | {
    readonly kind: "bytes";
    readonly doneBytes: number;
    readonly totalBytes: number;
    readonly doneSessions: number;
    readonly totalSessions: number;
  }
  | {
    readonly kind: "objects";
    readonly doneBytes: number;
    readonly totalBytes: number;
    readonly doneObjects: number;
    readonly totalObjects: number;
  }
  /**
   * A sentence for stderr that is worth saying even without a terminal (e.g. a session that was
   * skipped and why).
   */
  | { readonly kind: "note"; readonly message: string };

/** Something that did not work for one session or file while the rest went on. */
export interface Failure {
  readonly sessionId: string | null;
  readonly path: string | null;
  readonly code: string;
  readonly message: string;
}

/** Which place `init` is given. */
export interface InitRequest {
  readonly location: StoreLocation;
  readonly machineName: string | null;
  readonly dryRun: boolean;
  /** Makes the bucket when it is not there. Default: no. */
  readonly createBucket?: boolean;
  /** Keys to keep for this place. Default: none. */
  readonly keys?: KeyPair | null;
}

/** What `init` found and did. */
export interface InitResult {
  /**
   * `created`: new vault and key. `joined`: a vault was there and this machine's key opens it.
   * `needs-key`: a vault was there and this machine has no key; everything else is set up, and
   * `key import` or writing the key file finishes it. `unchanged`: was set up for it already.
   * `followed`: was set up for this vault in another place, and uses this one from now on.
   */
  readonly outcome: "created" | "joined" | "needs-key" | "unchanged" | "followed";
  readonly store: string;
  /** What the store's driver knows: a region, where the keys come from. */
  readonly facts: readonly StoreFact[];
  /** How long one round trip took, where that was measured: to buckets. */
  readonly latencyMs: number | null;
  readonly vaultId: string;
  readonly machineName: string;
  readonly keyFile: string;
  /** Short form people compare; null while there is no key. */
  readonly keyFingerprint: string | null;
  readonly localSessions: number;
  readonly localBytes: number;
}

/** Which sessions a push or pull is about. */
export interface SyncRequest {
  /** Full ids or unique prefixes; empty = all. */
  readonly sessions: readonly string[];
  /** pull: also archived ones and those without a folder here. push: also excluded ones. */
  readonly all: boolean;
  readonly dryRun: boolean;
}

/** Cost of an operation. */
export interface Traffic {
  readonly requests: number;
  readonly ms: number;
}

/** What push did. Exit 3 when `failed` > 0. */
export interface PushResult extends Traffic {
  /** Sessions of which new bytes are in the vault now. */
  readonly pushed: number;
  /** Files of plans and memories of which new bytes are in the vault now. */
  readonly otherFiles: number;
  readonly failed: number;
  readonly bytes: { readonly plain: number; readonly sent: number };
  /** Sessions looked at; without those of excluded projects. */
  readonly sessions: number;
  /** Sessions that were left out, as their projects are excluded here. */
  readonly excluded: number;
  /** Of them, those that stay here as they are forgotten in the vault. */
  readonly forgotten: number;
  /** Torn last lines that wait for their end. */
  readonly tornTails: number;
  readonly failures: readonly Failure[];
  readonly dryRun: boolean;
}

/** A session that a pull made of one of several continuations. */
export interface MadeBranch {
  readonly id: string;
  /** The session that has the other one. */
  readonly of: string;
  readonly title: string;
  /**
   * How it came about: several machines went on with it; what was imported goes on otherwise than
   * what one machine had; what is forgotten keeps its place here; or, `apart`, one machine has
   * pushed both, as after an import there or from two copies of one folder.
   */
  readonly how: "machines" | "import" | "forgotten" | "apart";
}

/** What pull did. Exit 3 when `failures` is not empty. */
export interface PullResult extends Traffic {
  /** Sessions written or extended here. */
  readonly pulled: number;
  /** Files of plans and memories that were written here. */
  readonly otherFiles: number;
  /** Sessions that are open in Claude Code right now; applied when they end. */
  readonly waiting: number;
  readonly waitingIds: readonly string[];
  /**
   * Of a dry run: sessions that went on here and in the vault. A pull sends what is new here first,
   * so that both are there to put together.
   */
  readonly sentFirstIds: readonly string[];
  /** Projects without a folder here, with the number of their sessions. */
  readonly unplaced: number;
  readonly unplacedProjects: readonly {
    readonly key: string;
    readonly name: string;
    readonly sessions: number;
  }[];
  /** Branch sessions made by this pull. */
  readonly branches: number;
  readonly branchSessions: readonly MadeBranch[];
  /** Kept only in the vault (older than the client's clean-up, or deleted here). */
  readonly archived: number;
  /** Pulled sessions by project name, most first. */
  readonly byProject: readonly { readonly name: string; readonly sessions: number }[];
  /** Machines the new data came from. */
  readonly from: readonly string[];
  readonly bytes: { readonly received: number; readonly written: number };
  readonly failures: readonly Failure[];
  readonly dryRun: boolean;
}

/** The last run of a kind, as the journal has it. */
export interface RunRecord {
  readonly kind: "push" | "pull" | "sync";
  readonly by: "user" | "hook";
  readonly atMs: number;
  readonly ok: boolean;
  readonly code: string | null;
  readonly message: string | null;
}

/** What `status` tells. */
export interface StatusReport {
  /**
   * `ok`: all is in the vault. `waiting`: some sessions have unsent bytes. `failing`: the last run
   * failed. `not-set-up`, `needs-key`.
   */
  readonly verdict: "ok" | "waiting" | "failing" | "not-set-up" | "needs-key";
  readonly store: string | null;
  readonly vaultId: string | null;
  readonly machineName: string | null;
  readonly keyFingerprint: string | null;
  readonly localSessions: number;
  readonly localBytes: number;
  readonly vaultSessions: number;
  readonly vaultBytesStored: number;
  /** Sessions with bytes that are not in the vault yet. */
  readonly unsent: number;
  /**
   * Sessions in the vault whose newer bytes are not here (known from the last look at the store).
   */
  readonly unreceived: number;
  readonly archived: number;
  /** Projects in the vault without a folder here. */
  readonly unplaced: number;
  /** Sessions that wait in the vault and tell no project: no folder can be named for them. */
  readonly withoutProject: number;
  readonly machines: readonly {
    readonly id: string;
    readonly name: string;
    readonly lastSeenMs: number;
    readonly thisOne: boolean;
  }[];
  readonly lastPush: RunRecord | null;
  readonly lastPull: RunRecord | null;
  readonly hooks: "global" | "project" | "none";
  readonly cleanupPeriodDays: number;
  readonly nowMs: number;
}

/** One row of `list`. */
export interface SessionRow {
  readonly id: string;
  readonly title: string | null;
  readonly project: string | null;
  /** Local folder of the project, when it has one. */
  readonly dir: string | null;
  readonly lastActivityMs: number | null;
  readonly sizeBytes: number;
  /** `both` counts only when the vault has every complete line. */
  readonly where: "here" | "vault" | "both" | "here-newer" | "vault-newer";
  readonly live: boolean;
  readonly archived: boolean;
  /** It was in the vault and is forgotten there: it is not sent until somebody goes on with it. */
  readonly forgotten: boolean;
}

/** What `verify` found. Exit 13 when `problems` is not empty. */
export interface VerifyReport extends Traffic {
  readonly machines: number;
  readonly entries: number;
  readonly packs: number;
  readonly sessions: number;
  readonly files: number;
  /** Bytes of objects listed, and of those read. */
  readonly bytes: { readonly stored: number; readonly read: number };
  readonly readData: boolean;
  /**
   * Packs that nothing names which counts: an interrupted push leaves some, and while there are
   * `replaced` entries some are named by these.
   */
  readonly unreferenced: number;
  /** Log entries that a compaction has replaced and that wait for the end of their grace. */
  readonly replaced: number;
  readonly problems: readonly {
    readonly objectName: string | null;
    readonly code: string;
    readonly message: string;
  }[];
}

/** One row of `project list`. */
export interface ProjectRow {
  readonly key: string;
  readonly name: string;
  readonly dir: string | null;
  /** Why it is there: `map`, `known`, `home`, or null when it has no folder here. */
  readonly how: "map" | "cwd" | "known" | "home" | null;
  readonly sessions: number;
  readonly excluded: boolean;
}

/** Where `resume` leads. */
export interface ResumeTarget {
  readonly id: string;
  readonly title: string | null;
  /** Folder to start the client in. */
  readonly dir: string;
}

/** The use cases. `cli` gets an object of this type, so its tests can pass a stand-in. */
export interface SyncService {
  init(context: SyncContext, request: InitRequest): Promise<InitResult>;
  push(context: SyncContext, request: SyncRequest): Promise<PushResult>;
  pull(context: SyncContext, request: SyncRequest): Promise<PullResult>;
  /** Pull, then push. */
  sync(context: SyncContext, request: SyncRequest): Promise<{ pull: PullResult; push: PushResult }>;
  status(context: SyncContext): Promise<StatusReport>;
  list(context: SyncContext): Promise<readonly SessionRow[]>;
  /** Looks at the whole store. */
  storeInfo(context: SyncContext): Promise<StoreInfo>;
  /** Tries it with an object of its own. */
  storeTest(context: SyncContext): Promise<StoreTest>;
  /** Copies the vault to another place and uses that from then on. */
  storeMove(context: SyncContext, request: MoveRequest): Promise<MoveResult>;
  /** Compacts this machine's log and deletes what nobody needs; gives up a lost machine. */
  gc(context: SyncContext, request: GcRequest): Promise<GcResult>;
  verify(context: SyncContext, request: { readonly readData: boolean }): Promise<VerifyReport>;
  /** Base64 of the key and its fingerprint. */
  keyExport(context: SyncContext): Promise<{ keyText: string; fingerprint: string }>;
  /**
   * Checks the key against the vault (when one is configured) before writing it; never replaces
   * another key.
   */
  keyImport(
    context: SyncContext,
    keyText: string,
  ): Promise<{ outcome: "imported" | "unchanged"; fingerprint: string; keyFile: string }>;
  keyFingerprint(context: SyncContext): Promise<{ fingerprint: string; keyFile: string }>;
  projectList(context: SyncContext): Promise<readonly ProjectRow[]>;
  /** `project` is a key or an unambiguous name of `projectList`; `dir` absolute and existing. */
  projectMap(context: SyncContext, project: string, dir: string): Promise<ProjectRow>;
  projectUnmap(context: SyncContext, project: string): Promise<ProjectRow>;
  /** Selective sync: an excluded project is neither pushed nor pulled on this machine. */
  projectExclude(context: SyncContext, project: string, excluded: boolean): Promise<ProjectRow>;
  /**
   * Brings the session here if needed (also from the archive) and says where to start the client.
   * `query`: id, unique prefix, words of the title, or null for the newest one of the current
   * folder's project. With `dryRun` nothing is brought, and it says where the client would start.
   */
  resume(
    context: SyncContext,
    query: string | null,
    options?: { readonly dryRun: boolean },
  ): Promise<ResumeTarget>;
  /** Marks sessions in the vault as to be deleted. Local files stay. */
  forget(context: SyncContext, request: ForgetRequest): Promise<ForgetResult>;
  /** Forgotten sessions that can still be brought back. */
  listForgotten(context: SyncContext): Promise<readonly RecallableSession[]>;
  /** Compares this machine's file of one session with the vault; changes nothing. */
  diff(context: SyncContext, queries: readonly string[]): Promise<DiffResult>;
  /** Takes sessions from an old computer's folder or a backup into the vault, then pulls. */
  import(context: SyncContext, request: ImportRequest): Promise<ImportResult>;
  /** What happened here, and what other machines pushed; the store is not asked. */
  log(context: SyncContext, request: LogRequest): Promise<LogReport>;
  /** Brings sessions back from the vault: in their place, as copies, or as files. */
  restore(context: SyncContext, request: RestoreRequest): Promise<RestoreResult>;
  /** The versions of the one session that `queries` (an id, or words of its title) mean. */
  restoreVersions(context: SyncContext, queries: readonly string[]): Promise<VersionList>;
  /** Brings one plan or one file of a memory back, in any version. */
  restoreFile(context: SyncContext, request: FileRestoreRequest): Promise<RestoredFile>;
  /** The versions of one plan, or of one file of a memory. */
  fileVersions(context: SyncContext, query: FileQuery): Promise<FileVersionList>;
  /** All plans of the vault (`project` null), or the memory of a project; see `FileQuery`. */
  listFiles(
    context: SyncContext,
    area: "plans" | "memory",
    project: string | null,
  ): Promise<FileList>;
  /**
   * Background half of the hooks (`hook worker KIND`): waits for quiet files, pushes or syncs,
   * records the outcome; never throws.
   */
  hookWorker(context: SyncContext, kind: "push" | "sync"): Promise<void>;
}
