/** `hook …` when it comes through the full command line, and the hooks' background half. */
import { join } from "node:path";
import { ClaudeSyncError } from "../../errors.ts";
import type { SyncContext, SyncService } from "../../sync/api.ts";
import type { InvocationOf } from "../command_line.ts";
import {
  HOOK_INPUT_BYTES_MAX,
  markPath,
  marksDir,
  parseHookEvent,
  recordHookError,
  runHook,
} from "../hook.ts";
import { isDisabled } from "../home_folder.ts";
import type { World } from "../world.ts";

/** Marks of workers that were killed are swept after this time. */
const MARK_AGE_MAX_MS = 10 * 60 * 1000;

/** Runs a hook. `main.ts` has a faster way for the usual form of the command. */
export async function hook(
  world: World,
  invocation: InvocationOf<"hook session-start" | "hook session-end" | "hook stop">,
): Promise<void> {
  const event = parseHookEvent(invocation.command.slice("hook ".length));
  if (event === null) throw new ClaudeSyncError("bug", "A hook's command names no event");
  const { streams, platform, self, envNames, signal } = world;
  const isTyped = await streams.isTerminal("stdin");
  const input = isTyped ? null : await streams.readInput(HOOK_INPUT_BYTES_MAX, signal);
  await runHook(event, invocation.profile ?? null, {
    platform,
    self,
    envNames,
    readInput: () => input,
    out: streams.out,
  });
}

/** Does a hook's work; never throws. */
export async function hookWorker(
  world: World,
  loadService: () => Promise<SyncService>,
  context: SyncContext,
  invocation: InvocationOf<"hook worker">,
): Promise<void> {
  const { fs, host, clock } = world.platform;
  const { home } = context;
  try {
    if (isDisabled(host) || fs.lstat(join(home, "config.json")) === null) return;
    const service = await loadService();
    await service.hookWorker({ ...context, onProgress: () => {} }, invocation.kind);
  } catch (error) {
    recordHookError(world.platform, home, `worker ${invocation.kind}`, error);
  } finally {
    try {
      removeMarks(fs, home, invocation.mark ?? null, clock.nowMs());
    } catch (error) {
      recordHookError(world.platform, home, `worker ${invocation.kind}`, error);
    }
  }
}

function removeMarks(
  fs: World["platform"]["fs"],
  home: string,
  own: string | null,
  nowMs: number,
): void {
  if (own !== null && /^[0-9a-f]{16}$/.test(own)) fs.removeFile(markPath(home, own));
  for (const { name } of fs.readDir(marksDir(home)) ?? []) {
    const stat = fs.lstat(markPath(home, name));
    if (stat !== null && nowMs - stat.mtimeMs > MARK_AGE_MAX_MS) {
      fs.removeFile(markPath(home, name));
    }
  }
}
