import assert from "node:assert/strict";
import { isClaudeSyncError } from "../../src/errors.ts";
import { generationName } from "../../src/vault/generation.ts";
import { loadVectors } from "../vectors/load.ts";
import { rawSha256 } from "../crypto/raw_envelope.ts";

const { valid } = loadVectors<{
  valid: { from: { gen: string; hash: string }; gen: string }[];
}>("generation");

Deno.test("generationName gives the known names", () => {
  for (const { from, gen } of valid) assert.equal(generationName(from), gen);
});

Deno.test("generationName hashes exactly what the format says", () => {
  const from = { gen: "ab".repeat(16), hash: "cd".repeat(32) };
  const named = new Uint8Array([
    ...new TextEncoder().encode("claude-sync/v1/generation\0\0\0\0\x20"),
    ...new TextEncoder().encode(from.gen),
    ...[0, 0, 0, 32],
    ...new Uint8Array(32).fill(0xcd),
  ]);
  assert.equal(generationName(from), rawSha256(named).slice(0, 32));
});

Deno.test("generationName refuses a state that is no hash", () => {
  for (const hash of ["", "cd", "xy".repeat(32)]) {
    assert.throws(() => generationName({ gen: "", hash }), (e) => isClaudeSyncError(e, "bug"));
  }
});
