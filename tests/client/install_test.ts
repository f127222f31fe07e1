import assert from "node:assert/strict";
import { CURRENT, EARLIER, installClient, OLDEST } from "./install.ts";

for (const version of [CURRENT, EARLIER, OLDEST]) {
  Deno.test(`installClient gives a Claude Code ${version} that starts here`, async () => {
    const client = await installClient(version);
    assert.equal(client.version, version);
    assert.notEqual(client.command[0], "");
  });
}
