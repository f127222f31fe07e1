/** Takes a vault to another place: copies, compares, checks, and only then uses that place. */
import { toHex } from "../base/bytes.ts";
import { deriveEpoch } from "../crypto/root_key.ts";
import { ClaudeSyncError } from "../errors.ts";
import { formatStoreLocation, isSamePlace, liesWithin } from "../storage/location.ts";
import type { ObjectName } from "../storage/object_name.ts";
import type { ObjectInfo } from "../storage/object_store.ts";
import { HEADER_NAME, objectKindOf, parseLogEntryName } from "../vault/names.ts";
import { isToBeMade, unlessBucketIsToBeMade } from "./absent_place.ts";
import type { SyncContext } from "./api.ts";
import { type Config, homePaths, readConfig, writeConfig } from "./home.ts";
import { readKeyFile } from "./key_file.ts";
import { checkPlace, incompletePlace, isOfVault } from "./place_check.ts";
import { saveKeys } from "./saved_keys.ts";
import type { MoveRequest, MoveResult } from "./store_api.ts";
import { type CopyTally, listVault, VaultCopy } from "./store_copy.ts";
import { requestsOf } from "./store_info.ts";
import {
  lockProfile,
  type OpenedStore,
  openMeteredStore,
  readHeader,
  requireConfig,
} from "./vault_access.ts";

/**
 * How often the old place is listed again for what other machines have pushed meanwhile. One that
 * never stops pushing takes the rest along when it moves itself.
 */
const ROUNDS_MAX = 10;

/**
 * See `SyncService.storeMove`. Nothing is deleted anywhere, and this machine uses the old place
 * until the new one has proved to hold everything. Errors: `already-set-up` (it is there already,
 * or another vault is), `no-vault`, `store-invalid`, `incomplete`, `busy`, the stores' own.
 */
export async function moveVault(context: SyncContext, request: MoveRequest): Promise<MoveResult> {
  const config = requireConfig(context);
  if (isSamePlace(config.store, request.location)) {
    throw new ClaudeSyncError(
      "already-set-up",
      `The vault is at ${formatStoreLocation(request.location)} already`,
      { hint: "To reach it in another way, with other keys or another region: claude-sync init" },
    );
  }
  if (request.dryRun) return await move(context, request, config);
  const lock = await lockProfile(context);
  try {
    return await move(context, request, config);
  } finally {
    lock.release();
  }
}

async function move(
  context: SyncContext,
  request: MoveRequest,
  config: Config,
): Promise<MoveResult> {
  const { signal, platform: { clock } } = context;
  const startMs = clock.monotonicMs();
  const source = await openMeteredStore(context, config);
  const sourceHeader = await readHeader(source, signal);
  if (sourceHeader === null || toHex(sourceHeader.vaultId) !== config.vaultId) {
    throw new ClaudeSyncError(
      "no-vault",
      `This machine's vault is not at ${source.label} any more`,
    );
  }
  const objects = await listVault(source, signal);
  const target = await openTarget(context, request, config);
  const present = target === null
    ? new Map()
    : await targetObjects(context, config, target, objects);
  const result = (tally: CopyTally, all: ReadonlyMap<ObjectName, ObjectInfo>): MoveResult => ({
    from: formatStoreLocation(config.store),
    store: formatStoreLocation(request.location),
    vaultId: config.vaultId,
    objects: all.size,
    copied: tally.copied,
    copiedBytes: tally.copiedBytes,
    verified: tally.verified,
    machines: new Set([...all.keys()].flatMap((name) => parseLogEntryName(name)?.tag ?? [])).size,
    inside: liesWithin(request.location, config.store),
    dryRun: request.dryRun,
    requests: requestsOf(source) + (target === null ? 0 : requestsOf(target)),
    ms: Math.round(clock.monotonicMs() - startMs),
  });
  if (request.dryRun || target === null) {
    const missing = [...objects.values()].filter(({ name }) => !present.has(name));
    const copiedBytes = missing.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
    return result({ copied: missing.length, copiedBytes, verified: 0, verifiedBytes: 0 }, objects);
  }
  const { copy, all } = await copyRounds(context, source, target, objects, present);
  await checkTarget(context, request, config, source, target);
  switchTo(context, request);
  return result(copy.tally, all);
}

/** The store at the new place; null when a dry run would have to make it. */
async function openTarget(
  context: SyncContext,
  { location, createBucket, keys, dryRun }: MoveRequest,
  config: Config,
): Promise<OpenedStore | null> {
  if (dryRun && isToBeMade(context.platform.fs, location)) return null;
  const target = await openMeteredStore(context, { ...config, store: location }, {
    create: !dryRun || location.kind === "folder",
    createBucket: createBucket && !dryRun,
    ...(keys === null ? {} : { keys }),
  });
  if (!dryRun) return target;
  const looking = readHeader(target, context.signal).then(() => target);
  return await unlessBucketIsToBeMade({ dryRun, createBucket }, looking);
}

