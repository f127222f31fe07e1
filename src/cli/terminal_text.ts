/**
 * The one gate for text that comes from files, the vault or the network on its way to a terminal.
 */

/** The most graphemes of one such string that are shown. */
export const TERMINAL_GRAPHEMES_MAX = 200;

/**
 * The most UTF-16 units that are looked at: the graphemes of the limit are never longer in
 * practice.
 */
const UNITS_MAX = 16_384;

const REPLACEMENT = "\u{fffd}";

/**
 * C0 and DEL, C1, lone surrogates, line and paragraph separators, every format character (bidi
 * controls, zero-width, BOM, soft hyphen, tags), interlinear marks and fillers that draw nothing.
 */
const UNSAFE = new RegExp(
  String.raw`[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]|[\u{e0000}-\u{e0fff}]|` +
    String.raw`[\u034f\u115f\u1160\u17b4\u17b5\u3164\uffa0]`,
  "gu",
);

let segmenter: Intl.Segmenter | undefined;

/**
 * Makes a string harmless and readable on one line: whatever could move the cursor, change colours,
 * reorder or hide text becomes U+FFFD, and what is longer than `graphemesMax` ends in "…". Never
 * throws. Applying it twice changes nothing more.
 */
export function terminalText(text: string, graphemesMax = TERMINAL_GRAPHEMES_MAX): string {
  const looked = text.length > UNITS_MAX ? text.slice(0, UNITS_MAX) : text;
  const safe = looked.replace(UNSAFE, REPLACEMENT);
  if (safe.length <= graphemesMax && looked.length === text.length) return safe;
  return shorten(safe, graphemesMax, looked.length < text.length);
}

function shorten(text: string, graphemesMax: number, isCut: boolean): string {
  segmenter ??= new Intl.Segmenter("en", { granularity: "grapheme" });
  let graphemes = 0;
  let keptUnits = 0;
  for (const { index, segment } of segmenter.segment(text)) {
    graphemes++;
    if (graphemes > graphemesMax) return `${text.slice(0, keptUnits)}…`;
    if (graphemes < graphemesMax) keptUnits = index + segment.length;
  }
  return isCut ? `${text.slice(0, keptUnits)}…` : text;
}

const COMBINING = /^[\p{Mn}\p{Me}\u{200d}\u{fe0e}\u{fe0f}]+$/u;
const EMOJI = /\p{Emoji_Presentation}|\u{fe0f}/u;

/** Columns that `text` takes on a terminal. `text` went through `terminalText`. */
export function displayWidth(text: string): number {
  if (/^[\x20-\x7e]*$/.test(text)) return text.length;
  segmenter ??= new Intl.Segmenter("en", { granularity: "grapheme" });
  let columns = 0;
  for (const { segment } of segmenter.segment(text)) columns += graphemeWidth(segment);
  return columns;
}

function graphemeWidth(grapheme: string): number {
  if (COMBINING.test(grapheme)) return 0;
  if (EMOJI.test(grapheme)) return 2;
  const codePoint = grapheme.codePointAt(0) ?? 0;
  return isWide(codePoint) ? 2 : 1;
}

/** East Asian wide and full-width ranges. */
function isWide(codePoint: number): boolean {
  return (codePoint >= 0x1100 && codePoint <= 0x115f) ||
    (codePoint >= 0x2e80 && codePoint <= 0x303e) ||
    (codePoint >= 0x3041 && codePoint <= 0xa4cf && codePoint !== 0x303f) ||
    (codePoint >= 0xa960 && codePoint <= 0xa97f) ||
    (codePoint >= 0xac00 && codePoint <= 0xd7a3) ||
    (codePoint >= 0xf900 && codePoint <= 0xfaff) ||
    (codePoint >= 0xfe30 && codePoint <= 0xfe6f) ||
    (codePoint >= 0xff00 && codePoint <= 0xff60) ||
    (codePoint >= 0xffe0 && codePoint <= 0xffe6) ||
    (codePoint >= 0x1f300 && codePoint <= 0x1faff) ||
    (codePoint >= 0x20000 && codePoint <= 0x3fffd);
}

/** Pads with spaces to `columns`; cuts what is wider and marks the cut with "…". */
export function fitColumns(text: string, columns: number): string {
  const width = displayWidth(text);
  if (width <= columns) return text + " ".repeat(columns - width);
  segmenter ??= new Intl.Segmenter("en", { granularity: "grapheme" });
  let kept = "";
  let used = 0;
  for (const { segment } of segmenter.segment(text)) {
    const next = used + graphemeWidth(segment);
    if (next > columns - 1) break;
    kept += segment;
    used = next;
  }
  return `${kept}…${" ".repeat(Math.max(0, columns - used - 1))}`;
}

/**
 * Lines of a table whose columns are as wide as their widest cell, two spaces apart, without spaces
 * at the ends. `widthMax` cuts the column at `flexible` so that lines fit.
 */
export function tableLines(
  rows: Iterable<readonly string[]>,
  flexible = -1,
  widthMax = Infinity,
): string[] {
  const widths: number[] = [];
  for (const row of rows) {
    row.forEach((cell, at) => widths[at] = Math.max(widths[at] ?? 0, displayWidth(cell)));
  }
  const total = widths.reduce((sum, width) => sum + width + 2, -2);
  const flexibleWidth = widths[flexible];
  if (flexibleWidth !== undefined && total > widthMax) {
    widths[flexible] = Math.max(8, flexibleWidth - (total - widthMax));
  }
  return Array.from(
    rows,
    (row) => row.map((cell, at) => fitColumns(cell, widths[at] ?? 0)).join("  ").trimEnd(),
  );
}
