import * as z from "zod/mini";
import { assert } from "../base/assert.ts";
import { type Bytes, fromHex, toHex, utf8 } from "../base/bytes.ts";
import { ClaudeSyncError } from "../errors.ts";
import { FORMAT_VERSION, HEADER_BYTES_MAX } from "./format.ts";
import { parseJsonStrict } from "./json.ts";
import { HEADER_NAME } from "./names.ts";

/** What the header says (FORMAT.md section 3). Not authenticated. */
export interface Header {
  /** 16 bytes. */
  readonly vaultId: Bytes;
  /** Public name of the vault's first epoch, 16 bytes. */
  readonly kid: Bytes;
}

const hex16 = z.string().check(z.regex(/^[0-9a-f]{32}$/));
const anyFormat = z.object({ format: z.int().check(z.positive()) });
const format1 = z.object({ format: z.literal(FORMAT_VERSION), vaultId: hex16, kid: hex16 });

/** One line of JSON and a line feed. */
export function encodeHeader(header: Header): Bytes {
  assert(header.vaultId.length === 16 && header.kid.length === 16, "header ids have 16 bytes");
  const line = { format: FORMAT_VERSION, vaultId: toHex(header.vaultId), kid: toHex(header.kid) };
  return utf8(JSON.stringify(line) + "\n");
}

/**
 * Reads `claude-sync.json`. Throws `newer-format` when a newer program wrote it and
 * `malformed-file` when it is no header at all (or exceeds 4,096 bytes). Never null: a file of this
 * name that cannot be read must not be taken for "no vault here", or somebody would make a second
 * vault over a damaged one.
 */
export function decodeHeader(bytes: Uint8Array): Header {
  const value = parseJsonStrict(bytes, { bytesMax: HEADER_BYTES_MAX });
  const version = anyFormat.safeParse(value);
  if (version.success && version.data.format > FORMAT_VERSION) {
    throw new ClaudeSyncError("newer-format", "Vault was made by a newer version of claude-sync", {
      objectName: HEADER_NAME,
    });
  }
  const header = format1.safeParse(value);
  if (!header.success) {
    throw new ClaudeSyncError("malformed-file", "File is not the header of a vault", {
      objectName: HEADER_NAME,
    });
  }
  return { vaultId: bytesOf(header.data.vaultId), kid: bytesOf(header.data.kid) };
}

function bytesOf(checkedHex: string): Bytes {
  const bytes = fromHex(checkedHex);
  assert(bytes !== null, "the schema has checked the hex");
  return bytes;
}
