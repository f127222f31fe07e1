import assert from "node:assert/strict";
import { type CommandLine, parseCommandLine } from "../../src/cli/command_line.ts";
import { CONCURRENCY_MAX, flagsOf, parseRate, placeOf } from "../../src/cli/store_flags.ts";
import { isClaudeSyncError } from "../../src/errors.ts";
import { formatStoreLocation, isSamePlace } from "../../src/storage/location.ts";
import { platformWith } from "./stand_in.ts";

const ACCOUNT = "0123456789abcdef0123456789abcdef";

function place(line: string, env: Readonly<Record<string, string>> = {}) {
  const parsed = parseCommandLine(["init", ...line.split(" ").filter((word) => word !== "")]);
  assert.equal(parsed.kind, "run", JSON.stringify(parsed));
  const { invocation } = parsed as Extract<CommandLine, { kind: "run" }>;
  assert.ok(invocation.command === "init");
  return placeOf(invocation, platformWith({ env }).host);
}

Deno.test("each kind of place is named by its own flags", () => {
  for (
    const [line, shown] of [
      ["--dir vault", "/home/anna/code/vault"],
      ["--dir ~/vault", "/home/anna/vault"],
      ["--git git@example.com:x.git", "git@example.com:x.git"],
      ["--git ../x.git", "/home/anna/x.git"],
      ["--s3 acme", "s3://acme"],
      ["--s3 s3://acme/a/b --region eu-central-1 --aws-profile work", "s3://acme/a/b"],
      [
        "--s3 acme --endpoint minio.example:9000 --path-style",
        "s3://acme (https://minio.example:9000)",
      ],
      ["--s3 acme --create-bucket --save-credentials", "s3://acme"],
      [
        `--r2 acme/x --account ${ACCOUNT} --jurisdiction eu`,
        `r2://acme/x (https://${ACCOUNT}.eu.r2.cloudflarestorage.com)`,
      ],
      ["--r2 acme --endpoint https://r2.example", "r2://acme (https://r2.example)"],
      ["--gcs acme --hmac", "gs://acme"],
      ["--gcs gs://acme/x", "gs://acme/x"],
    ] as const
  ) assert.equal(formatStoreLocation(place(line)), shown, line);
});

Deno.test("flags that do not go together are wrong usage, and the flag is named", () => {
  for (
    const [line, named] of [
      ["", /missing/],
      ["--machine x", /missing/],
      ["--dir a --git b", /--dir and --git/],
      ["--s3 acme --gcs acme", /--s3 and --gcs/],
      ["--dir a --region eu-central-1", /--region .*--dir/],
      ["--git b --endpoint https://x", /--endpoint .*--git/],
      ["--r2 acme --path-style", /--path-style .*--r2/],
      ["--gcs acme --aws-profile x", /--aws-profile .*--gcs/],
      [`--s3 acme --account ${ACCOUNT}`, /--account .*--s3/],
      ["--gcs acme --jurisdiction eu", /--jurisdiction .*--gcs/],
      ["--s3 acme --hmac", /--hmac .*--s3/],
      ["--r2 acme --create-bucket", /--create-bucket .*--r2/],
      ["--dir a --save-credentials", /--save-credentials .*--dir/],
      [`--r2 acme --account ${ACCOUNT} --endpoint https://x`, /--account .*--endpoint/],
      ["--r2 acme --jurisdiction eu --endpoint https://x", /--jurisdiction .*--endpoint/],
      ["--r2 acme", /--account or --endpoint/],
    ] as const
  ) {
    assert.throws(() => place(line), (error) => {
      assert.ok(isClaudeSyncError(error, "usage"), line);
      assert.match(error.message, named);
      return error.hint !== undefined;
    });
  }
});

Deno.test("the account may come from where Cloudflare's own tool has it", () => {
  const location = place("--r2 acme", { CLOUDFLARE_ACCOUNT_ID: ACCOUNT });
  assert.ok(location.kind === "r2" && location.endpoint.includes(ACCOUNT));
  const named = place("--r2 acme --endpoint https://x", { CLOUDFLARE_ACCOUNT_ID: "nonsense" });
  assert.ok(named.kind === "r2" && named.endpoint === "https://x");
});

Deno.test("Google is asked with HMAC keys when there are some, else as gcloud does", () => {
  const auth = (line: string, env?: Readonly<Record<string, string>>) => {
    const location = place(line, env);
    return location.kind === "gcs" ? location.auth : null;
  };
  assert.equal(auth("--gcs acme"), "oauth");
  assert.equal(auth("--gcs acme", { AWS_ACCESS_KEY_ID: "AKIA1" }), "oauth");
  assert.equal(auth("--gcs acme", { AWS_ACCESS_KEY_ID: "GOOG1E" }), "hmac");
  assert.equal(auth("--gcs acme --hmac"), "hmac");
  assert.equal(auth("--gcs acme --save-credentials"), "hmac");
});

Deno.test("flagsOf names the same place again", () => {
  for (
    const line of [
      "--dir /mnt/nas/vault",
      "--git git@example.com:x.git",
      "--s3 acme/a --region eu-central-1 --endpoint https://minio.example --path-style",
      `--r2 acme/x --account ${ACCOUNT} --jurisdiction fedramp`,
      "--gcs acme --hmac --endpoint https://storage.example",
    ]
  ) {
    const location = place(line);
    const again = place(flagsOf(location).join(" "));
    assert.ok(isSamePlace(location, again), line);
    assert.deepEqual({ ...location, awsProfile: null }, { ...again, awsProfile: null }, line);
  }
});

Deno.test("parseRate understands what curl users type, within its limits", () => {
  for (
    const [text, rate] of [
      ["1000", 1000],
      ["500K", 500_000],
      ["500k", 500_000],
      ["2M", 2_000_000],
      ["1.5M", 1_500_000],
      ["1G", 1e9],
      ["1000G", 1e12],
      ["none", null],
      ["999", undefined],
      ["0", undefined],
      ["-1", undefined],
      ["1001G", undefined],
      ["5MB", undefined],
      ["1e6", undefined],
      ["", undefined],
    ] as const
  ) assert.equal(parseRate(text), rate, text);
  const kind = (n: number) => parseCommandLine(["push", "--concurrency", `${n}`]).kind;
  assert.deepEqual([1, CONCURRENCY_MAX, 0, CONCURRENCY_MAX + 1].map(kind), [
    "run",
    "run",
    "wrong",
    "wrong",
  ]);
});

Deno.test("the AWS configuration fills in what flags leave out", () => {
  const parsed = parseCommandLine(["init", "--s3", "my_bucket", "--region", "here-1"]);
  const { invocation } = parsed as Extract<CommandLine, { kind: "run" }>;
  assert.ok(invocation.command === "init");
  const { host } = platformWith({});
  const defaults = { region: "there-1", endpoint: "https://minio.example" };
  const found = placeOf(invocation, host, defaults);
  assert.ok(found.kind === "s3");
  assert.deepEqual([found.region, found.endpoint], ["here-1", "https://minio.example"]);
  const none = { ...invocation, region: undefined };
  const other = placeOf(none, host, defaults);
  assert.ok(other.kind === "s3" && other.region === "there-1");
});
