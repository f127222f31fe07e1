/** The few things that go over the network, each counted. */
import { utf8 } from "../../base/bytes.ts";
import { ClaudeSyncError, isClaudeSyncError } from "../../errors.ts";
import type { Platform } from "../../platform/types.ts";
import { isRaced, parseRemoteRefs } from "./git_answers.ts";
import type { GitCache } from "./git_cache.ts";
import {
  BrokenCache,
  type GitRunner,
  REMOTE,
  type RemoteResult,
  TIPS_PREFIX,
  TRANSFER_TIMEOUT_MS,
} from "./git_runner.ts";
import type { GitUrl } from "./git_url.ts";
import { BRANCH_PREFIX } from "./object_path.ts";
import type { PushLimit } from "./push_limit.ts";

/** Objects below this come with a fetch; log entries do, packs are fetched when asked for. */
export const FETCHED_BYTES_MAX = 320 * 1024;

/** More branches of the vault than any host takes. */
const BRANCHES_MAX = 5_000;

/** Names of branches that a question may bring, those of strangers included. */
const REFS_OUTPUT_BYTES_MAX = 64 * 1024 * 1024;

/** What was asked of the server, by what it was for. */
export interface RemoteRequests {
  get: number;
  put: number;
  list: number;
  delete: number;
}

/** What a look at the server showed. */
export interface RemoteTips {
  /** Tips of the vault's branches, by branch id. */
  readonly tips: ReadonlyMap<string, string>;
  /** Whether the repository has no branch or tag at all. */
  readonly isEmpty: boolean;
}

/** What became of a push: `raced` when the branch has moved on in the meantime. */
export type PushResult = "done" | "raced";

const FETCH = [
  "fetch",
  "--quiet",
  "--no-tags",
  "--no-write-fetch-head",
  "--recurse-submodules=no",
  "--no-auto-maintenance",
];

/** The server's side of the driver. */
export class GitRemote {
  readonly requests: RemoteRequests = { get: 0, put: 0, list: 0, delete: 0 };
  /** A lock in the repository that kept the last push from moving its branch: its path there. */
  lock: string | null = null;
  readonly #platform: Platform;
  readonly #runner: GitRunner;
  readonly #cache: GitCache;
  readonly #url: GitUrl;
  readonly #limit: PushLimit;

  constructor(
    platform: Platform,
    runner: GitRunner,
    cache: GitCache,
    url: GitUrl,
    limit: PushLimit,
  ) {
    this.#platform = platform;
    this.#runner = runner;
    this.#cache = cache;
    this.#url = url;
    this.#limit = limit;
  }

