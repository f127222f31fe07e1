/** A bucket as a store: what S3 and Google Cloud Storage have in common. */
import { createHash } from "node:crypto";
import { assert } from "../../base/assert.ts";
import { type Bytes, equalBytes } from "../../base/bytes.ts";
import { ClaudeSyncError, isClaudeSyncError } from "../../errors.ts";
import { type ObjectName, parseObjectName } from "../object_name.ts";
import { assertListPrefix } from "../object_prefix.ts";
import {
  type ListOptions,
  OBJECT_BYTES_MAX,
  type ObjectInfo,
  type PutItem,
  type PutOutcome,
  type StoreOptions,
} from "../object_store.ts";
import { putEach } from "../put_each.ts";
import type { DescribedStore, StoreFact } from "../store_facts.ts";
import type { MeteredStore, StoreTraffic } from "../with_meter.ts";
import type { BucketAnswer, BucketClient, BucketRequest } from "./client.ts";
import { bucketError } from "./failure.ts";
import type { BucketAction, ProviderWords } from "./failure_table.ts";
import { listKeys } from "./lister.ts";
import type { Remembered } from "./remembered.ts";

/** Calls side by side; more gain nothing on any line that was measured. */
const CONCURRENCY = 16;
/** Most bytes of an answer that only says whether something worked. */
const STATUS_ANSWER_BYTES_MAX = 256 * 1024;
/** What a bucket store is made of. */
export interface BucketStoreOptions {
  /** For messages, e.g. `s3://bucket/folder`. Holds no secret. */
  readonly label: string;
  readonly bucket: string;
  /** `""`, or folders without an end slash below which the vault lies. */
  readonly prefix: string;
  readonly client: BucketClient;
  readonly words: ProviderWords;
  readonly remembered: Remembered;
  /**
   * The header by which a put fails with 412 when the object exists, in the dialect of the signer;
   * null where the service has none.
   */
  readonly createOnlyHeader: Readonly<Record<string, string>> | null;
  /** Facts of the driver besides those known here. */
  readonly facts: () => readonly StoreFact[];
}

/** A store in a bucket. It counts its round trips itself. */
export interface BucketStore extends MeteredStore, DescribedStore {
  readonly remembered: Remembered;
}

/** Makes the store. Nothing is sent: a bucket that is not there is found out by the first call. */
export function bucketStore(options: BucketStoreOptions): BucketStore {
  return new Store(options);
}

class Store implements BucketStore {
  readonly label: string;
  readonly concurrency = CONCURRENCY;
  readonly isBatching = false;
  readonly remembered: Remembered;
  readonly #options: BucketStoreOptions;
  /** `""`, or the prefix and a slash. */
  readonly #folder: string;
  readonly #requests = { get: 0, put: 0, list: 0, delete: 0 };
  #sentBytes = 0;
  #receivedBytes = 0;

  constructor(options: BucketStoreOptions) {
    this.#options = options;
    this.label = options.label;
    this.remembered = options.remembered;
    this.#folder = options.prefix === "" ? "" : `${options.prefix}/`;
  }

