/** Reads one log's entries again, as they stand in the store. */
import { fromHex } from "../base/bytes.ts";
import { mapConcurrently } from "../base/pool.ts";
import { ClaudeSyncError } from "../errors.ts";
import type { EnrolOp } from "../vault/entry_body.ts";
import type { ListedEntry } from "../vault/log_plan.ts";
import { lanesOf, readEntry, type VerifiedEntry } from "../vault/log_reader.ts";
import type { LogContent } from "./log_content.ts";
import type { MachineRow } from "./segment_index.ts";
import type { OpenVault } from "./vault_access.ts";

/** Inline bytes kept for when they are regrouped, so that no entry is fetched twice for them. */
const INLINE_KEPT_BYTES_MAX = 32 * 1024 * 1024;

/**
 * Gives verified entries of `row`'s log in the order of `listed`, without keeping them. Errors:
 * `damaged`, `incomplete`, the store's own.
 */
export async function* entriesOf(
  vault: OpenVault,
  row: Pick<MachineRow, "id" | "sign">,
  listed: readonly ListedEntry[],
): AsyncGenerator<VerifiedEntry & { readonly inline: Uint8Array<ArrayBuffer> }> {
  const lanes = lanesOf(vault.opener);
  const signPublic = fromHex(row.sign);
  for (let at = 0; at < listed.length; at += lanes) {
    vault.context.signal.throwIfAborted();
    const batch = listed.slice(at, at + lanes);
    const read = await mapConcurrently(
      batch,
      lanes,
      (entry) => readEntry(vault.opener, entry, signPublic),
    );
    for (const [index, entry] of read.entries()) {
      const objectName = batch[index]!.name;
      if (entry.body.machine !== row.id) throw strange(objectName);
      yield { ...entry, objectName };
    }
  }
}

/** What was read of a log. */
export interface ReadLog {
  /** For every number up to the newest the first digits of its hash; see `RetireOp.covered`. */
  readonly covered: readonly string[];
  readonly newest: { readonly seq: number; readonly hash: string };
  readonly entries: number;
  /** Number of the entry that ended its newest checkpoint; 0 without one. */
  readonly checkpointSeq: number;
  /** Who the machine said it is; null when no entry that was read says so. */
  readonly enrol: EnrolOp | null;
}

/**
 * Takes everything that `row`'s log says from its base on into `content`. `listed`: the log as a
 * refresh has seen it. Errors: as `entriesOf`.
 */
export async function readLogContent(
  vault: OpenVault,
  row: MachineRow,
  listed: readonly ListedEntry[],
  content: LogContent,
): Promise<ReadLog> {
  const needed = listed.filter(({ seq }) => seq >= row.base);
  let budget = INLINE_KEPT_BYTES_MAX;
  let enrol: EnrolOp | null = null;
  let checkpointSeq = 0;
  let previous: string[] = [];
  let current: { seq: number; hashes: string[] } = { seq: row.base - 1, hashes: [] };
  for await (const { objectName, body, hash, sizeBytes, inline } of entriesOf(vault, row, needed)) {
    if (body.seq !== current.seq) {
      if (body.seq !== current.seq + 1) throw gap(row, current.seq + 1);
      [previous, current] = [current.hashes, { seq: body.seq, hashes: [] }];
    }
    current.hashes.push(hash);
    if (previous.length > 0 && !previous.includes(body.prev)) throw strange(objectName);
    content.add(body, objectName, sizeBytes);
    for (const op of body.ops) {
      if (op.op === "enrol") enrol = op;
      if (op.op === "checkpoint") checkpointSeq = body.seq;
    }
    if (inline.length === 0 || inline.length > budget) continue;
    budget -= inline.length;
    vault.reader.preload(objectName, inline.slice());
  }
  const newest = { seq: row.seq, hash: row.hash };
  const isWhole = needed.length === 0
    ? row.base === row.seq + 1
    : current.seq === row.seq && current.hashes.includes(row.hash);
  if (!isWhole) throw gap(row, row.seq);
  return { covered: coveredOf(vault, row), newest, entries: needed.length, checkpointSeq, enrol };
}

function coveredOf(vault: OpenVault, row: MachineRow): string[] {
  return Array.from({ length: row.seq }, (_, index) => {
    const hashes = vault.index.hashesAt(row.id, index + 1).map((hash) => hash.slice(0, 8));
    if (hashes.length === 0) throw gap(row, index + 1);
    return [...new Set(hashes)].sort().join("");
  });
}

function strange(objectName: string): ClaudeSyncError {
  return new ClaudeSyncError("damaged", "An entry does not continue its log", { objectName });
}

function gap({ name }: MachineRow, seq: number): ClaudeSyncError {
  return new ClaudeSyncError("incomplete", `Entry ${seq} of the log of "${name}" is missing`);
}
