/**
 * The XML API of Google Cloud Storage, as far as a store of whole objects needs it. What is asked
 * for beyond that is refused rather than ignored.
 *
 * @see https://docs.cloud.google.com/storage/docs/xml-api/overview
 * @module
 */
import { Buffer } from "node:buffer";
import { createHash } from "node:crypto";
import {
  type Bucket,
  emptyBucket,
  LIST_NAMES_MAX,
  listPage,
  type ListQuery,
  type StoredObject,
} from "./buckets.ts";
import { crc32cBase64 } from "./crc32c.ts";
import { escapeXml, type GcsReply, type GcsRequest, xmlRefusal } from "./reply.ts";
import type { Access } from "./tokens.ts";

/** How the caller has proved who it is; decides which headers mean something. */
export interface Caller {
  readonly dialect: "x-goog" | "x-amz";
  readonly access: Access;
}

const KEY_BYTES_MAX = 1024;
const LIST_PARAMETERS = [
  ...["list-type", "prefix", "delimiter", "start-after", "continuation-token", "max-keys"],
  ...["marker", "fetch-owner"],
];

/** The storage. */
export class XmlApi {
  readonly buckets = new Map<string, Bucket>();
  readonly #nowMs: () => number;
  #generation = 1_700_000_000_000_000;

  constructor(nowMs: () => number) {
    this.#nowMs = nowMs;
  }

  /** Answers a request whose sender is known. */
  answer(request: GcsRequest, caller: Caller): GcsReply {
    const [, bucketName = "", ...rest] = request.path.split("/");
    const key = rest.map(decodeURIComponent).join("/");
    if (bucketName === "") throw xmlRefusal(400, "InvalidArgument", "Lists of buckets: not here");
    const isReading = request.method === "GET" || request.method === "HEAD";
    if (caller.access === "none" || (caller.access === "read" && !isReading)) {
      throw xmlRefusal(403, "AccessDenied", "Access denied.");
    }
    if (key === "" && request.method === "PUT" && request.query.size === 0) {
      return this.#createBucket(bucketName, request, caller);
    }
    const bucket = this.buckets.get(bucketName);
    if (bucket === undefined) {
      throw xmlRefusal(404, "NoSuchBucket", "The specified bucket does not exist.");
    }
    if (bucket.isRequesterPays && !request.headers.has("x-goog-user-project")) {
      throw xmlRefusal(400, "UserProjectMissing", "Bucket is a requester pays bucket.");
    }
    return key === ""
      ? this.#onBucket(bucket, bucketName, request)
      : this.#onObject(bucket, key, request);
  }

