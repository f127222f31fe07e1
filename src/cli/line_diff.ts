/** Which lines a change removes and adds, for people. */

const CONTEXT_LINES = 2;
/** Beyond this, the changed middle is shown as a whole instead of compared line by line. */
const COMPARED_LINES_MAX = 2000;

interface Line {
  readonly mark: " " | "-" | "+";
  readonly text: string;
}

/** The changed lines with two lines around them; empty when the texts are equal. */
export function diffLines(before: string, after: string): string[] {
  const lines = compare(split(before), split(after));
  const isShown = lines.map((_line, at) =>
    lines.slice(Math.max(0, at - CONTEXT_LINES), at + CONTEXT_LINES + 1)
      .some((near) => near.mark !== " ")
  );
  const shown: string[] = [];
  lines.forEach((line, at) => {
    if (!isShown[at]) return;
    if (at > 0 && !isShown[at - 1]) shown.push("...");
    shown.push(`${line.mark} ${line.text}`);
  });
  return shown;
}

function split(text: string): string[] {
  if (text === "") return [];
  return text.replace(/\r?\n$/, "").split(/\r?\n/);
}

function compare(before: readonly string[], after: readonly string[]): Line[] {
  let head = 0;
  while (head < before.length && head < after.length && before[head] === after[head]) head++;
  let tail = 0;
  while (
    tail < before.length - head && tail < after.length - head &&
    before.at(-1 - tail) === after.at(-1 - tail)
  ) tail++;
  return [
    ...before.slice(0, head).map((text): Line => ({ mark: " ", text })),
    ...middle(before.slice(head, before.length - tail), after.slice(head, after.length - tail)),
    ...before.slice(before.length - tail).map((text): Line => ({ mark: " ", text })),
  ];
}

function middle(before: readonly string[], after: readonly string[]): Line[] {
  if (before.length > COMPARED_LINES_MAX || after.length > COMPARED_LINES_MAX) {
    return [
      ...before.map((text): Line => ({ mark: "-", text })),
      ...after.map((text): Line => ({ mark: "+", text })),
    ];
  }
  // Lengths of the longest common subsequences of what is left of both.
  const width = after.length + 1;
  const common = new Uint16Array((before.length + 1) * width);
  for (let i = before.length - 1; i >= 0; i--) {
    for (let j = after.length - 1; j >= 0; j--) {
      common[i * width + j] = before[i] === after[j]
        ? common[(i + 1) * width + j + 1]! + 1
        : Math.max(common[(i + 1) * width + j]!, common[i * width + j + 1]!);
    }
  }
  const lines: Line[] = [];
  let i = 0;
  let j = 0;
  while (i < before.length || j < after.length) {
    const old = before[i];
    const fresh = after[j];
    if (old !== undefined && old === fresh) {
      lines.push({ mark: " ", text: old });
      i++;
      j++;
    } else if (
      old !== undefined &&
      (fresh === undefined || common[(i + 1) * width + j]! >= common[i * width + j + 1]!)
    ) {
      lines.push({ mark: "-", text: old });
      i++;
    } else if (fresh !== undefined) {
      lines.push({ mark: "+", text: fresh });
      j++;
    }
  }
  return lines;
}
