/** How the simulated store lies (see `store.ts`). */
import type { Bytes } from "../../src/base/bytes.ts";
import type { Dice } from "./dice.ts";
import type { LieKind } from "./options.ts";

/** An object that was put, and deleted perhaps. */
export interface Stored {
  readonly bytes: Bytes;
  readonly putAtMs: number;
  /** Its place among all that was done to the store. */
  readonly order: number;
  /** Machine that put it. */
  readonly by: string;
  readonly deleted: { readonly atMs: number; readonly order: number; readonly by: string } | null;
}

/** What is not true. */
export interface Lie {
  readonly kind: LieKind;
  /** Null: to everyone. */
  readonly to: string | null;
  readonly isHidden: (name: string, stored: Stored) => boolean;
  /** Whether what was deleted is there again. */
  readonly isBack: (stored: Stored) => boolean;
  readonly extra: ReadonlyMap<string, Bytes>;
}

/** Whether the name is a log entry's. */
export function isLog(name: string): boolean {
  return name.startsWith("log/");
}

/**
 * A lie of that kind about the store's objects; null when there is no occasion. `order`: how much
 * was done to the store so far.
 */
export function makeLie(
  kind: LieKind,
  to: string | null,
  objects: ReadonlyMap<string, Stored>,
  order: number,
  dice: Dice,
): Lie | null {
  const names = [...objects.keys()].filter((name) => name.includes("/")).sort();
  const logs = [...new Set(names.filter(isLog).map((name) => name.split("/")[1]!))];
  const extra = new Map<string, Bytes>();
  const none: Lie = { kind, to, isHidden: () => false, isBack: () => false, extra };
  switch (kind) {
    case "rollback": {
      const since = dice.below(order + 1);
      return {
        ...none,
        isHidden: (_, stored) => stored.order > since,
        isBack: ({ order, deleted }) => order <= since && deleted!.order > since,
      };
    }
    case "hide-log": {
      const log = dice.pick(logs);
      if (log === null) return null;
      return { ...none, isHidden: (name) => name.startsWith(`log/${log}/`) };
    }
    case "remove": {
      const gone = new Set(dice.shuffled(names).slice(0, dice.between(1, 2)));
      return { ...none, isHidden: (name) => gone.has(name) };
    }
    case "replay": {
      const log = dice.pick(logs);
      const entries = names.filter((name) => name.startsWith(`log/${log}/`));
      const last = entries.at(-1);
      const old = dice.pick(entries);
      if (last === undefined || old === null) return null;
      extra.set(nextName(last, dice), objects.get(old)!.bytes);
      return none;
    }
    default:
      return none;
  }
}

/** A name for the entry after `last`. */
function nextName(last: string, dice: Dice): string {
  const [, log, name] = last.split("/") as [string, string, string];
  const seq = String(Number(name.split(".")[0]) + 1).padStart(12, "0");
  return `log/${log}/${seq}.${dice.hex(8)}`;
}
