/** What a run of the program does, by command. */
import { join } from "node:path/posix";
import { utf8 } from "../../src/base/bytes.ts";
import type { PullResult, PushResult, SyncContext } from "../../src/sync/api.ts";
import type { FileSystem } from "../../src/platform/types.ts";
import { homePaths, readRuns } from "../../src/sync/home.ts";
import { syncService } from "../../src/sync/service.ts";
import { folderLocationOf } from "../../src/storage/location.ts";
import { PAST_COMMANDS } from "./past_commands.ts";
import { CANARY } from "./store.ts";
import type { Command, Outcome, RunOfProgram } from "./run_of_program.ts";

type Done = Omit<Outcome, "code" | "error">;

const ALL = { sessions: [], all: false, dryRun: false };
/** Where every vault is said to be. */
const PLACE = folderLocationOf("/vault");

/** The commands. */
export const COMMANDS: {
  readonly [Each in Command]: (context: SyncContext, run: RunOfProgram) => Promise<Done>;
} = {
  async join(context, run) {
    await syncService.init(context, {
      location: PLACE,
      machineName: `${run.machine.name}-${CANARY}`,
      dryRun: false,
    });
    const key = run.machine.keyToImport();
    if (key !== null) await syncService.keyImport(context, key);
    run.machine.isSetUp = true;
    return { failures: [], hasPushed: false, moved: 0 };
  },
  async push(context) {
    return ofPush(await syncService.push(context, ALL));
  },
  async pull(context) {
    return ofPull(await syncService.pull(context, ALL));
  },
  async "pull-all"(context) {
    return ofPull(await syncService.pull(context, { ...ALL, all: true }));
  },
  async sync(context) {
    const { pull, push } = await syncService.sync(context, ALL);
    const [pulled, pushed] = [ofPull(pull), ofPush(push)];
    return {
      failures: [...pulled.failures, ...pushed.failures],
      hasPushed: pushed.hasPushed,
      moved: pulled.moved + pushed.moved,
    };
  },
  async verify(context) {
    const { problems } = await syncService.verify(context, { readData: true });
    const failures = problems.map(({ code, message, objectName }) => {
      return { code, message, path: objectName, sessionId: null };
    });
    return { failures, hasPushed: false, moved: 0 };
  },
  "hook-push": (context, run) => hook(context, run, "push"),
  "hook-sync": (context, run) => hook(context, run, "sync"),
  ...PAST_COMMANDS,
};

/**
 * The background half never throws; how it ended stands in the record of runs, as this very run has
 * written it: another one may write its own at the same time.
 */
async function hook(
  context: SyncContext,
  run: RunOfProgram,
  kind: "push" | "sync",
): Promise<Done> {
  const { platform, home } = context;
  const paths = homePaths(home);
  const session = run.machine.client.transcripts()[0]?.session;
  if (session !== undefined && platform.fs.lstat(paths.dir) !== null) leaveNote(run, session);
  const last = () => {
    const { lastPush, lastPull } = readRuns(platform, paths);
    return kind === "push" ? lastPush : lastPull;
  };
  const records: ReturnType<typeof last>[] = [];
  const fs = withRename(platform.fs, (rename, to) => {
    if (to !== paths.runs) return rename();
    const before = JSON.stringify(last());
    rename();
    // A notice for the user is written to the same file.
    if (JSON.stringify(last()) !== before) records.push(last());
  });
  await syncService.hookWorker({ ...context, platform: { ...platform, fs } }, kind);
  run.hasTold = readRuns(platform, paths).told !== undefined;
  const [record] = records;
  const code = record?.code === undefined ? "unknown" : record.code;
  const failures = code === null
    ? []
    : [{ code, message: record?.message ?? "", path: null, sessionId: null }];
  return { failures, hasPushed: record?.ok === true, moved: 0 };
}

/** The same disk with something done around every renaming. */
function withRename(fs: FileSystem, around: (rename: () => void, to: string) => void): FileSystem {
  return new Proxy(fs, {
    get(disk, key) {
      const member: unknown = Reflect.get(disk, key);
      if (typeof member !== "function") return member;
      if (key !== "rename") return member.bind(disk);
      return (from: string, to: string) => around(() => disk.rename(from, to), to);
    },
  });
}

/** What the quick half leaves for it. */
function leaveNote(run: RunOfProgram, session: string): void {
  const { machine } = run;
  if (machine.disk.state !== "sound") return;
  const { queue } = homePaths(machine.programDir);
  machine.disk.makeDir(queue);
  machine.disk.overwrite(join(queue, `${session}.json`), utf8(JSON.stringify({ n: run.number })));
}

function ofPush({ pushed, otherFiles, bytes, failures }: PushResult): Done {
  return {
    failures,
    hasPushed: failures.length === 0,
    moved: pushed + otherFiles + (bytes.sent > 0 ? 1 : 0),
  };
}

function ofPull({ pulled, otherFiles, bytes, failures }: PullResult): Done {
  return { failures, hasPushed: false, moved: pulled + otherFiles + (bytes.written > 0 ? 1 : 0) };
}
