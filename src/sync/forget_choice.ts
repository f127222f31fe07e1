/** Which sessions `forget` is about. Asks nothing of the store. */
import { ClaudeSyncError } from "../errors.ts";
import { TRANSCRIPT } from "../sessions/file_name.ts";
import { type ProjectIdentity, projectKey } from "../sessions/project.ts";
import { projectNamed } from "./project_query.ts";
import { shelfArea } from "../sessions/shelf.ts";
import type { ForgetRequest } from "./forget_api.ts";
import type { ProjectFinder } from "./projects.ts";
import { type LocalView, transcriptOf } from "./pull_place.ts";
import { ID_PREFIX_LENGTH_MIN, matchId, onlyMatch, titleFits } from "./session_query.ts";
import type { Targets } from "./targets.ts";
import type { OpenVault } from "./vault_access.ts";

/** What choosing looks at. */
export interface ForgetFacts {
  readonly vault: OpenVault;
  readonly targets: Targets;
  readonly local: LocalView;
  readonly projects: ProjectFinder;
}

/** A session of the vault that can be forgotten. */
export interface Forgettable {
  readonly id: string;
  /** The session that it branched off; itself unless it is a branch. */
  readonly root: string;
  readonly lastActivityMs: number;
  readonly sizeBytes: number;
}

/** The sessions that were meant. */
export interface ForgetChoice {
  readonly chosen: readonly Forgettable[];
  /** Asked for by name, and forgotten before. */
  readonly already: readonly string[];
  readonly project: ProjectIdentity | null;
}

/**
 * Every session that can be forgotten, by id: those that a pull would write, and those that nobody
 * can read or place, as they are stored.
 */
export function forgettableSessions({ vault, targets }: ForgetFacts): Map<string, Forgettable> {
  const sessions = new Map<string, Forgettable>();
  for (const { session, file, mtimeMs, len } of vault.index.allLeaves()) {
    if (shelfArea(file) !== null) continue;
    const known = sessions.get(session);
    sessions.set(session, {
      id: session,
      root: session,
      lastActivityMs: Math.max(known?.lastActivityMs ?? 0, mtimeMs),
      sizeBytes: (known?.sizeBytes ?? 0) + len,
    });
  }
  for (const { id, root, files } of targets.sessions.values()) {
    if (files.length === 0) continue;
    const transcript = files.find(({ name }) => name === TRANSCRIPT);
    sessions.set(id, {
      id,
      root,
      lastActivityMs: transcript?.mtimeMs ?? Math.max(...files.map(({ mtimeMs }) => mtimeMs)),
      sizeBytes: files.reduce((sum, { len }) => sum + len, 0),
    });
  }
  return sessions;
}

/** The sessions that `request` means. Errors: `usage`, `not-found`, `ambiguous`. */
export function chooseForgotten(facts: ForgetFacts, request: ForgetRequest): ForgetChoice {
  const { queries, project, beforeMs } = request;
  if (queries.length === 0 && project === null && beforeMs === null) {
    throw new ClaudeSyncError("usage", "Say which sessions are to be forgotten", {
      hint: "An id, words of a title, --project P or --before T: claude-sync help forget",
    });
  }
  const sessions = forgettableSessions(facts);
  if (queries.length > 0) {
    const gone = goneSessions(facts, sessions);
    const ids = [...chooseNamed(facts, sessions, gone, queries)];
    return {
      chosen: ids.flatMap((id) => sessions.get(id) ?? []),
      already: ids.filter((id) => gone.has(id)),
      project: null,
    };
  }
  const identity = project === null ? null : projectOf(facts, sessions, project);
  const isOfProject = ({ root }: Forgettable) => {
    const own = facts.projects.ofVaultSession(root);
    return identity === null || (own !== null && projectKey(own) === projectKey(identity));
  };
  const newestMs = newestOfFamily(sessions);
  const chosen = [...sessions.values()].filter((session) =>
    isOfProject(session) && (beforeMs === null || newestMs(session) < beforeMs)
  );
  return { chosen, already: [], project: identity };
}

/** A session goes with its branches, so it is as young as the youngest of them. */
function newestOfFamily(
  sessions: ReadonlyMap<string, Forgettable>,
): (session: Forgettable) => number {
  const newest = new Map<string, number>();
  for (const { root, lastActivityMs } of sessions.values()) {
    newest.set(root, Math.max(newest.get(root) ?? 0, lastActivityMs));
  }
  return ({ id, root, lastActivityMs }) => id === root ? newest.get(root)! : lastActivityMs;
}

/** Forgotten sessions. */
function goneSessions(
  { vault }: ForgetFacts,
  sessions: ReadonlyMap<string, unknown>,
): ReadonlySet<string> {
  const held = vault.forgotten.held().map(({ session }) => session);
  return new Set(held.filter((id) => !sessions.has(id)));
}

function chooseNamed(
  facts: ForgetFacts,
  sessions: ReadonlyMap<string, Forgettable>,
  gone: ReadonlySet<string>,
  queries: readonly string[],
): ReadonlySet<string> {
  const known = new Set([...sessions.keys(), ...gone]);
  const looksLikeId = (query: string) =>
    /^[0-9a-f-]{1,36}$/i.test(query) && query.length >= ID_PREFIX_LENGTH_MIN;
  const isId = (query: string) =>
    looksLikeId(query) && [...known].some((id) => id.startsWith(query.toLowerCase()));
  if (!queries.some(isId) && !queries.every(looksLikeId)) {
    return new Set([byTitle(facts, sessions, queries.join(" "))]);
  }
  const onlyHere = queries.find((query) =>
    !isId(query) && [...facts.local.ids()].some((id) => id.startsWith(query.toLowerCase()))
  );
  if (onlyHere !== undefined) {
    throw new ClaudeSyncError("not-found", `Session "${onlyHere}" is not in the vault`, {
      hint: "It is on this machine alone: there is nothing to forget. To keep a project here: " +
        "claude-sync project exclude PROJECT",
    });
  }
  return new Set(queries.map((query) => matchId(query, known)));
}

function byTitle(
  facts: ForgetFacts,
  sessions: ReadonlyMap<string, Forgettable>,
  query: string,
): string {
  const matches = [...sessions.values()].filter((session) =>
    titleFits(titleOf(facts, session), query)
  ).map(({ id }) => id);
  const hint = "Not every title is known here, but every session has an id: claude-sync list";
  return onlyMatch(query, matches.sort(), hint);
}

/** The title of a session: of the file here, else what the vault's machines call it. */
export function titleOf(
  { vault, local }: ForgetFacts,
  { id, root }: Pick<Forgettable, "id" | "root">,
): string | null {
  const here = local.copies(id)[0];
  if (here !== undefined) return vault.transcripts.titleOf(transcriptOf(here)!);
  return vault.titles.of(id) ?? vault.titles.of(root);
}

function projectOf(
  { projects, vault }: ForgetFacts,
  sessions: ReadonlyMap<string, Forgettable>,
  wanted: string,
): ProjectIdentity {
  const roots = [...sessions.values()].map(({ root }) => root);
  const held = vault.forgotten.held().map(({ session }) => session);
  return projectNamed([...roots, ...held].map((root) => projects.ofVaultSession(root)), wanted);
}
