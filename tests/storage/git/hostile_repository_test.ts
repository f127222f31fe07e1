/** Repositories that somebody has prepared, or that are no place for a vault alone. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import * as fs from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { isClaudeSyncError } from "../../../src/errors.ts";
import { objectName } from "../../../src/storage/object_name.ts";
import { objectPath } from "../../../src/storage/git/object_path.ts";
import { listNames } from "../../conformance/store_cases.ts";
import { itemsOf, one, patterned, two } from "../../conformance/objects.ts";
import { type GitWorld, withGitWorld } from "./git_world.ts";

const ZERO = "0".repeat(40);
/** Git knows it without having it. */
const EMPTY_TREE = "4b825dc642cb6eb9a060e54bf8d69288fbee4904";

/** Feeds `fast-import` of the repository itself: whoever writes there may write anything. */
function fastImport(world: GitWorld, text: string): void {
  execFileSync("git", [`--git-dir=${world.repository}`, "fast-import", "--quiet", "--force"], {
    input: text,
    env: { PATH: process.env["PATH"] ?? "", HOME: world.homeOf("admin") },
  });
}

/** A commit of files on a branch of the vault. */
function commitText(branch: string, lines: readonly string[]): string {
  const who = "x <x@example.com> 0 +0000";
  return `commit refs/heads/claude-sync/${branch}\nauthor ${who}\ncommitter ${who}\ndata 0\n` +
    `${lines.join("\n")}\n\n`;
}

const inline = (path: string, text: string, mode = "100644") =>
  `M ${mode} inline ${path}\ndata ${text.length}\n${text}`;

Deno.test("only ordinary files in their places are objects, whatever else a tree holds", () =>
  withGitWorld(async (world) => {
    const a = await world.open("a", { create: true });
    await a.putAll(itemsOf(["good/1", one]));
    const path = objectPath(objectName("good/2"), 3);
    const [shard, file] = path.split("/") as [string, string];
    const link = objectPath(objectName("bad/link"), 3);
    const program = objectPath(objectName("bad/program"), 3);
    const module = objectPath(objectName("bad/module"), 3);
    const folder = objectPath(objectName("bad/folder"), 3);
    fastImport(
      world,
      commitText("0123456789abcdef", [
        inline(path, "two"),
        inline(link, "/etc/passwd", "120000"),
        inline(program, "two", "100755"),
        `M 160000 ${"1".repeat(40)} ${module}`,
        inline(`${folder}/x`, "two"),
        inline(`${shard === "00" ? "01" : "00"}/${file}`, "two"),
        inline(`${shard}/deep/${file}`, "two"),
        inline(".gitattributes", "* filter=evil\n"),
        inline(`${shard}/.gitattributes`, "* filter=evil ident text\n"),
        inline("README.md", "hello"),
        inline(`${shard}/UPPER=3`, "two"),
        inline(`${shard}/a+..+b=3`, "two"),
      ]),
    );
    // Branches and tags of others, and those that only look like the vault's.
    const tip = world.git("rev-parse", "refs/heads/claude-sync/0123456789abcdef");
    for (
      const ref of [
        "refs/heads/claude-sync/x/y",
        "refs/heads/claude-sync/UPPERCASEUPPERCA",
        "refs/heads/feature",
        "refs/tags/v1",
        "refs/tags/claude-sync/0123456789abcdef",
        "refs/claude-sync/0123456789abcdef",
      ]
    ) world.git("update-ref", ref, tip);
    const b = await world.open("b");
    for (const store of [a, b]) {
      assert.deepEqual(await listNames(store), ["good/1", "good/2"]);
      assert.deepEqual(await store.get(objectName("good/2")), two);
      for (const name of ["bad/link", "bad/program", "bad/module", "bad/folder"]) {
        assert.equal(await store.get(objectName(name)), null);
      }
    }
  }));

Deno.test("Git's own alarms are errors, not objects", () =>
  withGitWorld(async (world) => {
    const a = await world.open("a", { create: true });
    await a.putAll(itemsOf(["good/1", one]));
    const blob = execFileSync("git", [
      "--git-dir",
      world.repository,
      "hash-object",
      "-w",
      "--stdin",
    ], {
      input: '[submodule "x"]\n\tpath = ../x\n\turl = -u./payload\n',
      encoding: "utf8",
    }).trim();
    const tree = execFileSync("git", ["--git-dir", world.repository, "mktree", "--missing"], {
      input: `100644 blob ${blob}\t.gitmodules\n40000 tree ${EMPTY_TREE}\t.GIT\n`,
      encoding: "utf8",
    }).trim();
    const commit = world.git("commit-tree", tree, "-m", "x");
    world.git("update-ref", "refs/heads/claude-sync/0123456789abcdef", commit, ZERO);
    const b = await world.open("b");
    await assert.rejects(listNames(b), (error) => isClaudeSyncError(error, "store-invalid"));
    await assert.rejects(listNames(a), (error) => isClaudeSyncError(error, "store-invalid"));
  }));

Deno.test("a tree that unfolds without end is not unfolded", () =>
  withGitWorld(async (world) => {
    const a = await world.open("a", { create: true });
    await a.putAll(itemsOf(["good/1", one]));
    const mktree = (input: string) =>
      execFileSync("git", ["--git-dir", world.repository, "mktree"], { input, encoding: "utf8" })
        .trim();
    let tree = mktree("");
    for (let depth = 0; depth < 12; depth++) {
      const names = Array.from({ length: 256 }, (_, i) => i.toString(16).padStart(2, "0"));
      tree = mktree(names.map((name) => `040000 tree ${tree}\t${name}\n`).join(""));
    }
    const commit = world.git("commit-tree", tree, "-m", "x");
    world.git("update-ref", "refs/heads/claude-sync/0123456789abcdef", commit, ZERO);
    const b = await world.open("b");
    assert.deepEqual(await listNames(b), ["good/1"]);
  }));

