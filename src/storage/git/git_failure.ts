/**
 * What a failed `git` means to whoever uses the store. Git tells by text alone (always English
 * here: LC_ALL=C), so the texts are in one table; `tests/storage/git/git_failure_test.ts` holds
 * real samples of each.
 */
import { ClaudeSyncError, type ErrorCode } from "../../errors.ts";
import { RetryAfter } from "../retry_after.ts";
import type { GitUrl } from "./git_url.ts";

/** How long to wait when a host says that it was asked too often. */
const THROTTLED_PAUSE_MS = 15_000;

/** Longest part of what the server said that is repeated, in characters. */
export const REPEATED_TEXT_LENGTH_MAX = 200;

/** Most of what Git says that is looked at, from its beginning and from its end, in characters. */
const SAID_LENGTH_MAX = 64 * 1024;

/** Longest part of a line that is looked at: a server writes as much in one as it likes. */
export const SAID_LINE_LENGTH_MAX = 1000;

/**
 * What only the driver needs to know. `by-id`: the server gives no single objects. `format`: it
 * names objects by another hash. `cache`: our own copy is broken. `locked`: another process has it.
 */
export type InnerFailure = "by-id" | "format" | "cache" | "locked";

interface Meaning {
  readonly pattern: RegExp;
  readonly code: ErrorCode;
  readonly message: (url: GitUrl) => string;
  readonly hint?: (url: GitUrl) => string;
  /** Whether the server's own words help. */
  readonly repeats?: boolean;
  readonly throttled?: boolean;
}

/** Whatever holds one of these, in any case. */
function anyOf(...texts: readonly string[]): RegExp {
  return new RegExp(texts.join("|"), "i");
}

/** The order matters: what is exact comes before what is general. */
const INNER: readonly (readonly [RegExp, InnerFailure])[] = [
  [anyOf("does not allow request for unadvertised object", "not our ref"), "by-id"],
  [
    anyOf(
      "mismatched algorithms",
      "does not support this repository's hash algorithm",
      "object format .* does not match",
      "the server uses .*hash algorithm",
    ),
    "format",
  ],
  [/Unable to create '.*\.lock'|shallow file has changed|cannot lock ref/, "locked"],
  [
    anyOf(
      "not a git repository: ",
      "object file .* is empty",
      "packfile .* (is truncated|cannot be accessed|does not match)",
      "(loose|packed) object .* is corrupt",
      "unable to read (tree|sha1|object)",
      "bad object",
      "did not send all necessary objects",
      "invalid sha1 pointer",
      "inflate: data stream",
      "pack has .* unresolved deltas",
      "bad config",
      "unable to parse commit",
      "could not read [0-9a-f]{40}",
      "failed to read object",
      "index file .* is too small",
      "missing (blob|tree|commit)",
      "broken (link|packed)",
    ),
    "cache",
  ],
];

const REFUSED_TEXT =
  "Let the host take pushes to branches claude-sync/…, or use another repository";

const NOBODY_THERE = "Check the address and the network; what waits goes out later";

const TRY_BY_HAND = (url: GitUrl) =>
  `Run \`git ls-remote ${url.url}\` in a terminal and answer what it asks; then try again`;

