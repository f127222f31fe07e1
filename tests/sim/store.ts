/**
 * The simulated store, and how it breaks and lies.
 *
 * It keeps every object that was ever put, with its first bytes: what a provider could give back.
 * Every call takes time, during which other machines, clients and crashes go on.
 *
 * What breaks, and is no lie: a call fails before its effect; it fails after its effect (the answer
 * was lost); it takes seconds; a list is old, but shows this machine all that it has put or has
 * seen listed before; a list lacks some new names and shows later ones (`reordered`). A machine may
 * then fail with what transport errors give, but never speak of rollback, fork, damage or of what
 * is missing, as it looks again. An old list also shows what was deleted just now.
 *
 * What are lies, all of them undone before the end:
 * - `flip`, `truncate`, `swap`: `get` gives bytes with one bit turned over, fewer bytes, or the
 *   bytes of another object.
 * - `rollback`: everything is as it was some time ago, what was deleted since is there again.
 *   `hide-log`: one machine's log is not there.
 *   `remove`: some objects are not there.
 * - `replay`: an old entry stands under the next number of its log, too.
 *
 * A machine must notice, by failing or by saying that it leaves a log out: changed bytes of an
 * entry or pack that it read; an entry that it has accepted once and that is not listed now; a
 * listed object that is not there. It cannot notice that something is withheld which it never
 * heard of, and need not notice what befalls an object that nobody needs any more, nor what a list
 * of everything says of the logs after it has looked at them in the same run (see `isTally`).
 */
import { Buffer } from "node:buffer";
import type { Bytes } from "../../src/base/bytes.ts";
import { equalBytes } from "../../src/base/bytes.ts";
import { ClaudeSyncError } from "../../src/errors.ts";
import type { ObjectName } from "../../src/storage/object_name.ts";
import type { ListOptions, ObjectInfo, ObjectStore } from "../../src/storage/object_store.ts";
import type { PutItem, PutOutcome, StoreOptions } from "../../src/storage/object_store.ts";
import { putEach } from "../../src/storage/put_each.ts";
import type { Dice } from "./dice.ts";
import type { Exposure } from "./exposure.ts";
import { latenessOf, STALE_MS_MAX } from "./lateness.ts";
import { isLog, type Lie, makeLie, type Stored } from "./lies.ts";
import type { Actor, Looks } from "./looks.ts";
import type { LieKind, SimOptions } from "./options.ts";
import type { Past } from "./past.ts";
import type { Report } from "./report.ts";
import type { Owner, Scheduler } from "./scheduler.ts";

/** Text in everything that must not be readable in the store. */
export const CANARY = "canary7f3a9c";
/** End of every session id, as text and as bytes. */
export const SESSION_CANARY = "c0ffeec0ffee";

const NEEDLES = [CANARY, SESSION_CANARY, Buffer.from(SESSION_CANARY, "hex")];
const LATENCY_MS_MAX = 40;
const DELAY_MS_MAX = 9_000;
/** A lie about bytes strikes this share of calls. */
const STRIKE_CHANCE = 0.3;

/** A machine as the store knows it. */
export interface Visitor extends Owner {
  readonly exposure: Exposure;
  /** Names that the machine has accepted. */
  readonly accepted: ReadonlySet<string>;
  /** Names that it has put or seen. */
  readonly known: Set<string>;
  /** Called when a call of it begins. */
  onCall(what: string): void;
  /** When the run began. */
  readonly beganMs: number;
}

/** The store of one world. */
export class SimStore {
  readonly #scheduler: Scheduler;
  readonly #dice: Dice;
  readonly #options: SimOptions;
  readonly #report: Report;
  readonly #looks: Looks;
  readonly #objects = new Map<string, Stored>();
  readonly #deleted = new Map<string, Stored>();
  /** How much was done to it. */
  #order = 0;
  #lies: Lie[] = [];
  #isCalm = false;
  /** Nobody reaches it. */
  isDown = false;
  /** What checks deletions; null until there is a vault. */
  past: Past | null = null;

