/** Credentials by AWS's own library, or else by AWS's own program. */
import { ClaudeSyncError, isClaudeSyncError } from "../../../errors.ts";
import type { AwsCredentials } from "../aws_credentials.ts";
import type { OfficialRequest } from "./official_request.ts";
import type { CredentialPlan, OfficialKind } from "./plan.ts";
import { processCredentials } from "./process_credentials.ts";
import type { ProfileFiles } from "./profile_files.ts";
import type { AwsCredentialSourceOptions } from "./source.ts";

/** Plans that are left to AWS's own software. */
export type OfficialPlan = Extract<
  CredentialPlan,
  { readonly kind: "official" | "container" | "instance" }
>;

const HOW: Record<OfficialKind, string> = {
  sso: "single sign-on",
  login: "aws login",
  role: "role",
  mfa: "role",
};

/**
 * Asks the library; when that fails for any reason but the network, the AWS CLI, where it is
 * installed: it may know a newer way to sign in. Errors: `store-unreachable`, else whatever the
 * library says, which is for `officialFailure` to put into words.
 */
export async function officialPlanCredentials(
  plan: OfficialPlan,
  files: ProfileFiles,
  { platform, official }: AwsCredentialSourceOptions,
  signal: AbortSignal,
): Promise<AwsCredentials> {
  const from = describe(plan);
  try {
    const options = { http: platform.http, from, signal };
    const keys = await official(requestOf(plan, files), options);
    if (keys !== null) return keys;
    throw new ClaudeSyncError("store-refused", "AWS gives credentials that cannot be any");
  } catch (error) {
    signal.throwIfAborted();
    if (plan.kind !== "official" || isClaudeSyncError(error, "store-unreachable")) throw error;
    const byProgram = await awsProgramCredentials(plan.profile, from, platform, signal);
    if (byProgram === null) throw error;
    return byProgram;
  }
}

function requestOf(plan: OfficialPlan, files: ProfileFiles): OfficialRequest {
  if (plan.kind !== "official") return { kind: plan.kind };
  const { profile, region } = plan;
  const { configPath, credentialsPath } = files;
  return { kind: "profile", profile, region, configPath, credentialsPath };
}

/** Null when there is no such program or it does not know better. */
async function awsProgramCredentials(
  profile: string,
  from: string,
  platform: AwsCredentialSourceOptions["platform"],
  signal: AbortSignal,
): Promise<AwsCredentials | null> {
  // A name that begins with a hyphen stays a value.
  const options = [`--profile=${profile}`, "--format=process"];
  const program = {
    argv: ["aws", "configure", "export-credentials", ...options],
    label: "aws configure export-credentials",
    from,
    hint: "",
  };
  try {
    return await processCredentials(program, platform, signal);
  } catch (error) {
    // What the library said is told instead.
    if (isClaudeSyncError(error, "store-refused")) return null;
    throw error;
  }
}

function describe(plan: OfficialPlan): string {
  if (plan.kind === "container") return "container role";
  if (plan.kind === "instance") return "instance role";
  return `profile ${plan.profile}, ${HOW[plan.how]}`;
}

/** The error for the user: what cannot be had, and how to sign in again. Quotes no cause. */
export function officialFailure(plan: OfficialPlan, cause: unknown): ClaudeSyncError {
  const failed = (message: string, hint: string) =>
    new ClaudeSyncError("store-refused", message, { hint, cause: withoutSecrets(cause) });
  if (plan.kind === "container") {
    return failed("The container's service gives no AWS credentials", "Check the task's role");
  }
  if (plan.kind === "instance") {
    return failed(
      "The instance's metadata service gives no AWS credentials",
      "Check that the instance has a role, and AWS_EC2_METADATA_DISABLED",
    );
  }
  const { profile, how, signIn } = plan;
  if (how === "mfa") {
    return failed(
      `The AWS profile "${profile}" needs a code from a device (mfa_serial), which cannot be ` +
        "asked for here",
      "Get temporary keys by hand and put them into the environment: aws configure " +
        "export-credentials --format env --profile ...",
    );
  }
  if (how === "role") {
    return failed(
      `The role of the AWS profile "${profile}" cannot be assumed`,
      signIn === null
        ? "See why: aws sts get-caller-identity --profile ..."
        : `Sign in again: ${signIn}   (else the role does not trust you)`,
    );
  }
  return failed(
    `The sign-in of the AWS profile "${profile}" has expired or was never made`,
    `Sign in again: ${signIn}`,
  );
}

/** The library's errors carry whole answers: only their names and statuses are kept. */
function withoutSecrets(cause: unknown): unknown {
  if (cause instanceof ClaudeSyncError || !(cause instanceof Error)) return undefined;
  return new ProviderFailure(cause.name);
}

/** That AWS's library failed, by the name of its error. */
class ProviderFailure extends Error {
  constructor(name: string) {
    super(/^\w{1,80}$/.test(name) ? name : "unknown");
    this.name = "ProviderFailure";
  }
}
