/**
 * `credentials.json`: key pairs that the user asked to keep, each for one place, so that a key is
 * never sent to a server that it was not given for. Apart from `config.json`, which holds no
 * secret.
 */
import * as z from "zod/mini";
import { fromUtf8, utf8 } from "../base/bytes.ts";
import { listOf } from "../base/checked_lists.ts";
import { ClaudeSyncError } from "../errors.ts";
import { writeFileAtomic } from "../platform/atomic_file.ts";
import type { Platform } from "../platform/types.ts";
import { formatStoreLocation, type StoreLocation } from "../storage/location.ts";
import { ensureHome, homePaths } from "./home.ts";
import { readSecretFile } from "./key_file.ts";
import type { KeyPair } from "./store_api.ts";

/** Longest access key id, in UTF-16 units. */
export const ACCESS_KEY_LENGTH_MAX = 256;
/** Longest secret, in UTF-16 units. */
export const SECRET_KEY_LENGTH_MAX = 1024;
/** Most places that keys are kept for. */
export const PLACES_MAX = 32;
const FILE_BYTES_MAX = 256 * 1024;

/** Printable ASCII: it goes into a header. */
const printable = (lengthMax: number) =>
  z.string().check(z.maxLength(lengthMax), z.regex(/^[!-~]+$/));
const pair = {
  accessKeyId: printable(ACCESS_KEY_LENGTH_MAX),
  secretAccessKey: printable(SECRET_KEY_LENGTH_MAX),
};
const KeyPairSchema = z.object(pair);
const SavedKeys = z.object({
  version: z.literal(1),
  places: listOf(z.object({ store: z.string(), ...pair })).check(z.maxLength(PLACES_MAX)),
});

/** Checks what was typed; null when it cannot be a key pair. */
export function parseKeyPair(accessKeyId: string, secretAccessKey: string): KeyPair | null {
  const parsed = KeyPairSchema.safeParse({ accessKeyId, secretAccessKey });
  return parsed.success ? parsed.data : null;
}

/**
 * The keys kept for a place in the folder `home`, or null. Errors: `unsafe-file`, `malformed-file`,
 * `local-io`.
 */
export function readSavedKeys(
  platform: Platform,
  home: string,
  location: StoreLocation,
): KeyPair | null {
  const place = formatStoreLocation(location);
  const found = readPlaces(platform, home).find(({ store }) => store === place);
  if (found === undefined) return null;
  const { accessKeyId, secretAccessKey } = found;
  return { accessKeyId, secretAccessKey };
}

/** Keeps `keys` for a place, instead of others that were kept for it. */
export function saveKeys(
  platform: Platform,
  home: string,
  location: StoreLocation,
  keys: KeyPair,
): void {
  ensureHome(platform, home);
  const store = formatStoreLocation(location);
  const { accessKeyId, secretAccessKey } = keys;
  const others = readPlaces(platform, home).filter((place) => place.store !== store);
  const places = [{ store, accessKeyId, secretAccessKey }, ...others].slice(0, PLACES_MAX);
  const text = JSON.stringify({ version: 1, places }, null, 2) + "\n";
  writeFileAtomic(platform.fs, platform.random, homePaths(home).credentials, utf8(text));
}

function readPlaces(platform: Platform, home: string) {
  const path = homePaths(home).credentials;
  const bytes = readSecretFile(platform, path, FILE_BYTES_MAX);
  if (bytes === null) return [];
  let value: unknown;
  try {
    value = JSON.parse(fromUtf8(bytes));
  } catch {
    // Without its cause, which quotes what was read.
    throw malformed(path);
  }
  const parsed = SavedKeys.safeParse(value);
  if (!parsed.success) throw malformed(path);
  return parsed.data.places;
}

function malformed(path: string): ClaudeSyncError {
  return new ClaudeSyncError("malformed-file", `"${path}" cannot be understood`, {
    path,
    hint: "Move it away and keep the keys again: claude-sync help init",
  });
}
