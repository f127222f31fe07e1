import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { Buffer } from "node:buffer";
import fc from "fast-check";
import {
  type FileName,
  NAME_SEGMENT_BYTES_MAX,
  parseFileName,
} from "../../src/sessions/file_name.ts";
import {
  besideName,
  besideOf,
  isPlanName,
  memoryShelfId,
  PLAN_NAME_LENGTH_MAX,
  planShelfId,
  plansOfFile,
  shelfArea,
} from "../../src/sessions/shelf.ts";

const HASH = "0123456789abcdef".repeat(4);

function nameOf(text: string): FileName {
  const name = parseFileName(text);
  assert.ok(name !== null, text);
  return name;
}

/** FORMAT.md section 8, once more and by itself. */
function shelf(kind: string, what: string): string {
  const lp = (text: string) => {
    const length = Buffer.alloc(4);
    length.writeUInt32BE(Buffer.byteLength(text));
    return Buffer.concat([length, Buffer.from(text)]);
  };
  const input = Buffer.concat([Buffer.from("claude-sync/v1/shelf\0"), lp(kind), lp(what)]);
  const hex = createHash("sha256").update(input).digest("hex").slice(0, 32);
  const y = "89ab"[parseInt(hex[16]!, 16) & 3];
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-8${hex.slice(13, 16)}-${y}${hex.slice(17, 20)}-` +
    hex.slice(20);
}

Deno.test("shelf ids are those of the format", () => {
  assert.equal(planShelfId("linear-swinging-cat"), shelf("plan", "linear-swinging-cat"));
  const git = { kind: "git", remote: "github.com/acme/app", sub: "" } as const;
  assert.equal(memoryShelfId(git), shelf("memory", "git:github.com/acme/app"));
  assert.equal(
    memoryShelfId({ ...git, sub: "packages/日本" }),
    shelf("memory", "git:github.com/acme/app//packages/日本"),
  );
  assert.equal(memoryShelfId({ kind: "home", path: "notes" }), shelf("memory", "home:notes"));
  assert.equal(memoryShelfId({ kind: "path", path: "/srv" }), shelf("memory", "path:/srv"));
  // Known answer, for other decoders.
  assert.equal(planShelfId("linear-swinging-cat"), "9c29afe0-bc46-802f-aff8-9bbdb906de33");
});

Deno.test("isPlanName takes what the client makes, up to its length", () => {
  for (const name of ["linear-swinging-cat", "a", "A_b-9", "x".repeat(PLAN_NAME_LENGTH_MAX)]) {
    assert.equal(isPlanName(name), true, name);
  }
  const bad = [
    "",
    "-a",
    "_a",
    "a.b",
    "a/b",
    "..",
    "a b",
    "ä",
    "x".repeat(PLAN_NAME_LENGTH_MAX + 1),
  ];
  for (const name of bad) assert.equal(isPlanName(name), false, name);
});

Deno.test("plansOfFile finds the plan of a file, of an agent and of a version", () => {
  assert.deepEqual(plansOfFile("a-b-c.md"), ["a-b-c"]);
  assert.deepEqual(plansOfFile("a-b-c-agent-x1.md"), ["a-b-c-agent-x1", "a-b-c"]);
  assert.deepEqual(plansOfFile("a-b-c.0123abcd.md"), ["a-b-c"]);
  assert.deepEqual(plansOfFile("a-b-c.0123abcd.89abcdef.md"), ["a-b-c"]);
  for (const name of ["a.txt", "a.b.md", ".md", "a.0123ABCD.md", "a/b.md", "", "a.md\n"]) {
    assert.deepEqual(plansOfFile(name), [], name);
  }
});

Deno.test("besideName puts the hash before the extension, and besideOf finds the way back", () => {
  const cases: readonly (readonly [string, string])[] = [
    ["plans/a-b-c.md", "plans/a-b-c.01234567.md"],
    ["memory/MEMORY.md", "memory/MEMORY.01234567.md"],
    ["memory/a/b.tar.gz", "memory/a/b.tar.01234567.gz"],
    ["memory/noextension", "memory/noextension.01234567"],
    ["memory/.hidden", "memory/.hidden.01234567"],
  ];
  for (const [name, beside] of cases) {
    assert.equal(besideName(nameOf(name), HASH), beside);
    assert.deepEqual(besideOf(nameOf(beside)), { name, hash8: "01234567" });
    assert.equal(besideOf(nameOf(name)), null);
  }
});

Deno.test("besideName makes no name that is too long", () => {
  const fits = `memory/${"x".repeat(NAME_SEGMENT_BYTES_MAX - ".01234567.md".length)}.md`;
  assert.equal(besideName(nameOf(fits), HASH)?.endsWith(".01234567.md"), true);
  assert.equal(besideName(nameOf(fits.replace("x.md", "xx.md")), HASH), null);
});

Deno.test("besideName never gives an unsafe name or one of another kind", () => {
  fc.assert(fc.property(fc.string(), fc.constantFrom("plans/", "memory/"), (text, area) => {
    const name = parseFileName(area + text);
    const beside = name === null ? null : besideName(name, HASH);
    if (beside === null) return;
    assert.equal(parseFileName(beside), beside);
    assert.equal(shelfArea(beside), shelfArea(name!));
    assert.notEqual(beside, name);
  }));
});

Deno.test("besideOf finds the file of a copy whose extension looks like a hash", () => {
  for (const text of ["memory/x.dcba3210", "memory/x.01234567.dcba3210", "memory/x.01234567.md"]) {
    const name = parseFileName(text)!;
    const beside = besideName(name, "89abcdef".repeat(8))!;
    assert.deepEqual(besideOf(beside), { name, hash8: "89abcdef" });
  }
});
