/** What must hold between the fields of an entry's body (FORMAT.md section 7). Pure. */
import { fromHex } from "../base/bytes.ts";
import { ENVELOPE_OVERHEAD_BYTES } from "../crypto/frame.ts";
import { EMPTY_SHA256_HEX } from "../crypto/hash.ts";
import { machineIdOf } from "../crypto/machine_identity.ts";
import type { AddOp, Enrolment, EntryBody, Group, Op, Segment } from "./entry_body.ts";
import { ENTRY_SEGMENTS_MAX, MACHINES_MAX } from "./format.ts";
import { generationName } from "./generation.ts";

/** `prev` of a machine's first entry. */
export const NO_PREVIOUS_ENTRY = "0".repeat(64);

/** Number of the first entry that a reader of the entry's log needs. */
export function baseOf({ base }: Pick<EntryBody, "base">): number {
  return base ?? 1;
}

/** Whether a body of the right shape also keeps every rule that concerns this entry alone. */
export function keepsEntryRules(body: EntryBody): boolean {
  return keepsChainRules(body) && keepsOpRules(body) && keepsSizeRules(body);
}

function keepsChainRules(body: EntryBody): boolean {
  if ((body.seq === 1) !== (body.prev === NO_PREVIOUS_ENTRY)) return false;
  if (baseOf(body) > body.seq) return false;
  // A machine that vouched for its own log could vouch for entries that it has not written yet.
  return !Object.hasOwn(body.heads, body.machine);
}

function keepsOpRules(body: EntryBody): boolean {
  const isEnrolling = body.ops[0]?.op === "enrol";
  // Whoever begins to read at this entry needs the key that it is verified with.
  if ((body.seq === 1 || body.seq === baseOf(body)) && !isEnrolling) return false;
  return body.ops.every((op, index) => keepsRulesOf(op, index, body));
}

function keepsRulesOf(op: Op, index: number, body: EntryBody): boolean {
  switch (op.op) {
    case "enrol":
      return index === 0 && isEnrolmentOf(op, body.machine);
    case "add":
      return keepsAddRules(op, body);
    case "checkpoint":
      return index === body.ops.length - 1 && op.from > 1 && op.from === baseOf(body) &&
        op.covered.length === op.from - 1 && op.covered.every(({ length }) => length === 8);
    case "retire":
      return op.machine !== body.machine && op.tag !== body.tag &&
        isEnrolmentOf(op, op.machine) && op.covered.length === op.seq &&
        isCovered(op.covered, op.seq, op.hash);
    case "forget":
    case "recall":
      return true;
  }
}

/** Whether `covered` has the entry `seq` with that hash, or its beginning. */
export function isCovered(covered: readonly string[], seq: number, hash: string): boolean {
  const hashes = covered[seq - 1] ?? "";
  for (let at = 0; at < hashes.length; at += 8) {
    if (hash.startsWith(hashes.slice(at, at + 8))) return true;
  }
  return false;
}

function isEnrolmentOf(enrolment: Enrolment, machine: string): boolean {
  const sign = fromHex(enrolment.sign);
  const kem = fromHex(enrolment.kem);
  return sign !== null && kem !== null && machineIdOf(sign, kem) === machine;
}

function keepsAddRules(op: AddOp, body: EntryBody): boolean {
  if (op.by === body.machine) return false;
  return op.gens.every(({ gen, from }) => gen === generationName(from)) &&
    op.groups.every((group) => keepsGroupRules(group, body));
}

function keepsGroupRules(group: Group, body: EntryBody): boolean {
  const end = group.at + group.stored;
  if (group.in === -1) {
    if (end > body.inline.size) return false;
  } else {
    const pack = body.packs[group.in];
    if (pack === undefined || end > pack.size - ENVELOPE_OVERHEAD_BYTES) return false;
  }
  if (group.comp === "none" && group.stored !== group.raw) return false;
  let raw = 0;
  for (const segment of group.segments) {
    if (!keepsSegmentRules(segment)) return false;
    raw += segment.len;
  }
  return raw === group.raw;
}

function keepsSegmentRules(segment: Segment): boolean {
  if (!Number.isSafeInteger(segment.off + segment.len)) return false;
  if ((segment.off === 0) !== (segment.parent === EMPTY_SHA256_HEX)) return false;
  if (segment.len === 0) return segment.off === 0 && segment.hash === EMPTY_SHA256_HEX;
  return segment.hash !== segment.parent && segment.hash !== EMPTY_SHA256_HEX;
}

function keepsSizeRules(body: EntryBody): boolean {
  if (Object.keys(body.heads).length >= MACHINES_MAX) return false;
  if (new Set(body.packs.map(({ name }) => name)).size !== body.packs.length) return false;
  let segments = 0;
  for (const op of body.ops) {
    if (op.op !== "add") continue;
    for (const group of op.groups) segments += group.segments.length;
  }
  return segments <= ENTRY_SEGMENTS_MAX;
}
