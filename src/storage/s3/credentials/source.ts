/** The credentials that every AWS user expects to be found, from wherever theirs are. */
import { ClaudeSyncError, isClaudeSyncError } from "../../../errors.ts";
import type { Platform } from "../../../platform/types.ts";
import { renewing } from "../../credentials/renewing.ts";
import type { AwsCredentials, AwsCredentialSource } from "../aws_credentials.ts";
import { awsKeys } from "./keys.ts";
import type { OfficialProvider } from "./official_request.ts";
import { officialFailure, officialPlanCredentials } from "./official_plan.ts";
import { type CredentialPlan, planCredentials } from "./plan.ts";
import { DEFAULT_PROFILE, type ProfileFiles, readProfileFiles } from "./profile_files.ts";
import { type CredentialProgram, processCredentials } from "./process_credentials.ts";
import { splitCommandLine } from "../../credentials/command_line.ts";
import { webIdentityCredentials } from "./web_identity.ts";

/** Most names of profiles in a message. */
const NAMES_SHOWN_MAX = 20;

/** A key pair that does not end. Secret: never printed. */
export interface KeyPair {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
}

/** Where to look. */
export interface AwsCredentialSourceOptions {
  readonly platform: Pick<Platform, "fs" | "host" | "http" | "clock" | "processes">;
  /** Profile that the user gave to us; null: as the environment says. */
  readonly profile: string | null;
  /** Keys that the user had kept for this place, or null; they come before all others. */
  readonly savedKeys: () => KeyPair | null;
  /** Whose keys are wanted: AWS's own ones, or those of another service that speaks S3. */
  readonly service: "aws" | "other";
  /** AWS's own library. */
  readonly official: OfficialProvider;
}

/**
 * Makes the source. Nothing is read, run or asked before the first request needs credentials.
 * Errors of `credentials`: `store-refused` (none, refused, expired: with what to do),
 * `store-unreachable` (AWS cannot be asked), `malformed-file`, `unsafe-file`, `too-large`,
 * `local-io` (the files that they are in).
 */
export function awsCredentialSource(
  options: AwsCredentialSourceOptions,
): AwsCredentialSource {
  let from: string | null = null;
  const current = renewing(async ({ signal }) => {
    const found = await findCredentials(options, signal);
    from = found.from;
    return found;
  }, options.platform.clock);
  return {
    get from() {
      return from;
    },
    credentials: current,
  };
}

async function findCredentials(
  options: AwsCredentialSourceOptions,
  signal: AbortSignal,
): Promise<AwsCredentials> {
  const saved = options.savedKeys();
  if (saved !== null) return usable(awsKeys(saved, "kept keys"), "The kept keys");
  const files = readProfileFiles(options.platform);
  const plan = planCredentials(options.platform.host, files, options.profile);
  return await carryOut(plan, files, options, signal);
}

async function carryOut(
  plan: CredentialPlan,
  files: ProfileFiles,
  options: AwsCredentialSourceOptions,
  signal: AbortSignal,
): Promise<AwsCredentials> {
  const { platform } = options;
  switch (plan.kind) {
    case "environment":
      return environmentKeys(platform.host);
    case "keys": {
      const { profile, section } = plan;
      const keys = awsKeys({
        accessKeyId: section.get("aws_access_key_id") ?? "",
        secretAccessKey: section.get("aws_secret_access_key") ?? "",
        sessionToken: section.get("aws_session_token") || null,
      }, `profile ${profile}`);
      return usable(keys, `The keys in the profile "${profile}"`);
    }
    case "process":
      return await processCredentials(programOf(plan, options), platform, signal);
    case "web-identity": {
      const from = plan.profile === null ? "web identity" : `profile ${plan.profile}, web identity`;
      return await webIdentityCredentials({ ...plan, from }, platform, signal);
    }
    case "official":
    case "container":
    case "instance":
      return await officialPlanCredentials(plan, files, options, signal).catch((cause) => {
        signal.throwIfAborted();
        if (isClaudeSyncError(cause, "store-unreachable")) throw cause;
        throw officialFailure(plan, cause);
      });
    case "half":
      throw refused(plan.what, "Set both, or neither");
    case "no-such-profile":
      throw noSuchProfile(plan, files);
    case "nothing":
      throw nothingFound(files, options);
  }
}

