/**
 * What a client of a real S3 server needs.
 *
 * @module
 */

/** An S3 server on this machine, to be addressed with the bucket in the path. */
export interface S3Address {
  /** Such as `http://127.0.0.1:23456`. */
  readonly endpoint: string;
  readonly region: string;
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
}
