import { createHash } from "node:crypto";
import { type Bytes, equalBytes, utf8 } from "../../base/bytes.ts";
import { ClaudeSyncError, isClaudeSyncError } from "../../errors.ts";
import type { Platform } from "../../platform/types.ts";
import type { ObjectName } from "../object_name.ts";
import type { PutItem, PutOutcome } from "../object_store.ts";
import { type CommitFile, type CommitPlan, commitStream } from "./commit_stream.ts";
import { parseOid } from "./git_answers.ts";
import type { GitRepository } from "./git_repository.ts";
import { BrokenCache, TRANSFER_TIMEOUT_MS } from "./git_runner.ts";
import { OID_BYTES } from "./git_tree.ts";
import type { IndexedObject } from "./object_index.ts";
import {
  BRANCH_OBJECTS_MAX,
  BRANCH_PREFIX,
  hidingPath,
  objectPath,
  SHARED_BRANCH,
} from "./object_path.ts";
import { README_REF, README_TEXT } from "./readme.ts";

/** One object to be put on the shared branch. */
export interface PutRequest {
  readonly name: ObjectName;
  readonly body: Bytes;
}

/** How often others may be faster before we give up. */
const RACE_ATTEMPTS = 20;

/** What a commit changes. */
type Changes = Pick<CommitPlan, "files" | "removedPaths">;

/** Makes commits and pushes them. */
export class BranchWriter {
  readonly #platform: Platform;
  readonly #repository: GitRepository;
  readonly #onSent: (bytes: number) => void;

  constructor(platform: Platform, repository: GitRepository, onSent: (bytes: number) => void) {
    this.#platform = platform;
    this.#repository = repository;
    this.#onSent = onSent;
  }

  /**
   * Asks the server; gives an empty repository a branch with a page for people. `foreign` when the
   * repository holds something, but nothing of a vault.
   */
  async welcome(signal?: AbortSignal): Promise<"own" | "foreign"> {
    const repository = this.#repository;
    if (!await repository.refresh(signal)) {
      return repository.index.list().length === 0 ? "foreign" : "own";
    }
    const page = { read: () => Promise.resolve(utf8(README_TEXT)), pathFor: () => "README.md" };
    const commit = await this.#commit(null, { files: [page], removedPaths: [] }, signal);
    try {
      await repository.remote.push(commit, README_REF, "put", signal);
    } catch (error) {
      // The page is a courtesy: a host that protects `main` may still take our branches.
      if (!isClaudeSyncError(error, "store-refused")) throw error;
    }
    return "own";
  }

