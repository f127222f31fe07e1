/**
 * Brings one plan or one file of a memory back, in any version. It stands in one place for all of
 * its sessions, so an earlier version takes that place, as if the user had just written it; what
 * stood there is in the vault before.
 */
import type { Bytes } from "../base/bytes.ts";
import { ClaudeSyncError, isClaudeSyncError } from "../errors.ts";
import type { FileSystem } from "../platform/types.ts";
import { liveSessions } from "../sessions/live.ts";
import { describeProject } from "../sessions/project.ts";
import { cleanupPeriodDays } from "../sessions/retention.ts";
import { besideName } from "../sessions/shelf.ts";
import { prepareSessionFile } from "../sessions/write_back.ts";
import type { SyncContext } from "./api.ts";
import { type FileScan, scanFile } from "./file_scan.ts";
import { type Run, withFreshVault } from "./fresh_vault.ts";
import type {
  FileList,
  FileQuery,
  FileRestoreRequest,
  FileVersionList,
  RestoredFile,
} from "./history_api.ts";
import { Exclusion, isExcluded } from "./projects.ts";
import { restoredMtimeMs } from "./pull_write.ts";
import { type PushScope, pushSessions } from "./push.ts";
import { recordedRestore } from "./restore.ts";
import { type ChoiceFacts, choiceFacts } from "./restore_choice.ts";
import { FilesFolder } from "./restore_files.ts";
import type { FileState, Leaf } from "./segment_index.ts";
import {
  findShelfFile,
  placeOfShelfFile,
  type ShelfFile,
  shelfFilesIn,
  type ShelfPlace,
  versionedFile,
} from "./shelf_files.ts";
import { readState } from "./vault_content.ts";
import { chooseVersion, machineNames, versionRows } from "./versions.ts";

/** See `SyncService.restoreFile`. */
export function restoreFile(
  context: SyncContext,
  request: FileRestoreRequest,
): Promise<RestoredFile> {
  return recordedRestore(context, request, (run) => restore(run, request), ({ bytes }) => ({
    failure: null,
    sentSessions: 0,
    receivedSessions: 0,
    bytes,
  }));
}

/** See `SyncService.fileVersions`. */
export function fileVersions(context: SyncContext, query: FileQuery): Promise<FileVersionList> {
  return withFreshVault(context, "left", async ({ vault, meter }) => {
    const file = findShelfFile(await choiceFacts(vault), query);
    const versions = rowsOf(vault.index, file);
    const { requests, ms } = meter.sinceLast();
    return { file: file.name, project: projectName(file), versions, requests, ms };
  });
}

/** See `SyncService.listFiles`. */
export function listFiles(
  context: SyncContext,
  area: "plans" | "memory",
  project: string | null,
): Promise<FileList> {
  return withFreshVault(context, "left", async ({ vault, meter }) => {
    const found = shelfFilesIn(await choiceFacts(vault), area, project);
    const files = found.files.flatMap((file) => {
      const rows = rowsOf(vault.index, file);
      const newest = rows.find(({ kind }) => kind === "newest");
      return newest === undefined ? [] : [{ ...newest, file: file.name, versions: rows.length }];
    });
    const { requests, ms } = meter.sinceLast();
    const name = found.project === null ? null : describeProject(found.project);
    return { project: name, files, requests, ms };
  });
}

function rowsOf(index: Parameters<typeof versionRows>[0], file: ShelfFile) {
  const key = { session: file.shelf, file: file.name };
  return versionRows(index, key, file.versions, file.newest, machineNames(index));
}

function projectName({ project }: ShelfFile): string | null {
  return project === null ? null : describeProject(project);
}

/** What was brought where, without what it took. */
type Brought = Pick<RestoredFile, "outcome" | "path" | "replaced"> & {
  readonly state: Pick<Leaf, "hash" | "len" | "mtimeMs">;
  readonly writtenBytes: number;
};

async function restore(run: Run, request: FileRestoreRequest): Promise<RestoredFile> {
  const { vault, meter } = run;
  const facts = await choiceFacts(vault);
  const file = findShelfFile(facts, request);
  const brought = await bring(run, facts, file, request).catch(ofThisFile);
  const { outcome, path, replaced, state, writtenBytes } = brought;
  const { requests, sentBytes, receivedBytes, ms } = meter.sinceLast();
  return {
    file: file.name,
    project: projectName(file),
    outcome,
    version: state.hash,
    atMs: state.mtimeMs,
    sizeBytes: state.len,
    path,
    replaced,
    bytes: { sent: sentBytes, received: receivedBytes, written: writtenBytes },
    dryRun: request.dryRun,
    requests,
    ms,
  };
}

