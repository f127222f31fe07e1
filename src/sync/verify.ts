/**
 * Checks the vault: logs and names (`vault/verify.ts`), then that every file can be put together,
 * and with `readData` that its bytes are right.
 */
import { mapConcurrently } from "../base/pool.ts";
import { Sha256 } from "../crypto/hash.ts";
import { isClaudeSyncError } from "../errors.ts";
import type { ListedEntry } from "../vault/log_plan.ts";
import { lanesOf } from "../vault/log_reader.ts";
import { LOG_PREFIX, parseLogEntryName, parsePackName } from "../vault/names.ts";
import { SegmentReader } from "../vault/segment_reader.ts";
import { type CheckedLogs, checkLogs, goneSince, type Problem } from "../vault/verify.ts";
import type { SyncContext, VerifyReport } from "./api.ts";
import { LOOK_BYTES } from "./look_bytes.ts";
import { knownMarks } from "./place_check.ts";
import { isGone, RELIST_MAX, RELIST_PAUSE_MS } from "./refresh.ts";
import { SegmentIndex, type StoredLeaf, type StoredSegment } from "./segment_index.ts";
import { openScratchDb } from "./state_db.ts";
import { type OpenVault, withVault } from "./vault_access.ts";

/**
 * See `SyncService.verify`. Nothing is believed that an earlier run has found out, except the
 * high-water marks.
 */
export async function verifyVault(
  context: SyncContext,
  request: { readonly readData: boolean },
): Promise<VerifyReport> {
  return await withVault(context, async (vault) => {
    const startMs = context.platform.clock.monotonicMs();
    const checked = await checkUntilSteady(vault);
    const database = openScratchDb();
    try {
      const index = new SegmentIndex(database);
      index.apply(checked.entries);
      const files = await checkFiles(vault, index, request.readData);
      const { requests, receivedBytes } = vault.store.traffic();
      return {
        machines: index.machines().length,
        entries: checked.entries.length,
        packs: checked.packs.length,
        sessions: index.sessionCount(),
        files: files.count,
        bytes: { stored: checked.storedBytes, read: receivedBytes },
        readData: request.readData,
        unreferenced: checked.unreferenced,
        replaced: checked.replaced,
        problems: [...checked.problems, ...files.problems],
        requests: requests.get + requests.put + requests.list + requests.delete,
        ms: Math.round(context.platform.clock.monotonicMs() - startMs),
      };
    } finally {
      database.close();
    }
  });
}

/**
 * Checks the logs, again when an entry went between the list and the reading, or came while the
 * list was under way: that is what a deletion and a push by other machines look like, unless the
 * entry is listed for good, is gone and no deletion explains it, or is spoken of and never listed.
 */
async function checkUntilSteady({ opener, config, context }: OpenVault): Promise<CheckedLogs> {
  const marks = knownMarks(context, config);
  const earlier = new Map<string, ListedEntry>();
  for (let attempt = 1;; attempt++) {
    const checked = await checkLogs(opener, marks, config.vaultId);
    const lost = goneSince(earlier.values(), checked);
    const pause = () => context.platform.clock.sleep(RELIST_PAUSE_MS, opener.signal);
    const isSteady = async () =>
      lost.length === 0 && !await isOneGone(opener, checked) &&
      !await isOneNew(opener, checked, pause);
    if (attempt === RELIST_MAX || await isSteady()) {
      return { ...checked, problems: [...checked.problems, ...lost] };
    }
    for (const entry of checked.listed) earlier.set(entry.name, entry);
    await pause();
  }
}

/** Whether an entry that could not be read is not there. */
async function isOneGone(
  opener: OpenVault["opener"],
  { problems, entries }: CheckedLogs,
): Promise<boolean> {
  const suspects = new Set<string | null>();
  for (const { code, objectName } of problems) if (code === "incomplete") suspects.add(objectName);
  // An entry that was read is there: it is only the one that speaks of what is missing.
  for (const { objectName } of entries) suspects.delete(objectName);
  let isFound = false;
  await mapConcurrently([...suspects], lanesOf(opener), async (name) => {
    if (!isFound && await isGone(opener, name)) isFound = true;
  });
  return isFound;
}

/**
 * Whether an entry speaks of one that was not listed, or names such a pack, and the store shows
 * entries now that it did not, or that pack: pushed while the list was under way.
 */
async function isOneNew(
  { store, signal }: OpenVault["opener"],
  { problems, entries, listed }: CheckedLogs,
  pause: () => Promise<void>,
): Promise<boolean> {
  const read = new Set<string | null>(entries.map(({ objectName }) => objectName));
  const missing = problems.filter(({ code }) => code === "incomplete")
    .map(({ objectName }) => objectName);
  const packs = new Set(missing.filter((name) => name !== null && parsePackName(name) !== null));
  if (packs.size === 0 && !missing.some((name) => read.has(name))) return false;
  await pause();
  const known = new Set<string>(listed.map(({ name }) => name));
  for await (const { name } of store.list(packs.size === 0 ? LOG_PREFIX : "", { signal })) {
    if (packs.has(name) || (parseLogEntryName(name) !== null && !known.has(name))) return true;
  }
  return false;
}

async function checkFiles(
  vault: OpenVault,
  index: SegmentIndex,
  readData: boolean,
): Promise<{ count: number; problems: Problem[] }> {
  const problems: Problem[] = [];
  const signKeyOf = (tag: string) => index.machines().find((one) => one.tag === tag)?.sign ?? null;
  const reader = new SegmentReader(vault.opener, signKeyOf);
  // Where they lie, so that no pack is read twice: thousands of sessions share a few packs.
  if (readData) reader.expect(segmentsOf(index, index.leavesByPlace()));
  for (const leaf of readData ? index.leavesByPlace() : index.eachLeaf()) {
    vault.context.signal.throwIfAborted();
    vault.context.platform.memory.passed(LOOK_BYTES);
    const chain = index.chain(leaf.session, leaf.file, leaf);
    if (chain === null) {
      const message = `A file of session ${leaf.session} has no beginning`;
      problems.push({ objectName: null, code: "incomplete", message });
      continue;
    }
    if (!readData) continue;
    const hash = new Sha256();
    for (const segment of chain) {
      const problem = await checkSegment(reader, segment, hash);
      vault.context.platform.memory.passed(segment.len);
      if (problem === null) continue;
      problems.push(problem);
      break;
    }
  }
  return { count: index.fileCount(), problems };
}

function* segmentsOf(
  index: SegmentIndex,
  leaves: Iterable<StoredLeaf>,
): Iterable<StoredSegment> {
  for (const leaf of leaves) yield* index.chain(leaf.session, leaf.file, leaf) ?? [];
}

async function checkSegment(
  reader: SegmentReader,
  segment: Parameters<SegmentReader["read"]>[0] & { readonly hash: string },
  hash: Sha256,
): Promise<Problem | null> {
  const { objectName } = segment;
  try {
    hash.update(await reader.read(segment));
  } catch (error) {
    if (!isClaudeSyncError(error, "damaged", "incomplete", "too-large", "store-invalid")) {
      throw error;
    }
    return { objectName, code: error.code, message: error.message };
  }
  if (hash.digestHex() === segment.hash) return null;
  return { objectName, code: "damaged", message: "A segment's bytes are not what the log says" };
}
