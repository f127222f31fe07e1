import assert from "node:assert/strict";
import { discoverSessions, DISCOVERY_LIMITS } from "../../src/sessions/discover.ts";
import type { Discovery } from "../../src/sessions/discover.ts";
import { pathOf } from "../../src/sessions/layout.ts";
import { ClaudeSyncError } from "../../src/errors.ts";
import { MemoryFs } from "../support/memory_fs.ts";
import { idOf, put } from "./disk.ts";

const ROOT = { os: "linux", configDir: "/h/.claude", claudeJsonPath: "/h/.claude.json" } as const;
const PROJECTS = "/h/.claude/projects";
const [ONE, TWO, THREE] = [idOf(1), idOf(2), idOf(3)];

const agentRecord = (sessionId: unknown) => `${JSON.stringify({ isSidechain: true, sessionId })}\n`;

const shape = (found: Discovery) =>
  found.sessions.map(({ slug, id, files }) => [slug, id, files.map((file) => file.name)]);
const skips = (found: Discovery) =>
  found.skipped.map(({ path, kind }) => [path.replace("/h/.claude/", ""), kind]);

Deno.test("discoverSessions finds all of a session's files, wherever the client puts them", () => {
  const fs = new MemoryFs();
  put(fs, `${PROJECTS}/-a/${ONE}.jsonl`, "{}\n");
  put(fs, `${PROJECTS}/-a/${ONE}/custom-title.json`, "{}");
  put(fs, `${PROJECTS}/-a/${ONE}/subagents/agent-a1.jsonl`, "{}\n");
  put(fs, `${PROJECTS}/-a/${ONE}/subagents/agent-a1.meta.json`, "{}");
  put(fs, `${PROJECTS}/-a/${ONE}/tool-results/b.txt`, "x");
  put(fs, `${PROJECTS}/-a/agent-ab57199.jsonl`, `torn garbage\n${agentRecord(ONE)}`);
  put(fs, `/h/.claude/file-history/${ONE}/5adaa6c8b8ebc7bc@v2`, "x");
  put(fs, `/h/.claude/todos/${ONE}-agent-${ONE}.json`, "[]");
  put(fs, `/h/.claude/todos/${ONE}-agent-${TWO}.json`, "[]");
  put(fs, `/h/.claude/todos/${ONE}.json`, "[]");
  put(fs, `/h/.claude/tasks/${ONE}/1.json`, "{}");
  // What is no session's.
  put(fs, `${PROJECTS}/-a/memory/MEMORY.md`, "x");
  put(fs, `${PROJECTS}/-a/sessions-index.json`, "{}");
  put(fs, `${PROJECTS}/-a/.DS_Store`, "x");
  put(fs, "/h/.claude/todos/notes.txt", "x");
  put(fs, "/h/.claude/settings.json", "{}");
  put(fs, "/h/.claude/.credentials.json", "{}");

  const found = discoverSessions(fs, ROOT);
  assert.deepEqual(shape(found), [["-a", ONE, [
    "transcript",
    "file-history/5adaa6c8b8ebc7bc@v2",
    "legacy/agent-ab57199.jsonl",
    "side/custom-title.json",
    "side/subagents/agent-a1.jsonl",
    "side/subagents/agent-a1.meta.json",
    "side/tool-results/b.txt",
    "tasks/1.json",
    `todos/@-agent-${TWO}.json`,
    "todos/@-agent-@.json",
    "todos/@.json",
  ]]]);
  assert.deepEqual(found.skipped, []);
  for (const { name, path, stat } of found.sessions[0]?.files ?? []) {
    assert.equal(pathOf(ROOT, "-a", ONE, name), path);
    assert.deepEqual(stat, fs.lstat(path));
  }
});

Deno.test("discoverSessions gives the sessions of a folder by id", () => {
  const fs = new MemoryFs();
  const [early, late] = ["bbbbbbbb", "ffffffff"].map((begin) => begin + ONE.slice(8));
  put(fs, `${PROJECTS}/-a/agent-ab57199.jsonl`, agentRecord(late));
  put(fs, `${PROJECTS}/-a/${early}.jsonl`, "{}\n");
  assert.deepEqual(discoverSessions(fs, ROOT).sessions.map(({ id }) => id), [early, late]);
});

