/** Flags that name a place for a vault, and those about how much goes over the line. */
import { message as plain } from "@optique/core/message";
import { optional } from "@optique/core/modifiers";
import type { Suggestion } from "@optique/core/parser";
import { option } from "@optique/core/primitives";
import { choice, integer, string, type ValueParser } from "@optique/core/valueparser";
import { ClaudeSyncError } from "../errors.ts";
import type { Host, Platform } from "../platform/types.ts";
import { folderLocationOf, type StoreLocation } from "../storage/location.ts";
import { awsPlaceDefaults } from "../storage/open.ts";
import { gcsLocationOf, gitLocationOf, r2LocationOf, s3LocationOf } from "../storage/place.ts";
import { absolute } from "./home_folder.ts";

/** The most requests side by side that may be asked for. */
export const CONCURRENCY_MAX = 64;
/** The slowest limit, in bytes a second: below it a pack takes longer than stores wait. */
const RATE_MIN = 1000;
/** The fastest limit, in bytes a second. */
const RATE_MAX = 1e12;

const RATE = /^(\d{1,12}(?:\.\d{1,3})?)([KMG]?)$/i;
const UNITS: Readonly<Record<string, number>> = { "": 1, K: 1e3, M: 1e6, G: 1e9 };

/** Completes paths of folders, or of files as well. */
export function path(metavar: "PATH" | "DIR" | "DIR|FILE"): ValueParser<"sync", string> {
  return {
    // An empty one, as of a variable that is not set, would be the current folder.
    ...string({
      metavar,
      pattern: /./s,
      errors: { patternMismatch: plain`The path is empty` },
    }),
    *suggest(prefix: string): Iterable<Suggestion> {
      const type = metavar === "DIR|FILE" ? "any" : "directory";
      yield { kind: "file", type, pattern: prefix };
    },
  };
}

/** Bytes a second: `500K`, `2M`, `1.5M`, where K is 1000; or `none`, which gives null. */
export function parseRate(text: string): number | null | undefined {
  if (text === "none") return null;
  const match = RATE.exec(text);
  if (match === null) return undefined;
  const rate = Math.round(Number(match[1]) * UNITS[match[2]!.toUpperCase()]!);
  return rate >= RATE_MIN && rate <= RATE_MAX ? rate : undefined;
}

function rate(): ValueParser<"sync", number | null> {
  return {
    mode: "sync",
    metavar: "RATE",
    placeholder: null,
    parse: (input) => {
      const value = parseRate(input);
      if (value !== undefined) return { success: true, value };
      const error = plain`Expected bytes a second from 1K, such as 500K or 2M, or ${"none"}`;
      return { success: false, error };
    },
    format: (value) => value === null ? "none" : String(value),
  };
}

function name(metavar: "URL" | "BUCKET" | "REGION" | "NAME" | "ID") {
  return string({ metavar });
}

/** Parsers of the flags that name a place. */
export function storeOptions() {
  return {
    dir: optional(option("--dir", path("PATH"))),
    git: optional(option("--git", name("URL"))),
    s3: optional(option("--s3", name("BUCKET"))),
    r2: optional(option("--r2", name("BUCKET"))),
    gcs: optional(option("--gcs", name("BUCKET"))),
    region: optional(option("--region", name("REGION"))),
    endpoint: optional(option("--endpoint", name("URL"))),
    pathStyle: option("--path-style"),
    awsProfile: optional(option("--aws-profile", name("NAME"))),
    account: optional(option("--account", name("ID"))),
    jurisdiction: optional(option("--jurisdiction", choice(["eu", "fedramp"]))),
    hmac: option("--hmac"),
    createBucket: option("--create-bucket"),
    saveCredentials: option("--save-credentials"),
  };
}

/** Parsers of the flags for everything that moves bytes. */
export function transferOptions() {
  return {
    limitUpload: optional(option("--limit-upload", rate())),
    limitDownload: optional(option("--limit-download", rate())),
    concurrency: optional(
      option("--concurrency", integer({ metavar: "N", min: 1, max: CONCURRENCY_MAX })),
    ),
  };
}

/** Those of all these flags that take the next word as their value. */
export const STORE_VALUE_FLAGS = [
  "--dir",
  "--git",
  "--s3",
  "--r2",
  "--gcs",
  "--region",
  "--endpoint",
  "--aws-profile",
  "--account",
  "--jurisdiction",
  "--limit-upload",
  "--limit-download",
  "--concurrency",
] as const;

/** What was typed of `storeOptions`. */
export interface StoreFlags {
  readonly dir: string | undefined;
  readonly git: string | undefined;
  readonly s3: string | undefined;
  readonly r2: string | undefined;
  readonly gcs: string | undefined;
  readonly region: string | undefined;
  readonly endpoint: string | undefined;
  readonly pathStyle: boolean;
  readonly awsProfile: string | undefined;
  readonly account: string | undefined;
  readonly jurisdiction: "eu" | "fedramp" | undefined;
  readonly hmac: boolean;
  readonly createBucket: boolean;
  readonly saveCredentials: boolean;
}

const TARGETS = ["dir", "git", "s3", "r2", "gcs"] as const;
type Target = (typeof TARGETS)[number];

