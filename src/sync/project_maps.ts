/** Projects as the user sees them: where each one is on this machine, and whether it takes part. */
import { ClaudeSyncError } from "../errors.ts";
import { discoverSessions } from "../sessions/discover.ts";
import { knownFolders, placeProject } from "../sessions/placement.ts";
import { describeProject, type ProjectIdentity, projectKey } from "../sessions/project.ts";
import { TRANSCRIPT } from "../sessions/file_name.ts";
import type { ProjectRow, SyncContext } from "./api.ts";
import { type Config, homePaths, writeConfig } from "./home.ts";
import { isExcluded, ProjectFinder } from "./projects.ts";
import { lockProfile, requireConfig, withLocalState } from "./vault_access.ts";

/** See `SyncService.projectList`. */
export function listProjects(context: SyncContext): Promise<readonly ProjectRow[]> {
  const config = requireConfig(context);
  return withLocalState(context, "reader", (local) => {
    const { fs, host } = context.platform;
    const projects = new ProjectFinder(context.platform, local.index);
    const sessions = discoverSessions(fs, local.root).sessions;
    const found = new Map<string, { identity: ProjectIdentity; sessions: Set<string> }>();
    const count = (identity: ProjectIdentity | null, session: string) => {
      if (identity === null) return;
      const key = projectKey(identity);
      const entry = found.get(key) ?? { identity, sessions: new Set<string>() };
      entry.sessions.add(session);
      found.set(key, entry);
    };
    for (const session of sessions) count(projects.ofSession(session), session.id);
    for (const { session, file } of local.index.allLeaves()) {
      if (file === TRANSCRIPT) count(projects.ofVaultSession(session), session);
    }
    const known = knownFolders(fs, host, local.root, sessions);
    const facts = { fs, host, maps: new Map(Object.entries(config.maps)), known };
    const rows = [...found].map(([key, { identity, sessions }]): ProjectRow => {
      const placed = placeProject(identity, facts);
      const how = placed === null || placed.how === "cwd"
        ? null
        : placed.how === "same-path"
        ? "home"
        : placed.how;
      return {
        key,
        name: describeProject(identity),
        dir: placed?.dir ?? null,
        how,
        sessions: sessions.size,
        excluded: isExcluded(config, identity),
      };
    });
    return Promise.resolve(
      rows.sort((a, b) => b.sessions - a.sessions || (a.key < b.key ? -1 : 1)),
    );
  });
}

/** See `SyncService.projectMap`. */
export function mapProject(
  context: SyncContext,
  project: string,
  dir: string,
): Promise<ProjectRow> {
  const stat = context.platform.fs.lstat(context.platform.fs.realpath(dir) ?? dir);
  if (stat?.kind !== "directory") {
    throw new ClaudeSyncError("not-found", `There is no folder "${dir}"`, { path: dir });
  }
  return change(context, project, (config, key) => ({
    ...config,
    maps: { ...config.maps, [key]: dir },
  }));
}

/** See `SyncService.projectUnmap`. */
export function unmapProject(context: SyncContext, project: string): Promise<ProjectRow> {
  return change(context, project, (config, key) => {
    const maps = Object.fromEntries(
      Object.entries(config.maps).filter(([mapped]) => mapped !== key),
    );
    return { ...config, maps };
  });
}

/** See `SyncService.projectExclude`. */
export function excludeProject(
  context: SyncContext,
  project: string,
  excluded: boolean,
): Promise<ProjectRow> {
  return change(context, project, (config, key) => {
    const others = config.excluded.filter((each) => each !== key);
    return { ...config, excluded: excluded ? [...others, key] : others };
  });
}

async function change(
  context: SyncContext,
  project: string,
  edit: (config: Config, key: string) => Config,
): Promise<ProjectRow> {
  const row = choose(await listProjects(context), project);
  const lock = await lockProfile(context);
  try {
    const paths = homePaths(context.home);
    writeConfig(context.platform, paths, edit(requireConfig(context), row.key));
  } finally {
    lock.release();
  }
  return choose(await listProjects(context), row.key);
}

function choose(rows: readonly ProjectRow[], project: string): ProjectRow {
  const exact = rows.find((row) => row.key === project);
  if (exact !== undefined) return exact;
  const lastPart = (name: string) => name.slice(name.lastIndexOf("/") + 1);
  const named = rows.filter(({ name }) => name === project || lastPart(name) === project);
  const [only] = named;
  if (only === undefined) {
    throw new ClaudeSyncError("not-found", `No project "${project}"`, {
      hint: "See the projects with: claude-sync project list",
    });
  }
  if (named.length > 1) {
    throw new ClaudeSyncError("ambiguous", `"${project}" is the name of ${named.length} projects`, {
      hint: `Use the key: ${named.map(({ key }) => key).join(", ")}`,
    });
  }
  return only;
}
