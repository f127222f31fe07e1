/**
 * What a world is like, drawn from its seed: every seed has some kinds of trouble and lacks others,
 * so that no kind hides another one.
 */
import type { Thresholds } from "../../src/sync/thresholds.ts";
import type { Dice } from "./dice.ts";

/** Ways in which the store lies; each is undone in the end. */
export const LIE_KINDS = [
  "flip",
  "truncate",
  "swap",
  "rollback",
  "hide-log",
  "remove",
  "replay",
] as const;

/** One of them. */
export type LieKind = typeof LIE_KINDS[number];

/** A world's options. */
export interface SimOptions {
  readonly seed: number;
  readonly machines: number;
  /** Actions of people, clients and fate. */
  readonly steps: number;
  /** Mean time between two actions on one machine. */
  readonly paceMs: number;
  /** Store calls that fail before, and after, they have had their effect. */
  readonly failBefore: number;
  readonly failAfter: number;
  /** Store calls that take seconds instead of milliseconds. */
  readonly delay: number;
  /**
   * How old lists may be. `snapshot`: as the store was some time ago, but with all that this
   * machine has put and seen. `reordered`: some of the newest names are missing and later ones
   * are there.
   */
  readonly lists: "fresh" | "snapshot" | "reordered";
  readonly lies: readonly LieKind[];
  /** Whether the clients write to the registry of open sessions (2.1 and later). */
  readonly clientVersion: "2.1.330" | "2.0.77";
  /** Age of sessions that the client's clean-up removes (`cleanupPeriodDays` of its settings). */
  readonly cleanupDays: number;
  /** Kinds of actions that do not happen here. */
  readonly without: ReadonlySet<string>;
  /** Clocks that are wrong. */
  readonly skewMs: number;
  /** Sizes of the program; small ones, as what a world writes is little. */
  readonly thresholds: Partial<Thresholds>;
}

/** Draws the options; `actions` are the kinds that may be left out. */
export function drawOptions(seed: number, dice: Dice, actions: readonly string[]): SimOptions {
  const some = (chance: number, value: number) => dice.isLucky(chance) ? value : 0;
  const lies = dice.isLucky(0.45) ? LIE_KINDS.filter(() => dice.isLucky(0.4)) : [];
  return {
    seed,
    machines: dice.pick([2, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 5, 6])!,
    steps: dice.between(25, dice.pick([70, 70, 70, 140])!),
    paceMs: dice.pick([50, 400, 3_000, 60_000])!,
    failBefore: some(0.4, 0.08),
    failAfter: some(0.4, 0.08),
    delay: some(0.3, 0.1),
    lists: dice.pick(["fresh", "fresh", "snapshot", "reordered"] as const)!,
    lies,
    clientVersion: dice.isLucky(0.75) ? "2.1.330" : "2.0.77",
    cleanupDays: dice.pick([1, 7, 30])!,
    without: new Set(actions.filter(() => dice.isLucky(0.25))),
    skewMs: some(0.3, dice.pick([90_000, 3 * 3_600_000, 40 * 86_400_000])!),
    thresholds: {
      compactAtLeastEntries: dice.pick([2, 3, 5])!,
      compactAtEntries: dice.pick([4, 8, 500])!,
      inlineBytesMax: dice.pick([300, 2_000, 256 * 1024])!,
      keptPackBytesMin: dice.pick([4_096, 4 * 1024 * 1024])!,
    },
  };
}
