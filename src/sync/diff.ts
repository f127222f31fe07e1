/** What only this machine's file of a session has, what only the vault, and what branches say. */
import type { Bytes } from "../base/bytes.ts";
import { ClaudeSyncError } from "../errors.ts";
import { TRANSCRIPT } from "../sessions/file_name.ts";
import { diffRecords, saidOnlyIn } from "../sessions/record_diff.ts";
import { transcriptFacts } from "../sessions/transcript_facts.ts";
import type { SyncContext } from "./api.ts";
import { type Run, withFreshVault } from "./fresh_vault.ts";
import type { DiffBranch, DiffResult, DiffSide } from "./history_api.ts";
import { transcriptOf } from "./pull_place.ts";
import { type ChoiceFacts, choiceFacts, chooseNamed } from "./restore_choice.ts";
import type { SessionTarget } from "./targets.ts";
import { COMPARED_BYTES_MAX, readState } from "./vault_content.ts";
import { targetTranscript } from "./versions.ts";

/** See `SyncService.diff`. Changes nothing. Errors: `not-found`, `ambiguous`, `too-large`. */
export function diffSession(
  context: SyncContext,
  queries: readonly string[],
): Promise<DiffResult> {
  return withFreshVault(context, "left", (run) => diff(run, queries));
}

async function diff({ vault, meter }: Run, queries: readonly string[]): Promise<DiffResult> {
  const facts = await choiceFacts(vault);
  const { targets } = facts;
  const ids = [...await chooseNamed(facts, queries, facts.local.ids())];
  const [id] = ids;
  if (id === undefined || ids.length > 1) {
    throw new ClaudeSyncError("usage", "One session is compared at a time", {
      hint: "Give the beginning of one id; see: claude-sync list",
    });
  }
  const here = hereOf(facts, id);
  const target = targets.sessions.get(id);
  const stored = target === undefined ? null : await bytesOf(facts, target);
  const nothing: Bytes = new Uint8Array(0);
  const { onlyFirst, onlySecond, common } = diffRecords(
    here?.bytes ?? nothing,
    stored ?? nothing,
  );
  const { title } = transcriptFacts(here?.bytes ?? stored ?? nothing);
  const branches = await branchesOf(facts, id, stored);
  const { requests, ms } = meter.sinceLast();
  return {
    id,
    title,
    here: here === null ? null : sideOf(here.bytes, here.path),
    vault: stored === null ? null : sideOf(stored, null),
    isForgotten: stored === null && vault.forgotten.isSession(id),
    common,
    onlyHere: onlyFirst,
    onlyVault: onlySecond,
    branches,
    requests,
    ms,
  };
}

function sideOf(bytes: Bytes, path: string | null): DiffSide {
  return { path, sizeBytes: bytes.length, lastActivityMs: transcriptFacts(bytes).lastActivityMs };
}

function hereOf({ vault, local }: ChoiceFacts, id: string): { bytes: Bytes; path: string } | null {
  const copy = local.copies(id)[0];
  if (copy === undefined) return null;
  const { path } = transcriptOf(copy)!;
  const bytes = vault.context.platform.fs.readFile(path, COMPARED_BYTES_MAX);
  return bytes === null ? null : { bytes, path };
}

/** What a pull would write; null when it would write no transcript. */
async function bytesOf(
  { vault, targets }: ChoiceFacts,
  session: SessionTarget,
): Promise<Bytes | null> {
  const target = targetTranscript(session);
  if (target === null) return null;
  if (!target.isDerived) return await readState(vault, session.id, TRANSCRIPT, target);
  const bytes = new Uint8Array(target.len);
  let at = 0;
  await targets.branches.makeDerived(session.root, session.id, (piece) => {
    bytes.set(piece, at);
    at += piece.length;
  });
  return bytes;
}

/** The other sessions of its family, and what each says that this one does not. */
async function branchesOf(
  facts: ChoiceFacts,
  id: string,
  own: Bytes | null,
): Promise<DiffBranch[]> {
  const { sessions } = facts.targets;
  const root = sessions.get(id)?.root;
  const branches: DiffBranch[] = [];
  for (const session of sessions.values()) {
    if (own === null || session.root !== root || session.id === id) continue;
    const bytes = await bytesOf(facts, session);
    if (bytes === null) continue;
    const { title } = transcriptFacts(bytes);
    branches.push({ id: session.id, title, said: saidOnlyIn(bytes, own) });
  }
  return branches.sort((a, b) => (a.id < b.id ? -1 : 1));
}
