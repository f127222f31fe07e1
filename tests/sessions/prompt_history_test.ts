import assert from "node:assert/strict";
import { concat, utf8 } from "../../src/base/bytes.ts";
import {
  appendHistory,
  HISTORY_FILE_BYTES_MAX,
  HISTORY_LINE_BYTES_MAX,
  HISTORY_SESSION_BYTES_MAX,
  historyLineHash,
  historyLines,
  historyStat,
  readHistory,
  sessionsInHistory,
} from "../../src/sessions/prompt_history.ts";
import { faultyFs, MemoryFs, thrownCode } from "../support/memory_fs.ts";
import { idOf, put, textAt } from "./disk.ts";

const ROOT = { os: "linux", configDir: "/c", claudeJsonPath: "" } as const;
const PATH = "/c/history.jsonl";
const [A, B] = [idOf(1), idOf(2)];

function line(session: unknown, over: Record<string, unknown> = {}): string {
  const record = { display: "x", pastedContents: {}, timestamp: 5, project: "/p", ...over };
  return JSON.stringify({ ...record, sessionId: session }) + "\n";
}

function found(text: string | Uint8Array, wanted?: ReadonlySet<string>): [string, string][] {
  const bytes = typeof text === "string" ? utf8(text) : text;
  return [...historyLines(bytes, wanted)]
    .map((each) => [each.session, new TextDecoder().decode(each.bytes)]);
}

Deno.test("historyLines takes whole lines that say their session, a text and a time", () => {
  const good = [
    line(A),
    line(B, { display: "" }),
    line(A, { more: { sessionId: B } }),
    `{"display":"sp\u00e4t","timestamp":1.5,"sessionId" : "${A}"}\r\n`,
  ];
  const bad = [
    line(undefined),
    line(7),
    line("ABCDEF00-0000-4000-8000-000000000001"),
    line(`${A}x`),
    line(A, { display: 7 }),
    line(A, { timestamp: "5" }),
    line(A, { timestamp: null }),
    `[${line(A).trim()}]\n`,
    `{"nested":${line(A).trim()},"display":"x","timestamp":5}\n`,
    line(undefined, { display: `"sessionId":"${A}"` }),
    `garbage "sessionId":"${A}"\n`,
    "\n",
    "\0\0\0\n",
  ];
  for (const text of good) assert.equal(found(text).length, 1, text);
  for (const text of bad) assert.deepEqual(found(text), [], text);
  const torn = line(A).trim();
  const mixed = bad.map((text, i) => text + (good[i] ?? "")).join("") + torn;
  assert.deepEqual(found(mixed).map(([, text]) => text), good);
  assert.deepEqual(found(mixed, new Set([B])).map(([, text]) => text), [good[1]]);
});

Deno.test("historyLines parses a line once, however often it names a session", () => {
  const inside = Array.from({ length: 40_000 }, () => ({ sessionId: A }));
  const startMs = performance.now();
  assert.equal(found(line(A, { inside, display: 7 }) + line(A, { inside })).length, 1);
  assert.ok(performance.now() - startMs < 5_000);
});

Deno.test("historyLines holds its limit, the end of the line included", () => {
  const empty = line(A, { display: "" }).length;
  const ofLength = (length: number) => line(A, { display: "y".repeat(length - empty) });
  assert.equal(found(ofLength(HISTORY_LINE_BYTES_MAX)).length, 1);
  assert.equal(found(ofLength(HISTORY_LINE_BYTES_MAX + 1)).length, 0);
});

Deno.test("historyLineHash tells lines apart by every byte", () => {
  const hashes = [line(A), line(A).replace("\n", "\r\n"), line(B)].map(utf8).map(historyLineHash);
  assert.equal(new Set(hashes).size, 3);
  assert.match(hashes[0]!, /^[0-9a-f]{32}$/);
});

Deno.test("historyStat takes a file at its limit and nothing that is none", () => {
  const fs = new MemoryFs();
  assert.equal(historyStat(fs, ROOT), null);
  put(fs, PATH, new Uint8Array(HISTORY_FILE_BYTES_MAX));
  assert.equal(historyStat(fs, ROOT)!.sizeBytes, HISTORY_FILE_BYTES_MAX);
  const handle = fs.openAppend(PATH)!;
  handle.write(utf8("\n"));
  handle.close();
  assert.equal(thrownCode(() => historyStat(fs, ROOT)), "too-large");
  fs.removeFile(PATH);
  fs.symlink("/elsewhere", PATH);
  assert.equal(thrownCode(() => historyStat(fs, ROOT)), "unsafe-file");
});