/** A lie of the machine that wrote the file is about nothing else, as in a pull: no alarm. */
function ofThisFile(error: unknown): never {
  const isLie = isClaudeSyncError(error, "damaged", "incomplete") && error.sessionId !== undefined;
  if (!isLie) throw error;
  throw new ClaudeSyncError("partial", error.message, {
    cause: error,
    hint: "The machine that sent this version did not send what it said; take another one",
  });
}

function wantedState(file: ShelfFile, request: FileRestoreRequest): Leaf {
  const wanted = chooseVersion(
    file.versions,
    versionedFile(file, request),
    file.newest.hash,
    request,
  );
  return wanted.kind === "newest" ? file.newest : wanted.version;
}

async function bring(
  run: Run,
  facts: ChoiceFacts,
  file: ShelfFile,
  request: FileRestoreRequest,
): Promise<Brought> {
  const state = wantedState(file, request);
  if (request.to === null) return await restoreInPlace(run, facts, file, state, request);
  const folder = new FilesFolder(facts, request.to, request);
  const { path, writtenBytes, isChanged } = await folder.restoreShelfFile(file, state);
  const outcome = isChanged ? "restored" : "unchanged";
  return { outcome, path, replaced: null, state, writtenBytes };
}

async function restoreInPlace(
  run: Run,
  facts: ChoiceFacts,
  asked: ShelfFile,
  state: Leaf,
  request: FileRestoreRequest,
): Promise<Brought> {
  const { vault } = run;
  const place = placeOfShelfFile(facts, asked);
  const { path } = place;
  requirePlain(vault.context.platform.fs, place);
  const nothing = { path, replaced: null, state, writtenBytes: 0 };
  if (isOpen(facts, place)) return { ...nothing, outcome: "open" };
  const before = scanIfAny(facts, place);
  const unsent = before !== null && !isInVault(facts, asked, before) ? before : null;
  if (unsent !== null && isLaterThan(unsent, state, request)) {
    const { hash, sizeBytes: len, stat: { mtimeMs } } = unsent;
    return { ...nothing, outcome: "unchanged", state: { hash, len, mtimeMs } };
  }
  requireNotBeside(asked, state);
  // Of an earlier version it does not suffice that it stands here: the next pull would replace it.
  if (before?.hash === state.hash && state.hash === asked.newest.hash) {
    return { ...nothing, outcome: "unchanged" };
  }
  const scope = unsent === null ? null : scopeOf(facts, asked, place);
  const replaced = before === null || before.hash === state.hash ? null : before.hash;
  const done = { outcome: "restored", path, replaced, state, writtenBytes: state.len } as const;
  if (request.dryRun) return done;
  // What cannot be read is found out before anything is sent.
  const bytes = await readState(vault, asked.shelf, asked.name, state);
  if (scope !== null) await send(run, facts, scope, path);
  const file = scope === null ? asked : findShelfFile(facts, request);
  requireNotBeside(file, state);
  return await write(facts, file, place, state, bytes) ? done : { ...nothing, outcome: "open" };
}

/** Errors: `unsafe-file` for a link, a folder or a device in the file's place. */
function requirePlain(fs: FileSystem, { path, here }: ShelfPlace): void {
  if (here !== null || fs.lstat(path) === null) return;
  throw new ClaudeSyncError("unsafe-file", `"${path}" is no plain file`, {
    path,
    hint: "Move it away, or take --to DIR",
  });
}

function isOpen({ vault }: ChoiceFacts, { namers }: ShelfPlace): boolean {
  const { fs, host } = vault.context.platform;
  const live = liveSessions(fs, host, vault.root);
  return namers.some(({ id }) => live.has(id));
}

/** Whether what stands here, and the vault does not know yet, is what was there at that time. */
function isLaterThan(unsent: FileScan, state: Leaf, { atMs }: FileRestoreRequest): boolean {
  const { mtimeMs } = unsent.stat;
  return atMs !== null && mtimeMs <= atMs && mtimeMs > state.mtimeMs;
}

