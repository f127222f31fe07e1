/** The constants of FORMAT.md: one place for every limit, each with its unit and its reason. */
import { SEALED_BYTES_MAX } from "../crypto/frame.ts";
import { ENVELOPE_OVERHEAD_BYTES } from "../crypto/frame.ts";

/** The only vault format there is. A header that names a later one stops this program. */
export const FORMAT_VERSION = 1;

/** The only version of an entry's body. */
export const ENTRY_VERSION = 1;

/** Level of zstd: on transcripts the knee between speed and size. Readers take any. */
export const ZSTD_LEVEL = 3;

/** Largest object, 64 MiB: what WebCrypto can do in one piece on a small machine. */
export const OBJECT_SEALED_BYTES_MAX = SEALED_BYTES_MAX;

/** Largest header: a program that only looks for a vault must not download more. */
export const HEADER_BYTES_MAX = 4096;

/** Largest sealed pack, 8 MiB: one upload that a bad line still finishes. */
export const PACK_SEALED_BYTES_MAX = 8 * 1024 * 1024;

/** Most payload that leaves a sealed pack at its limit (8 MiB is a padded size itself). */
export const PACK_PAYLOAD_BYTES_MAX = PACK_SEALED_BYTES_MAX - ENVELOPE_OVERHEAD_BYTES;

/** Largest group before compression, 4 MiB: what is decompressed to reach one segment. */
export const GROUP_RAW_BYTES_MAX = 4 * 1024 * 1024;

/** Most group bytes inside an entry, 256 KiB: every reader downloads them, whatever it wants. */
export const INLINE_BYTES_MAX = 256 * 1024;

/** Largest entry body before compression, 16 MiB: what a reader parses at once. */
export const ENTRY_BODY_BYTES_MAX = 16 * 1024 * 1024;

/** Most packs that one entry names: 32 GiB of sealed data. */
export const ENTRY_PACKS_MAX = 4096;

/** Most segments in one entry; a larger push is several entries. */
export const ENTRY_SEGMENTS_MAX = 100_000;

/** Longest `file` in UTF-8 bytes; no operating system takes a longer relative path everywhere. */
export const FILE_NAME_BYTES_MAX = 1024;

/** Most levels of a `file`, counted as its parts between slashes. */
export const FILE_NAME_LEVELS_MAX = 12;

/** Longest machine name in Unicode code points: one line of a terminal. */
export const MACHINE_NAME_CHARACTERS_MAX = 64;

/** Longest name of an operating system in code points. */
export const OS_NAME_CHARACTERS_MAX = 32;

/** Longest title of a session in code points: more than a line of a terminal shows. */
export const TITLE_CHARACTERS_MAX = 200;

/** Longest remote or path of a project in UTF-8 bytes: the longest path Linux takes. */
export const PROJECT_TEXT_BYTES_MAX = 4096;

/** Most machines in a vault, and so most `heads` claims. */
export const MACHINES_MAX = 4096;

/** Highest entry number: twelve digits. */
export const ENTRY_SEQ_MAX = 999_999_999_999;

/** Deepest nesting of JSON in a vault: ours is 8 deep, later formats may go further. */
export const JSON_DEPTH_MAX = 64;

/** Most entries before a log's base, 1,000,000: what `covered` of one entry has room for. */
export const COVERED_MAX = 1_000_000;

/** Most leaves that one `forget` names, 100,000: as many as one entry can have segments. */
export const FORGOTTEN_LEAVES_MAX = 100_000;

/** Most `forget` ops that one `recall` withdraws. */
export const RECALLED_IDS_MAX = 100_000;