  async get(name: ObjectName, options: StoreOptions = {}): Promise<Bytes | null> {
    const request = {
      method: "GET" as const,
      key: this.#keyOf(name),
      answerBytesMax: OBJECT_BYTES_MAX,
    };
    const answer = await this.#send("get", request, options).catch((cause) => {
      throw isClaudeSyncError(cause, "too-large") ? tooLarge(name, cause) : cause;
    });
    if (answer.error === null) {
      this.#receivedBytes += answer.body.length;
      return answer.body;
    }
    if (isAbsence(answer)) return null;
    const isHidden = answer.error.code === "AccessDenied";
    if (isHidden && await this.#isUnlisted(name, options)) return null;
    throw this.#failure("get", answer, name);
  }

  async put(name: ObjectName, body: Bytes, options: StoreOptions = {}): Promise<PutOutcome> {
    const key = this.#keyOf(name);
    options.signal?.throwIfAborted();
    if (body.length > OBJECT_BYTES_MAX) throw tooLarge(name);
    this.#sentBytes += body.length;
    const answer = await this.#sendObject(key, body, options);
    if (answer.error === null) return "created";
    if (answer.status !== 412) throw this.#failure("put", answer, name);
    this.remembered.set({ createOnly: "works" });
    const present = await this.get(name, options);
    if (present !== null) return equalBytes(present, body) ? "exists" : "differs";
    throw new ClaudeSyncError("store-unreachable", `"${name}" comes and goes`, {
      objectName: name,
    });
  }

  putAll(items: readonly PutItem[], options?: StoreOptions): Promise<ObjectName | null> {
    return putEach(this, items, options);
  }

  async *list(prefix: string, options: ListOptions = {}): AsyncIterable<ObjectInfo> {
    assertListPrefix(prefix);
    options.signal?.throwIfAborted();
    const after = options.after === undefined ? null : this.#folder + options.after;
    let last = "";
    for await (const { key, sizeBytes } of this.#keys(this.#folder + prefix, after, options)) {
      // Whatever is no name of ours is a stranger's.
      const name = key.startsWith(this.#folder + prefix)
        ? parseObjectName(key.slice(this.#folder.length))
        : null;
      if (name === null || name === last) continue;
      if (name < last) throw unsorted(this.label);
      last = name;
      options.signal?.throwIfAborted();
      yield { name, sizeBytes };
    }
  }

  async delete(name: ObjectName, options: StoreOptions = {}): Promise<void> {
    const request = {
      method: "DELETE" as const,
      key: this.#keyOf(name),
      answerBytesMax: STATUS_ANSWER_BYTES_MAX,
    };
    const answer = await this.#send("delete", request, options);
    if (answer.error !== null && !isAbsence(answer)) throw this.#failure("delete", answer, name);
  }

  traffic(): StoreTraffic {
    const { get, put, list, delete: deleted } = this.#requests;
    return {
      requests: { get, put, list, delete: deleted },
      sentBytes: this.#sentBytes,
      receivedBytes: this.#receivedBytes,
    };
  }

  facts(): readonly StoreFact[] {
    const { createOnly, listVersion } = this.remembered.facts;
    return [
      { name: "endpoint", value: this.#options.client.host },
      ...this.#options.facts(),
      {
        name: "refuses to overwrite",
        value: { works: "yes", ignored: "no", refused: "no" }[createOnly ?? "refused"] +
          (createOnly === null && this.#options.createOnlyHeader !== null ? " (not tried)" : ""),
      },
      ...(listVersion === 1 ? [{ name: "list", value: "version 1" }] : []),
    ];
  }

  /** Puts with all that the store wants; a second time without what it turns out not to know. */
  async #sendObject(key: string, body: Bytes, options: StoreOptions): Promise<BucketAnswer> {
    for (let attempt = 1;; attempt++) {
      const { createOnly, wantsMd5 } = this.remembered.facts;
      const condition = createOnly === null || createOnly === "works"
        ? this.#options.createOnlyHeader
        : null;
      const headers: Record<string, string> = { ...condition };
      if (wantsMd5) headers["content-md5"] = createHash("md5").update(body).digest("base64");
      const request = { method: "PUT" as const, key, headers, body };
      const answer = await this.#send(
        "put",
        { ...request, answerBytesMax: STATUS_ANSWER_BYTES_MAX },
        options,
      );
      if (answer.error === null || attempt === 3) return answer;
      if (!wantsMd5 && asksForMd5(answer)) this.remembered.set({ wantsMd5: true });
      else if (condition !== null && refusesCondition(answer)) {
        this.remembered.set({ createOnly: "refused" });
      } else return answer;
    }
  }

  /**
   * Whether a list shows that an object is not there. Without the permission to list all of the
   * bucket, a store answers 403 for what is absent, lest it tells what is there.
   */
  async #isUnlisted(name: ObjectName, options: StoreOptions): Promise<boolean> {
    const wanted = this.#keyOf(name);
    try {
      for await (const { key } of this.#keys(wanted, null, options)) {
        if (key === wanted) return false;
      }
      return true;
    } catch (error) {
      // Then the first refusal says more.
      if (isClaudeSyncError(error, "store-refused")) return false;
      throw error;
    }
  }

  #keys(prefix: string, after: string | null, options: StoreOptions) {
    return listKeys(
      {
        host: this.#options.client.host,
        send: (request, sendOptions) => this.#send("list", request, sendOptions),
        failure: (answer) => this.#failure("list", answer),
        listVersion: this.remembered.facts.listVersion,
        onVersion1: () => this.remembered.set({ listVersion: 1 }),
      },
      { prefix, after },
      options,
    );
  }

  #keyOf(name: ObjectName): string {
    assert(parseObjectName(name) !== null, `"${name}" is a valid object name`);
    return this.#folder + name;
  }

  #send(
    purpose: keyof StoreTraffic["requests"],
    request: BucketRequest,
    { signal }: StoreOptions,
  ): Promise<BucketAnswer> {
    signal?.throwIfAborted();
    const onSend = () => void this.#requests[purpose]++;
    return this.#options.client.send(
      request,
      signal === undefined ? { onSend } : { signal, onSend },
    );
  }

  #failure(action: BucketAction, answer: BucketAnswer, name?: ObjectName): ClaudeSyncError {
    const { bucket, client, words } = this.#options;
    assert(answer.error !== null, "a success is no failure");
    return bucketError(answer.error, { action, bucket, host: client.host, words }, name);
  }
}

/**
 * Whether the store says that the object is not there. A 404 of anything else than a store (a
 * proxy, a web server) is none.
 */
function isAbsence({ status, error }: BucketAnswer): boolean {
  return status === 404 && (error?.code === "NoSuchKey" || error?.code === "NoSuchVersion");
}

function asksForMd5({ status, error }: BucketAnswer): boolean {
  if (status !== 400 || error === null) return false;
  return error.code === "MissingContentMD5" || /content-md5/i.test(error.detail);
}

function refusesCondition({ status, error }: BucketAnswer): boolean {
  const code = error?.code ?? "";
  return status === 501 || code === "NotImplemented" ||
    (status === 400 && ["InvalidArgument", "InvalidRequest"].includes(code));
}

function tooLarge(objectName: ObjectName, cause?: unknown): ClaudeSyncError {
  const message = `"${objectName}" is over ${OBJECT_BYTES_MAX} bytes`;
  return new ClaudeSyncError("too-large", message, { objectName, cause });
}

function unsorted(label: string): ClaudeSyncError {
  return new ClaudeSyncError("store-invalid", `The list of ${label} is not in order`, {
    hint: "Buckets that list without order (directory buckets) cannot hold a vault",
  });
}
