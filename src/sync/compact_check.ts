/**
 * Reads what was said again back from the store and compares it with what the old entries said, as
 * any other machine would understand it. Only then may the old ones count for nothing (FORMAT.md
 * 12.1).
 */
import type { DatabaseSync } from "node:sqlite";
import { sha256Hex } from "../crypto/hash.ts";
import { ClaudeSyncError } from "../errors.ts";
import type { ObjectInfo } from "../storage/object_store.ts";
import { parseLogEntryName } from "../vault/names.ts";
import { objectName } from "../storage/object_name.ts";
import type { PackClaim, Segment } from "../vault/entry_body.ts";
import type { SegmentPlace } from "../vault/segment_reader.ts";
import { SegmentReader } from "../vault/segment_reader.ts";
import { otherOps, type RestatedEntry } from "./compact_write.ts";
import type { LogContent, OtherOp } from "./log_content.ts";
import { entriesOf } from "./log_entries.ts";
import { type MachineRow, SegmentIndex } from "./segment_index.ts";
import type { OpenVault } from "./vault_access.ts";

/** What differs when one of these gives a row: what is said on one side only. */
const COMPARISONS: Readonly<Record<string, readonly [old: string, now: string]>> = {
  "a segment": [
    `SELECT session, file, gen, parent, hash, off, len, mtime, machine FROM said_segment`,
    `SELECT session, file, gen, parent, hash, off, len, max(mtime), min(machine) FROM segment
     GROUP BY session, file, gen, parent, hash, off, len`,
  ],
  "a generation": [
    `SELECT session, file, gen, from_gen, from_hash FROM said_generation`,
    `SELECT session, file, gen, from_gen, from_hash FROM generation`,
  ],
  "a project": [
    `SELECT session, project FROM said_claim`,
    `SELECT session, project FROM claim WHERE project IS NOT NULL`,
  ],
  "a title": [
    `SELECT session, text, time, gen, state FROM said_title`,
    `SELECT session, text, time, gen, state FROM title`,
  ],
};

/**
 * Checks that `entries`, read from the store, say alone what `content` says, and that every byte is
 * the same. `row`: whose entries they are. `scratch`: the database of `content`, which also has the
 * tables of an empty index. `listed`: all packs of the store, listed afterwards. Errors: `bug` when
 * anything differs, `damaged` and `incomplete` for an object that does not come back as it was put.
 */
export async function requireSame(
  vault: OpenVault,
  row: Pick<MachineRow, "id" | "sign" | "tag">,
  scratch: DatabaseSync,
  content: LogContent,
  entries: readonly RestatedEntry[],
  listed: ReadonlyMap<string, ObjectInfo>,
): Promise<void> {
  const index = new SegmentIndex(scratch);
  const others: OtherOp[] = [];
  const names = entries.map((entry) => {
    const name = objectName(entry.objectName);
    return { ...parseLogEntryName(name)!, name };
  });
  const hashes = new Map(entries.map((entry) => [entry.objectName, entry.hash]));
  for await (const entry of entriesOf(vault, row, names)) {
    if (hashes.get(entry.objectName) !== entry.hash) throw differs("an entry");
    for (const pack of entry.body.packs) requireListed(pack, listed);
    index.apply([entry]);
    for (const op of entry.body.ops) {
      if (op.op === "forget" || op.op === "recall" || op.op === "retire") others.push(op);
    }
  }
  for (const [what, [old, now]] of Object.entries(COMPARISONS)) {
    for (const [one, other] of [[old, now], [now, old]] as const) {
      const found = scratch.prepare(`SELECT 1 FROM (${one} EXCEPT ${other}) LIMIT 1`).get();
      if (found !== undefined) throw differs(what);
    }
  }
  const said = new Set(otherOps(content.others).map((op) => JSON.stringify(op)));
  const again = new Set(others.map((op) => JSON.stringify(op)));
  if (said.size !== again.size || [...said].some((op) => !again.has(op))) throw differs("an op");
  await requireSameBytes(vault, row, scratch, content);
}

function requireListed(pack: PackClaim, listed: ReadonlyMap<string, ObjectInfo>): void {
  if (listed.get(pack.name)?.sizeBytes === pack.size) return;
  throw new ClaudeSyncError("incomplete", "The store does not list a pack that it should have", {
    objectName: pack.name,
  });
}

interface Restated extends Segment, SegmentPlace {
  /** The place of the same segment in the old entries, as one word. */
  readonly oldPlace: string;
  readonly place: string;
}

const PLACE = (object: string, group: string, segment: string) =>
  [
    ...[`${object}.name`, `coalesce(${object}.sha256, '')`, `${group}.at`, `${group}.stored`],
    ...[`${group}.raw`, `${group}.comp`, `${segment}.grp_off`],
  ].join(" || '/' || ");

async function requireSameBytes(
  vault: OpenVault,
  { tag, sign }: Pick<MachineRow, "tag" | "sign">,
  scratch: DatabaseSync,
  content: LogContent,
): Promise<void> {
  const reader = new SegmentReader(vault.opener, (of) => of === tag ? sign : null);
  const ofSession = scratch.prepare(
    `SELECT s.session, s.file, s.gen, s.parent, s.hash, s.off, s.len, s.mtime,
            o.name AS objectName, o.sha256 AS objectSha256, g.at AS groupAt,
            g.stored AS groupStored, g.raw AS groupRaw, g.comp AS groupComp,
            s.grp_off AS offsetInGroup,
            ${PLACE("o", "g", "s")} AS place, ${PLACE("oo", "og", "os")} AS oldPlace
     FROM segment s JOIN grp g ON g.id = s.grp JOIN object o ON o.id = g.object
     JOIN said_segment os ON os.session = s.session AND os.file = s.file AND os.gen = s.gen
       AND os.parent = s.parent AND os.hash = s.hash
     JOIN said_group og ON og.id = os.grp JOIN said_object oo ON oo.id = og.object
     WHERE s.session = ? ORDER BY o.name, g.at, s.grp_off`,
  );
  try {
    for (const { session } of content.sessions()) {
      for (const segment of ofSession.all(session) as unknown as Restated[]) {
        vault.context.signal.throwIfAborted();
        const noted = content.bytesNoted(session, segment);
        if (noted === null) {
          if (segment.place !== segment.oldPlace) throw differs("a place");
        } else if (sha256Hex(await reader.read(segment)) !== noted) throw differs("a byte");
      }
    }
  } finally {
    await reader.settled();
  }
}

function differs(what: string): ClaudeSyncError {
  return new ClaudeSyncError("bug", `A checkpoint would have changed ${what} of the vault`, {
    hint: "Nothing was deleted and the vault is as it was; please report it",
  });
}
