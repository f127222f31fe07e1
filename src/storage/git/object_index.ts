/** Which objects the vault's branches hold: what their trees say, all together. */
import type { ObjectName } from "../object_name.ts";
import type { ObjectInfo } from "../object_store.ts";
import { type BatchAnswer, type ObjectFormat, parseTree } from "./git_tree.ts";
import { isShard, readPath, shardOf, SHARED_BRANCH } from "./object_path.ts";

/** An object as one branch has it. */
export interface IndexedObject {
  readonly branch: string;
  readonly oid: string;
  readonly sizeBytes: number;
}

/** One folder of a branch. */
interface Shard {
  readonly oid: string;
  readonly objects: ReadonlyMap<ObjectName, { readonly oid: string; readonly sizeBytes: number }>;
  /** Names that this branch hides, as `branch name`. */
  readonly hidden: readonly string[];
}

interface Branch {
  readonly tip: string;
  readonly root: string;
  readonly shards: ReadonlyMap<string, Shard>;
}

/**
 * Reads Git objects of the local copy: of each id or `<commit>^{tree}` the answer. Rejects when one
 * is not there.
 */
export type ReadObjects = (ids: readonly string[]) => Promise<BatchAnswer[]>;

/**
 * The union of all branches. Where two hold one name, the shared branch counts first, then this
 * machine's own, then the others by their ids: so that what was put here is what is got here.
 */
export class ObjectIndex {
  readonly #read: ReadObjects;
  readonly #format: ObjectFormat;
  #branches = new Map<string, Branch>();
  #hidden = new Set<string>();
  #order: string[] = [];
  #sorted: ObjectInfo[] | null = null;

  constructor(read: ReadObjects, format: ObjectFormat) {
    this.#read = read;
    this.#format = format;
  }

  /** Takes in what has changed since the last time. `own`: this machine's branch. */
  async update(tips: ReadonlyMap<string, string>, own: string): Promise<void> {
    const branches = new Map<string, Branch>();
    for (const [id, tip] of tips) {
      const before = this.#branches.get(id);
      branches.set(id, before?.tip === tip ? before : await this.#readBranch(tip, before));
    }
    this.#branches = branches;
    const rest = [...tips.keys()].filter((id) => id !== SHARED_BRANCH && id !== own).sort();
    this.#order = [SHARED_BRANCH, own, ...rest].filter((id) => branches.has(id));
    this.#hidden = new Set(
      [...branches.values()].flatMap(({ shards }) =>
        [...shards.values()].flatMap(({ hidden }) => hidden)
      ),
    );
    this.#sorted = null;
  }

  /** Where an object is, or null. */
  find(name: ObjectName): IndexedObject | null {
    return this.holders(name)[0] ?? null;
  }

  /** All branches that have an object under this name, the one that counts first. */
  holders(name: ObjectName): IndexedObject[] {
    const shard = shardOf(name);
    return this.#order.flatMap((branch) => {
      const found = this.#branches.get(branch)!.shards.get(shard)?.objects.get(name);
      if (found === undefined || this.#hidden.has(`${branch} ${name}`)) return [];
      return [{ branch, ...found }];
    });
  }

  /** Whether another machine has hidden what `branch` holds under this name. */
  isHidden(branch: string, name: ObjectName): boolean {
    return this.#hidden.has(`${branch} ${name}`);
  }

  /** How many objects a branch holds. */
  count(branch: string): number {
    let count = 0;
    for (const { objects } of this.#branches.get(branch)?.shards.values() ?? []) {
      count += objects.size;
    }
    return count;
  }

  /** All objects, sorted by name. */
  list(): readonly ObjectInfo[] {
    if (this.#sorted !== null) return this.#sorted;
    const byName = new Map<ObjectName, ObjectInfo>();
    for (const branch of this.#order) {
      for (const { objects } of this.#branches.get(branch)!.shards.values()) {
        for (const [name, { sizeBytes }] of objects) {
          if (byName.has(name) || this.#hidden.has(`${branch} ${name}`)) continue;
          byName.set(name, { name, sizeBytes });
        }
      }
    }
    // Names are ASCII, for which UTF-16 order is UTF-8 order.
    return this.#sorted = [...byName.values()].sort((a, b) => a.name < b.name ? -1 : 1);
  }

  /** The commits that the branches stand at. */
  tips(): string[] {
    return [...this.#branches.values()].map(({ tip }) => tip);
  }

  /** Every Git object that the copy must keep: commits, trees, and objects below a size. */
  kept(belowBytes: number): { readonly needed: string[]; readonly small: string[] } {
    const needed: string[] = [];
    const small: string[] = [];
    for (const { tip, root, shards } of this.#branches.values()) {
      needed.push(tip, root);
      for (const shard of shards.values()) {
        needed.push(shard.oid);
        for (const { oid, sizeBytes } of shard.objects.values()) {
          if (sizeBytes < belowBytes) small.push(oid);
        }
      }
    }
    return { needed: [...new Set(needed)], small: [...new Set(small)] };
  }

  async #readBranch(tip: string, before: Branch | undefined): Promise<Branch> {
    const [commit, root] = await this.#read([tip, `${tip}^{tree}`]);
    const rootOid = /^tree ([0-9a-f]+)\n/.exec(latin1.decode(commit!.content.subarray(0, 80)));
    const folders = (parseTree(root!.content, this.#format) ?? [])
      .filter(({ mode, name }) => mode === "40000" && isShard(name));
    const isKnown = ({ name, oid }: { name: string; oid: string }) =>
      before?.shards.get(name)?.oid === oid;
    const unknown = folders.filter((folder) => !isKnown(folder));
    const trees = await this.#read(unknown.map(({ oid }) => oid));
    const read = new Map(
      unknown.map(({ name, oid }, i) => [name, this.#shard(name, oid, trees[i]!)]),
    );
    const shards = new Map(
      folders.map(({ name }) => [name, read.get(name) ?? before!.shards.get(name)!]),
    );
    return { tip, root: rootOid?.[1] ?? tip, shards };
  }

  #shard(shard: string, oid: string, { content }: BatchAnswer): Shard {
    const objects = new Map<ObjectName, { oid: string; sizeBytes: number }>();
    const hidden: string[] = [];
    for (const entry of parseTree(content, this.#format) ?? []) {
      // No links, submodules or folders: only ordinary files are ours.
      const meaning = entry.mode === "100644" ? readPath(shard, entry.name) : null;
      if (meaning?.kind === "hidden") hidden.push(`${meaning.branch} ${meaning.name}`);
      if (meaning?.kind !== "object" || objects.has(meaning.name)) continue;
      objects.set(meaning.name, { oid: entry.oid, sizeBytes: meaning.sizeBytes });
    }
    return { oid, objects, hidden };
  }
}

const latin1 = new TextDecoder("latin1");
