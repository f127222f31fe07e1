/** Setting a machine up: a new vault, or joining the one that is there. */
import { equalBytes, toHex } from "../base/bytes.ts";
import { deriveEpoch, keyFingerprint } from "../crypto/root_key.ts";
import type { Epoch, RootKey } from "../crypto/root_key.ts";
import { ClaudeSyncError } from "../errors.ts";
import { discoverSessions } from "../sessions/discover.ts";
import { claudeRoot } from "../sessions/claude_root.ts";
import { formatStoreLocation, isSamePlace } from "../storage/location.ts";
import type { StoreLocation } from "../storage/location.ts";
import type { MeteredStore } from "../storage/with_meter.ts";
import { MACHINE_NAME_CHARACTERS_MAX } from "../vault/format.ts";
import { encodeHeader, type Header } from "../vault/header.ts";
import { HeldBodies } from "../vault/held_body.ts";
import { groupByLog } from "../vault/log_plan.ts";
import { tryReadEntry } from "../vault/log_reader.ts";
import { LOG_PREFIX } from "../vault/names.ts";
import { Outbox } from "../vault/outbox.ts";
import { VaultStore } from "../vault/sealed_store.ts";
import type { InitRequest, InitResult, SyncContext } from "./api.ts";
import { type Config, ensureHome, type HomePaths, homePaths, readConfig } from "./home.ts";
import { readTrust, trustOf, writeConfig } from "./home.ts";
import { isToBeMade, unlessBucketIsToBeMade } from "./absent_place.ts";
import { dropFreshKey, freshKeyOf, makeFreshKey } from "./fresh_key.ts";
import { readFreshKey, settleKey } from "./fresh_key.ts";
import { readKeyFile } from "./key_file.ts";
import { openMachine } from "./machine.ts";
import { checkPlace, incompletePlace } from "./place_check.ts";
import { latencyOf } from "./store_info.ts";
import { saveKeys } from "./saved_keys.ts";
import {
  limitsOf,
  lockProfile,
  type OpenedStore,
  openMeteredStore,
  readHeader,
} from "./vault_access.ts";

const VAULT_ID_BYTES = 16;

/**
 * Sets this machine up for the vault at `request.location`. Nothing is written, here or there,
 * before the key is known to fit, but for what a driver tries the place with. Errors:
 * `already-set-up`, `wrong-key`, `no-vault` (the place holds something else), `incomplete` (the
 * vault was moved there in part), `newer-format`, the store's own.
 */
export async function initVault(context: SyncContext, request: InitRequest): Promise<InitResult> {
  const { location } = request;
  const existing = readConfig(context.platform, homePaths(context.home));
  const key = readKeyFile(context.platform, context.keyFile);
  if (existing !== null && !isSamePlace(existing.store, location)) {
    return await followVault(context, request, existing, key);
  }
  if (request.dryRun && isToBeMade(context.platform.fs, location)) {
    return await dryRun(context, request, null, null, key);
  }
  const store = await openPlace(context, request, {
    // A folder's driver makes nothing in a folder that is there, and takes an empty one.
    create: !request.dryRun || location.kind === "folder",
  });
  const header = await unlessBucketIsToBeMade(request, readHeader(store, context.signal));
  const own = key ??
    (header === null ? null : await freshKeyOf(context.platform, context.keyFile, header));
  const epoch = own === null ? null : await deriveEpoch(own);
  if (header !== null && epoch !== null) await checkKey(context, store, header, epoch);
  if (existing !== null && header !== null && toHex(header.vaultId) !== existing.vaultId) {
    throw new ClaudeSyncError("no-vault", `Another vault stands at ${store.label} now`, {
      path: homePaths(context.home).config,
    });
  }
  if (request.dryRun) return await dryRun(context, request, store, header, own);
  const latencyMs = FAR.includes(location.kind) ? await latencyOf(context, store) : null;
  ensureHome(context.platform, context.home);
  const lock = await lockProfile(context);
  try {
    const place = { store, latencyMs };
    return header === null && existing === null
      ? await createVault(context, request, place, key)
      : await join(context, request, place, requireHeader(header, store), own, existing);
  } finally {
    lock.release();
  }
}

