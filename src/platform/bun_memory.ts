/**
 * The second use of a runtime's own API: the compiled program is told when buffers have become
 * free. Left alone it collects them only when it has taken as much again as all that is in use, and
 * a transfer of gigabytes lets go of gigabytes.
 */
import type { Memory } from "./types.ts";

/**
 * Bytes after which buffers are collected. With the copies that are made of each on its way this is
 * the better part of what a transfer takes.
 */
export const COLLECTED_BYTES = 32 * 1024 * 1024;

/** Memory of this process; a runtime without such a call looks after it alone. */
export function runtimeMemory(): Memory {
  const runtime: unknown = Reflect.get(globalThis, "Bun");
  const collect: unknown = typeof runtime === "object" && runtime !== null
    ? Reflect.get(runtime, "gc")
    : null;
  return typeof collect === "function" ? memoryOf(() => void collect(true)) : memoryOf(() => {});
}

/** Calls `collect` after every 32 MiB. */
export function memoryOf(collect: () => void): Memory {
  let passedBytes = 0;
  return {
    passed(sizeBytes) {
      passedBytes += sizeBytes;
      if (passedBytes < COLLECTED_BYTES) return;
      passedBytes = 0;
      collect();
    },
  };
}
