import assert from "node:assert/strict";
import { concat, utf8 } from "../../src/base/bytes.ts";
import { sha256Hex } from "../../src/crypto/hash.ts";
import { ClaudeSyncError } from "../../src/errors.ts";
import { DISCOVERY_LIMITS } from "../../src/sessions/discover.ts";
import { discoverPlans, PLANS_PER_SESSION_MAX, readPlanNames } from "../../src/sessions/plans.ts";
import { MemoryFs } from "../support/memory_fs.ts";
import { put } from "./disk.ts";

const ROOT = { os: "linux", configDir: "/c", claudeJsonPath: "" } as const;

function line(record: Record<string, unknown>): string {
  return JSON.stringify(record) + "\n";
}

function namesIn(text: string | Uint8Array): readonly string[] {
  const fs = new MemoryFs();
  put(fs, "/t.jsonl", text);
  const found = readPlanNames(fs, "/t.jsonl", sha256Hex);
  assert.equal(fs.openHandles, 0);
  return found!.names;
}

Deno.test("readPlanNames takes the slug of records and of nothing inside them", () => {
  const quoted = JSON.stringify({ slug: "in-a-string" });
  const text = line({ type: "user", slug: "first-plan" }) +
    line({ type: "assistant", message: { slug: "in-a-message", text: quoted } }) +
    line({ toolUseResult: [{ slug: "in-a-result" }] }) +
    'garbage "slug":"of-garbage"\n' +
    line({ slug: "../evil" }) + line({ slug: "-rf" }) + line({ slug: 7 }) + line({ slug: "" }) +
    line({ message: { slug: "second-plan" }, slug: "second-plan" }) +
    line({ slug: "first-plan" }) +
    '{"slug":"torn"}';
  assert.deepEqual(namesIn(text), ["first-plan", "second-plan"]);
});

Deno.test("readPlanNames parses a line once, however often it says the word", () => {
  const inside = Array.from({ length: 40_000 }, (_, i) => ({ slug: `inner-${i}` }));
  const text = line({ inside, slug: "outer" });
  const startMs = performance.now();
  assert.deepEqual(namesIn(text + text), ["outer"]);
  assert.ok(performance.now() - startMs < 5_000);
});

Deno.test("readPlanNames is not led astray by bytes that are no text", () => {
  const bytes = concat(
    utf8(line({ slug: "one", text: "日本 😀" })),
    new Uint8Array([0xff, 0xfe, 0x80, 0, 0x0a]),
    utf8("\r\n\n" + line({ text: "äöü", slug: "two" })),
  );
  assert.deepEqual(namesIn(bytes), ["one", "two"]);
});

Deno.test("readPlanNames goes on where it ended, as if it had read all", () => {
  const fs = new MemoryFs();
  const parts = [
    line({ slug: "one" }) + '{"slug":"tw',
    'o"}\n' + line({ a: 1 }),
    line({ slug: "three" }),
  ];
  let before = undefined;
  let text = "";
  for (const part of parts) {
    text += part;
    put(fs, "/t.jsonl", text);
    before = readPlanNames(fs, "/t.jsonl", sha256Hex, before)!;
    assert.deepEqual(before, readPlanNames(fs, "/t.jsonl", sha256Hex));
  }
  const tail = sha256Hex(utf8(text));
  assert.deepEqual(before, { names: ["one", "three", "two"], lengthBytes: text.length, tail });
  assert.equal(readPlanNames(fs, "/absent.jsonl", sha256Hex), null);
});

// The simulation, seed 1001253.
Deno.test("readPlanNames begins anew in a file that was rewritten and has grown since", () => {
  const fs = new MemoryFs();
  const old = line({ slug: "one" }) + line({ uuid: "a", text: "x".repeat(5_000) });
  put(fs, "/t.jsonl", old);
  const before = readPlanNames(fs, "/t.jsonl", sha256Hex)!;
  for (const filler of ["", "y".repeat(4_900), "y".repeat(5_000), "y".repeat(10_000)]) {
    put(fs, "/t.jsonl", line({ slug: "two" }) + line({ uuid: "b", text: filler }));
    const found = readPlanNames(fs, "/t.jsonl", sha256Hex, before)!;
    assert.deepEqual(found, readPlanNames(fs, "/t.jsonl", sha256Hex));
    assert.deepEqual(found.names, ["two"]);
  }
});

Deno.test("readPlanNames reads no line again of a file that has only grown", () => {
  const fs = new MemoryFs();
  const text = line({ slug: "one" }) + line({ text: "x".repeat(5_000) });
  put(fs, "/t.jsonl", text);
  const before = { ...readPlanNames(fs, "/t.jsonl", sha256Hex)!, names: ["remembered"] };
  put(fs, "/t.jsonl", text + line({ slug: "two" }));
  const { names } = readPlanNames(fs, "/t.jsonl", sha256Hex, before)!;
  assert.deepEqual(names, ["remembered", "two"]);
});