/** The place, and how far it is. */
interface Place {
  readonly store: OpenedStore;
  readonly latencyMs: number | null;
}

function openPlace(
  context: SyncContext,
  { location, createBucket = false, keys = null }: InitRequest,
  { create }: { readonly create: boolean },
): Promise<OpenedStore> {
  const options = {
    create,
    createBucket: create && createBucket,
    ...(keys === null ? {} : { keys }),
  };
  return openMeteredStore(context, { store: location }, options);
}

/**
 * Takes up the vault at the place to which it was moved: the one that this machine is set up for,
 * with all that the machine has seen of it.
 */
async function followVault(
  context: SyncContext,
  request: InitRequest,
  existing: Config,
  key: RootKey | null,
): Promise<InitResult> {
  const { location } = request;
  const isAbsent = location.kind === "folder" &&
    (context.platform.fs.readDir(location.path) ?? []).length === 0;
  if (isAbsent) throw setUpElsewhere(context, existing, location);
  const store = await openPlace(context, request, { create: false });
  const header = await readHeader(store, context.signal);
  if (header === null || toHex(header.vaultId) !== existing.vaultId) {
    throw setUpElsewhere(context, existing, location);
  }
  const epoch = key === null ? null : await deriveEpoch(key);
  if (epoch !== null) {
    await checkKey(context, store, header, epoch);
    const { problems } = await checkPlace(context, existing, epoch, store);
    const [gap] = problems.filter(({ code }) => GAPS.includes(code));
    if (gap !== undefined) throw incompletePlace(location, gap);
  }
  const place = { store, latencyMs: null };
  if (request.dryRun) {
    return resultOf(context, { ...existing, store: location }, place, epoch, "followed");
  }
  const lock = await lockProfile(context);
  try {
    return await finish(context, request, place, header, epoch, "followed");
  } finally {
    lock.release();
  }
}

/** What a place has that does not hold all that this machine has seen. */
const GAPS: readonly string[] = ["rolled-back", "forked", "incomplete"];

function setUpElsewhere(
  context: SyncContext,
  existing: Config,
  location: StoreLocation,
): ClaudeSyncError {
  const paths = homePaths(context.home);
  return new ClaudeSyncError(
    "already-set-up",
    `This machine is set up for ${formatStoreLocation(existing.store)} already`,
    {
      path: paths.config,
      hint:
        `To take that vault to ${formatStoreLocation(location)}: claude-sync help store move. ` +
        `To use another vault, move "${paths.config}" away first (and "${context.keyFile}" ` +
        "unless it is that vault's key)",
    },
  );
}

/** Kinds of places that are far enough away for the way there to matter. */
const FAR: readonly StoreLocation["kind"][] = ["s3", "r2", "gcs"];

function requireHeader(header: Header | null, store: MeteredStore): Header {
  if (header !== null) return header;
  throw new ClaudeSyncError("no-vault", `There is no vault at ${store.label} any more`, {
    hint: "If the folder is on a network drive or a stick, connect it and try again",
  });
}

