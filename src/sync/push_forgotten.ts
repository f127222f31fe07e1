/**
 * What a push makes of forgotten sessions: their files stay here and are not sent again, until
 * somebody goes on with one; then it goes as a whole, whatever the vault still has of it.
 */
import type { LocalFile, LocalSession } from "../sessions/discover.ts";
import type { FileScan } from "./file_scan.ts";
import { type Forgotten, stateKey } from "./forgotten.ts";
import { isSettled, type LocalFileRow } from "./local_files.ts";
import type { FileState } from "./segment_index.ts";
import type { OpenVault } from "./vault_access.ts";

/** What a push may build on. */
export interface KnownOf {
  readonly states: readonly FileState[];
  readonly row: LocalFileRow | undefined;
}

/**
 * The states of a file that a new segment may continue, and what was remembered of the file unless
 * it is of a state that the vault has no longer: a compaction leaves out what was forgotten, and
 * nobody could put together what went on from there.
 */
export function knownOf(
  vault: OpenVault,
  session: string,
  file: string,
  row: LocalFileRow | undefined,
): KnownOf {
  const states = vault.index.states(session, file);
  if (!vault.forgotten.isTouched(session)) return { states, row };
  const reachable = vault.forgotten.reachable(session, file);
  const has = (state: FileState) => reachable.has(stateKey(state));
  const isKept = row !== undefined && (row.isDerived || has(row));
  return { states: states.filter(has), row: isKept ? row : undefined };
}

/**
 * Whether what was remembered of a file is in the vault, can be made from it, or is forgotten. What
 * was forgotten before it was ever sent is none of these any more once that is recalled.
 */
export function isKnownToVault(
  { forgotten }: OpenVault,
  session: string,
  file: string,
  row: LocalFileRow,
): boolean {
  if (row.isDerived || !forgotten.isTouched(session)) return true;
  return forgotten.reachable(session, file).has(stateKey(row)) ||
    forgotten.isForgotten(session, file, row);
}

/** The forgotten state that all of the scanned file is; null when it is something else. */
export function forgottenContent(
  vault: OpenVault,
  session: string,
  file: string,
  scan: FileScan,
): FileState | null {
  const { forgotten } = vault;
  if (!forgotten.isTouched(session)) return null;
  const same = forgotten.named(session, file)
    .filter(({ len, hash }) => len === scan.sizeBytes && hash === scan.hash);
  return same.find((state) => forgotten.isForgotten(session, file, state)) ?? null;
}

/** Chooses what of a session a push looks at. */
export class ForgottenPush {
  readonly #forgotten: Forgotten;
  readonly #sessions: ReadonlySet<string>;

  constructor(vault: OpenVault) {
    this.#forgotten = vault.forgotten;
    this.#sessions = this.#forgotten.sessions();
  }

  /** Whether some `forget` has ever named the session. */
  isTouched(session: string): boolean {
    return this.#sessions.has(session);
  }

  /** Whether nothing of the session is sent unless its transcript is. */
  isForgotten(session: string): boolean {
    return this.#sessions.has(session) && this.#forgotten.isSession(session);
  }

  /**
   * Files of `session` that the vault may lack: as it is there, or as it will be once its
   * transcript is pushed, when nothing of it is forgotten any more.
   */
  changed(
    session: LocalSession,
    rows: ReadonlyMap<string, LocalFileRow>,
    as: "there" | "gone on with",
  ): LocalFile[] {
    const isTouched = this.#sessions.has(session.id);
    return session.files.filter((file) => {
      const row = rows.get(file.path);
      if (!isSettled(row, file.stat)) return true;
      return isTouched && this.#isLost(session.id, file, row!, as);
    });
  }

  /** Whether the file was in the vault and is so no longer, although it is not forgotten. */
  #isLost(
    session: string,
    file: LocalFile,
    row: LocalFileRow,
    as: "there" | "gone on with",
  ): boolean {
    if (row.isDerived) return false;
    if (this.#forgotten.reachable(session, file.name).has(stateKey(row))) return false;
    return as === "gone on with" || !this.#forgotten.isForgotten(session, file.name, row);
  }
}
