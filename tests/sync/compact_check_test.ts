/**
 * What is read back before a checkpoint counts. What came back different is made here by changing
 * what the old entries are remembered to have said, or the entries that are read.
 */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { join } from "node:path";
import { isClaudeSyncError } from "../../src/errors.ts";
import { objectName } from "../../src/storage/object_name.ts";
import type { ObjectInfo } from "../../src/storage/object_store.ts";
import { requireSame } from "../../src/sync/compact_check.ts";
import { listAll } from "../../src/sync/compact_delete.ts";
import { LogContent } from "../../src/sync/log_content.ts";
import { openStateDb } from "../../src/sync/state_db.ts";
import { packsToKeep } from "../../src/sync/compact_plan.ts";
import { type RestatedEntry, Restatement } from "../../src/sync/compact_write.ts";
import { ownRow } from "../../src/sync/restate.ts";
import { forget } from "../support/forget_world.ts";
import { allStates, gc, IDS, type OwnContent, pushTurns } from "../support/gc_world.ts";
import { speak, withOwnContent } from "../support/gc_world.ts";
import { inTempDir, type SyncMachine } from "../support/sync_machine.ts";
import { newWorld } from "../support/sync_world.ts";

/** More than may travel inside an entry, and a pack that stays as it is. */
const PACKED_BYTES = 300_000;
const KEPT_BYTES = 4_300_000;

/** What is read and what it is compared with, to be changed in place. */
interface Compared extends OwnContent {
  readonly entries: RestatedEntry[];
  readonly listed: Map<string, ObjectInfo>;
}

interface Case {
  readonly name: string;
  readonly change: (compared: Compared) => void;
  /** Null: nothing is wrong. */
  readonly error: { readonly code: "bug" | "incomplete"; readonly message: RegExp } | null;
}

const bug = (what: string) => ({ code: "bug", message: new RegExp(`changed ${what} of`) } as const);

/** The old entries said something else, or said more, or less. */
function old(sql: string): Case["change"] {
  return ({ scratch }) => {
    const { changes } = scratch.prepare(sql).run();
    assert.ok(changes > 0, sql);
  };
}

const ONE = (table: string, key: readonly string[]) =>
  `(${key.join(", ")}) = (SELECT ${key.join(", ")} FROM ${table} LIMIT 1)`;
const SEGMENT_KEY = ["session", "file", "gen", "parent", "hash"];
const oneSegment = ONE("said_segment", SEGMENT_KEY);

const CASES: readonly Case[] = [
  { name: "everything is the same", change: () => {}, error: null },
  {
    name: "a segment is missing",
    change: old(
      `INSERT INTO said_segment SELECT session, 'side/lost', gen, parent, hash, off, len, mtime,
         machine, grp, grp_off, sum FROM said_segment LIMIT 1`,
    ),
    error: bug("a segment"),
  },
  {
    name: "a segment is there that nobody has said",
    change: old(`DELETE FROM said_segment WHERE ${oneSegment}`),
    error: bug("a segment"),
  },
  ...["mtime = mtime + 1", "off = off + 1", "len = len + 1", "machine = 'ff'"].map((change) => ({
    name: `a segment has another ${change.split(" ")[0]}`,
    change: old(`UPDATE said_segment SET ${change} WHERE ${oneSegment}`),
    error: bug("a segment"),
  })),
  {
    name: "a generation is missing",
    change: old(`INSERT INTO said_generation VALUES ('${IDS[0]}', 'transcript', 'aa', '', 'bb')`),
    error: bug("a generation"),
  },
  {
    name: "a generation is there that nobody has said",
    change: old("DELETE FROM said_generation"),
    error: bug("a generation"),
  },
  {
    name: "a project is missing",
    change: old(`INSERT INTO said_claim VALUES ('${IDS[7]}', '{}', 1, 'aa')`),
    error: bug("a project"),
  },
  {
    name: "a project is another one",
    change: old(`UPDATE said_claim SET project = '{}' WHERE session = '${IDS[0]}'`),
    error: bug("a project"),
  },
  {
    name: "a title is missing",
    change: old(`INSERT INTO said_title VALUES ('${IDS[7]}', 'lost', 1, '', 'bb', 'aa')`),
    error: bug("a title"),
  },
  {
    name: "a title is there that nobody has said",
    change: old(`DELETE FROM said_title WHERE session = '${IDS[3]}'`),
    error: bug("a title"),
  },
  ...["text = 'x'", "time = time + 1", "gen = 'aa'", "state = 'bb'"].map((change) => ({
    name: `a title has another ${change.split(" ")[0]}`,
    change: old(`UPDATE said_title SET ${change} WHERE session = '${IDS[3]}'`),
    error: bug("a title"),
  })),
  {
    name: "a wish to delete is missing",
    change: ({ content }) => content.others.push({ op: "recall", ids: ["ab".repeat(16)] }),
    error: bug("an op"),
  },
  {
    name: "a wish to delete is there that nobody has said",
    change: ({ content }) => assert.equal(content.others.splice(0).length, 1),
    error: bug("an op"),
  },
  {
    name: "an entry is not the one that was put",
    change: ({ entries }) => entries.push({ ...entries.pop()!, hash: "00".repeat(32) }),
    error: bug("an entry"),
  },
  {
    name: "a byte of what was stored anew",
    change: old(
      `UPDATE said_segment SET sum = '00' WHERE ${
        ONE("said_segment WHERE sum IS NOT NULL", SEGMENT_KEY)
      }`,
    ),
    error: bug("a byte"),
  },
  ...["at = at + 1", "stored = stored - 1", "comp = 'other'"].map((change) => ({
    name: `what stayed in its pack has another ${change.split(" ")[0]}`,
    change: old(
      `UPDATE said_group SET ${change} WHERE object IN (SELECT id FROM said_object WHERE kept)`,
    ),
    error: bug("a place"),
  })),
  {
    name: "a pack that stayed is not listed",
    change: ({ scratch, listed }) => {
      const kept = scratch.prepare("SELECT name FROM said_object WHERE kept").get();
      assert.ok(listed.delete(String(kept?.["name"])));
    },
    error: { code: "incomplete", message: /does not list a pack/ },
  },
  {
    name: "packs have another size",
    change: ({ listed }) => {
      for (const [name, { sizeBytes }] of listed) {
        listed.set(name, { name: objectName(name), sizeBytes: sizeBytes + 1 });
      }
    },
    error: { code: "incomplete", message: /does not list a pack/ },
  },
];

