/** What each error code of a bucket means, why it comes, and what to do about it. */
import type { ErrorCode } from "../../errors.ts";
import type { ErrorAnswer } from "./error_answer.ts";

/** What was asked of the bucket. */
export type BucketAction = "get" | "put" | "list" | "delete" | "create";

/** How the users of one provider speak. Every text is a hint: no full stop, no secret. */
export interface ProviderWords {
  /** Where keys, tokens or logins come from and are checked. */
  readonly credentials: string;
  /** Which permission an action needs, and the least that makes everything work. */
  permission(action: BucketAction): string;
  /** How to get a bucket, or to find the one that is there. */
  readonly noBucket: string;
  /** What to do when the bucket is in another region. */
  readonly region: string;
}

/** What a failure is about. */
export interface FailureContext {
  readonly action: BucketAction;
  readonly bucket: string;
  /** Host and port that answered. */
  readonly host: string;
  readonly words: ProviderWords;
}

/** One line of the table. */
export interface Meaning {
  readonly code: ErrorCode;
  /** One sentence without a full stop. */
  what(at: FailureContext, answer: ErrorAnswer): string;
  hint(at: FailureContext, answer: ErrorAnswer): string;
}

const DOING: Record<BucketAction, string> = {
  get: "read from",
  put: "write to",
  list: "list",
  delete: "delete from",
  create: "create",
};

const denied: Meaning = {
  code: "store-refused",
  what: ({ action, bucket }) => `Not allowed to ${DOING[action]} the bucket "${bucket}"`,
  hint: ({ action, words }, { detail }) => {
    if (detail.includes("kms:")) {
      return `The bucket's encryption key must be allowed too: ${detail}`;
    }
    return words.permission(action);
  },
};

const unknownKey: Meaning = {
  code: "store-refused",
  what: ({ host }) => `${host} does not know the access key`,
  hint: ({ words }) => `It may belong to another service, or be deleted. ${words.credentials}`,
};

const expired: Meaning = {
  code: "store-refused",
  what: () => "The credentials have expired",
  hint: ({ words }) => `Log in again, then repeat the command. ${words.credentials}`,
};

const busy: Meaning = {
  code: "store-unreachable",
  what: ({ host }, { code, status }) => `${host} is busy or failing (${code ?? status})`,
  hint: () => "Try again later; nothing is lost",
};

const garbled: Meaning = {
  code: "store-unreachable",
  what: ({ host }, { code }) => `What was sent did not arrive whole at ${host} (${code})`,
  hint: () => "Try again; if it stays, a proxy or virus scanner on the way changes requests",
};

const full: Meaning = {
  code: "no-space",
  what: ({ bucket }, { code, status }) =>
    `No space left in the bucket "${bucket}" (${code ?? status})`,
  hint: () => "Free some space there, or raise the quota or cap of the bucket or account",
};

const suspended: Meaning = {
  code: "store-refused",
  what: ({ host }, { code }) => `The account at ${host} is blocked (${code})`,
  hint: () => "Look at the provider's console: a bill, a confirmation or a limit is open",
};

const elsewhere: Meaning = {
  code: "store-refused",
  what: ({ bucket }, { region }) =>
    region === null
      ? `The bucket "${bucket}" is in another region`
      : `The bucket "${bucket}" is in the region "${region}"`,
  hint: ({ words }) => words.region,
};

const unsupported: Meaning = {
  code: "store-invalid",
  what: ({ host, action }, { code, status }) =>
    `${host} cannot ${DOING[action]} buckets as S3 does (${code ?? status})`,
  hint: () => "Check that the endpoint is the store's S3 address, not its website or console",
};

const encryptionKey: Meaning = {
  code: "store-refused",
  what: ({ bucket }, { code }) => `The encryption key of the bucket "${bucket}" fails (${code})`,
  hint: (_, { detail }) =>
    `Enable that key for these credentials, or set the bucket to the store's own key. ${detail}`,
};

