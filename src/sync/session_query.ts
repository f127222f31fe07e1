import { ClaudeSyncError } from "../errors.ts";

/** Fewest characters of a session id that stand for it. */
export const ID_PREFIX_LENGTH_MIN = 4;
/** Ids that an error message lists. */
const IDS_SHOWN_MAX = 5;
/** Characters of a query that an error message repeats. */
const QUERY_SHOWN_MAX = 80;

/** Whether a title has all words of `query`, in whatever case. Without a word nothing fits. */
export function titleFits(title: string | null | undefined, query: string): boolean {
  const words = query.toLowerCase().split(/\s+/).filter((word) => word !== "");
  const text = title?.toLowerCase() ?? "";
  return words.length > 0 && words.every((word) => text.includes(word));
}

/**
 * The one of `matches`, ids whose titles fit `query`. Errors: `not-found` with `hint`, `ambiguous`.
 */
export function onlyMatch(
  query: string,
  matches: readonly string[],
  hint = "See the sessions with: claude-sync list",
): string {
  const [only] = matches;
  if (only === undefined) {
    const isShortId = /^[0-9a-f]{1,3}$/i.test(query);
    throw new ClaudeSyncError("not-found", `No session fits "${shown(query)}"`, {
      hint: isShortId ? `Of an id give at least ${ID_PREFIX_LENGTH_MIN} characters` : hint,
    });
  }
  if (matches.length > 1) {
    throw new ClaudeSyncError("ambiguous", `"${shown(query)}" fits ${matches.length} sessions`, {
      hint: `Use an id: ${matches.slice(0, IDS_SHOWN_MAX).join(", ")}`,
    });
  }
  return only;
}

/**
 * The ids that `queries` (full ids or unique prefixes of at least four characters) mean among
 * `known`. Errors: `not-found`, `ambiguous`.
 */
export function matchIds(
  queries: readonly string[],
  known: ReadonlySet<string>,
): ReadonlySet<string> {
  const ids = new Set<string>();
  for (const query of queries) ids.add(matchId(query, known));
  return ids;
}

/** The one id that `query` means. Errors: `not-found`, `ambiguous`. */
export function matchId(query: string, known: ReadonlySet<string>): string {
  const wanted = query.toLowerCase();
  if (known.has(wanted)) return wanted;
  const matches = wanted.length < ID_PREFIX_LENGTH_MIN
    ? []
    : [...known].filter((id) => id.startsWith(wanted)).sort();
  const [match] = matches;
  if (match === undefined) {
    throw new ClaudeSyncError("not-found", `No session "${shown(query)}"`, {
      hint: "See the ids with: claude-sync list",
    });
  }
  if (matches.length > 1) {
    throw new ClaudeSyncError("ambiguous", `"${shown(query)}" fits ${matches.length} sessions`, {
      hint: `They are ${matches.slice(0, IDS_SHOWN_MAX).join(", ")}`,
    });
  }
  return match;
}

function shown(query: string): string {
  const characters = [...query];
  return characters.length <= QUERY_SHOWN_MAX
    ? query
    : `${characters.slice(0, QUERY_SHOWN_MAX).join("")}…`;
}
