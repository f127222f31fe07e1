/** The shape of an entry's body, as zod checks it. Members it does not name are dropped. */
import * as z from "zod/mini";
import { utf8 } from "../base/bytes.ts";
import { listOf as list } from "../base/checked_lists.ts";
import { SEALED_BYTES_MIN } from "../crypto/frame.ts";
import {
  COVERED_MAX,
  ENTRY_PACKS_MAX,
  ENTRY_SEGMENTS_MAX,
  ENTRY_SEQ_MAX,
  ENTRY_VERSION,
  FILE_NAME_BYTES_MAX,
  FILE_NAME_LEVELS_MAX,
  FORGOTTEN_LEAVES_MAX,
  GROUP_RAW_BYTES_MAX,
  INLINE_BYTES_MAX,
  MACHINE_NAME_CHARACTERS_MAX,
  MACHINES_MAX,
  OS_NAME_CHARACTERS_MAX,
  PACK_SEALED_BYTES_MAX,
  PROJECT_TEXT_BYTES_MAX,
  RECALLED_IDS_MAX,
  TITLE_CHARACTERS_MAX,
} from "./format.ts";
import { isMachineTag, parsePackName } from "./names.ts";

const SESSION_ID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

function hex(bytes: number) {
  return z.string().check(z.regex(new RegExp(`^[0-9a-f]{${2 * bytes}}$`)));
}

function count(max: number) {
  return z.int().check(z.gte(0), z.lte(max));
}

function characters(max: number) {
  // Code points never outnumber UTF-16 units, so a text of too many units is measured no further.
  return z.string().check(z.refine((text) => text.length <= 2 * max && [...text].length <= max));
}

function textBytes(max: number) {
  return z.string().check(z.refine((text) => text.length <= max && utf8(text).length <= max));
}

function hasFewMembers(value: unknown): boolean {
  return typeof value === "object" && value !== null && Object.keys(value).length < MACHINES_MAX;
}

function isFileName(text: string): boolean {
  return text.length > 0 && text.length <= FILE_NAME_BYTES_MAX &&
    utf8(text).length <= FILE_NAME_BYTES_MAX && text.split("/").length <= FILE_NAME_LEVELS_MAX;
}

const safeCount = count(Number.MAX_SAFE_INTEGER);
const hash = hex(32);
const machineId = hex(16);
const seq = z.int().check(z.gte(1), z.lte(ENTRY_SEQ_MAX));
const tag = z.string().check(z.refine(isMachineTag));
const sessionId = z.string().check(z.regex(SESSION_ID));
const fileName = z.string().check(z.refine(isFileName));
const generation = z.union([z.literal(""), hex(16)]);
const projectText = textBytes(PROJECT_TEXT_BYTES_MAX);

const project = z.nullable(z.discriminatedUnion("kind", [
  z.object({ kind: z.literal("git"), remote: projectText, sub: projectText }),
  z.object({ kind: z.literal("home"), path: projectText }),
  z.object({ kind: z.literal("path"), path: projectText }),
]));

const segment = z.object({
  file: fileName,
  gen: generation,
  off: safeCount,
  len: count(GROUP_RAW_BYTES_MAX),
  parent: hash,
  hash,
  mtime: safeCount,
});

const group = z.object({
  in: z.int().check(z.gte(-1), z.lt(ENTRY_PACKS_MAX)),
  at: count(PACK_SEALED_BYTES_MAX),
  stored: count(PACK_SEALED_BYTES_MAX),
  raw: count(GROUP_RAW_BYTES_MAX),
  comp: z.enum(["zstd", "none"]),
  segments: list(segment).check(z.minLength(1), z.maxLength(ENTRY_SEGMENTS_MAX)),
});

const enrolment = {
  sign: hex(32),
  kem: hex(32),
  name: characters(MACHINE_NAME_CHARACTERS_MAX),
  os: characters(OS_NAME_CHARACTERS_MAX),
};

const enrolOp = z.object({ op: z.literal("enrol"), ...enrolment });

const addOp = z.object({
  op: z.literal("add"),
  session: sessionId,
  project,
  title: z.optional(z.object({
    text: characters(TITLE_CHARACTERS_MAX).check(z.minLength(1)),
    time: safeCount,
    gen: generation,
    hash,
  })),
  by: z.optional(machineId),
  time: z.optional(safeCount),
  gens: list(z.object({
    file: fileName,
    gen: hex(16),
    from: z.object({ gen: generation, hash }),
  })),
  groups: list(group),
});

/** Of each number the hash's first eight digits; more than eight where clones wrote it twice. */
const covered = list(z.string().check(z.regex(/^([0-9a-f]{8})+$/), z.maxLength(8 * MACHINES_MAX)))
  .check(z.maxLength(COVERED_MAX));

const checkpointOp = z.object({ op: z.literal("checkpoint"), from: seq, covered });

const retireOp = z.object({
  op: z.literal("retire"),
  machine: machineId,
  tag,
  seq,
  hash,
  ...enrolment,
  covered,
});

const forgetOp = z.object({
  op: z.literal("forget"),
  id: hex(16),
  session: sessionId,
  leaves: list(z.object({ file: fileName, gen: generation, hash, len: safeCount }))
    .check(z.minLength(1), z.maxLength(FORGOTTEN_LEAVES_MAX)),
});

const recallOp = z.object({
  op: z.literal("recall"),
  ids: list(hex(16)).check(z.minLength(1), z.maxLength(RECALLED_IDS_MAX)),
});

const pack = z.object({
  name: z.string().check(z.refine((text) => parsePackName(text) !== null)),
  size: z.int().check(z.gte(SEALED_BYTES_MIN), z.lte(PACK_SEALED_BYTES_MAX)),
  sha256: hash,
});

/** Of any version: only whether this program may read on. */
export const anyEntry = z.object({ v: z.int() });

/** Of version 1, with ops that may be of a newer program. */
export const entryWithAnyOps = z.object({ ops: list(z.object({ op: z.string() })) });

/** Version 1. What lies between its fields is in `entry_rules.ts`. */
export const entrySchema = z.object({
  v: z.literal(ENTRY_VERSION),
  machine: machineId,
  tag,
  seq,
  prev: hash,
  kid: hex(16),
  time: safeCount,
  base: z.optional(seq),
  heads: z.pipe(
    z.custom<unknown>(hasFewMembers),
    z.record(machineId, z.object({ seq, hash })),
  ),
  inline: z.object({ size: count(INLINE_BYTES_MAX), sha256: hash }),
  packs: list(pack).check(z.maxLength(ENTRY_PACKS_MAX)),
  ops: list(
    z.discriminatedUnion("op", [enrolOp, addOp, checkpointOp, retireOp, forgetOp, recallOp]),
  ),
});
