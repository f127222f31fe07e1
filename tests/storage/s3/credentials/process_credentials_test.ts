import assert from "node:assert/strict";
import fs from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { nodePlatform } from "../../../../src/platform/node.ts";
import { splitCommandLine } from "../../../../src/storage/credentials/command_line.ts";
import { processCredentials } from "../../../../src/storage/s3/credentials/process_credentials.ts";
import { failureOf } from "../../../support/credential_world.ts";

const platform = nodePlatform();

/** Prints its arguments as the keys' parts, and complains with one of them. */
const TOOL = `#!/bin/sh
echo "complaint: $2" >&2
[ -n "$3" ] && exit "$3"
printf '{"Version":1,"AccessKeyId":"%s","SecretAccessKey":"%s"}' "$1" "$2"
`;

Deno.test({
  name: "processCredentials runs a real program, and no shell reads its command",
  ignore: platform.host.os === "windows",
  async fn() {
    const folder = fs.mkdtempSync(join(tmpdir(), "css process "));
    try {
      const tool = join(folder, "my tool");
      fs.writeFileSync(tool, TOOL, { mode: 0o700 });
      const run = (command: string) => {
        const argv = splitCommandLine(command, platform.host.os) ?? [];
        const program = { argv, label: "The tool", from: "test", hint: "" };
        return processCredentials(program, platform);
      };
      const keys = await run(`'${tool}' $HOME;id "\`id\`$(id)>y"`);
      assert.equal(keys.accessKeyId, "$HOME;id");
      assert.equal(keys.secretAccessKey, "`id`$(id)>y");
      assert.deepEqual(fs.readdirSync(folder), ["my tool"]);
    } finally {
      fs.rmSync(folder, { recursive: true, force: true });
    }
  },
});

Deno.test({
  name: "processCredentials shows nothing of what a failing program says",
  ignore: platform.host.os === "windows",
  async fn() {
    const argv = ["/bin/sh", "-c", TOOL, "tool", "AKID", "s3cr3t", "7"];
    const program = { argv, label: "The tool", from: "test", hint: "" };
    const error = await failureOf(() => processCredentials(program, platform), ["s3cr3t"]);
    assert.equal(error.message, "The tool fails (exit code 7)");
    const gone = { ...program, argv: ["/gone/tool", "s3cr3t"] };
    const absent = await failureOf(() => processCredentials(gone, platform), ["s3cr3t"]);
    assert.match(absent.message, /there is no such program/);
  },
});
