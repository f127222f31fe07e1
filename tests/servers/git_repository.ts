/**
 * Bare repositories for the Git servers of the tests.
 *
 * @module
 */
import { execFile } from "node:child_process";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { serverPath } from "./daemon.ts";

const runFile = promisify(execFile);

/** How a repository behaves on its server. */
export interface RepositoryOptions {
  /** Whether blobless fetches work and single objects can be asked for. Default "allowed". */
  readonly filter?: "allowed" | "refused";
  /**
   * Refuses pushes: to all branches, or to one. The message is what the user gets to see from the
   * server, such as that of a protected branch or of a quota.
   */
  readonly refuse?: { readonly branch?: string; readonly message: string };
  /** Whether pushes that rewrite a branch, or delete one, are taken. Default "refused". */
  readonly rewrite?: "allowed" | "refused";
}

/** What the server's Git sees of this machine's settings: nothing. */
export const SERVER_GIT_ENV = {
  GIT_CONFIG_NOSYSTEM: "1",
  GIT_CONFIG_GLOBAL: "/dev/null",
} as const;

/**
 * Makes `NAME.git` in a server's folder, without any branch, and gives its path.
 *
 * @param folder where the server looks for repositories.
 * @param name without `.git`; may hold no slash.
 */
export async function makeRepository(
  folder: string,
  name: string,
  options: RepositoryOptions = {},
): Promise<string> {
  const path = join(folder, `${name}.git`);
  const git = async (...args: string[]) => {
    await runFile("git", args, { env: { PATH: serverPath(), ...SERVER_GIT_ENV } });
  };
  await git("init", "--quiet", "--bare", "--initial-branch=main", path);
  const hasFilter = (options.filter ?? "allowed") === "allowed";
  const isAppendOnly = (options.rewrite ?? "refused") === "refused";
  const settings = {
    "http.receivepack": true,
    "uploadpack.allowFilter": hasFilter,
    "uploadpack.allowAnySHA1InWant": hasFilter,
    "receive.denyNonFastForwards": isAppendOnly,
    "receive.denyDeletes": isAppendOnly,
    // A collection in the middle of a test would only make its timing random.
    "gc.auto": 0,
    "receive.autogc": false,
  };
  for (const [name, value] of Object.entries(settings)) {
    await git("--git-dir", path, "config", name, String(value));
  }
  if (options.refuse !== undefined) {
    await writeFile(join(path, "hooks", "pre-receive"), refusingHook(options.refuse), {
      mode: 0o755,
    });
  }
  return path;
}

function refusingHook({ branch, message }: { branch?: string; message: string }): string {
  const quote = (text: string) => `'${text.replaceAll("'", "'\\''")}'`;
  const pattern = branch === undefined ? "*" : quote(`refs/heads/${branch}`);
  return `#!/bin/sh
while read -r old new ref; do
  case "$ref" in ${pattern}) printf '%s\\n' ${quote(message)} >&2; exit 1 ;; esac
done
`;
}
