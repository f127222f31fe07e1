import assert from "node:assert/strict";
import { clientTest } from "./world.ts";

const RUNS_TO_COMPARE = 3;
/** The client itself cuts SessionEnd hooks off after 1.5 s; people notice less than that. */
const DELAY_LIMIT_MS = 1000;

clientTest("hooks do not hold the client up", {}, async (world) => {
  const hooksOff = ["--settings", '{"disableAllHooks":true}'];
  const without: number[] = [];
  const withHooks: number[] = [];
  for (let turn = 0; turn < RUNS_TO_COMPARE; turn++) {
    without.push((await world.a.claude(...hooksOff, `off ${turn}`)).elapsedMs);
    withHooks.push((await world.a.claude(`on ${turn}`)).elapsedMs);
  }
  const delayMs = median(withHooks) - median(without);
  assert.ok(delayMs < DELAY_LIMIT_MS, `with hooks ${withHooks} ms, without ${without} ms`);
});

function median(values: readonly number[]): number {
  return [...values].sort((one, other) => one - other)[Math.floor(values.length / 2)] ?? 0;
}
