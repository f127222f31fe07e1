/** How the users of S3, of its relatives and of R2 speak, for the hints of errors. */
import type { BucketAction, ProviderWords } from "../bucket/failure_table.ts";
import { awsPartition } from "./address.ts";

const PERMISSIONS: Record<BucketAction, string> = {
  get: "s3:GetObject",
  put: "s3:PutObject",
  list: "s3:ListBucket",
  delete: "s3:DeleteObject",
  create: "s3:CreateBucket",
};

/** What a bucket is called, for texts. */
export interface BucketWordsOptions {
  readonly bucket: string;
  /** `""` or folders without an end slash. */
  readonly prefix: string;
}

/**
 * The least that a vault needs, as a policy for an IAM user or role; one line of JSON, so that it
 * can be copied. Listing is allowed below the prefix only.
 */
function minimalPolicy(
  { bucket, prefix, region }: BucketWordsOptions & { readonly region: string },
): string {
  const resource = `arn:${awsPartition(region)}:s3:::${bucket}`;
  const below = prefix === "" ? "*" : `${prefix}/*`;
  return JSON.stringify({
    Version: "2012-10-17",
    Statement: [
      {
        Effect: "Allow",
        Action: ["s3:GetObject", "s3:PutObject", "s3:DeleteObject"],
        Resource: `${resource}/${below}`,
      },
      {
        Effect: "Allow",
        Action: "s3:ListBucket",
        Resource: resource,
        ...(prefix === "" ? {} : { Condition: { StringLike: { "s3:prefix": below } } }),
      },
    ],
  });
}

/** For AWS. */
export function awsWords(
  at: BucketWordsOptions & { readonly region: () => string },
): ProviderWords {
  return {
    credentials: "Keys come from the environment (AWS_ACCESS_KEY_ID …) or the profile " +
      "(--aws-profile); see what they are: aws sts get-caller-identity",
    permission: (action) =>
      `Allow ${PERMISSIONS[action]}. The least that works: ` +
      minimalPolicy({ ...at, region: at.region() }),
    noBucket: "Check its name, or let claude-sync make it: --create-bucket",
    region: "Name the bucket's region, --region REGION, and leave --endpoint out",
  };
}

/** For every other server that speaks S3. */
export function s3Words(at: BucketWordsOptions): ProviderWords {
  return {
    credentials: "Keys come from the environment (AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY) " +
      "or the profile (--aws-profile), and must be made for this server",
    permission: (action) =>
      `The key needs ${PERMISSIONS[action]}; in all: read, write, list and delete in the bucket ` +
      `"${at.bucket}"${at.prefix === "" ? "" : ` below ${at.prefix}/`}`,
    noBucket: "Check its name and the endpoint, or let claude-sync make it: --create-bucket",
    region: "Name the region that the server is set to: --region REGION",
  };
}

/** For Cloudflare R2, whose tokens can neither list nor make buckets. */
export function r2Words({ bucket }: BucketWordsOptions): ProviderWords {
  return {
    credentials: "The keys of an R2 API token go into AWS_ACCESS_KEY_ID and " +
      "AWS_SECRET_ACCESS_KEY or a profile; the token's own value is neither of them",
    permission: () =>
      `Make an R2 API token with "Object Read & Write" for the bucket "${bucket}": ` +
      "dashboard, R2, Manage API tokens",
    noBucket: "Check the name and the account. A bucket of a jurisdiction is found at its own " +
      "endpoint only: --jurisdiction eu (or fedramp). New ones are made in the dashboard",
    region: "R2 has one region, auto: leave --region out",
  };
}