async function createVault(
  context: SyncContext,
  request: InitRequest,
  place: Place,
  existingKey: RootKey | null,
): Promise<InitResult> {
  const { platform, signal } = context;
  const { store } = place;
  await refuseForeignLogs(store, signal);
  // One that waits since an earlier try may have become another vault's key: it is never dropped.
  const waiting = existingKey ?? readFreshKey(platform, context.keyFile);
  const key = waiting ?? makeFreshKey(platform, context.keyFile);
  const epoch = await deriveEpoch(key);
  const header = { vaultId: platform.random.bytes(VAULT_ID_BYTES), kid: epoch.kid };
  const outcome = await new VaultStore(store).putHeader(encodeHeader(header), { signal });
  // Another machine made a vault here in this very moment: nothing will have the key made just now.
  const drop = () => waiting === null && dropFreshKey(platform, context.keyFile);
  if (outcome === "differs") {
    drop();
    const theirs = requireHeader(await readHeader(store, signal), store);
    return await join(context, request, place, theirs, existingKey, null);
  }
  const theirs = await replacedBy(context, request, store, header);
  if (theirs !== null) {
    drop();
    return await join(context, request, place, theirs, existingKey, null);
  }
  settleKey(platform, context.keyFile, key);
  return await finish(context, request, place, header, epoch, "created");
}

/**
 * How long another machine may take between seeing that a bucket has no vault and making one. Not
 * every bucket refuses to overwrite: there the last header stays, so each machine looks once more.
 */
const HEADER_SETTLES_MS = 1500;

/** The header that another machine has put in the place of ours, or null. */
async function replacedBy(
  context: SyncContext,
  { location }: InitRequest,
  store: MeteredStore,
  ours: Header,
): Promise<Header | null> {
  if (!FAR.includes(location.kind)) return null;
  await context.platform.clock.sleep(HEADER_SETTLES_MS, context.signal);
  const header = await readHeader(store, context.signal);
  return header === null || equalBytes(header.vaultId, ours.vaultId) ? null : header;
}

/**
 * Logs without a header belong to a vault whose header was lost: a new one in its place would hide
 * it.
 */
async function refuseForeignLogs(store: MeteredStore, signal: AbortSignal): Promise<void> {
  for await (const { name } of store.list(LOG_PREFIX, { signal })) {
    throw new ClaudeSyncError(
      "no-vault",
      `A vault stands at ${store.label}, but its header is gone`,
      {
        objectName: name,
        hint: "Put claude-sync.json back from a backup or another copy of the folder",
      },
    );
  }
}

async function join(
  context: SyncContext,
  request: InitRequest,
  place: Place,
  header: Header,
  key: RootKey | null,
  existing: Config | null,
): Promise<InitResult> {
  if (key === null) {
    return await finish(context, request, place, header, null, "needs-key");
  }
  const epoch = await deriveEpoch(key);
  // Checked before the lock too; here for a vault that another machine made in between.
  await checkKey(context, place.store, header, epoch);
  settleKey(context.platform, context.keyFile, key);
  const outcome = existing === null ? "joined" : "unchanged";
  return await finish(context, request, place, header, epoch, outcome);
}

/**
 * Proves that the key is the vault's: by the header's key id, and by opening an entry when there is
 * one, because the header is not authenticated. Errors: `wrong-key`, `damaged`.
 */
export async function checkKey(
  context: SyncContext,
  store: MeteredStore,
  header: Header,
  epoch: Epoch,
): Promise<void> {
  if (epoch.kidHex !== toHex(header.kid)) {
    throw new ClaudeSyncError("wrong-key", `This key does not open the vault at ${store.label}`, {
      path: context.keyFile,
    });
  }
  const { signal } = context;
  const bodies = new HeldBodies();
  const opener = { store: new VaultStore(store), epoch, vaultId: header.vaultId, signal, bodies };
  const listed = [];
  for await (const info of store.list(LOG_PREFIX, { signal })) listed.push(info);
  const firsts = [...groupByLog(listed).values()]
    .flatMap((log) => log.filter(({ seq }) => seq === log[0]!.seq));
  // One that opens is enough: a stranger's log beside it does not belong to the vault.
  for (const first of firsts) if (await tryReadEntry(opener, first, "unchecked") !== null) return;
  const [first] = firsts;
  if (first === undefined) return;
  throw new ClaudeSyncError("damaged", "No log of the vault can be opened with its key", {
    objectName: first.name,
  });
}

