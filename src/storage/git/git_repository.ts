import { type Bytes, utf8 } from "../../base/bytes.ts";
import { ClaudeSyncError, isClaudeSyncError } from "../../errors.ts";
import type { Platform } from "../../platform/types.ts";
import type { ObjectName } from "../object_name.ts";
import { OBJECT_BYTES_MAX } from "../object_store.ts";
import { compact, isCompactionDue } from "./compaction.ts";
import { parseLocalTips } from "./git_answers.ts";
import { GitCache } from "./git_cache.ts";
import { GitRemote } from "./git_remote.ts";
import { BrokenCache, GitRunner, type GitRunOptions, TIPS_PREFIX } from "./git_runner.ts";
import { type BatchAnswer, parseBatch } from "./git_tree.ts";
import type { GitUrl } from "./git_url.ts";
import { type IndexedObject, ObjectIndex } from "./object_index.ts";
import { PushLimit } from "./push_limit.ts";

/** All trees of one branch; a branch that is full has 35 MiB of them. */
const TREES_BYTES_MAX = 128 * 1024 * 1024;

/** What is read in one go: one object, however large, or several up to this. */
const READ_BYTES_MAX = OBJECT_BYTES_MAX;

/** The vault's branches: as the server has them, and our copy. */
export class GitRepository {
  readonly remote: GitRemote;
  readonly cache: GitCache;
  readonly #platform: Platform;
  readonly #runner: GitRunner;
  readonly #url: GitUrl;
  index: ObjectIndex;
  #tips: Map<string, string> | null = null;
  #isFresh = false;

