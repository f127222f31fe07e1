/**
 * Given by a driver as the `cause` of a `store-unreachable` error when the store said how long to
 * wait (an HTTP `Retry-After`).
 */
export class RetryAfter extends Error {
  /** At least 0. */
  readonly retryAfterMs: number;

  constructor(retryAfterMs: number, cause?: unknown) {
    super(
      `The store asks to wait ${retryAfterMs} ms`,
      cause === undefined ? undefined : { cause },
    );
    this.name = "RetryAfter";
    this.retryAfterMs = Math.max(0, retryAfterMs);
  }
}
