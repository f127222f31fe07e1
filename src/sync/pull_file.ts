/** Compares one file with what it is to be, and says what is to be written. Writes nothing. */
import { Sha256, sha256Hex } from "../crypto/hash.ts";
import type { FileStat } from "../platform/types.ts";
import type { LocalFile, LocalSession } from "../sessions/discover.ts";
import type { ClaudeRoot } from "../sessions/claude_root.ts";
import { fileKind, TRANSCRIPT } from "../sessions/file_name.ts";
import { pathOf } from "../sessions/layout.ts";
import { scanFile } from "./file_scan.ts";
import { isSettled, type LocalFileRow } from "./local_files.ts";
import type { BranchTargets, TranscriptTarget } from "./branch_targets.ts";
import { lookAt } from "./push_files.ts";
import { isKnownToVault } from "./push_forgotten.ts";
import type { FileState } from "./segment_index.ts";
import type { FileTarget, SessionTarget } from "./targets.ts";
import type { OpenVault } from "./vault_access.ts";
import { COMPARED_BYTES_MAX, statePieces } from "./vault_content.ts";

/** One file to write. */
export interface WriteOperation {
  readonly session: SessionTarget;
  readonly target: FileTarget;
  readonly path: string;
  /** The file as it is now; null when there is none. */
  readonly expected: FileStat | null;
  /** The state that all of the present file is, when it is one. */
  readonly base: FileState | null;
}

/** A transcript that stays as it is, and the target as it stands under another id instead. */
export interface KeptTranscript {
  readonly beside: TranscriptTarget;
}

/**
 * The first writing of a session's only file. A first pull has one of these for each session there
 * is, and what can be made of the session is made when it is asked for.
 */
export class NewTranscript implements WriteOperation, WriteFamily {
  readonly session: SessionTarget;
  readonly expected: FileStat | null;
  readonly #root: ClaudeRoot;
  readonly #slug: string;

  /** `session`: one of a single file, its transcript, and of no family. */
  constructor(root: ClaudeRoot, slug: string, session: SessionTarget, expected: FileStat | null) {
    this.session = session;
    this.expected = expected;
    this.#root = root;
    this.#slug = slug;
  }

  get target(): FileTarget {
    return this.session.files[0]!;
  }

