import assert from "node:assert/strict";
import { utf8 } from "../../../src/base/bytes.ts";
import { ClaudeSyncError, isClaudeSyncError } from "../../../src/errors.ts";
import type { BucketRequest } from "../../../src/storage/bucket/client.ts";
import { EMPTY_PAGES_MAX, listKeys } from "../../../src/storage/bucket/lister.ts";
import { parseListPage } from "../../../src/storage/bucket/list_page.ts";

interface Page {
  readonly keys: readonly string[];
  readonly token?: string;
  readonly isTruncated?: boolean;
}

const page = ({ keys, token, isTruncated = token !== undefined }: Page) =>
  utf8(
    `<ListBucketResult><IsTruncated>${isTruncated}</IsTruncated>` +
      keys.map((key) => `<Contents><Key>${key}</Key><Size>1</Size></Contents>`).join("") +
      (token === undefined ? "" : `<NextContinuationToken>${token}</NextContinuationToken>`) +
      "</ListBucketResult>",
  );

/** Lists from pages made for each request; gives the keys and the queries that were sent. */
async function listed(
  answerTo: (query: Record<string, string>, count: number) => Page,
  after: string | null = null,
) {
  const queries: Record<string, string>[] = [];
  const keys: string[] = [];
  const source = {
    host: "s3.example.com",
    send: ({ query = {} }: BucketRequest) => {
      queries.push({ ...query });
      const body = page(answerTo(query, queries.length));
      return Promise.resolve({ status: 200, headers: new Map(), body, error: null });
    },
    failure: () => new ClaudeSyncError("bug", "no failure was made"),
    listVersion: 2 as const,
    onVersion1: () => {},
  };
  for await (const { key } of listKeys(source, { prefix: "p/", after }, {})) keys.push(key);
  return { keys, queries };
}

const isEndless = (error: unknown) => isClaudeSyncError(error, "store-invalid");

Deno.test("listKeys follows the tokens of a list", async () => {
  const { keys, queries } = await listed(({ "continuation-token": token }) =>
    token === undefined ? { keys: ["p/1"], token: "a+/=" } : { keys: ["p/2"] }
  );
  assert.deepEqual(keys, ["p/1", "p/2"]);
  assert.deepEqual(queries, [
    { "list-type": "2", prefix: "p/" },
    { "list-type": "2", prefix: "p/", "continuation-token": "a+/=" },
  ]);
});

Deno.test("listKeys goes on with version 1 where a list is cut and has no token", async () => {
  const { keys, queries } = await listed(({ marker }) =>
    marker === undefined ? { keys: ["p/1", "p/2"], isTruncated: true } : { keys: ["p/3"] }
  );
  assert.deepEqual(keys, ["p/1", "p/2", "p/3"]);
  assert.deepEqual(queries[1], { prefix: "p/", marker: "p/2" });
});

Deno.test("listKeys begins where it is told, also where version 2 is taken for 1", async () => {
  const all = ["p/1", "p/2", "p/3", "p/4"];
  const { keys, queries } = await listed(({ marker = "" }) => {
    const rest = all.filter((key) => key > marker);
    return { keys: rest.slice(0, 2), isTruncated: rest.length > 2 };
  }, "p/3");
  assert.deepEqual(keys, ["p/4"]);
  assert.deepEqual(queries, [
    { "list-type": "2", prefix: "p/", "start-after": "p/3" },
    { prefix: "p/", marker: "p/3" },
  ]);
});

Deno.test("listKeys passes empty pages, but not for ever", async () => {
  const { keys } = await listed((_, count) =>
    count <= EMPTY_PAGES_MAX ? { keys: [], token: `${count}` } : { keys: ["p/1"] }
  );
  assert.deepEqual(keys, ["p/1"]);
  await assert.rejects(
    listed((_, count) =>
      count <= EMPTY_PAGES_MAX + 1 ? { keys: [], token: `${count}` } : { keys: ["p/1"] }
    ),
    isEndless,
  );
});

Deno.test("listKeys refuses a list that goes in circles", async () => {
  await assert.rejects(listed(() => ({ keys: ["p/1"], token: "same" })), isEndless);
  await assert.rejects(listed(() => ({ keys: ["p/1"], isTruncated: true })), isEndless);
  await assert.rejects(listed(() => ({ keys: [], isTruncated: true })), isEndless);
});

Deno.test("parseListPage takes nothing but a whole page", () => {
  const entry = "<Contents><Key>a</Key><Size>1</Size></Contents>";
  const whole = `<ListBucketResult><IsTruncated>false</IsTruncated>${entry}</ListBucketResult>`;
  assert.deepEqual(parseListPage(utf8(whole))?.keys, [{ key: "a", sizeBytes: 1 }]);
  const strange = [
    whole.slice(0, -1),
    whole.replaceAll("ListBucketResult", "html"),
    whole.replace("<IsTruncated>false</IsTruncated>", ""),
    whole.replace("false", "perhaps"),
    whole.replace("<Key>a</Key>", ""),
    whole.replace("<Size>1</Size>", ""),
    whole.replace("<Size>1", "<Size>-1"),
    whole.replace("<Size>1", "<Size>1e3"),
    "",
  ];
  for (const text of strange) assert.equal(parseListPage(utf8(text)), null, text);
});

Deno.test("parseListPage decodes names where the store says that it encoded them", () => {
  const encoded = (type: string, key: string) =>
    parseListPage(utf8(
      `<ListBucketResult>${type}<IsTruncated>false</IsTruncated>` +
        `<Contents><Key>${key}</Key><Size>1</Size></Contents></ListBucketResult>`,
    ))?.keys[0]?.key;
  const url = "<EncodingType>url</EncodingType>";
  assert.equal(encoded(url, "a%2Fb+c"), "a/b c");
  assert.equal(encoded("", "a%2Fb+c"), "a%2Fb+c");
  assert.equal(encoded(url, "%zz"), undefined);
});
