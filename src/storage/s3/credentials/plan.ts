/** Where AWS credentials are to come from: decided from names alone, before anything is asked. */
import type { Host } from "../../../platform/types.ts";
import { namedProfile, regionOf } from "./aws_settings.ts";
import type { IniSection } from "./ini.ts";
import { DEFAULT_PROFILE, type ProfileFiles } from "./profile_files.ts";

/** Roles that rest on each other; a circle is for AWS's library to complain about. */
const HOPS_MAX = 8;

/** How a profile that we do not follow ourselves gets its credentials. */
export type OfficialKind = "sso" | "login" | "role" | "mfa";

/** One source, with all that is needed to ask it. */
export type CredentialPlan =
  | { readonly kind: "environment" }
  | { readonly kind: "keys"; readonly profile: string; readonly section: IniSection }
  | { readonly kind: "process"; readonly profile: string; readonly command: string }
  | {
    readonly kind: "web-identity";
    readonly profile: string | null;
    readonly roleArn: string;
    readonly tokenFile: string;
    readonly sessionName: string | null;
    readonly region: string | null;
  }
  | {
    readonly kind: "official";
    readonly profile: string;
    readonly how: OfficialKind;
    readonly region: string | null;
    /** What signs the user in again; null when nothing of the kind is in it. */
    readonly signIn: string | null;
  }
  | { readonly kind: "container" }
  | { readonly kind: "instance" }
  /** A setting that is there by half: using another source would be a surprise. */
  | { readonly kind: "half"; readonly what: string }
  | { readonly kind: "no-such-profile"; readonly profile: string; readonly isMisnamed: boolean }
  | { readonly kind: "nothing" };

/**
 * Chooses as AWS's own tools do: environment (not when a profile is named), profile, web identity,
 * container, and the instance's own role only where the user has asked for it.
 */
export function planCredentials(
  host: Pick<Host, "env">,
  files: ProfileFiles,
  givenProfile: string | null,
): CredentialPlan {
  const named = namedProfile(host, givenProfile);
  if (named === null) {
    const id = host.env("AWS_ACCESS_KEY_ID");
    const secret = host.env("AWS_SECRET_ACCESS_KEY");
    if (id !== undefined && secret !== undefined) return { kind: "environment" };
    if (id !== undefined) return half("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY");
    if (secret !== undefined) return half("AWS_SECRET_ACCESS_KEY", "AWS_ACCESS_KEY_ID");
  }
  const profile = named ?? DEFAULT_PROFILE;
  const section = files.profile(profile);
  if (section === null && named !== null) {
    return { kind: "no-such-profile", profile, isMisnamed: files.isMisnamed(profile) };
  }
  const region = regionOf(host, section, givenProfile);
  return (section === null ? null : planProfile(profile, section, region, files)) ??
    planMachine(host, region);
}

/** In the order of AWS's own libraries: a role beats keys, keys beat everything else. */
function planProfile(
  profile: string,
  section: IniSection,
  region: string | null,
  files: ProfileFiles,
): CredentialPlan | null {
  const get = (name: string) => section.get(name) || null;
  const official = (how: OfficialKind): CredentialPlan => ({
    kind: "official",
    profile,
    how,
    region,
    signIn: signInCommand(profile, section, files),
  });
  const roleArn = get("role_arn");
  if (roleArn !== null && (get("source_profile") ?? get("credential_source")) !== null) {
    return official(get("mfa_serial") === null ? "role" : "mfa");
  }
  const [id, secret] = [get("aws_access_key_id"), get("aws_secret_access_key")];
  if (id !== null && secret !== null) return { kind: "keys", profile, section };
  if (id !== null) return half("aws_access_key_id", "aws_secret_access_key", profile);
  if (secret !== null) return half("aws_secret_access_key", "aws_access_key_id", profile);
  const tokenFile = get("web_identity_token_file");
  if (roleArn !== null && tokenFile !== null) {
    const sessionName = get("role_session_name");
    return { kind: "web-identity", profile, roleArn, tokenFile, sessionName, region };
  }
  const command = get("credential_process");
  if (command !== null) return { kind: "process", profile, command };
  if (isSso(section)) return official("sso");
  return get("login_session") === null ? null : official("login");
}

function isSso(section: IniSection): boolean {
  return ["sso_session", "sso_start_url", "sso_account_id"].some((name) => section.get(name));
}

/** Follows a role to the profile that somebody has to sign in to. */
function signInCommand(
  profile: string,
  section: IniSection,
  files: ProfileFiles,
): string | null {
  let [name, at]: [string, IniSection | null] = [profile, section];
  for (let hops = 0; at !== null && hops < HOPS_MAX; hops++) {
    const quoted = /^[\w.@-]+$/.test(name) ? name : `"${name}"`;
    const next: string | undefined = at.get("role_arn") ? at.get("source_profile") : undefined;
    if (next === undefined || next === name) {
      if (isSso(at)) return `aws sso login --profile ${quoted}`;
      return at.get("login_session") ? `aws login --profile ${quoted}` : null;
    }
    [name, at] = [next, files.profile(next)];
  }
  return null;
}

/** What the machine that this runs on was given. */
function planMachine(host: Pick<Host, "env">, region: string | null): CredentialPlan {
  const tokenFile = host.env("AWS_WEB_IDENTITY_TOKEN_FILE");
  const roleArn = host.env("AWS_ROLE_ARN");
  if (tokenFile !== undefined && roleArn !== undefined) {
    const sessionName = host.env("AWS_ROLE_SESSION_NAME") ?? null;
    return { kind: "web-identity", profile: null, roleArn, tokenFile, sessionName, region };
  }
  const isInContainer = ["RELATIVE", "FULL"].some((form) =>
    host.env(`AWS_CONTAINER_CREDENTIALS_${form}_URI`) !== undefined
  );
  if (isInContainer) return { kind: "container" };
  // Said so that it counts as asking: unset, a laptop would wait seconds for nobody.
  const isAsked = host.env("AWS_EC2_METADATA_DISABLED")?.toLowerCase() === "false";
  return isAsked ? { kind: "instance" } : { kind: "nothing" };
}

function half(present: string, missing: string, profile?: string): CredentialPlan {
  const where = profile === undefined ? "" : ` in the profile "${profile}"`;
  return { kind: "half", what: `${present} is set without ${missing}${where}` };
}
