/** What every store must do with what it is given. Part of `store_cases.ts`. */
import assert from "node:assert/strict";
import { utf8 } from "../../src/base/bytes.ts";
import { isClaudeSyncError } from "../../src/errors.ts";
import { objectName } from "../../src/storage/object_name.ts";
import { OBJECT_BYTES_MAX } from "../../src/storage/object_store.ts";
import { itemsOf, listNames, nameA, one, patterned, type StoreCase, two } from "./objects.ts";

/** What a store does with other bytes under a name that is taken. */
export type DifferingPut = "refused" | "replaces";

/** Puts of one object. */
export function putCases(differingPut: DifferingPut): StoreCase[] {
  return [
    {
      name: "an absent object is null, an absent folder is empty",
      async run(store) {
        assert.equal(await store.get(nameA), null);
        assert.deepEqual(await listNames(store), []);
        assert.deepEqual(await listNames(store, "a/"), []);
        assert.deepEqual(await listNames(store, "a/b/c/"), []);
      },
    },
    {
      name: "get gives what put stored",
      async run(store) {
        assert.equal(await store.put(nameA, one), "created");
        assert.deepEqual(await store.get(nameA), one);
        assert.equal(await store.get(objectName("a/on")), null);
        assert.equal(await store.get(objectName("a/one-more")), null);
        assert.equal(await store.get(objectName("one")), null);
      },
    },
    differingPut === "refused" ? differingIsRefused() : differingReplaces(),
    {
      name: "the caller's bytes and the store's are apart",
      async run(store) {
        const body = utf8("before");
        await store.put(nameA, body);
        body.fill(0);
        const first = await store.get(nameA);
        assert.deepEqual(first, utf8("before"));
        first?.fill(0);
        assert.deepEqual(await store.get(nameA), utf8("before"));
      },
    },
    {
      name: "every byte value survives",
      async run(store) {
        const body = new Uint8Array(1024).map((_, index) => index & 255);
        await store.put(nameA, body);
        assert.deepEqual(await store.get(nameA), body);
      },
    },
  ];
}

function differingIsRefused(): StoreCase {
  return {
    name: "putting the same bytes again is a retry, other bytes are refused and change nothing",
    async run(store) {
      await store.put(nameA, one);
      assert.ok(["exists", "created"].includes(await store.put(nameA, one)));
      assert.deepEqual(await store.get(nameA), one);
      assert.equal(await store.put(nameA, two), "differs");
      assert.equal(await store.put(nameA, new Uint8Array(0)), "differs");
      assert.equal(await store.put(nameA, utf8("one and more")), "differs");
      assert.deepEqual(await store.get(nameA), one);
    },
  };
}

/** Such a store cannot tell; it must not say that it could. */
function differingReplaces(): StoreCase {
  return {
    name: "putting again, the same bytes or others, replaces and says that it was created",
    async run(store) {
      await store.put(nameA, one);
      assert.equal(await store.put(nameA, one), "created");
      assert.deepEqual(await store.get(nameA), one);
      assert.equal(await store.put(nameA, two), "created");
      assert.deepEqual(await store.get(nameA), two);
    },
  };
}

/** Puts of several objects. */
export function putAllCases(differingPut: DifferingPut): StoreCase[] {
  return [
    ...(differingPut === "refused" ? [differingOfSeveral()] : []),
    {
      name: "several objects put at once are all there, and again is a retry",
      async run(store) {
        const items = itemsOf(["p/1", one], ["p/2", two], ["q/1", one], ["log/1", two]);
        assert.equal(await store.putAll(items), null);
        assert.equal(await store.putAll(items), null);
        assert.deepEqual(await listNames(store), ["log/1", "p/1", "p/2", "q/1"]);
        assert.deepEqual(await store.get(objectName("p/2")), two);
        assert.equal(await store.putAll([]), null);
      },
    },
    {
      name: "the last of several is not there when one before it cannot be read",
      async run(store) {
        const failure = new RangeError("unreadable");
        const unreadable = { name: objectName("p/3"), read: () => Promise.reject(failure) };
        await assert.rejects(
          store.putAll([unreadable, ...itemsOf(["log/2", two])]),
          (error) => error === failure,
        );
        assert.equal(await store.get(objectName("log/2")), null);
      },
    },
    {
      name: "several objects past the limit of one are stored, one past it is refused",
      async run(store) {
        const large = patterned(3 * 1024 * 1024);
        assert.equal(await store.putAll(itemsOf(["p/1", large], ["p/2", large])), null);
        assert.equal((await store.get(objectName("p/2")))?.length, large.length);
        await assert.rejects(
          store.putAll(itemsOf(["p/3", new Uint8Array(OBJECT_BYTES_MAX + 1)], ["log/1", one])),
          (error) => isClaudeSyncError(error, "too-large"),
        );
        assert.equal(await store.get(objectName("log/1")), null);
      },
    },
  ];
}

function differingOfSeveral(): StoreCase {
  return {
    name: "the last of several is not there when one before it differs",
    async run(store) {
      await store.put(objectName("p/2"), two);
      const items = itemsOf(["p/1", one], ["p/2", one], ["log/1", two]);
      assert.equal(await store.putAll(items), "p/2");
      assert.equal(await store.get(objectName("log/1")), null);
      assert.deepEqual(await store.get(objectName("p/2")), two);
    },
  };
}
