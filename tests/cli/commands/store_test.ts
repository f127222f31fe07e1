import assert from "node:assert/strict";
import { estimateCost, pricesAt } from "../../../src/storage/prices.ts";
import type { SyncContext } from "../../../src/sync/api.ts";
import type { MoveRequest, MoveResult, StoreInfo, StoreTest } from "../../../src/sync/store_api.ts";
import { run } from "../stand_in.ts";

function answered<T>(value: T): () => Promise<T> {
  return () => Promise.resolve(value);
}

const TESTED: StoreTest = {
  store: "s3://acme",
  facts: [{ name: "region", value: "eu-central-1\x1b[2J" }],
  steps: [
    { operation: "list", outcome: "ok", ms: 41, code: null, message: null, hint: null },
    {
      operation: "put",
      outcome: "failed",
      ms: 40,
      code: "store-refused",
      message: 'Not allowed to write to the bucket "acme"',
      hint: "Allow s3:PutObject",
    },
    { operation: "get", outcome: "skipped", ms: 0, code: null, message: null, hint: null },
  ],
  requests: 2,
  ms: 81,
};

Deno.test("store test puts nothing with --dry-run", async () => {
  const { exit, out } = await run(["store", "test", "--dry-run"]);
  assert.deepEqual([exit, /nothing was written/.test(out)], [0, true]);
});

Deno.test("store test says of each step whether it works, and ends with its code", async () => {
  const { exit, out, err } = await run(["store", "test"], { storeTest: answered(TESTED) });
  assert.deepEqual([exit, err], [4, ""]);
  assert.deepEqual(out.trimEnd().split("\n"), [
    "Store   s3://acme",
    "Region  eu-central-1\u{fffd}[2J",
    "ok    list        41 ms",
    'fail  put         Not allowed to write to the bucket "acme"',
    "                  Allow s3:PutObject",
    "-     get         not tried, as an earlier step failed",
    "1 of 3 steps failed.  (2 requests, 0.08 s)",
  ]);
  const json = JSON.parse(
    (await run(["store", "test", "--json"], {
      storeTest: answered(TESTED),
    })).out,
  );
  assert.deepEqual([json.ok, json.error.code, json.steps.length], [false, "store-refused", 3]);
  const steps = TESTED.steps.slice(0, 1);
  const fine = await run(["store", "test"], { storeTest: answered({ ...TESTED, steps }) });
  assert.equal(fine.exit, 0);
});

Deno.test("store info shows what it costs, clearly as an estimate", async () => {
  const cost = estimateCost(
    pricesAt({
      kind: "s3",
      bucket: "acme",
      prefix: "",
      region: null,
      endpoint: null,
      pathStyle: false,
      awsProfile: null,
    })!,
    { storedBytes: 15.8e6, machines: 2 },
  );
  const info: StoreInfo = {
    store: "s3://acme",
    kind: "s3",
    vaultId: "v",
    latencyMs: 41,
    concurrency: 16,
    batching: false,
    facts: [],
    machines: 2,
    entries: { objects: 1204, bytes: 4.8e6 },
    packs: { objects: 4, bytes: 11e6 },
    others: { objects: 1, bytes: 99 },
    strangers: { objects: 2, bytes: 10 },
    cost,
    requests: 6,
    ms: 300,
  };
  const { out } = await run(["store", "info"], { storeInfo: answered(info) });
  assert.match(out, /^Distance {4}41 ms a round trip$/m);
  assert.match(out, /^Vault {7}1,209 objects, 16 MB; 2 machines have pushed$/m);
  assert.match(out, /^Beside it {3}2 objects of others, 10 B$/m);
  assert.match(out, /about \$\d\.\d\d a month, an estimate: storage under \$0\.01, requests/);
  assert.match(out, /list prices of AWS S3 Standard, us-east-1, 20\d\d-\d\d: https:/);
});

Deno.test("init and store move hand places, keys and limits on, and show no secret", async () => {
  const env = { AWS_ACCESS_KEY_ID: "AKID", AWS_SECRET_ACCESS_KEY: "hush" };
  let seen: [SyncContext, MoveRequest] | undefined;
  const moved: MoveResult = {
    from: "/vault",
    store: "s3://acme",
    vaultId: "v",
    objects: 10,
    copied: 7,
    copiedBytes: 7000,
    verified: 10,
    machines: 2,
    inside: false,
    dryRun: false,
    requests: 30,
    ms: 2000,
  };
  const words = "store move --s3 acme --region eu-central-1 --save-credentials --create-bucket " +
    "--limit-upload 2M --limit-download none --concurrency 4";
  const { exit, out, err } = await run(words.split(" "), {
    storeMove: (...call) => {
      seen = call;
      return Promise.resolve(moved);
    },
  }, { env });
  assert.deepEqual([exit, err], [0, ""]);
  assert.deepEqual(seen?.[0].limits, {
    uploadBytesPerSecond: 2e6,
    downloadBytesPerSecond: null,
    concurrency: 4,
  });
  assert.equal(seen?.[1].location.kind, "s3");
  assert.equal(seen?.[1].createBucket, true);
  assert.deepEqual(seen?.[1].keys, { accessKeyId: "AKID", secretAccessKey: "hush" });
  assert.equal(out.includes("hush"), false);
  assert.match(out, /^Moved the vault to s3:\/\/acme: 10 objects, 7 copied .* 10 read back/);
  assert.match(out, /^ {2}claude-sync store move --s3 acme --region eu-central-1$/m);
  assert.match(out, /^When all have moved, and not before, \/vault may go\.$/m);
  const nested = await run(["store", "move", "--dir", "/vault/new"], {
    storeMove: answered({ ...moved, store: "/vault/new", inside: true }),
  });
  assert.doesNotMatch(nested.out, /\/vault may go/);
  assert.match(nested.out, /Do not delete \/vault as a whole: the new place is in it/);
  const temporary = { ...env, AWS_SESSION_TOKEN: "t" };
  const refused = await run(words.split(" "), {}, { env: temporary });
  assert.equal(refused.exit, 2);
  assert.match(refused.err, /temporary/);
});

Deno.test("a profile's shell function pulls from the vault of that profile", async () => {
  const { out } = await run(["shell-init", "bash", "--profile", "work"]);
  assert.match(out, /'--profile' 'work' 'pull' '--quiet'/);
  assert.doesNotMatch((await run(["shell-init", "bash"])).out, /--profile/);
});
