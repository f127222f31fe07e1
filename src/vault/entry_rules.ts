/** What must hold between the fields of an entry's body (FORMAT.md section 7). Pure. */
import { fromHex } from "../base/bytes.ts";
import { ENVELOPE_OVERHEAD_BYTES } from "../crypto/frame.ts";
import { EMPTY_SHA256_HEX } from "../crypto/hash.ts";
import { machineIdOf } from "../crypto/machine_identity.ts";
import type { AddOp, EnrolOp, EntryBody, Group, Segment } from "./entry_body.ts";
import { ENTRY_SEGMENTS_MAX, MACHINES_MAX } from "./format.ts";
import { generationName } from "./generation.ts";

/** `prev` of a machine's first entry. */
export const NO_PREVIOUS_ENTRY = "0".repeat(64);

/** Whether a body of the right shape also keeps every rule that concerns this entry alone. */
export function keepsEntryRules(body: EntryBody): boolean {
  return keepsChainRules(body) && keepsOpRules(body) && keepsSizeRules(body);
}

function keepsChainRules(body: EntryBody): boolean {
  if ((body.seq === 1) !== (body.prev === NO_PREVIOUS_ENTRY)) return false;
  // A machine that vouched for its own log could vouch for entries that it has not written yet.
  return !Object.hasOwn(body.heads, body.machine);
}

/** Enrolment is the first op of entry 1 and stands nowhere else. */
function keepsOpRules(body: EntryBody): boolean {
  for (const [index, op] of body.ops.entries()) {
    const isFirst = body.seq === 1 && index === 0;
    if ((op.op === "enrol") !== isFirst) return false;
    if (op.op === "enrol" ? !isEnrolmentOf(op, body.machine) : !keepsAddRules(op, body)) {
      return false;
    }
  }
  return body.seq !== 1 || body.ops.length > 0;
}

function isEnrolmentOf(op: EnrolOp, machine: string): boolean {
  const sign = fromHex(op.sign);
  const kem = fromHex(op.kem);
  return sign !== null && kem !== null && machineIdOf(sign, kem) === machine;
}

function keepsAddRules(op: AddOp, body: EntryBody): boolean {
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
