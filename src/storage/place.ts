/**
 * Places as people name them, checked and brought into the one form that `config.json` holds. Every
 * function gives a location or throws `usage`, with what would be right as the hint.
 */
import { ClaudeSyncError } from "../errors.ts";
import type { Host } from "../platform/types.ts";
import { parseGitUrl } from "./git/git_url.ts";
import {
  LOCATION_PREFIX_LENGTH_MAX,
  type LocationOf,
  type StoreLocation,
  storeLocationSchema,
} from "./location.ts";

/** A bucket at AWS or at anything else that speaks S3. */
export interface S3Place {
  /** `BUCKET`, `BUCKET/PREFIX` or `s3://BUCKET/PREFIX`. */
  readonly bucket: string;
  /** Null: found out. */
  readonly region: string | null;
  /** Null: AWS. Without a scheme it is taken to be `https`. */
  readonly endpoint: string | null;
  readonly pathStyle: boolean;
  readonly awsProfile: string | null;
}

/** A bucket at Cloudflare R2. Exactly one of `account` and `endpoint` says where. */
export interface R2Place {
  /** `BUCKET`, `BUCKET/PREFIX` or `r2://BUCKET/PREFIX`. */
  readonly bucket: string;
  /** 32 hexadecimal digits. */
  readonly account: string | null;
  readonly endpoint: string | null;
  /** Where buckets of such a jurisdiction are, and nowhere else; null: the ordinary place. */
  readonly jurisdiction: "eu" | "fedramp" | null;
  readonly awsProfile: string | null;
}

/** A bucket at Google Cloud Storage. */
export interface GcsPlace {
  /** `BUCKET`, `BUCKET/PREFIX` or `gs://BUCKET/PREFIX`. */
  readonly bucket: string;
  readonly auth: "hmac" | "oauth";
  readonly endpoint: string | null;
}

/** What a provider takes as a bucket's name, and how to say it. */
interface BucketRule {
  readonly pattern: RegExp;
  /** What fits the pattern and is no name all the same. */
  readonly except: RegExp;
  readonly says: string;
}

/** https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html */
const AWS_BUCKET: BucketRule = {
  pattern: /^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/,
  except: /^\d+\.\d+\.\d+\.\d+$|\.\.|^xn--|^sthree-|-s3alias$|--ol-s3$|\.mrap$/,
  says: "AWS takes 3 to 63 lower-case letters, digits, dots and hyphens",
};
/** Older servers allow more than AWS does now. */
const S3_BUCKET: BucketRule = {
  pattern: /^[A-Za-z0-9][A-Za-z0-9._-]{1,220}[A-Za-z0-9]$/,
  except: /\.\./,
  says: "3 to 222 letters, digits, dots, hyphens and underscores are possible",
};
/** https://developers.cloudflare.com/r2/buckets/create-buckets/ */
const R2_BUCKET: BucketRule = {
  pattern: /^[a-z0-9][a-z0-9-]{1,61}[a-z0-9]$/,
  except: /^xn--/,
  says: "R2 takes 3 to 63 lower-case letters, digits and hyphens",
};
/** https://cloud.google.com/storage/docs/buckets#naming */
const GCS_BUCKET: BucketRule = {
  pattern: /^[a-z0-9][a-z0-9._-]{1,220}[a-z0-9]$/,
  except: /^\d+\.\d+\.\d+\.\d+$|\.\.|^goog|[^.]{64}/,
  says: "Google takes 3 to 63 lower-case letters, digits, hyphens, underscores and dots",
};

/** One-zone buckets list in no order, which the vault needs. */
const DIRECTORY_BUCKET = /--x-s3$/;
const REGION = /^[A-Za-z0-9-]{1,64}$/;
const R2_ACCOUNT = /^[0-9a-f]{32}$/i;
/** More than the longest bucket, prefix and scheme together. */
const BUCKET_TEXT_LENGTH_MAX = 1024;

/** The location of a bucket that speaks S3. */
export function s3LocationOf(place: S3Place): LocationOf<"s3"> {
  const endpointOrigin = place.endpoint === null ? null : originOf(place.endpoint, place.bucket);
  const rule = endpointOrigin === null ? AWS_BUCKET : S3_BUCKET;
  const { bucket, prefix } = bucketAndPrefix("--s3", ["s3"], place.bucket, rule);
  if (DIRECTORY_BUCKET.test(bucket)) {
    throw wrong(`"${bucket}" is a directory bucket, which lists its objects in no order`, {
      hint: "Use a general purpose bucket",
    });
  }
  if (place.region !== null && !REGION.test(place.region)) {
    throw wrong(`--region: "${place.region}" is not a region`, {
      hint: "Regions are like eu-central-1",
    });
  }
  const { region, pathStyle } = place;
  const awsProfile = profileOf(place.awsProfile);
  return located({
    kind: "s3",
    bucket,
    prefix,
    region,
    endpoint: endpointOrigin,
    pathStyle,
    awsProfile,
  });
}

/** The location of a bucket at R2. */
export function r2LocationOf(place: R2Place): LocationOf<"r2"> {
  const { bucket, prefix } = bucketAndPrefix("--r2", ["r2", "s3"], place.bucket, R2_BUCKET);
  const endpoint = place.endpoint === null
    ? r2Endpoint(place.account, place.jurisdiction)
    : originOf(place.endpoint, place.bucket);
  return located({ kind: "r2", bucket, prefix, endpoint, awsProfile: profileOf(place.awsProfile) });
}