  #createBucket(name: string, { headers }: GcsRequest, { dialect }: Caller): GcsReply {
    if (!headers.has(`${dialect}-project-id`)) {
      throw xmlRefusal(400, "MissingProjectId", "A project id is required for this operation.");
    }
    if (!/^[a-z0-9][a-z0-9._-]{1,61}[a-z0-9]$/.test(name)) {
      throw xmlRefusal(400, "InvalidBucketName", "The specified bucket is not valid.");
    }
    if (this.buckets.has(name)) {
      throw xmlRefusal(409, "BucketAlreadyOwnedByYou", "The bucket is already yours.");
    }
    this.buckets.set(name, emptyBucket());
    return { status: 200 };
  }

  #onBucket(bucket: Bucket, name: string, request: GcsRequest): GcsReply {
    const { method, query } = request;
    if (query.has("versioning")) return this.#versioning(bucket, request);
    const unknown = [...query.keys()].find((parameter) => !LIST_PARAMETERS.includes(parameter));
    if (unknown !== undefined) throw xmlRefusal(400, "InvalidArgument", `What is ${unknown}?`);
    if (method === "HEAD") return { status: 200 };
    if (method === "GET") return list(bucket, name, query);
    if (method !== "DELETE") throw xmlRefusal(405, "MethodNotAllowed", "Not allowed here.");
    if (bucket.objects.size > 0) {
      throw xmlRefusal(409, "BucketNotEmpty", "The bucket you tried to delete is not empty.");
    }
    this.buckets.delete(name);
    return { status: 204 };
  }

  #versioning(bucket: Bucket, { method, body }: GcsRequest): GcsReply {
    if (method === "PUT") {
      const text = new TextDecoder().decode(body);
      const status = /<Status>(Enabled|Suspended)<\/Status>/.exec(text)?.[1];
      if (status === undefined) {
        throw xmlRefusal(400, "MalformedXML", "The XML is not well-formed.");
      }
      bucket.versioning = status as "Enabled" | "Suspended";
      return { status: 200 };
    }
    const status = bucket.versioning === null ? "" : `<Status>${bucket.versioning}</Status>`;
    return xml(`<VersioningConfiguration>${status}</VersioningConfiguration>`);
  }

  #onObject(bucket: Bucket, key: string, request: GcsRequest): GcsReply {
    const { method, query } = request;
    if (query.size > 0) throw xmlRefusal(400, "InvalidArgument", "Unknown query parameter");
    if (new TextEncoder().encode(key).length > KEY_BYTES_MAX) {
      throw xmlRefusal(400, "KeyTooLongError", "The specified key is too long.");
    }
    const existing = bucket.objects.get(key);
    checkGeneration(request, existing);
    if (method === "PUT") return this.#put(bucket, key, request);
    if (method !== "GET" && method !== "HEAD" && method !== "DELETE") {
      throw xmlRefusal(405, "MethodNotAllowed", "Not allowed here.");
    }
    if (existing === undefined) {
      throw xmlRefusal(404, "NoSuchKey", "The specified key does not exist.");
    }
    if (method === "DELETE") {
      bucket.objects.delete(key);
      return { status: 204 };
    }
    return get(existing, request);
  }

  #put(bucket: Bucket, key: string, { headers, body }: GcsRequest): GcsReply {
    const hash = createHash("md5").update(body).digest();
    const [md5, crc32c] = [hash.toString("base64"), crc32cBase64(body)];
    const claims = (headers.get("x-goog-hash") ?? "").split(",").map((part) => part.trim());
    const claimed = new Map(
      claims.map((claim) => [claim.split("=")[0], claim.replace(/^\w+=/, "")]),
    );
    const isRight = (claimed.get("md5") ?? md5) === md5 &&
      (claimed.get("crc32c") ?? crc32c) === crc32c && (headers.get("content-md5") ?? md5) === md5;
    if (!isRight) throw xmlRefusal(400, "BadDigest", "The hash you specified did not match.");
    const generation = ++this.#generation;
    const contentType = headers.get("content-type") ?? "application/octet-stream";
    const facts = { generation, contentType, modifiedMs: this.#nowMs() };
    const object = { body, md5: hash, crc32c, ...facts };
    bucket.objects.set(key, object);
    return { status: 200, headers: objectHeaders(object) };
  }
}

function checkGeneration({ headers }: GcsRequest, existing: StoredObject | undefined): void {
  const wanted = headers.get("x-goog-if-generation-match");
  if (wanted === undefined) return;
  if (!/^\d+$/.test(wanted)) throw xmlRefusal(400, "InvalidArgument", "No number of a generation");
  if (Number(wanted) !== (existing?.generation ?? 0)) {
    const message = "At least one of the pre-conditions you specified did not hold.";
    throw xmlRefusal(412, "PreconditionFailed", message);
  }
}

function get(object: StoredObject, { method, headers }: GcsRequest): GcsReply {
  const common = { "content-type": object.contentType, ...objectHeaders(object) };
  const { body } = object;
  const range = /^bytes=(\d+)-(\d*)$/.exec(headers.get("range") ?? "");
  if (method === "HEAD" || range === null) {
    const length = method === "HEAD" ? { "content-length": `${body.length}` } : {};
    return { status: 200, headers: { ...common, ...length }, body };
  }
  const [first, last] = [Number(range[1]), range[2] === "" ? Infinity : Number(range[2])];
  if (first >= body.length || last < first) {
    throw xmlRefusal(416, "InvalidRange", "The requested range cannot be satisfied.");
  }
  const end = Math.min(last + 1, body.length);
  const place = { "content-range": `bytes ${first}-${end - 1}/${body.length}` };
  return { status: 206, headers: { ...common, ...place }, body: body.subarray(first, end) };
}

