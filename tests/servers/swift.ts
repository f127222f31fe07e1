/** Placeholder while the rest is built. */
import type { S3Address } from "./s3_address.ts";
/** x */
export function whyNoSwift(): string | null {
  return "not written";
}
/** x */
export function startSwift(): Promise<S3Address & { stop(): Promise<void> }> {
  throw new Error("not written");
}
