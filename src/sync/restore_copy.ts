/** An earlier version of a session, written here as a session of its own. */
import { once } from "../base/once.ts";
import { Sha256 } from "../crypto/hash.ts";
import { ClaudeSyncError } from "../errors.ts";
import type { FileStat } from "../platform/types.ts";
import { fileKind, HISTORY, parseFileName, TRANSCRIPT } from "../sessions/file_name.ts";
import type { FileName } from "../sessions/file_name.ts";
import { pathOf } from "../sessions/layout.ts";
import { LineJoiner } from "../sessions/line_pieces.ts";
import {
  restoredCopy,
  restoredId,
  restoredLines,
  type RestoredVersion,
} from "../sessions/restored_copy.ts";
import { cleanupPeriodDays } from "../sessions/retention.ts";
import { parseSessionId, type SessionId } from "../sessions/session_id.ts";
import { shelfArea } from "../sessions/shelf.ts";
import { extendFacts, NO_FACTS, type TranscriptFacts } from "../sessions/transcript_facts.ts";
import { readTranscriptTitle } from "../sessions/transcript_summary.ts";
import { type PreparedFile, prepareSessionFile } from "../sessions/write_back.ts";
import { Blocks } from "./family_reader.ts";
import type { RestoredSession } from "./history_api.ts";
import { transcriptOf } from "./pull_place.ts";
import { restoredMtimeMs } from "./pull_write.ts";
import type { ChoiceFacts } from "./restore_choice.ts";
import type { SegmentIndex, StoredVersion } from "./segment_index.ts";
import { chosenAmong, writersApart } from "./side_choice.ts";
import type { OpenVault } from "./vault_access.ts";
import { chainBytes, chainTo } from "./vault_content.ts";

/** One file of a session as it was at a time. */
export interface FileVersion {
  readonly name: FileName;
  readonly version: StoredVersion;
}

/**
 * The files that go with the version `transcript` of session `id`: of each the newest at that time,
 * and of the same machines where several wrote it apart from each other.
 * Names that are not safe, and what belongs to no single session, are left out.
 */
export function bundleAt(
  index: SegmentIndex,
  id: string,
  transcript: StoredVersion,
): FileVersion[] {
  const files: FileVersion[] = [];
  const writers = once(() => writersApart(index, id, transcript));
  for (const text of index.files(id)) {
    const name = parseFileName(text);
    const isOwn = name !== null && name !== TRANSCRIPT && name !== HISTORY;
    if (!isOwn || shelfArea(name) !== null) continue;
    const version = versionWith(transcript, index.versions(id, name), writers);
    if (version !== undefined) files.push({ name, version });
  }
  return files;
}

function versionWith(
  { mtimeMs: atMs, isLeaf }: StoredVersion,
  versions: readonly StoredVersion[],
  writers: () => ReadonlySet<string> | null,
): StoredVersion | undefined {
  const before = versions.filter(({ mtimeMs }) => mtimeMs <= atMs);
  if (versions.length < 2) return before[0];
  // What they wrote after the branch's last record belongs to it, too: nothing comes after that.
  const own = isLeaf ? versions.filter(({ machine }) => writers()?.has(machine)) : [];
  return chosenAmong(own.length > 0 ? own : before, writers());
}

/**
 * Writes `version` of session `of` beside the session, or where its project is. What stands under
 * the copy's id already stays as it is. Errors: `local-io` without a folder here,
 * those of reading and writing.
 */
export async function restoreAsCopy(
  facts: ChoiceFacts,
  session: string,
  version: StoredVersion,
  dryRun: boolean,
): Promise<{ readonly session: RestoredSession; readonly writtenBytes: number }> {
  const { vault, local } = facts;
  const { fs } = vault.context.platform;
  const of = parseSessionId(session)!;
  const id = restoredId(of, version.hash);
  const { hash, mtimeMs, len } = version;
  const rest = { id, of, as: "copy", version: hash, atMs: mtimeMs, sizeBytes: len } as const;
  const here = local.copies(id)[0];
  if (here !== undefined) {
    const { path } = transcriptOf(here)!;
    const title = readTranscriptTitle(fs, path);
    return { session: { ...rest, title, outcome: "unchanged", path }, writtenBytes: 0 };
  }
  const path = pathOf(vault.root, slugFor(facts, of), id, TRANSCRIPT);
  if (dryRun) {
    return { session: { ...rest, title: null, outcome: "restored", path: null }, writtenBytes: 0 };
  }
  const copied = { of, id, atMs: mtimeMs };
  const transcript = await prepare(vault, copied, { name: TRANSCRIPT, version }, path);
  const { title, lastActivityMs } = transcript.facts;
  const activityMs = lastActivityMs ?? mtimeMs;
  let writtenBytes = 0;
  try {
    for (const file of bundleAt(vault.index, of, version)) {
      // An agent's old place bears no session's name, and there is room for one.
      if (file.name.startsWith("legacy/")) continue;
      const place = pathOf(vault.root, slugFor(facts, of), id, file.name);
      if (fs.lstat(place) !== null) continue;
      writtenBytes += publish(vault, await prepare(vault, copied, file, place), activityMs);
    }
  } catch (error) {
    transcript.prepared.discard();
    throw error;
  }
  // The transcript last: where it is, all of the copy is.
  writtenBytes += publish(vault, transcript, activityMs);
  return { session: { ...rest, title, outcome: "restored", path }, writtenBytes };
}

