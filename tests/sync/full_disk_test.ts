/**
 * Disks without room, without inodes and without permission to write, on file systems made for the
 * purpose, where this process or one in a namespace of its own may mount; `quota_test.ts` has disks
 * that only say that they are full, for everywhere.
 */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { SessionCorpus } from "../support/session_corpus.ts";
import {
  IDS,
  LARGE_BYTES,
  machineOf,
  onSmallDisk,
  refuses,
  ROOM,
  run,
  runInNamespace,
  type Said,
  speak,
  succeeds,
} from "../support/small_disk.ts";
import { filesBelow, type SyncMachine } from "../support/sync_machine.ts";

const TEMPORARY = /\.claude-sync-[0-9a-f]{16}\.tmp$/;

runInNamespace(import.meta.filename!);

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
  assert.deepEqual(hook(anna, "SessionEnd"), { exit: 0, text: "" });
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

/** Runs the hook with what the client says. */
function hook(machine: SyncMachine, event: "SessionStart" | "SessionEnd"): Said {
  const name = event === "SessionStart" ? "session-start" : "session-end";
  const said = {
    session_id: IDS[0],
    transcript_path: machine.transcriptPath(IDS[0]!),
    cwd: machine.project,
    hook_event_name: event,
    ...(event === "SessionStart" ? { source: "startup" } : { reason: "exit" }),
  };
  return run(machine, ["hook", name], JSON.stringify(said));
}

for (const [what, place] of [["the vault", "vault"], ["our own folder", "own"]] as const) {
  const at = (dir: string) =>
    join(dir, ...(place === "own" ? ["anna", ".claude-sync"] : ["vault"]));

  onSmallDisk(`gc, in ${what}`, at, async (world) => {
    const { anna, bert, disk } = world;
    const facts = {
      session: IDS[1]!,
      cwd: anna.project,
      seed: 8,
      startMs: Date.now() - 86_400_000,
    };
    const corpus = new SessionCorpus(facts);
    for (let text = "", turn = 0; turn < 8; turn++) {
      text += corpus.next(2_000);
      anna.writeTranscript(IDS[1]!, text);
      await anna.push();
    }
    const [files, objects] = [anna.files(), objectsIn(anna)];
    disk.fill();
    refuses(run(anna, ["gc"]), /\[no-space\]/, world.at);
    assert.deepEqual(anna.files(), files);
    succeeds(run(bert, ["pull", "--all"]));
    disk.empty();
    // What was put before there was no room is nobody's; what was there is there.
    const left = objectsIn(anna);
    for (const [name, bytes] of objects) assert.ok(left.get(name) === bytes, name);
    const done = run(anna, ["gc", "--json"]);
    succeeds(done);
    assert.ok(objectsIn(anna).size > objects.size, `a checkpoint was written: ${done.text}`);
    assert.ok(bert.readTranscript(IDS[1]!) === anna.readTranscript(IDS[1]!));
  });

  onSmallDisk(`forget, in ${what}`, at, ({ anna, bert, disk, at }) => {
    const files = anna.files();
    disk.fill();
    refuses(run(anna, ["forget", IDS[0]!, "--yes"]), /\[no-space\]/, at);
    assert.deepEqual(anna.files(), files);
    disk.empty();
    assert.ok(!isForgotten(bert), "nobody takes half a wish for one");
    succeeds(run(anna, ["forget", IDS[0]!, "--yes"]));
    assert.ok(isForgotten(bert));
    assert.deepEqual(anna.files(), files);
  });

  onSmallDisk(`import, in ${what}`, at, ({ anna, bert, disk, at }) => {
    const laptop = machineOf(join(anna.home, ".."), "laptop");
    const facts = {
      session: IDS[1]!,
      cwd: anna.project,
      seed: 9,
      startMs: Date.now() - 86_400_000,
    };
    laptop.writeTranscript(IDS[1]!, new SessionCorpus(facts).next(LARGE_BYTES));
    const files = anna.files();
    disk.fill();
    refuses(run(anna, ["import", laptop.home]), /\[no-space\]/, at);
    assert.deepEqual(anna.files(), files);
    disk.empty();
    succeeds(run(anna, ["import", laptop.home]));
    succeeds(run(bert, ["pull", "--all"]));
    assert.ok(bert.readTranscript(IDS[1]!) === laptop.readTranscript(IDS[1]!));
  });
}

onSmallDisk("restore", (dir) => join(dir, "anna", ".claude"), ({ anna, disk, at }) => {
  speak(anna, IDS[1]!, LARGE_BYTES);
  succeeds(run(anna, ["push"]));
  const wanted = anna.readTranscript(IDS[1]!);
  rmSync(anna.transcriptPath(IDS[1]!));
  const before = wholeFiles(anna);
  disk.remount("size=1m");
  refuses(run(anna, ["restore", IDS[1]!]), /\[no-space\]/, at);
  assert.deepEqual(anna.files(), before, "no file is half, and nothing is left over");
  disk.remount(ROOM);
  succeeds(run(anna, ["restore", IDS[1]!]));
  assert.ok(anna.readTranscript(IDS[1]!) === wanted);
});

onSmallDisk("a home that is read-only", (dir) => join(dir, "anna"), ({ anna, disk, at }) => {
  speak(anna, IDS[1]!, 5_000);
  const before = filesBelow(at);
  disk.remount("ro");
  for (const args of [["push"], ["pull"], ["gc"], ["forget", IDS[0]!, "--yes"]]) {
    refuses(run(anna, args), /read-only/, at);
  }
  succeeds(run(anna, ["status"]));
  assert.deepEqual(hook(anna, "SessionEnd"), { exit: 0, text: "" });
  assert.equal(hook(anna, "SessionStart").exit, 0);
  assert.deepEqual(filesBelow(at), before);
  disk.remount("rw");
  succeeds(run(anna, ["push"]));
});

onSmallDisk("init in a home that is read-only", (dir) => join(dir, "carl"), (world) => {
  const { anna, disk, at } = world;
  const carl = machineOf(join(anna.home, ".."), "carl");
  speak(carl, IDS[0]!, 5_000);
  const before = filesBelow(at);
  disk.remount("ro");
  const vault = join(anna.home, "..", "carls-vault");
  refuses(run(carl, ["init", "--dir", vault, "--yes"]), /read-only/, at);
  assert.ok(!existsSync(join(vault, "claude-sync.json")), "no vault without a key");
  assert.deepEqual(hook(carl, "SessionEnd"), { exit: 0, text: "" });
  assert.deepEqual(filesBelow(at), before);
  disk.remount("rw");
  succeeds(run(carl, ["init", "--dir", vault, "--yes"]));
  succeeds(run(carl, ["push"]));
  succeeds(run(carl, ["verify", "--read-data"]));
});

/** What lies in the vault, but for what a put that failed has left. */
function objectsIn(machine: SyncMachine): Map<string, string> {
  const files = Object.entries(filesBelow(machine.vaultDir));
  return new Map(files.filter(([name]) => !/\.tmp$/.test(name)));
}

function isForgotten(machine: SyncMachine): boolean {
  succeeds(run(machine, ["pull"]));
  const listed = run(machine, ["list", "--forgotten", "--json"]);
  succeeds(listed);
  return listed.text.includes(IDS[0]!);
}
