import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { utf8 } from "../../../src/base/bytes.ts";
import { SecretText } from "../../../src/base/secret.ts";
import type { UnsignedRequest } from "../../../src/storage/bucket/signer.ts";
import type { GoogleCredentialSource } from "../../../src/storage/gcs/access_token.ts";
import { bearerSigner, FRESH_TOKEN_MS } from "../../../src/storage/gcs/bearer_signer.ts";

const REQUEST: UnsignedRequest = {
  method: "PUT",
  url: new URL("https://storage.googleapis.com/bucket/name"),
  headers: { "x-goog-if-generation-match": "0" },
  body: utf8("bytes"),
  bodySha256: createHash("sha256").update("bytes").digest("hex"),
};
const refusalOf = (sentHeaders: Readonly<Record<string, string>>, status = 401) => ({
  status,
  code: null,
  region: null,
  dateMs: null,
  sentHeaders,
});

/** A source whose tokens are counted; `isStuck`: renewing brings the same one. */
function bench({ quotaProject = null as string | null, isStuck = false } = {}) {
  const state = { number: 1, nowMs: 0, refreshes: 0 };
  const source: GoogleCredentialSource = {
    from: "test",
    credentials({ refresh }) {
      if (refresh) {
        state.refreshes++;
        if (!isStuck) state.number++;
      }
      const value = new SecretText(`token-${state.number}`);
      return Promise.resolve({ value, expiresAtMs: null, quotaProject, project: null, from: "t" });
    },
  };
  return { state, signer: bearerSigner(source, { monotonicMs: () => state.nowMs }) };
}

Deno.test("bearerSigner() adds the token and a digest, in Google's dialect only", async () => {
  const { signer } = bench();
  assert.deepEqual(await signer.sign(REQUEST), {
    "x-goog-if-generation-match": "0",
    "x-goog-hash": `md5=${createHash("md5").update("bytes").digest("base64")}`,
    authorization: "Bearer token-1",
  });
  assert.deepEqual(await signer.sign({ ...REQUEST, method: "GET", headers: {}, body: null }), {
    authorization: "Bearer token-1",
  });
});

Deno.test("bearerSigner() names the project that pays", async () => {
  const { signer } = bench({ quotaProject: "payer" });
  assert.equal((await signer.sign(REQUEST))["x-goog-user-project"], "payer");
});

Deno.test("bearerSigner() never mixes the dialects", async () => {
  const { signer } = bench();
  const headers = { "x-amz-content-sha256": REQUEST.bodySha256 };
  await assert.rejects(() => signer.sign({ ...REQUEST, headers }), { code: "bug" });
});

Deno.test("bearerSigner() renews a refused token once, for all who were refused", async () => {
  const { state, signer } = bench();
  const sent = await signer.sign(REQUEST);
  assert.equal(await signer.refused(refusalOf(sent)), true);
  assert.equal(await signer.refused(refusalOf(sent)), true, "the other one is there already");
  assert.equal(state.refreshes, 1);
  assert.equal((await signer.sign(REQUEST))["authorization"], "Bearer token-2");
});

Deno.test("bearerSigner() takes the refusal of a fresh token for an answer", async () => {
  const { state, signer } = bench();
  await signer.refused(refusalOf(await signer.sign(REQUEST)));
  const second = await signer.sign(REQUEST);
  assert.equal(await signer.refused(refusalOf(second)), false);
  state.nowMs = FRESH_TOKEN_MS - 1;
  assert.equal(await signer.refused(refusalOf(second)), false);
  state.nowMs = FRESH_TOKEN_MS;
  assert.equal(await signer.refused(refusalOf(second)), true, "it may have been revoked since");
  assert.equal(state.refreshes, 2);
});

Deno.test("bearerSigner() gives up where renewing brings the same token", async () => {
  const { signer } = bench({ isStuck: true });
  assert.equal(await signer.refused(refusalOf(await signer.sign(REQUEST))), false);
});

Deno.test("bearerSigner() knows no remedy for a missing permission", async () => {
  const { state, signer } = bench();
  const sent = await signer.sign(REQUEST);
  for (const status of [301, 307, 400, 403]) {
    assert.equal(await signer.refused(refusalOf(sent, status)), false);
  }
  assert.equal(state.refreshes, 0);
});
