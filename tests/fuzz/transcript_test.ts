/** Lines of transcripts: written by any client, torn, glued, zeroed. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import * as fc from "fast-check";
import { equalBytes, utf8 } from "../../src/base/bytes.ts";
import { sha256Hex } from "../../src/crypto/hash.ts";
import { branchCopy, rootForm, rootSessionId } from "../../src/sessions/branch_copy.ts";
import { branchId } from "../../src/sessions/branch_id.ts";
import { machineSuffix, suffixOf, titleAt, typeOf } from "../../src/sessions/branch_title.ts";
import { JSON_DEPTH_MAX, parseJsonObject } from "../../src/sessions/json_object.ts";
import { readPlanNames } from "../../src/sessions/plans.ts";
import { lines, membersOf, parseRecord } from "../../src/sessions/record_text.ts";
import { isRewriteOf, spokenRecords } from "../../src/sessions/spoken_records.ts";
import {
  extendFacts,
  FACT_TEXT_MAX,
  transcriptFacts,
  transcriptHead,
  transcriptTail,
} from "../../src/sessions/transcript_facts.ts";
import { lastCompleteLineEnd, records, recordsFromEnd } from "../../src/sessions/transcript.ts";
import { idOf, put } from "../sessions/disk.ts";
import { MemoryFs } from "../support/memory_fs.ts";
import { fuzz } from "./fuzzing.ts";
import { type Json, mutatedJson } from "./json_mutations.ts";
import { mutatedBytes } from "./mutations.ts";

const ID = idOf(1);
const TEXTS = ["continued-on-a", "branched-by-client"].map((name) =>
  readFileSync(new URL(`../testdata/fork/${name}.jsonl`, import.meta.url))
);

const common = {
  sessionId: ID,
  uuid: "u-1",
  parentUuid: null,
  cwd: "/home/a/app",
  version: "2.1.0",
};
const time = { timestamp: "2026-11-24T10:00:00.123Z", gitBranch: "main", slug: "happy-otter" };
const RECORDS: Json[] = [
  { type: "user", message: { role: "user", content: "hello" }, ...common, ...time },
  {
    type: "user",
    message: { content: [{ type: "text", text: "a" }, { type: "tool_result" }] },
    ...common,
  },
  { type: "assistant", message: { id: "m", model: "x", content: [] }, ...common, ...time },
  { type: "custom-title", customTitle: "My title", sessionId: ID },
  { type: "ai-title", aiTitle: "Its title", sessionId: ID },
  {
    type: "user",
    ...common,
    forkedFrom: { sessionId: ID, messageUuid: "u-1" },
    message: { content: "b" },
  },
];

/** Some damaged records, one a line, at times damaged again as bytes, and real ones. */
const transcripts = fc.oneof(
  fc.array(mutatedJson(RECORDS), { maxLength: 5 }).map((found) => utf8(found.join("\n") + "\n")),
  fc.tuple(mutatedJson(RECORDS), mutatedJson(RECORDS)).chain((pair) =>
    mutatedBytes([utf8(pair.join("\n")), utf8(pair.join("\r\n") + "\r\n")])
  ),
  mutatedBytes(TEXTS.map((text) => text.subarray(0, 6000)), ['"sessionId"', '"type":"user"']),
);

Deno.test("fuzz: lines of a transcript make it up again, from both ends", () => {
  fuzz(transcripts, (bytes) => [...records(bytes)], {
    check(found, bytes) {
      const complete = found.filter((record) => record.isComplete);
      assert.equal(found.reduce((sum, { length }) => sum + length, 0), bytes.length);
      const backwards = [...recordsFromEnd(bytes)].reverse();
      assert.deepEqual(backwards.map(({ offset }) => offset), complete.map(({ offset }) => offset));
      assert.equal(
        complete.reduce((sum, { length }) => sum + length, 0),
        lastCompleteLineEnd(bytes),
      );
      assert.deepEqual(
        [...lines(bytes)].map(({ start }) => start),
        found.map(({ offset }) => offset),
      );
      for (const { parsed } of complete) {
        if (parsed !== null) assert.equal(Object.getPrototypeOf(parsed), null);
      }
    },
  });
});

Deno.test("fuzz: JSON of others is an object that inherits nothing, not deep, or null", () => {
  fuzz(mutatedJson(RECORDS), (text) => parseJsonObject(utf8(text)), {
    check(value) {
      if (value === null) return;
      assert.equal(Object.getPrototypeOf(value), null);
      const depth = (part: unknown): number =>
        typeof part !== "object" || part === null
          ? 0
          : 1 + Math.max(0, ...Object.values(part).map(depth));
      assert(depth(value) <= JSON_DEPTH_MAX);
    },
  });
});