  constructor(
    scheduler: Scheduler,
    dice: Dice,
    options: SimOptions,
    report: Report,
    looks: Looks,
  ) {
    this.#scheduler = scheduler;
    this.#dice = dice;
    this.#options = options;
    this.#report = report;
    this.#looks = looks;
  }

  /** Names and bytes as they truly are. */
  objects(): ReadonlyMap<string, Stored> {
    return this.#objects;
  }

  /** From now on it is honest, quick and there. */
  calm(): void {
    this.#isCalm = true;
    this.isDown = false;
    this.#lies = [];
  }

  /** Ends all lies. */
  repent(): void {
    this.#lies = [];
  }

  /** Begins to lie, to everyone or to the machine `to`; does nothing when there is no occasion. */
  lie(kind: LieKind, to: string | null): void {
    const lie = makeLie(kind, to, this.#objects, this.#order, this.#dice);
    if (lie !== null) this.#lies.push(lie);
  }

  /** The store as a run of the program sees it. */
  open(visitor: Visitor): ObjectStore {
    const store: ObjectStore = {
      label: "the simulated store",
      concurrency: 4,
      isBatching: false,
      get: (name, options) =>
        this.#call(visitor, `get ${name}`, options, () => this.#get(visitor, name)),
      put: (name, body, options) => {
        const bytes = body.slice();
        return this.#call(visitor, `put ${name}`, options, () => this.#put(visitor, name, bytes));
      },
      putAll: (items: readonly PutItem[], options?: StoreOptions) => putEach(store, items, options),
      list: (prefix, options) => this.#list(visitor, prefix, options),
      delete: (name, options) =>
        this.#call(visitor, `delete ${name}`, options, () => this.#delete(visitor, name)),
    };
    return store;
  }

  async #call<Result>(
    visitor: Visitor,
    what: string,
    options: StoreOptions = {},
    effect: () => Result,
  ): Promise<Result> {
    options.signal?.throwIfAborted();
    this.#report.trace(`${visitor.name} ${what}`);
    visitor.onCall(what);
    await this.#scheduler.wait(this.#latencyMs(), visitor);
    options.signal?.throwIfAborted();
    if (this.#fails(visitor, "fail before", this.#options.failBefore)) throw unreachable(what);
    const result = effect();
    if (!this.#fails(visitor, "fail after", this.#options.failAfter)) return result;
    // The caller hears of the failure later than the store has had the effect.
    await this.#scheduler.wait(this.#latencyMs(), visitor);
    throw unreachable(what);
  }

  #latencyMs(): number {
    const isSlow = !this.#isCalm && this.#dice.isLucky(this.#options.delay);
    if (isSlow) this.#report.fault("delay");
    return this.#dice.between(1, isSlow ? DELAY_MS_MAX : LATENCY_MS_MAX);
  }

  #fails({ exposure }: Visitor, kind: string, chance: number): boolean {
    if (!this.isDown && (this.#isCalm || !this.#dice.isLucky(chance))) return false;
    this.#report.fault(this.isDown ? "store down" : kind);
    exposure.hasFailed = true;
    return true;
  }

  #put(visitor: Visitor, name: ObjectName, bytes: Bytes): PutOutcome {
    const present = this.#objects.get(name);
    this.#checkSecrets(name, bytes);
    visitor.known.add(name);
    if (isLog(name)) visitor.exposure.logNames.add(name);
    if (present !== undefined) {
      if (equalBytes(present.bytes, bytes)) return "exists";
      // Two machines may make a vault in the same moment; nobody may do so with anything else.
      if (name.includes("/")) {
        this.#report.violation("written once", `${visitor.name} puts other bytes to ${name}`);
      }
      return "differs";
    }
    const before = this.#deleted.get(name);
    if (before !== undefined && !equalBytes(before.bytes, bytes)) {
      this.#report.violation("written once", `${visitor.name} puts other bytes to ${name} again`);
    }
    this.#deleted.delete(name);
    const { nowMs } = this.#scheduler;
    const order = ++this.#order;
    this.#objects.set(name, { bytes, putAtMs: nowMs, order, by: visitor.name, deleted: null });
    this.#looks.note(visitor.name, [name], nowMs);
    const wrong = this.past?.put(name, bytes, this.#actor(visitor), nowMs) ?? null;
    if (wrong !== null) this.#report.violation("nothing needed is left out", wrong);
    this.#report.count("objects");
    return "created";
  }

  #delete(visitor: Visitor, name: ObjectName): void {
    const stored = this.#objects.get(name);
    const { nowMs } = this.#scheduler;
    if (stored === undefined) return;
    const wrong = this.past?.delete(name, this.#actor(visitor), nowMs) ?? null;
    if (wrong !== null) this.#report.violation("deleted when nobody needs it", wrong);
    this.#objects.delete(name);
    const deleted = { atMs: nowMs, order: ++this.#order, by: visitor.name };
    this.#deleted.set(name, { ...stored, deleted });
    this.#report.count("objects deleted");
  }

  #actor({ name, known, beganMs }: Visitor): Actor {
    const maker = (object: string) => (this.#objects.get(object) ?? this.#deleted.get(object))?.by;
    const seen = (object: string, putAtMs: number) => {
      return maker(object) === name || (known.has(object) && putAtMs <= beganMs - STALE_MS_MAX);
    };
    const hasMade = (object: string) => this.#looks.isBy(name, maker(object) ?? "");
    return { name, seen, hasMade };
  }

  #isNeeded(name: string): boolean {
    return this.past?.isNeeded(name) ?? true;
  }

  /** Nothing readable, in names or in bytes. */
  #checkSecrets(name: string, bytes: Bytes): void {
    const body = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    for (const needle of NEEDLES) {
      const isInName = typeof needle === "string" && name.includes(needle);
      if (isInName || body.includes(needle)) {
        this.#report.violation("nothing readable", `${needle} is in ${name}`);
      }
    }
  }

  #liesTo(visitor: Visitor): readonly Lie[] {
    return this.#lies.filter(({ to }) => to === null || to === visitor.name);
  }

