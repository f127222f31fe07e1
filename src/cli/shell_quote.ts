/** Quoting of words for the shells that people, and Claude Code, run our commands in. */
import type { Host } from "../platform/types.ts";

const PLAIN = /^[A-Za-z0-9_@%+=:,./~-]+$/;

/** A word for a POSIX shell, always in single quotes. */
export function posixQuote(word: string): string {
  return `'${word.replaceAll("'", "'\\''")}'`;
}

/** A word for PowerShell, always in single quotes. */
export function powershellQuote(word: string): string {
  // PowerShell takes typographic quotes for quotes as well.
  return `'${word.replace(/['\u{2018}\u{2019}\u{201a}\u{201b}]/gu, "$&$&")}'`;
}

/** A word for fish, always in single quotes. */
export function fishQuote(word: string): string {
  return `'${word.replaceAll("\\", "\\\\").replaceAll("'", "\\'")}'`;
}

/**
 * A word for people to copy into the usual shell of their system; without quotes where none are
 * needed.
 */
export function shellWord(os: Host["os"], word: string): string {
  if (PLAIN.test(word) && !/^~/.test(word)) return word;
  if (os === "windows") return /^[A-Za-z0-9_+=:,.\\/-]+$/.test(word) ? word : powershellQuote(word);
  return posixQuote(word);
}
