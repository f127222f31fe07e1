/** Makes the two kinds of objects that a push writes, and knows them again. */
import type { Bytes } from "../base/bytes.ts";
import { open } from "../crypto/envelope.ts";
import type { MachineIdentity } from "../crypto/machine_identity.ts";
import type { Epoch } from "../crypto/root_key.ts";
import { seal, type Sealed } from "../crypto/sealed.ts";
import { isClaudeSyncError } from "../errors.ts";
import type { Random } from "../platform/types.ts";
import { recordCodec } from "./codecs.ts";
import type { EntryBody } from "./entry_body.ts";
import { logEntryName, objectKindOf, packName } from "./names.ts";

/** What objects of one vault are sealed with. */
export interface SealingKeys {
  readonly epoch: Epoch;
  readonly vaultId: Bytes;
}

/** An object that was verified after it was encrypted, ready for the store. */
export type SealedObject = Sealed;

/** Seals a pack under a new random name. */
export function sealPack(keys: SealingKeys, payload: Bytes, random: Random): Promise<SealedObject> {
  const name = packName(random);
  return seal(keys.epoch, { type: "pack", vaultId: keys.vaultId, name }, payload, random);
}

/** Signs and seals a log entry. Throws `too-large` for a body over 16 MiB. */
export async function sealEntry(
  keys: SealingKeys,
  body: EntryBody,
  identity: MachineIdentity,
  inline: Bytes,
  random: Random,
): Promise<{ entry: SealedObject; entryHash: string }> {
  const { encodeRecord } = await recordCodec();
  const { payload, entryHash } = await encodeRecord(body, identity, keys.vaultId, inline);
  const name = logEntryName(body.tag, body.seq, entryHash);
  const context = { type: "log" as const, vaultId: keys.vaultId, name };
  return { entry: await seal(keys.epoch, context, payload, random), entryHash };
}

/** Whether an object is an entry or pack that was sealed with `keys`, which opening it tells. */
export async function isSealedWith(
  { epoch, vaultId }: SealingKeys,
  name: string,
  bytes: Bytes,
): Promise<boolean> {
  const kind = objectKindOf(name);
  if (kind !== "entry" && kind !== "pack") return false;
  const type = kind === "entry" ? "log" as const : "pack" as const;
  try {
    await open(epoch, { type, vaultId, name }, bytes);
    return true;
  } catch (error) {
    if (!isClaudeSyncError(error, "damaged")) throw error;
    return false;
  }
}
