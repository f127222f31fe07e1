/** Whether there is a `git` that can be used. */
import { isAbsolute, join } from "node:path";
import { ClaudeSyncError, isClaudeSyncError } from "../../errors.ts";
import type { Platform } from "../../platform/types.ts";

/** Debian 11's, the oldest with all that is used here. */
const GIT_VERSION_MIN = [2, 30] as const;

const INSTALL = {
  linux: "Install it with your system's packages, e.g.: sudo apt install git",
  darwin: "Install it: xcode-select --install",
  windows: "Install it from https://git-scm.com, or: winget install Git.Git",
} as const;

const latin1 = new TextDecoder("latin1");

/** Throws `local-io` unless there is a Git new enough. */
export async function requireGit(platform: Platform, signal?: AbortSignal): Promise<void> {
  const { processes, host } = platform;
  if (host.os === "darwin") await requireTools(platform, signal);
  const options = { timeoutMs: 20_000, ...(signal === undefined ? {} : { signal }) };
  const result = await processes.run(["git", "version"], options).catch((cause: unknown) => {
    throw isClaudeSyncError(cause, "not-found") ? noGit(host.os, cause) : cause;
  });
  const version = /^git version (\d+)\.(\d+)/.exec(latin1.decode(result.stdout));
  if (result.code !== 0 || version === null) {
    throw new ClaudeSyncError("local-io", "Git does not run on this machine", {
      hint: "See what it says: git version. Its settings may be at fault: git config --list",
    });
  }
  const [major, minor] = [Number(version[1]), Number(version[2])];
  const [majorMin, minorMin] = GIT_VERSION_MIN;
  if (major > majorMin || (major === majorMin && minor >= minorMin)) return;
  throw new ClaudeSyncError("local-io", `Git ${major}.${minor} is too old`, {
    hint: `Version ${majorMin}.${minorMin} or newer is needed. ${INSTALL[host.os]}`,
  });
}

/** The error when there is no Git. */
export function noGit(os: keyof typeof INSTALL, cause?: unknown): ClaudeSyncError {
  return new ClaudeSyncError("local-io", "Git is not installed on this machine", {
    hint: INSTALL[os],
    ...(cause === undefined ? {} : { cause }),
  });
}

/**
 * A Mac without the command line tools has a `/usr/bin/git` that opens an installer's window. It
 * must not be run to find out.
 */
async function requireTools({ fs, host, processes }: Platform, signal?: AbortSignal) {
  const folders = (host.env("PATH") ?? "").split(":").filter((folder) => isAbsolute(folder));
  const first = folders.find((folder) => fs.lstat(join(folder, "git")) !== null);
  if (first?.replace(/\/+$/, "") !== "/usr/bin") return;
  const options = { timeoutMs: 20_000, ...(signal === undefined ? {} : { signal }) };
  const { code } = await processes.run(["xcode-select", "-p"], options);
  if (code !== 0) throw noGit("darwin");
}
