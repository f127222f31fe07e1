/** Splitting a command of a configuration file into arguments, so that no shell is needed. */
import type { Host } from "../../platform/types.ts";

/**
 * The arguments of a command as the user's system quotes them; null when a quote has no end or
 * there is nothing. Variables, `~`, pipes and the like mean nothing: there is no shell.
 */
export function splitCommandLine(command: string, os: Host["os"]): string[] | null {
  const parts = os === "windows" ? splitWindows(command) : splitPosix(command);
  return parts === null || parts[0] === undefined || parts[0] === "" ? null : parts;
}

/** As a POSIX shell reads words: single and double quotes, a backslash before one character. */
function splitPosix(command: string): string[] | null {
  const parts: string[] = [];
  let part: string | null = null;
  let quote: "'" | '"' | null = null;
  for (let at = 0; at < command.length; at++) {
    const character = command[at]!;
    const next = command[at + 1];
    if (quote === "'") {
      if (character === "'") quote = null;
      else part += character;
    } else if (character === "\\" && (quote === null || next === '"' || next === "\\")) {
      if (next === undefined) return null;
      part = (part ?? "") + next;
      at++;
    } else if (character === quote) quote = null;
    else if (quote === null && (character === "'" || character === '"')) {
      quote = character;
      part ??= "";
    } else if (quote === null && /\s/.test(character)) {
      if (part !== null) parts.push(part);
      part = null;
    } else part = (part ?? "") + character;
  }
  if (quote !== null) return null;
  if (part !== null) parts.push(part);
  return parts;
}

/**
 * As programs for Windows read their command line: double quotes only; backslashes count before a
 * quote only, where two mean one and an odd one makes the quote a character; two quotes inside
 * quotes are one.
 *
 * @see https://learn.microsoft.com/en-us/cpp/c-language/parsing-c-command-line-arguments
 */
function splitWindows(command: string): string[] | null {
  const parts: string[] = [];
  let part: string | null = null;
  let isQuoted = false;
  for (let at = 0; at < command.length; at++) {
    const character = command[at]!;
    if (character === "\\") {
      let count = 1;
      while (command[at + count] === "\\") count++;
      const isBeforeQuote = command[at + count] === '"';
      part = (part ?? "") + "\\".repeat(isBeforeQuote ? Math.floor(count / 2) : count);
      at += count - 1;
      if (isBeforeQuote && count % 2 === 1) {
        part += '"';
        at++;
      }
    } else if (character === '"') {
      part ??= "";
      if (isQuoted && command[at + 1] === '"') {
        part += '"';
        at++;
      } else isQuoted = !isQuoted;
    } else if (!isQuoted && (character === " " || character === "\t")) {
      if (part !== null) parts.push(part);
      part = null;
    } else part = (part ?? "") + character;
  }
  if (isQuoted) return null;
  if (part !== null) parts.push(part);
  return parts;
}
