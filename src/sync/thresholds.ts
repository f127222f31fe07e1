/** Sizes from which on the program does things another way. */
import { INLINE_BYTES_MAX } from "../vault/format.ts";
import type { SyncContext } from "./api.ts";
import {
  COMPACT_AT_ENTRIES,
  COMPACT_AT_LEAST_ENTRIES,
  KEPT_PACK_BYTES_MIN,
} from "./compact_plan.ts";

/** They change when something is done and where it is put, never what the vault says. */
export interface Thresholds {
  /** `COMPACT_AT_ENTRIES`. */
  readonly compactAtEntries: number;
  /** `COMPACT_AT_LEAST_ENTRIES`. */
  readonly compactAtLeastEntries: number;
  /** `KEPT_PACK_BYTES_MIN`. */
  readonly keptPackBytesMin: number;
  /** Group bytes that travel inside an entry; at most `INLINE_BYTES_MAX`. */
  readonly inlineBytesMax: number;
}

const USUAL: Thresholds = {
  compactAtEntries: COMPACT_AT_ENTRIES,
  compactAtLeastEntries: COMPACT_AT_LEAST_ENTRIES,
  keptPackBytesMin: KEPT_PACK_BYTES_MIN,
  inlineBytesMax: INLINE_BYTES_MAX,
};

/** Those of a run. */
export function thresholdsOf({ thresholds }: Pick<SyncContext, "thresholds">): Thresholds {
  return { ...USUAL, ...thresholds };
}
