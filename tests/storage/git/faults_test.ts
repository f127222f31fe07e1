/** Two machines and a real server, with a line between them that fails in every way. */
import assert from "node:assert/strict";
import { nodePlatform } from "../../../src/platform/node.ts";
import { objectName } from "../../../src/storage/object_name.ts";
import type { ObjectStore } from "../../../src/storage/object_store.ts";
import { withRetry } from "../../../src/storage/with_retry.ts";
import { itemsOf, listNames, one, patterned, two } from "../../conformance/objects.ts";
import { type FaultRule, startFaultProxy } from "../../servers/fault_proxy.ts";
import { startGitHttp } from "../../servers/git_http.ts";
import { makeRepository } from "../../servers/git_repository.ts";
import { whySkipped } from "../../servers/servers.ts";
import { withGitWorld } from "./git_world.ts";

const platform = nodePlatform();
const large = patterned(700_000);

/** As `sync` has it, with short pauses. */
function patient(store: ObjectStore): ObjectStore {
  const { random } = platform;
  const clock = { ...platform.clock, sleep: () => Promise.resolve() };
  return withRetry(store, { clock, random, budgetMs: 600_000, attemptsMax: 20 });
}

/** What two machines do in turn. */
async function job(a: ObjectStore, b: ObjectStore): Promise<void> {
  await a.put(objectName("claude-sync.json"), one);
  assert.equal(await a.putAll(itemsOf(["packs/1", large], ["log/a/1", one])), null);
  assert.deepEqual(await listNames(b, "log/"), ["log/a/1"]);
  assert.deepEqual(await b.get(objectName("log/a/1")), one);
  assert.deepEqual(await b.get(objectName("packs/1")), large);
  assert.equal(await b.putAll(itemsOf(["packs/2", large], ["log/b/1", two])), null);
  assert.deepEqual(await listNames(a, "log/"), ["log/a/1", "log/b/1"]);
  assert.deepEqual(await a.get(objectName("packs/2")), large);
}

/** A list with news is up to six requests, which must get through in a row some time. */
const some = (count: number) => count % 11 === 3 || count % 11 === 5;
const push = { method: "POST", target: /git-receive-pack/ };
const fetch = { method: "POST", target: /git-upload-pack/ };

const FAULTS: readonly (readonly [name: string, rule: FaultRule])[] = [
  ["latency", { fault: { kind: "latency", ms: 50 } }],
  ["503", { fault: { kind: "answer", status: 503 }, nth: some }],
  [
    "429",
    { fault: { kind: "answer", status: 429, headers: [["Retry-After", "1"]] }, nth: some },
  ],
  ["an upload that is cut", {
    ...push,
    fault: { kind: "reset-request", afterBytes: 1000 },
    nth: some,
  }],
  ["a push whose answer is cut", {
    ...push,
    fault: { kind: "reset-response", afterBytes: 10 },
    nth: (count) => count % 2 === 1,
  }],
  ["a fetch that is cut", {
    ...fetch,
    fault: { kind: "reset-response", afterBytes: 300 },
    nth: some,
  }],
  ["an answer that ends early", { ...fetch, fault: { kind: "truncate", share: 0.5 }, nth: some }],
  ["a list that ends early", {
    method: "GET",
    fault: { kind: "truncate", share: 0.5 },
    nth: some,
  }],
  ["requests that arrive twice", { ...push, fault: { kind: "duplicate" }, nth: some }],
  ["a slow drip", { fault: { kind: "drip", bytes: 20_000, everyMs: 2 } }],
];

for (const [name, rule] of FAULTS) {
  Deno.test({
    name: `two machines get through: ${name}`,
    ignore: whySkipped("git-http") !== null,
    fn: () =>
      withGitWorld(async (world) => {
        await using server = await startGitHttp({ auth: "none" });
        await using proxy = await startFaultProxy({ upstream: server.origin });
        const repository = await makeRepository(server.folder, "x");
        const url = `${proxy.origin}/x.git`;
        await world.open("admin", { url, create: true });
        const fault = proxy.inject(rule);
        const [a, b] = [await world.open("a", { url }), await world.open("b", { url })];
        await job(patient(a), patient(b));
        assert.ok(fault.hits > 0, "the fault was made");
        fault.remove();
        const c = await world.open("c", { url });
        const names = ["claude-sync.json", "log/a/1", "log/b/1", "packs/1", "packs/2"];
        assert.deepEqual(await listNames(c), names);
        assert.deepEqual(await c.get(objectName("packs/1")), large);
        world.gitIn(repository, "fsck", "--strict");
        const refs = world.gitIn(repository, "for-each-ref", "--format=%(refname)");
        assert.equal(refs.split("\n").length, 4, "no branch was begun without need");
      }),
  });
}