/** In place of the newest one, it would be taken for a file that is behind. */
function requireNotBeside(file: ShelfFile, { hash }: Leaf): void {
  const { leaves, name, newest } = file;
  if (hash === newest.hash || !leaves.some((leaf) => leaf.hash === hash)) return;
  const beside = besideName(name, hash);
  throw new ClaudeSyncError("usage", `That version belongs beside it, as "${beside ?? name}"`, {
    hint: "Take what you need from there, or give --to DIR",
  });
}

function scanIfAny({ vault }: ChoiceFacts, { here }: ShelfPlace): FileScan | null {
  return here === null ? null : scanFile(vault.context.platform.fs, here.path, []);
}

/** A push of what stands there and nothing else. Errors: `unsafe-file` when it may not go. */
function scopeOf(facts: ChoiceFacts, file: ShelfFile, place: ShelfPlace): PushScope {
  const { vault, projects, local } = facts;
  const { here, slug, path, namers } = place;
  const exclusion = new Exclusion(vault.config, projects, local.all());
  const namer = namers.find((each) => !exclusion.excludes(each));
  const mayGo = file.project === null
    ? namer !== undefined
    : !isExcluded(vault.config, file.project);
  if (!mayGo) throw onlyHere(path);
  const project = file.project ?? projects.ofSession(namer!);
  const shelf = { id: file.shelf, slug, files: [here!], project };
  return { sessions: [], shelves: [shelf], all: false, dryRun: false, tearNow: true };
}

async function send(
  { vault, sender }: Run,
  facts: ChoiceFacts,
  scope: PushScope,
  path: string,
): Promise<void> {
  // It may look unchanged: a push passes over what it does not doubt.
  vault.locals.doubt(path);
  const { failures } = await pushSessions(vault, sender, facts.projects, scope);
  const [failure] = failures;
  if (failure !== undefined) {
    throw new ClaudeSyncError("local-io", failure.message, { path: failure.path ?? path });
  }
}

/** Whether these very bytes are a state of the file that is not forgotten. */
function isInVault({ vault }: ChoiceFacts, file: ShelfFile, scan: FileScan | null): boolean {
  if (scan === null) return true;
  const { index, forgotten } = vault;
  return index.states(file.shelf, file.name).some((state) =>
    state.hash === scan.hash && state.len === scan.sizeBytes &&
    !forgotten.isForgotten(file.shelf, file.name, state)
  );
}

function onlyHere(path: string): ClaudeSyncError {
  return new ClaudeSyncError("unsafe-file", `"${path}" says what the vault has not`, {
    path,
    hint: "Move it away, or take --to DIR",
  });
}

/** False when a session of the plan was opened meanwhile; nothing was written then. */
async function write(
  facts: ChoiceFacts,
  file: ShelfFile,
  place: ShelfPlace,
  state: Leaf,
  bytes: Bytes,
): Promise<boolean> {
  const { vault } = facts;
  const { fs, random, clock } = vault.context.platform;
  // As late as can be: the file may have changed while the bytes came.
  const before = scanIfAny(facts, place);
  if (!isInVault(facts, file, before)) throw onlyHere(place.path);
  const deps = { fs, random, root: vault.root };
  const prepared = await prepareSessionFile(deps, place.path, before?.stat ?? null, (handle) => {
    handle.write(bytes);
  });
  if (isOpen(facts, place)) {
    prepared.discard();
    return false;
  }
  const isNewest = state.hash === file.newest.hash;
  const nowMs = clock.nowMs();
  const days = cleanupPeriodDays(fs, vault.root);
  const mtimeMs = isNewest ? restoredMtimeMs(Math.min(state.mtimeMs, nowMs), days, nowMs) : nowMs;
  if (prepared.commit(mtimeMs) !== "written") {
    throw new ClaudeSyncError("local-io", `"${place.path}" changed while it was written`, {
      path: place.path,
    });
  }
  fs.syncDir(prepared.dir);
  remember(facts, file, place.path, isNewest);
  return true;
}

/**
 * An earlier version counts as written here over the newest one: that is what the next push says
 * that it replaces. Otherwise it would pass for a file that is behind.
 */
function remember(
  { vault }: ChoiceFacts,
  { shelf, name, newest }: ShelfFile,
  path: string,
  isNewest: boolean,
): void {
  const stat = vault.context.platform.fs.lstat(path);
  if (stat === null) return;
  const state: FileState = { gen: newest.gen, hash: newest.hash, len: newest.len };
  vault.locals.remember(path, { session: shelf, file: name }, stat, state);
  if (!isNewest) vault.locals.doubt(path);
}
