import assert from "node:assert/strict";
import { utf8 } from "../../src/base/bytes.ts";
import { lastMember, membersOf, RECORD_MEMBERS_MAX } from "../../src/sessions/record_text.ts";

Deno.test("membersOf takes a record with as many members as it may have and none with more", () => {
  const record = (count: number) => utf8(`{${new Array(count).fill('"a":1').join(",")}}`);
  assert.equal(membersOf(record(RECORD_MEMBERS_MAX))?.length, RECORD_MEMBERS_MAX);
  assert.equal(membersOf(record(RECORD_MEMBERS_MAX + 1)), null);
});

Deno.test("membersOf passes a key of many MiB without keeping it", () => {
  const key = "type".repeat(2 ** 22);
  const members = membersOf(utf8(`{"${key}":1,"type":2}`));
  assert.equal(members?.length, 2);
  assert(members[0]!.key.length < 100);
  assert.equal(lastMember(members, "type")?.valueStart, key.length + 13);
});
