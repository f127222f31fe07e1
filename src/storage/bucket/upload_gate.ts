import type { StoreOptions } from "../object_store.ts";

/**
 * Most bytes that are sent side by side: on a slow line each upload takes as long as all of them,
 * and none must run out of time. Four packs fill any line.
 */
export const UPLOAD_BYTES_IN_FLIGHT_MAX = 32 * 1024 * 1024;

interface Waiting {
  readonly bytes: number;
  go(): void;
}

/** Lets uploads wait, in their order, while too much is being sent. */
export class UploadGate {
  readonly #waiting: Waiting[] = [];
  #bytesInFlight = 0;

  /**
   * Resolves when so many bytes may be sent (at once for nothing, and when nothing else is sent) to
   * what must be called once when that is over. Errors: the signal's reason.
   */
  async enter(bytes: number, { signal }: StoreOptions = {}): Promise<() => void> {
    signal?.throwIfAborted();
    if (bytes > 0 && (this.#waiting.length > 0 || !this.#fits(bytes))) {
      await this.#turn(bytes, signal);
    } else {
      this.#bytesInFlight += bytes;
    }
    return () => this.#leave(bytes);
  }

  #fits(bytes: number): boolean {
    const inFlight = this.#bytesInFlight;
    return inFlight === 0 || inFlight + bytes <= UPLOAD_BYTES_IN_FLIGHT_MAX;
  }

  #turn(bytes: number, signal: AbortSignal | undefined): Promise<void> {
    return new Promise((resolve, reject) => {
      const waiting: Waiting = {
        bytes,
        go: () => {
          signal?.removeEventListener("abort", onAbort);
          this.#bytesInFlight += bytes;
          resolve();
        },
      };
      const onAbort = () => {
        this.#waiting.splice(this.#waiting.indexOf(waiting), 1);
        reject(signal?.reason);
        this.#letGo();
      };
      signal?.addEventListener("abort", onAbort, { once: true });
      this.#waiting.push(waiting);
    });
  }

  #leave(bytes: number): void {
    this.#bytesInFlight -= bytes;
    this.#letGo();
  }

  #letGo(): void {
    for (let next = this.#waiting[0]; next && this.#fits(next.bytes); next = this.#waiting[0]) {
      this.#waiting.shift();
      next.go();
    }
  }
}
