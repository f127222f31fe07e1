/**
 * Two throw-away machines with one vault in a shared folder, and a fake model for both.
 *
 * Whatever goes from one machine to the other goes through claude-sync's own commands.
 *
 * @module
 */
import assert from "node:assert/strict";
import { access, mkdir, mkdtemp, realpath, rename, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { type PLACES, type StorePlace, storePlace } from "../support/store_place.ts";
import { whySkipped } from "../servers/servers.ts";
import { type FakeApi, startFakeApi } from "./fake_api.ts";
import { type Client, CURRENT, installClient } from "./install.ts";
import { Machine } from "./machine.ts";
import { describe, run, toolPath } from "./program.ts";
import { TerminalServer } from "./terminal.ts";
import type { Transcript } from "./transcript.ts";
import { until } from "./until.ts";

/** What A is called in the vault. */
export const MACHINE_A = "alice-laptop";
/** What B is called in the vault. */
export const MACHINE_B = "bob-desktop";

/** What a test chooses about its world. */
export interface WorldOptions {
  /** The client on both machines; the current one by default. */
  readonly version?: string;
  /** Whether both project folders are clones of one remote, which is how they are recognised. */
  readonly remote?: "same" | "none";
  /** Whether A keeps Claude Code's files outside `~/.claude`. */
  readonly configDirOnA?: "default" | "elsewhere";
  /** Where the vault is: in a shared folder unless a server is named. */
  readonly store?: (typeof PLACES)[number];
}

/** Two machines and what lies between them. */
export class World {
  readonly root: string;
  readonly vault: string;
  readonly #api: FakeApi;
  readonly #terminals: TerminalServer;
  #place: StorePlace | null = null;
  #a: Machine | null = null;
  #b: Machine | null = null;

  /** Use `withWorld`. */
  constructor(root: string, api: FakeApi) {
    this.root = root;
    this.vault = join(root, "share", "vault");
    this.#api = api;
    this.#terminals = new TerminalServer(join(root, "tmux"));
  }

  /** Alice's machine, where the vault and its key were made. */
  get a(): Machine {
    assert.ok(this.#a, "the world is set up");
    return this.#a;
  }

  /** The other machine: another user name, the project in another folder. */
  get b(): Machine {
    assert.ok(this.#b, "the world is set up");
    return this.#b;
  }

  /** Makes both machines, sets A up with a new vault, and lets B join it. */
  async setUp(options: WorldOptions): Promise<void> {
    const client = await installClient(options.version ?? CURRENT);
    this.#place = options.store === undefined ? null : await storePlace(options.store);
    const binary = await findBinary();
    const parts = { client, api: this.#api, terminals: this.#terminals, binary };
    const alice = join(this.root, "alice");
    const elsewhere = { configDir: join(alice, "settings", "claude") };
    const bob = join(this.root, "homes", "bob");
    this.#a = await Machine.create({
      ...parts,
      ...await this.#access(alice),
      name: "A",
      home: alice,
      project: join(alice, "code", "app"),
      ...(options.configDirOnA === "elsewhere" ? elsewhere : {}),
    });
    this.#b = await Machine.create({
      ...parts,
      ...await this.#access(bob),
      name: "B",
      home: bob,
      project: join(bob, "work", "checkouts", "the-app"),
    });
    if (options.remote !== "none") {
      await clone(this.a, "git@example.com:acme/app.git");
      await clone(this.b, "https://example.com/acme/app");
    }
    await mkdir(join(this.root, "share"));
    const vault = [...this.#placeFlags(), "--yes", "--no-input"];
    const made = await this.a.syncJson("init", ...vault, "--machine", MACHINE_A);
    assert.equal(made["outcome"], "created");
    await this.a.sync("install", "--global");
    const joined = await this.b.syncJson("init", ...vault, "--machine", MACHINE_B);
    assert.equal(joined["outcome"], "needs-key");
    const { stdout: key } = await this.a.sync("key", "export");
    const imported = await this.b.trySync(["key", "import"], key);
    assert.equal(imported.code, 0, `key import on B: ${describe(imported)}`);
    await this.b.sync("install", "--global");
  }

  /** Credentials for the store, as the user of a home has them. */
  async #access(home: string): Promise<{ env?: Readonly<Record<string, string>> }> {
    const { env } = await this.#place?.access(home) ?? {};
    return env === undefined ? {} : { env };
  }

  #placeFlags(): string[] {
    const location = this.#place?.location;
    switch (location?.kind) {
      case "git":
        return ["--git", location.url];
      case "s3":
        return [
          ...["--s3", `${location.bucket}/${location.prefix}`],
          ...["--endpoint", location.endpoint ?? "", "--path-style"],
        ];
      default:
        return ["--dir", this.vault];
    }
  }

  /** Waits until the session can be pulled, whole, to `to`; returns it as it is there. */
  async arrives(sessionId: string, from: Machine, to: Machine): Promise<Transcript> {
    const what = `session ${sessionId} of ${from.name} is in the vault, to its last byte`;
    let last = "";
    return await until(what, async () => {
      last = (await to.sync("pull")).stderr;
      const there = (await to.transcripts()).find((one) => one.sessionId === sessionId);
      return there?.text === (await from.transcript(sessionId)).text ? there : null;
    }, { seen: async () => `pull: ${last}\nstatus: ${(await from.trySync(["status"])).stdout}` });
  }

  /** Takes the shared folder away, as an unplugged disk or a network mount that is down. */
  async unplugVault(): Promise<void> {
    await rename(join(this.root, "share"), join(this.root, "unplugged"));
  }

  /** Brings the shared folder back. */
  async replugVault(): Promise<void> {
    // Nothing may have been made in the vault's place meanwhile: that would hide the real one.
    await rename(join(this.root, "unplugged"), join(this.root, "share"));
  }

  /** The client of another version, for both machines. */
  async clientOf(version: string): Promise<Client> {
    return await installClient(version);
  }

  /** Ends what runs in terminals and removes everything. */
  async tearDown(): Promise<void> {
    await this.#terminals.close();
    await this.#a?.shutDown();
    await this.#b?.shutDown();
    await this.#api.close();
    await this.#place?.[Symbol.asyncDispose]();
    await until("the machines' folders are gone", async () => {
      try {
        await rm(this.root, { recursive: true, force: true });
        return true;
      } catch (error) {
        // A detached worker may still be writing here.
        if ((error as { code?: string }).code === "ENOTEMPTY") return false;
        throw error;
      }
    });
  }
}

