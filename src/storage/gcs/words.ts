/** How the users of Google Cloud Storage speak, for the hints of errors. */
import type { BucketAction, ProviderWords } from "../bucket/failure_table.ts";

/** How requests prove who asks. */
export type GcsAuth = "hmac" | "oauth";

const PERMISSIONS: Record<BucketAction, string> = {
  get: "storage.objects.get",
  put: "storage.objects.create",
  list: "storage.objects.list",
  delete: "storage.objects.delete",
  create: "storage.buckets.create",
};

/** For both ways of asking. */
export function gcsWords(
  { bucket, auth }: { readonly bucket: string; readonly auth: GcsAuth },
): ProviderWords {
  return {
    credentials: auth === "hmac"
      ? "HMAC keys (their ids begin with GOOG) come from the environment (AWS_ACCESS_KEY_ID and " +
        "AWS_SECRET_ACCESS_KEY) or an AWS profile; see them in the console: Cloud Storage, " +
        "Settings, Interoperability"
      : "Log in: gcloud auth application-default login   or name a key file in " +
        "GOOGLE_APPLICATION_CREDENTIALS",
    permission: (action) =>
      action === "create"
        ? "Making a bucket needs storage.buckets.create: make it in the Google Cloud console"
        : `The account needs ${PERMISSIONS[action]}. All that a vault needs: gcloud storage ` +
          `buckets add-iam-policy-binding gs://${bucket} --member=ACCOUNT ` +
          "--role=roles/storage.objectUser",
    noBucket: "Check its name, or let claude-sync make it: --create-bucket",
    region: "Google Cloud Storage has no regions in its addresses: leave --region out",
  };
}
