/** Finding a folder's Git repository by its files, without running Git. */
import type { FileSystem, Host } from "../platform/types.ts";
import { readIfAny, realpathIfAny, statIfAny } from "./foreign_file.ts";
import { parseGitConfig, remoteUrl } from "./git_config.ts";
import { absolutePath, pathBelow, pathRules } from "./local_path.ts";

/** A work tree and the repository it belongs to. */
export interface Repository {
  /** URL of the remote that counts, as configured; null when there is none. */
  readonly url: string | null;
  /** `/`-separated path of the folder inside its work tree. */
  readonly sub: string;
  /** Top of the main work tree, for worktrees not the same as the folder's own. Null when bare. */
  readonly mainDir: string | null;
}

/** What a `.git` that is a file begins with. */
const POINTER = "gitdir: ";
const POINTER_BYTES_MAX = 64 * 1024;
const CONFIG_BYTES_MAX = 4 * 1024 * 1024;
const decoder = new TextDecoder();

/** The repository that `realDir` (absolute, links resolved) lies in, or null. */
export function findRepository(
  fs: FileSystem,
  os: Host["os"],
  realDir: string,
): Repository | null {
  const rules = pathRules(os);
  for (let top = realDir;; top = rules.dirname(top)) {
    const gitDir = gitDirOf(fs, os, top);
    if (gitDir !== null) {
      const commonDir = commonDirOf(fs, os, gitDir);
      const config = readText(fs, rules.join(commonDir, "config"), CONFIG_BYTES_MAX);
      const isOwn = commonDir === gitDir;
      const main = rules.basename(commonDir) === ".git" ? rules.dirname(commonDir) : null;
      return {
        url: remoteUrl(parseGitConfig(config ?? "")),
        sub: pathBelow(os, top, realDir) ?? "",
        mainDir: isOwn ? top : main,
      };
    }
    if (rules.dirname(top) === top) return null;
  }
}

/** Git's own folder for the work tree at `top`: `.git`, or where a file of that name points. */
function gitDirOf(fs: FileSystem, os: Host["os"], top: string): string | null {
  const { join } = pathRules(os);
  const dotGit = realpathIfAny(fs, join(top, ".git"));
  if (dotGit === null) return null;
  let dir: string | null = dotGit;
  if (statIfAny(fs, dotGit)?.kind === "file") {
    const text = readText(fs, dotGit, POINTER_BYTES_MAX) ?? "";
    const pointer = text.startsWith(POINTER) ? pathIn(text.slice(POINTER.length)) : "";
    dir = pointer === "" ? null : realpathIfAny(fs, absolutePath(os, top, pointer));
  }
  // An empty folder named .git is no repository, and Git looks further up.
  return dir !== null && statIfAny(fs, join(dir, "HEAD")) !== null ? dir : null;
}

/** Where a worktree's repository keeps what all its worktrees share. */
function commonDirOf(fs: FileSystem, os: Host["os"], gitDir: string): string {
  const text = readText(fs, pathRules(os).join(gitDir, "commondir"), POINTER_BYTES_MAX);
  const path = pathIn(text ?? "");
  if (path === "") return gitDir;
  return realpathIfAny(fs, absolutePath(os, gitDir, path)) ?? gitDir;
}

/** Git takes off line ends and nothing else: a folder's name may begin and end with spaces. */
function pathIn(text: string): string {
  let end = text.length;
  while (text[end - 1] === "\n" || text[end - 1] === "\r") end--;
  return text.slice(0, end);
}

function readText(fs: FileSystem, path: string, bytesMax: number): string | null {
  const bytes = readIfAny(fs, path, bytesMax);
  return bytes === null ? null : decoder.decode(bytes);
}
