/** What is asked of AWS's own library, for those who must not know it. */
import type { Http } from "../../../platform/types.ts";
import type { AwsCredentials } from "../aws_credentials.ts";

/** What the library is to find. */
export type OfficialRequest =
  | {
    readonly kind: "profile";
    readonly profile: string;
    readonly region: string | null;
    readonly configPath: string;
    readonly credentialsPath: string;
  }
  | { readonly kind: "container" }
  | { readonly kind: "instance" };

/** Asks for credentials. Rejects with whatever the library does not like; that may name secrets. */
export type OfficialProvider = (
  request: OfficialRequest,
  options: { readonly http: Http; readonly from: string; readonly signal: AbortSignal },
) => Promise<AwsCredentials | null>;
