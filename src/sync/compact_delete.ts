/** Deletes what checkpoints have replaced, when nobody can need it any more (FORMAT.md 12.2). */
import { ClaudeSyncError } from "../errors.ts";
import { type ObjectName, objectName } from "../storage/object_name.ts";
import type { ObjectInfo } from "../storage/object_store.ts";
import { isCovered } from "../vault/entry_rules.ts";
import { objectKindOf, parsePackName } from "../vault/names.ts";
import type { ObjectTally } from "./gc_api.ts";
import { entriesOf } from "./log_entries.ts";
import type { Seen } from "./fresh_vault.ts";
import type { MachineRow } from "./segment_index.ts";
import type { SleepWatch } from "./sleep_watch.ts";
import type { OpenVault } from "./vault_access.ts";

/** All objects of the store, by name. */
export type Listing = ReadonlyMap<string, ObjectInfo>;

/** Objects that may go, in the order in which they do. */
export interface Doomed {
  readonly packs: readonly ObjectInfo[];
  readonly entries: readonly ObjectInfo[];
}

/** Lists the whole vault. */
export async function listAll(vault: OpenVault, prefix = ""): Promise<Map<string, ObjectInfo>> {
  const listed = new Map<string, ObjectInfo>();
  for await (const info of vault.opener.store.list(prefix, { signal: vault.context.signal })) {
    if (objectKindOf(info.name) !== null) listed.set(info.name, info);
  }
  return listed;
}

/** Names of all objects that hold what is needed, with their sizes. */
function neededObjects(vault: OpenVault): Map<string, number> {
  const rows = vault.database.prepare(
    `SELECT name, size FROM object WHERE id IN
       (SELECT object FROM grp WHERE id IN (SELECT grp FROM segment))`,
  ).all() as { name: string; size: number }[];
  return new Map(rows.map(({ name, size }) => [name, size]));
}

/**
 * The look before anything is deleted. Errors: `damaged` when a log does not open, `incomplete`
 * when something that is needed is not listed.
 */
export function requireWhole(vault: OpenVault, seen: Seen, listed: Listing): void {
  const hint = "Nothing was deleted. Find out what is wrong: claude-sync verify";
  const [strange] = seen.foreign;
  if (strange !== undefined) {
    throw new ClaudeSyncError("damaged", "The vault has a log that does not open", {
      objectName: strange.name,
      hint,
    });
  }
  for (const [name, size] of neededObjects(vault)) {
    if (listed.get(name)?.sizeBytes === size) continue;
    throw new ClaudeSyncError("incomplete", "The store does not list an object that is needed", {
      objectName: name,
      hint,
    });
  }
}

/**
 * What is left of a log's entries that this machine's own log says again, and of the packs that
 * only these entries name. Both are read for that, as nothing else knows: `own` is this machine's
 * row, `row` that of the log, the same or one that it has retired. Errors: as `entriesOf`.
 */
export async function doomedOf(
  vault: OpenVault,
  { own, row, logs }: {
    readonly own: MachineRow;
    readonly row: MachineRow;
    readonly logs: Seen["logs"];
  },
  listed: Listing,
): Promise<Doomed> {
  const kept = new Set(neededObjects(vault).keys());
  let covered: readonly string[] = [];
  const ownLog = logs.get(own.tag)?.filter(({ seq }) => seq >= own.base) ?? [];
  for await (const { body } of entriesOf(vault, own, ownLog)) {
    for (const { name } of body.packs) kept.add(name);
    for (const op of body.ops) {
      const isAboutIt = row.tag === own.tag
        ? op.op === "checkpoint"
        : op.op === "retire" && op.tag === row.tag && op.covered.length > covered.length;
      if (isAboutIt && "covered" in op) covered = op.covered;
    }
  }
  // A clone's entry that came late has a number that is replaced, but nobody has said it again.
  const old = (logs.get(row.tag) ?? []).filter(({ seq, hash8, name }) =>
    seq <= covered.length && isCovered(covered, seq, hash8) && listed.has(name)
  );
  const packs = new Map<string, ObjectInfo>();
  for await (const { body } of entriesOf(vault, row, old)) {
    for (const { name } of body.packs) {
      const info = listed.get(name);
      if (info !== undefined && !kept.has(name)) packs.set(name, info);
    }
  }
  return { packs: [...packs.values()], entries: old.map(({ name }) => listed.get(name)!) };
}

/**
 * Whether a file has lost its beginning: a checkpoint left out what was forgotten, and somebody
 * went on with it who did not know of that yet. What it has replaced still has the beginning.
 */
export function lacksBeginning({ index, forgotten }: OpenVault): boolean {
  for (const session of forgotten.sessions()) {
    for (const file of index.files(session)) {
      const leaves = index.leaves(session, file);
      if (leaves.some((leaf) => index.chain(session, file, leaf) === null)) return true;
    }
  }
  return false;
}

/**
 * Packs that nothing names which is needed. What an entry names for nothing has to be there. A log
 * that the store does not show may name them: that alone is no reason to delete them.
 */
export function unnamedPacks(vault: OpenVault, listed: Listing): ObjectInfo[] {
  const needed = neededObjects(vault);
  const empty = new Set(
    (vault.database.prepare("SELECT name FROM empty_pack").all() as { name: string }[])
      .map(({ name }) => name),
  );
  return [...listed.values()].filter(({ name }) =>
    parsePackName(name) !== null && !needed.has(name) && !empty.has(name)
  );
}

/** How many and how large. */
export function tallyOf(objects: readonly ObjectInfo[]): ObjectTally {
  return {
    objects: objects.length,
    bytes: objects.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0),
  };
}

/** The sum of both. */
export function addTallies(a: ObjectTally, b: ObjectTally): ObjectTally {
  return { objects: a.objects + b.objects, bytes: a.bytes + b.bytes };
}

/**
 * Deletes packs, then entries in their order. What is gone already does no harm, so an interrupted
 * deletion goes on where it was. Errors: the store's own, `interrupted` when this machine slept.
 */
export async function deleteDoomed(
  vault: OpenVault,
  { packs, entries }: Doomed,
  watch: SleepWatch,
): Promise<void> {
  const { store, signal } = vault.opener;
  const total = tallyOf([...packs, ...entries]);
  const sizes = new Map([...packs, ...entries].map(({ name, sizeBytes }) => [name, sizeBytes]));
  let done: ObjectTally = { objects: 0, bytes: 0 };
  const isDone = (name: ObjectName) => {
    done = addTallies(done, { objects: 1, bytes: sizes.get(name)! });
    vault.context.onProgress({
      kind: "objects",
      doneBytes: done.bytes,
      totalBytes: total.bytes,
      doneObjects: done.objects,
      totalObjects: total.objects,
    });
    watch.requireAwake();
  };
  watch.requireAwake();
  for (const objects of [packs, entries]) {
    const names = objects.map(({ name }) => objectName(name));
    await store.deleteAll(names, { signal, isDone });
  }
}
