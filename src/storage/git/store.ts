/**
 * A Git repository as a store, on any host and with nothing but `git`.
 *
 * Each machine appends to a branch of its own, `claude-sync/<80 random bits>`: no two writers ever
 * meet, so no push is rejected, and nothing but fast-forward pushes is needed. What all branches
 * hold together are the objects. One branch, `claude-sync/shared`, belongs to everybody: single
 * puts go there, because two machines may claim one name at once (the vault's header), and Git lets
 * only one of them move a branch. `object_path.ts` says where objects are in the trees.
 *
 * Deleting is logical: the name is taken out of the newest tree of our branch, or hidden by a mark
 * in ours when another machine's branch holds it. The bytes stay in the history on the host.
 */
import { assert } from "../../base/assert.ts";
import type { Bytes } from "../../base/bytes.ts";
import { ClaudeSyncError } from "../../errors.ts";
import type { Platform } from "../../platform/types.ts";
import { type ObjectName, parseObjectName } from "../object_name.ts";
import { assertListPrefix } from "../object_prefix.ts";
import {
  type ListOptions,
  OBJECT_BYTES_MAX,
  type ObjectInfo,
  type PutItem,
  type PutOutcome,
  type StoreOptions,
} from "../object_store.ts";
import type { DescribedStore, StoreFact } from "../store_facts.ts";
import type { MeteredStore, StoreTraffic } from "../with_meter.ts";
import { Batches } from "./batches.ts";
import { BranchWriter, type PutRequest } from "./branch_writer.ts";
import { BrokenCache } from "./git_runner.ts";
import type { GitUrl } from "./git_url.ts";
import { GitRepository } from "./git_repository.ts";
import { makeLocalRepository } from "./local_repository.ts";

/** Gets and puts that come side by side share one trip. */
const CONCURRENCY = 16;

/** How often a copy that another process is changing is tried again, and after what pause. */
const LOCKED_ATTEMPTS = 12;
const LOCKED_PAUSE_MS = 250;

/** What a Git store needs. */
export interface GitStoreOptions {
  readonly platform: Platform;
  /** Absolute path of a folder for its copy of the repository; it may be lost at any time. */
  readonly cacheDir: string;
  /** Takes a sentence that the user should see. */
  readonly note: (message: string) => void;
  /** Makes and welcomes: see `openGitStore`. */
  readonly create?: boolean;
  /** Ends what `create` does on the way. */
  readonly signal?: AbortSignal;
}

/**
 * Opens the repository at `url`. Without `create`, nothing is asked of the server until the first
 * call. With it, the server is asked, a local repository is made where there is none, and an empty
 * one gets a branch `main` with a page for people. Errors: those of `ObjectStore`; `no-vault` when
 * there is no such repository; `local-io` when there is no usable Git.
 */
export async function openGitStore(
  url: GitUrl,
  options: GitStoreOptions,
): Promise<MeteredStore & DescribedStore> {
  const { platform, create = false, signal } = options;
  if (create && url.kind === "local") await makeLocalRepository(platform, url, signal);
  const store = new GitStore(url, options);
  if (create) await store.prepare(signal);
  return store;
}

class GitStore implements MeteredStore, DescribedStore {
  readonly label: string;
  readonly concurrency = CONCURRENCY;
  readonly isBatching = true;
  readonly #repository: GitRepository;
  readonly #writer: BranchWriter;
  readonly #clock: Platform["clock"];
  readonly #note: (message: string) => void;
  readonly #gets: Batches<ObjectName, Bytes | null>;
  readonly #puts: Batches<PutRequest, PutOutcome>;
  readonly #deletes: Batches<ObjectName, null>;
  #last: Promise<unknown> = Promise.resolve();
  #sentBytes = 0;
  #receivedBytes = 0;

