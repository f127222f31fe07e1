/** Making a bucket, only ever when the user asks for it. */
import { createHash } from "node:crypto";
import { type Bytes, utf8 } from "../../base/bytes.ts";
import type { BucketAnswer, BucketClient } from "../bucket/client.ts";
import { bucketError } from "../bucket/failure.ts";
import type { ProviderWords } from "../bucket/failure_table.ts";
import type { StoreOptions } from "../object_store.ts";

const NAMESPACE = "http://s3.amazonaws.com/doc/2006-03-01/";
const ANSWER_BYTES_MAX = 256 * 1024;
/** 403 and 301 mean that it is there, but not for us: the probe that follows says why. */
const NOT_THERE = "NoSuchBucket";

/** What `createBucket` needs. */
export interface CreateBucketOptions extends StoreOptions {
  readonly bucket: string;
  readonly client: BucketClient;
  readonly words: ProviderWords;
  /** For `LocationConstraint`; null where the endpoint decides. */
  readonly region: string | null;
  /** Whether to ask for AWS's block on public access, which its relatives have not. */
  readonly hasPublicAccessBlock: boolean;
  readonly note: (message: string) => void;
}

/**
 * Makes the bucket unless it is there: private, and with versions kept where the store can, so that
 * somebody with the keys cannot destroy what is in it at once. What is there is left as it is.
 * Errors: `already-set-up` when the name is somebody else's, `store-refused`, `store-unreachable`.
 */
export async function createBucket(options: CreateBucketOptions): Promise<"created" | "was there"> {
  const { bucket, client, words, note } = options;
  const failure = (answer: BucketAnswer) =>
    answer.error === null
      ? null
      : bucketError(answer.error, { action: "create", bucket, host: client.host, words });

  const present = await send(options, "GET", { query: { "list-type": "2", "max-keys": "1" } });
  if (present.error?.code !== NOT_THERE) return "was there";
  const made = await send(options, "PUT", { body: creationBody(options.region) });
  if (made.error?.code === "BucketAlreadyOwnedByYou") return "was there";
  if (made.error !== null) throw failure(made);

  if (options.hasPublicAccessBlock) {
    const blocked = await send(options, "PUT", {
      query: { publicAccessBlock: "" },
      body: utf8(PUBLIC_ACCESS_BLOCK),
    });
    if (blocked.error !== null) {
      note(`The bucket "${bucket}" is private, but its block on public access could not be set`);
    }
  }
  const versioned = await send(options, "PUT", {
    query: { versioning: "" },
    body: utf8(
      `<VersioningConfiguration xmlns="${NAMESPACE}"><Status>Enabled</Status>` +
        "</VersioningConfiguration>",
    ),
  });
  const where = options.region === null ? "" : ` in the region ${options.region}`;
  note(
    versioned.error === null
      ? `The bucket "${bucket}" was made${where}, private and with versions kept: let a ` +
        "lifecycle rule remove versions 30 days after they were replaced"
      : `The bucket "${bucket}" was made${where}, private; the store keeps no versions ` +
        `(${versioned.error.code ?? versioned.error.status})`,
  );
  return "created";
}

const PUBLIC_ACCESS_BLOCK = `<PublicAccessBlockConfiguration xmlns="${NAMESPACE}">` +
  ["BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets"]
    .map((name) => `<${name}>true</${name}>`).join("") +
  "</PublicAccessBlockConfiguration>";

/** Empty for the first region, which must not be named. */
function creationBody(region: string | null): Bytes | null {
  if (region === null || region === "us-east-1" || region === "auto") return null;
  return utf8(
    `<CreateBucketConfiguration xmlns="${NAMESPACE}"><LocationConstraint>${region}` +
      "</LocationConstraint></CreateBucketConfiguration>",
  );
}

function send(
  { client, signal }: CreateBucketOptions,
  method: "GET" | "PUT",
  { query = {}, body = null }: { query?: Record<string, string>; body?: Bytes | null },
): Promise<BucketAnswer> {
  // Settings of a bucket are taken with a digest only.
  const digest = body === null ? null : createHash("md5").update(body).digest("base64");
  return client.send({
    method,
    key: null,
    query,
    ...(digest === null ? {} : { headers: { "content-md5": digest } }),
    ...(body === null ? {} : { body }),
    answerBytesMax: ANSWER_BYTES_MAX,
  }, signal === undefined ? {} : { signal });
}
