/**
 * A throw-away machine: a home folder, a project folder, one Claude Code client and claude-sync.
 *
 * @module
 */
import assert from "node:assert/strict";
import { chmod, mkdir, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { ApiRequest, FakeApi, Turn } from "./fake_api.ts";
import type { Client } from "./install.ts";
import { describe, type Outcome, run, type Running, start, toolPath } from "./program.ts";
import type { Terminal, TerminalServer } from "./terminal.ts";
import { readTranscripts, type Transcript } from "./transcript.ts";
import { until } from "./until.ts";

/** Not a key of anybody's: the client only wants something of this shape. */
const API_KEY = "sk-ant-dummy-for-tests-0000000000000000";
/** The client remembers approved keys by their last characters. */
const API_KEY_TAIL_CHARS = 20;
const CLIENT_TIMEOUT_MS = 60_000;
const COMMAND_TIMEOUT_MS = 60_000;

/** What a machine is made of. */
export interface MachineParts {
  /** Short; appears in the requests that its client makes. */
  readonly name: string;
  readonly home: string;
  readonly project: string;
  readonly client: Client;
  readonly api: FakeApi;
  readonly terminals: TerminalServer;
  /** The compiled claude-sync. */
  readonly binary: string;
  /** Where Claude Code keeps its files when that is not `~/.claude`. */
  readonly configDir?: string;
  /** What the user has in the environment besides, such as keys of a store. */
  readonly env?: Readonly<Record<string, string>>;
}

/** One throw-away machine. */
export class Machine {
  readonly name: string;
  readonly home: string;
  readonly project: string;
  /** Claude Code's folder on this machine. */
  readonly configDir: string;
  readonly #parts: MachineParts;
  readonly #clients = new Set<Running>();
  #client: Client;

  constructor(parts: MachineParts) {
    this.#parts = parts;
    this.#client = parts.client;
    this.name = parts.name;
    this.home = parts.home;
    this.project = parts.project;
    this.configDir = parts.configDir ?? join(parts.home, ".claude");
  }

  /** Lays out the folders of a machine whose client has been used before and trusts the project. */
  static async create(parts: MachineParts): Promise<Machine> {
    const machine = new Machine(parts);
    for (const folder of [parts.project, machine.configDir, machine.#bin, machine.#temp]) {
      await mkdir(folder, { recursive: true });
    }
    await symlink(parts.binary, join(machine.#bin, "claude-sync"));
    await machine.useClient(parts.client);
    await machine.trust(parts.project);
    return machine;
  }

  /** Puts another version of the client on the machine, as an update or a downgrade does. */
  async useClient(client: Client): Promise<void> {
    this.#client = client;
    const command = client.command.map(quote).join(" ");
    const launcher = join(this.#bin, "claude");
    await writeFile(launcher, `#!/bin/sh\nexec ${command} "$@"\n`);
    await chmod(launcher, 0o755);
  }

  /** Lets the client skip its first-time questions in these folders; forgets earlier answers. */
  async trust(...folders: string[]): Promise<void> {
    const answers = {
      hasTrustDialogAccepted: true,
      hasCompletedProjectOnboarding: true,
      projectOnboardingSeenCount: 4,
      allowedTools: [],
    };
    const state = {
      hasCompletedOnboarding: true,
      lastOnboardingVersion: this.#client.version,
      theme: "dark",
      numStartups: 7,
      // The oldest client would look for its plugins on the network at every start.
      officialMarketplaceAutoInstallAttempted: true,
      officialMarketplaceAutoInstalled: true,
      customApiKeyResponses: { approved: [API_KEY.slice(-API_KEY_TAIL_CHARS)], rejected: [] },
      projects: Object.fromEntries(folders.map((folder) => [folder, answers])),
    };
    const folder = this.#parts.configDir ?? this.home;
    await writeFile(join(folder, ".claude.json"), JSON.stringify(state, null, 2));
  }

  /** The whole environment of what runs on this machine. */
  get env(): Record<string, string> {
    return {
      PATH: `${this.#bin}:${toolPath()}`,
      HOME: this.home,
      SHELL: "/bin/bash",
      LANG: "C.UTF-8",
      TERM: "xterm-256color",
      TMPDIR: this.#temp,
      CLAUDE_CODE_TMPDIR: this.#temp,
      ANTHROPIC_API_KEY: API_KEY,
      ANTHROPIC_BASE_URL: this.#parts.api.urlFor(this.name),
      CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC: "1",
      DISABLE_AUTOUPDATER: "1",
      DISABLE_ERROR_REPORTING: "1",
      DISABLE_TELEMETRY: "1",
      ...(this.#parts.configDir ? { CLAUDE_CONFIG_DIR: this.#parts.configDir } : {}),
      ...this.#parts.env,
    };
  }

  /** Runs `claude -p` with these arguments in the project; fails when the client fails. */
  async claude(...args: string[]): Promise<Outcome> {
    const outcome = await this.startClaude(...args).outcome;
    assert.equal(outcome.code, 0, `claude -p ${args.join(" ")}: ${describe(outcome)}`);
    return outcome;
  }

  /** Starts `claude -p` with these arguments in the project. */
  startClaude(...args: string[]): Running {
    const client = start([join(this.#bin, "claude"), "-p", ...args], {
      cwd: this.project,
      env: this.env,
      timeoutMs: CLIENT_TIMEOUT_MS,
    });
    this.#clients.add(client);
    return client;
  }

  /** Opens the interactive client in a terminal, in the project. */
  async openClaude(...args: string[]): Promise<Terminal> {
    return await this.openTerminal(join(this.#bin, "claude"), ...args);
  }

  /** Opens a terminal with any program, in the project. */
  async openTerminal(program: string, ...args: string[]): Promise<Terminal> {
    const argv = [program, ...args] as [string, ...string[]];
    return await this.#parts.terminals.open({ argv, cwd: this.project, env: this.env });
  }

  /** Runs a script in bash, in the project, and fails when it fails. */
  async shell(script: string): Promise<Outcome> {
    const outcome = await run(["bash", "--norc", "-c", script], {
      cwd: this.project,
      env: this.env,
      timeoutMs: CLIENT_TIMEOUT_MS,
    });
    assert.equal(outcome.code, 0, `${script}: ${describe(outcome)}`);
    return outcome;
  }

  /** Runs claude-sync in the project and returns the outcome, whatever it is. */
  async trySync(args: readonly string[], input = ""): Promise<Outcome> {
    return await run([join(this.#bin, "claude-sync"), ...args], {
      cwd: this.project,
      env: this.env,
      input,
      timeoutMs: COMMAND_TIMEOUT_MS,
    });
  }

  /** Runs claude-sync in the project and fails when it fails. */
  async sync(...args: string[]): Promise<Outcome> {
    const outcome = await this.trySync(args);
    assert.equal(outcome.code, 0, `claude-sync ${args.join(" ")}: ${describe(outcome)}`);
    return outcome;
  }

  /** Runs claude-sync with `--json` and returns what it answers. */
  async syncJson(...args: string[]): Promise<Record<string, unknown>> {
    const { stdout } = await this.sync(...args, "--json");
    const answer = JSON.parse(stdout) as Record<string, unknown>;
    assert.equal(answer["ok"], true, stdout);
    return answer;
  }

  /** What `status --json` says; a bad state is an answer too. */
  async status(): Promise<Record<string, unknown>> {
    const outcome = await this.trySync(["status", "--json"]);
    assert.notEqual(outcome.stdout, "", describe(outcome));
    return JSON.parse(outcome.stdout) as Record<string, unknown>;
  }

  /** Waits until every byte of this machine is in the vault, without pushing anything. */
  async allPushed(): Promise<void> {
    await until(`everything of ${this.name} is in the vault`, async () => {
      const { verdict, unsent, localSessions } = await this.status();
      return verdict === "ok" && unsent === 0 && localSessions !== 0;
    }, { seen: async () => JSON.stringify(await this.status()) });
  }

  /** Every transcript on this machine. */
  async transcripts(): Promise<Transcript[]> {
    return await readTranscripts(this.configDir);
  }

  /** The transcript of that session here; fails when there is not exactly one. */
  async transcript(sessionId: string): Promise<Transcript> {
    const all = await this.transcripts();
    const found = all.filter((transcript) => transcript.sessionId === sessionId);
    const ids = all.map((transcript) => transcript.path).join(", ");
    assert.equal(found.length, 1, `${this.name} has session ${sessionId} ${found.length}x: ${ids}`);
    return found[0]!;
  }

  /** The session that only this machine can have started: its single one. */
  async onlySession(): Promise<Transcript> {
    const all = await this.transcripts();
    const paths = all.map((transcript) => transcript.path).join(", ");
    assert.equal(all.length, 1, `${this.name} should have one session: ${paths}`);
    return all[0]!;
  }

  /** All requests of this machine's client. */
  get requests(): readonly ApiRequest[] {
    return this.#parts.api.requests.filter((request) => request.machine === this.name);
  }

  /**
   * The conversation that the model was shown when `prompt` was asked here, without that prompt.
   * Takes the last such request; fails when there is none.
   */
  shownBefore(prompt: string): readonly Turn[] {
    const asked = this.requests.findLast(({ isConversation, turns }) => {
      return isConversation && turns.at(-1)?.text.includes(prompt);
    });
    assert.ok(asked, `the client on ${this.name} never asked "${prompt}"`);
    return asked.turns.slice(0, -1);
  }

  /** Waits until the model was asked something that contains `words`. */
  async asked(words: string): Promise<void> {
    await until(`the client on ${this.name} asks "${words}"`, () => {
      return this.requests.some((request) =>
        request.isConversation && request.text.includes(words)
      );
    });
  }

  /** Ends the clients that a failed test may have left; terminals are the server's. */
  async shutDown(): Promise<void> {
    for (const client of this.#clients) client.kill("SIGKILL");
    await Promise.allSettled([...this.#clients].map((client) => client.outcome));
  }

  get #bin(): string {
    return join(this.home, "bin");
  }

  get #temp(): string {
    return join(this.home, "tmp");
  }
}

function quote(word: string): string {
  return `'${word.replaceAll("'", `'\\''`)}'`;
}
