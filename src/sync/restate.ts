/** Replaces one log by new entries of this machine's: a checkpoint of its own, or a retirement. */
import { ClaudeSyncError } from "../errors.ts";
import type { CheckpointOp, Enrolment, RetireOp } from "../vault/entry_body.ts";
import { COVERED_MAX } from "../vault/format.ts";
import { PACKS_PREFIX } from "../vault/names.ts";
import { requireSame } from "./compact_check.ts";
import { listAll } from "./compact_delete.ts";
import { packsToKeep } from "./compact_plan.ts";
import { frameOf, Restatement } from "./compact_write.ts";
import { EntryParts } from "./entry_parts.ts";
import type { Restated } from "./gc_api.ts";
import { LogContent } from "./log_content.ts";
import { entriesOf, type ReadLog, readLogContent } from "./log_entries.ts";
import { planBasis } from "./push_batch.ts";
import type { Sender } from "./push_send.ts";
import type { Seen } from "./fresh_vault.ts";
import type { MachineRow } from "./segment_index.ts";
import { openStateDb } from "./state_db.ts";
import { thresholdsOf } from "./thresholds.ts";
import type { OpenVault } from "./vault_access.ts";

/** A log and how it is to be replaced. */
export interface RestateRequest {
  readonly row: MachineRow;
  /** All logs as the last look showed them. */
  readonly logs: Seen["logs"];
  /** Whether it is this machine's own, which gets a checkpoint; else it is retired. */
  readonly isOwn: boolean;
  readonly dryRun: boolean;
}

/**
 * Says everything again, reads it back, and only when that is the same puts the op that makes the
 * old entries needless. Null when the log is too short to be worth it. Errors: `bug` when anything
 * would differ (the vault is as it was), `damaged`, `incomplete`, `too-large`, the store's own.
 */
export async function restate(
  vault: OpenVault,
  sender: Sender,
  request: RestateRequest,
): Promise<Restated | null> {
  const { row, logs, isOwn, dryRun } = request;
  const { compactAtLeastEntries, keptPackBytesMin } = thresholdsOf(vault.context);
  if (row.seq > COVERED_MAX) {
    throw new ClaudeSyncError("too-large", `The log of "${row.name}" has over a million entries`, {
      hint: "It cannot be compacted any more; everything else goes on as before",
    });
  }
  const scratch = openStateDb(vault.context.platform.fs, ":memory:", "reader");
  try {
    const content = new LogContent(scratch);
    vault.context.onProgress({ kind: "phase", phase: "reading" });
    const read = await readLogContent(vault, row, logs.get(row.tag) ?? [], content);
    const enrol = isOwn ? null : read.enrol ?? await enrolmentOf(vault, request);
    const keptOf = (session: string, file: string) => vault.forgotten.kept(session, file);
    const isShorter = content.drop(keptOf);
    content.dropTitles(keptOf);
    content.dropClaims((session) => vault.index.files(session).length > 0);
    const isShort = read.newest.seq - read.checkpointSeq < compactAtLeastEntries;
    if (isOwn && isShort && !isShorter) return null;
    const kept = packsToKeep(content.packs(), keptPackBytesMin);
    content.keep(kept);
    const facts = {
      machine: { id: row.id, name: row.name },
      entries: read.entries,
      keptPacks: kept.length,
    };
    if (dryRun) return { ...facts, written: null };
    // Whoever was given up itself begins anew first: all entries go to one log.
    if (!isOwn) await sender.frame();
    const restatement = new Restatement(vault, sender, content, { enrols: isOwn });
    vault.context.onProgress({ kind: "phase", phase: "sending" });
    await restatement.write();
    const { entries } = restatement;
    vault.context.onProgress({ kind: "phase", phase: "checking" });
    const packs = await listAll(vault, PACKS_PREFIX);
    await requireSame(vault, ownRow(vault, sender), scratch, content, entries, packs);
    await putMarker(vault, sender, markerOf(row, read, enrol));
    const bytes = entries.reduce((sum, entry) => sum + entry.sizeBytes + entry.packBytes, 0);
    const packCount = entries.reduce((sum, entry) => sum + entry.packs, 0);
    return { ...facts, written: { entries: entries.length + 1, packs: packCount, bytes } };
  } finally {
    scratch.close();
  }
}

/** This machine's row. */
export function ownRow(vault: OpenVault, { tag }: Sender): MachineRow {
  const row = vault.index.machines().find((one) => one.tag === tag);
  if (row !== undefined) return row;
  throw new ClaudeSyncError("bug", "This machine has no log though it has just written to it");
}

/** Who a machine was, from the log that took its first entries over; `incomplete` without one. */
async function enrolmentOf(
  vault: OpenVault,
  { row, logs }: RestateRequest,
): Promise<Enrolment> {
  for (const other of vault.index.machines()) {
    const log = logs.get(other.tag)?.filter(({ seq }) => seq >= other.base) ?? [];
    for await (const { body } of entriesOf(vault, other, log)) {
      for (const op of body.ops) if (op.op === "retire" && op.tag === row.tag) return op;
    }
  }
  throw new ClaudeSyncError("incomplete", `The beginning of the log of "${row.name}" is missing`);
}

/** The op that makes the log's entries up to `newest` needless. */
function markerOf(
  { id: machine, tag }: MachineRow,
  { covered, newest }: ReadLog,
  enrolment: Enrolment | null,
): CheckpointOp | RetireOp {
  if (enrolment === null) return { op: "checkpoint", from: newest.seq + 1, covered };
  const { sign, kem, name, os } = enrolment;
  return { op: "retire", machine, tag, ...newest, sign, kem, name, os, covered };
}

async function putMarker(
  vault: OpenVault,
  sender: Sender,
  op: CheckpointOp | RetireOp,
): Promise<void> {
  const frame = await frameOf(sender, sender.tag);
  const base = op.op === "checkpoint" ? op.from : frame.base;
  const parts = new EntryParts(vault, sender.outbox);
  const basis = planBasis(vault.config);
  const ops = frame.previous === null ? [frame.enrol, op] : [op];
  await sender.deliver(await parts.finish({ ...frame, base }, ops, basis));
}