  constructor(
    platform: Platform,
    cacheDir: string,
    url: GitUrl,
    note: (message: string) => void,
  ) {
    this.#platform = platform;
    this.#url = url;
    this.#runner = new GitRunner(platform, url);
    this.cache = new GitCache(platform, cacheDir, url);
    const limit = new PushLimit(platform, this.cache.folder, note);
    this.remote = new GitRemote(platform, this.#runner, this.cache, url, limit);
    this.index = this.#newIndex();
  }

  /** This machine's branch. */
  get own(): string {
    return this.cache.state.branch;
  }

  /** The tip of a branch as our copy knows it, or null. */
  tip(branch: string): string | null {
    return this.#tips?.get(branch) ?? null;
  }

  /** Asks the server once, and fetches what has changed. True when the repository is empty. */
  async refresh(signal?: AbortSignal): Promise<boolean> {
    const { tips: theirs, isEmpty } = await this.remote.tips(signal);
    const ours = this.#tips ?? await this.#readTips(signal);
    const gone = [...ours.keys()].filter((id) => !theirs.has(id));
    const changed = [...theirs.keys()].filter((id) => theirs.get(id) !== ours.get(id));
    if (gone.length > 0) {
      const stdin = utf8(gone.map((id) => `delete ${TIPS_PREFIX}${id}\n`).join(""));
      await this.local(["update-ref", "--stdin"], { stdin, signal });
    }
    if (changed.length > 0) await this.remote.fetchBranches(changed, signal);
    const isChanged = gone.length > 0 || changed.length > 0;
    await this.#take(isChanged ? await this.#readTips(signal) : ours);
    this.#isFresh = true;
    return isEmpty;
  }

  /** Asks the server unless that was done since this was made. */
  async ensureFresh(signal?: AbortSignal): Promise<void> {
    if (!this.#isFresh) await this.refresh(signal);
  }

  /** Takes in a commit of ours that the server has now. */
  async moved(branch: string, commit: string): Promise<void> {
    await this.#take(new Map(this.#tips ?? []).set(branch, commit));
  }

  /** Makes the copy small when it has grown. */
  async tidy(signal?: AbortSignal): Promise<void> {
    if (!isCompactionDue(this.#platform, this.cache)) return;
    await compact(this.#platform, this.cache, this.#runner, this.index, signal);
  }

  /** The bytes of each object, null where there is none: with at most one look and one fetch. */
  async read(names: readonly ObjectName[], signal?: AbortSignal): Promise<(Bytes | null)[]> {
    const wasFresh = this.#isFresh;
    await this.ensureFresh(signal);
    if (wasFresh && names.some((name) => this.index.find(name) === null)) {
      await this.refresh(signal);
    }
    const found = names.map((name) => this.index.find(name));
    const wanted = new Map(
      found.flatMap((object) => object === null ? [] : [[object.oid, object]]),
    );
    const bodies = await this.#readObjects([...wanted.values()], signal);
    const missing = [...wanted.values()].filter(({ oid }) => !bodies.has(oid));
    if (missing.length > 0) {
      const branches = [...new Set(missing.map(({ branch }) => branch))];
      await this.remote.fetchObjects(missing.map(({ oid }) => oid), branches, signal);
      for (const [oid, body] of await this.#readObjects(missing, signal)) bodies.set(oid, body);
    }
    return found.map((object) => {
      const body = object === null ? null : bodies.get(object.oid) ?? null;
      return body === null ? null : body.slice();
    });
  }

  /** Runs Git on the copy. Throws `BrokenCache`. */
  local(args: readonly string[], options: GitRunOptions = {}): Promise<Bytes> {
    return this.#runner.local(this.cache.gitDir, args, options);
  }

  /** Begins the copy anew. */
  rebuild(kind: BrokenCache["kind"]): void {
    const { format } = this.cache.state;
    const other = format === "sha1" ? "sha256" : "sha1";
    this.cache.rebuild(kind === "format" ? other : format);
    this.index = this.#newIndex();
    this.#tips = null;
    this.#isFresh = false;
  }

  /** The error for a copy that breaks as soon as it is made. */
  unusable(cause: BrokenCache): ClaudeSyncError {
    const path = this.cache.folder;
    return new ClaudeSyncError("local-io", `Git cannot work with its copy of "${this.#url.url}"`, {
      path,
      cause,
      hint: `Check the disk and the permissions of "${path}"; the folder may be removed`,
    });
  }

  #newIndex(): ObjectIndex {
    return new ObjectIndex((ids) => this.#readTrees(ids), this.cache.state.format);
  }

  async #take(tips: Map<string, string>): Promise<void> {
    await this.index.update(tips, this.own);
    this.#tips = tips;
  }

  async #readTips(signal?: AbortSignal): Promise<Map<string, string>> {
    const format = "--format=%(objectname) %(refname)";
    const output = await this.local(["for-each-ref", format, TIPS_PREFIX], { signal });
    return parseLocalTips(output, TIPS_PREFIX);
  }

  async #readTrees(ids: readonly string[]): Promise<BatchAnswer[]> {
    if (ids.length === 0) return [];
    const answers = await this.#catFile(ids, TREES_BYTES_MAX).catch((cause: unknown) => {
      if (!isClaudeSyncError(cause, "too-large")) throw cause;
      const message = `A branch of "${this.#url.url}" is larger than any that claude-sync makes`;
      throw new ClaudeSyncError("store-invalid", message, { cause });
    });
    return answers.map((answer) => {
      if (answer === null) throw new BrokenCache("broken", "a tree is missing");
      return answer;
    });
  }

  /** Of each object that the copy has, its bytes. */
  async #readObjects(
    objects: readonly IndexedObject[],
    signal?: AbortSignal,
  ): Promise<Map<string, Bytes>> {
    const bodies = new Map<string, Bytes>();
    for (const group of grouped(objects)) {
      const sizeBytes = group.reduce((sum, object) => sum + object.sizeBytes, 0);
      // A line of each answer comes on top.
      const limitBytes = sizeBytes + 128 * group.length;
      const answers = await this.#catFile(group.map(({ oid }) => oid), limitBytes, signal)
        .catch((cause: unknown) => {
          if (!isClaudeSyncError(cause, "too-large")) throw cause;
          const message = `An object in "${this.#url.url}" is larger than its name says`;
          throw new ClaudeSyncError("store-invalid", message, { cause });
        });
      group.forEach(({ oid }, index) => {
        const answer = answers[index];
        if (answer?.type === "blob") bodies.set(oid, answer.content);
      });
    }
    return bodies;
  }

  async #catFile(
    ids: readonly string[],
    outputBytesMax: number,
    signal?: AbortSignal,
  ): Promise<(BatchAnswer | null)[]> {
    const stdin = utf8(ids.map((id) => `${id}\n`).join(""));
    const args = ["cat-file", "--batch", "--buffer"];
    const output = await this.local(args, { stdin, outputBytesMax, signal });
    const answers = parseBatch(output, ids.length);
    if (answers === null) throw new BrokenCache("broken", "cat-file gave something else");
    return answers;
  }
}

/** Cuts into groups that may be read at once. */
function grouped(objects: readonly IndexedObject[]): IndexedObject[][] {
  const groups: IndexedObject[][] = [];
  let sizeBytes = Infinity;
  for (const object of objects) {
    if (sizeBytes + object.sizeBytes > READ_BYTES_MAX) {
      groups.push([]);
      sizeBytes = 0;
    }
    groups.at(-1)!.push(object);
    sizeBytes += object.sizeBytes;
  }
  return groups;
}
