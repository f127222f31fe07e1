/** A world that is made once and can be had again and again, each time with other faults. */
import fs from "node:fs";
import { join } from "node:path";
import { MemoryStore } from "../../src/storage/memory/store.ts";
import { parseObjectName } from "../../src/storage/object_name.ts";
import { type FaultPlan, type FaultyFs, faultyFs } from "./faulty_fs.ts";
import { type FaultyStore, faultyStore } from "./faulty_store.ts";
import { emptyWorld, objectsOf, type SyncWorld } from "./sync_world.ts";

const KEEP_TIMES: fs.CopySyncOptions = { recursive: true, preserveTimestamps: true };

/** What is broken on one of the machines. */
export interface Faults {
  /** Of its disk. */
  readonly plan?: FaultPlan;
  /** Is given its disk, if that is broken. */
  readonly onFs?: (fs: FaultyFs) => void;
  /** Is given each store that it opens, to break it. */
  readonly onStore?: (store: FaultyStore) => void;
}

/** Disks and objects of a world, always at the same place. */
export class KeptWorld {
  readonly #dir: string;
  #objects = new Map<string, string>();
  #nowMs = 0;

  /** `dir`: where all of it goes. */
  constructor(dir: string) {
    this.#dir = dir;
  }

  /** Folder in which the world's machines are to be made. */
  get place(): string {
    return join(this.#dir, "world");
  }

  /** Keeps the world as it is now. */
  async keep({ store, clock }: SyncWorld): Promise<void> {
    this.#objects = await objectsOf(store);
    this.#nowMs = clock.nowMs();
    fs.cpSync(this.place, join(this.#dir, "kept"), KEEP_TIMES);
  }

  /** The world as it was kept, with faults on the machine of that name. */
  async again(name: string, { plan, onFs, onStore }: Faults): Promise<SyncWorld> {
    fs.rmSync(this.place, { recursive: true, force: true });
    fs.cpSync(join(this.#dir, "kept"), this.place, KEEP_TIMES);
    const store = new MemoryStore();
    for (const [object, latin1] of this.#objects) {
      await store.put(parseObjectName(object)!, Uint8Array.from(latin1, (c) => c.charCodeAt(0)));
    }
    return emptyWorld(this.place, {
      startMs: this.#nowMs,
      store,
      fsOf: (each, disk) => {
        if (each !== name || plan === undefined) return disk;
        const faulty = faultyFs(disk, plan);
        onFs?.(faulty);
        return faulty;
      },
      storeOf: (each, real) => {
        if (each !== name || onStore === undefined) return real;
        const faulty = faultyStore(real);
        onStore(faulty);
        return faulty;
      },
    });
  }

  /** `world`, on the same disks and store, with nothing broken any more. */
  healed({ store, clock }: SyncWorld): SyncWorld {
    return emptyWorld(this.place, { startMs: clock.nowMs(), store });
  }
}
