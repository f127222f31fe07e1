import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { utf8 } from "../../src/base/bytes.ts";
import { branchCopy, type Leaf, rootForm, rootSessionId } from "../../src/sessions/branch_copy.ts";
import { branchId } from "../../src/sessions/branch_id.ts";
import type { SessionId } from "../../src/sessions/session_id.ts";
import { spokenRecords } from "../../src/sessions/spoken_records.ts";
import { ROOT } from "./branch_histories.ts";

const ID = branchId(ROOT, "01".repeat(32));

function leafOf(content: string | Uint8Array): Leaf {
  const bytes = typeof content === "string" ? utf8(content) : content;
  return { bytes, writers: [{ start: 0, machine: "anna" }] };
}

/** Copies `before + first + after` as a branch that starts with the line `first`. */
function copied(before: string, first = `{"uuid":"f"}`, after = "\n", machine = "bob"): string {
  const start = utf8(before).length;
  const copy = branchCopy(leafOf(before + first + after), { rootId: ROOT, id: ID, start, machine });
  return new TextDecoder().decode(copy.bytes);
}

/** Copies one line that stands before the branch's own part. */
function copiedLine(line: string): string {
  return copied(line + "\n").split("\n")[0]!;
}

function titlesIn(text: string): string[] {
  return text.split(/\r?\n/).flatMap((line) => {
    try {
      const record = JSON.parse(line);
      return record.type === "custom-title" ? [record.customTitle] : [];
    } catch {
      return [];
    }
  });
}

Deno.test("branchCopy replaces the session's id at the top level and nowhere else", () => {
  const fork = `"forkedFrom":{"sessionId":"${ROOT}","messageUuid":"u"}`;
  const other = "00000009-0000-4000-8000-000000000009";
  const cases: [string, string][] = [
    [`{"a":1,"sessionId":"${ROOT}"}`, `{"a":1,"sessionId":"${ID}"}`],
    [`{"session_id":"${ROOT}"}`, `{"session_id":"${ID}"}`],
    [`{ "sessionId" : "${ROOT}" }`, `{ "sessionId" : "${ID}" }`],
    [`{"sessionId":"${other}"}`, `{"sessionId":"${other}"}`],
    [`{"a":{"sessionId":"${ROOT}"}}`, `{"a":{"sessionId":"${ROOT}"}}`],
    [`{"a":"\\"sessionId\\":\\"${ROOT}\\""}`, `{"a":"\\"sessionId\\":\\"${ROOT}\\""}`],
    [`{"uuid":"u","n":1e400}`, `{"uuid":"u","n":1e400,${fork}}`],
    [`{"uuid":null}`, `{"uuid":null}`],
    [`{"uuid":"u","forkedFrom":{"x":1}}`, `{"uuid":"u","forkedFrom":{"x":1}}`],
    [`{"uuid":"u", "x":[{}] }`, `{"uuid":"u", "x":[{}],${fork} }`],
  ];
  for (const [line, expected] of cases) assert.equal(copiedLine(line), expected);
});

Deno.test("branchCopy leaves every line alone that is no object", () => {
  const lines = [
    `{"sessionId":"${ROOT}"`,
    `{"sessionId":"${ROOT}",}`,
    `{"sessionId":"${ROOT}"}{}`,
    `{"sessionId":"${ROOT}","a":nul}`,
    `["sessionId","${ROOT}"]`,
    `\u0000{"sessionId":"${ROOT}"}`,
    `{"sessionId":"${ROOT}","deep":${"[".repeat(300)}${"]".repeat(300)}}`,
    "",
    "   ",
  ];
  for (const line of lines) assert.equal(copiedLine(line), line);
});

Deno.test("branchCopy keeps invalid UTF-8, CRLF and a torn last line", () => {
  const line = `{"sessionId":"${ROOT}","uuid":"u"}\r\n`;
  const bad = new Uint8Array([0x22, 0xff, 0xfe, 0x00, 0x0d, 0x0a]);
  const torn = `{"sessionId":"${ROOT}","uui`;
  const content = new Uint8Array([...bad, ...utf8(line + torn)]);
  const copy = branchCopy(leafOf(content), {
    rootId: ROOT,
    id: ID,
    start: bad.length,
    machine: "bob",
  });
  assert.deepEqual(copy.bytes.subarray(0, bad.length), bad);
  const text = new TextDecoder().decode(copy.bytes.subarray(bad.length));
  const [title, record, rest] = text.split("\r\n");
  assert.deepEqual(titlesIn(title!), ["Untitled (from bob)"]);
  assert.ok(record?.includes(ID));
  assert.equal(rest, torn);
});

