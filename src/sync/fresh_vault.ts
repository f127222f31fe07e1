/** The vault opened for one run: locked, read up to now, an interrupted push finished. */
import { isClaudeSyncError } from "../errors.ts";
import type { SyncContext } from "./api.ts";
import { noteLook } from "./compact_due.ts";
import { openMachine } from "./machine.ts";
import { Sender } from "./push_send.ts";
import { refresh, type Refreshed } from "./refresh.ts";
import { type OpenVault, withVault } from "./vault_access.ts";
import { ForgetDays } from "./watched_days.ts";

/** What the last look at the logs showed. */
export type Seen = Pick<Refreshed, "logs" | "foreign">;

/** What a run works with. */
export interface Run {
  readonly vault: OpenVault;
  readonly sender: Sender;
  readonly seen: Seen;
  /** Traffic and time that were reported already. */
  readonly meter: Meter;
}

/** How an interrupted push is gone on with: a pull can do without. */
export type StagedPush = "required" | "if-possible" | "left";

/**
 * Runs `work` with the vault open, this machine's identity, and the index as new as the store. What
 * an interrupted push has staged is sent first, as `staged` says. Errors: those of `withVault`,
 * alarms, those of the store and of `work`.
 */
export async function withFreshVault<Result>(
  context: SyncContext,
  staged: StagedPush,
  work: (run: Run) => Promise<Result>,
): Promise<Result> {
  return await withVault(context, async (vault) => {
    const meter = new Meter(vault);
    const { machine, made } = await openMachine(context.platform, vault.paths);
    if (made === "copied-home") {
      const message = "This home was copied from another computer: it gets an identity of its own";
      context.onProgress({ kind: "note", message });
    }
    const sender = new Sender(vault, machine);
    context.onProgress({ kind: "phase", phase: "reading" });
    const first = await look(vault);
    noteLook(vault, sender, first);
    const again = staged === "left" ? null : await resumeStaged(vault, sender, first.logs, staged);
    new ForgetDays(vault.database).count(context.platform.clock.nowMs());
    return await work({ vault, sender, meter, seen: again ?? first });
  });
}

/** Lets go of what the entries say, which the index has now: of a large vault that is a lot. */
async function look(vault: OpenVault, sender?: Sender): Promise<Seen> {
  const { logs, foreign, entries } = await refresh(vault);
  sender?.count(entries);
  const readBytes = entries.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  vault.context.platform.memory.passed(readBytes);
  return { logs, foreign };
}

async function resumeStaged(
  vault: OpenVault,
  sender: Sender,
  logs: Seen["logs"],
  staged: StagedPush,
): Promise<Seen | null> {
  try {
    if (!await sender.resume(logs)) return null;
  } catch (error) {
    // A vault that takes nothing can still be read.
    const isRefused = isClaudeSyncError(error, "store-refused", "no-space");
    if (staged === "required" || !isRefused) throw error;
    return null;
  }
  return await look(vault, sender);
}

/** Counts what was used since the last report. */
export class Meter {
  readonly #vault: OpenVault;
  #requests = 0;
  #sentBytes = 0;
  #receivedBytes = 0;
  #atMs: number;

  constructor(vault: OpenVault) {
    this.#vault = vault;
    this.#atMs = vault.context.platform.clock.monotonicMs();
  }

  /** `keep-sent`: the bytes sent until now are for the next report. */
  sinceLast(
    sent: "keep-sent" | "all" = "all",
  ): { requests: number; sentBytes: number; receivedBytes: number; ms: number } {
    const { requests: kinds, sentBytes, receivedBytes } = this.#vault.store.traffic();
    const requests = kinds.get + kinds.put + kinds.list + kinds.delete;
    const nowMs = this.#vault.context.platform.clock.monotonicMs();
    const since = {
      requests: requests - this.#requests,
      sentBytes: sentBytes - this.#sentBytes,
      receivedBytes: receivedBytes - this.#receivedBytes,
      ms: Math.round(nowMs - this.#atMs),
    };
    this.#requests = requests;
    if (sent === "all") this.#sentBytes = sentBytes;
    this.#receivedBytes = receivedBytes;
    this.#atMs = nowMs;
    return since;
  }
}
