/**
 * Runs `git` so that it asks nobody anything, runs nothing that a repository or the folder we stand
 * in says, and still uses the credential helpers, keys and agents that the user set up.
 */
import type { Bytes } from "../../base/bytes.ts";
import { ClaudeSyncError, isClaudeSyncError } from "../../errors.ts";
import type { Platform, RunOptions } from "../../platform/types.ts";
import { gitFailure, type InnerFailure, innerFailure, lockInTheWay } from "./git_failure.ts";
import { noGit, requireGit } from "./git_program.ts";
import type { GitUrl } from "./git_url.ts";
import { BRANCH_PREFIX } from "./object_path.ts";

/** The name under which Git knows the repository in every command. */
export const REMOTE = "claude-sync-vault";

/** Where the copy notes the tips of the vault's branches. */
export const TIPS_PREFIX = "refs/remotes/vault/";

/** Our own copy of the repository cannot be used any more; it can always be made anew. */
export class BrokenCache extends Error {
  /** `locked`: another process may be at work in it. */
  readonly kind: "broken" | "locked" | "format";

  constructor(kind: "broken" | "locked" | "format", detail: string) {
    super(`The copy of the repository is ${kind}: ${detail}`);
    this.name = "BrokenCache";
    this.kind = kind;
  }
}

/** How a command that speaks to the repository ended. */
export type RemoteResult =
  | { readonly ok: true; readonly stdout: string }
  | {
    readonly ok: false;
    readonly stdout: string;
    readonly inner: InnerFailure | null;
    /** What `lockInTheWay` says. */
    readonly lock: string | null;
    readonly failure: ClaudeSyncError;
  };

/** Of a run. */
export interface GitRunOptions {
  readonly stdin?: Bytes | AsyncIterable<Bytes>;
  readonly signal?: AbortSignal | undefined;
  readonly outputBytesMax?: number;
  readonly timeoutMs?: number;
}

/** For what only reads or writes the local copy. */
const LOCAL_TIMEOUT_MS = 10 * 60_000;
/** For a question to the server. */
const ASK_TIMEOUT_MS = 60_000;
/** A push of 64 MiB at 0.5 Mbit/s takes 18 minutes. */
export const TRANSFER_TIMEOUT_MS = 40 * 60_000;

/**
 * Settings that win over the user's and the repository's: no hooks, monitors, helpers by address,
 * collections in the background, tags or signatures; packs instead of thousands of files.
 */
const SETTINGS: readonly string[] = [
  "core.hooksPath=/dev/null",
  "core.fsmonitor=false",
  "core.symlinks=false",
  "core.askPass=",
  "core.logAllRefUpdates=false",
  // Encrypted objects get no smaller, and none resembles another.
  "core.compression=0",
  "core.bigFileThreshold=512k",
  "protocol.ext.allow=never",
  "protocol.version=2",
  "credential.interactive=false",
  "gc.auto=0",
  "maintenance.auto=false",
  "submodule.recurse=false",
  "transfer.fsckObjects=true",
  "transfer.unpackLimit=1",
  "fetch.unpackLimit=1",
  "fastimport.unpackLimit=1",
  "fetch.prune=false",
  "fetch.writeCommitGraph=false",
  "push.followTags=false",
  "push.gpgSign=false",
  "push.negotiate=false",
  // A host that works on a large push sends a sign of life of a few bytes now and then.
  "http.lowSpeedLimit=1",
  "http.lowSpeedTime=180",
  "color.ui=false",
];

/**
 * A repository on a disk has no server: its other side runs here, as this user. What it would start
 * (hooks above all) may have come with the disk.
 */
const OTHER_SIDE: readonly string[] = ["upload", "receive"].map((side) =>
  `remote.${REMOTE}.${side}pack=git -c core.hooksPath=/dev/null -c core.fsmonitor=false ` +
  `-c core.alternateRefsCommand= ${side}-pack`
);

