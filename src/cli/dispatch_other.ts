/** The commands that run seldom. To load them all takes longer than a push with nothing to do. */
import type { SyncContext, SyncService } from "../sync/api.ts";
import type { Answer, CommandDeps } from "./answer.ts";
import type { Invocation, InvocationOf } from "./command_line.ts";
import type { BaseDeps } from "./dispatch.ts";
import type { Candidates } from "./words.ts";
import { diff } from "./commands/diff.ts";
import { forget } from "./commands/forget.ts";
import { gc } from "./commands/gc.ts";
import { importSessions } from "./commands/import.ts";
import { init } from "./commands/init.ts";
import { install, uninstall } from "./commands/install.ts";
import { keyExport, keyFingerprint, keyImport } from "./commands/key.ts";
import { list } from "./commands/list.ts";
import { log } from "./commands/log.ts";
import { projectExclude, projectList, projectMap, projectUnmap } from "./commands/project.ts";
import { restore } from "./commands/restore.ts";
import { resume } from "./commands/resume.ts";
import { status } from "./commands/status.ts";
import { storeInfo, storeMove, storeTest } from "./commands/store.ts";
import { verify } from "./commands/verify.ts";
import { terminalText } from "./terminal_text.ts";

/** What does without the use cases, or decides itself whether it loads them. */
type Alone = "version" | "help" | "shell-init" | "completions" | "install" | "uninstall";

type Other = Exclude<
  Invocation,
  InvocationOf<
    | "push"
    | "pull"
    | "sync"
    | "hook session-start"
    | "hook session-end"
    | "hook stop"
    | "hook worker"
  >
>;

type UseCase = Exclude<Other, InvocationOf<Alone>>;

/** Runs one command that `dispatch` leaves to us. */
export async function dispatchOther(
  base: BaseDeps,
  context: SyncContext,
  invocation: Other,
): Promise<Answer> {
  switch (invocation.command) {
    case "version":
      return (await itself()).version(base.world);
    case "help":
      return (await itself()).help(invocation.topic);
    case "shell-init":
      return (await itself()).shellInit(base.world, invocation.shell, invocation.profile ?? null);
    case "completions":
      return await completions(base, context, invocation);
    case "install":
      return install(base, context, invocation);
    case "uninstall":
      return uninstall(base, context, invocation);
  }
  return await useCase({ ...base, service: await base.world.service(), context }, invocation);
}

/** These need the grammar, which the commands that run most do without. */
function itself() {
  return import("./commands/itself.ts");
}

/** Those with use cases, each with the function that does it. */
const USE_CASES: {
  readonly [Name in UseCase["command"]]: (
    deps: CommandDeps,
    invocation: InvocationOf<Name>,
  ) => Promise<Answer>;
} = {
  init,
  status,
  list,
  gc,
  verify,
  "store info": storeInfo,
  "store test": storeTest,
  "store move": storeMove,
  resume,
  diff,
  import: importSessions,
  log,
  restore,
  forget,
  "key export": keyExport,
  "key import": keyImport,
  "key fingerprint": keyFingerprint,
  "project list": projectList,
  "project map": projectMap,
  "project unmap": projectUnmap,
  "project exclude": projectExclude,
  "project include": projectExclude,
};

async function useCase(deps: CommandDeps, invocation: UseCase): Promise<Answer> {
  // The compiler knows that there is one for each command, and not that this is the one.
  const run: (deps: CommandDeps, invocation: never) => Promise<Answer> =
    USE_CASES[invocation.command];
  return await run(deps, invocation as never);
}

async function completions(
  base: BaseDeps,
  context: SyncContext,
  invocation: InvocationOf<"completions">,
): Promise<Answer> {
  const { shell, rest } = invocation;
  const { completionScript, completionWords } = await itself();
  if (rest === null) return completionScript(shell);
  const candidates = await candidatesFor(rest, base.world.service, context);
  const words = completionWords(shell, rest, candidates);
  return { json: { shell, words }, data: words === "" ? [] : [words] };
}

/** Commands whose arguments are sessions. */
const NAMES_SESSIONS: ReadonlySet<string> = new Set(["resume", "restore", "diff", "forget"]);

/** Sessions and projects that may be meant; none when they cannot be found out. */
async function candidatesFor(
  typed: readonly string[],
  loadService: () => Promise<SyncService>,
  context: SyncContext,
): Promise<Candidates> {
  const wantsProjects = (typed[0] === "project" && typed.length > 2) ||
    typed.at(-2) === "--project";
  const wantsSessions = !wantsProjects &&
    (typed.includes("--session") || NAMES_SESSIONS.has(typed[0] ?? ""));
  if (!wantsSessions && !wantsProjects) return { sessions: [], projects: [] };
  try {
    const service = await loadService();
    const sessions = wantsSessions ? await service.list(context) : [];
    const projects = wantsProjects ? await service.projectList(context) : [];
    return {
      sessions: sessions.map((row) => ({ text: row.id, about: terminalText(row.title ?? "", 60) })),
      projects: projects.filter((row) => row.name === terminalText(row.name)).map((row) => ({
        text: row.name,
        about: terminalText(row.dir ?? "no folder here"),
      })),
    };
  } catch (_notSetUp) {
    // Completion has nobody to complain to; commands and flags are offered all the same.
    return { sessions: [], projects: [] };
  }
}
