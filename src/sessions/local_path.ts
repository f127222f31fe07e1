/** Path arithmetic for a named operating system, whatever system this code runs on. Pure text. */
import { posix, win32 } from "node:path";
import type { Host } from "../platform/types.ts";

/** The few pure path functions that sessions need. */
export interface PathRules {
  readonly sep: string;
  join(...parts: string[]): string;
  dirname(path: string): string;
  basename(path: string): string;
  isAbsolute(path: string): boolean;
  normalize(path: string): string;
}

/** Windows rules for "windows", POSIX rules for everything else. */
export function pathRules(os: Host["os"]): PathRules {
  return os === "windows" ? win32 : posix;
}

/**
 * `path` as an absolute, normalised path without a trailing separator; relative ones hang on
 * `base`.
 */
export function absolutePath(os: Host["os"], base: string, path: string): string {
  const rules = pathRules(os);
  const whole = rules.normalize(rules.isAbsolute(path) ? path : rules.join(base, path));
  const isRoot = rules.dirname(whole) === whole;
  return isRoot || !whole.endsWith(rules.sep) ? whole : whole.slice(0, -1);
}

/**
 * The part of `path` below `parent`, `/`-separated: "" when they are equal, null when `path` is not
 * inside. Both are absolute and normalised. Windows compares without regard to case.
 */
export function pathBelow(os: Host["os"], parent: string, path: string): string | null {
  const rules = pathRules(os);
  const fold = (text: string) => os === "windows" ? text.toLowerCase() : text;
  if (fold(path) === fold(parent)) return "";
  const prefix = parent.endsWith(rules.sep) ? parent : parent + rules.sep;
  if (!fold(path).startsWith(fold(prefix))) return null;
  return path.slice(prefix.length).split(rules.sep).join("/");
}
