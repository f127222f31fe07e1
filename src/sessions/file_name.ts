/**
 * Names of a session's files. A `FileName` says where a file stands inside its session, is the same
 * on all machines and is the only thing about paths that the vault holds. Names that come out of a
 * vault may have been made by somebody who wants to write elsewhere, so all of them pass here.
 */
declare const brand: unique symbol;

/**
 * A file's place inside its session, `/`-separated:
 * `transcript`, `side/<path>` (below `projects/<slug>/<id>/`), `file-history/<name>`,
 * `todos/<name>` where `@` stands for the session's id, `tasks/<path>`, `legacy/agent-<hex>.jsonl`,
 * `history` (the session's lines of `history.jsonl`); of a shelf (`shelf.ts`) `plans/<name>.md` and
 * `memory/<path>`.
 */
export type FileName = string & { readonly [brand]: "FileName" };

/** The transcript's own name. */
export const TRANSCRIPT = "transcript" as FileName;

/** Name of the session's lines of the prompt history, in the order they stand there. */
export const HISTORY = "history" as FileName;

/** Most segments in a name. */
export const NAME_DEPTH_MAX = 12;
/** Most UTF-8 bytes in one segment. */
export const NAME_SEGMENT_BYTES_MAX = 200;
/** Most UTF-8 bytes in a whole name. */
export const NAME_BYTES_MAX = 1024;

/**
 * Why a name is refused: text for people, and whether it is one that must never leave a machine.
 */
export interface NameProblem {
  readonly kind: "unsafe-name" | "never-synced";
  readonly reason: string;
}

/** Printable ASCII needs no Unicode rules; that is nearly every name. */
const PLAIN = /^[ -~]+$/;
// Cc control, Cf bidi, zero-width and tag characters, Zl/Zp separators, Cs lone surrogates.
const INVISIBLE = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/u;
const WINDOWS_FORBIDDEN = /[\\<>:"|?*]/;
const WINDOWS_DEVICE = /^(con|prn|aux|nul|conin\$|conout\$|clock\$|(com|lpt)[0-9¹²³])[ ]*(\.|$)/i;
const SHORT_NAME = /~[0-9]/;

/**
 * What belongs to one machine or holds secrets. Tested on the folded segment; wins over everything.
 */
const NEVER_SYNCED_PARTS: readonly RegExp[] = [
  /^\.credentials/,
  /^settings.*\.json/,
  /^managed-settings.*\.json/,
  /^\.claude\.json/,
  /^sessions-index\.json/,
  /^\.session-aliases/,
  /^\.claude-sync/,
  /^\.env/,
  /^\.(git|ssh|gnupg|aws|netrc|npmrc|ds_store)$/,
  /\.(key|pem|p12|pfx|sock|lock|pid)$/,
  /^\.?lock$/,
  /^id_(rsa|dsa|ecdsa|ed25519)/,
];

/**
 * Plans are named so, hundreds of them. None of the rules for a segment speaks of such a name: it
 * is longer than a device's, and nothing that is never synced ends like it.
 */
const COMMON = /^[a-z0-9-]{7,64}\.md$/;

/** All of them in one, as every name is tested. */
const NEVER_SYNCED = new RegExp(NEVER_SYNCED_PARTS.map(({ source }) => source).join("|"));

const encoder = new TextEncoder();
const TODO = /^@(-[^@]*|-agent-@)?\.json$/;
const PLAN = /^[A-Za-z0-9][A-Za-z0-9_-]*(\.[0-9a-f]{8})*\.md$/;
const LEGACY = /^agent-[0-9a-f]{1,64}\.jsonl$/;

/** Gives the name, or null unless it is one of the known forms and safe on every system. */
export function parseFileName(text: string): FileName | null {
  return fileNameProblem(text) === null ? text as FileName : null;
}

/** Says what is wrong with a name; null when it may be used. */
export function fileNameProblem(text: string): NameProblem | null {
  const [area, ...rest] = text.split("/");
  if (text === TRANSCRIPT || text === HISTORY) return null;
  if (byteLength(text) > NAME_BYTES_MAX) {
    return unsafe(`has a path of more than ${NAME_BYTES_MAX} bytes in its folder`);
  }
  if (rest.length === 0) return unsafe("is not the name of a session file");
  if (rest.length + 1 > NAME_DEPTH_MAX) return unsafe("lies too deep");
  for (const segment of rest) {
    const problem = segmentProblem(segment);
    if (problem !== null) return problem;
  }
  return isInArea(area ?? "", rest) ? null : unsafe("is not the name of a session file");
}

function isInArea(area: string, rest: readonly string[]): boolean {
  const name = rest[0] ?? "";
  switch (area) {
    case "side":
    case "tasks":
    case "memory":
      return true;
    case "plans":
      return rest.length === 1 && PLAN.test(name);
    case "file-history":
      return rest.length === 1;
    case "todos":
      return rest.length === 1 && TODO.test(name);
    case "legacy":
      return rest.length === 1 && LEGACY.test(name);
    default:
      return false;
  }
}

function segmentProblem(segment: string): NameProblem | null {
  if (COMMON.test(segment)) return null;
  if (segment === "" || segment === "." || segment === "..") {
    return unsafe("has an empty part or dots");
  }
  const isPlain = PLAIN.test(segment);
  if (!isPlain && INVISIBLE.test(segment)) return unsafe("has control or invisible characters");
  if (!isPlain && segment !== segment.normalize("NFC")) return unsafe("is not in Unicode form NFC");
  if (WINDOWS_FORBIDDEN.test(segment)) return unsafe("has a character that Windows forbids");
  if (/^\s|[\s.]$/u.test(segment)) return unsafe("begins or ends with a space or ends with a dot");
  if (byteLength(segment) > NAME_SEGMENT_BYTES_MAX) {
    return unsafe(`has a name of more than ${NAME_SEGMENT_BYTES_MAX} bytes`);
  }
  const folded = isPlain ? segment.toLowerCase() : fold(segment);
  if (WINDOWS_DEVICE.test(segment) || WINDOWS_DEVICE.test(folded)) {
    return unsafe("is a Windows device");
  }
  if (SHORT_NAME.test(folded)) return unsafe("looks like a Windows short name");
  if (NEVER_SYNCED.test(folded)) {
    return { kind: "never-synced", reason: "belongs to this machine or may hold secrets" };
  }
  // A character that turns into a separator or dots in some normal form hides a path.
  if (/[\\/:]/.test(folded) || /^\.+$/.test(folded)) return unsafe("hides a path");
  return null;
}

function byteLength(text: string): number {
  return PLAIN.test(text) ? text.length : encoder.encode(text).length;
}

function unsafe(reason: string): NameProblem {
  return { kind: "unsafe-name", reason };
}

function fold(text: string): string {
  return text.normalize("NFKC").toUpperCase().toLowerCase().normalize("NFKC");
}

/**
 * Key under which two names collide on a disk that ignores case or Unicode form. At least as coarse
 * as any file system's own rule.
 */
export function foldedFileName(name: FileName): string {
  return PLAIN.test(name) ? name.toLowerCase() : fold(name);
}

/**
 * How a file grows: "lines" = JSONL that the client appends to, "whole" = rewritten as one.
 */
export function fileKind(name: FileName): "lines" | "whole" {
  if (name === TRANSCRIPT || name === HISTORY) return "lines";
  const isWhole = name.startsWith("file-history/") || name.startsWith("memory/");
  return name.endsWith(".jsonl") && !isWhole ? "lines" : "whole";
}
