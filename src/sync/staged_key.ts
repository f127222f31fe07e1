/**
 * The key of a vault that is being made waits beside its place until the vault is there. Whatever
 * goes wrong before, and whoever made another vault in that moment: a key that fits nothing never
 * stands where this machine's key belongs, from where it could not be told from the right one.
 */
import type { Bytes } from "../base/bytes.ts";
import { equalBytes } from "../base/bytes.ts";
import { deriveEpoch, type RootKey } from "../crypto/root_key.ts";
import { ClaudeSyncError } from "../errors.ts";
import type { Header } from "../vault/header.ts";
import type { SyncContext } from "./api.ts";
import { createSecretFile, readKeyFile } from "./key_file.ts";

type Place = Pick<SyncContext, "platform" | "keyFile">;

function stagedPath({ keyFile }: Pick<SyncContext, "keyFile">): string {
  return `${keyFile}.new`;
}

/** The key that waits, or null. Errors as `readKeyFile`. */
export function readStagedKey(context: Place): RootKey | null {
  return readKeyFile(context.platform, stagedPath(context));
}

/** Whether the key is the vault's. */
export async function isKeyOf(key: RootKey | null, { kid }: Header): Promise<boolean> {
  return key !== null && equalBytes((await deriveEpoch(key)).kid, kid);
}

/** Lets a new key wait. Errors: `busy`, `no-space`, `local-io`. */
export function stageKey(context: Place, bytes: Bytes): void {
  create(context, stagedPath(context), bytes);
}

/** Puts the key that waited in its place. Errors: `busy` when another one is there. */
export function settleKey(context: Place, key: RootKey): void {
  create(context, context.keyFile, key.secret.dangerouslyReveal());
  dropStagedKey(context);
}

/** No key waits any more. */
export function dropStagedKey(context: Place): void {
  context.platform.fs.removeFile(stagedPath(context));
}

function create({ platform }: Place, path: string, bytes: Bytes): void {
  if (createSecretFile(platform, path, bytes)) return;
  throw new ClaudeSyncError("busy", "Another claude-sync is writing this machine's key", { path });
}
