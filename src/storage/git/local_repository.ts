import type { Platform } from "../../platform/types.ts";
import { GitRunner } from "./git_runner.ts";
import type { GitUrl } from "./git_url.ts";

/** What a repository of ours allows, as hosts do: partial fetches; and what it never allows. */
const SETTINGS: readonly (readonly [string, string])[] = [
  ["uploadpack.allowFilter", "true"],
  ["uploadpack.allowAnySHA1InWant", "true"],
  ["receive.denyNonFastForwards", "true"],
  ["receive.denyDeletes", "true"],
  // Encrypted packs do not resemble each other: looking for that takes most of a fetch.
  ["core.bigFileThreshold", "512k"],
];

/**
 * Makes a bare repository for a vault at a local address where there is nothing yet, or an empty
 * folder. Anything else that is there is left alone. Errors: `local-io`, `no-space`.
 */
export async function makeLocalRepository(
  platform: Platform,
  url: GitUrl,
  signal?: AbortSignal,
): Promise<void> {
  const { fs } = platform;
  const { path } = url;
  const target = fs.realpath(path);
  if (target !== null && fs.readDir(target)?.length !== 0) return;
  const runner = new GitRunner(platform, url);
  const init = ["init", "--quiet", "--bare", "--template=", "--initial-branch=main", "--", path];
  const made = await runner.remote(null, init, { signal });
  if (!made.ok) throw made.failure;
  for (const [name, value] of SETTINGS) {
    await runner.local(path, ["config", name, value], { signal });
  }
}
