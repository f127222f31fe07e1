/** What the commands about the past print of what others may have written. */
import assert from "node:assert/strict";
import type { DiffResult, FileList, FileVersionList } from "../../src/sync/history_api.ts";
import type { LogReport, RestoredFile, RestoreResult } from "../../src/sync/history_api.ts";
import type { VersionList } from "../../src/sync/history_api.ts";
import { run } from "./stand_in.ts";

const HOSTILE = "\x1b[2J\u202egnp\r\nError: rm -rf";
// deno-lint-ignore no-control-regex
const UNSAFE = /[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]/;
const ID = "3f2a0000-0000-4000-8000-000000000001";

const LOG: LogReport = {
  machineName: HOSTILE,
  lines: [
    {
      source: "vault",
      machineId: "00",
      machine: HOSTILE,
      command: "push",
      atMs: Number.MAX_SAFE_INTEGER,
      seq: 1,
      sessions: 3,
      bytes: { plain: 1, stored: 4096 },
    },
    {
      source: "here",
      command: "sync",
      by: "hook",
      atMs: 0,
      ms: 5,
      ok: false,
      code: HOSTILE,
      message: HOSTILE,
      sentSessions: 1,
      receivedSessions: 2,
      bytes: { sent: 1, received: 2, written: 3 },
    },
  ],
  more: 2,
};

const VERSIONS: VersionList = {
  id: ID,
  title: HOSTILE,
  versions: [
    { version: "ab".repeat(32), atMs: 1e300, sizeBytes: 1, machine: HOSTILE, kind: "newest" },
    { version: "cd".repeat(32), atMs: 1, sizeBytes: 1, machine: "desk", kind: "rewritten" },
  ],
  requests: 1,
  ms: 1,
};

const RESTORED: RestoreResult = {
  otherFiles: 0,
  restored: 1,
  sessions: [{
    id: ID,
    of: ID,
    title: HOSTILE,
    outcome: "restored",
    as: "itself",
    version: null,
    atMs: 1e300,
    sizeBytes: 1,
    path: `/home/${HOSTILE}`,
  }],
  bytes: { received: 1, written: 1 },
  failures: [{ sessionId: null, path: HOSTILE, code: HOSTILE, message: HOSTILE }],
  recalled: [],
  dryRun: false,
  requests: 1,
  ms: 1,
};

const FILE_RESTORED: RestoredFile = {
  file: `memory/${HOSTILE}`,
  project: HOSTILE,
  outcome: "restored",
  version: "ab".repeat(32),
  atMs: 1e300,
  sizeBytes: 1,
  path: `/home/${HOSTILE}`,
  replaced: "cd".repeat(32),
  bytes: { sent: 1, received: 1, written: 1 },
  dryRun: false,
  requests: 1,
  ms: 1,
};
const { file, project, requests, ms } = FILE_RESTORED;
const { versions } = VERSIONS;
const FILE_VERSIONS: FileVersionList = { file, project, versions, requests, ms };
const FILES: FileList = {
  project,
  files: [{ ...versions[0]!, file, versions: 2 }],
  requests,
  ms,
};

const RECORD = { kind: HOSTILE, atMs: 1e300, text: HOSTILE, sizeBytes: 1 };
const DIFF: DiffResult = {
  isForgotten: false,
  id: ID,
  title: HOSTILE,
  here: { path: HOSTILE, sizeBytes: 1, lastActivityMs: 1e300 },
  vault: { path: null, sizeBytes: 1, lastActivityMs: null },
  common: 3,
  onlyHere: Array.from({ length: 25 }, () => RECORD),
  onlyVault: [RECORD],
  branches: [{ id: ID, title: HOSTILE, said: [RECORD] }],
  requests: 1,
  ms: 1,
};

const parts = {
  diff: () => Promise.resolve(DIFF),
  log: () => Promise.resolve(LOG),
  restoreVersions: () => Promise.resolve(VERSIONS),
  restore: () => Promise.resolve(RESTORED),
  restoreFile: () => Promise.resolve(FILE_RESTORED),
  fileVersions: () => Promise.resolve(FILE_VERSIONS),
  listFiles: () => Promise.resolve(FILES),
};