function list(bucket: Bucket, name: string, query: URLSearchParams): GcsReply {
  const isV2 = query.get("list-type") === "2";
  if (query.has("list-type") && !isV2) throw xmlRefusal(400, "InvalidArgument", "No such list");
  const asked = Number(query.get("max-keys") ?? LIST_NAMES_MAX);
  if (!Number.isInteger(asked) || asked < 0) throw xmlRefusal(400, "InvalidArgument", "max-keys");
  const token = query.get("continuation-token");
  const listQuery: ListQuery = {
    prefix: query.get("prefix") ?? "",
    delimiter: query.get("delimiter") ?? "",
    after: token === null ? query.get(isV2 ? "start-after" : "marker") ?? "" : tokenName(token),
    namesMax: Math.min(asked, LIST_NAMES_MAX),
  };
  const { objects, commonPrefixes, nextAfter } = listPage(bucket, listQuery);
  const element = (tag: string, text: string | number) =>
    `<${tag}>${escapeXml(`${text}`)}</${tag}>`;
  const contents = objects.map(([key, { body, md5, generation, modifiedMs }]) => {
    const modified = element("LastModified", new Date(modifiedMs).toISOString());
    const numbers = `<Generation>${generation}</Generation><MetaGeneration>1</MetaGeneration>`;
    const etag = `<ETag>"${hex(md5)}"</ETag><Size>${body.length}</Size>`;
    return `<Contents>${element("Key", key)}${numbers}${modified}${etag}</Contents>`;
  });
  const prefixes = commonPrefixes.map((prefix) =>
    `<CommonPrefixes>${element("Prefix", prefix)}</CommonPrefixes>`
  );
  const next = nextAfter === null
    ? ""
    : isV2
    ? element("NextContinuationToken", tokenOf(nextAfter))
    : element("NextMarker", nextAfter);
  const head = element("Name", name) + element("Prefix", listQuery.prefix) +
    (isV2 ? element("KeyCount", objects.length + commonPrefixes.length) : element("Marker", "")) +
    element("IsTruncated", String(nextAfter !== null)) + next;
  const namespace = "http://doc.s3.amazonaws.com/2006-03-01";
  const body = [head, ...contents, ...prefixes].join("");
  return xml(`<ListBucketResult xmlns='${namespace}'>${body}</ListBucketResult>`);
}

function tokenOf(name: string): string {
  return btoa(`after:${encodeURIComponent(name)}`);
}

function tokenName(token: string): string {
  try {
    const [, name] = /^after:(.*)$/s.exec(atob(token)) ?? [];
    if (name !== undefined) return decodeURIComponent(name);
  } catch {
    // No Base64: refused below like every other stranger.
  }
  throw xmlRefusal(400, "InvalidArgument", "The continuation token is not one of ours");
}

function objectHeaders(object: StoredObject): Record<string, string> {
  const { body, md5, crc32c, generation, modifiedMs } = object;
  return {
    etag: `"${hex(md5)}"`,
    "last-modified": new Date(modifiedMs).toUTCString(),
    "x-goog-generation": `${generation}`,
    "x-goog-metageneration": "1",
    "x-goog-stored-content-length": `${body.length}`,
    "x-goog-hash": `crc32c=${crc32c},md5=${Buffer.from(md5).toString("base64")}`,
  };
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("hex");
}

function xml(text: string): GcsReply {
  const body = `<?xml version='1.0' encoding='UTF-8'?>${text}`;
  return { status: 200, headers: { "content-type": "application/xml; charset=UTF-8" }, body };
}
