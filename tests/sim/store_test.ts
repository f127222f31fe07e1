import assert from "node:assert/strict";
import { utf8 } from "../../src/base/bytes.ts";
import { type ObjectName, objectName } from "../../src/storage/object_name.ts";
import { Dice } from "./dice.ts";
import { Looks } from "./looks.ts";
import { drawOptions } from "./options.ts";
import { Report } from "./report.ts";
import { Scheduler } from "./scheduler.ts";
import type { Exposure } from "./exposure.ts";
import { SimStore, type Visitor } from "./store.ts";

const ENTRY = objectName("log/aaaaaaaaaaaaaaaa/000000000001.00000001");
const OTHER = objectName("log/bbbbbbbbbbbbbbbb/000000000001.00000002");

/** What a run does: it lists below a prefix, or something happens meanwhile. */
type Step = string | (() => unknown);

/** A store with one entry, which the visitor has accepted. */
async function makeStore(): Promise<{
  readonly store: SimStore;
  readonly put: (name: ObjectName) => Promise<unknown>;
  readonly list: (steps: readonly Step[]) => Promise<Exposure>;
}> {
  const dice = new Dice(1);
  const honest = { lists: "fresh", failBefore: 0, failAfter: 0, delay: 0 } as const;
  const options = { ...drawOptions(1, dice, []), ...honest };
  const scheduler = new Scheduler(0);
  const store = new SimStore(scheduler, dice, options, new Report(1), new Looks());
  const visit = (name: string): Visitor => ({
    name,
    isAlive: true,
    sleepsUntilMs: () => 0,
    onCall: () => {},
    exposure: {
      lies: new Set(),
      mustNotice: new Map(),
      isVaultHidden: false,
      hasFailed: false,
      logNames: new Set(),
      hasLooked: false,
    },
    accepted: new Set([ENTRY]),
    known: new Set(),
    beganMs: scheduler.nowMs,
  });
  const put = (name: ObjectName) => store.open(visit("bert")).put(name, utf8(name));
  const list = async (steps: readonly Step[]) => {
    const visitor = visit("anna");
    const work = async () => {
      for (const step of steps) {
        if (typeof step !== "string") await step();
        else await Array.fromAsync(store.open(visitor).list(step));
      }
    };
    const done = work();
    await scheduler.runUntil(() => false);
    await done;
    return visitor.exposure;
  };
  await list([() => put(ENTRY)]);
  return { store, put, list };
}

const KINDS = ["replay", "remove", "hide-log"] as const;

Deno.test("a lie about the logs must be noticed by whoever looks at them", async () => {
  for (const kind of KINDS) {
    const { store, list } = await makeStore();
    store.lie(kind, null);
    for (const prefixes of [["log/"], [""], ["packs/", ""], ["log/", ""]]) {
      const { lies, mustNotice } = await list(prefixes);
      assert.deepEqual([...lies], [kind]);
      assert.equal(mustNotice.size, 1, `${kind}: ${JSON.stringify(prefixes)}`);
    }
  }
});

Deno.test("what a list shows or hides that is none of a look is for the next look", async () => {
  for (const kind of KINDS) {
    const { store, list } = await makeStore();
    const beginToLie = () => store.lie(kind, null);
    const { lies, mustNotice } = await list(["log/", beginToLie, ""]);
    assert.deepEqual([[...lies], mustNotice.size], [[kind], 0]);
    const next = await list(["log/", "", "log/"]);
    assert.equal(next.mustNotice.size, 1, kind);
  }
});

Deno.test("what is shown right when it is looked at again is forgiven", async () => {
  for (const kind of KINDS) {
    const { store, list } = await makeStore();
    store.lie(kind, null);
    const { lies, mustNotice } = await list(["log/", () => store.repent(), "log/"]);
    assert.deepEqual([[...lies], mustNotice.size], [[kind], 0]);
  }
});

Deno.test("a run has accepted what it has looked at, not what it has only counted", async () => {
  const { put, list } = await makeStore();
  const { logNames } = await list(["log/", () => put(OTHER), ""]);
  assert.deepEqual([...logNames], [ENTRY]);
  assert.deepEqual([...(await list([""])).logNames].sort(), [ENTRY, OTHER]);
});
