import assert from "node:assert/strict";
import fc from "fast-check";
import {
  fileKind,
  fileNameProblem,
  foldedFileName,
  NAME_BYTES_MAX,
  NAME_DEPTH_MAX,
  NAME_SEGMENT_BYTES_MAX,
  parseFileName,
} from "../../src/sessions/file_name.ts";

const GOOD = [
  "transcript",
  "side/custom-title.json",
  "side/subagents/agent-add2dbde32f3cfe89.jsonl",
  "side/subagents/agent-add2dbde32f3cfe89.meta.json",
  "side/tool-results/balqmf3v7.txt",
  "side/workflows/wf_1.json",
  "side/日本/café.txt",
  "side/two words.txt",
  "file-history/5adaa6c8b8ebc7bc@v3",
  "todos/@.json",
  "todos/@-agent-@.json",
  "todos/@-agent-00000000-0000-4000-8000-000000000001.json",
  "tasks/1.json",
  "tasks/.highwatermark",
  "legacy/agent-ab57199.jsonl",
  "history",
  "plans/linear-swinging-cat.md",
  "plans/linear-swinging-cat-agent-a1b2c3.md",
  "plans/linear-swinging-cat.0123abcd.md",
  "memory/MEMORY.md",
  "memory/topics/日本.md",
];

const HOSTILE: readonly (readonly [string, string])[] = [
  ["", "empty"],
  ["transcript/", "trailing slash"],
  ["transcript/x", "below the transcript"],
  ["side", "area without name"],
  ["side/", "empty segment"],
  ["side//x", "empty segment inside"],
  ["/side/x", "absolute"],
  ["side/../x", "parent"],
  ["side/./x", "here"],
  ["../../.ssh/authorized_keys", "unknown area"],
  ["projects/x", "a real folder's name"],
  ["side/a\\..\\b", "backslash"],
  ["side/C:", "drive"],
  ["side/a:stream", "alternate stream"],
  ["side/a|b", "pipe"],
  ["side/a?b", "question mark"],
  ["side/a*b", "star"],
  ['side/a"b', "quote"],
  ["side/<a>", "angle brackets"],
  ["side/a\0b", "NUL"],
  ["side/a\nb", "newline"],
  ["side/a\u001b[2J", "escape"],
  ["side/a\u0085b", "C1 control"],
  ["side/a\u202egnp.exe", "bidi override"],
  ["side/a\u2066b", "bidi isolate"],
  ["side/a\u200bb", "zero width"],
  ["side/a\ufeffb", "byte order mark"],
  ["side/a\u2028b", "line separator"],
  ["side/a\u{e0041}b", "tag character"],
  ["side/a\ud800b", "lone surrogate"],
  ["side/cafe\u0301", "not NFC"],
  ["side/name.", "trailing dot"],
  ["side/name ", "trailing space"],
  ["side/ name", "leading space"],
  ["side/...", "only dots"],
  ["side/CON", "device"],
  ["side/con.txt", "device with extension"],
  ["side/nul.tar.gz", "device with extensions"],
  ["side/COM1", "port"],
  ["side/lpt9.json", "port with extension"],
  ["side/COM\u00b9.txt", "port with a superscript digit"],
  ["side/\uff23\uff2f\uff2e", "full-width device"],
  ["side/CONOUT$", "console"],
  ["side/con .txt", "device with a space"],
  ["side/PROGRA~1", "short name"],
  ["side/a~2.jso", "short name with extension"],
  ["side/a\uff0f..\uff0fb", "full-width slash"],
  ["side/\u2025", "two-dot leader"],
  ["file-history/a/b", "nested history"],
  ["todos/other.json", "todo of no session"],
  ["todos/00000000-0000-4000-8000-000000000001.json", "todo that names its session"],
  ["todos/@/x.json", "nested todo"],
  ["todos/@x.json", "todo with a glued name"],
  ["legacy/00000000-0000-4000-8000-000000000001.jsonl", "another session's transcript"],
  ["legacy/agent-x.jsonl", "agent that is not hexadecimal"],
  ["history/x", "below the history"],
  ["history.jsonl", "the history's real name"],
  ["plans/a/b.md", "nested plan"],
  ["plans/.md", "plan without a name"],
  ["plans/-a.md", "plan that is an option"],
  ["plans/a.txt", "plan that is no text"],
  ["plans/a b.md", "plan with a space"],
  ["plans/a.md.exe", "plan with another extension"],
  ["plans/a.0123.md", "plan with half a hash"],
  ["memory", "memory without a name"],
  ["memory/../x", "out of the memory"],
  ["memory//x", "empty segment in the memory"],
];

