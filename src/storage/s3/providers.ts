/** What is known of the services that speak S3 from their addresses alone. */

/** How the bucket's name gets into a URL: `host/bucket` or `bucket.host`. */
export type Addressing = "path" | "virtual-host";

/** One service. */
interface Provider {
  /** Fits the host of an endpoint; its first group is the region, where the host has it. */
  readonly host: RegExp;
  /** Region where the host does not tell; null: as for any server. */
  readonly region: string | null;
  readonly addressing: Addressing;
}

const PROVIDERS: readonly Provider[] = [
  // https://docs.aws.amazon.com/general/latest/gr/s3.html, with dual-stack and FIPS hosts.
  {
    host: /^s3(?:-fips)?\.(?:dualstack\.)?([a-z0-9-]+)\.amazonaws\.(?:com(?:\.cn)?|eu)$/,
    region: "us-east-1",
    addressing: "virtual-host",
  },
  {
    host: /^[a-f0-9]{32}(?:\.[a-z]+)?\.r2\.cloudflarestorage\.com$/,
    region: "auto",
    addressing: "path",
  },
  { host: /^storage\.googleapis\.com$/, region: "auto", addressing: "path" },
  { host: /^s3\.([a-z0-9-]+)\.backblazeb2\.com$/, region: null, addressing: "path" },
  { host: /^s3\.([a-z0-9-]+)\.wasabisys\.com$/, region: "us-east-1", addressing: "path" },
  { host: /^s3\.wasabisys\.com$/, region: "us-east-1", addressing: "path" },
  { host: /^s3\.([a-z0-9-]+)\.scw\.cloud$/, region: null, addressing: "path" },
  { host: /^s3\.([a-z0-9-]+)\.io\.cloud\.ovh\.(?:net|us)$/, region: null, addressing: "path" },
  { host: /^([a-z0-9-]+)\.your-objectstorage\.com$/, region: null, addressing: "path" },
  { host: /^([a-z0-9-]+)\.digitaloceanspaces\.com$/, region: null, addressing: "virtual-host" },
  // New buckets there are reached by their own host only.
  { host: /(?:^|\.)(?:tigris\.dev|storage\.dev)$/, region: "auto", addressing: "virtual-host" },
  // These refuse the bucket in the path.
  { host: /^(?:s3\.)?oss-([a-z0-9-]+)\.aliyuncs\.com$/, region: null, addressing: "virtual-host" },
  { host: /^cos\.([a-z0-9-]+)\.myqcloud\.com$/, region: null, addressing: "virtual-host" },
];

/** Region for the first request to an endpoint; null when its host does not tell. */
export function regionOfHost(host: string): string | null {
  for (const provider of PROVIDERS) {
    const match = provider.host.exec(host);
    if (match !== null) return match[1] ?? provider.region;
  }
  return null;
}

/** How a bucket is addressed at an endpoint, unless the user says `--path-style`. */
export function addressingOfHost(host: string): Addressing {
  return PROVIDERS.find((provider) => provider.host.test(host))?.addressing ?? "path";
}