/** What would lead Git to another repository, or writes what it does somewhere. */
const UNSET: readonly string[] = [
  "GIT_DIR",
  "GIT_WORK_TREE",
  "GIT_INDEX_FILE",
  "GIT_OBJECT_DIRECTORY",
  "GIT_ALTERNATE_OBJECT_DIRECTORIES",
  "GIT_COMMON_DIR",
  "GIT_NAMESPACE",
  "GIT_PREFIX",
  "GIT_SHALLOW_FILE",
  "GIT_GRAFT_FILE",
  "GIT_REPLACE_REF_BASE",
  "GIT_QUARANTINE_PATH",
  "GIT_IMPLICIT_WORK_TREE",
  "GIT_INTERNAL_SUPER_PREFIX",
  "GIT_TEMPLATE_DIR",
  "GIT_DEFAULT_HASH",
  "GIT_DEFAULT_REF_FORMAT",
  "GIT_CONFIG",
  "GIT_CONFIG_PARAMETERS",
  "GIT_CONFIG_COUNT",
  "GIT_PROTOCOL_FROM_USER",
  "GIT_TRACE",
  "GIT_TRACE_PACKET",
  "GIT_TRACE_PACK_ACCESS",
  "GIT_TRACE_SETUP",
  "GIT_TRACE_SHALLOW",
  "GIT_TRACE_CURL",
  "GIT_CURL_VERBOSE",
  "GIT_TRACE2",
  "GIT_TRACE2_EVENT",
  "GIT_TRACE2_PERF",
];

/** One user's Git on one repository. */
export class GitRunner {
  readonly #platform: Platform;
  readonly #url: GitUrl;
  #isChecked = false;
  #sshCommand: string | null | undefined;

  constructor(platform: Platform, url: GitUrl) {
    this.#platform = platform;
    this.#url = url;
  }

