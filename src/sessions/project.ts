/** Which project a folder is, told so that other machines, where it has another path, agree. */
import * as z from "zod/mini";
import type { FileSystem, Host } from "../platform/types.ts";
import { realpathIfAny } from "./foreign_file.ts";
import { findRepository } from "./git_folder.ts";
import { absolutePath, pathBelow, pathRules } from "./local_path.ts";
import { isRemote, normaliseRemote, REMOTE_LENGTH_MAX } from "./remote.ts";

/** A folder in a Git repository with a remote. */
export interface GitProject {
  readonly kind: "git";
  /** As `normaliseRemote` gives it. */
  readonly remote: string;
  /** `/`-separated path inside the work tree; "" for its top. */
  readonly sub: string;
}

/** A folder below the home folder, without a remote. */
export interface HomeProject {
  readonly kind: "home";
  /** `/`-separated and relative; "" for the home folder itself. */
  readonly path: string;
}

/** Any other folder. */
export interface PathProject {
  readonly kind: "path";
  /** Absolute and `/`-separated; begins with `/` or with a drive in upper case (`C:/…`). */
  readonly path: string;
}

/** Independent of the machine; compare with `projectKey`. */
export type ProjectIdentity = GitProject | HomeProject | PathProject;

/** Longest path inside an identity, in UTF-16 units. */
export const PROJECT_PATH_LENGTH_MAX = 4096;

/**
 * The project that `dir` is. Reads Git's files itself; a worktree counts as its main repository, a
 * submodule as its own. A repository without a remote that others could reach, and a folder that is
 * not there, are told by their path. Never throws for what is in Git's files.
 */
export function identifyProject(fs: FileSystem, host: Host, dir: string): ProjectIdentity {
  const absolute = absolutePath(host.os, host.cwd(), dir);
  const real = realpathIfAny(fs, absolute);
  if (real === null) return pathIdentity(fs, host, absolute);
  const repository = findRepository(fs, host.os, real);
  if (repository === null) return pathIdentity(fs, host, real);
  const remote = repository.url === null ? null : normaliseRemote(repository.url);
  if (remote !== null) return { kind: "git", remote, sub: repository.sub.normalize("NFC") };
  if (repository.mainDir === null) return pathIdentity(fs, host, real);
  return pathIdentity(fs, host, pathRules(host.os).join(repository.mainDir, repository.sub));
}

function pathIdentity(fs: FileSystem, host: Host, dir: string): ProjectIdentity {
  const homes = [realpathIfAny(fs, host.home), absolutePath(host.os, host.cwd(), host.home)];
  for (const home of homes) {
    const below = home === null ? null : pathBelow(host.os, home, dir);
    if (below !== null) return { kind: "home", path: below.normalize("NFC") };
  }
  const slashed = host.os === "windows" ? dir.replaceAll("\\", "/") : dir;
  const path = slashed.replace(/^[a-z]:/, (drive) => drive.toUpperCase());
  return { kind: "path", path: path.normalize("NFC") };
}

/**
 * One line of text that is equal for equal identities and different for others. Stable: it is kept
 * in config files and in the vault.
 */
export function projectKey(identity: ProjectIdentity): string {
  switch (identity.kind) {
    case "git":
      // No remote holds an empty segment, so the double slash cannot be part of one.
      return `git:${identity.remote}${identity.sub === "" ? "" : `//${identity.sub}`}`;
    case "home":
      return `home:${identity.path}`;
    case "path":
      return `path:${identity.path}`;
  }
}

/**
 * What no path can hold. Everything else, a line end or an invisible joiner, is a name somebody
 * has.
 */
const IMPOSSIBLE = /[\0\p{Cs}]/u;

function isRelativePath(path: string): boolean {
  if (path === "") return true;
  return path === path.normalize("NFC") && !IMPOSSIBLE.test(path) &&
    path.split("/").every((segment) => segment !== "" && segment !== "." && segment !== "..");
}

function isAbsolutePath(path: string): boolean {
  const rest = /^([A-Z]:)?\/(.*)$/s.exec(path)?.[2];
  if (rest !== undefined && isRelativePath(rest)) return true;
  // Windows network shares: //server/share/…
  return path.startsWith("//") && path.length > 2 && isRelativePath(path.slice(2));
}

const pathText = z.string().check(z.maxLength(PROJECT_PATH_LENGTH_MAX));
const relativePath = pathText.check(z.refine(isRelativePath));
const identitySchema = z.discriminatedUnion("kind", [
  z.strictObject({
    kind: z.literal("git"),
    remote: z.string().check(z.maxLength(REMOTE_LENGTH_MAX), z.refine(isRemote)),
    sub: relativePath,
  }),
  z.strictObject({ kind: z.literal("home"), path: relativePath }),
  z.strictObject({ kind: z.literal("path"), path: pathText.check(z.refine(isAbsolutePath)) }),
]);

/** Checks an identity that came from a vault; null unless it has a form `identifyProject` gives. */
export function parseProjectIdentity(value: unknown): ProjectIdentity | null {
  const parsed = identitySchema.safeParse(value);
  return parsed.success ? parsed.data : null;
}

/** Short name for people, e.g. `app`, `app/packages/web`, `~/notes`. Not unique. */
export function describeProject(identity: ProjectIdentity): string {
  switch (identity.kind) {
    case "git": {
      const name = identity.remote.slice(identity.remote.lastIndexOf("/") + 1);
      return identity.sub === "" ? name : `${name}/${identity.sub}`;
    }
    case "home":
      return identity.path === "" ? "~" : `~/${identity.path}`;
    case "path":
      return identity.path;
  }
}
