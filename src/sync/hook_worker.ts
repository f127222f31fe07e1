/**
 * The background half of the hooks. It is nobody's child any more: whatever happens is written
 * down, never thrown.
 */
import { join } from "node:path";
import { toHex } from "../base/bytes.ts";
import { isClaudeSyncError } from "../errors.ts";
import { claudeRoot } from "../sessions/claude_root.ts";
import { discoverSessions } from "../sessions/discover.ts";
import { parseSessionId } from "../sessions/session_id.ts";
import type { SyncContext } from "./api.ts";
import { isGcDue } from "./compact_due.ts";
import { runGc } from "./gc.ts";
import { homePaths, readMachineFile } from "./home.ts";
import { runPush, runSync } from "./run.ts";
import { leaveNotice, withdrawNotice } from "./run_log.ts";
import { withLocalState } from "./vault_access.ts";

/**
 * The client writes within about 100 ms of its hook; a file that did not change for this long is
 * complete.
 */
const QUIET_MS = 300;
/** A session that goes on being written is pushed as it is after this. */
const QUIET_WAIT_MS_MAX = 5_000;

/** See `SyncService.hookWorker`. */
export async function runHookWorker(context: SyncContext, kind: "push" | "sync"): Promise<void> {
  try {
    const queued = queuedSessions(context);
    await waitUntilQuiet(context, queued.map(({ session }) => session));
    const request = { sessions: [], all: false, dryRun: false };
    const { push, pull } = kind === "push"
      ? { push: await runPush(context, request, "hook"), pull: null }
      : await runSync(context, request, "hook");
    if (push.failures.length === 0) forget(context, queued);
    const untidied = await tidy(context);
    const unread = new Set(pull?.failures.map(({ sessionId, path }) => sessionId ?? path)).size;
    if (push.failures.length > 0) {
      const sessions = new Set(push.failures.flatMap(({ sessionId }) => sessionId ?? [])).size;
      const what = sessions === 0
        ? push.failures[0]!.message
        : `${sessions} of ${push.sessions} sessions not saved`;
      leaveNotice(context, saying(what));
    } else if (unread > 0) {
      leaveNotice(
        context,
        saying(`${unread} ${unread === 1 ? "session" : "sessions"} not received`),
      );
    } else if (untidied !== null) {
      leaveNotice(context, untidied);
    } else {
      withdrawNotice(context);
    }
  } catch (error) {
    notice(context, error);
  }
}

/**
 * Compacts and deletes what is due by itself. What was pushed is safe in any case, so a failure is
 * only told: gives the words for it, or null.
 */
async function tidy(context: SyncContext): Promise<string | null> {
  try {
    if (!await isTidyingDue(context)) return null;
    await runGc(context, { dryRun: false, machine: null, approve: null, isAutomatic: true });
    return null;
  } catch (error) {
    if (isClaudeSyncError(error, "busy", "interrupted", "store-unreachable")) return null;
    const message = isClaudeSyncError(error) ? error.message : "unexpected failure";
    return `claude-sync saved everything but could not tidy the vault: ${message}. ` +
      "See: claude-sync gc";
  }
}

async function isTidyingDue(context: SyncContext): Promise<boolean> {
  const tag = readMachineFile(context.platform, homePaths(context.home))?.tag;
  if (tag === undefined) return false;
  return await withLocalState(
    context,
    "reader",
    (local) => Promise.resolve(isGcDue(local, tag)),
  );
}

function notice(context: SyncContext, error: unknown): void {
  // Another run at work will do it: not worth a word.
  if (isClaudeSyncError(error, "busy", "interrupted")) return;
  try {
    leaveNotice(context, noticeText(error));
  } catch (cause) {
    // With the disk full or read-only there is no place left to say it; `runs.json` has the failure
    // if it could.
    if (!isClaudeSyncError(cause)) throw cause;
  }
}

/** Credentials run out and networks go away: that has its own words, as nothing is wrong here. */
function noticeText(error: unknown): string {
  if (isClaudeSyncError(error, "store-unreachable")) {
    return `claude-sync is offline: ${error.message}. ` +
      "What is new waits here and goes out by itself";
  }
  if (isClaudeSyncError(error, "store-refused")) {
    const fix = error.hint ?? "See: claude-sync store test";
    return `claude-sync could not sync: ${error.message}. ${fix}. ` +
      "What is new waits here and goes out afterwards";
  }
  return saying(isClaudeSyncError(error) ? error.message : "unexpected failure");
}

function saying(what: string): string {
  return `claude-sync could not sync: ${what}. See: claude-sync status`;
}

/** Largest note that is read; the hooks' are under 200 bytes. */
const NOTE_BYTES_MAX = 4096;

interface Queued {
  readonly path: string;
  readonly session: string;
  /** What the note said; another text is another note. */
  readonly text: string;
}

/** Notes that the hooks left (`cli` writes them): one file per session, named by its id. */
function queuedSessions(context: SyncContext): Queued[] {
  const { queue } = homePaths(context.home);
  const queued: Queued[] = [];
  for (const { name, kind } of context.platform.fs.readDir(queue) ?? []) {
    const session = parseSessionId(name.replace(/\.json$/, ""));
    if (kind !== "file" || session === null) continue;
    const path = join(queue, name);
    queued.push({ path, session, text: noteText(context, path) });
  }
  return queued;
}

function forget(context: SyncContext, queued: readonly Queued[]): void {
  for (const { path, text } of queued) {
    // A turn that ended meanwhile has left a new note, which is another worker's task.
    if (noteText(context, path) === text) context.platform.fs.removeFile(path);
  }
}

function noteText({ platform }: SyncContext, path: string): string {
  return toHex(platform.fs.readFile(path, NOTE_BYTES_MAX) ?? new Uint8Array(0));
}

async function waitUntilQuiet(context: SyncContext, sessions: readonly string[]): Promise<void> {
  if (sessions.length === 0) return;
  const { fs, host, clock } = context.platform;
  const root = claudeRoot(host);
  const sizes = () =>
    discoverSessions(fs, root).sessions
      .filter(({ id }) => sessions.includes(id))
      .flatMap(({ files }) => files.map(({ path, stat }) => `${path}:${stat.sizeBytes}`))
      .join("\n");
  const deadlineMs = clock.monotonicMs() + QUIET_WAIT_MS_MAX;
  let before = sizes();
  while (clock.monotonicMs() < deadlineMs) {
    await clock.sleep(QUIET_MS, context.signal);
    const now = sizes();
    if (now === before) return;
    before = now;
  }
}
