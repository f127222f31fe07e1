/** Where a vault is: what `config.json` holds, and how it is shown. Holds no secret. */
import * as z from "zod/mini";
import { ClaudeSyncError } from "../errors.ts";

/** Longest path of a folder, in UTF-16 units. */
export const LOCATION_PATH_LENGTH_MAX = 4096;
/** Longest URL of a repository or an endpoint, in UTF-16 units. */
export const LOCATION_URL_LENGTH_MAX = 2048;
/** Longest prefix inside a bucket: leaves room for object names within 1,024 bytes. */
export const LOCATION_PREFIX_LENGTH_MAX = 512;

/**
 * A POSIX path, a Windows drive or a network share; never relative to wherever a hook happens to
 * run.
 */
const ABSOLUTE_PATH = /^(\/|[A-Za-z]:[\\/]|\\\\)[^\0]*$/;
/** What all of the providers allow, and no more than one of them. */
const BUCKET = /^[a-z0-9][a-z0-9._-]{1,220}[a-z0-9]$/i;
/** Folders without an end slash; nothing that a URL or a signature could read in two ways. */
const PREFIX = /^[A-Za-z0-9_-][A-Za-z0-9._-]*(\/[A-Za-z0-9_-][A-Za-z0-9._-]*)*$/;
const REGION = /^[A-Za-z0-9-]{1,64}$/;
const PROFILE = /^[^\p{Cc}[\]]{1,128}$/u;
/** Scheme, host and port; no user, path or query. Plain http is for the driver to judge. */
const ENDPOINT = /^https?:\/\/[A-Za-z0-9.:[\]_-]+$/;

const bucketFields = {
  bucket: z.string().check(z.regex(BUCKET)),
  /** `""`, or folders such as `team/claude` below which the vault lies. */
  prefix: z.string().check(
    z.maxLength(LOCATION_PREFIX_LENGTH_MAX),
    z.refine((text: string) => text === "" || PREFIX.test(text)),
  ),
};
const endpoint = z.string().check(z.maxLength(LOCATION_URL_LENGTH_MAX), z.regex(ENDPOINT));

const folderLocation = z.strictObject({
  kind: z.literal("folder"),
  path: z.string().check(z.maxLength(LOCATION_PATH_LENGTH_MAX), z.regex(ABSOLUTE_PATH)),
});

const gitLocation = z.strictObject({
  kind: z.literal("git"),
  /** As `parseGitUrl` of the driver allows it; an absolute path for a repository on this disk. */
  url: z.string().check(z.minLength(1), z.maxLength(LOCATION_URL_LENGTH_MAX)),
});

const s3Location = z.strictObject({
  kind: z.literal("s3"),
  ...bucketFields,
  /** Null: found out from the profile or the bucket. */
  region: z.nullable(z.string().check(z.regex(REGION))),
  /** Null: AWS. */
  endpoint: z.nullable(endpoint),
  pathStyle: z.boolean(),
  /** Profile of the AWS configuration; null: as the environment says. */
  awsProfile: z.nullable(z.string().check(z.regex(PROFILE))),
});

const r2Location = z.strictObject({
  kind: z.literal("r2"),
  ...bucketFields,
  endpoint,
  awsProfile: z.nullable(z.string().check(z.regex(PROFILE))),
});

const gcsLocation = z.strictObject({
  kind: z.literal("gcs"),
  ...bucketFields,
  /** `hmac`: keys as for S3. `oauth`: Google's own credentials. */
  auth: z.enum(["hmac", "oauth"]),
  /** Null: Google's. For a private endpoint. */
  endpoint: z.nullable(endpoint),
});

/** The form of a location in `config.json`, for use in a larger schema. */
export const storeLocationSchema = z.discriminatedUnion("kind", [
  folderLocation,
  gitLocation,
  s3Location,
  r2Location,
  gcsLocation,
]);

/** Where a vault is. */
export type StoreLocation = z.infer<typeof storeLocationSchema>;
/** A location of one kind. */
export type LocationOf<Kind extends StoreLocation["kind"]> = Extract<StoreLocation, { kind: Kind }>;

/** The location of the folder at an absolute path; throws `usage` for any other path. */
export function folderLocationOf(path: string): LocationOf<"folder"> {
  const parsed = folderLocation.safeParse({ kind: "folder", path });
  if (parsed.success) return parsed.data;
  throw new ClaudeSyncError("usage", `"${path}" is not an absolute path`, { cause: parsed.error });
}

/** How a location is shown to the user. Holds no secret. */
export function formatStoreLocation(location: StoreLocation): string {
  switch (location.kind) {
    case "folder":
      return location.path;
    case "git":
      return location.url;
    case "s3":
      return bucketText("s3", location) + (location.endpoint ? ` (${location.endpoint})` : "");
    case "r2":
      return `${bucketText("r2", location)} (${location.endpoint})`;
    case "gcs":
      return bucketText("gs", location) + (location.endpoint ? ` (${location.endpoint})` : "");
  }
}

function bucketText(scheme: string, { bucket, prefix }: { bucket: string; prefix: string }) {
  return `${scheme}://${bucket}${prefix === "" ? "" : `/${prefix}`}`;
}

/** Whether two locations are one place, however it is reached (another profile, region, style). */
export function isSamePlace(a: StoreLocation, b: StoreLocation): boolean {
  return a.kind === b.kind && formatStoreLocation(a) === formatStoreLocation(b);
}

/** Whether `inner` goes when all that is at `outer` is deleted. */
export function liesWithin(inner: StoreLocation, outer: StoreLocation): boolean {
  if (isSamePlace(inner, outer)) return false;
  if (outer.kind === "folder") {
    const path = inner.kind === "folder" ? inner.path : inner.kind === "git" ? inner.url : "";
    const rest = path.startsWith(outer.path) ? path.slice(outer.path.length) : "";
    return /^[\\/]/.test(rest) || (rest !== "" && /[\\/]$/.test(outer.path));
  }
  if (outer.kind === "git" || inner.kind === "git" || inner.kind === "folder") return false;
  const bucketOf = (place: typeof outer) => formatStoreLocation({ ...place, prefix: "" });
  return bucketOf(inner) === bucketOf(outer) &&
    (outer.prefix === "" || inner.prefix.startsWith(`${outer.prefix}/`));
}
