/**
 * This program did not exist before 2026, in UTC: a clock that shows an earlier time was never set,
 * as that of a machine whose battery is empty and that has not asked the network yet.
 */
export const CLOCK_SET_FROM_MS = Date.UTC(2026, 0, 1);
