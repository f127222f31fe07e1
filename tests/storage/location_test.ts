import assert from "node:assert/strict";
import { isClaudeSyncError } from "../../src/errors.ts";
import { nodePlatform } from "../../src/platform/node.ts";
import {
  folderLocationOf,
  formatStoreLocation,
  liesWithin,
  LOCATION_PATH_LENGTH_MAX,
  type StoreLocation,
  storeLocationSchema,
} from "../../src/storage/location.ts";
import { objectName } from "../../src/storage/object_name.ts";
import { openStore } from "../../src/storage/open.ts";
import { MemoryFs } from "../support/memory_fs.ts";

const longest = `/${"x".repeat(LOCATION_PATH_LENGTH_MAX - 1)}`;

Deno.test("a location in a file may be an absolute folder of every platform", () => {
  for (const path of ["/", "/mnt/a b/ünï", "C:\\vault", "d:/vault", "\\\\nas\\share", longest]) {
    const location = storeLocationSchema.parse({ kind: "folder", path });
    assert.deepEqual(location, { kind: "folder", path });
    assert.deepEqual(folderLocationOf(path), location);
    assert.equal(formatStoreLocation(location), path);
  }
});

Deno.test("a location in a file is refused when it is anything else", () => {
  const bad: unknown[] = [
    null,
    "/mnt",
    [],
    {},
    { kind: "folder" },
    { kind: "s3", path: "/x" },
    { kind: "folder", path: 1 },
    { kind: "folder", path: "/x", more: 1 },
    ...["", "vault", "./x", "~/x", "C:vault", "/a\0b", `${longest}x`].map((path) => ({
      kind: "folder",
      path,
    })),
  ];
  for (const value of bad) {
    const { success } = storeLocationSchema.safeParse(value);
    assert.equal(success, false, JSON.stringify(value)?.slice(0, 80));
  }
  assert.throws(() => folderLocationOf("vault"), (error) => isClaudeSyncError(error, "usage"));
});

Deno.test("openStore opens what is there, and makes it only when asked", async () => {
  const platform = { ...nodePlatform(), fs: new MemoryFs() };
  const options = { platform, cacheDir: "/cache", note: () => {} };
  const location = folderLocationOf("/mnt/vault");
  await assert.rejects(
    openStore(location, options),
    (error) => isClaudeSyncError(error, "store-unreachable"),
  );
  const made = await openStore(location, { ...options, create: true });
  await made.put(objectName("a"), new Uint8Array(1));
  const opened = await openStore(location, options);
  assert.equal((await opened.get(objectName("a")))?.length, 1);
  assert.equal(opened.label, "/mnt/vault");
});

Deno.test("liesWithin knows a place that goes when another one is deleted", () => {
  const git = (url: string): StoreLocation => ({ kind: "git", url });
  const s3 = (bucket: string, prefix: string): StoreLocation => ({
    ...{ kind: "s3", bucket, prefix, region: null, endpoint: null },
    ...{ pathStyle: false, awsProfile: null },
  });
  const cases: readonly [StoreLocation, StoreLocation, boolean][] = [
    [folderLocationOf("/a/b"), folderLocationOf("/a"), true],
    [folderLocationOf("/a"), folderLocationOf("/a/b"), false],
    [folderLocationOf("/ab"), folderLocationOf("/a"), false],
    [git("/a/b.git"), folderLocationOf("/a"), true],
    [git("https://h/a/b"), git("https://h/a"), false],
    [s3("bucket", "in"), s3("bucket", ""), true],
    [s3("bucket", "one/two"), s3("bucket", "one"), true],
    [s3("bucket", "one2"), s3("bucket", "one"), false],
    [s3("bucket", ""), s3("bucket", "in"), false],
    [s3("bucket2", "in"), s3("bucket", ""), false],
    [folderLocationOf("/a"), s3("bucket", ""), false],
  ];
  for (const [inner, outer, expected] of cases) {
    assert.equal(liesWithin(inner, outer), expected, JSON.stringify([inner, outer]));
  }
});