/**
 * What of this vault is at the new place. Without a header there, an unfinished copy has nothing
 * but objects that are, or were, of this vault. Errors: `already-set-up` for another vault.
 */
async function targetObjects(
  context: SyncContext,
  config: Config,
  target: OpenedStore,
  source: ReadonlyMap<ObjectName, ObjectInfo>,
): Promise<ReadonlyMap<ObjectName, ObjectInfo>> {
  const header = await readHeader(target, context.signal);
  const present = await listVault(target, context.signal);
  const strangers = [...present.keys()].filter((name) => !source.has(name));
  const [stranger] = strangers;
  const isOurs = header === null
    ? await areOfVault(context, config, target, strangers)
    : toHex(header.vaultId) === config.vaultId;
  if (isOurs) return present;
  throw new ClaudeSyncError("already-set-up", `Another vault is at ${target.label}`, {
    ...(header === null && stranger !== undefined ? { objectName: stranger } : {}),
    hint: "Choose an empty place: another folder, repository, bucket or prefix",
  });
}

/**
 * Whether what an unfinished copy has and the old place has not is of this vault all the same: gc
 * has deleted it there since. Opening one object of each kind tells; without a key nothing does.
 */
async function areOfVault(
  context: SyncContext,
  config: Config,
  target: OpenedStore,
  strangers: readonly ObjectName[],
): Promise<boolean> {
  for (const kind of ["entry", "pack"] as const) {
    const name = strangers.find((each) => objectKindOf(each) === kind);
    if (name !== undefined && !await isOfVault(context, config, target, name)) return false;
  }
  return strangers.every((name) => ["entry", "pack"].includes(objectKindOf(name) ?? ""));
}

/** Copies until the old place has nothing that the new one has not. */
async function copyRounds(
  context: SyncContext,
  source: OpenedStore,
  target: OpenedStore,
  first: ReadonlyMap<ObjectName, ObjectInfo>,
  present: ReadonlyMap<ObjectName, ObjectInfo>,
): Promise<{ copy: VaultCopy; all: ReadonlyMap<ObjectName, ObjectInfo> }> {
  const { signal, onProgress } = context;
  let all = first;
  let totalBytes = 0;
  onProgress({ kind: "phase", phase: "copying" });
  const copy = new VaultCopy(source, target, {
    signal,
    // The header comes last: where it is, all else was compared before.
    settled: present.has(HEADER_NAME) ? present : new Map(),
    onProgress: ({ verified, verifiedBytes }) =>
      onProgress({
        kind: "objects",
        doneObjects: verified,
        totalObjects: all.size,
        doneBytes: verifiedBytes,
        totalBytes,
      }),
  });
  for (let round = 1;; round++) {
    totalBytes = [...all.values()].reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
    await copy.copy(all, round === 1 ? present : await listVault(target, signal));
    all = await listVault(source, signal);
    if (copy.isDone(all)) return { copy, all };
    if (round === ROUNDS_MAX) {
      onProgress({
        kind: "note",
        message: "Another machine goes on pushing to the old place; what it sends there comes " +
          "along when it moves, too",
      });
      return { copy, all };
    }
  }
}

/**
 * Checks logs and packs at the new place as `verify` does. What is wrong in the old place as well
 * does not keep the vault there.
 */
async function checkTarget(
  context: SyncContext,
  { location }: MoveRequest,
  config: Config,
  source: OpenedStore,
  target: OpenedStore,
): Promise<void> {
  const key = readKeyFile(context.platform, context.keyFile);
  if (key === null) return;
  const epoch = await deriveEpoch(key);
  const { problems } = await checkPlace(context, config, epoch, target);
  if (problems.length === 0) return;
  const idOf = (problem: typeof problems[number]) => `${problem.objectName} ${problem.code}`;
  const old = await checkPlace(context, config, epoch, source);
  const known = new Set(old.problems.map(idOf));
  const fresh = problems.find((problem) => !known.has(idOf(problem)));
  if (fresh !== undefined) throw incompletePlace(location, fresh);
}

function switchTo(context: SyncContext, { location, keys }: MoveRequest): void {
  const paths = homePaths(context.home);
  // Read again: nothing but the place changes.
  const config = readConfig(context.platform, paths) ?? requireConfig(context);
  if (keys !== null) saveKeys(context.platform, context.home, location, keys);
  writeConfig(context.platform, paths, { ...config, store: location });
}
