/**
 * A small S3 in memory behind the `Http` interface, for what no server on this machine does: the
 * hosts and regions of AWS, temporary credentials, old lists. It verifies every signature by a
 * second implementation and takes nothing for granted.
 */
import { createHash } from "node:crypto";
import { type Bytes, utf8 } from "../../src/base/bytes.ts";
import type { Http, HttpRequest, HttpResponse } from "../../src/platform/types.ts";
import type { RawHeader } from "../servers/fault/http_bytes.ts";
import { sigV4Refusal } from "../servers/sigv4.ts";

/** How this S3 behaves; may be changed while it runs. */
export interface StrictS3Options {
  /** Region of the bucket. */
  region: string;
  /** Whether requests name their bucket before the host, as AWS wants it. */
  addressing: "path" | "virtual-host";
  /** Secrets by access key; a key that is missing is not known. */
  secrets: Record<string, string>;
  /** Session tokens that are past their time. */
  expiredTokens: string[];
  nowMs: () => number;
  createOnly: "works" | "ignored" | "refused" | "invalid";
  /** 1: takes version 2 for 1. `refused`: answers 501 to version 2. */
  lists: 2 | 1 | "refused";
  pageNames: number;
  wantsMd5: boolean;
  /** Actions that get 403. */
  denied: ("get" | "put" | "list" | "delete")[];
  /** Whether what is absent gets 403, as without the permission to list the bucket. */
  hidesAbsence: boolean;
  /** Names of buckets that are there. */
  buckets: string[];
  /** Answers instead, when it gives something. */
  instead: (request: HttpRequest) => Partial<HttpResponse> | null;
}

/** The S3, its objects by `bucket/key`, and what it was sent. */
export interface StrictS3 extends Http {
  readonly options: StrictS3Options;
  readonly objects: Map<string, Bytes>;
  readonly requests: HttpRequest[];
}

/** An error answer as S3 gives it; `more` is XML. */
export function s3Error(status: number, code: string, more = "", headers = {}): HttpResponse {
  const text = `<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>${code}</Code>` +
    `${more.includes("<Message>") ? "" : "<Message>Words</Message>"}${more}</Error>`;
  return { status, headers: new Map(Object.entries(headers)), body: utf8(text) };
}

/** Makes an S3 with one empty bucket, `bucket`, for `AKID` with `secret`. */
export function strictS3(changes: Partial<StrictS3Options> = {}): StrictS3 {
  const options: StrictS3Options = {
    region: "us-east-1",
    addressing: "path",
    secrets: { AKID: "secret" },
    expiredTokens: [],
    nowMs: () => Date.now(),
    createOnly: "works",
    lists: 2,
    pageNames: 1000,
    wantsMd5: false,
    denied: [],
    hidesAbsence: false,
    buckets: ["bucket"],
    instead: () => null,
    ...changes,
  };
  const s3: StrictS3 = {
    options,
    objects: new Map(),
    requests: [],
    request(request) {
      request.signal?.throwIfAborted();
      s3.requests.push(request);
      const given = options.instead(request);
      const answer: HttpResponse = given === null
        ? answerOf(s3, request)
        : { status: 200, headers: new Map(), body: new Uint8Array(0), ...given };
      const date = new Date(options.nowMs()).toUTCString();
      return Promise.resolve({ ...answer, headers: new Map([["date", date], ...answer.headers]) });
    },
  };
  return s3;
}

function answerOf(s3: StrictS3, request: HttpRequest): HttpResponse {
  const { options } = s3;
  const url = new URL(request.url);
  const [bucket, key] = placeOf(options, url);
  const headers = new Map(Object.entries(request.headers ?? {}));
  const refusal = refusalOf(s3, request, url, headers);
  if (refusal !== null) return refusal;
  if (!options.buckets.includes(bucket)) {
    if (request.method !== "PUT" || key !== "") return s3Error(404, "NoSuchBucket");
    options.buckets.push(bucket);
    return empty(200);
  }
  if (request.method === "PUT" && key === "") return empty(200);
  const action = key === "" ? "list" : actionOf(request.method);
  if (options.denied.includes(action)) return s3Error(403, "AccessDenied");
  if (action === "list") return listOf(s3, `${bucket}/`, url.searchParams);
  const place = `${bucket}/${key}`;
  const present = s3.objects.get(place);
  if (action === "put") return putOf(s3, place, request.body ?? new Uint8Array(0), headers);
  if (action === "delete") {
    s3.objects.delete(place);
    return empty(204);
  }
  if (present !== undefined) return { ...empty(200), body: present.slice() };
  return options.hidesAbsence ? s3Error(403, "AccessDenied") : s3Error(404, "NoSuchKey");
}