  /** All of them in one commit on this machine's branch: see `ObjectStore.putAll`. */
  async putOwn(items: readonly PutItem[], signal?: AbortSignal): Promise<ObjectName | null> {
    const repository = this.#repository;
    await repository.ensureFresh(signal);
    for (let attempt = 1; attempt <= RACE_ATTEMPTS; attempt++) {
      const missing: PutItem[] = [];
      for (const item of items) {
        const present = repository.index.find(item.name);
        if (present === null) missing.push(item);
        else if (!this.#isSame(present, await item.read())) return item.name;
      }
      if (missing.length === 0) return null;
      // A copy of this machine's cache writes to the same branch: leave that one to it.
      if (attempt > 1) repository.cache.beginBranch();
      this.#chooseBranch(missing);
      const files = missing.map(({ name, read }) => this.#file(name, read));
      const branch = repository.own;
      if (await this.#append(branch, { files, removedPaths: [] }, "put", signal)) {
        await repository.tidy(signal);
        return null;
      }
      await repository.refresh(signal);
    }
    throw this.#outrun();
  }

  /** Single objects on the shared branch, where only one of several writers can be first. */
  async putShared(requests: readonly PutRequest[], signal?: AbortSignal): Promise<PutOutcome[]> {
    const repository = this.#repository;
    await repository.ensureFresh(signal);
    for (let attempt = 1; attempt <= RACE_ATTEMPTS; attempt++) {
      const added = new Map<ObjectName, Bytes>();
      const outcomes = requests.map(({ name, body }): PutOutcome => {
        const present = repository.index.find(name);
        const before = added.get(name);
        if (present !== null) return this.#isSame(present, body) ? "exists" : "differs";
        if (before !== undefined) return equalBytes(before, body) ? "exists" : "differs";
        added.set(name, body);
        return "created";
      });
      if (added.size === 0) return outcomes;
      const files = [...added].map(([name, body]) => this.#file(name, () => Promise.resolve(body)));
      const changes = { files, removedPaths: [] };
      if (await this.#append(SHARED_BRANCH, changes, "put", signal)) return outcomes;
      await repository.refresh(signal);
    }
    throw this.#outrun();
  }

  /** All of them, in one commit for each branch that is concerned: see `ObjectStore.delete`. */
  async remove(names: readonly ObjectName[], signal?: AbortSignal): Promise<void> {
    const repository = this.#repository;
    await repository.refresh(signal);
    for (let attempt = 1; attempt <= RACE_ATTEMPTS; attempt++) {
      const next = this.#nextRemoval(names);
      if (next === null) return;
      if (await this.#append(next.target, next.changes, "delete", signal)) {
        // Other branches may hold some of them as well.
        attempt = 0;
        continue;
      }
      await repository.refresh(signal);
      if (next.target !== SHARED_BRANCH) repository.cache.beginBranch();
    }
    throw this.#outrun();
  }

  /** What is to be changed on the first branch that holds one of `names`; null when none does. */
  #nextRemoval(names: readonly ObjectName[]): { target: string; changes: Changes } | null {
    const repository = this.#repository;
    let target: string | null = null;
    const files: CommitFile[] = [];
    const removedPaths: string[] = [];
    for (const name of new Set(names)) {
      const [holder] = repository.index.holders(name);
      if (holder === undefined) continue;
      const { branch, sizeBytes } = holder;
      const isForeign = branch !== repository.own && branch !== SHARED_BRANCH;
      const changed = isForeign ? repository.own : branch;
      target ??= changed;
      if (changed !== target) continue;
      if (!isForeign) removedPaths.push(objectPath(name, sizeBytes));
      else {
        files.push({
          read: () => Promise.resolve(utf8("")),
          pathFor: () => hidingPath(name, branch),
        });
      }
    }
    return target === null ? null : { target, changes: { files, removedPaths } };
  }

  /** Commits and pushes; false when somebody else has moved the branch. */
  async #append(
    branch: string,
    changes: Changes,
    as: "put" | "delete",
    signal: AbortSignal | undefined,
  ): Promise<boolean> {
    const repository = this.#repository;
    const commit = await this.#commit(repository.tip(branch), changes, signal);
    const ref = BRANCH_PREFIX + branch;
    if (await repository.remote.push(commit, ref, as, signal) === "raced") return false;
    await repository.moved(branch, commit);
    return true;
  }

  async #commit(parent: string | null, changes: Changes, signal?: AbortSignal): Promise<string> {
    const repository = this.#repository;
    const plan: CommitPlan = {
      ...changes,
      parent,
      nowMs: this.#platform.clock.nowMs(),
      oidLength: 2 * OID_BYTES[repository.cache.state.format],
    };
    const args = ["fast-import", "--quiet", "--done", "--date-format=raw"];
    const options = { stdin: commitStream(plan), signal, timeoutMs: TRANSFER_TIMEOUT_MS };
    const commit = parseOid(await repository.local(args, options));
    if (commit === null) throw new BrokenCache("broken", "fast-import gave no commit");
    return commit;
  }

  #file(name: ObjectName, read: () => Promise<Bytes>): CommitFile {
    return {
      read: async () => {
        const body = await read();
        this.#onSent(body.length);
        return body;
      },
      pathFor: (sizeBytes) => objectPath(name, sizeBytes),
    };
  }

  /** A branch that is full is left, and one on which another machine hides what we put again. */
  #chooseBranch(items: readonly PutItem[]): void {
    const { index, own, cache } = this.#repository;
    const isFull = index.count(own) + items.length > BRANCH_OBJECTS_MAX;
    if (isFull || items.some(({ name }) => index.isHidden(own, name))) cache.beginBranch();
  }

  /** Compares with what is there by its Git id: it need not be here for that. */
  #isSame({ oid, sizeBytes }: IndexedObject, body: Bytes): boolean {
    if (sizeBytes !== body.length) return false;
    const hash = createHash(this.#repository.cache.state.format);
    return hash.update(`blob ${body.length}\0`).update(body).digest("hex") === oid;
  }

  #outrun(): ClaudeSyncError {
    const { lock } = this.#repository.remote;
    if (lock !== null) {
      // Whose it is cannot be known: over a network, the process may be on another computer.
      return new ClaudeSyncError("store-unreachable", "A lock in the repository stays locked", {
        path: lock,
        hint: "Should no Git be at work there any more, remove that file, then try again",
      });
    }
    const message = "Other machines were always faster to push to the repository";
    return new ClaudeSyncError("store-unreachable", message, {
      hint: "Nothing is lost: what waits goes out with the next push",
    });
  }
}
