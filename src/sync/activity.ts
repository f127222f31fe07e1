/** What each log entry of the vault brought, in numbers: for `log`, which asks no store. */
import type { DatabaseSync } from "node:sqlite";
import { shelfArea } from "../sessions/shelf.ts";
import type { AddOp, EntryBody, Op } from "../vault/entry_body.ts";
import type { VerifiedEntry } from "../vault/log_reader.ts";
import type { VaultActivity } from "./history_api.ts";
import type { Statements } from "./state_db.ts";

/** What an op is the sign of, the most telling first: an entry is told by the first that it has. */
const SIGNS: readonly (readonly [Op["op"], VaultActivity["command"]])[] = [
  // First, for beside these stand wishes that are only said again.
  ["checkpoint", "gc"],
  ["retire", "gc"],
  ["forget", "forget"],
  ["recall", "restore"],
  ["add", "push"],
  ["enrol", "init"],
];

/** Takes what a verified entry says of itself into the index. */
export function noteActivity(statements: Statements, entry: VerifiedEntry): void {
  const { body } = entry;
  const command = commandOf(body);
  if (command === null) return;
  const added = body.ops.filter(isNews);
  const sessions = new Set(added.filter(isOfSession).map(({ session }) => session)).size;
  const plain = added.flatMap(({ groups }) => groups).reduce((sum, { raw }) => sum + raw, 0);
  const stored = body.packs.reduce((sum, { size }) => sum + size, entry.sizeBytes);
  const brought = command === "gc" ? [0, 0, 0] : [sessions, plain, stored];
  statements.prepare("INSERT OR REPLACE INTO activity VALUES (?, ?, ?, ?, ?, ?, ?, ?)")
    .run(body.machine, body.seq, entry.hash, body.time, command, ...brought);
}

/** Null for an entry that only says again what others said: its `checkpoint` or `retire` tells. */
function commandOf({ seq, ops }: EntryBody): VaultActivity["command"] | null {
  const says = new Set(ops.map(({ op }) => op));
  const [, command] = SIGNS.find(([op]) => says.has(op)) ?? [];
  if (command === undefined || command === "gc") return command ?? null;
  if (seq === 1) return ops.some(isSaidAgain) ? "init" : command;
  return says.has("enrol") || ops.some(isSaidAgain) ? null : command;
}

function isSaidAgain(op: Op): boolean {
  return op.op === "add" && (op.by !== undefined || op.time !== undefined);
}

/** What is said again for another machine was news when that one said it. */
function isNews(op: Op): op is AddOp {
  return op.op === "add" && op.by === undefined;
}

/** Plans and memories are no sessions, as in all other counts. */
function isOfSession({ groups }: AddOp): boolean {
  return groups.some(({ segments }) => segments.some(({ file }) => shelfArea(file) === null));
}

/** What all machines but those of the log `ownTag` did, newest first by their clocks. */
export function othersActivity(database: DatabaseSync, ownTag: string | null): VaultActivity[] {
  const rows = database.prepare(
    `SELECT a.machine AS machineId, m.name AS machine, a.command, a.time AS atMs, a.seq,
            a.sessions, a.plain, a.stored
     FROM activity a JOIN machine m ON m.id = a.machine
     WHERE m.tag <> ? ORDER BY a.time DESC, a.machine, a.seq DESC`,
  ).all(ownTag ?? "") as unknown as (Omit<VaultActivity, "bytes"> & {
    plain: number;
    stored: number;
  })[];
  return rows.map(({ plain, stored, ...row }) => ({ ...row, bytes: { plain, stored } }));
}