Deno.test("an object longer than its name says is refused, a shorter one is given as it is", () =>
  withGitWorld(async (world) => {
    const a = await world.open("a", { create: true });
    const long = objectPath(objectName("x/long"), 3);
    const short = objectPath(objectName("x/short"), 3_000_000);
    const text = commitText("0123456789abcdef", [
      inline(long, "y".repeat(100_000)),
      inline(short, "z"),
    ]);
    fastImport(world, text);
    await assert.rejects(
      a.get(objectName("x/long")),
      (error) => isClaudeSyncError(error, "store-invalid"),
    );
    assert.equal((await a.get(objectName("x/short")))?.length, 1);
  }));

Deno.test("a repository that is used for something else keeps all that is its", () =>
  withGitWorld(async (world) => {
    execFileSync("git", ["init", "-q", "--bare", world.repository]);
    const empty = world.git("hash-object", "-t", "tree", "-w", "/dev/null");
    const commit = world.git("commit-tree", empty, "-m", "theirs");
    world.git("update-ref", "refs/heads/trunk", commit);
    const a = await world.open("a", { create: true });
    await a.put(objectName("claude-sync.json"), one);
    await a.putAll(itemsOf(["log/1", patterned(1000)]));
    const refs = world.git("for-each-ref", "--format=%(refname)").split("\n");
    assert.ok(!refs.includes("refs/heads/main"), "no page beside somebody's own branches");
    assert.equal(world.git("rev-parse", "refs/heads/trunk"), commit);
    assert.equal(refs.length, 3);
  }));

Deno.test("commits say who made them to nobody, and not when but the day", () =>
  withGitWorld(async (world) => {
    const a = await world.open("a", { create: true });
    await a.put(objectName("claude-sync.json"), one);
    await a.putAll(itemsOf(["log/1", one]));
    const log = world.git("log", "--all", "--format=%an <%ae> %cn <%ce> %s %b|%at %ct %ai");
    const lines = log.split("\n");
    assert.equal(lines.length, 3);
    const who = "claude-sync <claude-sync@localhost>";
    for (const line of lines) {
      const [text, times] = line.split("|") as [string, string];
      assert.equal(text.trim(), `${who} ${who} sync`);
      assert.match(times, /^(\d+) \1 \d{4}-\d\d-\d\d 00:00:00 \+0000$/);
    }
    assert.match(world.git("show", "main:README.md"), /Without the vault's key nothing/);
    assert.equal(world.git("ls-tree", "--name-only", "main"), "README.md");
    for (const file of fs.readdirSync(world.cacheOf("a"), { recursive: true })) {
      assert.doesNotMatch(join(String(file)), /logs/);
    }
  }));

Deno.test("a repository on a disk starts nothing that came with it", () =>
  withGitWorld(async (world) => {
    const a = await world.open("a", { create: true });
    const proof = join(world.folder, "ran");
    const script = `#!/bin/sh\ntouch '${proof}'\ncat >/dev/null\n`;
    const hooks = join(world.repository, "hooks");
    fs.mkdirSync(hooks, { recursive: true });
    for (
      const hook of [
        ...["pre-receive", "update", "post-receive", "post-update", "push-to-checkout"],
        ...["reference-transaction", "proc-receive", "pre-auto-gc"],
      ]
    ) fs.writeFileSync(join(hooks, hook), script, { mode: 0o755 });
    const program = join(world.folder, "program");
    fs.writeFileSync(program, script, { mode: 0o755 });
    for (
      const name of [
        ...["core.fsmonitor", "core.sshCommand", "core.alternateRefsCommand", "core.pager"],
        ...["uploadpack.packObjectsHook", "core.editor", "gpg.program", "credential.helper"],
        ...["core.gitProxy", "filter.x.clean", "core.askPass"],
      ]
    ) world.git("config", name, program);
    await a.putAll(itemsOf(["packs/1", patterned(500_000)], ["log/1", one]));
    const b = await world.open("b");
    assert.deepEqual(await listNames(b), ["log/1", "packs/1"]);
    await b.get(objectName("packs/1"));
    await b.put(objectName("claude-sync.json"), one);
    await b.delete(objectName("log/1"));
    assert.ok(!fs.existsSync(proof), "a program of the repository ran");
  }));

Deno.test("a repository with code in it is left as it is, and the user is told", () =>
  withGitWorld(async (world) => {
    world.gitIn(world.repository, "init", "--quiet", "--bare", "--initial-branch=main");
    const tree = world.git("hash-object", "-t", "tree", "-w", "/dev/null");
    const commit = world.git("commit-tree", "-m", "code", tree);
    world.git("update-ref", "refs/heads/main", commit);
    world.git("tag", "v1", commit);
    const a = await world.open("a", { create: true });
    assert.equal(world.notes.length, 1);
    assert.match(world.notes[0]!, /other things.*left alone.*repository of its own/);
    await a.put(objectName("claude-sync.json"), one);
    await a.putAll(itemsOf(["log/1", one]));
    assert.equal(world.git("rev-parse", "main"), commit);
    assert.equal(world.git("rev-parse", "v1"), commit);
    // Where a vault is already, that was said.
    await world.open("b", { create: true });
    assert.equal(world.notes.length, 1);
  }));

Deno.test("a repository that a vault was moved to counts as the vault's own", () =>
  withGitWorld(async (world) => {
    const a = await world.open("a", { create: true });
    // As a move sends it: the header with the rest, not by itself.
    await a.putAll(itemsOf(["log/1", one], ["claude-sync.json", one]));
    await world.open("b", { create: true });
    assert.deepEqual(world.notes, []);
  }));