function actionOf(method: string): "get" | "put" | "delete" {
  return method === "PUT" ? "put" : method === "DELETE" ? "delete" : "get";
}

function placeOf(options: StrictS3Options, url: URL): [bucket: string, key: string] {
  const path = url.pathname.slice(1);
  if (options.addressing === "virtual-host") return [url.hostname.split(".s3.")[0]!, path];
  const slash = path.indexOf("/");
  return slash < 0 ? [path, ""] : [path.slice(0, slash), path.slice(slash + 1)];
}

function refusalOf(
  { options }: StrictS3,
  request: HttpRequest,
  url: URL,
  headers: Map<string, string>,
): HttpResponse | null {
  const strange = [...headers.keys()].find((name) => !KNOWN_HEADERS.test(name));
  if (strange !== undefined) return s3Error(400, "InvalidRequest", `<Header>${strange}</Header>`);
  const raw: RawHeader[] = [["host", url.host], ...headers];
  const refusal = sigV4Refusal(
    {
      method: request.method,
      target: url.pathname + url.search,
      headers: raw,
      body: request.body ?? new Uint8Array(0),
    },
    {
      secretOf: (key) => options.secrets[key] ?? null,
      regions: [options.region],
      nowMs: options.nowMs(),
    },
  );
  const isWrongHost = options.addressing === "virtual-host" &&
    !url.hostname.endsWith(`.s3.${options.region}.amazonaws.com`);
  if (isWrongHost) {
    return s3Error(301, "PermanentRedirect", "", { "x-amz-bucket-region": options.region });
  }
  if (refusal !== null) {
    return s3Error(refusal.status, refusal.code, `<Region>${options.region}</Region>`);
  }
  return options.expiredTokens.includes(headers.get("x-amz-security-token") ?? "")
    ? s3Error(400, "ExpiredToken")
    : null;
}

const KNOWN_HEADERS =
  /^(authorization|content-md5|if-none-match|x-amz-(date|content-sha256|security-token))$/;

function putOf(
  { options, objects }: StrictS3,
  place: string,
  body: Bytes,
  headers: Map<string, string>,
): HttpResponse {
  if (headers.has("if-none-match")) {
    if (options.createOnly === "refused") return s3Error(501, "NotImplemented");
    if (options.createOnly === "invalid") return s3Error(400, "InvalidArgument");
    if (options.createOnly === "works" && objects.has(place)) {
      return s3Error(412, "PreconditionFailed");
    }
  }
  const md5 = createHash("md5").update(body).digest("base64");
  if (options.wantsMd5 && headers.get("content-md5") !== md5) {
    const message = "<Message>Content-MD5 OR x-amz-checksum- HTTP header is required</Message>";
    return s3Error(400, "InvalidRequest", message);
  }
  objects.set(place, body.slice());
  return empty(200);
}

function listOf({ options, objects }: StrictS3, root: string, query: URLSearchParams) {
  const version = query.get("list-type") === "2" ? 2 : 1;
  if (version === 2 && options.lists === "refused") return s3Error(501, "NotImplemented");
  const isVersion2 = version === 2 && options.lists === 2;
  const prefix = query.get("prefix") ?? "";
  const token = query.get("continuation-token");
  const after = isVersion2
    ? (token === null ? query.get("start-after") : atob(token)) ?? ""
    : query.get("marker") ?? "";
  const keys = [...objects.keys()]
    .filter((place) => place.startsWith(root)).map((place) => place.slice(root.length))
    .filter((key) => key.startsWith(prefix) && key > after).sort();
  const page = keys.slice(0, options.pageNames);
  const isTruncated = keys.length > page.length;
  const contents = page.map((key) =>
    `<Contents><Key>${key}</Key><Size>${objects.get(root + key)!.length}</Size></Contents>`
  );
  const next = isTruncated && isVersion2
    ? `<NextContinuationToken>${btoa(page.at(-1)!)}</NextContinuationToken>`
    : "";
  const text =
    '<?xml version="1.0"?><ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">' +
    `<IsTruncated>${isTruncated}</IsTruncated>${contents.join("")}${next}</ListBucketResult>`;
  return { ...empty(200), body: utf8(text) };
}

function empty(status: number): HttpResponse {
  return { status, headers: new Map(), body: new Uint8Array(0) };
}
