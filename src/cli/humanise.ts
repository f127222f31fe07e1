/** Numbers for people. All are pure; locale-free so that output is the same everywhere. */

const UNITS = ["B", "kB", "MB", "GB", "TB"] as const;

/**
 * Bytes with two or three significant digits, e.g. `0 B`, `999 B`, `1.2 MB`, `118 kB`; 1 kB is
 * 1000 B.
 */
export function bytesText(bytes: number): string {
  let value = bytes;
  let unit = 0;
  // Half a unit below 1000 rounds up into the next one.
  while (unit < UNITS.length - 1 && value >= (unit === 0 ? 1000 : 999.5)) {
    value /= 1000;
    unit++;
  }
  const digits = unit > 0 && value < 9.95 ? value.toFixed(1) : Math.round(value).toString();
  return `${digits} ${UNITS[unit]}`;
}

/** Seconds with two decimals below 10 s, one below a minute, then minutes and seconds. */
export function durationText(ms: number): string {
  const seconds = Math.max(0, ms) / 1000;
  if (seconds < 9.995) return `${seconds.toFixed(2)} s`;
  if (seconds < 59.95) return `${seconds.toFixed(1)} s`;
  const whole = Math.round(seconds);
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`;
  return `${Math.floor(whole / 3600)} h ${Math.floor((whole % 3600) / 60)} min`;
}

/** How long ago `atMs` was: `just now`, `40 s ago`, `2 min ago`, `3 h ago`, `9 days ago`. */
export function agoText(atMs: number, nowMs: number): string {
  const seconds = Math.floor((nowMs - atMs) / 1000);
  if (seconds < 2) return "just now";
  if (seconds < 60) return `${seconds} s ago`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ago`;
  if (seconds < 48 * 3600) return `${Math.floor(seconds / 3600)} h ago`;
  return `${Math.floor(seconds / 86_400)} days ago`;
}

/** A number with thousands separated, e.g. `1,204`. */
export function numberText(value: number): string {
  return Math.round(value).toString().replace(/\B(?=(\d{3})+$)/g, ",");
}

/** A counted noun, e.g. `1 session`, `3 sessions`, `2 entries` (with `plural` given). */
export function countText(count: number, noun: string, plural = `${noun}s`): string {
  return `${numberText(count)} ${count === 1 ? noun : plural}`;
}
