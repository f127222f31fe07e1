/** An earlier version of a session, written here as a session of its own. */
import { type Bytes, concat } from "../base/bytes.ts";
import { once } from "../base/once.ts";
import { Sha256, sha256Hex } from "../crypto/hash.ts";
import { ClaudeSyncError } from "../errors.ts";
import type { FileStat } from "../platform/types.ts";
import { fileKind, HISTORY, parseFileName, TRANSCRIPT } from "../sessions/file_name.ts";
import type { FileName } from "../sessions/file_name.ts";
import { pathOf } from "../sessions/layout.ts";
import { restoredCopy, restoredId, restoredLines } from "../sessions/restored_copy.ts";
import { cleanupPeriodDays } from "../sessions/retention.ts";
import { parseSessionId, type SessionId } from "../sessions/session_id.ts";
import { shelfArea } from "../sessions/shelf.ts";
import { transcriptFacts } from "../sessions/transcript_facts.ts";
import { readTranscriptTitle } from "../sessions/transcript_summary.ts";
import { prepareSessionFile } from "../sessions/write_back.ts";
import type { RestoredSession } from "./history_api.ts";
import { transcriptOf } from "./pull_place.ts";
import { restoredMtimeMs } from "./pull_write.ts";
import type { ChoiceFacts } from "./restore_choice.ts";
import type { SegmentIndex, StoredVersion } from "./segment_index.ts";
import { chosenAmong, writersApart } from "./side_choice.ts";
import type { OpenVault } from "./vault_access.ts";
import { chainBytes, chainTo, COMPARED_BYTES_MAX } from "./vault_content.ts";

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
 * the copy's id already stays as it is. Errors: `too-large` over 512 MiB, `not-found` without a
 * folder here, those of reading and writing.
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
  const bytes = restoredCopy(await bytesOf(vault, of, TRANSCRIPT, version), {
    of,
    id,
    atMs: mtimeMs,
  });
  const { title, lastActivityMs } = transcriptFacts(bytes);
  const activityMs = lastActivityMs ?? mtimeMs;
  let writtenBytes = 0;
  // The transcript last: where it is, all of the copy is.
  for (const { name, version: each } of bundleAt(vault.index, of, version)) {
    // An agent's old place bears no session's name, and there is room for one.
    if (name.startsWith("legacy/")) continue;
    const own = await bytesOf(vault, of, name, each);
    const isLines = fileKind(name) === "lines";
    const content = isLines ? restoredLines(own, { of, id, atMs: mtimeMs }) : own;
    const place = pathOf(vault.root, slugFor(facts, of), id, name);
    writtenBytes += await write(vault, { id, name, path: place }, content, activityMs);
  }
  writtenBytes += await write(vault, { id, name: TRANSCRIPT, path }, bytes, activityMs);
  return { session: { ...rest, title, outcome: "restored", path }, writtenBytes };
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

async function bytesOf(
  vault: OpenVault,
  session: SessionId,
  file: FileName,
  version: StoredVersion,
): Promise<Bytes> {
  if (version.len > COMPARED_BYTES_MAX) {
    const message = "This version is too large to become a session of its own; --to DIR takes it";
    throw new ClaudeSyncError("too-large", message, { sessionId: session });
  }
  const parts: Bytes[] = [];
  const chain = chainTo(vault, session, file, version);
  for await (const bytes of chainBytes(vault, chain, 0, new Sha256())) parts.push(bytes);
  return concat(...parts);
}

/** Gives the bytes written: none where something stands. */
async function write(
  vault: OpenVault,
  file: { readonly id: SessionId; readonly name: FileName; readonly path: string },
  content: Uint8Array,
  activityMs: number,
): Promise<number> {
  const { fs, random, clock } = vault.context.platform;
  if (fs.lstat(file.path) !== null) return 0;
  const deps = { fs, random, root: vault.root };
  const prepared = await prepareSessionFile(deps, file.path, null, (handle) => {
    handle.write(content);
  });
  const days = cleanupPeriodDays(fs, vault.root);
  // As long as nobody speaks in it, the vault can give it back: no push sends it. That is known
  // before it can be seen, or a crash would leave what looks like somebody's own.
  const state = { gen: "", hash: sha256Hex(content), len: content.length };
  const remember = (stat: FileStat) =>
    vault.locals.remember(file.path, { session: file.id, file: file.name }, stat, state, true);
  const outcome = prepared.commit(restoredMtimeMs(activityMs, days, clock.nowMs()), remember);
  if (outcome !== "written") return 0;
  fs.syncDir(prepared.dir);
  // Not every disk lets a file keep its number when its name changes.
  const stat = fs.lstat(file.path);
  if (stat !== null) remember(stat);
  return content.length;
}
