/** A reader for the part of Git's configuration format that names remotes. Runs no Git. */

/** A value with its place: section and name in lower case, subsection as written. */
export interface GitConfigEntry {
  readonly section: string;
  readonly subsection: string | null;
  readonly name: string;
  readonly value: string;
}

/** A line is trimmed before: runs of spaces between two things that may both be absent are slow. */
const HEADER = /^\[\s*([A-Za-z0-9.-]+)(?:\s*"([^"\\]*(?:\\.[^"\\]*)*)")?\s*\]/;
const SETTING = /^\s*([A-Za-z][A-Za-z0-9-]*)\s*(?:=(.*))?$/s;
const ESCAPES: Readonly<Record<string, string>> = { n: "\n", t: "\t", b: "\b" };

/**
 * All settings in file order. Lines that make no sense are passed over; includes are not followed.
 */
export function parseGitConfig(text: string): GitConfigEntry[] {
  const entries: GitConfigEntry[] = [];
  let section = "";
  let subsection: string | null = null;
  for (const whole of joinContinuedLines(text)) {
    let line = whole.trimStart();
    const header = HEADER.exec(line);
    if (header !== null) {
      const [first = "", ...more] = (header[1] ?? "").toLowerCase().split(".");
      section = first;
      subsection = header[2]?.replace(/\\(.)/g, "$1") ?? (more.length > 0 ? more.join(".") : null);
      line = line.slice(header[0].length);
    }
    const setting = SETTING.exec(line);
    if (setting === null || setting[1] === undefined || section === "") continue;
    const value = setting[2] === undefined ? "true" : parseValue(setting[2]);
    entries.push({ section, subsection, name: setting[1].toLowerCase(), value });
  }
  return entries;
}

/** URL of `origin`, else of the remote that comes first; null when there is none. */
export function remoteUrl(entries: readonly GitConfigEntry[]): string | null {
  const urls = entries.filter((entry) =>
    entry.section === "remote" && entry.subsection !== null && entry.name === "url" &&
    entry.value !== ""
  );
  return (urls.find((entry) => entry.subsection === "origin") ?? urls[0])?.value ?? null;
}

/** A backslash at a line's end continues it, unless it is escaped itself or in a comment. */
function joinContinuedLines(text: string): string[] {
  const lines: string[] = [];
  let held: string[] = [];
  let isBlank = true;
  for (const line of text.replace(/^\uFEFF/, "").split(/\r?\n/)) {
    // The first part that holds anything tells whether all of it is a comment.
    const isComment = isBlank && /^\s*[#;]/.test(line);
    if (backslashesAtEnd(line) % 2 === 1 && !isComment) {
      const part = line.slice(0, -1);
      held.push(part);
      isBlank &&= part.trim() === "";
    } else {
      lines.push(held.join("") + line);
      held = [];
      isBlank = true;
    }
  }
  if (held.length > 0) lines.push(held.join(""));
  return lines;
}

function backslashesAtEnd(line: string): number {
  let count = 0;
  while (line[line.length - 1 - count] === "\\") count++;
  return count;
}

/** Takes away quotes, escapes, comments and the space around a value. */
function parseValue(text: string): string {
  let value = "";
  let kept = 0;
  let isQuoted = false;
  for (let i = 0; i < text.length; i++) {
    const unit = text[i] ?? "";
    if (unit === '"') {
      isQuoted = !isQuoted;
      kept = value.length;
    } else if (unit === "\\") {
      const next = text[++i] ?? "";
      value += ESCAPES[next] ?? next;
      kept = value.length;
    } else if (!isQuoted && (unit === "#" || unit === ";")) {
      break;
    } else if (!isQuoted && /\s/.test(unit)) {
      if (value !== "") value += unit;
    } else {
      value += unit;
      kept = value.length;
    }
  }
  return value.slice(0, kept);
}