  constructor(
    url: GitUrl,
    { platform, cacheDir, note }: GitStoreOptions,
  ) {
    this.label = url.url;
    this.#clock = platform.clock;
    this.#note = note;
    this.#repository = new GitRepository(platform, cacheDir, url, note);
    this.#writer = new BranchWriter(platform, this.#repository, (bytes) => {
      this.#sentBytes += bytes;
    });
    this.#gets = new Batches(
      platform.clock,
      (names, signal) => this.#exclusive(signal, () => this.#repository.read(names, signal)),
    );
    this.#puts = new Batches(
      platform.clock,
      (requests, signal) => this.#exclusive(signal, () => this.#writer.putShared(requests, signal)),
    );
    this.#deletes = new Batches(platform.clock, async (names, signal) => {
      await this.#exclusive(signal, () => this.#writer.remove(names, signal));
      return names.map(() => null);
    });
  }

  /** For `create`. */
  async prepare(signal: AbortSignal | undefined): Promise<void> {
    const kind = await this.#exclusive(signal, () => this.#writer.welcome(signal));
    if (kind === "own") return;
    this.#note(
      `"${this.label}" holds other things. They are left alone: the vault gets branches ` +
        "claude-sync/… beside them, which everybody who clones the repository gets as well. " +
        "Better is a repository of its own",
    );
  }

  async get(name: ObjectName, options: StoreOptions = {}): Promise<Bytes | null> {
    assertName(name);
    const bytes = await this.#gets.ask(name, options.signal);
    this.#receivedBytes += bytes?.length ?? 0;
    return bytes;
  }

  async put(name: ObjectName, body: Bytes, options: StoreOptions = {}): Promise<PutOutcome> {
    assertName(name);
    requireSize(name, body);
    return await this.#puts.ask({ name, body }, options.signal);
  }

  async putAll(items: readonly PutItem[], options: StoreOptions = {}): Promise<ObjectName | null> {
    const checked = items.map(({ name, read }) => {
      assertName(name);
      return {
        name,
        async read() {
          const body = await read();
          requireSize(name, body);
          return body;
        },
      };
    });
    options.signal?.throwIfAborted();
    if (checked.length === 0) return null;
    const { signal } = options;
    return await this.#exclusive(signal, () => this.#writer.putOwn(checked, signal));
  }

  async *list(prefix: string, options: ListOptions = {}): AsyncIterable<ObjectInfo> {
    assertListPrefix(prefix);
    const { signal, after } = options;
    const all = await this.#exclusive(signal, async () => {
      await this.#repository.refresh(signal);
      return this.#repository.index.list();
    });
    for (const info of all) {
      signal?.throwIfAborted();
      if (!info.name.startsWith(prefix)) continue;
      if (after === undefined || info.name > after) yield info;
    }
  }

  async delete(name: ObjectName, options: StoreOptions = {}): Promise<void> {
    assertName(name);
    const { signal } = options;
    await this.#deletes.ask(name, signal);
  }

  traffic(): StoreTraffic {
    return {
      requests: { ...this.#repository.remote.requests },
      sentBytes: this.#sentBytes,
      receivedBytes: this.#receivedBytes,
    };
  }

  facts(): readonly StoreFact[] {
    const { branch, format, isWhole } = this.#repository.cache.state;
    return [
      { name: "branch of this machine", value: `claude-sync/${branch}` },
      { name: "objects named by", value: format === "sha1" ? "SHA-1" : "SHA-256" },
      { name: "fetches", value: isWhole ? "whole branches" : "only what is asked for" },
    ];
  }

  /**
   * One thing at a time: all of them change the copy. A copy that is broken is made anew and the
   * work begun again, once.
   */
  async #exclusive<T>(signal: AbortSignal | undefined, work: () => Promise<T>): Promise<T> {
    signal?.throwIfAborted();
    const before = this.#last;
    let release = () => {};
    this.#last = new Promise<void>((resolve) => release = resolve);
    try {
      await before;
      signal?.throwIfAborted();
      return await this.#withSoundCopy(signal, work);
    } finally {
      release();
    }
  }

  async #withSoundCopy<T>(signal: AbortSignal | undefined, work: () => Promise<T>): Promise<T> {
    let isRebuilt = false;
    for (let attempt = 1;; attempt++) {
      try {
        return await work();
      } catch (error) {
        if (!(error instanceof BrokenCache)) throw error;
        signal?.throwIfAborted();
        if (error.kind === "locked" && attempt < LOCKED_ATTEMPTS) {
          await this.#clock.sleep(LOCKED_PAUSE_MS, signal);
        } else if (isRebuilt) {
          throw this.#repository.unusable(error);
        } else {
          isRebuilt = true;
          this.#repository.rebuild(error.kind);
        }
      }
    }
  }
}

function assertName(name: string): void {
  assert(parseObjectName(name) !== null, `"${name}" is a valid object name`);
}

function requireSize(objectName: ObjectName, body: Bytes): void {
  if (body.length <= OBJECT_BYTES_MAX) return;
  const message = `"${objectName}" is over ${OBJECT_BYTES_MAX} bytes`;
  throw new ClaudeSyncError("too-large", message, { objectName });
}