/** Text of several kinds, a generation, a pack that stays, and something forgotten. */
async function prepare(anna: SyncMachine, bert: SyncMachine): Promise<void> {
  speak(anna, IDS[3]!, randomBytes(PACKED_BYTES).toString("base64"));
  await anna.push();
  speak(anna, IDS[4]!, randomBytes(KEPT_BYTES).toString("base64"));
  await anna.push();
  speak(anna, IDS[5]!, "to be forgotten");
  await anna.push();
  anna.write(`todos/${IDS[3]}-agent-${IDS[3]}.json`, "[1]");
  await anna.push();
  anna.write(`todos/${IDS[3]}-agent-${IDS[3]}.json`, "[2, 2]");
  await anna.push();
  await forget(anna, [IDS[5]!]);
  await bert.pull();
}

/** Reading back fills the database, so each case has a copy of it. */
async function withCopy(
  { platform }: SyncMachine,
  saved: string,
  others: LogContent["others"],
  work: (copy: Pick<OwnContent, "scratch" | "content">) => Promise<void>,
): Promise<void> {
  const scratch = openStateDb(platform.fs, ":memory:", "reader");
  try {
    const content = new LogContent(scratch);
    content.others.push(...others);
    scratch.prepare("ATTACH ? AS saved").run(saved);
    for (const table of ["object", "group", "segment", "generation", "claim", "title"]) {
      scratch.exec(`INSERT INTO said_${table} SELECT * FROM saved.said_${table}`);
    }
    await work({ scratch, content });
  } finally {
    scratch.close();
  }
}

Deno.test("a checkpoint counts only when what comes back is the same", async (t) => {
  await inTempDir(async (dir) => {
    const world = await newWorld(dir);
    const [anna, bert] = world.machines as [SyncMachine, SyncMachine];
    await prepare(anna, bert);
    await pushTurns(anna, world.clock, 3);
    const before = await allStates(bert);
    await withOwnContent(anna, async (own) => {
      const { vault, sender, scratch, content } = own;
      const kept = packsToKeep(content.packs());
      assert.equal(kept.length, 1);
      content.keep(kept);
      const restatement = new Restatement(vault, sender, content, { enrols: true });
      await restatement.write();
      const packs = await listAll(vault);
      const saved = join(dir, "saved.db");
      scratch.prepare("VACUUM INTO ?").run(saved);
      for (const { name, change, error } of CASES) {
        await t.step(name, () =>
          withCopy(anna, saved, content.others, async (copy) => {
            const entries = [...restatement.entries];
            const listed = new Map(packs);
            change({ ...own, ...copy, entries, listed });
            const row = ownRow(vault, sender);
            const checked = requireSame(vault, row, copy.scratch, copy.content, entries, listed);
            if (error === null) return await checked;
            await assert.rejects(
              checked,
              (given) => isClaudeSyncError(given, error.code) && error.message.test(given.message),
            );
          }));
      }
    });
    assert.deepEqual(await allStates(bert), before, "an unfinished checkpoint changes nothing");
    assert.ok((await gc(anna)).compacted !== null);
    assert.deepEqual(await allStates(bert), before);
    assert.deepEqual((await bert.verify()).problems, []);
  });
});
