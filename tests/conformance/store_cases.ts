/**
 * What every store must do, without a test runner. A driver hooks up in a few lines: see
 * `tests/storage/memory/store_test.ts`.
 */
import assert from "node:assert/strict";
import { type Bytes, utf8 } from "../../src/base/bytes.ts";
import { isClaudeSyncError } from "../../src/errors.ts";
import {
  OBJECT_NAME_BYTES_MAX,
  type ObjectName,
  objectName,
} from "../../src/storage/object_name.ts";
import { OBJECT_BYTES_MAX, type ObjectStore } from "../../src/storage/object_store.ts";
import { itemsOf, listNames, nameA, one, patterned, type StoreCase, two } from "./objects.ts";
import { type DifferingPut, putAllCases, putCases } from "./put_cases.ts";

export { listNames, type StoreCase } from "./objects.ts";

/** What a test asks for beyond the portable contract. */
export interface StoreCasesOptions {
  /** Leaves out the largest objects, for real servers over a slow line. Default false. */
  readonly skipLargest?: boolean;
  /**
   * `replaces`: for a store without conditional writes, which the contract allows as no name is
   * ever used for other bytes. Default `refused`.
   */
  readonly differingPut?: DifferingPut;
}

/** All promises of the contract. */
export function storeCases(options: StoreCasesOptions = {}): StoreCase[] {
  const { differingPut = "refused" } = options;
  return [
    ...putCases(differingPut),
    ...putAllCases(differingPut),
    ...nameCases(),
    ...sizeCases(options),
    ...orderCases(),
    ...listCases(),
    ...deleteCases(),
    ...abortCases(),
    ...raceCases(),
  ];
}

function nameCases(): StoreCase[] {
  return [
    {
      name: "every allowed form of a name works and is listed",
      async run(store) {
        const names = oddNames();
        assert.equal(
          await store.putAll(itemsOf(...names.map((name) => [name, utf8(name)] as const))),
          null,
        );
        for (const name of names) assert.deepEqual(await store.get(name), utf8(name), name);
        assert.deepEqual(await listNames(store), [...names].sort());
      },
    },
    {
      name: "a name that is no object name is a bug, never a path",
      async run(store) {
        for (const text of ["../x", "/x", "a//b", "A", "a/", "", ".x", "a/../b", "c:x", "a\\b"]) {
          const isBug = (error: unknown) => isClaudeSyncError(error, "bug");
          await assert.rejects(store.get(text as ObjectName), isBug, text);
          await assert.rejects(store.put(text as ObjectName, one), isBug, text);
          await assert.rejects(store.delete(text as ObjectName), isBug, text);
        }
        assert.deepEqual(await listNames(store), []);
      },
    },
  ];
}

function oddNames(): ObjectName[] {
  const alphabet = "0123456789_abcdefghijklmnopqrstuvwxyz";
  const longest = "x".repeat(OBJECT_NAME_BYTES_MAX - "long/".length);
  return [
    ...[...alphabet].map((character) => objectName(`chars/${character}`)),
    ...["a-", "a--b", "a.b.c", "a_b", "_", "0", "a-.b", "x.json"].map(objectName),
    objectName("1/2/3/4/5/6/7/8/9/deep"),
    objectName(`long/${longest}`),
    objectName(`pack/${alphabet}-.x`),
  ];
}

function sizeCases({ skipLargest = false }: StoreCasesOptions): StoreCase[] {
  const cases: StoreCase[] = [
    {
      name: "an empty object is not an absent one",
      async run(store) {
        assert.equal(await store.put(nameA, new Uint8Array(0)), "created");
        assert.equal((await store.get(nameA))?.length, 0);
        for await (const info of store.list("")) assert.equal(info.sizeBytes, 0);
        assert.deepEqual(await listNames(store), [nameA]);
      },
    },
    {
      name: "an object of 8 MiB, as packs are, comes back",
      run: (store) => assertRoundTrip(store, patterned(8 * 1024 * 1024)),
    },
    {
      name: "an object past the limit is too large and is not stored",
      async run(store) {
        const body = new Uint8Array(OBJECT_BYTES_MAX + 1);
        await assert.rejects(
          store.put(nameA, body),
          (error) => isClaudeSyncError(error, "too-large"),
        );
        assert.equal(await store.get(nameA), null);
      },
    },
  ];
  if (skipLargest) return cases;
  cases.push({
    name: "an object at the limit comes back",
    run: (store) => assertRoundTrip(store, patterned(OBJECT_BYTES_MAX)),
  });
  return cases;
}

async function assertRoundTrip(store: ObjectStore, body: Bytes): Promise<void> {
  assert.equal(await store.put(nameA, body), "created");
  const got = await store.get(nameA);
  // Compared by hand: an assertion would print megabytes.
  assert.ok(got !== null && got.length === body.length && got.every((b, i) => b === body[i]));
  for await (const info of store.list("a/")) assert.equal(info.sizeBytes, body.length);
}

function orderCases(): StoreCase[] {
  return [
    {
      name: "list is sorted by bytes, however folders are cut",
      async run(store) {
        // In byte order: "-" < "." < "/" < "0" < "_" < "a".
        const names = [
          "a-b/z",
          "a-x",
          "a.b",
          "a/z/1",
          "a/zz",
          "a0",
          "a_",
          "aa",
          "b/1",
          "b/10",
          "b/2",
        ];
        const items = names.toReversed().map((name) => [name, one] as const);
        assert.equal(await store.putAll(itemsOf(...items)), null);
        assert.deepEqual(await listNames(store), names);
        assert.deepEqual(await listNames(store, "a/"), ["a/z/1", "a/zz"]);
        assert.deepEqual(await listNames(store, "b/"), ["b/1", "b/10", "b/2"]);
        for (const after of [...names, "a", "a-", "a/z", "a/z/0", "a/z/2", "b", "c", "0"]) {
          const expected = names.filter((name) => name > after);
          assert.deepEqual(
            await listNames(store, "", { after: objectName(after) }),
            expected,
            after,
          );
        }
        assert.deepEqual(await listNames(store, "b/", { after: objectName("b/1") }), [
          "b/10",
          "b/2",
        ]);
        assert.deepEqual(await listNames(store, "b/", { after: objectName("a") }), [
          "b/1",
          "b/10",
          "b/2",
        ]);
        assert.deepEqual(await listNames(store, "a/", { after: objectName("b") }), []);
      },
    },
  ];
}

