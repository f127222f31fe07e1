import type { Host } from "../platform/types.ts";
import { absolutePath, pathRules } from "./local_path.ts";

/** Where Claude Code keeps its files on this machine. Paths are absolute; nothing need exist. */
export interface ClaudeRoot {
  /** Whose path rules the paths follow. */
  readonly os: Host["os"];
  /** `CLAUDE_CONFIG_DIR`, else `~/.claude`. */
  readonly configDir: string;
  /** `.claude.json`: in the home folder, or inside `CLAUDE_CONFIG_DIR` when that is set. */
  readonly claudeJsonPath: string;
}

/**
 * Finds the root the way the client does. A relative `CLAUDE_CONFIG_DIR` hangs on the current
 * folder.
 */
export function claudeRoot(host: Host): ClaudeRoot {
  const { join } = pathRules(host.os);
  const chosen = host.env("CLAUDE_CONFIG_DIR");
  if (chosen === undefined) {
    return {
      os: host.os,
      configDir: join(host.home, ".claude"),
      claudeJsonPath: join(host.home, ".claude.json"),
    };
  }
  const configDir = absolutePath(host.os, host.cwd(), chosen);
  return { os: host.os, configDir, claudeJsonPath: join(configDir, ".claude.json") };
}
