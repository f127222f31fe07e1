/** A stand-in for the use cases, and a world whose output can be read. */
import process from "node:process";
import type { Bytes } from "../../src/base/bytes.ts";
import { runCli } from "../../src/cli/run.ts";
import type { Streams, World } from "../../src/cli/world.ts";
import { nodePlatform } from "../../src/platform/node.ts";
import type { Clock, Host, Platform, Processes } from "../../src/platform/types.ts";
import type {
  PullResult,
  PushResult,
  StatusReport,
  SyncService,
  VerifyReport,
} from "../../src/sync/api.ts";

const TRAFFIC = { requests: 2, ms: 208 };

/** A push that sent three sessions. */
export const PUSHED: PushResult = {
  ...TRAFFIC,
  pushed: 3,
  otherFiles: 0,
  failed: 0,
  bytes: { plain: 118_000, sent: 24_310 },
  sessions: 312,
  excluded: 0,
  forgotten: 0,
  tornTails: 0,
  failures: [],
  dryRun: false,
};

/** A pull with one of everything. */
export const PULLED: PullResult = {
  ...TRAFFIC,
  pulled: 5,
  otherFiles: 0,
  waiting: 1,
  waitingIds: ["aaaaaaaa-0000-4000-8000-000000000001"],
  sentFirstIds: [],
  unplaced: 2,
  unplacedProjects: [
    { key: "git:github.com/acme/infra", name: "infra", sessions: 1 },
    { key: "home:my stuff", name: "my stuff", sessions: 2 },
  ],
  branches: 1,
  branchSessions: [{
    id: "91bc0000-0000-4000-8000-000000000001",
    of: "3f2a0000-0000-4000-8000-000000000001",
    title: "Fix \x1b[31mflaky auth test",
    how: "machines",
  }],
  archived: 41,
  byProject: [{ name: "api", sessions: 3 }, { name: "web", sessions: 2 }],
  from: ["mbp-anna"],
  bytes: { received: 96_000, written: 412_000 },
  failures: [],
  dryRun: false,
};

/** A machine on which all is well. */
export const STATUS: StatusReport = {
  verdict: "ok",
  store: "/mnt/nas/vault",
  vaultId: "v",
  machineName: "desk-anna",
  keyFingerprint: "7qf2-aaaa-bbbb-cccc",
  localSessions: 312,
  localBytes: 106e6,
  vaultSessions: 318,
  vaultBytesStored: 15.8e6,
  unsent: 0,
  unreceived: 0,
  archived: 41,
  unplaced: 0,
  withoutProject: 0,
  machines: [
    { id: "a", name: "mbp-anna", lastSeenMs: 880_000, thisOne: false },
    { id: "b", name: "desk-anna", lastSeenMs: 990_000, thisOne: true },
  ],
  lastPush: { kind: "push", by: "hook", atMs: 880_000, ok: true, code: null, message: null },
  lastPull: { kind: "pull", by: "user", atMs: 990_000, ok: true, code: null, message: null },
  hooks: "global",
  cleanupPeriodDays: 30,
  nowMs: 1_000_000,
};

/** A check without findings. */
export const VERIFIED: VerifyReport = {
  ...TRAFFIC,
  machines: 2,
  entries: 1,
  packs: 4,
  sessions: 318,
  files: 400,
  bytes: { stored: 15.8e6, read: 15.8e6 },
  readData: true,
  unreferenced: 0,
  replaced: 0,
  problems: [],
};

function unused(): never {
  throw new Error("This test does not expect that use case");
}

/** Use cases that fail the test when they are called, but for those given. */
export function service(parts: Partial<SyncService>): SyncService {
  return {
    init: unused,
    push: unused,
    pull: unused,
    sync: unused,
    status: unused,
    list: unused,
    gc: unused,
    verify: unused,
    storeInfo: unused,
    storeTest: unused,
    storeMove: unused,
    keyExport: unused,
    keyImport: unused,
    keyFingerprint: unused,
    projectList: unused,
    projectMap: unused,
    projectUnmap: unused,
    projectExclude: unused,
    resume: unused,
    diff: unused,
    import: unused,
    log: unused,
    restore: unused,
    restoreVersions: unused,
    restoreFile: unused,
    fileVersions: unused,
    listFiles: unused,
    forget: unused,
    listForgotten: unused,
    hookWorker: unused,
    ...parts,
  };
}

/** How a run looks from outside. */
export interface Surroundings {
  readonly env?: Readonly<Record<string, string>>;
  readonly home?: string;
  readonly terminals?: readonly ("stdin" | "stdout" | "stderr")[];
  readonly input?: Bytes;
  readonly clock?: Partial<Clock>;
  readonly processes?: Partial<Processes>;
  readonly signal?: AbortSignal;
  readonly onRelease?: () => void;
  /** Takes standard output in place of the result. */
  readonly out?: (text: string) => void;
}

/** What a run printed, and its exit code. */
export interface Outcome {
  readonly exit: number;
  readonly out: string;
  readonly err: string;
}

/** A platform with the given environment and nothing else of the tester's. */
export function platformWith(surroundings: Surroundings): Platform {
  const real = nodePlatform();
  const host: Host = {
    os: "linux",
    arch: "x64",
    pid: 1,
    home: surroundings.home ?? "/home/anna",
    cwd: () => "/home/anna/code",
    env: (name) => surroundings.env?.[name],
    hostname: "desk",
    uid: real.host.uid,
    executable: "/opt/claude-sync",
    process: () => ({ alive: false, startTicks: null }),
  };
  return {
    ...real,
    host,
    clock: { ...real.clock, ...surroundings.clock },
    processes: { run: unused, exec: unused, spawnDetached: unused, ...surroundings.processes },
  };
}

/** Runs a command line against `parts` and gives what it printed. */
export async function run(
  argv: readonly string[],
  parts: Partial<SyncService> = {},
  surroundings: Surroundings = {},
): Promise<Outcome> {
  let out = "";
  let err = "";
  const streams: Streams = {
    out: surroundings.out ?? ((text) => void (out += `${text}\n`)),
    outPart: surroundings.out ?? ((text) => void (out += text)),
    err: (text) => void (err += `${text}\n`),
    write: (text) => void (err += text),
    isTerminal: (stream) => Promise.resolve(surroundings.terminals?.includes(stream) ?? false),
    promptOutput: () => process.stderr,
    columns: () => 80,
    readInput: () => Promise.resolve(surroundings.input ?? new Uint8Array(0)),
  };
  const world: World = {
    platform: platformWith(surroundings),
    streams,
    service: () => Promise.resolve(service(parts)),
    signal: surroundings.signal ?? new AbortController().signal,
    releaseSignals: surroundings.onRelease ?? (() => {}),
    self: ["/opt/claude-sync"],
    envNames: Object.keys(surroundings.env ?? {}),
    version: "1.2.3",
  };
  return { exit: await runCli(argv, world), out, err };
}
