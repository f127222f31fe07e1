import assert from "node:assert/strict";
import { startServerHost } from "./host.ts";
import { whySkipped } from "./servers.ts";

async function ask(origin: string, path: string) {
  const response = await fetch(`${origin}/${path}`, { method: "POST" });
  return { status: response.status, text: await response.text() };
}

Deno.test("startServerHost starts a server once, whoever asks", async () => {
  if (whySkipped("sshd") !== null) return;
  const host = await startServerHost();
  try {
    const answers = await Promise.all([1, 2, 3].map(() => ask(host.origin, "start/sshd")));
    assert.equal(new Set(answers.map(({ text }) => text)).size, 1);
    assert.equal(answers[0]!.status, 200, answers[0]!.text);
    assert.match(host.report().join("\n"), /^server sshd: used, started in \d+ ms$/m);
  } finally {
    await host.close();
  }
});

Deno.test("startServerHost keeps account of what was tested", async () => {
  const host = await startServerHost();
  try {
    assert.deepEqual(host.untested().slice(0, 2), ["folder", "memory"]);
    for (const name of ["folder", "folder"]) await ask(host.origin, `tested/${name}`);
    assert.ok(host.report().includes("store folder: tested, 2 cases"));
    assert.ok(host.report().includes("store memory: not tested in this run"));
    assert.ok(!host.untested().includes("folder"));
    assert.equal((await ask(host.origin, "start/no-such")).status, 404);
    assert.equal((await ask(host.origin, "start/toString")).status, 404);
  } finally {
    await host.close();
  }
});