async function finish(
  context: SyncContext,
  request: InitRequest,
  place: Place,
  header: Header,
  epoch: Epoch | null,
  outcome: InitResult["outcome"],
): Promise<InitResult> {
  const { location, keys = null } = request;
  const paths = homePaths(context.home);
  const before = readConfig(context.platform, paths);
  const machineName = request.machineName ?? before?.machineName ?? defaultName(context);
  const config: Config = {
    version: 1,
    vaultId: toHex(header.vaultId),
    kid: toHex(header.kid),
    store: location,
    machineName: cleanName(machineName),
    maps: before?.maps ?? {},
    excluded: before?.excluded ?? [],
    ...rememberedLimits(context, before),
  };
  await openMachine(context.platform, paths);
  changeVault(context, paths, config.vaultId);
  if (keys !== null) saveKeys(context.platform, context.home, location, keys);
  writeConfig(context.platform, paths, config);
  return resultOf(context, config, place, epoch, outcome);
}

/** Limits that were given now stay; the others are as they were. */
function rememberedLimits(context: SyncContext, before: Config | null): Pick<Config, "limits"> {
  const limits = limitsOf(context, before ?? {});
  return Object.values(limits).every((limit) => limit === null) ? {} : { limits };
}

/**
 * The marks of another vault are kept under its name, for whoever goes back to it; what was on its
 * way there is planned anew from the files then.
 */
function changeVault({ platform }: SyncContext, paths: HomePaths, vaultId: string): void {
  const { fs } = platform;
  const trust = readTrust(platform, paths);
  if (trust !== null && trust.vaultId !== vaultId) {
    new Outbox(platform, paths.outbox).clear();
    fs.rename(paths.trust, trustOf(paths, trust.vaultId));
  }
  const kept = trustOf(paths, vaultId);
  if (fs.lstat(paths.trust) === null && fs.lstat(kept) !== null) fs.rename(kept, paths.trust);
}

async function dryRun(
  context: SyncContext,
  request: InitRequest,
  store: OpenedStore | null,
  header: Header | null,
  key: RootKey | null,
): Promise<InitResult> {
  const epoch = key === null ? null : await deriveEpoch(key);
  const config: Config = {
    version: 1,
    vaultId: header === null ? "" : toHex(header.vaultId),
    kid: "",
    store: request.location,
    machineName: cleanName(request.machineName ?? defaultName(context)),
    maps: {},
    excluded: [],
  };
  const outcome = header === null ? "created" : epoch === null ? "needs-key" : "joined";
  return resultOf(
    context,
    config,
    store === null ? null : { store, latencyMs: null },
    epoch,
    outcome,
  );
}

function resultOf(
  context: SyncContext,
  config: Config,
  place: Place | null,
  epoch: Epoch | null,
  outcome: InitResult["outcome"],
): InitResult {
  const { fs, host } = context.platform;
  const { sessions } = discoverSessions(fs, claudeRoot(host));
  const files = sessions.flatMap((session) => session.files);
  return {
    outcome,
    store: formatStoreLocation(config.store),
    facts: place?.store.facts() ?? [],
    latencyMs: place?.latencyMs ?? null,
    vaultId: config.vaultId,
    machineName: config.machineName,
    keyFile: context.keyFile,
    keyFingerprint: epoch === null ? null : keyFingerprint(epoch.kid),
    localSessions: new Set(sessions.map(({ id }) => id)).size,
    localBytes: files.reduce((sum, file) => sum + file.stat.sizeBytes, 0),
  };
}

function defaultName(context: SyncContext): string {
  return context.platform.host.hostname.split(".")[0] ?? "";
}

/** A machine's name goes into every other machine's terminal: printable, one line, bounded. */
function cleanName(text: string): string {
  const printable = text.normalize("NFC").replace(/[\p{C}\p{Zl}\p{Zp}]/gu, "").trim();
  const cut = [...printable].slice(0, MACHINE_NAME_CHARACTERS_MAX).join("");
  return cut === "" ? "machine" : cut;
}
