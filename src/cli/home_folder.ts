/** Where this program keeps its things. Used by the hooks too, so it imports next to nothing. */
import { isAbsolute, join, resolve } from "node:path";
import type { Host } from "../platform/types.ts";

/** The folder and key file of a profile. */
export interface HomeFolder {
  /** `CLAUDE_SYNC_HOME` or `~/.claude-sync`; with a profile, `profiles/NAME` in it. Absolute. */
  readonly home: string;
  /** `CLAUDE_SYNC_KEY_FILE`, or `key` in the folder. Absolute. */
  readonly keyFile: string;
}

/** Finds the folder for `profile` (null: the ordinary one). Nothing need exist. */
export function homeFolder(host: Host, profile: string | null): HomeFolder {
  const base = absolute(host, host.env("CLAUDE_SYNC_HOME") ?? join(host.home, ".claude-sync"));
  const home = profile === null ? base : join(base, "profiles", profile);
  const keyFile = host.env("CLAUDE_SYNC_KEY_FILE");
  return { home, keyFile: keyFile === undefined ? join(home, "key") : absolute(host, keyFile) };
}

/** Folder for what a store's driver remembers; it may be deleted at any time. */
export function storeCache({ home }: HomeFolder): string {
  return join(home, "cache");
}

/** `path` as an absolute path; `~/` at its beginning is the home folder, as shells have it. */
export function absolute(host: Host, path: string): string {
  if (path === "~") return host.home;
  if (/^~[\\/]/.test(path)) return join(host.home, path.slice(2));
  return isAbsolute(path) ? resolve(path) : resolve(host.cwd(), path);
}

/** Whether `CLAUDE_SYNC_DISABLE` switches the hooks off. */
export function isDisabled(host: Host): boolean {
  const value = host.env("CLAUDE_SYNC_DISABLE");
  return value !== undefined && value !== "0" && value.toLowerCase() !== "false";
}

/** Whether `name` may be a profile, which is a folder's name. */
export function isProfileName(name: string): boolean {
  return /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/.test(name) && !name.endsWith(".");
}
