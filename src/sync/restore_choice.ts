/** Which sessions and projects `restore` and `diff` are about. */
import { TRANSCRIPT } from "../sessions/file_name.ts";
import { type ProjectIdentity, projectKey } from "../sessions/project.ts";
import { extendFacts, NO_FACTS } from "../sessions/transcript_facts.ts";
import type { RestoreRequest } from "./history_api.ts";
import { projectNamed } from "./project_query.ts";
import { ProjectFinder } from "./projects.ts";
import { LocalView, transcriptOf } from "./pull_place.ts";
import { PullPlanner } from "./pull_plan.ts";
import { failureOf } from "./push.ts";
import { ID_PREFIX_LENGTH_MIN, matchIds, onlyMatch, titleFits } from "./session_query.ts";
import { computeTargets, type FileTarget, type Targets } from "./targets.ts";
import { TITLE_CHARACTERS_MAX } from "../vault/format.ts";
import type { OpenVault } from "./vault_access.ts";
import { chainTo } from "./vault_content.ts";
import { targetTranscript } from "./versions.ts";

/** Most bytes at each end of a transcript in the vault that are read to find its title. */
const TITLE_BYTES_MAX = 1024 * 1024;

/** What choosing looks at. */
export interface ChoiceFacts {
  readonly vault: OpenVault;
  readonly targets: Targets;
  readonly local: LocalView;
  readonly projects: ProjectFinder;
}

/** What choosing looks at, as it is now. Errors: those of reading. */
export async function choiceFacts(vault: OpenVault): Promise<ChoiceFacts> {
  const targets = await computeTargets(vault);
  const projects = new ProjectFinder(vault.context.platform, vault.index);
  return { vault, targets, local: new LocalView(vault), projects };
}

/** Ids of all sessions with a transcript in the vault, also those that no pull writes any more. */
function vaultIds({ vault, targets }: ChoiceFacts): Set<string> {
  const ids = new Set<string>();
  for (const { session, file } of vault.index.allLeaves()) {
    if (file === TRANSCRIPT) ids.add(session);
  }
  for (const session of targets.sessions.values()) {
    if (targetTranscript(session) !== null) ids.add(session.id);
  }
  return ids;
}

/** The sessions that `request` means, newest first. Errors: `not-found`, `ambiguous`. */
export async function chooseSessions(
  facts: ChoiceFacts,
  request: Pick<RestoreRequest, "queries" | "project" | "archived">,
): Promise<readonly string[]> {
  const { queries, project, archived } = request;
  if (queries.length > 0) return [...await chooseNamed(facts, queries)];
  const { vault, targets, local, projects } = facts;
  let chosen = [...targets.sessions.values()].filter((each) => targetTranscript(each) !== null);
  if (archived) {
    const planner = new PullPlanner(vault, local, projects, { ids: null, all: false });
    const ids = new Set((await planner.plan(targets)).archived.map(({ id }) => id));
    chosen = chosen.filter(({ id }) => ids.has(id));
  }
  if (project !== null) {
    const key = projectKey(chooseProject(facts, project));
    chosen = chosen.filter(({ root }) => {
      const identity = projects.ofVaultSession(root);
      return identity !== null && projectKey(identity) === key;
    });
  }
  const newestMs = (id: string) => targetTranscript(targets.sessions.get(id))?.mtimeMs ?? 0;
  return chosen.map(({ id }) => id)
    .sort((a, b) => newestMs(b) - newestMs(a) || (a < b ? -1 : 1));
}

/**
 * The project that `wanted` names by its key or its name, of those with a session in the vault.
 * Errors: `not-found`, `ambiguous`.
 */
export function chooseProject(
  { targets, projects }: ChoiceFacts,
  wanted: string,
): ProjectIdentity {
  const roots = [...targets.sessions.values()].map(({ root }) => root);
  return projectNamed(roots.map((root) => projects.ofVaultSession(root)), wanted);
}

/**
 * Ids when each query begins one, else the words of one title. `more`: sessions that may be meant
 * besides those of the vault. Errors: `not-found`, `ambiguous`.
 */
export async function chooseNamed(
  facts: ChoiceFacts,
  queries: readonly string[],
  more: Iterable<string> = [],
): Promise<ReadonlySet<string>> {
  const ids = new Set([...vaultIds(facts), ...more]);
  const isId = (query: string) =>
    /^[0-9a-f-]+$/i.test(query) && query.length >= ID_PREFIX_LENGTH_MIN &&
    [...ids].some((id) => id.startsWith(query.toLowerCase()));
  const isWords = queries.every((query) => !isId(query));
  const looksLikeIds = queries.every((query) => /^[0-9a-f-]{4,36}$/i.test(query));
  if (!isWords || looksLikeIds) return matchIds(queries, ids);
  return new Set([await byTitle(facts, ids, queries.join(" "))]);
}

async function byTitle(
  facts: ChoiceFacts,
  ids: ReadonlySet<string>,
  query: string,
): Promise<string> {
  const matches: string[] = [];
  for (const id of query.trim() === "" ? [] : ids) {
    facts.vault.context.signal.throwIfAborted();
    const title = await titleOf(facts, id);
    // What the vault says of a title is its beginning.
    const isFit = titleFits(title, query) ||
      (title !== null && isCut(facts, id, title) && titleFits(await storedTitle(facts, id), query));
    if (isFit) matches.push(id);
  }
  return onlyMatch(query, matches.sort());
}

function isCut({ local }: ChoiceFacts, id: string, title: string): boolean {
  return local.copies(id).length === 0 && title.length >= TITLE_CHARACTERS_MAX;
}

/**
 * The session's title: of the file here, else what machines say of it, else from what the vault has
 * of it; null without one.
 */
export async function titleOf(facts: ChoiceFacts, id: string): Promise<string | null> {
  const { vault, targets, local } = facts;
  const here = local.copies(id)[0];
  if (here !== undefined) return vault.transcripts.titleOf(transcriptOf(here)!);
  const root = targets.sessions.get(id)?.root ?? id;
  return vault.titles.of(id) ?? vault.titles.of(root) ?? await storedTitle(facts, id);
}

async function storedTitle({ vault, targets }: ChoiceFacts, id: string): Promise<string | null> {
  const session = targets.sessions.get(id);
  const target = targetTranscript(session);
  try {
    // A branch that nobody has stored begins like the session it came from.
    if (target !== null && !target.isDerived) return await titleInVault(vault, id, target);
    const leaf = vault.index.leaves(target === null ? id : session!.root, TRANSCRIPT)[0];
    return leaf === undefined ? null : await titleInVault(vault, session?.root ?? id, leaf);
  } catch (error) {
    // What cannot be read has no title; that it cannot be read shows when it is written.
    failureOf(error, id);
    return null;
  }
}

/** From the first and the last bytes: titles stand in both, and first prompts in the first. */
async function titleInVault(
  vault: OpenVault,
  id: string,
  state: Pick<FileTarget, "gen" | "hash" | "len">,
): Promise<string | null> {
  const chain = chainTo(vault, id, TRANSCRIPT, state);
  const head: typeof chain = [];
  const tail: typeof chain = [];
  for (const segment of chain) {
    if (segment.off < TITLE_BYTES_MAX) head.push(segment);
    else if (segment.off + segment.len > state.len - TITLE_BYTES_MAX) tail.push(segment);
  }
  let facts = NO_FACTS;
  for (const segment of [...head, ...tail]) {
    // Segments end at line ends, but for one that was torn: such a line tells nothing here.
    facts = extendFacts(facts, await vault.reader.read(segment));
  }
  return facts.title;
}