  /** One question for all branches. Errors: see `gitFailure`. */
  async tips(signal?: AbortSignal): Promise<RemoteTips> {
    this.#requireLocalFolder();
    this.requests.list++;
    const result = await this.#runner.remote(this.#cache.gitDir, ["ls-remote", REMOTE], {
      signal,
      outputBytesMax: REFS_OUTPUT_BYTES_MAX,
    });
    const { tips, format, isEmpty } = parseRemoteRefs(this.#succeed(result));
    if (tips.size > BRANCHES_MAX) {
      throw new ClaudeSyncError("store-invalid", `"${this.#url.url}" has too many branches`);
    }
    if (format !== null && format !== this.#cache.state.format) {
      throw new BrokenCache("format", format);
    }
    return { tips, isEmpty };
  }

  /** Fetches branches as far as lists and small objects need, without their history. */
  async fetchBranches(ids: readonly string[], signal?: AbortSignal): Promise<void> {
    this.requests.get++;
    const filter = `blob:limit=${FETCHED_BYTES_MAX}`;
    const args = this.#cache.state.isWhole
      ? [...FETCH, "--depth=1", "--stdin", REMOTE]
      : [...partial(filter), ...FETCH, "--depth=1", `--filter=${filter}`, "--stdin", REMOTE];
    this.#succeed(await this.#fetch(args, ids.map(refspec), signal));
  }

  /** Fetches single objects; where the server gives none, all objects of the branches. */
  async fetchObjects(
    oids: readonly string[],
    branches: readonly string[],
    signal?: AbortSignal,
  ): Promise<void> {
    if (!this.#cache.state.isWhole) {
      this.requests.get++;
      // Told what is there, the server would think that the objects below it are there as well.
      const args = [
        ...["-c", "fetch.negotiationAlgorithm=noop", ...partial("blob:none"), ...FETCH],
        ...["--filter=blob:none", "--stdin", REMOTE],
      ];
      const result = await this.#fetch(args, oids, signal);
      if (result.ok || result.inner !== "by-id") return void this.#succeed(result);
      this.#cache.remember({ isWhole: true });
    }
    this.requests.get++;
    const args = [
      "-c",
      "fetch.negotiationAlgorithm=noop",
      ...FETCH,
      "--depth=1",
      "--stdin",
      REMOTE,
    ];
    this.#succeed(await this.#fetch(args, branches.map(refspec), signal));
  }

  /**
   * Moves a branch to a commit, forwards only. `as`: what the trip counts for. When the connection
   * is lost, it is found out whether the push has arrived.
   */
  async push(
    commit: string,
    ref: string,
    as: "put" | "delete",
    signal?: AbortSignal,
  ): Promise<PushResult> {
    if (!this.#url.isHere) await this.#limit.wait(signal);
    this.requests[as]++;
    const args = ["push", "--porcelain", "--no-verify", "--recurse-submodules=no", REMOTE];
    const result = await this.#runner.remote(
      this.#cache.gitDir,
      [...args, `${commit}:${ref}`],
      { signal, timeoutMs: TRANSFER_TIMEOUT_MS },
    );
    this.lock = result.ok ? null : result.lock;
    if (result.ok) return "done";
    if (isRaced(result.stdout)) return "raced";
    const isLost = result.inner === null && isClaudeSyncError(result.failure, "store-unreachable");
    if (isLost && await this.#hasArrived(commit, ref, signal)) return "done";
    this.#succeed(result);
    return "raced";
  }

  async #hasArrived(commit: string, ref: string, signal?: AbortSignal): Promise<boolean> {
    this.requests.list++;
    const args = ["ls-remote", REMOTE, ref];
    const result = await this.#runner.remote(this.#cache.gitDir, args, { signal });
    return result.ok && result.stdout.startsWith(`${commit}\t`);
  }

  #fetch(args: readonly string[], lines: readonly string[], signal?: AbortSignal) {
    return this.#runner.remote(this.#cache.gitDir, args, {
      stdin: utf8(`${lines.join("\n")}\n`),
      signal,
      timeoutMs: TRANSFER_TIMEOUT_MS,
    });
  }

  #succeed(result: RemoteResult): string {
    if (result.ok) return result.stdout;
    const { inner, failure } = result;
    if (inner === "format") throw new BrokenCache("format", failure.message);
    if (inner === "cache") throw new BrokenCache("broken", failure.message);
    if (inner === "locked") throw new BrokenCache("locked", failure.message);
    // Deleted meanwhile: what Git then misses, it says as if the server had none.
    if (this.#cache.isLost) throw new BrokenCache("broken", failure.message);
    throw failure;
  }

  /** A disk that is not connected must not look like a repository that was never there. */
  #requireLocalFolder(): void {
    const { kind, path } = this.#url;
    if (kind !== "local" || this.#platform.fs.realpath(path) !== null) return;
    throw new ClaudeSyncError("store-unreachable", `The repository "${path}" is not there`, {
      path,
      hint: "If it is on a network or removable disk, connect it; nothing was changed",
    });
  }
}

/** What makes a fetch partial for this one command; nothing of it is in the copy's settings. */
function partial(filter: string): string[] {
  return [
    ...["-c", `remote.${REMOTE}.promisor=true`],
    ...["-c", `remote.${REMOTE}.partialclonefilter=${filter}`],
  ];
}

function refspec(id: string): string {
  return `+${BRANCH_PREFIX}${id}:${TIPS_PREFIX}${id}`;
}
