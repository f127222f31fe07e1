/**
 * Which addresses of repositories are allowed. A list of what is good, not of what is bad: Git
 * itself runs programs for some addresses (`ext::…`, a host that starts with a dash), and some
 * carry a password that would end up in files and messages.
 */
import { ClaudeSyncError } from "../../errors.ts";
import type { Host } from "../../platform/types.ts";
import { LOCATION_URL_LENGTH_MAX } from "../location.ts";

/** An address that is safe to hand to Git. */
export interface GitUrl {
  /** `local` is a folder on this machine's disks, given as a path or as `file://`. */
  readonly kind: "https" | "http" | "ssh" | "local";
  /** As the user wrote it. Holds no secret. */
  readonly url: string;
  /** Host name or address without port; empty for `local`. */
  readonly host: string;
  /** Absolute path of a `local` repository; empty for all others. */
  readonly path: string;
  /** Whether the repository is on this very machine: no host's limits apply. */
  readonly isHere: boolean;
}

const HOST = String.raw`[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?|\[[0-9A-Fa-f:.]{2,45}\]`;
/** No `%`: Git decodes it, and what comes out was not checked. */
const USER = String.raw`[A-Za-z0-9_][A-Za-z0-9._-]*`;
const PORT = String.raw`[1-9][0-9]{0,4}`;
/** What a shell would take for more than text is left out: hints repeat the address. */
const URL_PATH = String.raw`/[A-Za-z0-9._~/%+@:,=-]*`;

const HTTP = new RegExp(`^(https?)://(${HOST})(?::${PORT})?(${URL_PATH})$`, "i");
const SSH = new RegExp(`^ssh://(?:${USER}@)?(${HOST})(?::${PORT})?(${URL_PATH})$`, "i");
/** `[user@]host:path`. Two colons would name a program; one letter would be a Windows drive. */
const SCP_LIKE = new RegExp(
  `^(?:${USER}@)?([A-Za-z0-9][A-Za-z0-9._-]*[A-Za-z0-9]):([A-Za-z0-9._~/][A-Za-z0-9._~/+@,=-]*)$`,
);
const FILE = /^file:\/\/(?:localhost)?(\/[^%?#\\]+)$/i;
/** From a drive, or from a share of a server; `\\.\` and `\\?\` name devices. */
const WINDOWS_PATH =
  /^([A-Za-z]:[\\/](?![\\/])|\\\\(?!\.+[\\/])[^\\/:"<>|?*]+[\\/][^\\/:"<>|?*])[^:"<>|?*]*$/;

const FORMS = "Write it like https://HOST/PATH, ssh://USER@HOST/PATH, USER@HOST:PATH or as the " +
  "absolute path of a repository on this machine";

/**
 * Checks an address for `--git`. `os` decides what a path is: `C:\x` is one on Windows only. Throws
 * `usage` with a hint for everything that is not on the list; the message never repeats a password.
 */
export function parseGitUrl(text: string, os: Host["os"]): GitUrl {
  // deno-lint-ignore no-control-regex
  if (text.length > LOCATION_URL_LENGTH_MAX || /[\0-\x1f\x7f]/.test(text)) {
    throw refused("The address of the repository is too long or holds control characters", FORMS);
  }
  const url = parseUrl(text, os) ?? parsePath(text, os) ?? parseScpLike(text);
  if (url === null) throw explain(text, os);
  if (/^169\.254\.|^\[fe80:|^0\.0\.0\.0$/i.test(url.host)) {
    throw refused(`"${url.host}" is no host for a repository`, FORMS);
  }
  return url;
}

function parseUrl(text: string, os: Host["os"]): GitUrl | null {
  const http = HTTP.exec(text);
  if (http !== null && isSafePath(http[3]!)) {
    const kind = http[1]!.toLowerCase() === "https" ? "https" : "http";
    const isHere = isLoopback(http[2]!);
    // Passwords and tokens would cross the network readable.
    if (kind === "http" && !isHere) return null;
    return { kind, url: text, host: http[2]!, path: "", isHere };
  }
  const ssh = SSH.exec(text);
  if (ssh !== null && isSafePath(ssh[2]!)) {
    return { kind: "ssh", url: text, host: ssh[1]!, path: "", isHere: isLoopback(ssh[1]!) };
  }
  const file = FILE.exec(text);
  if (file === null) return null;
  const isDrive = os === "windows" && /^\/[A-Za-z]:\//.test(file[1]!);
  const path = isDrive ? file[1]!.slice(1) : file[1]!;
  return { kind: "local", url: text, host: "", path, isHere: true };
}

function parsePath(text: string, os: Host["os"]): GitUrl | null {
  const isPath = os === "windows" ? WINDOWS_PATH.test(text) : /^\/[^/]/.test(text);
  return isPath ? { kind: "local", url: text, host: "", path: text, isHere: true } : null;
}

function parseScpLike(text: string): GitUrl | null {
  if (text.includes("://")) return null;
  const match = SCP_LIKE.exec(text);
  // Of `user:password@host` the password would be taken for a path, shown and kept.
  if (match === null || /^[^/]*@/.test(match[2]!)) return null;
  // A slip of the pen in a scheme is no host's name.
  if (/^(file|https?|ssh|git|ftps?|data|ext|fd)$/i.test(match[1]!)) return null;
  return { kind: "ssh", url: text, host: match[1]!, path: "", isHere: isLoopback(match[1]!) };
}

/** A path with something in it, and no encoded control characters: Git decodes them. */
function isSafePath(path: string): boolean {
  return /[^/]/.test(path) && !/%(?![0-9A-Fa-f]{2})|%[01]|%7f/i.test(path);
}

function isLoopback(host: string): boolean {
  return /^(localhost|127(\.[0-9]{1,3}){3}|\[::1\])$/i.test(host);
}

function explain(text: string, os: Host["os"]): ClaudeSyncError {
  if (/^(https:\/\/|ssh:\/\/([^-/@:]+@)?)[^-/@][^/@]*\/*$/i.test(text)) {
    return refused("The address names no repository, only a host", FORMS);
  }
  if (/^([a-z]+:\/\/[^/]*|[^/@]*:[^/]*)@/i.test(text)) {
    return refused(
      "The address of the repository holds a user name or a password",
      "Leave it out: Git asks your credential helper for it",
    );
  }
  if (/^http:/i.test(text)) {
    return refused(
      "A repository over plain http is only taken on this machine itself",
      "Write https:// instead",
    );
  }
  if (/^[A-Za-z][A-Za-z0-9+.-]*:(:|\/\/)/.test(text)) {
    return refused("Repositories with that kind of address are not supported", FORMS);
  }
  if (os !== "windows" && WINDOWS_PATH.test(text)) {
    return refused("The address of the repository is a path of Windows", FORMS);
  }
  return refused("That is no address of a repository", FORMS);
}

function refused(message: string, hint: string): ClaudeSyncError {
  return new ClaudeSyncError("usage", message, { hint });
}
