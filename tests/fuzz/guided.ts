/**
 * Fuzzing that follows what the engine has run: an input that reaches new code is kept and changed
 * further. For nights, not for every change (reading the coverage takes milliseconds):
 *
 *     deno run -A tests/fuzz/guided.ts 300        seconds, shared by all decoders
 *
 * A case that gives a wrong value, or throws anything but an error with a code that is allowed, is
 * printed as base64, and the exit code is 1.
 */
import { Session } from "node:inspector/promises";
import process from "node:process";
import * as fc from "fast-check";
import type { Bytes } from "../../src/base/bytes.ts";
import { isClaudeSyncError } from "../../src/errors.ts";
import { GUIDED } from "./guided_decoders.ts";
import { mutatedBytes } from "./mutations.ts";

/** Cases between two looks at the coverage, which cost as much as hundreds of cases. */
const BATCH = 1000;
const CORPUS_MAX = 500;

/** What has been run since the last look: places in the program's own files. */
async function reached(session: Session): Promise<string[]> {
  const { result } = await session.post("Profiler.takePreciseCoverage");
  return result.filter(({ url }) => url.includes("/src/")).flatMap(({ url, functions }) =>
    functions.flatMap(({ ranges }) =>
      ranges.filter(({ count }) => count > 0)
        .map(({ startOffset, endOffset }) => `${url}:${startOffset}-${endOffset}`)
    )
  );
}

async function follow(
  session: Session,
  name: string,
  { samples, decode, codes = [] }: typeof GUIDED[string],
  seconds: number,
): Promise<number> {
  const corpus: Bytes[] = [...samples];
  const seen = new Set<string>();
  let [cases, failures] = [0, 0];
  const attempt = async (input: Bytes) => {
    cases++;
    try {
      // Most decoders do not wait, and waiting for those would cost more than they do.
      const given = decode(input);
      if (given instanceof Promise) await given;
    } catch (error) {
      if (codes.length > 0 && isClaudeSyncError(error, ...codes)) return;
      failures++;
      console.log(`${name}: ${error}\n  ${btoa(String.fromCharCode(...input))}`);
    }
  };
  const isNew = async () => {
    const before = seen.size;
    for (const place of await reached(session)) seen.add(place);
    return seen.size > before;
  };
  for (const sample of samples) await attempt(sample);
  await isNew();
  const endMs = performance.now() + seconds * 1000;
  while (performance.now() < endMs && failures === 0) {
    const batch = fc.sample(mutatedBytes(corpus.slice(-CORPUS_MAX)), BATCH);
    for (const input of batch) await attempt(input);
    const places = (await reached(session)).filter((place) => !seen.has(place));
    // Which of them it was shows when they run again, one by one.
    for (const input of places.length === 0 ? [] : batch) {
      await attempt(input);
      if (await isNew()) corpus.push(input);
    }
  }
  console.log(`${name}: ${cases} cases, ${seen.size} places, ${corpus.length} inputs kept`);
  return failures;
}

async function main(seconds: number): Promise<void> {
  const session = new Session();
  session.connect();
  await session.post("Profiler.enable");
  await session.post("Profiler.startPreciseCoverage", { callCount: true, detailed: true });
  const decoders = Object.entries(GUIDED);
  let failures = 0;
  for (const [name, one] of decoders) {
    failures += await follow(session, name, one, seconds / decoders.length);
  }
  session.disconnect();
  process.exitCode = failures === 0 ? 0 : 1;
}

if (import.meta.main) await main(Number(process.argv[2] ?? 60));
