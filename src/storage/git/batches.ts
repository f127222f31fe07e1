import type { Clock } from "../../platform/types.ts";

/** One request that waits for its answer. */
interface Waiter<Request, Answer> {
  readonly request: Request;
  readonly resolve: (answer: Answer) => void;
  readonly reject: (reason: unknown) => void;
}

/** Answers all requests of a batch; a failure fails all of them. */
export type RunBatch<Request, Answer> = (
  requests: readonly Request[],
  signal: AbortSignal,
) => Promise<readonly Answer[]>;

/**
 * Gathers requests that come side by side, and those that come while others are being answered,
 * into one batch: one trip to the server instead of many.
 */
export class Batches<Request, Answer> {
  readonly #clock: Clock;
  readonly #run: RunBatch<Request, Answer>;
  #waiting: Waiter<Request, Answer>[] = [];
  #isDraining = false;

  constructor(clock: Clock, run: RunBatch<Request, Answer>) {
    this.#clock = clock;
    this.#run = run;
  }

  /**
   * The answer to one request. An abort rejects at once with the signal's reason; the batch is
   * stopped when nobody waits for any of it any more.
   */
  async ask(request: Request, signal?: AbortSignal): Promise<Answer> {
    signal?.throwIfAborted();
    let onAbort = () => {};
    try {
      return await new Promise<Answer>((resolve, reject) => {
        const waiter = { request, resolve, reject };
        onAbort = () => {
          this.#leave(waiter);
          reject(signal?.reason);
        };
        signal?.addEventListener("abort", onAbort, { once: true });
        this.#waiting.push(waiter);
        if (!this.#isDraining) void this.#drain();
      });
    } finally {
      signal?.removeEventListener("abort", onAbort);
    }
  }

  #running: { waiters: Set<Waiter<Request, Answer>>; stop: AbortController } | null = null;

  #leave(waiter: Waiter<Request, Answer>): void {
    this.#waiting = this.#waiting.filter((other) => other !== waiter);
    const running = this.#running;
    if (running?.waiters.delete(waiter) === true && running.waiters.size === 0) {
      running.stop.abort();
    }
  }

  async #drain(): Promise<void> {
    this.#isDraining = true;
    // Whoever asks in this same turn comes along.
    await this.#clock.sleep(0);
    while (this.#waiting.length > 0) {
      const batch = this.#waiting;
      this.#waiting = [];
      const stop = new AbortController();
      this.#running = { waiters: new Set(batch), stop };
      try {
        const answers = await this.#run(batch.map(({ request }) => request), stop.signal);
        batch.forEach((waiter, index) => waiter.resolve(answers[index]!));
      } catch (error) {
        for (const waiter of batch) waiter.reject(error);
      }
      this.#running = null;
    }
    this.#isDraining = false;
  }
}
