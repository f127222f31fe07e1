/**
 * File systems of a few megabytes, made for the purpose, with a vault or a home on them: where this
 * process may mount, or one in a namespace of its own.
 */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { SessionCorpus } from "./session_corpus.ts";
import { inTempDir, SyncMachine } from "./sync_machine.ts";

const PROGRAM = process.platform === "win32" ? "claude-sync.exe" : "claude-sync";
const BINARY = process.env["CLAUDE_SYNC_BINARY"] ??
  join(import.meta.dirname!, "..", "..", "dist", PROGRAM);
/** Ids of sessions; the first is in the vault from the start. */
export const IDS = [1, 2].map((n) => `${String(n).repeat(8)}-1111-4111-8111-111111111111`);
/** Compressed, this is more than what the small disks have. */
export const LARGE_BYTES = 6_000_000;
/** Enough of everything. */
export const ROOM = "size=64m,nr_inodes=10000";

/** A file system in memory, at `path`. */
export class SmallDisk {
  readonly #path: string;

  constructor(path: string) {
    this.#path = path;
  }

  /** Mounts it; throws where this process may not. */
  static mount(path: string): SmallDisk {
    mkdirSync(path, { recursive: true });
    const run = spawnSync("mount", ["-t", "tmpfs", "-o", `${ROOM},mode=700`, "tmpfs", path]);
    const reason = run.error?.message ?? run.stderr.toString().trim();
    assert.equal(run.status, 0, `mount: ${reason}`);
    return new SmallDisk(path);
  }

  /** Gives it another size or mode, e.g. `size=1m`, `ro`. */
  remount(options: string): void {
    const run = spawnSync("mount", ["-o", `remount,${options}`, this.#path]);
    assert.equal(run.status, 0, run.stderr.toString());
  }

  /** Leaves no byte free. */
  fill(): void {
    spawnSync("dd", ["if=/dev/zero", `of=${join(this.#path, "filler")}`, "bs=4k"]);
  }

  empty(): void {
    rmSync(join(this.#path, "filler"), { recursive: true });
  }

  /** Leaves no inode free; `empty` gives them back. */
  fillInodes(): void {
    this.remount("nr_inodes=200");
    mkdirSync(join(this.#path, "filler"));
    for (let n = 0; n < 200; n++) {
      try {
        writeFileSync(join(this.#path, "filler", `${n}`), "");
      } catch {
        return;
      }
    }
  }

  unmount(): void {
    spawnSync("umount", ["-l", this.#path]);
  }
}

/** What runs this file where it may mount, as its own user's root. */
const NAMESPACE = ["unshare", "--user", "--map-root-user", "--mount", "--"];
const IS_INSIDE = process.env["CLAUDE_SYNC_IN_NAMESPACE"] === "1";

/** Why this process may not mount; null when it may. */
const whyNoMount = await inTempDir((dir) => {
  try {
    SmallDisk.mount(join(dir, "disk")).unmount();
    return Promise.resolve(null);
  } catch (error) {
    return Promise.resolve(String(error));
  }
});

/**
 * Where this process may not mount: declares a test that runs all of `file` in a namespace, or says
 * why that cannot be.
 */
export function runInNamespace(file: string): void {
  if (whyNoMount === null) return;
  const tried = spawnSync(NAMESPACE[0]!, [
    ...NAMESPACE.slice(1),
    "mount",
    "-t",
    "tmpfs",
    "x",
    "/mnt",
  ]);
  const why = tried.status === 0 ? null : tried.error?.message ?? tried.stderr.toString().trim();
  if (why !== null || IS_INSIDE) {
    console.log(`skipped: no disk of our own: ${whyNoMount}; in a namespace: ${why}`);
  }
  Deno.test({
    name: "without room: all of it in a namespace of its own",
    ignore: why !== null || IS_INSIDE,
    fn: () => {
      const test = [Deno.execPath(), "test", "--allow-all", "--no-check", file];
      const [program, ...args] = [...NAMESPACE, ...test];
      const env = { ...process.env, CLAUDE_SYNC_IN_NAMESPACE: "1", NO_COLOR: "1" };
      const { status, stdout, stderr } = spawnSync(program!, args, { env });
      assert.equal(status, 0, `${stdout}${stderr}`);
      const passed = Number(/ok \| (\d+) passed/.exec(stdout.toString())?.[1]);
      assert.ok(passed > 10, `${stdout}: too few to be all`);
    },
  });
}

/** What a run printed, and its exit code. */
export interface Said {
  readonly exit: number | null;
  readonly text: string;
}

/** Runs the program as `machine`'s user. */
export function run(machine: SyncMachine, args: readonly string[], stdin = ""): Said {
  const done = spawnSync(BINARY, [...args], {
    cwd: machine.home,
    env: { HOME: machine.home, PATH: process.env["PATH"] },
    input: stdin,
  });
  return { exit: done.status, text: `${done.stdout}${done.stderr}` };
}

/** A machine on this computer. */
export function machineOf(dir: string, name: string): SyncMachine {
  const machine = new SyncMachine({ name, dir });
  const host = { ...machine.platform.host, hostname: hostname() };
  return Object.assign(machine, { platform: { ...machine.platform, host } });
}

/** Writes a transcript of so many bytes. */
export function speak(machine: SyncMachine, id: string, bytes: number): void {
  const facts = { session: id, cwd: machine.project, seed: 7, startMs: Date.now() - 86_400_000 };
  machine.writeTranscript(id, new SessionCorpus(facts).next(bytes));
}

/** Fails with what was printed unless the run went well. */
export function succeeds({ exit, text }: Said): void {
  assert.equal(exit, 0, text);
}

/** The run failed for want of `code`, said where and what to do, and left no half file. */
export function refuses({ exit, text }: Said, code: RegExp, where: string): void {
  assert.notEqual(exit, 0, text);
  assert.match(text, code);
  assert.ok(text.includes(where), `${text} names ${where}`);
  assert.match(text, /^ *fix {3}/m);
}

/** A vault, two machines, and a small disk under one of them. */
export interface World {
  readonly anna: SyncMachine;
  readonly bert: SyncMachine;
  readonly disk: SmallDisk;
  readonly at: string;
}

/** Runs `work` with a vault and two machines, `at` being a small file system of its own. */
export function onSmallDisk(
  name: string,
  at: (dir: string) => string,
  work: (world: World) => void | Promise<void>,
): void {
  const fn = () =>
    inTempDir(async (dir) => {
      assert.ok(existsSync(BINARY), `${BINARY} is missing: run deno task build first`);
      const path = at(dir);
      const disk = SmallDisk.mount(path);
      try {
        const [anna, bert] = [machineOf(dir, "anna"), machineOf(dir, "bert")];
        speak(anna, IDS[0]!, 5_000);
        succeeds(run(anna, ["init", "--dir", anna.vaultDir, "--yes"]));
        succeeds(run(anna, ["push"]));
        succeeds(run(bert, ["init", "--dir", anna.vaultDir, "--yes"]));
        const key = run(anna, ["key", "export", "--quiet"]);
        succeeds(run(bert, ["key", "import"], key.text));
        succeeds(run(bert, ["pull", "--all"]));
        await work({ anna, bert, disk, at: path });
        const verified = run(anna, ["verify", "--read-data"]);
        succeeds(verified);
        assert.match(verified.text, /No damage/);
      } finally {
        disk.unmount();
      }
    });
  Deno.test({ name: `without room: ${name}`, ignore: whyNoMount !== null, fn });
}
