/** The key's way from one machine to the other. */
import { toHex } from "../base/bytes.ts";
import { deriveEpoch, formatKeyText, keyFingerprint, parseKeyText } from "../crypto/root_key.ts";
import { type RootKey, rootKeyFromBytes } from "../crypto/root_key.ts";
import { ClaudeSyncError } from "../errors.ts";
import type { SyncContext } from "./api.ts";
import { ensureHome, homePaths, readConfig } from "./home.ts";
import { checkKey } from "./init.ts";
import { createSecretFile, readKeyFile } from "./key_file.ts";
import { openMeteredStore, readHeader } from "./vault_access.ts";

/** The key as text. Errors: `key-missing`. */
export async function exportKey(
  context: SyncContext,
): Promise<{ keyText: string; fingerprint: string }> {
  const key = requireKey(context);
  return { keyText: formatKeyText(key), fingerprint: await fingerprintOf(key) };
}

/** Short form of this machine's key. Errors: `key-missing`. */
export async function fingerprint(
  context: SyncContext,
): Promise<{ fingerprint: string; keyFile: string }> {
  return { fingerprint: await fingerprintOf(requireKey(context)), keyFile: context.keyFile };
}

/**
 * Writes the key, after it has proven to open the configured vault. A key that is there is never
 * replaced. Errors: `key-malformed`, `wrong-key`, `already-set-up` (another key is there), the
 * store's own.
 */
export async function importKey(
  context: SyncContext,
  keyText: string,
): Promise<{ outcome: "imported" | "unchanged"; fingerprint: string; keyFile: string }> {
  const bytes = parseKeyText(keyText);
  if (bytes === null) {
    throw new ClaudeSyncError(
      "key-malformed",
      "This is not a key: 32 bytes in base64 are expected",
    );
  }
  const key = rootKeyFromBytes(bytes);
  const epoch = await deriveEpoch(key);
  const result = { fingerprint: keyFingerprint(epoch.kid), keyFile: context.keyFile };
  const existing = readKeyFile(context.platform, context.keyFile);
  if (existing !== null) {
    const { kidHex } = await deriveEpoch(existing);
    if (kidHex === epoch.kidHex) return { ...result, outcome: "unchanged" };
    throw new ClaudeSyncError("already-set-up", "This machine has another key, which stays", {
      path: context.keyFile,
      hint: "If you are sure, move the old key file away first; never delete it",
    });
  }
  const config = readConfig(context.platform, homePaths(context.home));
  if (config !== null) {
    if (epoch.kidHex !== config.kid) {
      throw new ClaudeSyncError("wrong-key", "This key does not open the vault set up here");
    }
    const store = await openMeteredStore(context, config);
    const header = await readHeader(store, context.signal);
    if (header === null || toHex(header.vaultId) !== config.vaultId) {
      throw new ClaudeSyncError("no-vault", `The vault at ${store.label} is not there any more`);
    }
    await checkKey(context, store, header, epoch);
  }
  ensureHome(context.platform, context.home);
  if (!createSecretFile(context.platform, context.keyFile, bytes)) {
    throw new ClaudeSyncError("busy", "A key file appeared in this very moment", {
      path: context.keyFile,
    });
  }
  return { ...result, outcome: "imported" };
}

function requireKey(context: SyncContext): RootKey {
  const key = readKeyFile(context.platform, context.keyFile);
  if (key !== null) return key;
  throw new ClaudeSyncError("key-missing", "This machine has no key", { path: context.keyFile });
}

async function fingerprintOf(key: RootKey): Promise<string> {
  return keyFingerprint((await deriveEpoch(key)).kid);
}
