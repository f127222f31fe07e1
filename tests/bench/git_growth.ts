/** Whether a repository stays as large as what is in it, and a push as fast as the first. */
import { execFileSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { GitWorld } from "../storage/git/git_world.ts";
import { itemsOf } from "../conformance/objects.ts";
import { listNames } from "../conformance/store_cases.ts";
import { bytesText, tableLines, timeText } from "./table.ts";
import type { BenchWorld } from "./world.ts";

const PUSHES = 1_000;
const OBJECT_BYTES = 10_000;
/** Issue: the repository after `gc` may have this many times the bytes of its objects. */
const GROWTH_TARGET = 1.3;

/** 1,000 small pushes into one local repository. */
export async function benchGitGrowth({ dir, print }: BenchWorld): Promise<void> {
  const world = new GitWorld(dir);
  const store = await world.open("a", { create: true });
  const pushMs: number[] = [];
  const listMs: number[] = [];
  for (let push = 0; push < PUSHES; push++) {
    const name = `log/0123456789abcdef/${String(push).padStart(12, "0")}.01234567`;
    const body = new Uint8Array(randomBytes(OBJECT_BYTES));
    const start = performance.now();
    await listNames(store, "log/");
    const listed = performance.now();
    await store.putAll(itemsOf([name, body]));
    listMs.push(listed - start);
    pushMs.push(performance.now() - listed);
  }
  const data = PUSHES * OBJECT_BYTES;
  const raw = folderBytes(world.repository);
  execFileSync("git", ["--git-dir", world.repository, "gc", "--quiet"]);
  const packed = folderBytes(world.repository);
  const first = pushMs.slice(0, 100);
  const last = pushMs.slice(-100);
  const rows = [
    ["push, median of the first 100", timeText(median(first))],
    ["push, median of the last 100", timeText(median(last))],
    ["list without news, median of the last 100", timeText(median(listMs.slice(-100)))],
    ["objects", bytesText(data)],
    ["repository before gc", bytesText(raw)],
    ["repository after gc", `${bytesText(packed)} (${(packed / data).toFixed(2)}x)`],
    ["target", `${GROWTH_TARGET}x`],
    ["this machine's copy", bytesText(folderBytes(world.cacheOf("a")))],
  ];
  for (const line of tableLines(["1,000 pushes to Git", ""], rows)) print(line);
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)]!;
}

function folderBytes(folder: string): number {
  let bytes = 0;
  for (const entry of readdirSync(folder, { recursive: true, encoding: "utf8" })) {
    const stat = statSync(join(folder, entry));
    if (stat.isFile()) bytes += stat.size;
  }
  return bytes;
}
