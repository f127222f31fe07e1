/** Which project a user means. */
import { ClaudeSyncError } from "../errors.ts";
import { describeProject, type ProjectIdentity, projectKey } from "../sessions/project.ts";

/**
 * The one of `identities` (null is none) that `wanted` names by its key, its name or the last part
 * of that; null when none does. Errors: `ambiguous`.
 */
export function matchProject(
  identities: Iterable<ProjectIdentity | null>,
  wanted: string,
): ProjectIdentity | null {
  const found = new Map<string, ProjectIdentity>();
  for (const each of identities) if (each !== null) found.set(projectKey(each), each);
  const exact = found.get(wanted);
  if (exact !== undefined) return exact;
  const named = [...found.values()].filter((identity) => {
    const name = describeProject(identity);
    return name === wanted || name.slice(name.lastIndexOf("/") + 1) === wanted;
  });
  if (named.length > 1) {
    throw new ClaudeSyncError("ambiguous", `"${wanted}" is the name of ${named.length} projects`, {
      hint: `Use the key: ${named.map(projectKey).join(", ")}`,
    });
  }
  return named[0] ?? null;
}

/** As `matchProject`. Errors: also `not-found`. */
export function projectNamed(
  identities: Iterable<ProjectIdentity | null>,
  wanted: string,
): ProjectIdentity {
  const found = matchProject(identities, wanted);
  if (found !== null) return found;
  throw new ClaudeSyncError("not-found", `No project "${wanted}" in the vault`, {
    hint: "See the projects with: claude-sync project list",
  });
}
