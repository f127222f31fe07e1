/** Copies a vault's objects from one store to another, which may have some of them already. */
import { type Bytes, equalBytes } from "../base/bytes.ts";
import { mapConcurrently } from "../base/pool.ts";
import { ClaudeSyncError } from "../errors.ts";
import type { ObjectName } from "../storage/object_name.ts";
import type { ObjectInfo, ObjectStore } from "../storage/object_store.ts";
import { HEADER_NAME, objectKindOf, parseLogEntryName } from "../vault/names.ts";

/** Objects that are on their way at one moment: each is in memory twice. */
const COPIES_MAX = 8;
/** Objects of one step for a store that takes them so. */
const BATCH_OBJECTS_MAX = 256;
/** Bytes of one such step, unless a single object has more. */
const BATCH_BYTES_MAX = 32 * 1024 * 1024;

/** What was done so far. */
export interface CopyTally {
  readonly copied: number;
  readonly copiedBytes: number;
  readonly verified: number;
  readonly verifiedBytes: number;
}

/** What a copy works with. */
export interface CopyOptions {
  readonly signal: AbortSignal;
  /** What the target has from a copy that was finished, and so need not be read again. */
  readonly settled: ReadonlyMap<ObjectName, ObjectInfo>;
  /** Called after every object. */
  readonly onProgress: (tally: CopyTally) => void;
}

/** The vault's objects in a store, by name. Strangers are left out. */
export async function listVault(
  store: ObjectStore,
  signal: AbortSignal,
): Promise<Map<ObjectName, ObjectInfo>> {
  const objects = new Map<ObjectName, ObjectInfo>();
  for await (const info of store.list("", { signal })) {
    if (objectKindOf(info.name) !== null) objects.set(info.name, info);
  }
  return objects;
}

/**
 * Copies objects and reads every one back. What an unfinished copy has left is read and compared
 * all the same: so an interrupted one goes on. The order keeps the target readable for others while
 * they work with it: packs before the entries that name them, a log's entries in theirs.
 */
export class VaultCopy {
  readonly #source: ObjectStore;
  readonly #target: ObjectStore;
  readonly #options: CopyOptions;
  readonly #verified = new Set<ObjectName>();
  #copied = 0;
  #copiedBytes = 0;
  #verifiedBytes = 0;

  constructor(source: ObjectStore, target: ObjectStore, options: CopyOptions) {
    this.#source = source;
    this.#target = target;
    this.#options = options;
  }

  get tally(): CopyTally {
    return {
      copied: this.#copied,
      copiedBytes: this.#copiedBytes,
      verified: this.#verified.size,
      verifiedBytes: this.#verifiedBytes,
    };
  }

  /** Whether nothing of `objects` is left to do. */
  isDone(objects: ReadonlyMap<ObjectName, ObjectInfo>): boolean {
    return [...objects.values()].every((info) => this.#isSettled(info));
  }

  #isSettled({ name, sizeBytes }: ObjectInfo): boolean {
    return this.#verified.has(name) || this.#options.settled.get(name)?.sizeBytes === sizeBytes;
  }

  /**
   * Copies all of `objects` but the header, which comes last: where it is, others take the vault to
   * be there. `present` is what the target has. Errors: the stores' own; `store-invalid` when the
   * target holds other bytes under one of the names.
   */
  async copy(
    objects: ReadonlyMap<ObjectName, ObjectInfo>,
    present: ReadonlyMap<ObjectName, ObjectInfo>,
  ): Promise<void> {
    const open = [...objects.values()].filter((info) => !this.#isSettled(info));
    const isEntry = ({ name }: ObjectInfo) => parseLogEntryName(name) !== null;
    const isHeader = ({ name }: ObjectInfo) => name === HEADER_NAME;
    const rest = open.filter((info) => !isEntry(info) && !isHeader(info));
    await this.#copyGroup(rest, present, COPIES_MAX);
    // Without a header nobody reads the target yet, and the order within it does not matter.
    const lanes = present.has(HEADER_NAME) ? 1 : COPIES_MAX;
    await this.#copyGroup(open.filter(isEntry), present, lanes);
    await this.#copyGroup(open.filter(isHeader), present, 1);
  }

  async #copyGroup(
    group: readonly ObjectInfo[],
    present: ReadonlyMap<ObjectName, ObjectInfo>,
    lanes: number,
  ): Promise<void> {
    const absent = group.filter(({ name }) => !present.has(name));
    if (this.#target.isBatching) {
      for (const batch of batches(absent)) await this.#putBatch(batch);
    }
    await mapConcurrently(group, lanes, (info) => this.#copyOne(info, present));
  }

  async #putBatch(batch: readonly ObjectInfo[]): Promise<void> {
    const { signal } = this.#options;
    const items = batch.map(({ name }) => ({ name, read: () => this.#read(name) }));
    const differing = await this.#target.putAll(items, { signal });
    if (differing !== null) throw this.#otherBytes(differing);
    for (const { sizeBytes } of batch) this.#count(sizeBytes);
  }

  async #copyOne(
    { name, sizeBytes }: ObjectInfo,
    present: ReadonlyMap<ObjectName, ObjectInfo>,
  ): Promise<void> {
    const { signal, onProgress } = this.#options;
    signal.throwIfAborted();
    const bytes = await this.#read(name);
    if (!present.has(name) && !this.#target.isBatching) {
      const outcome = await this.#target.put(name, bytes, { signal });
      if (outcome === "differs") throw this.#otherBytes(name);
      this.#count(sizeBytes);
    }
    const back = await this.#target.get(name, { signal });
    if (back === null) {
      throw new ClaudeSyncError(
        "store-invalid",
        `${this.#target.label} does not have what it took`,
        { objectName: name, hint: "Try again; the old place is as it was and still in use" },
      );
    }
    if (!equalBytes(back, bytes)) throw this.#otherBytes(name);
    this.#verified.add(name);
    this.#verifiedBytes += sizeBytes;
    onProgress(this.tally);
  }

  #count(sizeBytes: number): void {
    this.#copied++;
    this.#copiedBytes += sizeBytes;
  }

  async #read(name: ObjectName): Promise<Bytes> {
    const bytes = await this.#source.get(name, { signal: this.#options.signal });
    if (bytes !== null) return bytes;
    throw new ClaudeSyncError("incomplete", `${this.#source.label} lists an object it has not`, {
      objectName: name,
      hint: "Try again; if it stays: claude-sync verify",
    });
  }

  #otherBytes(name: ObjectName): ClaudeSyncError {
    return new ClaudeSyncError(
      "store-invalid",
      `${this.#target.label} holds something else under a name of this vault`,
      {
        objectName: name,
        hint: "Remove that one object there and run the command again; the old place is as it was",
      },
    );
  }
}

/** Cuts a series where a batch has enough objects or bytes. */
function batches(objects: readonly ObjectInfo[]): ObjectInfo[][] {
  const cut: ObjectInfo[][] = [];
  let bytes = 0;
  for (const info of objects) {
    const last = cut.at(-1);
    bytes += info.sizeBytes;
    if (last === undefined || last.length === BATCH_OBJECTS_MAX || bytes > BATCH_BYTES_MAX) {
      cut.push([info]);
      bytes = info.sizeBytes;
    } else last.push(info);
  }
  return cut;
}
