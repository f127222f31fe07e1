import type { Bytes } from "../base/bytes.ts";
import { runtimeMemory } from "./bun_memory.ts";
import { nodeFileSystem } from "./node_fs.ts";
import { nodeHost } from "./node_host.ts";
import { nodeHttp } from "./node_http.ts";
import { nodeProcesses } from "./node_processes.ts";
import type { Clock, Platform, Random } from "./types.ts";

/** The most that WebCrypto gives at once. */
const RANDOM_BYTES_MAX = 65_536;

/** The longest delay a timer takes; a longer one would fire at once. */
const TIMER_MS_MAX = 2 ** 31 - 1;

/** The real world, the same on Deno and Bun. Made once, by `main.ts`. */
export function nodePlatform(): Platform {
  return {
    clock: nodeClock(),
    random: nodeRandom(),
    fs: nodeFileSystem(),
    host: nodeHost(),
    processes: nodeProcesses(),
    http: nodeHttp(),
    memory: runtimeMemory(),
  };
}

/** System time and timers. */
export function nodeClock(): Clock {
  return {
    nowMs: () => Date.now(),
    monotonicMs: () => performance.now(),
    sleep: async (ms, signal) => {
      signal?.throwIfAborted();
      for (let leftMs = Math.max(0, ms);;) {
        const stepMs = Math.min(leftMs, TIMER_MS_MAX);
        await timer(stepMs, signal);
        leftMs -= stepMs;
        if (leftMs <= 0) return;
      }
    },
  };
}

function timer(ms: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    const onAbort = () => {
      clearTimeout(handle);
      reject(signal?.reason);
    };
    const handle = setTimeout(() => {
      signal?.removeEventListener("abort", onAbort);
      resolve();
    }, ms);
    signal?.addEventListener("abort", onAbort, { once: true });
  });
}

/** The operating system's randomness. */
export function nodeRandom(): Random {
  return {
    bytes(length: number): Bytes {
      const bytes = new Uint8Array(length);
      for (let at = 0; at < length; at += RANDOM_BYTES_MAX) {
        crypto.getRandomValues(bytes.subarray(at, at + RANDOM_BYTES_MAX));
      }
      return bytes;
    },
  };
}