Deno.test("branchCopy ends the title's line where the branch begins in a torn last line", () => {
  for (const end of ["\n", "\r\n"]) {
    const text = copied(`{"uuid":"before"}${end}`, `{"uuid":"f"}`, "");
    const [before, title, own, ...rest] = text.split(end);
    assert.deepEqual([JSON.parse(before!).uuid, rest], ["before", []]);
    assert.deepEqual(titlesIn(title!), ["Untitled (from bob)"]);
    assert.equal(JSON.parse(own!).uuid, "f");
  }
  assert.deepEqual(titlesIn(copied("", `{"uuid":"f"}`, "")), ["Untitled (from bob)"]);
});

Deno.test("branchCopy names the branch after the title before it, else the prompt", () => {
  const prompt = `{"type":"user","message":{"content":"first\\n  prompt\\u0007"}}\n`;
  const custom = `{"type":"custom-title","customTitle":"Mine"}\n`;
  const generated = `{"type":"ai-title","aiTitle":"Its"}\n`;
  const echo = `{"type":"user","message":{"content":"<command-name>/x</command-name>"}}\n`;
  const cases: [string, string][] = [
    [echo + prompt, "first prompt (from bob)"],
    [prompt + generated, "Its (from bob)"],
    [custom + generated + prompt, "Mine (from bob)"],
    [echo, "Untitled (from bob)"],
  ];
  for (const [before, expected] of cases) {
    assert.equal(titlesIn(copied(before)).at(-1), expected);
  }
});

Deno.test("branchCopy appends the machine to every later title, because the last one wins", () => {
  const later = `\n{"type":"custom-title","customTitle":"A \\"b\\" é"}\n` +
    `{"type":"custom-title","customTitle":""}\n`;
  const titles = titlesIn(copied("", undefined, later));
  assert.deepEqual(titles, ["Untitled (from bob)", `A "b" é (from bob)`, ""]);
});

Deno.test("branchCopy lets no machine name break a record or a screen", () => {
  const text = copied("", undefined, "\n", `x"\\\n\u001b[2J\u202e(from you)\ud800`);
  assert.deepEqual(titlesIn(text), [`Untitled (from x"\\ [2J from you \ud800)`]);
  assert.equal(text.split("\n").length, 3);
});

Deno.test("branchCopy and rootForm move the writers with their lines", () => {
  const first = `{"type":"user","sessionId":"${ROOT}","uuid":"u"}\n`;
  const second = `{"type":"user","sessionId":"${ROOT}","uuid":"v"}\n`;
  const hash = spokenRecords(utf8(second))[0]!.hash;
  const id = branchId(ROOT, hash);
  const leaf = {
    bytes: utf8(first + second),
    writers: [{ start: 0, machine: "anna" }, { start: first.length, machine: "bob" }],
  };
  const copy = branchCopy(leaf, { rootId: ROOT, id, start: first.length, machine: "bob" });
  const text = new TextDecoder().decode(copy.bytes);
  assert.equal(copy.writers[1]?.start, text.indexOf(`{"type":"custom-title"`));
  assert.deepEqual(rootForm(copy, id, ROOT), leaf);
});

Deno.test("rootForm gives a real file back, and what was said since as if said in the root", () => {
  const bytes = readFileSync(
    new URL("../testdata/fork/rewound-and-compacted.jsonl", import.meta.url),
  );
  const root = "00000006-0000-4000-8000-000000000006" as SessionId;
  for (const { hash, start } of spokenRecords(bytes)) {
    const id = branchId(root, hash);
    const copy = branchCopy(leafOf(bytes), { rootId: root, id, start, machine: "a (b) \u0007" });
    assert.deepEqual(rootForm(copy, id, root).bytes, new Uint8Array(bytes));
    assert.equal(rootSessionId(id, copy.bytes), root);
    const since = `{"type":"user","sessionId":"${id}"}\n`;
    const grown = leafOf(new TextDecoder().decode(copy.bytes) + since);
    const back = new TextDecoder().decode(rootForm(grown, id, root).bytes);
    assert.ok(back.endsWith(`{"type":"user","sessionId":"${root}"}\n`));
  }
});

Deno.test("rootSessionId believes no file that only claims to be a branch", () => {
  const claim =
    `{"type":"user","uuid":"u","forkedFrom":{"sessionId":"${ROOT}","messageUuid":"u"}}\n`;
  assert.equal(rootSessionId(ID, utf8(claim)), ID);
  assert.equal(rootSessionId(ID, new Uint8Array(0)), ID);
  assert.equal(rootSessionId(ROOT, utf8(claim)), ROOT);
});
