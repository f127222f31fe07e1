/** A repository and machines that use it, with a home and caches of their own. */
import { execFileSync } from "node:child_process";
import * as fs from "node:fs";
import * as os from "node:os";
import { join } from "node:path";
import process from "node:process";
import { nodePlatform } from "../../../src/platform/node.ts";
import type { Platform } from "../../../src/platform/types.ts";
import { parseGitUrl } from "../../../src/storage/git/git_url.ts";
import { openGitStore } from "../../../src/storage/git/store.ts";
import type { DescribedStore } from "../../../src/storage/store_facts.ts";
import type { MeteredStore } from "../../../src/storage/with_meter.ts";

/** Of a store that is opened. */
export interface OpenOptions {
  readonly create?: boolean;
  readonly url?: string;
  /** Stands in front of PATH. */
  readonly bin?: string;
  /** Replaces parts of the platform. */
  readonly platform?: Partial<Platform>;
}

/** One repository, several machines. */
export class GitWorld {
  readonly folder: string;
  /** What the stores told the user. */
  readonly notes: string[] = [];

  constructor(folder: string) {
    this.folder = folder;
  }

  /** The local repository that `open` uses unless told otherwise. */
  get repository(): string {
    return join(this.folder, "vault.git");
  }

  /** Folder of a machine's caches. */
  cacheOf(machine: string): string {
    return join(this.folder, machine, "cache");
  }

  /** Home of a machine, with its `.gitconfig`. */
  homeOf(machine: string): string {
    const home = join(this.folder, machine, "home");
    fs.mkdirSync(home, { recursive: true });
    return home;
  }

  /** Opens the repository as a store of one machine. */
  open(machine: string, options: OpenOptions = {}): Promise<MeteredStore & DescribedStore> {
    const { create = false, url = this.repository } = options;
    const platform = { ...this.platformOf(machine, options), ...options.platform };
    const note = (message: string) => this.notes.push(message);
    const cacheDir = this.cacheOf(machine);
    return openGitStore(parseGitUrl(url, platform.host.os), { platform, cacheDir, note, create });
  }

  /** The real platform with a machine's own home. */
  platformOf(machine: string, { bin }: Pick<OpenOptions, "bin"> = {}): Platform {
    const real = nodePlatform();
    const changes = {
      HOME: this.homeOf(machine),
      XDG_CONFIG_HOME: null,
      // Where the tests run, it may name other authorities.
      GIT_SSL_CAINFO: null,
      GIT_CONFIG_NOSYSTEM: "1",
      ...(bin === undefined ? {} : { PATH: `${bin}:${process.env["PATH"]}` }),
    };
    return {
      ...real,
      processes: {
        ...real.processes,
        run: (argv, options = {}) =>
          real.processes.run(argv, { ...options, env: { ...changes, ...options.env } }),
      },
    };
  }

  /** Runs Git on the local repository, as somebody else would. */
  git(...args: string[]): string {
    return this.gitIn(this.repository, ...args);
  }

  /** Runs Git on any repository. */
  gitIn(gitDir: string, ...args: string[]): string {
    const env = {
      PATH: process.env["PATH"] ?? "",
      HOME: this.homeOf("admin"),
      GIT_CONFIG_NOSYSTEM: "1",
      GIT_AUTHOR_NAME: "x",
      GIT_AUTHOR_EMAIL: "x@example.com",
      GIT_COMMITTER_NAME: "x",
      GIT_COMMITTER_EMAIL: "x@example.com",
      LC_ALL: "C",
    };
    const command = [`--git-dir=${gitDir}`, ...args];
    return execFileSync("git", command, { env, encoding: "utf8", stdio: "pipe" }).trim();
  }
}

/** Gives a world and removes it afterwards. */
export async function withGitWorld(body: (world: GitWorld) => Promise<void>): Promise<void> {
  const folder = fs.mkdtempSync(join(os.tmpdir(), "claude-sync-test-"));
  try {
    await body(new GitWorld(folder));
  } finally {
    fs.rmSync(folder, { recursive: true, force: true });
  }
}
