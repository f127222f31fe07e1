/**
 * Finds the session that the user wants to go on with, brings it here, and says where to start the
 * client.
 */
import { ClaudeSyncError, isClaudeSyncError } from "../errors.ts";
import { TRANSCRIPT } from "../sessions/file_name.ts";
import { discoverSessions } from "../sessions/discover.ts";
import { knownFolders, placeProject } from "../sessions/placement.ts";
import { projectKey } from "../sessions/project.ts";
import { summaryTitle } from "../sessions/transcript_summary.ts";
import { slugOf } from "../sessions/slug.ts";
import type { ResumeTarget, SessionRow, SyncContext } from "./api.ts";
import { listSessions } from "./overview.ts";
import { ProjectFinder } from "./projects.ts";
import { runPull } from "./run.ts";
import { ID_PREFIX_LENGTH_MIN, matchId, onlyMatch, titleFits } from "./session_query.ts";
import { requireConfig, withLocalState } from "./vault_access.ts";

/**
 * See `SyncService.resume`. Without the store the session is resumed as it is here. Errors:
 * `not-found`, `ambiguous`, and those of a pull when the session is not here.
 */
export async function resumeSession(
  context: SyncContext,
  query: string | null,
  { dryRun }: { readonly dryRun: boolean } = { dryRun: false },
): Promise<ResumeTarget> {
  requireConfig(context);
  if (!dryRun) await pullQuietly(context);
  const rows = await listSessions(context);
  const row = query === null ? await newestHere(context, rows) : chooseRow(rows, query);
  if (row.where === "vault" && dryRun) return await placeOf(context, row);
  if (row.where === "vault") {
    await runPull(context, { sessions: [row.id], all: false, dryRun: false });
  }
  return await targetOf(context, row);
}

/** Where a session would come that only the vault has; the current folder when nothing tells. */
async function placeOf(context: SyncContext, { id, title }: SessionRow): Promise<ResumeTarget> {
  const { fs, host } = context.platform;
  const config = requireConfig(context);
  return await withLocalState(context, "reader", (local) => {
    const projects = new ProjectFinder(context.platform, local.index);
    const project = projects.ofVaultSession(id) ??
      projects.ofVaultSession(local.index.rootOf(id) ?? id);
    const { sessions } = discoverSessions(fs, local.root);
    const placed = project === null ? null : placeProject(project, {
      fs,
      host,
      cwd: host.cwd(),
      maps: new Map(Object.entries(config.maps)),
      known: knownFolders(fs, host, local.root, sessions),
    });
    return Promise.resolve({ id, title, dir: placed?.dir ?? host.cwd() });
  });
}

async function pullQuietly(context: SyncContext): Promise<void> {
  try {
    await runPull(context, { sessions: [], all: false, dryRun: false });
  } catch (error) {
    // Away from the store one still wants to go on with what is here.
    if (!isClaudeSyncError(error, "store-unreachable", "busy")) throw error;
    context.onProgress({ kind: "note", message: error.message });
  }
}

function chooseRow(rows: readonly SessionRow[], query: string): SessionRow {
  const isId = /^[0-9a-fA-F-]+$/.test(query) && query.length >= ID_PREFIX_LENGTH_MIN;
  if (isId && rows.some(({ id }) => id.startsWith(query.toLowerCase()))) {
    const id = matchId(query, new Set(rows.map((row) => row.id)));
    return rows.find((row) => row.id === id)!;
  }
  const fitting = rows.filter(({ title }) => titleFits(title, query));
  const here = fitting.filter(({ where }) => where !== "vault");
  // What is only in the vault is meant when nothing here is: most of that is old.
  const matches = here.length > 0 ? here : fitting;
  const only = onlyMatch(query, matches.map(({ id }) => id));
  return rows.find(({ id }) => id === only)!;
}

async function newestHere(
  context: SyncContext,
  rows: readonly SessionRow[],
): Promise<SessionRow> {
  const { fs, host } = context.platform;
  const cwd = host.cwd();
  const slug = slugOf(fs.realpath(cwd) ?? cwd);
  const ids = await withLocalState(context, "reader", (local) => {
    const { sessions } = discoverSessions(fs, local.root);
    return Promise.resolve(
      new Set<string>(
        sessions.filter((session) => session.slug === slug).map(({ id }) => id),
      ),
    );
  });
  const row = rows.find(({ id }) => ids.has(id));
  if (row !== undefined) return row;
  throw new ClaudeSyncError("not-found", "This folder has no session yet", { path: cwd });
}

/**
 * The folder must have the slug that the transcript stands under, or the client's own list would
 * not show it there.
 */
async function targetOf(context: SyncContext, row: SessionRow): Promise<ResumeTarget> {
  const { fs, host } = context.platform;
  const config = requireConfig(context);
  return await withLocalState(context, "reader", (local) => {
    const { sessions } = discoverSessions(fs, local.root);
    const here = sessions.find((session) => session.id === row.id);
    const transcript = here?.files.find((file) => file.name === TRANSCRIPT);
    if (here === undefined || transcript === undefined) {
      throw new ClaudeSyncError("not-found", `Session ${row.id} could not be brought here`, {
        sessionId: row.id,
        hint: "Say where its project is: claude-sync project map PROJECT DIR",
      });
    }
    const summary = local.transcripts.of(transcript);
    const projects = new ProjectFinder(context.platform, local.index);
    const project = projects.ofSession(here);
    const known = knownFolders(fs, host, local.root, sessions);
    const placed = project === null ? null : placeProject(project, {
      fs,
      host,
      maps: new Map(Object.entries(config.maps)),
      known,
    });
    const candidates = [
      host.cwd(),
      placed?.dir,
      summary?.firstCwd,
      ...known
        .filter((folder) => project !== null && folder.key === projectKey(project))
        .map((folder) => folder.dir),
    ];
    const dir = candidates.find((each) =>
      each !== undefined && each !== null && fs.realpath(each) !== null &&
      slugOf(fs.realpath(each)!) === here.slug
    );
    const title = summary === null ? null : summaryTitle(summary);
    return Promise.resolve({ id: row.id, title, dir: dir ?? placed?.dir ?? host.cwd() });
  });
}
