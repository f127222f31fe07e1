/** Making a bucket at Google, only ever when the user asks for it. */
import { utf8 } from "../../base/bytes.ts";
import { ClaudeSyncError } from "../../errors.ts";
import type { BucketAnswer, BucketClient } from "../bucket/client.ts";
import { bucketError } from "../bucket/failure.ts";
import type { ProviderWords } from "../bucket/failure_table.ts";
import type { StoreOptions } from "../object_store.ts";
import type { GcsAuth } from "./words.ts";

const ANSWER_BYTES_MAX = 256 * 1024;
const WITH_VERSIONS = "<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>";

/** What `createGcsBucket` needs. */
export interface CreateGcsBucketOptions extends StoreOptions {
  readonly bucket: string;
  readonly auth: GcsAuth;
  readonly client: BucketClient;
  readonly words: ProviderWords;
  /** The project that it shall belong to; null when that is not known. */
  readonly project: string | null;
  readonly note: (message: string) => void;
}

/**
 * Makes the bucket unless it is there, private and with versions kept, where Google puts what names
 * no place (the United States). What is there is left as it is. Errors: `usage` without a project,
 * `already-set-up` when the name is somebody else's, `store-refused`, `store-unreachable`.
 */
export async function createGcsBucket(
  options: CreateGcsBucketOptions,
): Promise<"created" | "was there"> {
  const { bucket, auth, client, words, project, note, signal } = options;
  const callOptions = signal === undefined ? {} : { signal };
  const bucketRequest = { key: null, answerBytesMax: ANSWER_BYTES_MAX };
  const present = await client.send({
    ...bucketRequest,
    method: "GET",
    query: { "list-type": "2", "max-keys": "1" },
  }, callOptions);
  if (present.error?.code !== "NoSuchBucket") return "was there";
  if (project === null) throw noProject(bucket);
  const made = await client.send({
    ...bucketRequest,
    method: "PUT",
    headers: { [auth === "oauth" ? "x-goog-project-id" : "x-amz-project-id"]: project },
  }, callOptions);
  if (made.error?.code === "BucketAlreadyOwnedByYou") return "was there";
  failOn(made);
  const versioned = await client.send({
    ...bucketRequest,
    method: "PUT",
    query: { versioning: "" },
    body: utf8(WITH_VERSIONS),
  }, callOptions);
  note(
    `The bucket "${bucket}" was made in the project ${project}, private` +
      (versioned.error === null
        ? " and with versions kept: let a lifecycle rule remove versions 30 days after they were " +
          "replaced"
        : ""),
  );
  return "created";

  function failOn({ error }: BucketAnswer): void {
    if (error !== null) {
      throw bucketError(error, { action: "create", bucket, host: client.host, words });
    }
  }
}

function noProject(bucket: string): ClaudeSyncError {
  return new ClaudeSyncError("usage", `No project is known to make the bucket "${bucket}" in`, {
    hint: "Name it in GOOGLE_CLOUD_PROJECT, or make the bucket in the Google Cloud console",
  });
}
