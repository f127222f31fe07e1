/** Which sessions are open in a client right now. */
import * as z from "zod/mini";
import type { FileSystem, Host } from "../platform/types.ts";
import type { ClaudeRoot } from "./claude_root.ts";
import { ifReadable, readIfAny } from "./foreign_file.ts";
import { parseJsonObject } from "./json_object.ts";
import { pathRules } from "./local_path.ts";
import { parseSessionId } from "./session_id.ts";
import type { SessionId } from "./session_id.ts";

/** A transcript of an old client that changed less long ago than this counts as live. */
export const LIVE_QUIET_MS = 2 * 60_000;
/** Most registry entries that are read. */
export const LIVE_REGISTRY_MAX = 10_000;
const REGISTRY_BYTES_MAX = 256 * 1024;
const REGISTRY_READS_MAX = 5;

const registryEntry = z.object({
  sessionId: z.string(),
  pid: z.optional(z.int()),
  procStart: z.optional(z.union([z.string(), z.number()])),
});

/**
 * The sessions that clients of 2.1 and later have registered in `sessions/<pid>.json` and whose
 * process still lives. A start time that differs means that the number now belongs to another
 * process. A half-written entry counts by the id it shows. Older clients register nothing.
 */
export function liveSessions(
  fs: FileSystem,
  host: Host,
  root: ClaudeRoot,
): ReadonlySet<SessionId> {
  const { join } = pathRules(root.os);
  const dir = join(root.configDir, "sessions");
  const live = new Set<SessionId>();
  for (const entry of (ifReadable(() => fs.readDir(dir)) ?? []).slice(0, LIVE_REGISTRY_MAX)) {
    if (entry.kind !== "file" || !/^[1-9][0-9]{0,9}\.json$/.test(entry.name)) continue;
    const id = registeredId(fs, host, join(dir, entry.name), parseInt(entry.name, 10));
    if (id !== null) live.add(id);
  }
  return live;
}

function registeredId(fs: FileSystem, host: Host, path: string, pid: number): SessionId | null {
  let id: SessionId | null = null;
  // The client empties the file before it writes it anew; a moment later it is whole again.
  for (let reads = 0; reads < REGISTRY_READS_MAX && id === null; reads++) {
    const bytes = readIfAny(fs, path, REGISTRY_BYTES_MAX);
    if (bytes === null) return null;
    const parsed = registryEntry.safeParse(parseJsonObject(bytes));
    if (parsed.success) return livingId(host, pid, parsed.data);
    if (!host.process(pid).alive) return null;
    id = idInFragment(bytes);
  }
  return id;
}

function livingId(
  host: Host,
  pid: number,
  { sessionId, procStart, ...entry }: z.infer<typeof registryEntry>,
): SessionId | null {
  const { alive, startTicks } = host.process(entry.pid ?? pid);
  if (!alive) return null;
  const isSameProcess = startTicks === null || procStart === undefined ||
    String(procStart) === startTicks;
  return isSameProcess ? parseSessionId(sessionId) : null;
}

function idInFragment(bytes: Uint8Array): SessionId | null {
  const text = new TextDecoder().decode(bytes);
  return parseSessionId(/"sessionId"\s*:\s*"([^"]*)"/.exec(text)?.[1] ?? "");
}

/** What the rule for unregistered sessions looks at. */
export interface LiveSigns {
  readonly mtimeMs: number;
  /** `version` of the transcript's last record that has one; null when unknown. */
  readonly lastVersion: string | null;
  readonly nowMs: number;
}

/**
 * Whether a session that is not in the registry may still be open, judged by its transcript's age.
 * Clients from 2.1 on register, so theirs never look live here.
 */
export function looksLive(signs: LiveSigns): boolean {
  if (signs.lastVersion !== null && hasRegistry(signs.lastVersion)) return false;
  return Math.abs(signs.nowMs - signs.mtimeMs) < LIVE_QUIET_MS;
}

function hasRegistry(version: string): boolean {
  const match = /^(\d{1,6})\.(\d{1,6})\./.exec(version);
  if (match === null) return false;
  const [major, minor] = [Number(match[1]), Number(match[2])];
  return major > 2 || (major === 2 && minor >= 1);
}
