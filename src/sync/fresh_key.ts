/**
 * A key that was made just now, until a vault has it. It has to be on the disk before the vault's
 * header is in the store, and must not be in the key's place before: when another machine's header
 * turns out to be there, or everything ends in between, it fits nothing and would keep the right
 * key out. So it waits beside it, and a vault that is made later takes it.
 */
import { dirname } from "node:path";
import { equalBytes, toHex } from "../base/bytes.ts";
import { deriveEpoch, generateRootKey, type RootKey } from "../crypto/root_key.ts";
import { ClaudeSyncError } from "../errors.ts";
import type { Platform } from "../platform/types.ts";
import type { Header } from "../vault/header.ts";
import { createSecretFile, readKeyFile } from "./key_file.ts";

const SUFFIX = ".new";

/** The key that waits beside `keyFile`, or null. Errors: as `readKeyFile`. */
export function readFreshKey(platform: Platform, keyFile: string): RootKey | null {
  return readKeyFile(platform, keyFile + SUFFIX);
}

/** The key that waits, if it is that of the vault with this header: an `init` that was ended. */
export async function freshKeyOf(
  platform: Platform,
  keyFile: string,
  header: Header,
): Promise<RootKey | null> {
  const key = readFreshKey(platform, keyFile);
  if (key === null) return null;
  return (await deriveEpoch(key)).kidHex === toHex(header.kid) ? key : null;
}

/** Makes a key that waits beside `keyFile`. Errors: `busy` when one is there, `local-io`. */
export function makeFreshKey(platform: Platform, keyFile: string): RootKey {
  const key = generateRootKey(platform.random);
  if (createSecretFile(platform, keyFile + SUFFIX, key.secret.dangerouslyReveal())) return key;
  throw new ClaudeSyncError("busy", "Another claude-sync is writing this machine's key", {
    path: keyFile,
  });
}

/**
 * Puts `key`, which a vault has, into its place, and takes away the one that waited if it is the
 * same. Errors: `busy` when another key came there in the meantime; it stays, and so does `key`.
 */
export function settleKey(platform: Platform, keyFile: string, key: RootKey): void {
  const present = readKeyFile(platform, keyFile);
  const isThere = present === null
    ? createSecretFile(platform, keyFile, key.secret.dangerouslyReveal())
    : isSame(present, key);
  if (!isThere) {
    throw new ClaudeSyncError("busy", "Another key came into this machine's key file just now", {
      path: keyFile,
      hint: `The key of this vault is in "${keyFile + SUFFIX}"`,
    });
  }
  const fresh = readFreshKey(platform, keyFile);
  if (fresh !== null && isSame(fresh, key)) dropFreshKey(platform, keyFile);
}

/** Takes away the key that waits: no vault has it. */
export function dropFreshKey({ fs }: Platform, keyFile: string): void {
  fs.removeFile(keyFile + SUFFIX);
  fs.syncDir(dirname(keyFile));
}

function isSame(a: RootKey, b: RootKey): boolean {
  return equalBytes(a.secret.dangerouslyReveal(), b.secret.dangerouslyReveal());
}
