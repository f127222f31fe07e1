/** What machines were asked to forget, and whether an op says no more than that. */
import type { DecodedOp } from "./decoder.ts";
import { stateKey } from "./file_tree.ts";
import type { PastFiles, Said } from "./past_files.ts";

/** What a run was asked to forget: one session, or all that were quiet since. */
export interface Ask {
  readonly session: string | null;
  readonly beforeMs: number | null;
}

/** Whether somebody has asked for a `forget`. */
export function isAsked(
  { session, leaves }: Extract<DecodedOp, { op: "forget" }>,
  asks: readonly Ask[],
  files: PastFiles,
): boolean {
  // Branches go with their session, plans with those that name them.
  if (isDerived(session)) return true;
  const names = new Set(leaves.filter(({ file }) => file === "transcript").map(stateKey));
  const said = [...files.of(session, "transcript").said.values()].flat()
    .filter(({ segment }) => names.has(stateKey(segment)));
  // A session is as old as what it ends with, even when a clock was set back before that was said.
  const isContinued = ({ segment: { gen, hash } }: Said) =>
    said.some(({ segment }) => segment.gen === gen && segment.parent === hash && segment.len > 0);
  const ends = said.filter((one) => !isContinued(one));
  const newestMs = Math.max(...ends.map(({ segment }) => segment.mtime));
  return asks.some((ask) =>
    ask.session === session || (ask.session !== null && isDerived(ask.session)) ||
    (ask.beforeMs !== null && newestMs < ask.beforeMs)
  );
}

/** Every `forget` that somebody has asked for. */
export class Wishes {
  readonly #asks: readonly Ask[];
  readonly #files: PastFiles;
  readonly #known = new Set<string>();

  constructor(asks: readonly Ask[], files: PastFiles) {
    this.#asks = asks;
    this.#files = files;
  }

  /**
   * Whether somebody has asked for it, now or when it was said first: a checkpoint says it again,
   * and what it names may have been sent anew since, with a newer time.
   */
  has(op: Extract<DecodedOp, { op: "forget" }>): boolean {
    const key = JSON.stringify(op);
    if (!this.#known.has(key) && !isAsked(op, this.#asks, this.#files)) return false;
    this.#known.add(key);
    return true;
  }
}

/** Whether the id is one of those that the program makes. */
function isDerived(session: string): boolean {
  return session[14] === "8";
}
