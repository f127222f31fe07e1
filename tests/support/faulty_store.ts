/** A store that misbehaves by plan: what a broken network or a hostile provider does. */
import type { Bytes } from "../../src/base/bytes.ts";
import { ClaudeSyncError, type ErrorCode } from "../../src/errors.ts";
import type { ObjectName } from "../../src/storage/object_name.ts";
import type {
  ListOptions,
  ObjectInfo,
  ObjectStore,
  PutItem,
  PutOutcome,
  StoreOptions,
} from "../../src/storage/object_store.ts";
import { putEach } from "../../src/storage/put_each.ts";
import { RetryAfter } from "../../src/storage/retry_after.ts";

/** The operations of a store. */
export type StoreCall = "get" | "put" | "list" | "delete";

/** One way to misbehave. Those that change bytes apply to `get` only. */
export type StoreFault =
  /** Throws; `after`: the operation has happened (a list has given `afterNames` names). */
  | {
    readonly kind: "fail";
    readonly effect?: "before" | "after";
    readonly code?: ErrorCode;
    readonly retryAfterMs?: number;
    readonly afterNames?: number;
  }
  /** Gives only the first bytes. */
  | { readonly kind: "truncate"; readonly keepBytes: number }
  /** Gives the bytes with one bit, counted from the start, turned over. */
  | { readonly kind: "flip-bit"; readonly bitIndex: number }
  /** Gives other bytes, e.g. those of another object or an older state. */
  | { readonly kind: "replace"; readonly bytes: Bytes }
  /** Denies that objects are there: `get` gives null, `list` leaves them out. */
  | { readonly kind: "hide"; readonly names: (name: ObjectName) => boolean }
  /** `list` leaves out the last objects that were put through this store. */
  | { readonly kind: "stale-list"; readonly missingPuts: number };

/** When to misbehave: on which of the calls that match. */
export interface PlannedFault {
  /** The operation; every one unless given. */
  readonly on?: StoreCall;
  /** Which object name, or list prefix; every one unless given. */
  readonly subject?: (nameOrPrefix: string) => boolean;
  /** The first call to strike, counted from 1. Default 1. */
  readonly nth?: number;
  /** How many calls to strike. Default 1; `Infinity` for ever. */
  readonly times?: number;
  readonly fault: StoreFault;
}

/** A store with faults; `calls` counts all operations, `struck` those that a fault met. */
export interface FaultyStore extends ObjectStore {
  readonly calls: number;
  readonly struck: number;
  /** Adds to the plan; counting starts now. */
  plan(...faults: readonly PlannedFault[]): void;
  /** Ends all faults. */
  heal(): void;
}

/** Fails the `nth` operation of any kind: for loops that break every call in turn. */
export function failNth(nth: number, effect: "before" | "after", times = 1): PlannedFault {
  return { nth, times, fault: { kind: "fail", effect } };
}

/** Wraps `store` so that it misbehaves by `faults`. */
export function faultyStore(
  store: ObjectStore,
  ...faults: readonly PlannedFault[]
): FaultyStore {
  return new PlannedFaults(store, faults);
}

class PlannedFaults implements FaultyStore {
  readonly #store: ObjectStore;
  #plan: { planned: PlannedFault; matches: number }[] = [];
  readonly #putNames: ObjectName[] = [];
  #calls = 0;
  #struck = 0;

  constructor(store: ObjectStore, faults: readonly PlannedFault[]) {
    this.#store = store;
    this.plan(...faults);
  }

  get label(): string {
    return this.#store.label;
  }

  get concurrency(): number {
    return this.#store.concurrency;
  }

  /** Each put of a batch can be struck by itself. */
  readonly isBatching = false;

  get calls(): number {
    return this.#calls;
  }

  get struck(): number {
    return this.#struck;
  }

  plan(...faults: readonly PlannedFault[]): void {
    this.#plan.push(...faults.map((planned) => ({ planned, matches: 0 })));
  }