/** Gives the bytes of a file of the copy to `put`; they are gone after the call. */
async function copyOf(
  vault: OpenVault,
  copied: RestoredVersion,
  { name, version }: FileVersion,
  put: (bytes: Uint8Array) => void,
): Promise<void> {
  const chain = chainTo(vault, copied.of, name, version);
  const blocks = new Blocks(put);
  const add = (bytes: Uint8Array) => blocks.add(bytes);
  const isLines = fileKind(name) === "lines";
  const made = name === TRANSCRIPT
    ? restoredCopy(copied, add)
    : isLines
    ? restoredLines(copied, add)
    : null;
  for await (const bytes of chainBytes(vault, chain, 0, new Sha256())) {
    if (made === null) add(bytes);
    else made.take(bytes);
  }
  made?.end();
  blocks.flush();
}

function slugFor({ vault, targets, local, projects }: ChoiceFacts, of: SessionId): string {
  const root = targets.sessions.get(of)?.root ?? of;
  const beside = local.copies(of)[0]?.slug ?? local.copies(root)[0]?.slug;
  if (beside !== undefined) return beside;
  const project = projects.ofVaultSession(root);
  const slug = project === null
    ? local.slugOfDir(vault.context.platform.host.cwd())
    : local.slugFor(project, true);
  if (slug !== null) return slug;
  throw new ClaudeSyncError("local-io", "The session's project has no folder here", {
    sessionId: of,
  });
}

/** A file of a copy that is all there but not seen yet. */
interface CopiedFile {
  readonly id: SessionId;
  readonly name: FileName;
  readonly path: string;
  readonly prepared: PreparedFile;
  readonly hash: Sha256;
  /** Of a transcript. */
  readonly facts: TranscriptFacts;
}

async function prepare(
  vault: OpenVault,
  copied: RestoredVersion,
  file: FileVersion,
  path: string,
): Promise<CopiedFile> {
  const { fs, random } = vault.context.platform;
  const deps = { fs, random, root: vault.root };
  const hash = new Sha256();
  const joiner = new LineJoiner();
  let facts = NO_FACTS;
  const prepared = await prepareSessionFile(
    deps,
    path,
    null,
    (handle) =>
      copyOf(vault, copied, file, (bytes) => {
        const lines = file.name === TRANSCRIPT ? joiner.take(bytes, hash.lengthBytes) : null;
        if (lines !== null) facts = extendFacts(facts, lines.bytes);
        handle.write(bytes);
        hash.update(bytes);
      }),
  );
  return { id: copied.id, name: file.name, path, prepared, hash, facts };
}

/** Gives the bytes written: none where something stands. */
function publish(vault: OpenVault, file: CopiedFile, activityMs: number): number {
  const { fs, clock } = vault.context.platform;
  const { id, name, path, prepared, hash } = file;
  const days = cleanupPeriodDays(fs, vault.root);
  // As long as nobody speaks in it, the vault can give it back: no push sends it. That is known
  // before it can be seen, or a crash would leave what looks like somebody's own.
  const state = { gen: "", hash: hash.digestHex(), len: hash.lengthBytes };
  const remember = (stat: FileStat) =>
    vault.locals.remember(path, { session: id, file: name }, stat, state, true);
  const outcome = prepared.commit(restoredMtimeMs(activityMs, days, clock.nowMs()), remember);
  if (outcome !== "written") return 0;
  fs.syncDir(prepared.dir);
  // Not every disk lets a file keep its number when its name changes.
  const stat = fs.lstat(path);
  if (stat !== null) remember(stat);
  return hash.lengthBytes;
}