const MEANINGS: readonly Meaning[] = [
  {
    pattern: anyOf("REMOTE HOST IDENTIFICATION HAS CHANGED"),
    code: "store-refused",
    message: ({ host }) => `The SSH key of "${host}" is not the one that this machine knows`,
    hint: ({ host }) =>
      `Somebody may be listening in. If "${host}" says that it has a new key, remove the old one ` +
      "from ~/.ssh/known_hosts",
  },
  {
    pattern: anyOf("Host key verification failed", "No .* host key is known for"),
    code: "store-refused",
    message: ({ host }) => `This machine does not know the SSH key of "${host}" yet`,
    hint: TRY_BY_HAND,
  },
  {
    pattern: anyOf(
      "GH001",
      "returned error: 413",
      "HTTP 413",
      "exceeds .*(file )?size limit",
      "pack exceeds maximum",
      "maximum allowed size",
      "larger than the maximum",
    ),
    code: "too-large",
    message: ({ url }) => `The host of "${url}" takes no push of that size`,
    hint: () => "One push holds up to 64 MiB: raise the limit there, or reach the host over ssh",
    repeats: true,
  },
  {
    pattern: anyOf(
      "returned error: 429",
      "rate limit",
      "too many requests",
      "too many connections",
      "slow down",
    ),
    code: "store-unreachable",
    message: ({ url }) => `The host of "${url}" asks to be used less often`,
    hint: () => "What waits goes out with a later push",
    throttled: true,
  },
  {
    pattern: anyOf(
      "quota",
      "no space left",
      "disk (is )?full",
      "storage (size )?limit",
      "over (its|the) .*limit",
      "repository size limit",
    ),
    code: "no-space",
    message: ({ url }) => `There is no space left for "${url}"`,
    hint: () => "Free some space there, or on this machine's disk, then push again",
    repeats: true,
  },
  {
    pattern: anyOf(
      "could not read (Username|Password)",
      "Authentication failed",
      "terminal prompts disabled",
      "returned error: 401",
      "HTTP Basic: Access denied",
      "Invalid (username|credentials)",
      "Logon failed",
    ),
    code: "store-refused",
    message: ({ url }) => `"${url}" needs credentials that Git does not have on this machine`,
    hint: (url) =>
      `${TRY_BY_HAND(url)}. Git's credential helper must keep them: git help gitcredentials`,
  },
  {
    pattern: anyOf(
      "Permission denied \\([a-z,-]*(publickey|password|keyboard-interactive|hostbased)",
      "Too many authentication failures",
      "no mutual signature",
      "Load key .* (invalid|incorrect)",
      "sign_and_send_pubkey",
    ),
    code: "store-refused",
    message: ({ host }) => `"${host}" takes none of this machine's SSH keys`,
    hint: (url) =>
      "Add a key of this machine at the host; a key with a passphrase must be in ssh-agent. " +
      `Test: git ls-remote ${url.url}`,
  },
  {
    pattern: anyOf(
      "returned error: 403",
      "Write access to repository not granted",
      "Permission to .* denied",
      "not allowed to (push|upload|download)",
      "denied to (deploy )?key",
      "marked as read.?only",
      "archived",
      "read-only (file system|repository)",
      "insufficient permission",
      "unable to create (temporary|.*directory)",
    ),
    code: "store-refused",
    message: ({ url }) => `This machine may not read or write "${url}"`,
    hint: () => "Give its account, key or token the permission to write to the repository",
    repeats: true,
  },
  {
    pattern: anyOf("dubious ownership", "unsafe repository"),
    code: "store-refused",
    message: ({ path }) => `Git does not trust "${path}": it belongs to another user`,
    hint: ({ path }) => `If you do: git config --global --add safe.directory ${quote(path)}`,
  },
  {
    pattern: anyOf("transport '.*' not allowed"),
    code: "store-refused",
    message: ({ url }) => `Git's settings turn "${url}" into an address that is not allowed`,
    hint: () => "See what does it: git config --get-regexp 'url.*insteadof'",
  },
  {
    pattern: anyOf(
      "Repository not found",
      "repository '.*' not found",
      "not appear to be a git repository",
      "returned error: 404",
      "could not be found",
      "not a git repository",
      "TF401019",
      "No such (file|project|repository)",
      "no longer exists",
      "repository .* does not exist",
    ),
    code: "no-vault",
    message: ({ url }) => `There is no repository at "${url}"`,
    hint: () =>
      "Check the address; make an empty repository there first. Hosts say the same when this " +
      "machine's account may not see it",
  },
  {
    pattern: anyOf(
      "SSL certificate",
      "certificate verif",
      "self.signed certificate",
      "unable to get local issuer",
      "certificate has expired",
      "server cert",
    ),
    code: "store-refused",
    message: ({ host }) => `The TLS certificate of "${host}" is not one that Git trusts`,
    hint: ({ host }) =>
      `With an authority of your own: git config --global http.https://${host}/.sslCAInfo FILE`,
  },
  {
    pattern: anyOf(
      "could not resolve",
      "name or service not known",
      "temporary failure in name resolution",
      "nodename nor servname",
    ),
    code: "store-unreachable",
    message: ({ host }) => `The host "${host}" is not found`,
    hint: () => NOBODY_THERE,
  },
  {
    pattern: anyOf(
      "GH006",
      "GH013",
      "protected branch",
      "hook declined",
      "GL-HOOK-ERR",
      "TF40\\d+",
      "hidden ref",
      "prohibited",
      "rule violations",
      "remote rejected",
      "denied by",
    ),
    code: "store-refused",
    message: ({ url }) => `The host of "${url}" refused the push`,
    hint: () => REFUSED_TEXT,
    repeats: true,
  },
  {
    pattern: anyOf("remote: (fatal|error|aborting).*(missing|unable to read|corrupt|bad object)"),
    code: "store-invalid",
    message: ({ url }) => `The repository "${url}" is damaged`,
    hint: () => "Ask who runs it to repair it (git fsck), then: claude-sync verify",
  },
  {
    pattern: anyOf(
      "fsck error",
      "in packed object",
      "hasDot",
      "treeNotSorted",
      "nullSha1",
      "fsck:",
    ),
    code: "store-invalid",
    message: ({ url }) => `"${url}" holds Git objects that are not valid`,
    hint: () => "Something other than claude-sync wrote to its branches claude-sync/…",
  },
  {
    pattern: anyOf(
      "Connection (refused|reset|closed|timed out)",
      "Failed to connect",
      "Couldn't connect",
      "Network is unreachable",
      "No route to host",
      "Operation (timed out|too slow)",
      "unable to access",
      "early EOF",
      "hung up",
      "RPC failed",
      "unexpected disconnect",
      "returned error: 5\\d\\d",
      "Broken pipe",
      "kex_exchange",
      "Could not read from remote",
      "expected flush",
      "unexpected EOF",
      "SSL_",
      "gnutls",
      "schannel",
    ),
    code: "store-unreachable",
    message: ({ url }) => `"${url}" cannot be reached`,
    hint: () => NOBODY_THERE,
  },
];