const NEVER = [
  "side/.credentials.json",
  "memory/.credentials.json",
  "memory/sub/settings.json",
  "memory/.env",
  "memory/.git/config",
  "side/.CREDENTIALS.json",
  "side/settings.json",
  "side/settings.local.json",
  "side/sub/Settings.json",
  "side/.claude.json",
  "side/.claude.json.backup",
  "side/sessions-index.json",
  "side/.session-aliases",
  "side/1234.key",
  "side/.env",
  "side/.env.local",
  "side/x.sock",
  "side/.git/config",
  "side/.claude-sync-0011223344556677.tmp",
  "tasks/.lock",
  "file-history/id_rsa",
  "side/\uff33ettings.json",
];

Deno.test("parseFileName accepts the names that Claude Code makes", () => {
  for (const name of GOOD) assert.equal(parseFileName(name), name, name);
});

Deno.test("parseFileName refuses names that reach or mean something else on some system", () => {
  for (const [name, why] of HOSTILE) {
    assert.equal(parseFileName(name), null, why);
    assert.equal(fileNameProblem(name)?.kind, "unsafe-name", why);
  }
});

Deno.test("parseFileName refuses secrets and machine-local files in every folder and case", () => {
  for (const name of NEVER) {
    assert.equal(parseFileName(name), null, name);
    assert.equal(fileNameProblem(name)?.kind, "never-synced", name);
  }
});

Deno.test("parseFileName holds its limits exactly", () => {
  const segment = "s".repeat(NAME_SEGMENT_BYTES_MAX);
  assert.notEqual(parseFileName(`side/${segment}`), null);
  assert.equal(parseFileName(`side/${segment}s`), null);
  assert.notEqual(parseFileName(`side/${"é".repeat(NAME_SEGMENT_BYTES_MAX / 2)}`), null);
  assert.equal(parseFileName(`side/${"é".repeat(NAME_SEGMENT_BYTES_MAX / 2)}s`), null);

  const deep = Array(NAME_DEPTH_MAX - 1).fill("d").join("/");
  assert.notEqual(parseFileName(`side/${deep}`), null);
  assert.equal(parseFileName(`side/${deep}/d`), null);

  const longest = `side/${Array(5).fill(segment).join("/")}/`;
  const rest = NAME_BYTES_MAX - longest.length;
  assert.notEqual(parseFileName(longest + "r".repeat(rest)), null);
  assert.equal(parseFileName(longest + "r".repeat(rest + 1)), null);
});

Deno.test("parseFileName never lets a name out of its session", () => {
  const piece = fc.oneof(
    fc.constantFrom(
      "..",
      ".",
      "",
      "/",
      "\\",
      "~",
      ":",
      "@",
      "transcript",
      "side",
      "todos",
      "\u2024",
    ),
    fc.string({ unit: "binary", maxLength: 6 }),
  );
  fc.assert(fc.property(fc.array(piece, { maxLength: 8 }), fc.boolean(), (pieces, slashed) => {
    const text = pieces.join(slashed ? "/" : "");
    const name = parseFileName(text);
    if (name === null) return;
    const segments = name.normalize("NFKC").split(/[\\/]/);
    assert(segments.every((segment) => segment !== "" && segment !== "." && segment !== ".."));
    assert.equal(segments.length, name.split("/").length);
    assert(
      ["transcript", "side", "file-history", "todos", "tasks", "legacy"].includes(segments[0]!),
    );
  }));
});

Deno.test("foldedFileName joins names that one disk may take for the same", () => {
  const folded = (text: string) => {
    const name = parseFileName(text);
    assert(name !== null, text);
    return foldedFileName(name);
  };
  assert.equal(folded("side/README"), folded("side/readme"));
  assert.equal(folded("side/Straße"), folded("side/STRASSE"));
  assert.equal(folded("side/ﬁle"), folded("side/file"));
  assert.equal(folded("side/Ｋ"), folded("side/k"));
  assert.notEqual(folded("side/a"), folded("side/b"));
});

Deno.test("fileKind tells appended files from rewritten ones", () => {
  const kinds = GOOD.flatMap((text) => {
    const name = parseFileName(text);
    return name !== null && fileKind(name) === "lines" ? [text] : [];
  });
  assert.deepEqual(kinds, [
    "transcript",
    "side/subagents/agent-add2dbde32f3cfe89.jsonl",
    "legacy/agent-ab57199.jsonl",
    "history",
  ]);
});

Deno.test("a common name is judged as the rules would judge it one by one", () => {
  const common = fc.stringMatching(/^[a-z0-9-]{7,64}\.md$/);
  // Capital letters take the long way, where names are folded to small ones.
  fc.assert(fc.property(common, (name) => {
    const long = fileNameProblem(`memory/${name.toUpperCase()}`);
    assert.deepEqual([fileNameProblem(`memory/${name}`), long], [null, null]);
  }));
  for (const name of ["settings.json.md", "con.md", "lpt1.md", ".env-common.md", "aaaaaaa~1.md"]) {
    assert.notEqual(fileNameProblem(`memory/${name}`), null, name);
  }
});