Deno.test("discoverSessions finds memories, apart from the sessions", () => {
  const fs = new MemoryFs();
  put(fs, `${PROJECTS}/-a/memory/MEMORY.md`, "x");
  put(fs, `${PROJECTS}/-a/memory/topics/b.md`, "x");
  put(fs, `${PROJECTS}/-a/memory/.env`, "x");
  put(fs, `${PROJECTS}/-a/memory/.claude-sync-0011223344556677.tmp`, "x");
  put(fs, "/secret", "x");
  fs.symlink("/secret", `${PROJECTS}/-a/memory/linked.md`);
  fs.makeDir(`${PROJECTS}/-b/memory`);
  put(fs, "/elsewhere/MEMORY.md", "x");
  fs.makeDir(`${PROJECTS}/-c`);
  fs.symlink("/elsewhere", `${PROJECTS}/-c/memory`);
  const { sessions, memories, skipped, temps } = discoverSessions(fs, ROOT);
  assert.deepEqual(sessions, []);
  assert.deepEqual(memories.map(({ slug, files }) => [slug, files.map(({ name }) => name)]), [
    ["-a", ["memory/MEMORY.md", "memory/topics/b.md"]],
  ]);
  assert.deepEqual(skipped.map(({ path, kind }) => [path, kind]), [
    [`${PROJECTS}/-a/memory/.env`, "never-synced"],
    [`${PROJECTS}/-a/memory/linked.md`, "link"],
    [`${PROJECTS}/-c/memory`, "link"],
  ]);
  assert.equal(temps.length, 1);
  const limits = { ...DISCOVERY_LIMITS, filesPerSession: 1 };
  const limited = discoverSessions(fs, ROOT, limits);
  assert.equal(limited.memories[0]!.files.length, 1);
  assert.ok(limited.skipped.some(({ kind }) => kind === "limit"));
});

Deno.test("discoverSessions takes an empty transcript for nothing unless its agents spoke", () => {
  const fs = new MemoryFs();
  put(fs, `${PROJECTS}/-a/${ONE}.jsonl`, "");
  put(fs, `${PROJECTS}/-a/${TWO}.jsonl`, "");
  put(fs, `${PROJECTS}/-a/agent-a5443fb.jsonl`, agentRecord(TWO));
  fs.makeDir(`${PROJECTS}/-a/${THREE}/subagents`);
  fs.makeDir(`${PROJECTS}/-empty`);
  const found = discoverSessions(fs, ROOT);
  assert.deepEqual(shape(found), [["-a", TWO, ["transcript", "legacy/agent-a5443fb.jsonl"]]]);
  assert.deepEqual([...found.empties], [[ONE, "-a"]]);
  assert.deepEqual(found.skipped, []);
});

Deno.test("discoverSessions gives one id in two folders twice, with the shared files", () => {
  const fs = new MemoryFs();
  put(fs, `${PROJECTS}/-b/${ONE}.jsonl`, "{}\n");
  put(fs, `${PROJECTS}/-a/${ONE}.jsonl`, "{}\n");
  put(fs, `/h/.claude/file-history/${ONE}/0011223344556677@v1`, "x");
  const files = ["transcript", "file-history/0011223344556677@v1"];
  assert.deepEqual(shape(discoverSessions(fs, ROOT)), [["-a", ONE, files], ["-b", ONE, files]]);
});

Deno.test("discoverSessions leaves shared files alone whose session is in no project", () => {
  const fs = new MemoryFs();
  put(fs, `/h/.claude/file-history/${ONE}/0011223344556677@v1`, "x");
  put(fs, `/h/.claude/todos/${ONE}.json`, "[]");
  assert.deepEqual(shape(discoverSessions(fs, ROOT)), []);
});

Deno.test("discoverSessions finds nothing, without an error, where Claude Code never ran", () => {
  const found = discoverSessions(new MemoryFs(), ROOT);
  assert.deepEqual([found.sessions, found.skipped], [[], []]);
});