/**
 * Declares a test that gets a world of its own.
 *
 * @param name symbol and criterion, as in every test of this project.
 */
export function clientTest(
  name: string,
  options: WorldOptions,
  body: (world: World) => Promise<void>,
): void {
  const missing = options.store === undefined ? null : whySkipped(options.store);
  if (missing !== null) console.log(`skipped: ${options.store}: ${missing} (${name})`);
  Deno.test({
    name,
    ignore: missing !== null,
    fn: async () => {
      // Short, because a socket's path inside it must fit into about 100 bytes.
      const root = await realpath(await mkdtemp(join(tmpdir(), "cs-")));
      const world = new World(root, await startFakeApi());
      try {
        await world.setUp(options);
        await body(world);
      } finally {
        await world.tearDown();
      }
    },
  });
}

async function findBinary(): Promise<string> {
  const built = fileURLToPath(new URL("../../dist/claude-sync", import.meta.url));
  const binary = process.env["CLAUDE_SYNC_BINARY"] || built;
  try {
    await access(binary);
    return binary;
  } catch (cause) {
    const hint = "build it with `deno task build`, or name another with CLAUDE_SYNC_BINARY";
    throw new Error(`No claude-sync at "${binary}": ${hint}`, { cause });
  }
}

async function clone(machine: Machine, remote: string): Promise<void> {
  const env = { PATH: toolPath(), HOME: machine.home };
  for (const args of [["init", "-q", "-b", "main"], ["remote", "add", "origin", remote]]) {
    const where = { cwd: machine.project, env, timeoutMs: 30_000 };
    const { code, stderr } = await run(["git", ...args], where);
    assert.equal(code, 0, `git ${args.join(" ")}: ${stderr}`);
  }
}
