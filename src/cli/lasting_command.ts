import { delimiter, isAbsolute, join } from "node:path";
import type { Platform } from "../platform/types.ts";

/**
 * A command that survives updates: package managers put each version into a folder of its own and
 * link to it from one in PATH, so a link there that leads to us is better than our real path.
 */
export function lastingCommand(
  { fs, host }: Platform,
  self: readonly [string, ...string[]],
): readonly [string, ...string[]] {
  if (self.length > 1) return self;
  const name = host.os === "windows" ? "claude-sync.exe" : "claude-sync";
  const real = fs.realpath(self[0]);
  const folders = (host.env("PATH") ?? "").split(delimiter).filter((folder) => isAbsolute(folder));
  const link = folders.map((folder) => join(folder, name))
    .find((path) => real !== null && fs.realpath(path) === real);
  return [link ?? self[0]];
}
