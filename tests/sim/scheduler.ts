/**
 * One thread of events in simulated time. Whoever waits (for the store, for time to pass) waits
 * here. One waiter goes on at a time, and the next one not before everything that follows from it
 * has come to rest, so that the order of all things depends on the seed alone.
 */
import { setImmediate } from "node:timers";

/** Something that can be ended or put to sleep from outside: a run of the program on a machine. */
export interface Owner {
  readonly name: string;
  /** False once it was killed: what it waits for never comes. */
  isAlive: boolean;
  /** Until when its computer sleeps. */
  sleepsUntilMs(): number;
}

interface Event {
  atMs: number;
  readonly order: number;
  readonly owner: Owner | null;
  /** Gives true when work goes on after it returns. */
  readonly run: () => boolean;
}

/** The events of one world. */
export class Scheduler {
  nowMs: number;
  /** Who is at work right now. */
  current: Owner | null = null;
  /** Events that have run. */
  count = 0;
  #order = 0;
  readonly #events: Event[] = [];

  constructor(nowMs: number) {
    this.nowMs = nowMs;
  }

  /** Runs `work` after `delayMs`, for `owner`. */
  after(delayMs: number, owner: Owner | null, work: () => void): void {
    this.#add({
      atMs: this.nowMs + delayMs,
      order: this.#order++,
      owner,
      run: () => (work(), true),
    });
  }

  /** Like `after`, for what is over when it returns. */
  briefly(delayMs: number, owner: Owner | null, work: () => void): void {
    const run = () => (work(), false);
    this.#add({ atMs: this.nowMs + delayMs, order: this.#order++, owner, run });
  }

  /** Resolves after `delayMs`; never, when `owner` is killed before. */
  wait(delayMs: number, owner: Owner): Promise<void> {
    return new Promise((resolve) => this.after(delayMs, owner, resolve));
  }

  /** Runs events until `isDone`, or until there are none; gives whether `isDone`. */
  async runUntil(isDone: () => boolean): Promise<boolean> {
    while (!isDone()) {
      const event = this.#take();
      if (event === null) return false;
      this.nowMs = Math.max(this.nowMs, event.atMs);
      this.current = event.owner;
      this.count++;
      if (event.run()) await atRest();
      this.current = null;
    }
    return true;
  }

  #take(): Event | null {
    for (;;) {
      const event = this.#events.pop();
      if (event === undefined) return null;
      if (event.owner !== null && !event.owner.isAlive) continue;
      const untilMs = event.owner?.sleepsUntilMs() ?? 0;
      if (untilMs <= event.atMs) return event;
      event.atMs = untilMs;
      this.#add(event);
    }
  }

  /** Kept in falling order: the next event is the last. */
  #add(event: Event): void {
    let [low, high] = [0, this.#events.length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      const other = this.#events[middle]!;
      const isLater = other.atMs > event.atMs ||
        (other.atMs === event.atMs && other.order > event.order);
      if (isLater) low = middle + 1;
      else high = middle;
    }
    this.#events.splice(low, 0, event);
  }
}

/** Resolves when no work is left that does not wait for an event: all of it is in microtasks. */
function atRest(): Promise<void> {
  return new Promise((resolve) => void setImmediate(resolve));
}
