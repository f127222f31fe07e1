/** What runs of the program do to a vault's past: the commands that compact, forget and restore. */
import type { Bytes } from "../../src/base/bytes.ts";
import { isClaudeSyncError } from "../../src/errors.ts";
import type { SyncContext } from "../../src/sync/api.ts";
import type { ForgetResult } from "../../src/sync/forget_api.ts";
import type { RestoreResult } from "../../src/sync/history_api.ts";
import { syncService } from "../../src/sync/service.ts";
import { RESTORE } from "../support/restore_world.ts";
import type { SimDisk } from "./disk.ts";
import { TEMPORARY } from "./disk_nodes.ts";
import type { SimMachine } from "./machine.ts";
import type { Outcome, RunOfProgram } from "./run_of_program.ts";

type Done = Omit<Outcome, "code" | "error">;
type Do = (context: SyncContext, run: RunOfProgram) => Promise<Done>;

const NOTHING: Done = { failures: [], hasPushed: false, moved: 0 };
const HOUR_MS = 3_600_000;

function gc(context: SyncContext, machine: string | null): Promise<Done> {
  return syncService.gc(context, { dryRun: false, machine, approve: null }).then(
    ({ deleted, compacted, retired }) => ({
      ...NOTHING,
      moved: deleted.objects + (compacted === null && retired === null ? 0 : 1),
    }),
  );
}

const FORGET = { queries: [], project: null, beforeMs: null, only: null, dryRun: false };

function ofForget({ failures, sessions }: ForgetResult): Done {
  return { failures, hasPushed: false, moved: sessions.length };
}

function ofRestore({ failures, sessions, restored }: RestoreResult, run: RunOfProgram): Done {
  for (const { id, as } of sessions) if (as === "copy") run.machine.copies.add(id);
  return { failures, hasPushed: false, moved: restored };
}

/** A session that is on this machine or anywhere, if there is one. */
function someSession({ machine, dice }: RunOfProgram): string | null {
  const here = machine.client.transcripts().map(({ session }) => session);
  const past = machine.world.store.past;
  const all = past === null || dice.isLucky(0.6) ? here : past.sessions();
  return dice.pick(all);
}

/** What a person has put on the disk, when it was still sound if it is broken now. */
function beforeItBroke({ disk }: SimMachine, put: (disk: SimDisk) => void): void {
  const { state } = disk;
  disk.state = "sound";
  put(disk);
  disk.state = state;
}

/** These commands, by name. */
export const PAST_COMMANDS = {
  gc: (context) => gc(context, null),

  "gc-machine": async (context, run) => {
    const id = run.dice.pick(run.machine.world.store.past?.machineIds() ?? []);
    return id === null ? NOTHING : await gc(context, id);
  },

  forget: async (context, run) => {
    const session = someSession(run);
    if (session === null) return NOTHING;
    run.machine.world.asks.push({ session, beforeMs: null });
    return ofForget(await syncService.forget(context, { ...FORGET, queries: [session] }));
  },

  "forget-before": async (context, run) => {
    const beforeMs = run.machine.nowMs() - run.dice.pick([1, 20, 200, 24 * 40])! * HOUR_MS;
    run.machine.world.asks.push({ session: null, beforeMs });
    return ofForget(await syncService.forget(context, { ...FORGET, beforeMs }));
  },

  recall: async (context, run) => {
    const session = run.dice.pick(run.machine.world.store.past?.forgottenNames() ?? []);
    if (session === null) return NOTHING;
    return ofRestore(await syncService.restore(context, { ...RESTORE, queries: [session] }), run);
  },

  restore: async (context, run) => {
    const session = someSession(run);
    const request = session === null || run.dice.isLucky(0.2)
      ? { ...RESTORE, archived: true }
      : { ...RESTORE, queries: [session] };
    return ofRestore(await syncService.restore(context, request), run);
  },

  "restore-at": async (context, run) => {
    const session = someSession(run);
    if (session === null) return NOTHING;
    const atMs = run.machine.nowMs() - run.dice.below(run.dice.pick([60_000, 500 * HOUR_MS])!);
    const queries = [session];
    return ofRestore(await syncService.restore(context, { ...RESTORE, queries, atMs }), run);
  },

  "restore-to": restoreTo,

  import: async (context, run) => {
    const { machine, dice } = run;
    const files = dice.pick(machine.world.machines)!.clientFiles();
    const from = dice.isLucky(0.5) ? machine.world.oldLaptop ?? files : files;
    const dir = `${machine.home}/old-${run.number}/.claude`;
    beforeItBroke(machine, (disk) => {
      for (const [path, bytes] of from) {
        const [, below] = path.split("/.claude/") as [string, string | undefined];
        if (below === undefined || below.startsWith("sessions/")) continue;
        const to = `${dir}/${below}`;
        disk.makeDir(to.slice(0, to.lastIndexOf("/")));
        disk.overwrite(to, bytes);
      }
    });
    if (machine.disk.readDir(`${dir}/projects`) === null) return NOTHING;
    const all = dice.isLucky(0.3);
    const result = await syncService.import(context, { paths: [dir], all, dryRun: false });
    const failures = [...result.failures, ...result.pull?.failures ?? []];
    return { failures, hasPushed: false, moved: result.imported };
  },
} as const satisfies Record<string, Do>;

/** Into a folder in which somebody may have written: nothing there may be replaced. */
async function restoreTo(context: SyncContext, run: RunOfProgram): Promise<Done> {
  const { machine, dice } = run;
  const { disk, world } = machine;
  const session = someSession(run);
  if (session === null) return NOTHING;
  const dir = `${machine.home}/restored`;
  const force = dice.isLucky(0.3);
  const own = new Map<string, Bytes>();
  const isScribbled = dice.isLucky(0.5);
  beforeItBroke(machine, () => {
    for (const [path, bytes] of isScribbled ? disk.files(dir) : []) {
      // Bytes that the vault has not.
      const scribbled = new Uint8Array([...bytes, 0x20, 0x0a]);
      disk.overwrite(path, scribbled);
      own.set(path, scribbled);
    }
  });
  const before = force ? own : disk.files(dir);
  const request = { ...RESTORE, queries: [session], to: dir, force };
  const check = () => {
    if (!run.isAlive) return;
    const after = disk.files(dir);
    for (const [path, bytes] of before) {
      // What another run has left half done is the program's own, and swept when it is old.
      if (after.get(path) === bytes || TEMPORARY.test(path)) continue;
      world.report.violation("restore replaces nothing", `${run.name} restores over ${path}`);
      return;
    }
  };
  try {
    const done = ofRestore(await syncService.restore(context, request), run);
    check();
    // What is there and differs is refused.
    return { ...done, failures: done.failures.filter(({ code }) => code !== "unsafe-file") };
  } catch (error) {
    check();
    if (isClaudeSyncError(error, "unsafe-file")) return NOTHING;
    throw error;
  }
}
