/** Listing a bucket page by page, with what old and odd stores make of it. */
import { ClaudeSyncError, isClaudeSyncError } from "../../errors.ts";
import type { StoreOptions } from "../object_store.ts";
import { parseAnswerXml, XML_BYTES_MAX } from "./answer_xml.ts";
import type { BucketAnswer, BucketRequest } from "./client.ts";
import { type ListedKey, type ListPage, parseListPage } from "./list_page.ts";

/** Most pages of one list: a hundred million names. */
const LIST_PAGES_MAX = 100_000;
/** Most pages in a row without a name; stores that sweep deleted objects give some. */
export const EMPTY_PAGES_MAX = 100;

/** By which a page is known before it is whole. */
const START_OF_PAGE = /^(?:<\?xml[^>]*\?>)?\s*<ListBucketResult\b/;
const PAGE_START_BYTES = 200;

/** What `listKeys` needs of a store. */
export interface ListSource {
  /** Host and port, for messages. */
  readonly host: string;
  send(request: BucketRequest, options: StoreOptions): Promise<BucketAnswer>;
  /** The error for an answer that is no success. */
  failure(answer: BucketAnswer): ClaudeSyncError;
  /** Version of the list request to begin with. */
  readonly listVersion: 1 | 2;
  /** Called when the store turns out to know version 1 only. */
  onVersion1(): void;
}

/** Codes by which stores say that they know no version 2. */
const VERSION_2_UNKNOWN = new Set(["NotImplemented", "InvalidArgument", "MethodNotAllowed"]);

/** Where a list stands. */
interface Position {
  /** Last key that needs no looking at any more; null at the start. */
  after: string | null;
  /** Of version 2, from the last page. */
  token: string | null;
  version: 1 | 2;
}

/**
 * All objects whose key starts with `prefix` and is not `after` or before it, in the order of the
 * store. Version 1 is used where version 2 is not known, or is taken for version 1. Errors:
 * `store-invalid` when the pages are no list, have no end or go in circles; those of `source`.
 */
export async function* listKeys(
  source: ListSource,
  { prefix, after }: { readonly prefix: string; readonly after: string | null },
  options: StoreOptions,
): AsyncIterable<ListedKey> {
  const at: Position = { after, token: null, version: source.listVersion };
  let emptyPages = 0;
  for (let pages = 0; pages < LIST_PAGES_MAX; pages++) {
    const page = await nextPage(source, prefix, at, options);
    // A store that takes version 2 for 1 knows no `start-after` and begins at the beginning.
    for (const listed of page.keys) {
      if (after === null || listed.key > after) yield listed;
    }
    if (!page.isTruncated) return;
    emptyPages = page.keys.length === 0 ? emptyPages + 1 : 0;
    if (emptyPages > EMPTY_PAGES_MAX) break;
    advance(source, at, page);
  }
  throw endless(source.host);
}

function advance(source: ListSource, at: Position, page: ListPage): void {
  const last = page.keys.at(-1)?.key ?? null;
  const isStuck = at.version === 1
    ? last === null || (at.after !== null && last <= at.after)
    : page.continuationToken !== null && page.continuationToken === at.token;
  if (isStuck) throw endless(source.host);
  if (at.version === 2 && page.continuationToken === null) {
    if (last === null) throw endless(source.host);
    useVersion1(source, at);
  }
  if (last !== null && (at.after === null || last > at.after)) at.after = last;
  at.token = at.version === 2 ? page.continuationToken : null;
}

function useVersion1(source: ListSource, at: Position): void {
  at.version = 1;
  at.token = null;
  source.onVersion1();
}

async function nextPage(
  source: ListSource,
  prefix: string,
  at: Position,
  options: StoreOptions,
): Promise<ListPage> {
  const answer = await askForPage(source, prefix, at, options);
  const { error } = answer;
  if (error === null) {
    const page = parseListPage(answer.body);
    if (page !== null) return page;
    throw noPage(source.host, answer.body);
  }
  if (at.version === 2 && at.token === null && VERSION_2_UNKNOWN.has(error.code ?? "")) {
    const asVersion1 = await askForPage(source, prefix, { ...at, version: 1 }, options);
    const page = asVersion1.error === null ? parseListPage(asVersion1.body) : null;
    if (page !== null) {
      useVersion1(source, at);
      return page;
    }
  }
  throw source.failure(answer);
}

async function askForPage(
  source: ListSource,
  prefix: string,
  { after, token, version }: Position,
  options: StoreOptions,
): Promise<BucketAnswer> {
  const start: Record<string, string> = {};
  if (token !== null) start["continuation-token"] = token;
  else if (after !== null) start[version === 2 ? "start-after" : "marker"] = after;
  const query = { ...(version === 2 && { "list-type": "2" }), prefix, ...start };
  try {
    return await source.send({
      method: "GET",
      key: null,
      query,
      answerBytesMax: XML_BYTES_MAX,
    }, options);
  } catch (cause) {
    if (!isClaudeSyncError(cause, "too-large")) throw cause;
    const message = `A page of the list from ${source.host} is over ${XML_BYTES_MAX} bytes`;
    throw new ClaudeSyncError("store-invalid", message, { cause });
  }
}

/** A page that was cut on the way comes whole the next time; what is no page stays none. */
function noPage(host: string, body: Uint8Array): ClaudeSyncError {
  const start = String.fromCharCode(...body.subarray(0, PAGE_START_BYTES));
  return START_OF_PAGE.test(start) && parseAnswerXml(body) === null
    ? new ClaudeSyncError("store-unreachable", `The list from ${host} did not arrive whole`, {
      hint: "Try again; if it stays, something on the way changes what the store sends",
    })
    : new ClaudeSyncError("store-invalid", `What ${host} gives is no list of a bucket`, {
      hint: "Check the endpoint: it must be the store's S3 address; a proxy may be in between",
    });
}

function endless(host: string): ClaudeSyncError {
  return new ClaudeSyncError("store-invalid", `The list from ${host} has no end`, {
    hint: "The store repeats itself; report it to its makers, and use another one until then",
  });
}
