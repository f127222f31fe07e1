/** Which versions of a session or of another file the vault has, and which one is meant. */
import { ClaudeSyncError } from "../errors.ts";
import { fileKind, type FileName, TRANSCRIPT } from "../sessions/file_name.ts";
import type { VersionRow } from "./history_api.ts";
import type { FileState, SegmentIndex, StoredVersion } from "./segment_index.ts";
import type { FileTarget, SessionTarget } from "./targets.ts";

/** Fewest characters of a version that stand for it. */
const VERSION_PREFIX_LENGTH_MIN = 4;

/** Which version is meant. */
export type Wanted =
  /** What a pull brings, in its own place. */
  | { readonly kind: "newest" }
  /** One that is not the newest. */
  | { readonly kind: "version"; readonly version: StoredVersion };

/** The transcript that a pull would write for `session`; null when it writes none. */
export function targetTranscript(session: SessionTarget | undefined): FileTarget | null {
  const first = session?.files[0];
  return first?.name === TRANSCRIPT ? first : null;
}

/** What has versions. */
export interface Versioned {
  /** As messages call it. */
  readonly name: string;
  readonly sessionId?: string;
  /** What `restore --list` is given to show its versions. */
  readonly query: string;
}

/** A session as something that has versions. */
export function versionedSession(id: string): Versioned {
  return { name: `session ${id}`, sessionId: id, query: id.slice(0, 8) };
}

/**
 * The version among `versions` (newest first) that was the newest at `atMs` or that `version`
 * begins. `newestHash`: of what a pull brings; null when it brings nothing. Errors: `not-found`,
 * `ambiguous`.
 */
export function chooseVersion(
  versions: readonly StoredVersion[],
  of: Versioned,
  newestHash: string | null,
  wish: { readonly atMs: number | null; readonly version: string | null },
): Wanted {
  if (wish.version !== null) return named(versions, of, newestHash, wish.version);
  if (wish.atMs === null && newestHash !== null) return { kind: "newest" };
  const { atMs } = wish;
  const version = versions.find(({ mtimeMs }) => atMs === null || mtimeMs <= atMs);
  if (version === undefined) {
    throw notFound(of, `No version of ${of.name} is that old`);
  }
  const isNewest = newestHash !== null && version === versions[0];
  return isNewest ? { kind: "newest" } : { kind: "version", version };
}

function named(
  versions: readonly StoredVersion[],
  of: Versioned,
  newestHash: string | null,
  prefix: string,
): Wanted {
  const wanted = prefix.toLowerCase();
  const fits = wanted.length < VERSION_PREFIX_LENGTH_MIN
    ? []
    : versions.filter(({ hash }) => hash.startsWith(wanted));
  const [version] = fits;
  if (version === undefined) throw notFound(of, `No version "${prefix}" of ${of.name}`);
  // The same bytes in two generations are one version.
  if (fits.some(({ hash }) => hash !== version.hash)) {
    throw new ClaudeSyncError("ambiguous", `"${prefix}" fits ${fits.length} versions`, {
      hint: listHint(of),
    });
  }
  return version.hash === newestHash ? { kind: "newest" } : { kind: "version", version };
}

function notFound(of: Versioned, message: string): ClaudeSyncError {
  const { sessionId } = of;
  const facts = sessionId === undefined ? {} : { sessionId };
  return new ClaudeSyncError("not-found", message, { ...facts, hint: listHint(of) });
}

function listHint({ query }: Versioned): string {
  return `See them with: claude-sync restore ${query} --list`;
}

/**
 * `versions` of one file for people, newest first, each content once. `newest`: what a pull brings.
 * `names`: of the machines, by id.
 */
export function versionRows(
  index: SegmentIndex,
  key: { readonly session: string; readonly file: FileName },
  versions: readonly StoredVersion[],
  newest: (FileState & { readonly isDerived?: boolean }) | null,
  names: ReadonlyMap<string, string>,
): VersionRow[] {
  const isMade = newest === null || newest.isDerived === true;
  const chain = isMade ? null : index.chain(key.session, key.file, newest);
  const before = new Set((chain ?? []).map(({ gen, hash }) => `${gen}/${hash}`));
  const rewritten = new Set(versions.filter((each) => each.isReplaced).map(({ gen }) => gen));
  const isLines = fileKind(key.file) === "lines";
  const kindOf = ({ gen, hash, isLeaf }: StoredVersion): VersionRow["kind"] => {
    if (hash === newest?.hash) return "newest";
    if (before.has(`${gen}/${hash}`)) return "earlier";
    if (isLeaf) return "branch";
    // Of what is always written as a whole, that says nothing.
    if (!isLines) return "earlier";
    if (rewritten.has(gen)) return "rewritten";
    return chain === null ? "earlier" : "branch";
  };
  const rows = new Map<string, VersionRow>();
  for (const version of versions) {
    const { hash, len, mtimeMs, machine } = version;
    const row = { version: hash, atMs: mtimeMs, sizeBytes: len, kind: kindOf(version) };
    if (!rows.has(hash)) rows.set(hash, { ...row, machine: names.get(machine) ?? machine });
  }
  return [...rows.values()];
}

/** Names of all machines, by id. */
export function machineNames(index: SegmentIndex): ReadonlyMap<string, string> {
  return new Map(index.machines().map((machine) => [machine.id, machine.name]));
}
