import assert from "node:assert/strict";
import { answer, failureOf } from "../../support/credential_world.ts";
import { googleMachine, type GoogleSetup, SECRETS } from "../../support/google_world.ts";

Deno.test("googleCredentialSource asks the metadata server on Google's machines", async (t) => {
  const flavor = { "metadata-flavor": "Google" };
  const product = "/sys/class/dmi/id/product_name";
  const path = "/computeMetadata/v1/instance/service-accounts/default/token";
  const usual = `http://169.254.169.254${path}`;
  const body = { access_token: "ya29.one", expires_in: 3000, token_type: "Bearer" };
  const yes: [string, GoogleSetup, string][] = [
    ["named", { env: { GCE_METADATA_HOST: "meta.test:8080" } }, `http://meta.test:8080${path}`],
    ["a virtual machine", { files: { [product]: "Google Compute Engine\n" } }, usual],
    ["Cloud Run", { env: { K_SERVICE: "s" } }, usual],
  ];
  for (const [name, options, url] of yes) {
    await t.step(name, async () => {
      const { world, source, get } = googleMachine({
        ...options,
        http: () => answer(200, body, flavor),
      });
      await get();
      assert.equal(world.requests[0]?.url, url);
      assert.equal(world.requests[0].headers?.["metadata-flavor"], "Google");
      assert.equal(source.from, "this machine's service account");
    });
  }
  const no: [string, GoogleSetup][] = [
    ["a laptop", { files: { [product]: "ThinkPad X1\n" } }],
    ["another system", { os: "darwin", files: { [product]: "Google Compute Engine\n" } }],
    ["not wanted", { env: { NO_GCE_CHECK: "true", GCE_METADATA_HOST: "meta.test" } }],
    ["a host that is none", { env: { GCE_METADATA_HOST: "evil/../x@y" } }],
  ];
  for (const [name, options] of no) {
    await t.step(name, async () => {
      const { world, get } = googleMachine({ ...options, http: () => answer(200, body, flavor) });
      assert.match((await failureOf(get)).message, /No Google credentials were found/);
      assert.deepEqual(world.requests, []);
    });
  }
  const env = { GCE_METADATA_HOST: "meta.test" };
  await t.step("an impostor", async () => {
    const error = await failureOf(
      googleMachine({ env, http: () => answer(200, body) }).get,
      SECRETS,
    );
    assert.match(error.message, /at meta.test is not Google's metadata server/);
  });
  await t.step("no account", async () => {
    const error = await failureOf(
      googleMachine({ env, http: () => answer(404, "no", flavor) }).get,
    );
    assert.match(error.message, /has no service account/);
  });
});
