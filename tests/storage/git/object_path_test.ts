import assert from "node:assert/strict";
import fc from "fast-check";
import { objectName, parseObjectName } from "../../../src/storage/object_name.ts";
import { OBJECT_BYTES_MAX } from "../../../src/storage/object_store.ts";
import {
  hidingPath,
  isBranchId,
  isShard,
  objectPath,
  readPath,
  SHARED_BRANCH,
} from "../../../src/storage/git/object_path.ts";

const name = objectName("log/tb721fz1kv6q72b9/000000000001.f5280754");

Deno.test("objectPath is what it was in the first release", () => {
  assert.equal(objectPath(name, 1045), "73/log+tb721fz1kv6q72b9+000000000001.f5280754=1045");
  assert.equal(
    hidingPath(name, "0123456789abcdef"),
    "73/log+tb721fz1kv6q72b9+000000000001.f5280754=-0123456789abcdef",
  );
});

Deno.test("readPath takes back what objectPath made of any name", () => {
  const segment = fc.stringMatching(/^[a-z0-9_][a-z0-9._-]{0,12}$/);
  const names = fc.array(segment, { minLength: 1, maxLength: 6 }).map((parts) => parts.join("/"));
  const sizes = fc.integer({ min: 0, max: OBJECT_BYTES_MAX });
  fc.assert(fc.property(names, sizes, (text, sizeBytes) => {
    const parsed = parseObjectName(text);
    if (parsed === null) return;
    const [shard, file, ...rest] = objectPath(parsed, sizeBytes).split("/");
    assert.deepEqual(rest, []);
    assert.ok(isShard(shard!));
    assert.deepEqual(readPath(shard!, file!), { kind: "object", name: parsed, sizeBytes });
    const [, mark] = hidingPath(parsed, SHARED_BRANCH).split("/");
    const meaning = readPath(shard!, mark!);
    assert.deepEqual(meaning, { kind: "hidden", name: parsed, branch: SHARED_BRANCH });
  }));
});

Deno.test("readPath ignores what we did not write", () => {
  const [shard, file] = objectPath(name, 1045).split("/") as [string, string];
  const strangers: [string, string][] = [
    ["00", file],
    [shard, file.replace("=1045", "")],
    [shard, file.replace("=1045", "=")],
    [shard, file.replace("=1045", "=01045")],
    [shard, file.replace("=1045", "=-1")],
    [shard, file.replace("=1045", "=1e3")],
    [shard, file.replace("=1045", "=1045=1045")],
    [shard, file.replace("=1045", `=${OBJECT_BYTES_MAX + 1}`)],
    [shard, file.replace("=1045", "=99999999999999999999")],
    [shard, file.replace("=1045", "=-../../x")],
    [shard, file.toUpperCase()],
    [shard, `../${file}`],
    [shard, `${file}\n`],
    [shard, ""],
    [shard, "README.md"],
    [shard, ".gitmodules"],
    [shard, ".git"],
  ];
  for (const [folder, text] of strangers) assert.equal(readPath(folder, text), null, text);
  assert.equal(readPath(shard, objectPath(name, OBJECT_BYTES_MAX).slice(3))?.kind, "object");
  for (const text of ["main", "sharedx", "../shared", "0123456789abcdeu", "0123456789abcde", ""]) {
    assert.ok(!isBranchId(text), text);
  }
});
