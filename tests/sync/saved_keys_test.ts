import assert from "node:assert/strict";
import { chmodSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { isClaudeSyncError } from "../../src/errors.ts";
import { r2LocationOf, s3LocationOf } from "../../src/storage/place.ts";
import {
  ACCESS_KEY_LENGTH_MAX,
  parseKeyPair,
  PLACES_MAX,
  readSavedKeys,
  saveKeys,
  SECRET_KEY_LENGTH_MAX,
} from "../../src/sync/saved_keys.ts";
import { inTempDir, SyncMachine } from "../support/sync_machine.ts";

function bucket(name: string, endpoint: string | null = null) {
  const none = { region: null, pathStyle: false, awsProfile: null };
  return s3LocationOf({ bucket: name, endpoint, ...none });
}

const PAIR = { accessKeyId: "AKIAEXAMPLE", secretAccessKey: "hush/+=hush" };

Deno.test("keys are kept for the place they were given for, in a closed file", () =>
  inTempDir((dir) => {
    const { platform, home } = new SyncMachine({ name: "anna", dir });
    const folder = join(home, ".claude-sync");
    assert.equal(readSavedKeys(platform, folder, bucket("acme")), null);
    saveKeys(platform, folder, bucket("acme"), PAIR);
    const other = { ...PAIR, accessKeyId: "OTHER" };
    saveKeys(platform, folder, bucket("acme", "https://minio.example"), other);
    assert.deepEqual(readSavedKeys(platform, folder, bucket("acme")), PAIR);
    assert.deepEqual(
      readSavedKeys(platform, folder, bucket("acme", "https://minio.example")),
      other,
    );
    for (const elsewhere of [bucket("acme/x"), bucket("acme", "https://evil.example")]) {
      assert.equal(readSavedKeys(platform, folder, elsewhere), null);
    }
    const account = "0".repeat(32);
    const r2 = { bucket: "acme", account, endpoint: null, jurisdiction: null, awsProfile: null };
    assert.equal(readSavedKeys(platform, folder, r2LocationOf(r2)), null);
    const path = join(folder, "credentials.json");
    assert.equal(statSync(path).mode & 0o777, 0o600);
    assert.equal(statSync(folder).mode & 0o777, 0o700);
    saveKeys(platform, folder, bucket("acme"), other);
    assert.deepEqual(readSavedKeys(platform, folder, bucket("acme")), other);
    assert.ok(!readFileSync(path, "utf8").includes(PAIR.accessKeyId), "the old pair is gone");
    return Promise.resolve();
  }));

Deno.test("no more places than the limit are kept, the oldest goes", () =>
  inTempDir((dir) => {
    const { platform, home } = new SyncMachine({ name: "anna", dir });
    for (let n = 0; n <= PLACES_MAX; n++) saveKeys(platform, home, bucket(`acme-${n}`), PAIR);
    assert.equal(readSavedKeys(platform, home, bucket("acme-0")), null);
    assert.deepEqual(readSavedKeys(platform, home, bucket("acme-1")), PAIR);
    assert.deepEqual(readSavedKeys(platform, home, bucket(`acme-${PLACES_MAX}`)), PAIR);
    return Promise.resolve();
  }));

Deno.test("a file of keys that others can read or that is none is refused, and not quoted", () =>
  inTempDir((dir) => {
    const { platform, home } = new SyncMachine({ name: "anna", dir });
    const path = join(home, "credentials.json");
    for (const text of ["hush", `{"hush":1}`, `{"version":1,"places":[{"store":"hush"}]}`]) {
      writeFileSync(path, text, { mode: 0o600 });
      assert.throws(() => readSavedKeys(platform, home, bucket("acme")), (error) => {
        assert.ok(isClaudeSyncError(error, "malformed-file"));
        for (let at: unknown = error; at instanceof Error; at = at.cause) {
          assert.ok(!at.message.includes("hush"), at.message);
        }
        return true;
      });
    }
    chmodSync(home, 0o755);
    chmodSync(path, 0o644);
    assert.throws(
      () => readSavedKeys(platform, home, bucket("acme")),
      (error) => isClaudeSyncError(error, "unsafe-file"),
    );
    return Promise.resolve();
  }));

Deno.test("parseKeyPair takes printable pairs up to the limits", () => {
  assert.deepEqual(parseKeyPair(PAIR.accessKeyId, PAIR.secretAccessKey), PAIR);
  const [id, secret] = ["i".repeat(ACCESS_KEY_LENGTH_MAX), "s".repeat(SECRET_KEY_LENGTH_MAX)];
  assert.ok(parseKeyPair(id, secret));
  for (
    const [badId, badSecret] of [
      ["", secret],
      [id, ""],
      [`${id}i`, secret],
      [id, `${secret}s`],
      ["a b", secret],
      ["a\r\nx-evil: 1", secret],
      [id, "ü"],
    ] as const
  ) assert.equal(parseKeyPair(badId, badSecret), null);
});
