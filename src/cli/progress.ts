/**
 * Progress of long work on standard error: one living line on a terminal, a line now and then
 * elsewhere.
 */
import type { Clock } from "../platform/types.ts";
import type { ProgressEvent } from "../sync/api.ts";
import { bytesText, countText, durationText, numberText } from "./humanise.ts";
import { fitColumns, terminalText } from "./terminal_text.ts";
import type { Streams } from "./world.ts";

/** Work shorter than this shows nothing. */
const SHOW_AFTER_MS = 500;
const REDRAW_MS = 100;
const LINE_EVERY_MS = 10_000;
const COLUMNS_FALLBACK = 80;

const PHASES = {
  reading: "Reading",
  sending: "Sending",
  receiving: "Receiving",
  writing: "Writing",
  copying: "Copying",
  checking: "Checking",
} as const;

type BytesEvent = Extract<ProgressEvent, { readonly kind: "bytes" | "objects" }>;

/**
 * How progress is shown: `line` rewrites one line, `lines` prints one every 10 s, `none` is
 * silent.
 */
export type ProgressMode = "line" | "lines" | "none";

/** Shows events as they come. `clear` before anything else is printed to a terminal. */
export class Progress {
  readonly #streams: Streams;
  readonly #clock: Clock;
  readonly #mode: ProgressMode;
  readonly #onNote: (message: string) => void;
  readonly #startedMs: number;
  #phase: keyof typeof PHASES = "reading";
  #phaseStartedMs: number;
  #shownMs: number;
  #isDrawn = false;

  /** `onNote` gets the sentences that are worth saying in any mode. */
  constructor(
    streams: Streams,
    clock: Clock,
    mode: ProgressMode,
    onNote: (message: string) => void,
  ) {
    this.#streams = streams;
    this.#clock = clock;
    this.#mode = mode;
    this.#onNote = onNote;
    this.#startedMs = clock.monotonicMs();
    this.#phaseStartedMs = this.#startedMs;
    this.#shownMs = this.#startedMs;
  }

  /** Takes one event; cheap when nothing is due. */
  show(event: ProgressEvent): void {
    if (event.kind === "note") {
      this.clear();
      this.#onNote(terminalText(event.message));
      return;
    }
    const nowMs = this.#clock.monotonicMs();
    if (event.kind === "phase") {
      if (event.phase !== this.#phase) this.#phaseStartedMs = nowMs;
      this.#phase = event.phase;
      return;
    }
    if (this.#mode === "lines" && nowMs - this.#shownMs >= LINE_EVERY_MS) {
      this.#shownMs = nowMs;
      this.#streams.err(this.#text(event, nowMs));
    }
    if (this.#mode !== "line" || nowMs - this.#startedMs < SHOW_AFTER_MS) return;
    if (this.#isDrawn && nowMs - this.#shownMs < REDRAW_MS) return;
    this.#shownMs = nowMs;
    this.#isDrawn = true;
    const columns = (this.#streams.columns() ?? COLUMNS_FALLBACK) - 1;
    this.#streams.write(`\r${fitColumns(this.#text(event, nowMs), columns).trimEnd()}\x1b[K`);
  }

  /** Removes the living line. */
  clear(): void {
    if (this.#isDrawn) this.#streams.write("\r\x1b[K");
    this.#isDrawn = false;
  }

  #text(event: BytesEvent, nowMs: number): string {
    const elapsedMs = Math.max(1, nowMs - this.#phaseStartedMs);
    const parts = [
      `${PHASES[this.#phase]}  ${bytesText(event.doneBytes)} of ${bytesText(event.totalBytes)}`,
      event.kind === "bytes"
        ? `${numberText(event.doneSessions)} of ${countText(event.totalSessions, "session")}`
        : `${numberText(event.doneObjects)} of ${countText(event.totalObjects, "object")}`,
    ];
    const bytesPerMs = event.doneBytes / elapsedMs;
    if (bytesPerMs > 0) {
      parts.push(`${bytesText(bytesPerMs * 1000)}/s`);
      const leftMs = (event.totalBytes - event.doneBytes) / bytesPerMs;
      if (leftMs >= 1000) parts.push(`${leftText(leftMs)} left`);
    }
    return parts.join("  ");
  }
}

function leftText(ms: number): string {
  return ms < 60_000 ? `${Math.ceil(ms / 1000)} s` : durationText(ms);
}
