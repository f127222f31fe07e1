/** The commands about stores, from flags to exit code, on a real server that speaks S3. */
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { join } from "node:path";
import type { S3Address } from "../servers/s3_address.ts";
import { serverTest } from "../servers/servers.ts";
import { runOn } from "../support/cli_run.ts";
import { freshBucketName } from "../support/s3_bucket.ts";
import { inTempDir, said, SyncMachine } from "../support/sync_machine.ts";

const ID = "3f2a0000-0000-4000-8000-000000000001";

async function works(machine: SyncMachine, line: string, input = ""): Promise<string> {
  const { exit, printed } = await runOn(machine, line.split(" "), { input });
  assert.equal(exit, 0, `${line}: ${printed}`);
  return printed;
}

function machineWith({ accessKeyId, secretAccessKey }: S3Address, name: string, dir: string) {
  const env = { AWS_ACCESS_KEY_ID: accessKeyId, AWS_SECRET_ACCESS_KEY: secretAccessKey };
  return new SyncMachine({ name, dir, env });
}

function speak(machine: SyncMachine, text: string): void {
  const facts = { session: ID, cwd: machine.project, atMs: Date.now() - 60_000 };
  machine.writeTranscript(ID, said("user", text, facts) + said("assistant", "yes", facts));
}

serverTest(
  "rgw",
  "a vault is made in a bucket, tested, and taken to another prefix",
  (server) =>
    inTempDir(async (dir) => {
      const [a, b] = [machineWith(server, "anna", dir), machineWith(server, "bert", dir)];
      const bucket = freshBucketName();
      const place = `--s3 ${bucket}/one --endpoint ${server.endpoint}`;
      const absent = await runOn(a, `init ${place}`.split(" "));
      assert.deepEqual([absent.exit, existsSync(join(a.home, ".claude-sync"))], [10, false]);
      assert.match(absent.printed, /--create-bucket/);
      const made = await works(a, `init ${place} --create-bucket`);
      assert.match(made, /put, get and list work, \d+ ms away/);
      assert.match(made, /Credentials +environment/);
      const again = await works(a, `init ${place}`);
      assert.match(again, /^This machine uses that vault already, and reaches it as you say now\./);
      speak(a, "hello");
      await works(a, "push");
      const key = (await works(a, "key export")).trim();
      await works(b, `init ${place}`);
      await works(b, "key import", key);
      assert.match(await works(b, "pull"), /Pulled 1 session from anna/);
      const info = JSON.parse(await works(a, "store info --json"));
      assert.deepEqual([info.entries.objects, info.strangers.objects, info.cost], [1, 0, null]);
      assert.equal(info.concurrency > 1, true);
      const test = JSON.parse(await works(a, "store test --json"));
      assert.ok(test.steps.every(({ outcome }: { outcome: string }) => outcome === "ok"));
      // Another prefix is another place, to go to and not to fall into.
      const other = `--s3 ${bucket}/two --endpoint ${server.endpoint}`;
      assert.equal((await runOn(a, `init ${other}`.split(" "))).exit, 1);
      assert.match(await works(a, `store move ${other} --dry-run`), /Would copy 2 objects/);
      assert.match(await works(a, `store move ${other}`), /2 copied .* 2 read back/);
      speak(a, "hello again, in the new place");
      await works(a, "push");
      assert.match(await works(b, `init ${other}`), /in the new place from now on/);
      assert.match(await works(b, "pull"), /Pulled 1 session/);
      assert.match(await works(b, "verify --read-data"), /No damage/);
      // And out of the bucket again.
      await works(b, `store move --dir ${join(dir, "folder")}`);
      assert.match(await works(b, "verify --read-data"), /No damage/);
    }),
);

serverTest(
  "rgw",
  "keys that do not work are said to be refused, and not kept",
  (server) =>
    inTempDir(async (dir) => {
      const a = new SyncMachine({ name: "anna", dir });
      const bucket = freshBucketName();
      const init = `init --s3 ${bucket} --endpoint ${server.endpoint} --create-bucket`;
      const none = await runOn(a, init.split(" "));
      assert.equal(none.exit, 4, none.printed);
      const keep = `${init} --save-credentials`;
      const wrong = await runOn(a, keep.split(" "), {
        input: `${server.accessKeyId}\nwrong\n`,
      });
      assert.equal(wrong.exit, 4, wrong.printed);
      assert.equal(existsSync(join(a.home, ".claude-sync", "credentials.json")), false);
      await works(a, keep, `${server.accessKeyId}\n${server.secretAccessKey}\n`);
      speak(a, "hello");
      await works(a, "push");
      assert.match(await works(a, "store info"), /kept keys/);
    }),
);

serverTest(
  "rgw",
  "of two machines that make a vault in one moment, one joins the other's",
  (server) =>
    inTempDir(async (dir) => {
      const bucket = freshBucketName();
      const place = `--s3 ${bucket} --endpoint ${server.endpoint}`;
      // In such a bucket, with versions, the server overwrites what it was told not to.
      await works(machineWith(server, "first", dir), `init ${place} --create-bucket`);
      for (let round = 1; round <= 3; round++) {
        const pair = ["anna", "bert"].map((name) => machineWith(server, `${name}-${round}`, dir));
        const line = `init --s3 ${bucket}/${round} --endpoint ${server.endpoint} --json`;
        const answers = await Promise.all(pair.map((machine) => works(machine, line)));
        const [one, two] = answers.map((text) => JSON.parse(text));
        assert.equal(one.vaultId, two.vaultId);
        assert.deepEqual([one.outcome, two.outcome].sort(), ["created", "needs-key"]);
        const keys = pair.filter(({ home }) => existsSync(join(home, ".claude-sync", "key")));
        assert.equal(keys.length, 1, "one key, and it is the vault's");
      }
    }),
);

serverTest(
  "rgw",
  "a dry run with --create-bucket says what it would do",
  (server) =>
    inTempDir(async (dir) => {
      const a = machineWith(server, "anna", dir);
      const place = `--s3 ${freshBucketName()} --endpoint ${server.endpoint} --create-bucket`;
      assert.match(await works(a, `init ${place} --dry-run`), /^Would make a new vault/);
      await works(a, `init --dir ${join(dir, "here")}`);
      assert.match(await works(a, `store move ${place} --dry-run`), /^Would copy 1 object/);
      const without = place.replace(" --create-bucket", "");
      const refused = await runOn(a, `store move ${without} --dry-run`.split(" "));
      assert.equal(refused.exit, 10, refused.printed);
      // The probe's random name means nothing to anybody.
      const missing = await runOn(machineWith(server, "bert", dir), `init ${without}`.split(" "));
      assert.equal(missing.exit, 10, missing.printed);
      assert.doesNotMatch(missing.printed, /what|probe/);
    }),
);
