/**
 * Waiting for something that happens outside this process, with a deadline.
 *
 * @module
 */
import { setTimeout as pause } from "node:timers/promises";

const POLL_INTERVAL_MS = 50;

/** How long an expected event may take on two cores that do other things, too. */
export const DEADLINE_MS = 60_000;

/**
 * Asks `probe` again and again until it answers something other than null, false or undefined.
 *
 * @param what names the awaited event in the failure.
 * @param seen tells, for the failure, what was there instead.
 * @throws Error at the deadline.
 */
export async function until<Found>(
  what: string,
  probe: () => Promise<Found | null | false | undefined> | Found | null | false | undefined,
  options: { deadlineMs?: number; seen?: () => Promise<string> | string } = {},
): Promise<Found> {
  const deadlineMs = options.deadlineMs ?? DEADLINE_MS;
  const start = performance.now();
  while (true) {
    const found = await probe();
    if (found !== null && found !== undefined && found !== false) return found;
    if (performance.now() - start > deadlineMs) break;
    await pause(POLL_INTERVAL_MS);
  }
  const seen = options.seen ? `; instead:\n${await options.seen()}` : "";
  throw new Error(`Waited ${deadlineMs} ms in vain until ${what}${seen}`);
}
