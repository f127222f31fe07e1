/**
 * The bytes of a file's states, from the vault or from a local file that is proven to hold them.
 */
import type { Bytes } from "../base/bytes.ts";
import { Sha256 } from "../crypto/hash.ts";
import { ClaudeSyncError, isClaudeSyncError } from "../errors.ts";
import type { ReadHandle } from "../platform/types.ts";
import { windows } from "./file_scan.ts";
import { isUnchanged } from "./local_files.ts";
import type { FileState, StoredSegment } from "./segment_index.ts";
import type { OpenVault } from "./vault_access.ts";

/** Largest file that is held in memory to compare it with its other continuations. */
export const COMPARED_BYTES_MAX = 512 * 1024 * 1024;

/** The segments that lead to a state. Errors: `incomplete` when the log never named one of them. */
export function chainTo(
  vault: OpenVault,
  session: string,
  file: string,
  state: FileState,
): StoredSegment[] {
  const chain = vault.index.chain(session, file, state);
  if (chain !== null) return chain;
  throw new ClaudeSyncError("incomplete", "The log names a file without its beginning", {
    sessionId: session,
  });
}

/**
 * The bytes of `chain` from `offset` on, a segment at a time. The last one comes only after the
 * hash of all has been checked when `prefix` (hashed up to `offset`) is given.
 */
export async function* chainBytes(
  vault: OpenVault,
  chain: readonly StoredSegment[],
  offset: number,
  prefix: Sha256,
): AsyncGenerator<Bytes> {
  const hash = prefix.copy();
  const last = chain.at(-1);
  for (const segment of chain) {
    const end = segment.off + segment.len;
    if (end <= offset) continue;
    const bytes = await vault.reader.read(segment);
    const wanted = bytes.subarray(Math.max(0, offset - segment.off));
    hash.update(wanted);
    if (segment === last && hash.digestHex() !== segment.hash) {
      const { objectName, session: sessionId } = segment;
      throw new ClaudeSyncError("damaged", "A file's segments do not make the file", {
        objectName,
        sessionId,
      });
    }
    yield wanted;
    vault.context.platform.memory.passed(bytes.length);
  }
}

/**
 * All bytes of a state, for what can only be compared whole. Errors: `too-large` over 512 MiB,
 * `incomplete`, `damaged`.
 */
export async function readState(
  vault: OpenVault,
  session: string,
  file: string,
  state: FileState,
): Promise<Bytes> {
  assertComparable(state, session);
  const bytes = new Uint8Array(state.len);
  let at = 0;
  for await (const piece of statePieces(vault, session, file, state)) {
    bytes.set(piece, at);
    at += piece.length;
  }
  return bytes;
}

/** Errors: `too-large` over 512 MiB. */
export function assertComparable(state: FileState, session: string): void {
  if (state.len <= COMPARED_BYTES_MAX) return;
  const message = "A session that was continued on two machines is too large to be compared";
  throw new ClaudeSyncError("too-large", message, { sessionId: session });
}

/**
 * The bytes of a state piece by piece, in order, after those that `prefix` is the hash of: of a
 * file here that has them, else from the vault. Each piece is gone with the next. Only when the
 * last one has come is it sure that they are those of the state. Errors: `incomplete`, `damaged`;
 * `local-io` when the file changes meanwhile.
 */
export async function* statePieces(
  vault: OpenVault,
  session: string,
  file: string,
  state: FileState,
  prefix = new Sha256(),
): AsyncGenerator<Uint8Array> {
  const { memory } = vault.context.platform;
  const handle = openLocalState(vault, session, file, state);
  if (handle === null) {
    yield* chainBytes(vault, chainTo(vault, session, file, state), prefix.lengthBytes, prefix);
    return;
  }
  try {
    const hash = prefix.copy();
    for (const { bytes } of windows(handle, prefix.lengthBytes, state.len)) {
      hash.update(bytes);
      yield bytes;
      memory.passed(bytes.length);
    }
    if (hash.digestHex() === state.hash) return;
    throw new ClaudeSyncError("local-io", "A session's file changed while it was read", {
      sessionId: session,
    });
  } finally {
    handle.close();
  }
}

/** A file here that has all bytes of the state, which has been proven; close it. */
function openLocalState(
  vault: OpenVault,
  session: string,
  file: string,
  state: FileState,
): ReadHandle | null {
  const { fs } = vault.context.platform;
  for (const row of vault.locals.ofFile(session, file)) {
    if (row.hash !== state.hash || row.len !== state.len) continue;
    const stat = fs.lstat(row.path);
    if (stat === null || !isUnchanged(row, stat)) continue;
    const handle = fs.openRead(row.path);
    if (handle === null) continue;
    const hash = new Sha256();
    try {
      for (const { bytes } of windows(handle, 0, state.len)) hash.update(bytes);
    } catch (error) {
      handle.close();
      throw error;
    }
    if (hash.digestHex() === state.hash) return handle;
    handle.close();
  }
  return null;
}

/**
 * Whether `error` says that the vault's bytes cannot be had. That is a reason not to replace
 * anything here; none to keep local bytes from the vault.
 */
export function isNotComparable(error: unknown): boolean {
  return isClaudeSyncError(error, "incomplete", "damaged", "too-large");
}

/**
 * Whether `tail`, what a local file holds from `from` on, is only the beginning of what the vault
 * has there: then the file is behind and adds nothing. What cannot be compared does not count as
 * behind.
 */
export async function isBehind(
  vault: OpenVault,
  session: string,
  file: string,
  from: FileState,
  tail: (offset: number, length: number) => Bytes,
  sizeBytes: number,
): Promise<boolean> {
  const hidden = vault.forgotten.leaves(session, file);
  for (const leaf of [...vault.index.leaves(session, file), ...hidden]) {
    if (leaf.len < sizeBytes || (from.len > 0 && leaf.gen !== from.gen)) continue;
    const chain = vault.index.chain(session, file, leaf);
    if (chain === null) continue;
    const passes = from.len === 0 ||
      chain.some((segment) => segment.hash === from.hash && segment.off + segment.len === from.len);
    if (!passes) continue;
    try {
      if (await beginsWith(vault, chain, from.len, tail, sizeBytes)) return true;
    } catch (error) {
      if (!isNotComparable(error)) throw error;
    }
  }
  return false;
}

async function beginsWith(
  vault: OpenVault,
  chain: readonly StoredSegment[],
  from: number,
  tail: (offset: number, length: number) => Bytes,
  sizeBytes: number,
): Promise<boolean> {
  for (const segment of chain) {
    if (segment.off + segment.len <= from) continue;
    if (segment.off >= sizeBytes) return true;
    const begin = Math.max(from, segment.off);
    const end = Math.min(sizeBytes, segment.off + segment.len);
    const stored = (await vault.reader.read(segment))
      .subarray(begin - segment.off, end - segment.off);
    const here = tail(begin, end - begin);
    if (here.length !== stored.length || !here.every((byte, i) => byte === stored[i])) return false;
  }
  return true;
}