Deno.test("fuzz: members of a record lie where JSON has them", () => {
  fuzz(
    fc.oneof(mutatedJson(RECORDS).map(utf8), mutatedBytes([utf8('{"a" : [1, "}"] }')])),
    (line) => {
      return { members: membersOf(line), record: parseRecord(line) };
    },
    {
      check({ members, record }, line) {
        if (members === null || record === null) return;
        let end = 0;
        for (const { key, previousEnd, valueStart, valueEnd } of members) {
          assert(end <= previousEnd && previousEnd < valueStart && valueStart < valueEnd);
          end = valueEnd;
          assert(key.length <= 64 && end <= line.length);
        }
        const text = (from: number, to: number) =>
          new TextDecoder().decode(line.subarray(from, to));
        for (
          const { key, valueStart, valueEnd } of new Map(members.map((one) => [one.key, one]))
            .values()
        ) {
          if (key.includes("\\") || !/^[\x20-\x7e]*$/.test(key) || key.length === 64) continue;
          const value: unknown = Object.getOwnPropertyDescriptor(record, key)?.value;
          assert.deepEqual(JSON.parse(text(valueStart, valueEnd)), value, key);
        }
      },
    },
  );
});

Deno.test("fuzz: facts are short, of their kinds, and the same when gathered in two goes", () => {
  fuzz(fc.tuple(transcripts, fc.nat(1 << 16)), ([bytes]) => transcriptFacts(bytes), {
    check(facts, [bytes, cut]) {
      const { messages, lastActivityMs, ...texts } = facts;
      assert(Number.isSafeInteger(messages) && messages >= 0);
      assert(lastActivityMs === null || (Number.isFinite(lastActivityMs) && lastActivityMs > 0));
      for (const text of Object.values(texts)) {
        assert(text === null || (text !== "" && text.length <= FACT_TEXT_MAX));
      }
      const end = lastCompleteLineEnd(bytes.subarray(0, cut % (bytes.length + 1)));
      const first = transcriptFacts(bytes.subarray(0, end));
      assert.deepEqual(extendFacts(first, bytes.subarray(end)), facts);
      assert.deepEqual(JSON.parse(JSON.stringify(facts)), facts);
      assert.equal(transcriptHead(bytes).firstCwd, facts.firstCwd);
      const tail = transcriptTail(bytes);
      assert.deepEqual([tail.lastCwd, tail.lastVersion], [facts.lastCwd, facts.lastVersion]);
    },
  });
});

Deno.test("fuzz: a branch's copy is its beginning's copy going on, and turns back", () => {
  fuzz(fc.tuple(transcripts, fc.string({ unit: "binary", maxLength: 20 })), ([bytes, machine]) => {
    const spoken = spokenRecords(bytes);
    const first = spoken.at(spoken.length >> 1);
    if (first === undefined) return null;
    const id = branchId(ID, first.hash);
    const leaf = { bytes, writers: [{ start: 0, machine: "a" }] };
    const point = { rootId: ID, id, start: first.start, machine };
    return { id, first, leaf, point, copy: branchCopy(leaf, point) };
  }, {
    check(made, [bytes]) {
      if (made === null) return;
      const { id, first, leaf, point, copy } = made;
      // A transcript that names the branch already, or what it was forked from, is another story.
      const text = new TextDecoder("latin1").decode(bytes);
      if (!text.includes(id) && !text.includes("forkedFrom")) {
        assert(equalBytes(rootForm(copy, id, ID).bytes, bytes));
        if (text.includes('"uuid"')) assert.equal(typeof rootSessionId(id, copy.bytes), "string");
      }
      const end = [...lines(bytes)].find(({ start }) => start === first.start)!.next;
      if (bytes[end - 1] !== 0x0a) return;
      const shorter = branchCopy({ ...leaf, bytes: bytes.subarray(0, end) }, point);
      assert(equalBytes(copy.bytes.subarray(0, shorter.bytes.length), shorter.bytes));
    },
  });
});

Deno.test("fuzz: what was said is told the same whoever asks", () => {
  fuzz(transcripts, (bytes) => spokenRecords(bytes), {
    check(spoken, bytes) {
      let start = -1;
      for (const record of spoken) {
        assert.match(record.hash, /^[0-9a-f]{64}$/);
        assert(record.start > start && record.start < bytes.length);
        assert(record.saidMs === Infinity || Number.isSafeInteger(record.saidMs));
        start = record.start;
        typeOf(bytes.subarray(record.start));
      }
      assert(isRewriteOf(bytes, bytes));
      const title = titleAt(bytes, start);
      assert(title !== "" && title.length < 10_000);
      // deno-lint-ignore no-control-regex
      assert.doesNotMatch(title, /[\0-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]/);
      assert.notEqual(suffixOf(title + machineSuffix(title)), null);
    },
  });
});

Deno.test("fuzz: plans are named by records and by nothing else", () => {
  const fs = new MemoryFs();
  fuzz(transcripts, (bytes) => {
    put(fs, "/t.jsonl", bytes);
    return readPlanNames(fs, "/t.jsonl", sha256Hex);
  }, {
    check(found, bytes) {
      for (const name of found!.names) assert.match(name, /^[A-Za-z0-9][A-Za-z0-9_-]{0,99}$/);
      assert(found!.lengthBytes <= bytes.length);
    },
  });
});