  #get(visitor: Visitor, name: ObjectName): Bytes | null {
    const { exposure } = visitor;
    const stored = this.#objects.get(name);
    for (const lie of this.#liesTo(visitor)) {
      const extra = lie.extra.get(name);
      if (extra !== undefined) return extra.slice();
      if (stored === undefined || !lie.isHidden(name, stored)) continue;
      this.#strike(visitor, lie.kind);
      if (!name.includes("/")) exposure.isVaultHidden = true;
      const isPromised = exposure.logNames.has(name) || name.startsWith("packs/");
      if (isPromised && this.#isNeeded(name)) {
        exposure.mustNotice.set(name, `${lie.kind}: ${name} is not there`);
      }
      return null;
    }
    const old = this.#deleted.get(name);
    const back = old === undefined ? null : this.#liesTo(visitor).find((lie) => lie.isBack(old));
    if (back) this.#strike(visitor, back.kind);
    if (stored === undefined) return back ? old!.bytes.slice() : null;
    const bytes = stored.bytes.slice();
    if (!name.includes("/")) return bytes;
    for (const { kind } of this.#liesTo(visitor)) {
      if (!["flip", "truncate", "swap"].includes(kind)) continue;
      if (!this.#dice.isLucky(STRIKE_CHANCE)) continue;
      const changed = this.#changed(kind, name, bytes);
      if (changed === null) continue;
      this.#strike(visitor, kind);
      if (this.#isNeeded(name)) {
        exposure.mustNotice.set(name, `${kind}: other bytes of ${name}`);
      }
      return changed;
    }
    exposure.mustNotice.delete(name);
    return bytes;
  }

  #changed(kind: LieKind, name: string, bytes: Bytes): Bytes | null {
    if (kind === "truncate") return bytes.slice(0, this.#dice.below(bytes.length));
    if (kind === "flip") {
      bytes[this.#dice.below(bytes.length)]! ^= 1 << this.#dice.below(8);
      return bytes;
    }
    const area = name.split("/")[0]! + "/";
    const others = [...this.#objects.keys()].filter((other) =>
      other !== name && other.startsWith(area)
    );
    const other = this.#dice.pick(others.sort());
    return other === null ? null : this.#objects.get(other)!.bytes.slice();
  }

  #strike(visitor: Visitor, kind: LieKind): void {
    visitor.exposure.lies.add(kind);
    this.#report.fault(`lie: ${kind}`);
    this.#report.trace(`lie to ${visitor.name}: ${kind}`);
  }