  /** Runs on the copy at `gitDir` and gives its output. Throws `BrokenCache` when it fails. */
  async local(gitDir: string, args: readonly string[], options: GitRunOptions = {}) {
    const { code, stdout, stderr } = await this.#run(gitDir, args, {
      timeoutMs: LOCAL_TIMEOUT_MS,
      ...options,
    }, {});
    if (code === 0) return stdout;
    if (/no space left|out of diskspace|disk quota/i.test(stderr)) {
      throw new ClaudeSyncError("no-space", "There is no space left for the copy of the vault", {
        path: gitDir,
      });
    }
    const kind = innerFailure(stderr) === "locked" ? "locked" : "broken";
    throw new BrokenCache(kind, `git ${args[0]} ended with ${code}`);
  }

  /**
   * Runs what speaks to the repository. A failure is a result, except for those of the local copy
   * (`BrokenCache`), of a missing or old Git (`local-io`), and an abort.
   */
  async remote(
    gitDir: string | null,
    args: readonly string[],
    options: GitRunOptions = {},
  ): Promise<RemoteResult> {
    const env = await this.#remoteEnv(gitDir, options.signal);
    const { code, stdout, stderr } = await this.#run(gitDir, args, {
      timeoutMs: ASK_TIMEOUT_MS,
      ...options,
    }, env).catch((error: unknown) => {
      // Past its time, or it could not be started at all: both may be over later.
      if (!isClaudeSyncError(error, "local-io") || error.hint !== undefined) throw error;
      const message = `"${this.#url.url}" did not answer in time`;
      const failure = new ClaudeSyncError("store-unreachable", message, { cause: error });
      return { code: -1, stdout: new Uint8Array(0), stderr: failure };
    });
    const text = latin1(stdout);
    if (code === 0) return { ok: true, stdout: text };
    if (typeof stderr !== "string") {
      return { ok: false, stdout: text, inner: null, lock: null, failure: stderr };
    }
    const inner = innerFailure(stderr);
    const [lock, failure] = [lockInTheWay(stderr), gitFailure(this.#url, stderr)];
    return { ok: false, stdout: text, inner, lock, failure };
  }

  async #run(
    gitDir: string | null,
    args: readonly string[],
    options: GitRunOptions,
    env: Readonly<Record<string, string | null>>,
  ) {
    const { processes, host, fs } = this.#platform;
    if (!this.#isChecked) await requireGit(this.#platform, options.signal);
    this.#isChecked = true;
    const settings = [
      ...SETTINGS,
      // Said each time: were it lost from a file, Git would take the name for a path.
      `remote.${REMOTE}.url=${this.#url.url}`,
      `remote.${REMOTE}.fetch=+${BRANCH_PREFIX}*:${TIPS_PREFIX}*`,
      ...(this.#url.kind === "local" ? OTHER_SIDE : []),
    ];
    const argv = [
      "git",
      ...(gitDir === null ? [] : [`--git-dir=${gitDir}`]),
      ...settings.flatMap((setting) => ["-c", setting]),
      ...args,
    ];
    const { signal, ...rest } = options;
    const run: RunOptions = {
      ...rest,
      ...(signal === undefined ? {} : { signal }),
      env: { ...baseEnv(), ...env },
      // The folder we stand in may be gone, or somebody else's.
      ...(fs.realpath(host.home) === null ? {} : { cwd: host.home }),
    };
    const result = await processes.run(argv, run).catch((cause: unknown) => {
      throw isClaudeSyncError(cause, "not-found") ? noGit(host.os, cause) : cause;
    });
    return { code: result.code, stdout: result.stdout, stderr: latin1(result.stderr) };
  }

  async #remoteEnv(gitDir: string | null, signal: AbortSignal | undefined) {
    const { kind } = this.#url;
    if (kind === "local") return { GIT_ALLOW_PROTOCOL: "file" };
    // Both, since many users let Git turn one into the other (url.*.insteadOf).
    const protocols = kind === "http" ? "http:https:ssh" : "https:ssh";
    if (this.#sshCommand === undefined) {
      this.#sshCommand = await this.#findSshCommand(gitDir, signal);
    }
    return {
      GIT_ALLOW_PROTOCOL: protocols,
      ...(this.#sshCommand === null ? {} : { GIT_SSH_COMMAND: this.#sshCommand }),
    };
  }

  /** The user's own command with what keeps it from asking; null to leave everything as it is. */
  async #findSshCommand(gitDir: string | null, signal: AbortSignal | undefined) {
    const { host } = this.#platform;
    const configured = host.env("GIT_SSH_COMMAND") ?? await this.#config(gitDir, signal);
    // A program, not a command: nothing can be added to it.
    if (configured === null && host.env("GIT_SSH") !== undefined) return null;
    return quietSsh(configured ?? "ssh");
  }

  async #config(gitDir: string | null, signal: AbortSignal | undefined): Promise<string | null> {
    const args = ["config", "--get", "core.sshCommand"];
    const { code, stdout } = await this.#run(gitDir, args, { signal }, {});
    const text = latin1(stdout).trim();
    return code === 0 && text !== "" ? text : null;
  }
}

/** Adds what keeps the SSH program that `command` starts from asking anybody. */
export function quietSsh(command: string): string {
  if (/plink(\.exe)?["']?(\s|$)/i.test(command)) return `${command} -batch`;
  return `${command} -o BatchMode=yes -o ConnectTimeout=10 -o ServerAliveInterval=15`;
}

function baseEnv(): Record<string, string | null> {
  return {
    ...Object.fromEntries(UNSET.map((name) => [name, null])),
    LC_ALL: "C",
    LANGUAGE: null,
    GIT_TERMINAL_PROMPT: "0",
    GIT_ASKPASS: "",
    SSH_ASKPASS: "",
    SSH_ASKPASS_REQUIRE: "never",
    GCM_INTERACTIVE: "never",
    GIT_OPTIONAL_LOCKS: "0",
    GIT_NO_LAZY_FETCH: "1",
    GIT_NO_REPLACE_OBJECTS: "1",
    GIT_ADVICE: "0",
  };
}

const decoder = new TextDecoder("latin1");

function latin1(bytes: Uint8Array): string {
  return decoder.decode(bytes);
}
