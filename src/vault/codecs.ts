/** The modules that need zstd, which is slow to load: each is loaded when first asked for. */
import { once } from "../base/once.ts";

/** Encodes and decodes log entries. */
export const recordCodec = once(() => import("./record.ts"));

/** Encodes and decodes groups of segments. */
export const groupCodec = once(() => import("./group.ts"));