const LINES = [
  "log",
  "diff 3f2a",
  "restore 3f2a --list",
  "restore 3f2a",
  "restore memory/a.md",
  "restore memory/a.md --list",
  "restore memory/ --list",
];
for (const argv of LINES.map((line) => line.split(" "))) {
  for (const json of [false, true]) {
    const words = json ? [...argv, "--json"] : argv;
    Deno.test(`${words.join(" ")} prints hostile names harmlessly`, async () => {
      const { out, err } = await run(words, parts);
      assert.ok(out.length > 0);
      assert.doesNotMatch(out + err, UNSAFE);
      if (!json) assert.ok(out.split("\n").every((line) => !line.startsWith("Error:")));
    });
  }
}

Deno.test("log shows both directions, the hook, and what is left out", async () => {
  const { out, exit } = await run(["log"], parts);
  assert.equal(exit, 0);
  assert.match(out, /sync \(hook\) +1 out, 2 in +1 B out, 2 B in +failed: /);
  assert.match(out, /^unknown +\S.* push +3 out +4\.1 kB out$/m);
  assert.match(out, /^2 older lines; --limit shows more$/m);
});

Deno.test("diff shows the newest records of each list, and counts the rest", async () => {
  const { out, exit } = await run(["diff", "3f2a"], parts);
  assert.equal(exit, 0);
  assert.match(out, /^Only here: 25 records, 25 B$/m);
  assert.match(out, /^ 5 earlier records; --json shows them all$/m);
  assert.match(out, /^Only in the vault: 1 record, 1 B$/m);
  assert.match(out, /^Said only in 3f2a0000 /m);
});

Deno.test("restore ends with exit code 3 when a session failed or is open", async () => {
  assert.equal((await run(["restore", "3f2a"], parts)).exit, 3);
  const open: RestoreResult = {
    ...RESTORED,
    failures: [],
    recalled: [],
    sessions: [{ ...RESTORED.sessions[0]!, outcome: "open" }],
  };
  const { exit, out } = await run(["restore", "3f2a"], { restore: () => Promise.resolve(open) });
  assert.equal(exit, 3);
  assert.match(out, /is open in Claude Code and was left alone/);
});

Deno.test("restore passes on what was asked", async () => {
  const asked: unknown[] = [];
  const take = {
    restore: (_: unknown, request: unknown) => {
      asked.push(request);
      return Promise.resolve({ ...RESTORED, failures: [] });
    },
  };
  await run(["restore", "3f2a", "--at", "2026-01-15T12:00:00.000Z", "--to", "out", "-n"], take);
  await run(["restore", "--project", "app", "--archived"], take);
  const none = { queries: [], project: null, archived: false, atMs: null, version: null, to: null };
  const base = { ...none, force: false, dryRun: false };
  assert.deepEqual(asked, [
    {
      ...base,
      queries: ["3f2a"],
      atMs: Date.UTC(2026, 0, 15, 12),
      to: "/home/anna/code/out",
      dryRun: true,
    },
    { ...base, project: "app", archived: true },
  ]);
});

Deno.test("restore of a file passes on what was asked, and ends with 3 if it is open", async () => {
  const asked: unknown[] = [];
  const take = {
    restoreFile: (_: unknown, request: unknown) => {
      asked.push(request);
      return Promise.resolve({ ...FILE_RESTORED, outcome: "open" } as const);
    },
  };
  const options = ["--project", "app", "--pick", "abcd", "--to", "out", "--force", "-n"];
  const { exit, out, err } = await run(["restore", "memory/a.md", ...options], take);
  assert.equal(exit, 3);
  assert.match(err, /1 file failed/);
  assert.match(out, /is of a session that is open in Claude Code/);
  const place = { to: "/home/anna/code/out", force: true, dryRun: true };
  assert.deepEqual(asked, [
    { file: "memory/a.md", project: "app", atMs: null, version: "abcd", ...place },
  ]);
});

Deno.test("restore shows a thousand files of a memory, and counts the rest", async () => {
  const [row] = FILES.files;
  const files = Array.from({ length: 1001 }, () => row!);
  const { out } = await run(["restore", "memory/", "--list"], {
    listFiles: () => Promise.resolve({ ...FILES, files }),
  });
  assert.equal(out.trimEnd().split("\n").length, 1002);
  assert.match(out, /^1 more; --json shows them all$/m);
});
