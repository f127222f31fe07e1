/**
 * On how many days each machine has looked at the vault and found something there, counted without
 * the machine: by the time that nobody can set.
 */

/** A day. */
export const DAY_MS = 86_400_000;
/** Days that a checkpoint must have stood. */
const GRACE_DAYS = 7;
/** A look and the note of it may be so far apart: the laptop slept in between. */
const SLACK_MS = DAY_MS * 0.45;

/** Whoever puts or deletes. */
export interface Actor {
  readonly name: string;
  /** Names that it must have seen when it began what it does now. */
  readonly seen: (name: string, putAtMs: number) => boolean;
  /** Whether it, or what it is a copy of, has put that object. */
  readonly hasMade: (name: string) => boolean;
}

interface Look {
  days: number;
  lastMs: number;
  readonly firstMs: number;
  /** How often the machine's clock had been set when it looked first. */
  readonly jumps: number;
}

/** The looks of all machines of a world. */
export class Looks {
  readonly #looks = new Map<string, Map<string, Look>>();
  readonly #jumps = new Map<string, number>();
  /** Machines that each machine was copied from, itself among them. */
  readonly #origins = new Map<string, Set<string>>();

  /** A machine has seen these names. */
  note(machine: string, names: Iterable<string>, nowMs: number): void {
    const looks = this.#of(machine);
    for (const name of names) {
      const look = looks.get(name);
      if (look === undefined) {
        looks.set(name, { days: 0, lastMs: nowMs, firstMs: nowMs, jumps: this.#jumpsOf(machine) });
      } else if (nowMs - look.lastMs >= DAY_MS - SLACK_MS) {
        look.days++;
        look.lastMs = nowMs;
      }
    }
  }

  /** Its clock was set: that may count as a day. */
  noteJump(machine: string): void {
    this.#jumps.set(machine, this.#jumpsOf(machine) + 1);
  }

  /** `clone` is a copy of `original` and has counted what that one has. */
  noteClone(clone: string, original: string): void {
    const looks = [...this.#of(original)].map(([name, look]) => [name, { ...look }] as const);
    this.#looks.set(clone, new Map(looks));
    this.#jumps.set(clone, this.#jumpsOf(original));
    this.#origins.set(clone, new Set([clone, ...this.#originsOf(original)]));
  }

  /** Most days that the machine can have counted since it saw `name` first. */
  days(machine: string, name: string, nowMs: number): number {
    const look = this.#of(machine).get(name);
    if (look === undefined) return 0;
    const jumps = this.#jumpsOf(machine) - look.jumps;
    const days = look.days + (nowMs - look.lastMs >= DAY_MS - SLACK_MS ? 1 : 0);
    return Math.min(days, (nowMs - look.firstMs + SLACK_MS) / DAY_MS) + jumps;
  }

  /** Whether the grace of what `name` says, or of `name` itself, is over for the machine. */
  hasWaited(machine: string, name: string, nowMs: number): boolean {
    return this.days(machine, name, nowMs) >= GRACE_DAYS;
  }

  /** Whether it has known `name` for that long, however often it has looked. */
  hasKnown(machine: string, name: string, nowMs: number): boolean {
    const look = this.#of(machine).get(name);
    if (look === undefined) return false;
    const jumps = this.#jumpsOf(machine) - look.jumps;
    return (nowMs - look.firstMs + SLACK_MS) / DAY_MS + jumps >= GRACE_DAYS;
  }

  /** Whether `machine` is `writer` or a copy of it. */
  isBy(machine: string, writer: string): boolean {
    const [own, other] = [this.#originsOf(machine), this.#originsOf(writer)];
    return [...own].some((each) => other.has(each));
  }

  #originsOf(machine: string): ReadonlySet<string> {
    return this.#origins.get(machine) ?? new Set([machine]);
  }

  #jumpsOf(machine: string): number {
    return this.#jumps.get(machine) ?? 0;
  }

  #of(machine: string): Map<string, Look> {
    const known = this.#looks.get(machine);
    if (known !== undefined) return known;
    const made = new Map<string, Look>();
    this.#looks.set(machine, made);
    return made;
  }
}
