/** Where an S3 bucket is: which host, and whether the bucket is in the path or before the host. */
import type { BucketAddress } from "../bucket/client.ts";
import type { Addressing } from "./providers.ts";

/** Names that can stand before a host and are covered by its certificate. */
const HOST_LABEL = /^[a-z0-9][a-z0-9-]{1,61}[a-z0-9]$/;

/** What an address is made of. */
export interface S3AddressOptions {
  readonly bucket: string;
  /** Null: AWS, in the region that `region` gives. */
  readonly endpoint: URL | null;
  readonly addressing: Addressing;
  /** The region as far as it is known now. */
  readonly region: () => string;
}

/**
 * Puts the bucket before the host where `addressing` asks for it and the name allows: names with
 * dots fit no certificate, names with capitals or underscores are no host names.
 */
export function s3Address(options: S3AddressOptions): BucketAddress {
  const { bucket, endpoint, region } = options;
  const isBeforeHost = options.addressing === "virtual-host" && HOST_LABEL.test(bucket);
  return {
    url(key) {
      const { protocol, host } = endpoint ?? new URL(`https://${awsHost(region())}`);
      const root = isBeforeHost
        ? `${protocol}//${bucket}.${host}`
        : `${protocol}//${host}/${bucket}`;
      return key === null ? root : `${root}/${key}`;
    },
  };
}

/** Host of S3 in a region of AWS, in its partition. */
export function awsHost(region: string): string {
  if (region.startsWith("cn-")) return `s3.${region}.amazonaws.com.cn`;
  if (region.startsWith("eusc-")) return `s3.${region}.amazonaws.eu`;
  return `s3.${region}.amazonaws.com`;
}

/** First part of the resource names (ARN) in a region's partition. */
export function awsPartition(region: string): string {
  if (region.startsWith("cn-")) return "aws-cn";
  if (region.startsWith("us-gov-")) return "aws-us-gov";
  return region.startsWith("eusc-") ? "aws-eusc" : "aws";
}
