/** Whether another place really holds this machine's vault, before the machine relies on it. */
import { fromHex } from "../base/bytes.ts";
import { deriveEpoch, type Epoch } from "../crypto/root_key.ts";
import { ClaudeSyncError } from "../errors.ts";
import { formatStoreLocation, type StoreLocation } from "../storage/location.ts";
import type { ObjectName } from "../storage/object_name.ts";
import type { ObjectStore } from "../storage/object_store.ts";
import type { KnownLog } from "../vault/log_plan.ts";
import { HeldBodies } from "../vault/held_body.ts";
import { VaultStore } from "../vault/sealed_store.ts";
import { isSealedWith } from "../vault/sealing.ts";
import { checkLogs, type Problem } from "../vault/verify.ts";
import type { SyncContext } from "./api.ts";
import { type Config, homePaths, readTrust } from "./home.ts";
import { readKeyFile } from "./key_file.ts";

/** This machine's high-water marks of the configured vault, by log tag. */
export function knownMarks(context: SyncContext, config: Config): Map<string, KnownLog> {
  const trust = readTrust(context.platform, homePaths(context.home));
  const marks = new Map<string, KnownLog>();
  if (trust?.vaultId !== config.vaultId) return marks;
  for (const [tag, mark] of Object.entries(trust.logs)) {
    marks.set(tag, { mark, cursor: null, twins: mark.twins ?? [] });
  }
  return marks;
}

/**
 * Opens every log entry at `store` and compares with what this machine has seen. Nothing is taken
 * over. Gives what is wrong, and how many entries there are.
 */
export async function checkPlace(
  context: SyncContext,
  config: Config,
  epoch: Epoch,
  store: ObjectStore,
): Promise<{ readonly problems: readonly Problem[]; readonly entries: number }> {
  const opener = {
    store: new VaultStore(store),
    epoch,
    vaultId: fromHex(config.vaultId)!,
    signal: context.signal,
    bodies: new HeldBodies(),
  };
  const marks = knownMarks(context, config);
  const { problems, entries } = await checkLogs(opener, marks, config.vaultId);
  return { problems, entries: entries.length };
}

/**
 * Whether an entry or pack at `store` was made for this vault, which opening it tells. False for
 * everything else, and without a key. Errors: the store's own.
 */
export async function isOfVault(
  context: SyncContext,
  config: Config,
  store: ObjectStore,
  name: ObjectName,
): Promise<boolean> {
  const key = readKeyFile(context.platform, context.keyFile);
  if (key === null) return false;
  const bytes = await store.get(name, { signal: context.signal });
  if (bytes === null) return false;
  const keys = { epoch: await deriveEpoch(key), vaultId: fromHex(config.vaultId)! };
  return await isSealedWith(keys, name, bytes);
}

/** The error for a place that cannot take the old one's part; nothing was changed for it. */
export function incompletePlace(location: StoreLocation, problem: Problem): ClaudeSyncError {
  const place = formatStoreLocation(location);
  return new ClaudeSyncError("incomplete", `The vault at ${place} is not complete`, {
    ...(problem.objectName === null ? {} : { objectName: problem.objectName }),
    cause: new ClaudeSyncError("incomplete", problem.message),
    hint: "This machine still uses the old place. Bring over what is missing: claude-sync help " +
      "store move",
  });
}
