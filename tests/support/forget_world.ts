/** What tests of forgetting do and look at. */
import { appendFileSync, readFileSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { ForgetRequest, ForgetResult } from "../../src/sync/forget_api.ts";
import { withFreshVault } from "../../src/sync/fresh_vault.ts";
import { recallSessions } from "../../src/sync/recall.ts";
import { syncService } from "../../src/sync/service.ts";
import { said, type SyncMachine } from "./sync_machine.ts";

/** An hour, in ms. */
export const HOUR_MS = 3_600_000;

/** Forgets; `sessions` are ids. */
export function forget(
  machine: SyncMachine,
  sessions: readonly string[],
  request: Partial<ForgetRequest> = {},
): Promise<ForgetResult> {
  const all = { queries: sessions, project: null, beforeMs: null, only: null, dryRun: false };
  return syncService.forget(machine.context(), { ...all, ...request });
}

/** Takes it back. */
export function recall(
  machine: SyncMachine,
  sessions: readonly string[],
): Promise<readonly string[]> {
  return withFreshVault(machine.context(), "required", (run) => recallSessions(run, sessions));
}

/** Ids of the sessions that `list` shows as being in the vault, and how. */
export async function listed(machine: SyncMachine): Promise<Record<string, string>> {
  const rows = await syncService.list(machine.context());
  return Object.fromEntries(
    rows.map(({ id, where, forgotten }) => [id, forgotten ? `${where}, forgotten` : where]),
  );
}

/** Appends a turn to the session's transcript, which looks quiet afterwards. */
export function speak(machine: SyncMachine, session: string, text: string): void {
  const atMs = machine.platform.clock.nowMs() - HOUR_MS;
  const facts = { session, cwd: machine.project, atMs };
  const line = said("user", text, facts) + said("assistant", `echo ${text}`, facts);
  const path = machine.transcriptPath(session);
  try {
    readFileSync(path);
  } catch {
    machine.writeTranscript(session, "");
  }
  appendFileSync(path, line);
  utimesSync(path, atMs / 1000, atMs / 1000);
}

/** Adds a prompt to the machine's history. */
export function type(machine: SyncMachine, session: string, display: string): void {
  const timestamp = machine.platform.clock.nowMs();
  const line = JSON.stringify({ display, timestamp, project: "/p", sessionId: session }) + "\n";
  const path = join(machine.configDir, "history.jsonl");
  writeFileSync(path, line, { flag: "a" });
}

/** Deletes all that the machine knows of the vault and its files. */
export function dropState(machine: SyncMachine): void {
  for (const suffix of ["", "-wal", "-shm"]) {
    rmSync(join(machine.home, ".claude-sync", `state.db${suffix}`), { force: true });
  }
}

/**
 * Leaves out what a compaction may leave out by now, as reading its checkpoint would: of this
 * machine's index only. Gives the number of segments that went.
 */
export function compactIndex(machine: SyncMachine, sessions: readonly string[]): Promise<number> {
  return withFreshVault(machine.context(), "left", ({ vault }) => {
    let gone = 0;
    for (const session of sessions) {
      const rows = vault.database.prepare("SELECT file, gen, hash FROM segment WHERE session = ?")
        .all(session) as { file: string; gen: string; hash: string }[];
      for (const { file, gen, hash } of rows) {
        const kept = vault.forgotten.kept(session, file);
        if (kept === null || kept.has(`${gen}/${hash}`)) continue;
        vault.database.prepare(
          "DELETE FROM segment WHERE session = ? AND file = ? AND gen = ? AND hash = ?",
        ).run(session, file, gen, hash);
        vault.database.prepare("DELETE FROM generation WHERE session = ? AND file = ? AND gen = ?")
          .run(session, file, gen);
        vault.database.prepare(
          "DELETE FROM forgotten_leaf WHERE session = ? AND file = ? AND gen = ? AND hash = ?",
        ).run(session, file, gen, hash);
        gone++;
      }
    }
    return Promise.resolve(gone);
  });
}
