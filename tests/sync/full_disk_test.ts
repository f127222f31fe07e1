/**
 * Disks without room, without inodes and without permission to write, on file systems made for the
 * purpose where this process may mount, and always on a disk that only says it is full.
 */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { faultyFs } from "../support/faulty_fs.ts";
import { SessionCorpus } from "../support/session_corpus.ts";
import { filesBelow, inTempDir, said, SyncMachine } from "../support/sync_machine.ts";

const PROGRAM = process.platform === "win32" ? "claude-sync.exe" : "claude-sync";
const BINARY = process.env["CLAUDE_SYNC_BINARY"] ??
  join(import.meta.dirname!, "..", "..", "dist", PROGRAM);
const TEMPORARY = /\.claude-sync-[0-9a-f]{16}\.tmp$/;
const IDS = [1, 2].map((n) => `${String(n).repeat(8)}-1111-4111-8111-111111111111`);
/** Compressed, this is more than what the small disks have. */
const LARGE_BYTES = 6_000_000;
const ROOM = "size=64m,nr_inodes=10000";

/** A file system in memory, at `path`. */
class SmallDisk {
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

/** Why this process may not mount, which is then said; null when it may. */
const whyNoMount = await inTempDir((dir) => {
  try {
    SmallDisk.mount(join(dir, "disk")).unmount();
    return Promise.resolve(null);
  } catch (error) {
    console.log(`not on a real disk, only on one that says it is full: ${error}`);
    return Promise.resolve(String(error));
  }
});

interface Said {
  readonly exit: number | null;
  readonly text: string;
}

function run(machine: SyncMachine, args: readonly string[], stdin = ""): Said {
  const done = spawnSync(BINARY, [...args], {
    cwd: machine.home,
    env: { HOME: machine.home, PATH: process.env["PATH"] },
    input: stdin,
  });
  return { exit: done.status, text: `${done.stdout}${done.stderr}` };
}

function machineOf(dir: string, name: string): SyncMachine {
  const machine = new SyncMachine({ name, dir });
  const host = { ...machine.platform.host, hostname: hostname() };
  return Object.assign(machine, { platform: { ...machine.platform, host } });
}

function speak(machine: SyncMachine, id: string, bytes: number): void {
  const facts = { session: id, cwd: machine.project, seed: 7, startMs: Date.now() - 86_400_000 };
  machine.writeTranscript(id, new SessionCorpus(facts).next(bytes));
}

function succeeds({ exit, text }: Said): void {
  assert.equal(exit, 0, text);
}

/** The run failed for want of `code`, said where and what to do, and left no half file. */
function refuses({ exit, text }: Said, code: RegExp, where: string): void {
  assert.notEqual(exit, 0, text);
  assert.match(text, code);
  assert.ok(text.includes(where), `${text} names ${where}`);
  assert.match(text, /^ *fix {3}/m);
}

interface World {
  readonly anna: SyncMachine;
  readonly bert: SyncMachine;
  readonly disk: SmallDisk;
  readonly at: string;
}

/** Runs `work` with a vault and two machines, `at` being a small file system of its own. */
function onSmallDisk(
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

function wholeFiles(machine: SyncMachine): Record<string, string> {
  const files = Object.entries(machine.files()).filter(([path]) => !TEMPORARY.test(path));
  return Object.fromEntries(files);
}

for (const what of ["a full vault", "a vault without inodes"] as const) {
  onSmallDisk(`push into ${what}`, (dir) => join(dir, "vault"), ({ anna, bert, disk, at }) => {
    speak(anna, IDS[1]!, LARGE_BYTES);
    const before = anna.files();
    if (what === "a full vault") disk.fill();
    else disk.fillInodes();
    refuses(run(anna, ["push"]), /\[no-space\]/, at);
    assert.deepEqual(anna.files(), before);
    succeeds(run(bert, ["pull"]));
    disk.empty();
    succeeds(run(anna, ["push"]));
    succeeds(run(bert, ["pull", "--all"]));
    assert.ok(bert.readTranscript(IDS[1]!) === anna.readTranscript(IDS[1]!));
  });
}

onSmallDisk("our own folder", (dir) => join(dir, "anna", ".claude-sync"), (world) => {
  const { anna, disk, at } = world;
  speak(anna, IDS[1]!, LARGE_BYTES);
  const before = anna.files();
  disk.fill();
  refuses(run(anna, ["push"]), /\[no-space\]/, at);
  refuses(run(anna, ["pull"]), /\[no-space\]/, at);
  succeeds(run(anna, ["status"]));
  const hook = JSON.stringify({
    session_id: IDS[1],
    transcript_path: anna.transcriptPath(IDS[1]!),
    cwd: anna.project,
    hook_event_name: "SessionEnd",
  });
  assert.deepEqual(run(anna, ["hook", "session-end"], hook), { exit: 0, text: "" });
  assert.deepEqual(anna.files(), before);
  disk.empty();
  succeeds(run(anna, ["push"]));
});

onSmallDisk("our own folder is read-only", (dir) => join(dir, "anna", ".claude-sync"), (world) => {
  const { anna, disk, at } = world;
  speak(anna, IDS[1]!, 5_000);
  const before = filesBelow(at);
  disk.remount("ro");
  for (const command of ["push", "pull"]) {
    const said = run(anna, [command]);
    refuses(said, /read-only/, at);
    // The index is whole, and nobody has tried to throw it away.
    assert.doesNotMatch(said.text, /remove/);
  }
  succeeds(run(anna, ["status"]));
  assert.deepEqual(filesBelow(at), before);
  disk.remount("rw");
  succeeds(run(anna, ["push"]));
});

onSmallDisk(
  "pull into a full Claude Code folder",
  (dir) => join(dir, "bert", ".claude"),
  (world) => {
    const { anna, bert, disk, at } = world;
    speak(anna, IDS[1]!, LARGE_BYTES);
    succeeds(run(anna, ["push"]));
    const before = wholeFiles(bert);
    disk.remount("size=1m");
    refuses(run(bert, ["pull", "--all"]), /\[no-space\]/, at);
    assert.deepEqual(bert.files(), before, "no file is half, and nothing is left over");
    disk.remount(ROOM);
    disk.remount("ro");
    refuses(run(bert, ["pull", "--all"]), /EROFS/, at);
    disk.remount("rw");
    succeeds(run(bert, ["pull", "--all"]));
    assert.ok(bert.readTranscript(IDS[1]!) === anna.readTranscript(IDS[1]!));
  },
);

for (const [what, small] of [["room", "size=4k"], ["inodes", "nr_inodes=2"]] as const) {
  onSmallDisk(`init without ${what}`, (dir) => join(dir, "carl", ".claude-sync"), (world) => {
    const { anna, disk, at } = world;
    const carl = machineOf(join(anna.home, ".."), "carl");
    speak(carl, IDS[0]!, 5_000);
    disk.remount(small);
    if (what === "room") writeFileSync(join(at, "filler"), new Uint8Array(4096));
    const vault = join(carl.home, "new-vault");
    refuses(run(carl, ["init", "--dir", vault, "--yes"]), /\[no-space\]/, at);
    assert.ok(!existsSync(join(vault, "claude-sync.json")), "no vault without a key");
    disk.remount(ROOM);
    rmSync(join(at, "filler"), { force: true });
    succeeds(run(carl, ["init", "--dir", vault, "--yes"]));
    succeeds(run(carl, ["push"]));
    succeeds(run(carl, ["verify", "--read-data"]));
  });
}

onSmallDisk("push into a full Git repository", (dir) => join(dir, "remote"), (world) => {
  const { anna, disk, at } = world;
  const gina = machineOf(join(anna.home, ".."), "gina");
  const remote = join(at, "vault.git");
  assert.equal(spawnSync("git", ["init", "--quiet", "--bare", remote]).status, 0);
  speak(gina, IDS[0]!, LARGE_BYTES);
  succeeds(run(gina, ["init", "--git", remote, "--yes"]));
  disk.fill();
  refuses(run(gina, ["push"]), /\[no-space\]/, at);
  disk.empty();
  succeeds(run(gina, ["push"]));
  succeeds(run(gina, ["verify", "--read-data"]));
});

for (const errno of ["ENOSPC", "EDQUOT"] as const) {
  Deno.test(`a disk that says ${errno} from some write on keeps everything, and can go on`, () =>
    inTempDir(async (dir) => {
      for (const failNth of [1, 2, 3, 5, 8, 12]) {
        const at = join(dir, `${failNth}`);
        const anna = new SyncMachine({ name: "anna", dir: at });
        const facts = { session: IDS[0]!, cwd: anna.project, atMs: Date.now() - 3_600_000 };
        anna.writeTranscript(IDS[0]!, said("user", "a", facts) + said("assistant", "b", facts));
        await anna.init();
        const before = anna.files();
        cpSync(anna.home, `${anna.home}.kept`, { recursive: true });
        const calls = ["createFile", "write", "makeDir"];
        const plan = { failNth, from: "then-on", errno, calls } as const;
        const full = new SyncMachine({ name: "anna", dir: at, fs: (fs) => faultyFs(fs, plan) });
        const outcome = await full.push().then(() => "done", (error) => error.code);
        assert.ok(["no-space", "done"].includes(outcome), `${failNth}: ${outcome}`);
        assert.deepEqual(anna.files(), before);
        assert.equal((await anna.push()).failed, 0);
        assert.deepEqual((await anna.verify()).problems, []);
      }
    }));
}
