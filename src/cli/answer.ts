/** What a command gives back; `run.ts` prints it. */
import type { SyncContext, SyncService } from "../sync/api.ts";
import type { GlobalFlags } from "./command_line.ts";
import type { ErrorReport } from "./error_report.ts";
import type { World } from "./world.ts";

/** A command's outcome. */
export interface Answer {
  /** The fields that `--json` prints besides `schema`, `command`, `ok` and `error`. */
  readonly json: Readonly<Record<string, unknown>>;
  /** What was asked for: standard output, also with `--quiet`. */
  readonly data?: readonly string[];
  /** What was done: standard output, not with `--quiet`. */
  readonly result?: readonly string[];
  /** What the user should know: standard error, not with `--quiet`. */
  readonly talk?: readonly string[];
  /** Why the exit code is not 0, when the command still has something to show. */
  readonly failure?: ErrorReport;
  /**
   * True when `data` says already what the failure says: then only `--json` and the exit code tell
   * it.
   */
  readonly isExplained?: boolean;
  /** Exit code without a failure of ours (the client's own after `resume`); 0 unless given. */
  readonly exit?: number;
}

/** A look that text can have on a terminal. */
export type Look = "good" | "warning" | "bad" | "dim" | "bold";

/** What commands work with. */
export interface CommandDeps {
  readonly world: World;
  readonly flags: GlobalFlags;
  readonly service: SyncService;
  readonly context: SyncContext;
  /** Colours `text` when colours are on. `text` is safe already. */
  readonly paint: (look: Look, text: string) => string;
  /**
   * Asks a yes/no question; true with `--yes`, a `usage` error that names `flag` when nobody can
   * answer.
   */
  readonly confirm: (question: string, flag: string) => Promise<boolean>;
  /** As `confirm`, for what is not done by a quick yes: true when `expected` is typed. */
  readonly confirmByTyping: (
    question: string,
    expected: string,
    flag: string,
  ) => Promise<boolean>;
}