  heal(): void {
    this.#plan = [];
  }

  async get(name: ObjectName, options?: StoreOptions): Promise<Bytes | null> {
    const faults = this.#strike("get", name);
    failIf(faults, "before", name);
    let bytes = await this.#store.get(name, options);
    for (const fault of faults) bytes = changed(bytes, fault, name);
    failIf(faults, "after", name);
    return bytes;
  }

  async put(name: ObjectName, body: Bytes, options?: StoreOptions): Promise<PutOutcome> {
    const faults = this.#strike("put", name);
    failIf(faults, "before", name);
    const outcome = await this.#store.put(name, body, options);
    if (outcome === "created") this.#putNames.push(name);
    failIf(faults, "after", name);
    return outcome;
  }

  putAll(items: readonly PutItem[], options?: StoreOptions): Promise<ObjectName | null> {
    return putEach(this, items, options);
  }

  async *list(prefix: string, options?: ListOptions): AsyncIterable<ObjectInfo> {
    const faults = this.#strike("list", prefix);
    failIf(faults, "before", prefix);
    const hidden = this.#hiddenBy(faults);
    const failing = faults.find((fault) => fault.kind === "fail");
    let given = 0;
    for await (const info of this.#store.list(prefix, options)) {
      if (hidden(info.name)) continue;
      if (failing?.afterNames === given) failIf(faults, "after", prefix);
      given++;
      yield info;
    }
    failIf(faults, "after", prefix);
  }

  async delete(name: ObjectName, options?: StoreOptions): Promise<void> {
    const faults = this.#strike("delete", name);
    failIf(faults, "before", name);
    await this.#store.delete(name, options);
    failIf(faults, "after", name);
  }

  #strike(call: StoreCall, subject: string): StoreFault[] {
    this.#calls++;
    const faults: StoreFault[] = [];
    for (const entry of this.#plan) {
      const { on, subject: matches, nth = 1, times = 1, fault } = entry.planned;
      if (on !== undefined && on !== call) continue;
      if (matches !== undefined && !matches(subject)) continue;
      entry.matches++;
      if (entry.matches >= nth && entry.matches < nth + times) faults.push(fault);
    }
    if (faults.length > 0) this.#struck++;
    return faults;
  }

  #hiddenBy(faults: readonly StoreFault[]): (name: ObjectName) => boolean {
    const stale = new Set<ObjectName>();
    for (const fault of faults) {
      if (fault.kind !== "stale-list" || fault.missingPuts === 0) continue;
      for (const name of this.#putNames.slice(-fault.missingPuts)) stale.add(name);
    }
    return (name) =>
      stale.has(name) || faults.some((fault) => fault.kind === "hide" && fault.names(name));
  }
}

function failIf(faults: readonly StoreFault[], effect: "before" | "after", subject: string): void {
  for (const fault of faults) {
    if (fault.kind !== "fail" || (fault.effect ?? "before") !== effect) continue;
    const { code = "store-unreachable", retryAfterMs } = fault;
    const cause = retryAfterMs === undefined ? undefined : new RetryAfter(retryAfterMs);
    throw new ClaudeSyncError(code, `Planned fault ${effect} the call on "${subject}"`, { cause });
  }
}

function changed(bytes: Bytes | null, fault: StoreFault, name: ObjectName): Bytes | null {
  if (bytes === null) return null;
  switch (fault.kind) {
    case "truncate":
      return bytes.slice(0, fault.keepBytes);
    case "flip-bit": {
      const index = fault.bitIndex >>> 3;
      const flipped = bytes.slice();
      if (index < flipped.length) flipped[index]! ^= 1 << (fault.bitIndex & 7);
      return flipped;
    }
    case "replace":
      return fault.bytes.slice();
    case "hide":
      return fault.names(name) ? null : bytes;
    default:
      return bytes;
  }
}
