/** One spelling for the many URLs of one Git repository. */

/** Longest remote, in UTF-16 units, in and out. */
export const REMOTE_LENGTH_MAX = 1024;

const SCHEMES = new Set([
  "ssh:",
  "git+ssh:",
  "ssh+git:",
  "https:",
  "http:",
  "git:",
  "ftp:",
  "ftps:",
]);

/** SSH names that providers offer where port 22 is closed. */
const SAME_HOST: Readonly<Record<string, string>> = {
  "ssh.github.com": "github.com",
  "altssh.gitlab.com": "gitlab.com",
  "altssh.bitbucket.org": "bitbucket.org",
  "ssh.dev.azure.com": "dev.azure.com",
  "www.github.com": "github.com",
};

/** Providers that take paths in any case. */
const CASELESS_HOSTS = new Set(["github.com", "gitlab.com", "bitbucket.org", "codeberg.org"]);

const HOST = /^([A-Za-z0-9_]([A-Za-z0-9._-]*[A-Za-z0-9_])?|\[[0-9A-Fa-f:.]+\])$/;
const SCP_LIKE = /^(?:[^@/\\:\s]+@)?(\[[^\]/]+\]|[^:/\\@\s]+):(?!\/\/)(.+)$/;
const UNPRINTABLE = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}\s]/u;

/**
 * `host/path` without scheme, user, port, `.git` and outer slashes, the same for SSH and HTTPS;
 * e.g. `github.com/acme/app`. Null for local paths, `file:` URLs, helpers (`ext::`) and what makes
 * no sense. Passwords and user names are never part of it. Aliases from `~/.ssh/config` stay as
 * they are.
 */
export function normaliseRemote(url: string): string | null {
  const text = url.trim();
  if (text.length === 0 || text.length > REMOTE_LENGTH_MAX) return null;
  const place = /^[A-Za-z][A-Za-z0-9+.-]*:\/\//.test(text) ? urlPlace(text) : scpPlace(text);
  if (place === null || !HOST.test(place.host)) return null;
  const lower = place.host.toLowerCase();
  const host = SAME_HOST[lower] ?? lower;
  const segments = pathSegments(place.path);
  if (segments === null) return null;
  const known = providerSegments(host, segments);
  const path = known.join("/");
  const remote = `${host}/${CASELESS_HOSTS.has(host) ? path.toLowerCase() : path}`;
  return isRemote(remote) ? remote : null;
}

/** Whether `text` has the form that `normaliseRemote` gives. */
export function isRemote(text: string): boolean {
  if (text.length > REMOTE_LENGTH_MAX || UNPRINTABLE.test(text.replaceAll(" ", ""))) return false;
  const [host = "", ...path] = text.split("/");
  return HOST.test(host) && path.length > 0 && path.every((segment) => isSegment(segment));
}

interface Place {
  readonly host: string;
  readonly path: string;
}

function urlPlace(text: string): Place | null {
  if (!URL.canParse(text)) return null;
  const url = new URL(text);
  if (!SCHEMES.has(url.protocol)) return null;
  return { host: url.hostname, path: url.pathname };
}

function scpPlace(text: string): Place | null {
  const match = SCP_LIKE.exec(text);
  const [, host = "", path = ""] = match ?? [];
  // A single letter is a Windows drive; a second colon at once is a transport helper.
  if (host.length < 2 || path.startsWith(":") || path.includes("\\")) return null;
  return { host, path };
}

function pathSegments(path: string): string[] | null {
  let decoded = path;
  try {
    decoded = decodeURIComponent(path);
  } catch {
    // A stray percent sign: the path means itself.
    decoded = path;
  }
  const segments = decoded.split("/").filter((segment) => segment !== "");
  const last = segments.pop();
  if (last === undefined) return null;
  const bare = last.replace(/(\.git)+$/i, "");
  if (bare !== "") segments.push(bare);
  return segments.length > 0 && segments.every((segment) => isSegment(segment)) ? segments : null;
}

function isSegment(segment: string): boolean {
  return segment !== "" && segment !== "." && segment !== ".." && !segment.includes("\\") &&
    segment === segment.trim() && !UNPRINTABLE.test(segment.replaceAll(" ", ""));
}

/** Azure DevOps has `v3/org/project/name` for SSH and `org/project/_git/name` for HTTPS. */
function providerSegments(host: string, segments: readonly string[]): readonly string[] {
  if (host !== "dev.azure.com") return segments;
  const withoutVersion = segments[0] === "v3" ? segments.slice(1) : segments;
  return withoutVersion.filter((segment) => segment !== "_git");
}
