/** The bytes of a session's file, made of a leaf's that come in pieces. */
import { BranchCopy, RootForm, type Writer } from "./branch_copy.ts";
import type { ResolvedBranch, ResolvedSession } from "./branches.ts";
import type { ScannedLeaf, StoredLeaf } from "./leaf_scan.ts";
import { LineCutter, type TextLine } from "./line_cutter.ts";
import type { SessionId } from "./session_id.ts";

/** The leaf whose bytes the session's file is, or is made of. */
export function sourceOf<Stored extends StoredLeaf>(
  session: ResolvedSession<Stored>,
): ScannedLeaf<Stored> {
  return session.from[0]!;
}

/** Whether the file is made of the leaf's bytes, which are not it as they are. */
export function isMade(session: ResolvedSession): boolean {
  return sourceOf(session).stored.id !== session.id;
}

/** Makes a file of the bytes of its source. */
export class MadeFile {
  readonly #cutter = new LineCutter();
  readonly #rootForm: RootForm | null;
  readonly #copy: BranchCopy | null;
  readonly #take: (line: TextLine) => void;
  readonly #writers: readonly Writer[];

  /** `put` gets the file's bytes, which are gone after the call. */
  constructor(
    rootId: SessionId,
    session: ResolvedSession | ResolvedBranch,
    put: (bytes: Uint8Array) => void,
  ) {
    const { stored, writers } = sourceOf(session);
    this.#writers = writers;
    const putParts = (parts: readonly Uint8Array[]) => parts.forEach(put);
    const copy = "firstHash" in session
      ? new BranchCopy(writers, { ...session, rootId }, putParts)
      : null;
    const take = (line: TextLine) => {
      if (copy !== null) copy.take(line);
      else putParts([line.text, line.ending]);
    };
    const rootForm = stored.id === rootId ? null : new RootForm(
      stored.writers,
      stored.id,
      rootId,
      (parts, start) => take({ start, text: parts[0]!, ending: parts.at(-1)! }),
    );
    this.#rootForm = rootForm;
    this.#copy = copy;
    this.#take = rootForm === null ? take : (line) => rootForm.take(line);
  }

  /** Takes the next bytes of the source; keeps nothing of them. */
  take(bytes: Uint8Array): void {
    for (const line of this.#cutter.take(bytes)) this.#take(line);
  }

  /** Says that all bytes were taken; gives who wrote what was put. */
  end(): readonly Writer[] {
    for (const line of this.#cutter.end()) this.#take(line);
    this.#rootForm?.end();
    return this.#copy?.end() ?? this.#writers;
  }
}