Deno.test("discoverSessions says which files it leaves out and why", () => {
  const fs = new MemoryFs();
  put(fs, `${PROJECTS}/-a/${ONE}.jsonl`, "{}\n");
  put(fs, `${PROJECTS}/-a/${ONE}/NUL.txt`, "x");
  put(fs, `${PROJECTS}/-a/${ONE}/.env`, "SECRET=1");
  put(fs, `${PROJECTS}/-a/${ONE}/sub/settings.local.json`, "{}");
  put(fs, `${PROJECTS}/-a/${TWO.toUpperCase().replaceAll("0", "A")}.jsonl`, "{}\n");
  put(fs, `${PROJECTS}/-a/notes.jsonl`, "{}\n");
  put(fs, `${PROJECTS}/-a/agent-0.jsonl`, "garbage");
  put(fs, `${PROJECTS}/-a/agent-1.jsonl`, agentRecord("../../x"));
  put(fs, `/h/.claude/todos/${ONE}@.json`, "[]");
  const found = discoverSessions(fs, ROOT);
  assert.deepEqual(shape(found), [["-a", ONE, ["transcript"]]]);
  assert.deepEqual(
    skips(found).sort(),
    [
      [`projects/-a/${ONE}/.env`, "never-synced"],
      [`projects/-a/${ONE}/NUL.txt`, "unsafe-name"],
      [`projects/-a/${ONE}/sub/settings.local.json`, "never-synced"],
      [`projects/-a/${TWO.toUpperCase().replaceAll("0", "A")}.jsonl`, "unknown-transcript"],
      ["projects/-a/agent-0.jsonl", "unknown-transcript"],
      ["projects/-a/agent-1.jsonl", "unknown-transcript"],
      ["projects/-a/notes.jsonl", "unknown-transcript"],
      [`todos/${ONE}@.json`, "unsafe-name"],
    ].sort(),
  );
});

Deno.test("discoverSessions follows no link to a file or folder", () => {
  const fs = new MemoryFs();
  put(fs, "/secret/key.txt", "s3cret");
  put(fs, "/secret/t.jsonl", "{}\n");
  put(fs, `${PROJECTS}/-a/${ONE}.jsonl`, "{}\n");
  put(fs, `${PROJECTS}/-a/${ONE}/ok.txt`, "x");
  fs.symlink("/secret/key.txt", `${PROJECTS}/-a/${ONE}/key.txt`);
  fs.symlink("/secret", `${PROJECTS}/-a/${ONE}/subagents`);
  fs.symlink("/secret/t.jsonl", `${PROJECTS}/-a/${TWO}.jsonl`);
  fs.symlink("/secret", `${PROJECTS}/-a/${THREE}`);
  fs.symlink("/secret", "/h/.claude/tasks");
  fs.makeDir("/h/.claude/file-history");
  fs.symlink("/secret", `/h/.claude/file-history/${ONE}`);
  const found = discoverSessions(fs, ROOT);
  assert.deepEqual(shape(found), [["-a", ONE, ["transcript", "side/ok.txt"]]]);
  assert.deepEqual(
    skips(found).sort(),
    [
      [`file-history/${ONE}`, "link"],
      [`projects/-a/${ONE}/key.txt`, "link"],
      [`projects/-a/${ONE}/subagents`, "link"],
      [`projects/-a/${TWO}.jsonl`, "link"],
      [`projects/-a/${THREE}`, "link"],
      ["tasks", "link"],
    ].sort(),
  );
});

Deno.test("discoverSessions takes nothing that has become a link since its folder was read", () => {
  const fs = new MemoryFs();
  put(fs, "/secret", "x");
  const paths = [`${PROJECTS}/-a/${TWO}.jsonl`, `${PROJECTS}/-a/${ONE}/b.txt`];
  for (const path of [`${PROJECTS}/-a/${ONE}.jsonl`, ...paths]) put(fs, path, "{}\n");
  const readDir = fs.readDir.bind(fs);
  fs.readDir = (dir) => {
    const entries = readDir(dir);
    for (const path of paths.filter((each) => each.slice(0, each.lastIndexOf("/")) === dir)) {
      if (fs.removeFile(path)) fs.symlink("/secret", path);
    }
    return entries;
  };
  assert.deepEqual(shape(discoverSessions(fs, ROOT)), [["-a", ONE, ["transcript"]]]);
});

Deno.test("discoverSessions follows a linked project folder only inside projects/", () => {
  const fs = new MemoryFs();
  put(fs, `${PROJECTS}/-a/${ONE}.jsonl`, "{}\n");
  put(fs, `${PROJECTS}/-store/deep/${TWO}.jsonl`, "{}\n");
  put(fs, `/elsewhere/${THREE}.jsonl`, "{}\n");
  fs.symlink("-a", `${PROJECTS}/-same`);
  fs.symlink(`${PROJECTS}/-store/deep`, `${PROJECTS}/-deep`);
  fs.symlink("/elsewhere", `${PROJECTS}/-out`);
  fs.symlink("/nowhere", `${PROJECTS}/-dangling`);
  fs.symlink("-loop", `${PROJECTS}/-loop`);
  fs.symlink("/h/.claude", `${PROJECTS}/-up`);
  fs.symlink(PROJECTS, `${PROJECTS}/-self`);
  const found = discoverSessions(fs, ROOT);
  assert.deepEqual(shape(found).sort(), [["-a", ONE, ["transcript"]], ["-deep", TWO, [
    "transcript",
  ]]]);
  assert.deepEqual([...found.slugLinks], [["-same", "-a"]]);
  assert.deepEqual(
    skips(found).map(([path]) => path).sort(),
    ["projects/-dangling", "projects/-loop", "projects/-out", "projects/-self", "projects/-up"],
  );
});

