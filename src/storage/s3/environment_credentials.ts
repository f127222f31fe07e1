import { ClaudeSyncError } from "../../errors.ts";
import type { Host } from "../../platform/types.ts";
import type { AwsCredentialSource } from "./aws_credentials.ts";

/** Credentials from AWS's variables of the environment. Errors: `store-refused` without them. */
export function environmentCredentials(host: Pick<Host, "env">): AwsCredentialSource {
  return {
    credentials() {
      const accessKeyId = host.env("AWS_ACCESS_KEY_ID");
      const secretAccessKey = host.env("AWS_SECRET_ACCESS_KEY");
      if (accessKeyId === undefined || secretAccessKey === undefined) {
        throw new ClaudeSyncError("store-refused", "No AWS credentials were found", {
          hint: "Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
        });
      }
      return Promise.resolve({
        accessKeyId,
        secretAccessKey,
        sessionToken: host.env("AWS_SESSION_TOKEN") ?? null,
        expiresAtMs: null,
        from: "environment",
      });
    },
  };
}