  get path(): string {
    return pathOf(this.#root, this.#slug, this.session.id, TRANSCRIPT);
  }

  get base(): null {
    return null;
  }

  get root(): string {
    return this.session.root;
  }

  get writes(): readonly WriteOperation[] {
    return [this];
  }
}

/** What is written of one session and its branches, all or nothing. New files come first. */
export interface WriteFamily {
  readonly root: string;
  readonly writes: readonly WriteOperation[];
}

/** The family of these writes, its new files first. */
export function familyOf(root: string, writes: readonly WriteOperation[]): WriteFamily {
  const [only] = writes;
  if (writes.length === 1 && only instanceof NewTranscript) return only;
  const isNew = ({ expected }: WriteOperation) => expected === null;
  const replaced = writes.filter((operation) => !isNew(operation));
  return { root, writes: [...writes.filter(isNew), ...replaced] };
}

/** Bytes that a write has to fetch. */
export function newBytesOf({ target, base }: WriteOperation): number {
  return Math.max(0, target.len - (base?.len ?? 0));
}

/** Every write of `families`, in their order. */
export function* writesOf(families: readonly WriteFamily[]): Generator<WriteOperation> {
  for (const { writes } of families) yield* writes;
}

/**
 * What is to be written of `target` where `here` is: `push-first` when the file has bytes that the
 * vault must get before they are replaced, null when nothing is, or when the file here is forgotten
 * and would be lost. With `branches`, such a transcript is taken note of. Errors: those of reading.
 */
export async function planFile(
  vault: OpenVault,
  rows: ReadonlyMap<string, LocalFileRow>,
  session: SessionTarget,
  here: LocalSession,
  target: FileTarget,
  branches: BranchTargets | null = null,
): Promise<WriteOperation | KeptTranscript | "push-first" | null> {
  const planned = await compare(vault, rows, session, here, target);
  if (planned === null || planned === "push-first" || planned.base === null) return planned;
  const file = target.source ?? target.name;
  if (!vault.forgotten.isForgotten(session.id, file, planned.base)) return planned;
  if (target.name === TRANSCRIPT && branches !== null) {
    return await planForgotten(vault, session, planned, planned.base, branches);
  }
  return await goesOnFrom(vault, session, target, planned.base) ? planned : null;
}

/**
 * The vault may soon have what is forgotten no longer: it is continued here, but no word of it is
 * replaced. What others went on with stands beside it.
 */
async function planForgotten(
  vault: OpenVault,
  session: SessionTarget,
  planned: WriteOperation,
  base: FileState,
  branches: BranchTargets,
): Promise<WriteOperation | KeptTranscript | null> {
  if (base.len > COMPARED_BYTES_MAX) return null;
  const { fs } = vault.context.platform;
  const read = () => {
    const bytes = fs.readFile(planned.path, COMPARED_BYTES_MAX);
    return bytes !== null && sha256Hex(bytes) === base.hash ? bytes : null;
  };
  const beside = await branches.beside(session.root, session.id, base.hash, read);
  if (beside === "nothing") return null;
  return beside === "in-place" ? planned : { beside: beside.target };
}

/** Whether the target begins with what is here. */
async function goesOnFrom(
  vault: OpenVault,
  session: SessionTarget,
  target: FileTarget,
  base: FileState,
): Promise<boolean> {
  if (target.len < base.len) return false;
  const begin = new Sha256();
  for await (const bytes of statePieces(vault, session.id, target.source ?? target.name, target)) {
    begin.update(bytes.subarray(0, base.len - begin.lengthBytes));
  }
  return begin.digestHex() === base.hash;
}

async function compare(
  vault: OpenVault,
  rows: ReadonlyMap<string, LocalFileRow>,
  session: SessionTarget,
  here: LocalSession,
  target: FileTarget,
): Promise<WriteOperation | "push-first" | null> {
  const file = here.files.find((each) => each.name === target.name);
  if (file === undefined) {
    const path = pathOf(vault.root, here.slug, here.id, target.name);
    return { session, target, path, expected: null, base: null };
  }
  const operation = { session, target, path: file.path, expected: file.stat };
  const row = rows.get(file.path);
  const isProven = row !== undefined && isSettled(row, file.stat) &&
    isKnownToVault(vault, session.id, file.name, row);
  if (isProven) {
    const mayBeReplaced = fileKind(target.name) === "lines" || hasBytesOf(vault, file, row);
    if (mayBeReplaced) return { ...operation, base: row };
    // A push must not pass it over, either.
    vault.locals.doubt(file.path);
  }
  const looked = await lookAt(vault, here, file, row, true);
  const { state, item, scan } = looked;
  if (state === null || scan === null) return { ...operation, base: null };
  const reaches = (one: FileState) => one.hash === target.hash && one.gen === target.gen;
  if (item !== null) return reaches(state) && item.replaces === null ? null : "push-first";
  const isWhole = state.len === scan.sizeBytes;
  if (isWhole && reaches(state)) return null;
  return { ...operation, expected: scan.stat, base: isWhole ? state : null };
}

/**
 * Whether a file that looks unchanged still has the bytes that the vault has of it. What is written
 * as a whole may be changed without a byte more, and in the same tick of the disk's clock, which is
 * two seconds on some disks: before such a file is replaced or taken away, it is read.
 */
export function hasBytesOf(vault: OpenVault, file: LocalFile, row: FileState): boolean {
  const scan = scanFile(vault.context.platform.fs, file.path, []);
  return scan !== null && scan.sizeBytes === row.len && scan.hash === row.hash;
}
