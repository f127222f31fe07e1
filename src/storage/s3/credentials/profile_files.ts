/** The profiles of the user's AWS configuration. */
import { join } from "node:path";
import { type OutsideFiles, outsidePath, readOutsideText } from "../../credentials/outside_file.ts";
import { type IniFile, type IniSection, parseIni } from "./ini.ts";

/** Largest file that is read; those of big companies have some hundred KiB. */
const PROFILE_FILE_BYTES_MAX = 4 * 1024 * 1024;

/** The profile that is meant where none is named. */
export const DEFAULT_PROFILE = "default";

const NOTHING: IniSection = new Map();

/** What the two files say. */
export interface ProfileFiles {
  /** Absolute. */
  readonly configPath: string;
  /** Absolute. */
  readonly credentialsPath: string;
  /** Names of all profiles, sorted. */
  readonly names: readonly string[];
  /** A profile's settings, those of the credentials file first; null when there is none. */
  profile(name: string): IniSection | null;
  /** The settings of `[services NAME]`; empty when there is no such section. */
  services(name: string): IniSection;
  /** Whether there is a section with the name alone, which the config file does not take. */
  isMisnamed(name: string): boolean;
}

/**
 * Reads `~/.aws/config` and `~/.aws/credentials`, or the files that AWS_CONFIG_FILE and
 * AWS_SHARED_CREDENTIALS_FILE name. Files that are not there are empty. Errors: `malformed-file`,
 * `too-large`, `local-io`.
 */
export function readProfileFiles(files: OutsideFiles): ProfileFiles {
  const { host } = files;
  const place = (variable: string, name: string) =>
    outsidePath(host, host.env(variable) ?? join(host.home, ".aws", name));
  const configPath = place("AWS_CONFIG_FILE", "config");
  const credentialsPath = place("AWS_SHARED_CREDENTIALS_FILE", "credentials");
  const read = (path: string): IniFile =>
    parseIni(readOutsideText(files, path, PROFILE_FILE_BYTES_MAX) ?? "");
  return profileFiles({ configPath, credentialsPath }, read(configPath), read(credentialsPath));
}

function profileFiles(
  paths: Pick<ProfileFiles, "configPath" | "credentialsPath">,
  config: IniFile,
  credentials: IniFile,
): ProfileFiles {
  const configured = profilesOf(config);
  const names = [...new Set([...configured.keys(), ...credentials.keys()])].sort();
  return {
    ...paths,
    names,
    profile(name) {
      if (!configured.has(name) && !credentials.has(name)) return null;
      return new Map([...configured.get(name) ?? NOTHING, ...credentials.get(name) ?? NOTHING]);
    },
    services: (name) => typed(config, "services").get(name) ?? NOTHING,
    isMisnamed: (name) => config.has(name),
  };
}

/** Of the config file: `[profile NAME]` and `[default]`, which `[profile default]` beats. */
function profilesOf(config: IniFile): Map<string, IniSection> {
  const profiles = typed(config, "profile");
  const plain = config.get(DEFAULT_PROFILE);
  if (plain !== undefined && !profiles.has(DEFAULT_PROFILE)) profiles.set(DEFAULT_PROFILE, plain);
  return profiles;
}

/** Sections `[TYPE NAME]`, the name with or without quotes. */
function typed(file: IniFile, type: string): Map<string, IniSection> {
  const found = new Map<string, IniSection>();
  for (const [title, section] of file) {
    if (!title.startsWith(`${type} `)) continue;
    found.set(title.slice(type.length + 1).replace(/^(["'])(.*)\1$/, "$2"), section);
  }
  return found;
}