Deno.test("sessionsInHistory looks at what was added, at all after any other change", () => {
  const fs = new MemoryFs();
  const look = (before: Parameters<typeof sessionsInHistory>[2]) => {
    const { sessions, mark } = sessionsInHistory(fs, ROOT, before);
    return { sessions: [...sessions].sort(), mark };
  };
  assert.deepEqual(look(null).sessions, []);
  put(fs, PATH, line(A));
  const first = look(null);
  assert.deepEqual(first.sessions, [A]);
  put(fs, PATH, line(A) + line(B).slice(0, -5));
  const torn = look(first.mark);
  assert.deepEqual([torn.sessions, torn.mark], [[], first.mark]);
  put(fs, PATH, line(A) + line(B));
  const second = look(torn.mark);
  assert.deepEqual(second.sessions, [B]);
  assert.deepEqual(look(second.mark).sessions, []);
  assert.deepEqual(look(second.mark).mark, look(null).mark);
  // Of the same length, but not the same: all of it counts.
  put(fs, PATH, line(B) + line(A));
  assert.deepEqual(look(second.mark).sessions, [A, B]);
  put(fs, PATH, line(A));
  assert.deepEqual(look(second.mark).sessions, [A]);
  assert.equal(fs.openHandles, 0);
});

Deno.test("readHistory gives each session its lines in order", () => {
  const fs = new MemoryFs();
  assert.equal(readHistory(fs, ROOT, new Set([A])).size, 0);
  const [one, two] = [line(A, { display: "1" }), line(A, { display: "2" })];
  put(fs, PATH, one + line(B) + "garbage\n" + two + one + line(A).trim());
  const all = readHistory(fs, ROOT, new Set([A, idOf(9)]));
  assert.deepEqual([...all.keys()], [A]);
  assert.equal(new TextDecoder().decode(all.get(A)), one + two + one);
  assert.equal(fs.openHandles, 0);
});

Deno.test("readHistory ends at the first line that goes past a session's limit", () => {
  const fs = new MemoryFs();
  const empty = line(A, { display: "" }).length;
  const ofLength = (length: number) => utf8(line(A, { display: "y".repeat(length - empty) }));
  const count = HISTORY_SESSION_BYTES_MAX / HISTORY_LINE_BYTES_MAX;
  const big = Array.from({ length: count - 1 }, () => ofLength(HISTORY_LINE_BYTES_MAX));
  const sizeOf = (...rest: Uint8Array[]) => {
    put(fs, PATH, concat(...big, ...rest));
    return readHistory(fs, ROOT, new Set([A])).get(A)!.length;
  };
  const full = HISTORY_SESSION_BYTES_MAX;
  assert.equal(sizeOf(ofLength(HISTORY_LINE_BYTES_MAX)), full);
  assert.equal(
    sizeOf(ofLength(1000), ofLength(HISTORY_LINE_BYTES_MAX), ofLength(500)),
    full - HISTORY_LINE_BYTES_MAX + 1000,
  );
});

Deno.test("appendHistory only adds, and ends a torn line first", () => {
  const cases: readonly (readonly [string | null, string])[] = [
    [null, ""],
    ["", ""],
    ["a\n", "a\n"],
    ["a", "a\n"],
    ["a\r", "a\r\n"],
    ["\0", "\0\n"],
  ];
  for (const [before, begins] of cases) {
    const fs = new MemoryFs();
    if (before !== null) put(fs, PATH, before);
    const ino = fs.lstat(PATH)?.ino;
    appendHistory(fs, ROOT, []);
    assert.equal(textAt(fs, PATH), before, "nothing to add");
    appendHistory(fs, ROOT, [utf8("1\n"), utf8("2\n")]);
    assert.equal(textAt(fs, PATH), `${begins}1\n2\n`);
    if (ino !== undefined) assert.equal(fs.lstat(PATH)?.ino, ino, "the same file");
    assert.equal(fs.openHandles, 0);
  }
});

Deno.test("appendHistory that fails has not touched what was there", () => {
  for (const calls of [["openAppend"], ["write"], ["sync"], ["openRead"], ["lstat"]]) {
    const disk = new MemoryFs();
    put(disk, PATH, "old\ntorn");
    const fs = faultyFs(disk, { failNth: 1, calls, errno: "ENOSPC" });
    assert.equal(thrownCode(() => appendHistory(fs, ROOT, [utf8("new\n")])), "no-space");
    assert.ok(textAt(disk, PATH)!.startsWith("old\ntorn"), String(calls));
    appendHistory(disk, ROOT, [utf8("new\n")]);
    assert.ok(textAt(disk, PATH)!.endsWith("\nnew\n"));
    assert.equal(disk.openHandles, 0);
  }
});
