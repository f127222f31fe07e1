import { ClaudeSyncError } from "../errors.ts";

/** Fewest characters of a session id that stand for it. */
export const ID_PREFIX_LENGTH_MIN = 4;

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
    throw new ClaudeSyncError("not-found", `No session "${query}"`, {
      hint: "See the ids with: claude-sync list",
    });
  }
  if (matches.length > 1) {
    throw new ClaudeSyncError("ambiguous", `"${query}" fits ${matches.length} sessions`, {
      hint: `They are ${matches.slice(0, 5).join(", ")}`,
    });
  }
  return match;
}
