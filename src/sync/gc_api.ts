/** What `gc` takes and gives. Plain data, like everything in `api.ts`. */
import type { Traffic } from "./api.ts";

/** A machine that is to be given up, for whoever has to say yes to it. */
export interface GivenUpMachine {
  readonly id: string;
  readonly name: string;
  readonly lastSeenMs: number;
  /** Whether it was seen so lately that it hardly is lost. */
  readonly isRecent: boolean;
}

/** What `gc` is to do. */
export interface GcRequest {
  readonly dryRun: boolean;
  /** Name, id or beginning of an id of a lost machine; null: only this machine's own log. */
  readonly machine: string | null;
  /**
   * Asked before another machine's log is taken over; false leaves everything as it is. It may take
   * its time: nothing waits for it. Null: it was said already.
   */
  readonly approve: ((machine: GivenUpMachine) => Promise<boolean>) | null;
  /** Does only what is due by itself. Default: no. */
  readonly isAutomatic?: boolean;
}

/** Objects and their bytes in the store. */
export interface ObjectTally {
  readonly objects: number;
  readonly bytes: number;
}

/** A log that was, or would be, said again. */
export interface Restated {
  /** Of the log that is replaced. */
  readonly machine: { readonly id: string; readonly name: string };
  /** Entries that count for nothing any more. */
  readonly entries: number;
  /** What was written for them; null in a dry run. */
  readonly written:
    | { readonly entries: number; readonly packs: number; readonly bytes: number }
    | null;
  /** Packs that stayed as they are. */
  readonly keptPacks: number;
}

/** Objects that wait for the end of their grace. */
export interface WaitingObjects extends ObjectTally {
  readonly daysLeft: number;
}

/** What `gc` did, or would do. */
export interface GcResult extends Traffic {
  readonly dryRun: boolean;
  /** This machine's own log; null when it was left as it is. */
  readonly compacted: Restated | null;
  /** A lost machine's log; null without one. */
  readonly retired: Restated | null;
  /** What was deleted, or would be now. */
  readonly deleted: ObjectTally;
  /** What a checkpoint has replaced and is kept for the machines that have not seen it. */
  readonly waiting: WaitingObjects | null;
  /** Packs of pushes that this machine has given up and that are not deleted yet. */
  readonly leftovers: WaitingObjects | null;
  /** Entries of this machine's log since its last checkpoint, before this run. */
  readonly entries: number;
}
