import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { join } from "node:path";
import { slugOf } from "../../src/sessions/slug.ts";
import { requireSame } from "../../src/sync/compact_check.ts";
import { listAll } from "../../src/sync/compact_delete.ts";
import { GROUP_SEGMENTS_MAX, packsToKeep } from "../../src/sync/compact_plan.ts";
import { ENTRY_LIMITS, type EntryLimits, Restatement } from "../../src/sync/compact_write.ts";
import { entriesOf } from "../../src/sync/log_entries.ts";
import { ownRow } from "../../src/sync/restate.ts";
import type { EntryBody } from "../../src/vault/entry_body.ts";
import {
  ENTRY_BODY_BYTES_MAX,
  ENTRY_PACKS_MAX,
  ENTRY_SEGMENTS_MAX,
  GROUP_RAW_BYTES_MAX,
} from "../../src/vault/format.ts";
import { parseLogEntryName } from "../../src/vault/names.ts";
import { objectName } from "../../src/storage/object_name.ts";
import { IDS, pushTurns, speak, withOwnContent } from "../support/gc_world.ts";
import { inTempDir, type SyncMachine } from "../support/sync_machine.ts";
import { historyOf, newWorld } from "../support/sync_world.ts";

const FILES = 30;
const FILE_BYTES = 1_000;
/** More than may travel inside an entry. */
const PACKED_BYTES = 400_000;

/** Sessions of many small files, of much text, and with so many large packs. */
async function push(machine: SyncMachine, packs: number): Promise<void> {
  const side = (session: string, n: number) =>
    join("projects", slugOf(machine.project), session, "tool-results", `${n}.txt`);
  for (let n = 0; n < FILES; n++) {
    machine.write(side(IDS[0]!, n), randomBytes(FILE_BYTES / 2).toString("hex"));
  }
  for (const id of [0, 5, 6, 7]) speak(machine, IDS[id]!, "said");
  const noise = randomBytes(PACKED_BYTES).toString("base64");
  speak(machine, IDS[3]!, noise);
  for (let pack = 0; pack < packs; pack++) {
    // Larger than what is packed again, and a push of its own.
    machine.write(side(IDS[4]!, pack), randomBytes(4_300_000));
    speak(machine, IDS[4]!, `pack ${pack}`);
    await machine.push();
  }
}

/** Every state that the vault can give back. */
async function contents(machine: SyncMachine): Promise<string[]> {
  const history = await historyOf(machine);
  return history.map(({ bytes, ...state }) => JSON.stringify([state, bytes.length])).sort();
}

/** Says everything again under `limits`, and proves that it is the same. */
function restated(machine: SyncMachine, limits: EntryLimits): Promise<EntryBody[]> {
  return withOwnContent(machine, async ({ vault, sender, scratch, content }) => {
    content.keep(packsToKeep(content.packs()));
    const restatement = new Restatement(vault, sender, content, { enrols: true, limits });
    await restatement.write();
    const { entries } = restatement;
    const row = ownRow(vault, sender);
    await requireSame(vault, row, scratch, content, entries, await listAll(vault));
    const bodies: EntryBody[] = [];
    const names = entries.map((entry) => {
      const name = objectName(entry.objectName);
      return { ...parseLogEntryName(name)!, name };
    });
    for await (const { body } of entriesOf(vault, row, names)) bodies.push(body);
    return bodies;
  });
}

function groupsOf({ ops }: EntryBody) {
  return ops.flatMap((op) => op.op === "add" ? op.groups : []);
}

function segmentsOf(body: EntryBody): number {
  return groupsOf(body).reduce((sum, { segments }) => sum + segments.length, 0);
}

/** Bytes that were stored anew. */
function plainOf(body: EntryBody): number {
  return groupsOf(body).reduce((sum, { raw }) => sum + raw, 0);
}

const LARGEST = Number.MAX_SAFE_INTEGER;
const NONE: EntryLimits = {
  plainBytes: LARGEST,
  segments: LARGEST,
  bodyBytes: LARGEST,
  packs: LARGEST,
};

/** A limit, and what an entry has of it. */
const CASES: readonly {
  readonly name: keyof EntryLimits;
  readonly limit: number;
  readonly used: (body: EntryBody) => number;
}[] = [
  { name: "segments", limit: FILES + 4, used: segmentsOf },
  { name: "plainBytes", limit: 550_000, used: plainOf },
  { name: "bodyBytes", limit: 12_000, used: ({ ops }) => JSON.stringify(ops).length },
  { name: "packs", limit: 2, used: ({ packs }) => packs.length },
];

Deno.test("what is said again is one entry when it fits, with the enrolment first", () =>
  inTempDir(async (dir) => {
    const world = await newWorld(dir);
    const [anna] = world.machines as [SyncMachine];
    await push(anna, 0);
    await anna.push();
    const bodies = await restated(anna, NONE);
    assert.equal(bodies.length, 1);
    assert.equal(bodies[0]!.ops[0]!.op, "enrol");
  }));

for (const { name, limit, used } of CASES) {
  Deno.test(`what is said again is spread over entries by the limit of ${name}`, () =>
    inTempDir(async (dir) => {
      const world = await newWorld(dir);
      const [anna, bert] = world.machines as [SyncMachine, SyncMachine];
      await push(anna, name === "packs" ? 2 : 0);
      await anna.push();
      await pushTurns(anna, world.clock, 4);
      const before = await contents(bert);
      const bodies = await restated(anna, { ...NONE, [name]: limit });
      const each = bodies.map(used);
      assert.ok(bodies.length > 1, `${each}`);
      assert.ok(Math.max(...each) <= limit, `${each} are more than ${limit}`);
      const enrols = bodies.map(({ ops }) => ops.filter(({ op }) => op === "enrol").length);
      assert.deepEqual(enrols, [1, ...bodies.slice(1).map(() => 0)]);
      assert.deepEqual(await contents(bert), before);
      assert.deepEqual((await bert.verify()).problems, []);
    }));
}

Deno.test("what is said again fills an entry up to its limit of segments, and no further", () =>
  inTempDir(async (dir) => {
    const world = await newWorld(dir);
    const [anna] = world.machines as [SyncMachine];
    await pushTurns(anna, world.clock, 9);
    const segments = 9;
    const counts = async (limit: number) =>
      (await restated(anna, { ...NONE, segments: limit })).map(segmentsOf);
    assert.deepEqual(await counts(segments), [9]);
    // A group is not divided, and each session here is one.
    assert.deepEqual(await counts(segments - 1), [6, 3]);
    assert.deepEqual(await counts(5), [3, 3, 3]);
  }));

Deno.test("the limits of an entry leave room for one more group", () => {
  const { plainBytes, segments, bodyBytes, packs } = ENTRY_LIMITS;
  assert.ok(segments + GROUP_SEGMENTS_MAX <= ENTRY_SEGMENTS_MAX);
  assert.ok(bodyBytes <= 0.75 * ENTRY_BODY_BYTES_MAX);
  assert.ok(packs <= ENTRY_PACKS_MAX);
  assert.ok(plainBytes > GROUP_RAW_BYTES_MAX, "a group always finds room in an empty entry");
});