function listCases(): StoreCase[] {
  return [
    {
      name: "list goes on past a thousand objects",
      async run(store) {
        const names = Array.from({ length: 1005 }, (_, index) => `many/${1000 + index}`);
        await store.putAll(itemsOf(...names.map((name) => [name, one] as const)));
        assert.deepEqual(await listNames(store, "many/"), names);
        assert.deepEqual(
          await listNames(store, "many/", { after: objectName("many/1999") }),
          names.slice(1000),
        );
      },
    },
    {
      name: "list tells sizes",
      async run(store) {
        await store.put(objectName("a/3"), utf8("123"));
        await store.put(objectName("a/5"), utf8("12345"));
        const sizes: [string, number][] = [];
        for await (const { name, sizeBytes } of store.list("a/")) sizes.push([name, sizeBytes]);
        assert.deepEqual(sizes, [["a/3", 3], ["a/5", 5]]);
      },
    },
    {
      name: "list may be left early and started again",
      async run(store) {
        for (const name of ["a/1", "a/2", "a/3"]) await store.put(objectName(name), one);
        for await (const { name } of store.list("a/")) {
          assert.equal(name, "a/1");
          break;
        }
        assert.equal((await listNames(store, "a/")).length, 3);
      },
    },
    {
      name: "a prefix that is no folder is a bug",
      async run(store) {
        for (const prefix of ["a", "/", "a//", "../", "A/"]) {
          await assert.rejects(
            listNames(store, prefix),
            (error) => isClaudeSyncError(error, "bug"),
            prefix,
          );
        }
      },
    },
  ];
}

function deleteCases(): StoreCase[] {
  return [
    {
      name: "delete removes one object, and again is no error",
      async run(store) {
        await store.put(objectName("a/1"), one);
        await store.put(objectName("a/2"), two);
        await store.delete(objectName("a/1"));
        await store.delete(objectName("a/1"));
        await store.delete(objectName("never/was"));
        assert.equal(await store.get(objectName("a/1")), null);
        assert.deepEqual(await listNames(store), ["a/2"]);
        await store.delete(objectName("a/2"));
        assert.deepEqual(await listNames(store), []);
      },
    },
    {
      name: "a folder's name is not an object",
      async run(store) {
        await store.put(objectName("a/b/c"), one);
        for (const read of [() => store.get(objectName("a/b"))]) {
          const got = await read().catch((error) => {
            assert.ok(isClaudeSyncError(error, "store-invalid"));
            return null;
          });
          assert.equal(got, null);
        }
        await store.delete(objectName("a/b")).catch((error) => {
          assert.ok(isClaudeSyncError(error, "store-invalid"));
        });
        assert.deepEqual(await store.get(objectName("a/b/c")), one);
      },
    },
  ];
}

function abortCases(): StoreCase[] {
  return [
    {
      name: "an aborted call rejects with the signal's reason and changes nothing",
      async run(store) {
        const reason = new RangeError("enough");
        const signal = AbortSignal.abort(reason);
        const isReason = (error: unknown) => error === reason;
        await store.put(nameA, one);
        await assert.rejects(store.get(nameA, { signal }), isReason);
        await assert.rejects(store.put(objectName("a/two"), two, { signal }), isReason);
        await assert.rejects(store.delete(nameA, { signal }), isReason);
        await assert.rejects(listNames(store, "", { signal }), isReason);
        assert.deepEqual(await listNames(store), [nameA]);
      },
    },
    {
      name: "a list that is aborted on the way stops with the signal's reason",
      async run(store) {
        for (const name of ["a/1", "a/2", "b/1"]) await store.put(objectName(name), one);
        const reason = new RangeError("enough");
        const controller = new AbortController();
        await assert.rejects(async () => {
          for await (const { name } of store.list("", { signal: controller.signal })) {
            assert.equal(name, "a/1");
            controller.abort(reason);
          }
        }, (error) => error === reason);
      },
    },
  ];
}

function raceCases(): StoreCase[] {
  return [
    {
      name: "many puts side by side all arrive",
      async run(store) {
        const names = Array.from(
          { length: 40 },
          (_, index) => objectName(`r${index % 5}/${index}`),
        );
        const outcomes = await Promise.all(names.map((name) => store.put(name, utf8(name))));
        assert.ok(outcomes.every((outcome) => outcome === "created"));
        const bodies = await Promise.all(names.map((name) => store.get(name)));
        assert.deepEqual(bodies, names.map((name) => utf8(name)));
        assert.equal((await listNames(store)).length, 40);
      },
    },
    {
      name: "the same object put by several at once is there once, whole",
      async run(store) {
        const body = patterned(100_000);
        const outcomes = await Promise.all([1, 2, 3, 4].map(() => store.put(nameA, body)));
        assert.ok(outcomes.includes("created"));
        assert.ok(!outcomes.includes("differs"));
        assert.deepEqual(await listNames(store), [nameA]);
        assert.equal((await store.get(nameA))?.length, body.length);
      },
    },
  ];
}