/** By the `Code` of the answer, which all stores take from AWS's list. */
export const MEANINGS: ReadonlyMap<string, Meaning> = new Map([
  ["NoSuchBucket", {
    code: "no-vault",
    what: ({ bucket, host }) => `There is no bucket "${bucket}" at ${host}`,
    hint: ({ words }) => words.noBucket,
  }],
  ["InvalidBucketName", {
    code: "usage",
    what: ({ bucket, host }) => `${host} takes no bucket of the name "${bucket}"`,
    hint: () => "Check the name: lower-case letters, digits and hyphens, 3 to 63 characters",
  }],
  ...named(denied, "AccessDenied", "Forbidden", "AllAccessDisabled", "UnauthorizedAccess"),
  ...named(unknownKey, "InvalidAccessKeyId", "InvalidAccessKey", "InvalidClientTokenId"),
  ["SignatureDoesNotMatch", {
    code: "store-refused",
    what: () => "The secret key does not fit the access key",
    hint: ({ words }) =>
      `Compare the secret, character by character (a proxy that changes requests does it too). ` +
      words.credentials,
  }],
  ...named(
    expired,
    ...["ExpiredToken", "ExpiredTokenException", "TokenRefreshRequired"],
    // Google's word for a token that has ended or was revoked.
    "AuthenticationRequired",
  ),
  ...named(
    {
      code: "store-refused",
      what: ({ bucket }) => `Whoever uses the bucket "${bucket}" has to pay for it`,
      hint: () => "Name a project of yours that pays in GOOGLE_CLOUD_QUOTA_PROJECT",
    },
    ...["UserProjectMissing", "UserProjectInvalid", "UserProjectAccessDenied"],
  ),
  ["InvalidToken", {
    code: "store-refused",
    what: () => "The session token does not fit the access key",
    hint: ({ words }) => `A left-over AWS_SESSION_TOKEN does this. ${words.credentials}`,
  }],
  ...named(
    {
      code: "store-refused",
      what: ({ host }) => `This machine's clock differs too much from that of ${host}`,
      hint: () => "Set the clock (date, time and time zone), then repeat the command",
    },
    "RequestTimeTooSkewed",
    "RequestExpired",
  ),
  ...named(
    elsewhere,
    ...["PermanentRedirect", "TemporaryRedirect", "AuthorizationHeaderMalformed"],
    ...["IllegalLocationConstraintException", "InvalidRegion"],
  ),
  ...named(
    busy,
    ...["SlowDown", "SlowDownRead", "SlowDownWrite", "RequestTimeout", "InternalError"],
    ...["ServiceUnavailable", "OperationAborted", "ConditionalRequestConflict", "Throttling"],
    ...["ThrottlingException", "RequestLimitExceeded", "TooManyRequests", "RequestThrottled"],
    ...["BandwidthLimitExceeded", "Busy"],
  ),
  ...named(
    garbled,
    ...["BadDigest", "XAmzContentSHA256Mismatch", "IncompleteBody", "RequestBodyTooShort"],
    ...["XAmzContentChecksumMismatch", "ContentSHA256Mismatch"],
  ),
  ...named(
    full,
    ...["QuotaExceeded", "XMinioStorageFull", "XMinioAdminBucketQuotaExceeded"],
    ...["InsufficientStorage", "InsufficientCapacity", "StorageLimitExceeded"],
    ...["StorageQuotaExceeded", "BucketQuotaExceeded", "ServiceQuotaExceededException"],
  ),
  ...named(
    suspended,
    ...["AccountProblem", "NotSignedUp", "UserSuspended", "AccountSuspended", "AccessFrozen"],
    ...["UserProjectAccountProblem", "AccountDisabled", "PaymentRequired"],
  ),
  ...named(
    {
      code: "store-refused",
      what: ({ bucket }) => `An object in the bucket "${bucket}" was moved to cold storage`,
      hint: () =>
        "Restore the bucket's objects to the standard class and remove the rule that archives them",
    },
    "InvalidObjectState",
    "ObjectNotInActiveTierError",
  ),
  ...named(unsupported, "MethodNotAllowed", "NotImplemented", "XNotImplemented"),
  ["EntityTooLarge", {
    code: "too-large",
    what: ({ host }) => `${host} takes no objects of this size`,
    hint: () => "Raise the store's limit for one request to at least 16 MiB",
  }],
  ["BucketAlreadyExists", {
    code: "already-set-up",
    what: ({ bucket }) => `The bucket name "${bucket}" is taken by somebody else`,
    hint: () => "Bucket names are shared by all users of the service: choose another",
  }],
  ["TooManyBuckets", {
    code: "store-refused",
    what: () => "The account may have no more buckets",
    hint: () => "Use a bucket that is there, with a folder of its own: BUCKET/FOLDER",
  }],
  ...named(encryptionKey, "KMSInvalidKeyUsageException", "KMSInvalidStateException"),
]);

/** For codes that come in families: `KMS.DisabledException` and the like. */
const KMS_CODE = /^KMS[._]/;

/** A refusal that no S3 service has written. */
const blocked: Meaning = {
  code: "store-refused",
  what: ({ host }, { status }) => `${host} refuses without a reason (HTTP ${status})`,
  hint: ({ action, words }) =>
    `A firewall or proxy may be in between; otherwise: ${words.permission(action)}`,
};

/** By status, for answers whose code is not in the table or missing. */
export function meaningOfStatus({ status, code }: ErrorAnswer): Meaning | null {
  if (status === 401 || status === 403) return code === null ? blocked : denied;
  if (status === 405 || status === 501) return unsupported;
  if (status === 507) return full;
  if (status === 413) return MEANINGS.get("EntityTooLarge") ?? null;
  if (status === 402) return suspended;
  if (status === 408 || status === 425 || status === 429 || status >= 500) return busy;
  return null;
}

/** Meaning of a code that is in the table or in a family. */
export function meaningOfCode(code: string, detail: string): Meaning | null {
  // Some say that a cap is reached with the code for a missing permission.
  if (code === "AccessDenied" && /\b(cap|quota)\b.*\bexceeded\b/i.test(detail)) return full;
  if (KMS_CODE.test(code)) return encryptionKey;
  return MEANINGS.get(code) ?? null;
}

function named(meaning: Meaning, ...codes: readonly string[]): [string, Meaning][] {
  return codes.map((code) => [code, meaning]);
}
