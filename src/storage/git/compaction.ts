/**
 * Keeps the local copy small: what this machine has pushed is in the repository now, and a pack
 * that was read once is rarely read again. Trees and small objects stay.
 */
import { join } from "node:path";
import { fromUtf8, utf8 } from "../../base/bytes.ts";
import { writeFileUnflushed } from "../../platform/atomic_file.ts";
import type { Platform } from "../../platform/types.ts";
import type { GitCache } from "./git_cache.ts";
import { FETCHED_BYTES_MAX } from "./git_remote.ts";
import type { GitRunner } from "./git_runner.ts";
import type { ObjectIndex } from "./object_index.ts";

/** More packs than this make every command slow. */
export const PACKS_MAX = 50;
/** The copy may grow by this much, or to twice its size, before it is made small again. */
export const GROWTH_BYTES_MAX = 64 * 1024 * 1024;

/** An unfinished pack that old belongs to nobody any more. */
const STALE_MS = 60 * 60 * 1000;

/** Ids of all objects that a copy can hold. */
const OUTPUT_BYTES_MAX = 256 * 1024 * 1024;

/** Whether it is time. */
export function isCompactionDue(platform: Platform, cache: GitCache): boolean {
  const packs = packFiles(platform, cache).filter((name) => name.endsWith(".pack"));
  if (packs.length > PACKS_MAX) return true;
  const { keptBytes } = cache.state;
  return sizeOf(platform, cache, packs) > Math.max(keptBytes + GROWTH_BYTES_MAX, 2 * keptBytes);
}

/**
 * Puts everything that is still of use into one pack and removes the others. Those that appear
 * meanwhile stay. Throws `BrokenCache` when something is missing.
 */
export async function compact(
  platform: Platform,
  cache: GitCache,
  runner: GitRunner,
  index: ObjectIndex,
  signal?: AbortSignal,
): Promise<void> {
  const { fs, random } = platform;
  const before = packFiles(platform, cache);
  const { needed, small } = index.kept(FETCHED_BYTES_MAX);
  const options = { signal, outputBytesMax: OUTPUT_BYTES_MAX };
  const check = await runner.local(cache.gitDir, ["cat-file", "--batch-check", "--buffer"], {
    ...options,
    stdin: utf8(small.map((oid) => `${oid}\n`).join("")),
  });
  const present = [...fromUtf8(check).matchAll(/^([0-9a-f]+) blob /gm)].map((match) => match[1]!);
  const packs = join(cache.gitDir, "objects", "pack");
  // What the commits descend from is not kept: to Git they are where history begins.
  const shallow = join(cache.gitDir, "shallow");
  writeFileUnflushed(fs, random, shallow, utf8(index.tips().map((tip) => `${tip}\n`).join("")));
  const args = ["pack-objects", "--quiet", "--delta-base-offset", join(packs, "pack")];
  const stdin = utf8([...needed, ...present].map((oid) => `${oid}\n`).join(""));
  const hash = fromUtf8(await runner.local(cache.gitDir, args, { ...options, stdin })).trim();
  // Tells Git that what is missing below these objects is missing on purpose.
  writeFileUnflushed(fs, random, join(packs, `pack-${hash}.promisor`), new Uint8Array(0));
  for (const name of before) {
    if (!name.startsWith(`pack-${hash}.`)) fs.removeFile(join(packs, name));
  }
  const left = packFiles(platform, cache).filter((name) => name.endsWith(".pack"));
  cache.remember({ keptBytes: sizeOf(platform, cache, left) });
}

/** Packs with what belongs to them, and what a process that was killed has left. */
function packFiles({ fs, clock }: Pick<Platform, "fs" | "clock">, cache: GitCache): string[] {
  const folder = join(cache.gitDir, "objects", "pack");
  return (fs.readDir(folder) ?? []).map(({ name }) => name).filter((name) => {
    if (!name.startsWith("tmp_")) return name.startsWith("pack-");
    const mtimeMs = fs.lstat(join(folder, name))?.mtimeMs ?? Infinity;
    return clock.nowMs() - mtimeMs > STALE_MS;
  });
}

function sizeOf({ fs }: Pick<Platform, "fs">, cache: GitCache, names: readonly string[]): number {
  const folder = join(cache.gitDir, "objects", "pack");
  return names.reduce((sum, name) => sum + (fs.lstat(join(folder, name))?.sizeBytes ?? 0), 0);
}
