import assert from "node:assert/strict";
import {
  LIVE_QUIET_MS,
  LIVE_REGISTRY_MAX,
  liveSessions,
  looksLive,
} from "../../src/sessions/live.ts";
import { MemoryFs } from "../support/memory_fs.ts";
import { fakeHost, idOf, put } from "./disk.ts";

const ROOT = { os: "linux", configDir: "/h/.claude", claudeJsonPath: "" } as const;
const SESSIONS = "/h/.claude/sessions";
const [ONE, TWO, THREE, FOUR] = [idOf(1), idOf(2), idOf(3), idOf(4)];

const entry = (pid: number, sessionId: unknown, procStart?: unknown) =>
  JSON.stringify({ pid, sessionId, cwd: "/w", startedAt: 1, procStart, version: "2.1.330" });

Deno.test("liveSessions holds the sessions whose process still lives", () => {
  const fs = new MemoryFs();
  const processes = new Map([[10, "500"], [11, "900"], [12, null], [13, "7"]]);
  put(fs, `${SESSIONS}/10.json`, entry(10, ONE, "500"));
  put(fs, `${SESSIONS}/11.json`, entry(11, TWO, "500"));
  put(fs, `${SESSIONS}/12.json`, entry(12, THREE, "500"));
  put(fs, `${SESSIONS}/13.json`, entry(13, FOUR));
  put(fs, `${SESSIONS}/14.json`, entry(14, idOf(5), "1"));
  put(fs, `${SESSIONS}/10.0a.key`, "secret");
  assert.deepEqual(liveSessions(fs, fakeHost({ processes }), ROOT), new Set([ONE, THREE, FOUR]));
});

Deno.test("liveSessions takes a start time that is written as a number", () => {
  const fs = new MemoryFs();
  put(fs, `${SESSIONS}/10.json`, entry(10, ONE, 500));
  const live = (ticks: string) =>
    liveSessions(fs, fakeHost({ processes: new Map([[10, ticks]]) }), ROOT).has(ONE);
  assert(live("500"));
  assert(!live("501"));
});

Deno.test("liveSessions takes a half-written entry by its id while the process lives", () => {
  const fs = new MemoryFs();
  put(fs, `${SESSIONS}/10.json`, entry(10, ONE, "500").slice(0, 90));
  put(fs, `${SESSIONS}/11.json`, entry(11, TWO, "500").slice(0, 90));
  put(fs, `${SESSIONS}/12.json`, "");
  const processes = new Map([[10, "500"], [12, "1"]]);
  assert.deepEqual(liveSessions(fs, fakeHost({ processes }), ROOT), new Set([ONE]));
});

Deno.test("liveSessions reads an entry again that is being written at that moment", () => {
  class Rewriting extends MemoryFs {
    reads = 0;
    override readFile(path: string, maxBytes: number) {
      const bytes = super.readFile(path, maxBytes);
      return this.reads++ === 0 ? (bytes?.subarray(0, 0) ?? null) : bytes;
    }
  }
  const fs = new Rewriting();
  put(fs, `${SESSIONS}/10.json`, entry(10, ONE, "500"));
  const host = fakeHost({ processes: new Map([[10, "500"]]) });
  assert.deepEqual(liveSessions(fs, host, ROOT), new Set([ONE]));
});

Deno.test("liveSessions passes over what is no registry entry", () => {
  const fs = new MemoryFs();
  const processes = new Map([[10, "1"], [11, "1"], [12, "1"], [13, "1"]]);
  put(fs, `${SESSIONS}/10.json`, entry(10, "../../x", "1"));
  put(fs, `${SESSIONS}/11.json`, "garbage");
  put(fs, `${SESSIONS}/12.json`, JSON.stringify({ pid: "12", sessionId: 5 }));
  put(fs, `${SESSIONS}/x.json`, entry(13, ONE, "1"));
  put(fs, `${SESSIONS}/013.json`, entry(13, ONE, "1"));
  put(fs, `${SESSIONS}/13.json`, " ".repeat(1 << 20));
  fs.makeDir(`${SESSIONS}/14.json`);
  assert.equal(liveSessions(fs, fakeHost({ processes }), ROOT).size, 0);
  assert.equal(liveSessions(new MemoryFs(), fakeHost(), ROOT).size, 0);
});

Deno.test("liveSessions reads a bounded number of entries", () => {
  const host = fakeHost({ processes: new Map([[1, "1"]]) });
  const fs = new MemoryFs();
  put(fs, `${SESSIONS}/1.json`, entry(1, ONE, "1"));
  const crowd = (count: number) =>
    Object.assign(Object.create(fs), {
      readDir: () => [
        ...Array.from({ length: count - 1 }, () => ({ name: "x", kind: "file" })),
        { name: "1.json", kind: "file" },
      ],
      realpath: (path: string) => fs.realpath(path),
      readFile: (path: string, max: number) => fs.readFile(path, max),
    });
  assert(liveSessions(crowd(LIVE_REGISTRY_MAX), host, ROOT).has(ONE));
  assert(!liveSessions(crowd(LIVE_REGISTRY_MAX + 1), host, ROOT).has(ONE));
});

Deno.test("looksLive goes by the age of transcripts whose client registers nothing", () => {
  const nowMs = 1_800_000_000_000;
  const looks = (lastVersion: string | null, ageMs: number) =>
    looksLive({ lastVersion, nowMs, mtimeMs: nowMs - ageMs });
  for (const old of ["2.0.77", "1.0.128", "0.9.1", null, "", "odd", "2"]) {
    assert(looks(old, 0), String(old));
    assert(looks(old, LIVE_QUIET_MS - 1), String(old));
    assert(!looks(old, LIVE_QUIET_MS), String(old));
    assert(!looks(old, -LIVE_QUIET_MS), "a time far in the future says nothing");
  }
  for (const recent of ["2.1.0", "2.1.330", "2.10.1", "3.0.0", "10.0.0"]) {
    assert(!looks(recent, 0), recent);
  }
});