  async *#list(
    visitor: Visitor,
    prefix: string,
    options: ListOptions = {},
  ): AsyncIterable<ObjectInfo> {
    const infos = await this.#call(visitor, `list ${prefix}`, options, () => {
      return this.#namesFor(visitor, prefix);
    });
    for (const info of infos) {
      if (options.after === undefined || info.name > options.after) yield info;
    }
  }

  #namesFor(visitor: Visitor, prefix: string): ObjectInfo[] {
    const { exposure, known } = visitor;
    const shown = new Map<string, number>();
    const lists = this.#isCalm ? "fresh" : this.#options.lists;
    const { nowMs } = this.#scheduler;
    const isLate = latenessOf(lists, visitor, this.#objects, this.#dice, nowMs);
    if (prefix === "log/") exposure.hasLooked = true;
    // `gc` has read the logs when it lists everything. It takes no entry in from that list: what is
    // shown or hidden there for the first time is for the next look (FORMAT.md 10.6, 11), and what
    // a deletion rests on is fetched, or looked for by name. For `verify` this list is the look.
    const isTally = prefix === "" && exposure.hasLooked;
    let wasLate = false;
    for (const [name, stored] of this.#objects) {
      if (!name.startsWith(prefix)) continue;
      const liar = this.#liesTo(visitor).find((lie) => lie.isHidden(name, stored));
      if (liar !== undefined) {
        this.#strike(visitor, liar.kind);
        if (!isTally && visitor.accepted.has(name) && this.#isNeeded(name)) {
          exposure.mustNotice.set(`list ${name}`, `${liar.kind}: ${name} is hidden`);
        }
        continue;
      }
      if (!known.has(name) && isLate.put(stored)) {
        wasLate = true;
        continue;
      }
      shown.set(name, stored.bytes.length);
    }
    for (const [name, stored] of this.#deleted) {
      if (!name.startsWith(prefix)) continue;
      const liar = this.#liesTo(visitor).find((lie) => lie.isBack(stored));
      if (liar !== undefined) this.#strike(visitor, liar.kind);
      else if (stored.deleted!.by === visitor.name || !isLate.deletion(stored)) continue;
      else this.#report.fault("deleted object listed");
      shown.set(name, stored.bytes.length);
    }
    if (wasLate) this.#report.fault(`${lists} list`);
    for (const lie of this.#liesTo(visitor)) {
      for (const [name, bytes] of lie.extra) {
        if (!name.startsWith(prefix) || shown.has(name)) continue;
        this.#strike(visitor, lie.kind);
        const isKnown = [...visitor.accepted].some((other) => logOf(other) === logOf(name));
        if (isKnown && !isTally) exposure.mustNotice.set(name, `replay: ${name}`);
        shown.set(name, bytes.length);
      }
    }
    for (const [key, what] of exposure.mustNotice) {
      // What it is shown right when it looks again is forgiven, too.
      const hidden = key.startsWith("list ") ? key.slice("list ".length) : null;
      const isRight = hidden !== null && shown.has(hidden);
      // And nobody can miss what was never taken in and is not shown any more.
      const mayGo = what.startsWith("replay: ") || !visitor.accepted.has(key);
      const isGone = hidden === null && key.startsWith(prefix) && !shown.has(key) && mayGo;
      if (isRight || isGone) exposure.mustNotice.delete(key);
    }
    this.#looks.note(visitor.name, shown.keys(), this.#scheduler.nowMs);
    for (const name of shown.keys()) {
      known.add(name);
      if (isLog(name) && !isTally) exposure.logNames.add(name);
    }
    return [...shown].sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([name, sizeBytes]) => ({ name: name as ObjectName, sizeBytes }));
  }
}

function logOf(name: string): string {
  return name.split("/")[1] ?? "";
}

function unreachable(what: string): ClaudeSyncError {
  return new ClaudeSyncError("store-unreachable", `The simulated store fails: ${what}`);
}
