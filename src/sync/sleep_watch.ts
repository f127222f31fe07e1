/** Long work of a machine that may be shut in the middle of it, and opened again days later. */
import { ClaudeSyncError } from "../errors.ts";
import type { Clock } from "../platform/types.ts";
import { DAY_MS, GRACE_DAYS } from "./watched_days.ts";

/**
 * Who has slept this long has seen too little of what others did meanwhile: after the whole grace
 * an older program may have deleted what nothing names yet.
 */
export const SLEEP_MS_MAX = GRACE_DAYS * DAY_MS / 2;

/** Notices that the machine was asleep, or the clock was set, since this was made. */
export class SleepWatch {
  readonly #clock: Clock;
  readonly #doing: "deleting" | "sending";
  readonly #nowMs: number;
  readonly #monotonicMs: number;

  constructor(clock: Clock, doing: "deleting" | "sending" = "deleting") {
    this.#clock = clock;
    this.#doing = doing;
    this.#nowMs = clock.nowMs();
    this.#monotonicMs = clock.monotonicMs();
  }

  /** Throws `interrupted` when what was seen is too old to rely on. */
  requireAwake(): void {
    const wallMs = this.#clock.nowMs() - this.#nowMs;
    const monotonicMs = this.#clock.monotonicMs() - this.#monotonicMs;
    if (Math.max(Math.abs(wallMs), monotonicMs) <= SLEEP_MS_MAX) return;
    throw new ClaudeSyncError("interrupted", `This machine slept while it was ${this.#doing}`, {
      hint: "Run it again: it looks at the vault anew first",
    });
  }
}