Deno.test("readPlanNames stops at its limit", () => {
  const lines = Array.from(
    { length: PLANS_PER_SESSION_MAX + 1 },
    (_, i) => line({ slug: `p${i}` }),
  );
  assert.equal(namesIn(lines.slice(1).join("")).length, PLANS_PER_SESSION_MAX);
  assert.equal(namesIn(lines.join("")).length, PLANS_PER_SESSION_MAX);
});

Deno.test("discoverPlans lists what can be a plan, and follows no link", () => {
  const fs = new MemoryFs();
  assert.deepEqual(discoverPlans(fs, ROOT), { files: [], skipped: [], temps: [] });
  put(fs, "/c/plans/a-b-c.md", "x");
  put(fs, "/c/plans/a-b-c-agent-1f.md", "x");
  put(fs, "/c/plans/a-b-c.0123abcd.md", "x");
  put(fs, "/c/plans/notes.txt", "x");
  put(fs, "/c/plans/sub/x.md", "x");
  put(fs, "/c/plans/con.md", "x");
  put(fs, "/c/plans/.claude-sync-0011223344556677.tmp", "x");
  put(fs, "/c/secret.md", "x");
  fs.symlink("/c/secret.md", "/c/plans/linked.md");
  const { files, skipped, temps } = discoverPlans(fs, ROOT);
  assert.deepEqual(files.map(({ name, path }) => [name, path]), [
    ["plans/a-b-c-agent-1f.md", "/c/plans/a-b-c-agent-1f.md"],
    ["plans/a-b-c.0123abcd.md", "/c/plans/a-b-c.0123abcd.md"],
    ["plans/a-b-c.md", "/c/plans/a-b-c.md"],
  ]);
  assert.deepEqual(skipped.map(({ path, kind }) => [path, kind]), [
    ["/c/plans/con.md", "unsafe-name"],
    ["/c/plans/linked.md", "link"],
  ]);
  assert.deepEqual(temps, [{ path: "/c/plans/.claude-sync-0011223344556677.tmp" }]);
});

Deno.test("discoverPlans takes no file that has become a link since it was listed", () => {
  const fs = new MemoryFs();
  put(fs, "/c/plans/one.md", "x");
  put(fs, "/c/plans/two.md", "x");
  const readDir = fs.readDir.bind(fs);
  fs.readDir = (path) => {
    const entries = readDir(path);
    fs.removeFile("/c/plans/two.md");
    fs.symlink("one.md", "/c/plans/two.md");
    return entries;
  };
  assert.deepEqual(discoverPlans(fs, ROOT).files.map(({ name }) => name), ["plans/one.md"]);
});

Deno.test("discoverPlans takes no folder that is a link, and no more plans than its limit", () => {
  const fs = new MemoryFs();
  put(fs, "/elsewhere/a-b-c.md", "x");
  fs.makeDir("/c");
  fs.symlink("/elsewhere", "/c/plans");
  const linked = discoverPlans(fs, ROOT);
  assert.deepEqual([linked.files, linked.skipped.map(({ kind }) => kind)], [[], ["link"]]);
  const max = DISCOVERY_LIMITS.filesPerSession;
  const many = new MemoryFs();
  for (let i = 0; i < max; i++) put(many, `/c/plans/p${String(i).padStart(6, "0")}.md`, "");
  assert.deepEqual(discoverPlans(many, ROOT).skipped, []);
  put(many, "/c/plans/p999999.md", "");
  const { files, skipped } = discoverPlans(many, ROOT);
  assert.deepEqual([files.length, skipped.map(({ kind }) => kind)], [max, ["limit"]]);
});

Deno.test("discoverPlans lists the other plans when one cannot be looked at", () => {
  const fs = new MemoryFs();
  for (const name of ["a", "b", "c"]) put(fs, `/c/plans/${name}.md`, name);
  const lstat = fs.lstat.bind(fs);
  fs.lstat = (path) => {
    if (path === "/c/plans/b.md") throw new ClaudeSyncError("local-io", "Broken", { path });
    return lstat(path);
  };
  const { files, skipped } = discoverPlans(fs, ROOT);
  assert.deepEqual(files.map(({ name }) => name), ["plans/a.md", "plans/c.md"]);
  assert.deepEqual(skipped.map(({ path, kind }) => [path, kind]), [
    ["/c/plans/b.md", "unreadable"],
  ]);
});
