/** Lists that are old, which is no lie (see `store.ts`). */
import type { Dice } from "./dice.ts";
import type { Stored } from "./lies.ts";
import type { SimOptions } from "./options.ts";

/** No list is older than this: within what a refresh waits for. */
export const STALE_MS_MAX = 700;

/** What a list is too old for. */
export interface Lateness {
  /** It does not show what was put. */
  readonly put: (stored: Stored) => boolean;
  /** It still shows what was deleted. */
  readonly deletion: (stored: Stored) => boolean;
}

/** How late one list is. `known`: names that its reader has put or seen. */
export function latenessOf(
  lists: SimOptions["lists"],
  { known }: { readonly known: ReadonlySet<string> },
  objects: ReadonlyMap<string, Stored>,
  dice: Dice,
  nowMs: number,
): Lateness {
  switch (lists) {
    case "fresh":
      return { put: () => false, deletion: () => false };
    case "reordered": {
      const isLate = (atMs: number) => nowMs - atMs < STALE_MS_MAX && dice.isLucky(0.4);
      return {
        put: ({ putAtMs }) => isLate(putAtMs),
        deletion: ({ deleted }) => isLate(deleted!.atMs),
      };
    }
    case "snapshot": {
      const wantedMs = nowMs - dice.below(STALE_MS_MAX);
      // Not before what this machine knows already: of that the list is as old as the newest.
      let knownMs = 0;
      for (const name of known) knownMs = Math.max(knownMs, objects.get(name)?.putAtMs ?? 0);
      const asOfMs = Math.max(wantedMs, knownMs);
      return {
        put: ({ putAtMs }) => putAtMs > asOfMs,
        deletion: ({ putAtMs, deleted }) => putAtMs <= asOfMs && deleted!.atMs > asOfMs,
      };
    }
  }
}