function environmentKeys(host: Platform["host"]): AwsCredentials {
  // Set by `aws configure export-credentials --format env`, among others.
  const expires = Date.parse(host.env("AWS_CREDENTIAL_EXPIRATION") ?? "");
  const keys = awsKeys({
    accessKeyId: host.env("AWS_ACCESS_KEY_ID") ?? "",
    secretAccessKey: host.env("AWS_SECRET_ACCESS_KEY") ?? "",
    sessionToken: host.env("AWS_SESSION_TOKEN") ?? null,
    expiresAtMs: Number.isNaN(expires) ? null : expires,
  }, "environment");
  return usable(keys, "AWS_ACCESS_KEY_ID and what goes with it");
}

function programOf(
  { profile, command }: { readonly profile: string; readonly command: string },
  { platform }: AwsCredentialSourceOptions,
): CredentialProgram {
  const label = `The credential_process of the profile "${profile}"`;
  const argv = splitCommandLine(command, platform.host.os);
  if (argv === null) throw refused(`${label} has a quote without an end`, "Close the quote");
  return {
    argv,
    label,
    from: `profile ${profile}, ${programName(argv)}`,
    hint: "Run that command yourself to see why. It is started without a shell and a terminal: " +
      "give its full path, and log in before",
  };
}

/** The program's name without its folder and whatever a terminal could take for more. */
function programName(argv: readonly string[]): string {
  return (argv[0] ?? "").replace(/^.*[\\/]/, "").replaceAll(/[^\w.-]/g, "?");
}

function usable(keys: AwsCredentials | null, what: string): AwsCredentials {
  if (keys !== null) return keys;
  throw refused(`${what} cannot be credentials`, "They hold characters that no key has, or none");
}

function noSuchProfile(
  { profile, isMisnamed }: { readonly profile: string; readonly isMisnamed: boolean },
  { configPath, credentialsPath, names }: ProfileFiles,
): ClaudeSyncError {
  const known = names.length === 0
    ? "they hold none"
    : `there are: ${names.slice(0, NAMES_SHOWN_MAX).join(", ")}`;
  return refused(
    `There is no AWS profile "${profile}"`,
    isMisnamed
      ? `In "${configPath}" its section must be called [profile ${profile}]`
      : `Looked in "${configPath}" and "${credentialsPath}": ${known}`,
  );
}

function nothingFound(
  { configPath, credentialsPath }: ProfileFiles,
  { profile, service }: AwsCredentialSourceOptions,
): ClaudeSyncError {
  const places = [
    "the environment (AWS_ACCESS_KEY_ID, AWS_PROFILE, AWS_WEB_IDENTITY_TOKEN_FILE)",
    `the profile "${profile ?? DEFAULT_PROFILE}" in "${credentialsPath}" and "${configPath}"`,
    "the container's service (AWS_CONTAINER_CREDENTIALS_FULL_URI)",
  ];
  const [message, advice] = service === "aws"
    ? ["No AWS credentials were found", AWS_ADVICE]
    : ["No access keys were found", KEYS_ADVICE];
  return refused(message, `Looked in ${places.join(", ")}. ${advice}`);
}

const AWS_ADVICE = "Make some with: aws configure   or sign in with: aws configure sso   The " +
  "role of an EC2 instance is asked for with AWS_EC2_METADATA_DISABLED=false";
const KEYS_ADVICE = "Put the store's keys into AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or " +
  "have them kept: claude-sync init ... --save-credentials";

function refused(message: string, hint: string): ClaudeSyncError {
  return new ClaudeSyncError("store-refused", message, { hint });
}