/** On a disk, the other side says so of `alternateRefsCommand`, which it may not run. */
const NOISE = /^remote: error: cannot run : .*$/gm;
const LOCK = /^remote: .*Unable to create '(.+\.lock)': File exists/m;

/** The patterns are slow on long lines, so none is given to them. */
function lookedAt(stderr: string): string {
  const ends = stderr.length <= 2 * SAID_LENGTH_MAX
    ? stderr
    : `${stderr.slice(0, SAID_LENGTH_MAX)}\n${stderr.slice(-SAID_LENGTH_MAX)}`;
  const lines = ends.split("\n").map((line) => line.slice(0, SAID_LINE_LENGTH_MAX));
  return lines.join("\n").replace(NOISE, "");
}

function quote(path: string): string {
  return `'${path.replaceAll("'", "'\\''")}'`;
}

/** What only the driver needs to know about a failure, or null. */
export function innerFailure(stderr: string): InnerFailure | null {
  const said = lookedAt(stderr);
  for (const [pattern, meaning] of INNER) {
    // What the server says of itself is not about our copy.
    const text = meaning === "by-id" ? said : said.replace(/^remote: .*$/gm, "");
    if (pattern.test(text)) return meaning;
  }
  return null;
}

/** The lock in the repository, by its path there, because of which a push failed; or null. */
export function lockInTheWay(stderr: string): string | null {
  return LOCK.exec(lookedAt(stderr))?.[1] ?? null;
}

/** The error for a `git` that failed with this on its standard error. */
export function gitFailure(url: GitUrl, stderr: string): ClaudeSyncError {
  const said = lookedAt(stderr);
  const meaning = MEANINGS.find(({ pattern }) => pattern.test(said));
  const { theirs, ours } = whatWasSaid(said);
  if (meaning === undefined) {
    const words = colon(theirs === "" ? ours : theirs);
    const message = `Git failed for "${url.url}"${words}`;
    return new ClaudeSyncError("store-unreachable", message, { hint: TRY_BY_HAND(url) });
  }
  const words = meaning.repeats === true ? colon(theirs) : "";
  const hint = meaning.hint?.(url);
  return new ClaudeSyncError(meaning.code, meaning.message(url) + words, {
    ...(hint === undefined ? {} : { hint }),
    ...(meaning.throttled === true ? { cause: new RetryAfter(THROTTLED_PAUSE_MS) } : {}),
  });
}

function colon(words: string): string {
  return words === "" ? "" : `: ${words}`;
}

/** The first line that the server said, and the one with which our Git gave up. */
function whatWasSaid(stderr: string): { theirs: string; ours: string } {
  const lines = stderr.split(/[\r\n]+/).map((line) => line.replace(/\s+/g, " ").trim());
  const theirs = lines.find((line) => /^remote: .*[A-Za-z]/.test(line)) ?? "";
  const ours = lines.find((line) => /^(fatal|error|ssh): /.test(line)) ?? "";
  return {
    theirs: withoutSecrets(theirs.replace(/^(remote: |error: |fatal: )+/, "")),
    ours: withoutSecrets(ours.replace(/^(error: |fatal: )+/, "")),
  };
}

/**
 * Takes out of a foreign text what could be a secret: users and passwords in addresses, and long
 * words with digits in them, as tokens are. The rest is one printable line.
 */
export function withoutSecrets(text: string): string {
  return text
    .replace(/[\p{C}\p{Zl}\p{Zp}]/gu, " ")
    .replace(/\/\/(?:[^/\s]*@\/*)+/g, "//")
    .replace(/\b(bearer|basic)\s+\S+/gi, "$1 …")
    .replace(/\b(token|password|authorization)([=:]\s*)\S+/gi, "$1$2…")
    .replace(/[\w+=~-]{20,}/g, (word) => /\d/.test(word) ? "…" : word)
    .trim()
    .replace(/\.$/, "")
    .slice(0, REPEATED_TEXT_LENGTH_MAX)
    .replace(/\p{Cs}$/u, "");
}
