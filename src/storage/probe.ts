/** Tries what a vault needs of a store, with an object that no vault would take for its own. */
import { type Bytes, equalBytes, toHex } from "../base/bytes.ts";
import { ClaudeSyncError, isClaudeSyncError } from "../errors.ts";
import type { Clock, Random } from "../platform/types.ts";
import { type ObjectName, objectName } from "./object_name.ts";
import type { ObjectStore, StoreOptions } from "./object_store.ts";

/** What is tried, in this order. */
export const PROBE_ACTIONS = ["put", "get", "list", "delete"] as const;

/** One of `PROBE_ACTIONS`. */
export type ProbeAction = (typeof PROBE_ACTIONS)[number];

/** How one action went. */
export interface ProbeStep {
  readonly action: ProbeAction;
  readonly ms: number;
  /** Null when it works. */
  readonly error: ClaudeSyncError | null;
}

/** What is needed besides the store. */
export interface ProbeOptions extends StoreOptions {
  readonly clock: Clock;
  readonly random: Random;
}

/** Size of the probe's object: that of the smallest sealed one, random like it. */
export const PROBE_BYTES = 4096;
/** How often the list is asked until it shows the object: lists may come late. */
export const PROBE_LISTS_MAX = 6;
const LIST_PAUSE_MS = 500;
const NAME_RANDOM_BYTES = 8;
const NAME = "claude-sync-probe-";

/**
 * Tries every action, also after one that failed: a missing permission seldom comes alone. Stops
 * early only where the store cannot be reached. The object is deleted in any case that lets it.
 * Rejects only when aborted, or for a bug.
 */
export async function probeStore(
  store: ObjectStore,
  options: ProbeOptions,
): Promise<readonly ProbeStep[]> {
  const { clock, random, signal } = options;
  const name = objectName(`${NAME}${toHex(random.bytes(NAME_RANDOM_BYTES))}`);
  const probe = new Probe(store, name, random.bytes(PROBE_BYTES), options);
  const steps: ProbeStep[] = [];
  try {
    for (const action of PROBE_ACTIONS) {
      const startMs = clock.monotonicMs();
      const error = await failureOf(() => probe.run(action));
      steps.push({ action, ms: clock.monotonicMs() - startMs, error });
      signal?.throwIfAborted();
      if (isClaudeSyncError(error, "store-unreachable") && action === "put") break;
    }
  } finally {
    await probe.cleanUp();
  }
  return steps;
}

async function failureOf(call: () => Promise<void>): Promise<ClaudeSyncError | null> {
  try {
    await call();
    return null;
  } catch (error) {
    if (!isClaudeSyncError(error) || isClaudeSyncError(error, "bug", "interrupted")) throw error;
    return error;
  }
}

class Probe {
  readonly #store: ObjectStore;
  readonly #name: ObjectName;
  readonly #body: Bytes;
  readonly #options: ProbeOptions;
  /** Whether something may be there that has to go again. */
  #mayBeThere = false;
  #isPut = false;

  constructor(store: ObjectStore, name: ObjectName, body: Bytes, options: ProbeOptions) {
    this.#store = store;
    this.#name = name;
    this.#body = body;
    this.#options = options;
  }

  async run(action: ProbeAction): Promise<void> {
    switch (action) {
      case "put":
        return await this.#put();
      case "get":
        return await this.#get();
      case "list":
        return await this.#list();
      case "delete":
        await this.#store.delete(this.#name, this.#callOptions());
        this.#mayBeThere = false;
    }
  }

  /** Takes away what an interrupted probe has left; says nothing when it cannot. */
  async cleanUp(): Promise<void> {
    if (!this.#mayBeThere) return;
    await failureOf(() => this.#store.delete(this.#name));
  }

  #callOptions(): StoreOptions {
    const { signal } = this.#options;
    return signal === undefined ? {} : { signal };
  }

  async #put(): Promise<void> {
    this.#mayBeThere = true;
    const outcome = await this.#store.put(this.#name, this.#body, this.#callOptions());
    if (outcome === "differs") throw this.#broken("says that a new name is taken");
    this.#isPut = true;
  }

  async #get(): Promise<void> {
    const bytes = await this.#store.get(this.#name, this.#callOptions());
    if (!this.#isPut) return;
    if (bytes === null) throw this.#broken("does not give back what it has just taken");
    if (!equalBytes(bytes, this.#body)) throw this.#broken("gives back other bytes than it took");
  }

  async #list(): Promise<void> {
    for (let attempt = 1;; attempt++) {
      if (await this.#isListed() || !this.#isPut) return;
      if (attempt === PROBE_LISTS_MAX) break;
      await this.#options.clock.sleep(LIST_PAUSE_MS, this.#options.signal);
    }
    throw this.#broken("does not list what it has");
  }

  async #isListed(): Promise<boolean> {
    // From just before the object's name: a vault may hold many others.
    const after = objectName(this.#name.slice(0, -1));
    for await (const { name } of this.#store.list("", { ...this.#callOptions(), after })) {
      if (name >= this.#name) return name === this.#name;
    }
    return false;
  }

  #broken(what: string): ClaudeSyncError {
    return new ClaudeSyncError("store-invalid", `${this.#store.label} ${what}`, {
      objectName: this.#name,
      hint: "A vault cannot be kept there; if it is a cache or a mirror, name what lies behind it",
    });
  }
}