/** Which targets each of the other flags is for. */
const GOES_WITH = {
  region: ["--region", ["s3"]],
  endpoint: ["--endpoint", ["s3", "r2", "gcs"]],
  pathStyle: ["--path-style", ["s3"]],
  awsProfile: ["--aws-profile", ["s3", "r2"]],
  account: ["--account", ["r2"]],
  jurisdiction: ["--jurisdiction", ["r2"]],
  hmac: ["--hmac", ["gcs"]],
  createBucket: ["--create-bucket", ["s3", "gcs"]],
  saveCredentials: ["--save-credentials", ["s3", "r2", "gcs"]],
} as const satisfies Partial<Record<keyof StoreFlags, readonly [string, readonly Target[]]>>;

/** What the user's AWS configuration adds where flags say nothing; see `placeDefaults`. */
export interface PlaceDefaults {
  readonly region: string | null;
  readonly endpoint: string | null;
}

const NO_DEFAULTS: PlaceDefaults = { region: null, endpoint: null };

/**
 * Region and endpoint that the AWS configuration has for a bucket given with `--s3`. They become
 * part of the place: hooks may run in another environment. Errors: those of reading it.
 */
export async function placeDefaults(flags: StoreFlags, platform: Platform): Promise<PlaceDefaults> {
  if (flags.s3 === undefined) return NO_DEFAULTS;
  return await awsPlaceDefaults(platform, flags.awsProfile ?? null);
}

/**
 * The place that the flags name. Errors: `usage`, naming the flag, when there is not exactly one
 * target, when a flag does not go with it, or when the place cannot be one.
 */
export function placeOf(
  flags: StoreFlags,
  host: Host,
  defaults: PlaceDefaults = NO_DEFAULTS,
): StoreLocation {
  const [target, another] = TARGETS.filter((name) => flags[name] !== undefined);
  if (target === undefined) {
    throw wrong("The place of the vault is missing", "Give one of --dir, --git, --s3, --r2, --gcs");
  }
  if (another !== undefined) throw wrong(`--${target} and --${another} are two places`, "Give one");
  for (const [name, [flag, targets]] of entriesOf(GOES_WITH)) {
    const isGiven = flags[name] !== undefined && flags[name] !== false;
    if (!isGiven || targets.some((other) => other === target)) continue;
    const partners = targets.map((other) => `--${other}`).join(", ");
    throw wrong(`${flag} does not go with --${target}`, `${flag} is for ${partners}`);
  }
  return locationOf(flags, target, host, defaults);
}

function entriesOf<Key extends string, Value>(table: Readonly<Record<Key, Value>>): [Key, Value][] {
  return Object.entries(table) as [Key, Value][];
}

function locationOf(
  flags: StoreFlags,
  target: Target,
  host: Host,
  defaults: PlaceDefaults,
): StoreLocation {
  const { endpoint = null, awsProfile = null, pathStyle } = flags;
  switch (target) {
    case "dir":
      return folderLocationOf(absolute(host, flags.dir ?? ""));
    case "git":
      return gitLocationOf(flags.git ?? "", (text) => absolute(host, text), host.os);
    case "s3":
      return s3LocationOf({
        bucket: flags.s3 ?? "",
        region: flags.region ?? defaults.region,
        endpoint: endpoint ?? defaults.endpoint,
        pathStyle,
        awsProfile,
      });
    case "r2": {
      const { jurisdiction = null } = flags;
      const other = flags.account !== undefined
        ? "--account"
        : jurisdiction !== null
        ? "--jurisdiction"
        : null;
      if (endpoint !== null && other !== null) {
        throw wrong(`${other} does not go with --endpoint`, "The endpoint says both already");
      }
      const account = endpoint !== null
        ? null
        : flags.account ?? host.env("CLOUDFLARE_ACCOUNT_ID") ?? null;
      return r2LocationOf({ bucket: flags.r2 ?? "", account, endpoint, jurisdiction, awsProfile });
    }
    case "gcs":
      return gcsLocationOf({ bucket: flags.gcs ?? "", auth: gcsAuth(flags, host), endpoint });
  }
}

/**
 * HMAC keys sign when they are asked for, when they are to be kept (nothing else can be), or when
 * the environment holds some: `GOOG` begins those of Google and no other's.
 */
function gcsAuth(flags: StoreFlags, host: Host): "hmac" | "oauth" {
  const isHmac = flags.hmac || flags.saveCredentials ||
    (host.env("AWS_ACCESS_KEY_ID") ?? "").startsWith("GOOG");
  return isHmac ? "hmac" : "oauth";
}

/** The flags that name `location`, as another machine of the same user would type them. */
export function flagsOf(location: StoreLocation): string[] {
  switch (location.kind) {
    case "folder":
      return ["--dir", location.path];
    case "git":
      return ["--git", location.url];
    case "s3":
      return [
        ...["--s3", bucketText(location)],
        ...(location.region === null ? [] : ["--region", location.region]),
        ...(location.endpoint === null ? [] : ["--endpoint", location.endpoint]),
        ...(location.pathStyle ? ["--path-style"] : []),
      ];
    case "r2":
      return ["--r2", bucketText(location), "--endpoint", location.endpoint];
    case "gcs":
      return [
        ...["--gcs", bucketText(location)],
        ...(location.auth === "hmac" ? ["--hmac"] : []),
        ...(location.endpoint === null ? [] : ["--endpoint", location.endpoint]),
      ];
  }
}

function bucketText({ bucket, prefix }: { readonly bucket: string; readonly prefix: string }) {
  return prefix === "" ? bucket : `${bucket}/${prefix}`;
}

function wrong(message: string, hint: string): ClaudeSyncError {
  return new ClaudeSyncError("usage", message, { hint });
}
