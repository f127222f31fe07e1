/** Points in time as people type and read them. */

const UNITS_MS: Readonly<Record<string, number>> = {
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
  w: 7 * 86_400_000,
};
/** The longest ago that may be typed, in units. */
const UNITS_MAX = 100_000;

const AGO = /^(\d{1,6})([smhdw])$/;
const DATE =
  /^(\d{4})-(\d\d)-(\d\d)(?:[T ](\d\d):(\d\d)(?::(\d\d)(?:\.(\d{1,3}))?)?(Z|[+-]\d\d:\d\d)?)?$/;

/** Which end of what was named is meant: of `2026-01-15`, its first or its last millisecond. */
export type EndOf = "first" | "last";

/**
 * Milliseconds since 1970 of a time like `2026-01-15`, `2026-01-15 12:30`, `2026-01-15T12:30:05Z`
 * (local time without a zone), or `90m`, `36h`, `7d`, `2w` ago. Null for everything else, and for
 * days that no calendar has.
 */
export function parseTime(text: string, nowMs: number, end: EndOf): number | null {
  const ago = AGO.exec(text.trim());
  if (ago !== null) {
    const count = Number(ago[1]);
    return count > UNITS_MAX ? null : nowMs - count * UNITS_MS[ago[2]!]!;
  }
  const date = DATE.exec(text.trim());
  if (date === null) return null;
  const [year, month, day] = date.slice(1, 4).map(Number) as [number, number, number];
  const [hour, minute, second] = [date[4], date[5], date[6]].map((part) => Number(part ?? 0)) as [
    number,
    number,
    number,
  ];
  const isReal = month >= 1 && month <= 12 && day >= 1 && hour < 24 && minute < 60 && second < 60 &&
    day <= new Date(Date.UTC(year, month, 0)).getUTCDate();
  if (!isReal) return null;
  const ms = Number((date[7] ?? "").padEnd(3, "0"));
  const zone = date[8];
  const atMs = zone === undefined
    ? new Date(year, month - 1, day, hour, minute, second, ms).getTime()
    : Date.UTC(year, month - 1, day, hour, minute, second, ms) - zoneMs(zone);
  if (end === "first") return atMs;
  if (date[4] === undefined) return new Date(year, month - 1, day + 1).getTime() - 1;
  return atMs + (date[6] === undefined ? 59_999 : date[7] === undefined ? 999 : 0);
}

function zoneMs(zone: string): number {
  if (zone === "Z") return 0;
  const [hours, minutes] = zone.slice(1).split(":").map(Number) as [number, number];
  return (zone.startsWith("-") ? -1 : 1) * (hours * 60 + minutes) * 60_000;
}

/** `2026-01-15 12:30:05` in local time: what `parseTime` reads back. */
export function timeText(atMs: number): string {
  const date = new Date(atMs);
  const two = (value: number) => String(value).padStart(2, "0");
  const day = [date.getFullYear(), two(date.getMonth() + 1), two(date.getDate())].join("-");
  return `${day} ${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
}
