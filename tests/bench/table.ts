/** Prints what was measured, for people. */

/** Lines of a table whose first column stands left and the others right. */
export function tableLines(
  head: readonly string[],
  rows: readonly (readonly string[])[],
): string[] {
  const all = [head, ...rows];
  const widths = head.map((_, column) => Math.max(...all.map((row) => (row[column] ?? "").length)));
  return all.map((row) =>
    widths.map((width, column) => {
      const cell = row[column] ?? "";
      return column === 0 ? cell.padEnd(width) : cell.padStart(width);
    }).join("  ").trimEnd()
  );
}

/** `1234567` as `1.23 MB`. */
export function bytesText(bytes: number | null): string {
  if (bytes === null) return "–";
  if (bytes < 1_000) return `${bytes} B`;
  for (const [unit, size] of [["kB", 1e3], ["MB", 1e6], ["GB", 1e9]] as const) {
    if (bytes < size * 1_000 || unit === "GB") return `${(bytes / size).toPrecision(3)} ${unit}`;
  }
  return `${bytes} B`;
}

/** Bytes in so many milliseconds, as MiB/s. */
export function speedText(bytes: number, ms: number): string {
  return `${Math.round(bytes / 2 ** 20 / (ms / 1000))} MiB/s`;
}

/** Memory as MiB. */
export function memoryText(bytes: number | null): string {
  return bytes === null ? "–" : `${Math.round(bytes / 2 ** 20)} MiB`;
}

/** Time as ms, or as s from 10 s on. */
export function timeText(ms: number): string {
  if (ms >= 10_000) return `${(ms / 1000).toFixed(1)} s`;
  return `${ms < 100 ? ms.toFixed(1) : Math.round(ms)} ms`;
}
