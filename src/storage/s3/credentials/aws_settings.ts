/** What the AWS configuration says besides credentials: which profile, region, endpoint. */
import type { Host } from "../../../platform/types.ts";
import type { OutsideFiles } from "../../credentials/outside_file.ts";
import type { IniSection } from "./ini.ts";
import { DEFAULT_PROFILE, type ProfileFiles, readProfileFiles } from "./profile_files.ts";

/** Facts of the user's AWS configuration. None is secret. */
export interface AwsSettings {
  /** For AWS, and for servers whose address tells none; null when nothing names one. */
  readonly region: string | null;
  /** Where S3 is, when it is not at AWS: unchecked, as it was written. */
  readonly endpoint: string | null;
}

const REGION = /^[A-Za-z0-9-]{1,64}$/;

/**
 * The profile in force: the one that the user gave to us, else the environment's; null when none is
 * named, which means `default`.
 */
export function namedProfile(host: Pick<Host, "env">, given: string | null): string | null {
  return given ?? host.env("AWS_PROFILE") ?? host.env("AWS_DEFAULT_PROFILE") ?? null;
}

/**
 * Region and endpoint for S3 by AWS's order: the environment's word for S3, for all services, the
 * profile's `services` section, the profile. A profile that was given to us comes before the
 * environment's region. Errors: those of `readProfileFiles`.
 */
export function awsSettings(files: OutsideFiles, profile: string | null): AwsSettings {
  const profiles = readProfileFiles(files);
  const section = profiles.profile(namedProfile(files.host, profile) ?? DEFAULT_PROFILE);
  return {
    region: regionOf(files.host, section, profile),
    endpoint: endpointOf(files.host, profiles, section),
  };
}

/** The region in the environment or the profile. */
export function regionOf(
  host: Pick<Host, "env">,
  section: IniSection | null,
  givenProfile: string | null,
): string | null {
  const around = host.env("AWS_REGION") ?? host.env("AWS_DEFAULT_REGION") ?? null;
  const own = section?.get("region") ?? null;
  const region = givenProfile === null ? around ?? own : own ?? around;
  return region !== null && REGION.test(region) ? region : null;
}

function endpointOf(
  host: Pick<Host, "env">,
  profiles: ProfileFiles,
  section: IniSection | null,
): string | null {
  const isIgnored = [
    host.env("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS"),
    section?.get("ignore_configured_endpoint_urls"),
  ].some((text) => text?.toLowerCase() === "true");
  if (isIgnored) return null;
  const services = section?.get("services");
  return host.env("AWS_ENDPOINT_URL_S3") ?? host.env("AWS_ENDPOINT_URL") ??
    (services === undefined ? undefined : profiles.services(services).get("s3.endpoint_url")) ??
    section?.get("endpoint_url") ?? null;
}