/** The location of a bucket at Google. */
export function gcsLocationOf(place: GcsPlace): LocationOf<"gcs"> {
  const { bucket, prefix } = bucketAndPrefix("--gcs", ["gs", "gcs"], place.bucket, GCS_BUCKET);
  const endpoint = place.endpoint === null ? null : originOf(place.endpoint, place.bucket);
  return located({ kind: "gcs", bucket, prefix, auth: place.auth, endpoint });
}

/**
 * The location of a Git repository. `absolute` makes a path absolute: one that is relative would
 * mean something else in every folder that a hook runs in. The driver says more about what it
 * takes.
 */
export function gitLocationOf(
  url: string,
  absolute: (path: string) => string,
  os: Host["os"],
): LocationOf<"git"> {
  if (url === "" || url.startsWith("-")) {
    throw wrong(`--git: "${url}" is not the address of a repository`, {
      hint: "Give it as to git clone: https://HOST/PATH, ssh://HOST/PATH, HOST:PATH or a folder",
    });
  }
  const address = isGitAddress(url) ? url : absolute(url);
  const parsed = URL.canParse(url) ? new URL(url) : null;
  if (parsed !== null && parsed.password !== "") {
    throw wrong("--git: the address holds a password, which would stand in the configuration", {
      hint: "Leave it out and let a credential helper of Git's keep it: git help credentials",
    });
  }
  return located({ kind: "git", url: parseGitUrl(address, os).url });
}

/** As Git itself tells an address from a path: a scheme, or a colon before the first slash. */
function isGitAddress(text: string): boolean {
  if (/^[A-Za-z]:[\\/]/.test(text)) return false;
  return /^[A-Za-z][A-Za-z0-9+.-]*:\/\//.test(text) || /^[^/\\]+:/.test(text);
}

function bucketAndPrefix(
  flag: string,
  schemes: readonly string[],
  text: string,
  rule: BucketRule,
): { bucket: string; prefix: string } {
  const [, scheme, bucket = "", rest = ""] =
    /^(?:([a-z0-9]+):\/\/)?([^/]*)(.*)$/s.exec(text.slice(0, BUCKET_TEXT_LENGTH_MAX)) ?? [];
  if (scheme !== undefined && !schemes.includes(scheme)) {
    throw wrong(`${flag}: "${text}" is another kind of place`, {
      hint: `Give BUCKET, BUCKET/PREFIX or ${schemes[0]}://BUCKET/PREFIX`,
    });
  }
  if (!rule.pattern.test(bucket) || rule.except.test(bucket)) {
    throw wrong(`${flag}: "${bucket}" is not a bucket's name`, { hint: rule.says });
  }
  const prefix = rest.replace(/^\/+|\/+$/g, "");
  const isValid = prefix === "" ||
    /^[A-Za-z0-9_-][A-Za-z0-9._-]*(\/[A-Za-z0-9_-][A-Za-z0-9._-]*)*$/.test(prefix);
  if (!isValid || prefix.length > LOCATION_PREFIX_LENGTH_MAX) {
    throw wrong(`${flag}: "${prefix}" cannot be a prefix`, {
      hint: `Folders of letters, digits, ".", "_" and "-", joined by "/", at most ` +
        `${LOCATION_PREFIX_LENGTH_MAX} characters`,
    });
  }
  return { bucket, prefix };
}

/**
 * Scheme, host and port of an address. A path is only taken when it is the bucket's name, which
 * some providers' pages show behind it.
 */
function originOf(text: string, bucketText: string): string {
  const withScheme = /^[a-z]+:\/\//i.test(text) ? text : `https://${text}`;
  const refuse = (why: string) =>
    wrong(`--endpoint: "${withoutUser(text)}" ${why}`, {
      hint: "Give it like https://HOST or https://HOST:PORT",
    });
  if (!URL.canParse(withScheme)) throw refuse("is not an address");
  const url = new URL(withScheme);
  if (url.protocol !== "https:" && url.protocol !== "http:") throw refuse("is not http or https");
  if (url.username !== "" || url.password !== "") throw refuse("holds a user or password");
  const path = url.pathname.replace(/^\/+|\/+$/g, "");
  const bucket = bucketText.replace(/^[a-z0-9]+:\/\//, "").split("/")[0];
  if (path !== "" && path !== bucket) throw refuse("has a path");
  if (url.search !== "" || url.hash !== "") throw refuse("has more than a host and a port");
  return url.origin;
}

function withoutUser(text: string): string {
  return text.replace(/\/\/[^/@]*@/, "//");
}

function r2Endpoint(account: string | null, jurisdiction: R2Place["jurisdiction"]): string {
  if (account === null) {
    throw wrong("--r2 needs --account or --endpoint", {
      hint: "The account's id is on the R2 page of Cloudflare's dashboard",
    });
  }
  if (!R2_ACCOUNT.test(account)) {
    throw wrong(`--account: "${account}" is not the id of an account`, {
      hint: "It is 32 hexadecimal digits, on the R2 page of Cloudflare's dashboard",
    });
  }
  const inside = jurisdiction === null ? "" : `.${jurisdiction}`;
  return `https://${account.toLowerCase()}${inside}.r2.cloudflarestorage.com`;
}

function profileOf(name: string | null): string | null {
  if (name === null || /^[^\p{Cc}[\]]{1,128}$/u.test(name)) return name;
  throw wrong("--aws-profile: this cannot be a profile's name", {
    hint: "See the names in ~/.aws/config",
  });
}

/** The same value, after the check that a config file's has to pass as well. */
function located<Location extends StoreLocation>(location: Location): Location {
  if (storeLocationSchema.safeParse(location).success) return location;
  throw wrong("The place of the vault is too long or holds what no address has", {
    hint: "See: claude-sync help init",
  });
}

function wrong(message: string, facts: { readonly hint: string }): ClaudeSyncError {
  return new ClaudeSyncError("usage", message, facts);
}
