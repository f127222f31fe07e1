/** Which servers a bucket's requests may go to. */
import { ClaudeSyncError } from "../../errors.ts";

/**
 * Where plain http is taken. `local-network`: where nothing secret travels (signed requests, sealed
 * objects), since many a NAS offers nothing else. `loopback`: where a token travels.
 */
export type PlainHttp = "local-network" | "loopback";

/** Services that tell credentials to whoever asks from inside a machine. */
const METADATA_NAMES = /^(metadata|metadata\.google\.internal|instance-data)\.?$/;
/** Names that no public server has: a single label, and the endings kept for private networks. */
const LOCAL_NAME = /^([a-z0-9_-]+|.*\.(local|lan|home\.arpa|internal|localhost))\.?$/;

/**
 * Checks an endpoint as the user gave it and gives it as a URL. Errors: `usage` for anything but
 * `https://host[:port]`, for http to where it is not allowed, for a user name, and for addresses
 * that are no server's: link-local ones (metadata services), 0.0.0.0.
 */
export function parseEndpoint(text: string, plainHttp: PlainHttp): URL {
  const url = URL.parse(text);
  if (url === null || !["https:", "http:"].includes(url.protocol)) {
    throw badEndpoint(
      "The endpoint is no https:// address",
      "Give it as https://host or host:port",
    );
  }
  if (url.username !== "" || url.password !== "") {
    throw badEndpoint(
      "The endpoint holds a user name or password",
      "Leave it out: keys come from the environment or a profile",
    );
  }
  if (url.pathname !== "/" || url.search !== "" || url.hash !== "") {
    throw badEndpoint(
      `The endpoint at ${url.host} has a path`,
      "Give host and port only; bucket and folder are named apart from it",
    );
  }
  const place = placeOf(url.hostname);
  if (place === "forbidden") {
    throw badEndpoint(
      `"${url.host}" is no address of a store`,
      "It is a metadata service or means no host in particular",
    );
  }
  const mayBePlain = place === "loopback" || (plainHttp === "local-network" && place === "local");
  if (url.protocol === "http:" && !mayBePlain) {
    throw badEndpoint(
      `http:// to "${url.host}" is not protected`,
      "Use https://; plain http is for this machine and the local network only",
    );
  }
  return url;
}

/** Whether an endpoint is on this machine, so that no network sees what is sent. */
export function isLoopback(endpoint: URL): boolean {
  return placeOf(endpoint.hostname) === "loopback";
}

function badEndpoint(message: string, hint: string): ClaudeSyncError {
  return new ClaudeSyncError("usage", message, { hint });
}

/** `hostname` as the URL parser writes it: addresses in their one form, lower case. */
function placeOf(hostname: string): "loopback" | "local" | "public" | "forbidden" {
  if (hostname.startsWith("[")) return placeOfIpv6(hostname.slice(1, -1));
  const ipv4 = /^(\d+)\.(\d+)\.\d+\.\d+$/.exec(hostname);
  if (ipv4 !== null) return placeOfIpv4(hostname, Number(ipv4[1]), Number(ipv4[2]));
  if (METADATA_NAMES.test(hostname)) return "forbidden";
  if (/^(localhost|.*\.localhost)\.?$/.test(hostname)) return "loopback";
  return LOCAL_NAME.test(hostname) ? "local" : "public";
}

function placeOfIpv4(address: string, a: number, b: number) {
  // 100.100.100.200 is a cloud's metadata service.
  if (a === 0 || (a === 169 && b === 254) || address === "100.100.100.200") return "forbidden";
  if (a === 127) return "loopback";
  const isPrivate = a === 10 || (a === 172 && b >= 16 && b < 32) || (a === 192 && b === 168) ||
    (a === 100 && b >= 64 && b < 128);
  return isPrivate ? "local" : "public";
}

function placeOfIpv6(address: string) {
  if (address === "::1") return "loopback";
  // IPv4 inside IPv6 would be a way around the rules for IPv4.
  if (address === "::" || address.startsWith("::ffff:") || address.startsWith("64:ff9b:")) {
    return "forbidden";
  }
  if (/^fe[89ab]/.test(address) || /^fd00:ec2::/.test(address)) return "forbidden";
  return /^f[cd]/.test(address) ? "local" : "public";
}