Deno.test("discoverSessions skips what cannot be read and sees the rest", () => {
  class Locked extends MemoryFs {
    override readDir(path: string) {
      if (path.endsWith("/-locked")) throw new ClaudeSyncError("local-io", "No", { path });
      return super.readDir(path);
    }
    override openRead(path: string) {
      if (path.endsWith("agent-1.jsonl")) throw new ClaudeSyncError("local-io", "No", { path });
      return super.openRead(path);
    }
  }
  const fs = new Locked();
  put(fs, `${PROJECTS}/-a/${ONE}.jsonl`, "{}\n");
  put(fs, `${PROJECTS}/-a/agent-1.jsonl`, agentRecord(ONE));
  put(fs, `${PROJECTS}/-locked/${TWO}.jsonl`, "{}\n");
  const found = discoverSessions(fs, ROOT);
  assert.deepEqual(shape(found), [["-a", ONE, ["transcript"]]]);
  assert.deepEqual(skips(found).sort(), [
    ["projects/-a/agent-1.jsonl", "unreadable"],
    ["projects/-locked", "unreadable"],
  ]);
});

Deno.test("discoverSessions finds our temporary files and takes none for a session's", () => {
  const fs = new MemoryFs();
  const temp = ".claude-sync-0123456789abcdef.tmp";
  put(fs, `${PROJECTS}/-a/${ONE}.jsonl`, "{}\n");
  put(fs, `${PROJECTS}/-a/${temp}`, "x");
  put(fs, `${PROJECTS}/-a/${ONE}/subagents/${temp}`, "x");
  const found = discoverSessions(fs, ROOT);
  assert.deepEqual(shape(found), [["-a", ONE, ["transcript"]]]);
  assert.deepEqual(found.skipped, []);
  assert.deepEqual(
    found.temps.map(({ path }) => path).sort(),
    [
      `${PROJECTS}/-a/${temp}`,
      `${PROJECTS}/-a/${ONE}/subagents/${temp}`,
    ].sort(),
  );
});

Deno.test("discoverSessions takes 10,000 files of a session, and says which has one more", () => {
  const fs = new MemoryFs();
  put(fs, `${PROJECTS}/-a/${ONE}.jsonl`, "{}\n");
  for (let index = 1; index < 10_000; index++) {
    put(fs, `${PROJECTS}/-a/${ONE}/tool-results/${index}.txt`, "");
  }
  const most = discoverSessions(fs, ROOT);
  assert.deepEqual([most.sessions[0]?.files.length, most.skipped], [10_000, []]);
  put(fs, `/h/.claude/tasks/${ONE}/1.json`, "{}");
  const more = discoverSessions(fs, ROOT);
  assert.deepEqual([more.sessions[0]?.files.length, skips(more).length], [10_000, 1]);
  assert.deepEqual(more.skipped.map(({ kind, reason }) => [kind, reason]), [
    ["limit", "belongs to a session of more than 10000 files"],
  ]);
});

Deno.test("discoverSessions holds its limits and says so", () => {
  const fs = new MemoryFs();
  for (const n of [1, 2, 3]) put(fs, `${PROJECTS}/-a/${idOf(n)}.jsonl`, "{}\n");
  for (const n of [1, 2, 3]) put(fs, `${PROJECTS}/-a/${ONE}/${n}.txt`, "x");
  put(fs, `${PROJECTS}/-a/${TWO}/d/e/f.txt`, "x");
  const within = discoverSessions(fs, ROOT, { sessions: 3, filesPerSession: 4, folderDepth: 3 });
  assert.deepEqual(within.skipped, []);
  assert.deepEqual(within.sessions.map((session) => session.files.length), [4, 2, 1]);
  const past = discoverSessions(fs, ROOT, { sessions: 2, filesPerSession: 3, folderDepth: 2 });
  assert.deepEqual(past.sessions.map((session) => session.files.length), [3, 1]);
  assert.equal(past.sessions[0]?.files[0]?.name, "transcript");
  assert.deepEqual(past.skipped.map(({ kind }) => kind), ["limit", "limit", "limit"]);
  assert.deepEqual(DISCOVERY_LIMITS, {
    sessions: 100_000,
    filesPerSession: 10_000,
    folderDepth: 12,
  });
});
