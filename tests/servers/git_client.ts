/**
 * A plain Git client with a home of its own, to see what the Git servers of the tests do.
 *
 * @module
 */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { serverFolder, serverPath } from "./daemon.ts";

/** How a Git command has ended. */
export interface GitResult {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

const TIMEOUT_MS = 60_000;

/** Runs Git without the settings of whoever runs the tests, and without any prompt. */
export class GitClient {
  /** An empty folder: the client's home and where its commands run. */
  readonly home: string;
  /** Stands in front of PATH, for a program `ssh` of one's own. */
  binFolder: string | null = null;

  /** Use `withGitClient`. */
  constructor(home: string) {
    this.home = home;
  }

  /** Runs one command. Never throws for its exit code. */
  run(...args: readonly string[]): Promise<GitResult> {
    const bin = this.binFolder === null ? "" : `${this.binFolder}:`;
    const env = {
      PATH: `${bin}${serverPath()}`,
      HOME: this.home,
      GIT_CONFIG_NOSYSTEM: "1",
      GIT_TERMINAL_PROMPT: "0",
      GIT_TRACE_PACKET: "1",
      LC_ALL: "C",
    };
    return new Promise((done) => {
      const options = { cwd: this.home, env, timeout: TIMEOUT_MS, encoding: "utf8" } as const;
      const child = execFile("git", args, options, (error, stdout, stderr) => {
        const code = error === null ? 0 : typeof error.code === "number" ? error.code : 1;
        done({ code, stdout, stderr });
      });
      child.stdin?.end();
    });
  }

  /** Makes a commit with one file and pushes it as this branch. */
  async tryPushFile(url: string, branch: string, name: string, text: string): Promise<GitResult> {
    const work = `work-${branch}-${performance.now()}`;
    await this.#succeed("init", "-q", work);
    await writeFile(join(this.home, work, name), text);
    await this.#succeed("-C", work, "add", "-A");
    const author = ["-c", "user.name=t", "-c", "user.email=t@example.com"];
    await this.#succeed("-C", work, ...author, "commit", "-q", "-m", "one");
    return await this.run("-C", work, "push", "-q", url, `HEAD:refs/heads/${branch}`);
  }

  /** The same; fails when the push does. */
  async pushFile(url: string, branch: string, name: string, text: string): Promise<void> {
    const { code, stderr } = await this.tryPushFile(url, branch, name, text);
    assert.equal(code, 0, stderr);
  }

  async #succeed(...args: readonly string[]): Promise<void> {
    const { code, stderr } = await this.run(...args);
    assert.equal(code, 0, stderr);
  }
}

/** Gives a client and removes its home afterwards. */
export async function withGitClient(body: (git: GitClient) => Promise<void>): Promise<void> {
  const home = await serverFolder();
  try {
    await body(new GitClient(home));
  } finally {
    await rm(home, { recursive: true, force: true });
  }
}
