/** Which versions of a session the vault has, and which one is meant. */
import { ClaudeSyncError } from "../errors.ts";
import { TRANSCRIPT } from "../sessions/file_name.ts";
import type { VersionRow } from "./history_api.ts";
import type { SegmentIndex, StoredVersion } from "./segment_index.ts";
import type { FileTarget, SessionTarget } from "./targets.ts";

/** Fewest characters of a version that stand for it. */
const VERSION_PREFIX_LENGTH_MIN = 4;

/** Which version of a session is meant. */
export type Wanted =
  /** What a pull brings, in the session's own place. */
  | { readonly kind: "newest" }
  /** One that is not the newest. */
  | { readonly kind: "version"; readonly version: StoredVersion };

/** The transcript that a pull would write for `session`; null when it writes none. */
export function targetTranscript(session: SessionTarget | undefined): FileTarget | null {
  const first = session?.files[0];
  return first?.name === TRANSCRIPT ? first : null;
}

/**
 * The version of session `id` that was the newest at `atMs` or that `prefix` names. Errors:
 * `not-found`, `ambiguous`.
 */
export function chooseVersion(
  index: SegmentIndex,
  id: string,
  target: FileTarget | null,
  wish: { readonly atMs: number | null; readonly version: string | null },
): Wanted {
  const versions = index.versions(id, TRANSCRIPT);
  if (wish.version !== null) return named(versions, id, target, wish.version);
  if (wish.atMs === null && target !== null) return { kind: "newest" };
  const { atMs } = wish;
  const version = versions.find(({ mtimeMs }) => atMs === null || mtimeMs <= atMs);
  if (version === undefined) {
    throw new ClaudeSyncError("not-found", `Session ${id} has no version that old in the vault`, {
      sessionId: id,
      hint: `See them with: claude-sync restore ${id.slice(0, 8)} --list`,
    });
  }
  const isNewest = target !== null && version === versions[0];
  return isNewest ? { kind: "newest" } : { kind: "version", version };
}

function named(
  versions: readonly StoredVersion[],
  id: string,
  target: FileTarget | null,
  prefix: string,
): Wanted {
  const wanted = prefix.toLowerCase();
  const fits = wanted.length < VERSION_PREFIX_LENGTH_MIN
    ? []
    : versions.filter(({ hash }) => hash.startsWith(wanted));
  const [version] = fits;
  const hint = `See them with: claude-sync restore ${id.slice(0, 8)} --list`;
  if (version === undefined) {
    throw new ClaudeSyncError("not-found", `No version "${prefix}" of session ${id}`, {
      sessionId: id,
      hint,
    });
  }
  // The same bytes in two generations are one version.
  if (fits.some(({ hash }) => hash !== version.hash)) {
    throw new ClaudeSyncError("ambiguous", `"${prefix}" fits ${fits.length} versions`, { hint });
  }
  return version.hash === target?.hash ? { kind: "newest" } : { kind: "version", version };
}

/** All versions for people, newest first. `names`: of the machines, by id. */
export function versionRows(
  index: SegmentIndex,
  id: string,
  target: FileTarget | null,
  names: ReadonlyMap<string, string>,
): VersionRow[] {
  const versions = index.versions(id, TRANSCRIPT);
  const chain = target === null || target.isDerived ? null : index.chain(id, TRANSCRIPT, target);
  const before = new Set((chain ?? []).map(({ gen, hash }) => `${gen}/${hash}`));
  const rewritten = new Set(versions.filter((each) => each.isReplaced).map(({ gen }) => gen));
  const kindOf = ({ gen, hash, isLeaf }: StoredVersion): VersionRow["kind"] => {
    if (hash === target?.hash) return "newest";
    if (before.has(`${gen}/${hash}`)) return "earlier";
    if (isLeaf) return "branch";
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
