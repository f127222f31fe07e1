/**
 * Everything that can happen on a machine, one line each. What happens next, and where, is drawn by
 * weight from those that a seed has not left out. A further command of the program (say, `gc`) is a
 * line here and one in `COMMANDS`.
 */
import type { SimMachine } from "./machine.ts";
import type { SimOptions } from "./options.ts";
import type { Command } from "./run_of_program.ts";
import type { World } from "./world.ts";

/** Something that can happen. */
export interface Action {
  readonly name: string;
  readonly weight: number;
  /** Does nothing where there is no occasion. */
  run(world: World, machine: SimMachine): void;
}

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;
/** Runs on one machine at the same time: a person's and a hook's. */
const RUNS_MAX = 2;
/** Most runs are over after this. */
const END_WITHIN_MS = 250;

function client(name: string, weight: number, run: (machine: SimMachine) => void): Action {
  return { name, weight, run: (_, machine) => run(machine) };
}

function command(name: Command, weight: number): Action {
  return {
    name,
    weight,
    run(_, machine) {
      if (machine.runs.size >= RUNS_MAX) return;
      machine.begin(machine.isSetUp ? name : "join");
    },
  };
}

function fate(name: string, weight: number, run: Action["run"]): Action {
  return { name, weight, run };
}

/** The table. */
export const ACTIONS: readonly Action[] = [
  client("speak", 14, ({ client }) => client.speak()),
  client("state lines", 3, ({ client }) => client.stateLines()),
  client("tear", 2, ({ client }) => client.tear()),
  client("complete", 2, ({ client }) => client.complete()),
  client("clear", 1, ({ client }) => client.clear()),
  client("branch", 1, ({ client }) => client.branch()),
  client("drop record", 1, ({ client }) => client.dropRecord()),
  client("truncate", 1, ({ client }) => client.truncate()),
  client("move", 1, ({ client }) => client.move()),
  client("subagent", 1, ({ client }) => client.subagent()),
  client("sidecar", 2, ({ client }) => client.sidecar()),
  client("plan", 2, ({ client }) => client.plan()),
  client("memory", 2, ({ client }) => client.memory()),
  client("prompt", 2, ({ client }) => client.prompt()),
  client("open", 1, ({ client }) => client.openSession()),
  client("close", 2, ({ client }) => client.closeSessions()),
  client("delete", 0.5, ({ client }) => client.deleteSession()),
  client("retention", 0.5, ({ client }) => client.retention()),

  command("push", 6),
  command("pull", 6),
  command("sync", 6),
  command("pull-all", 0.5),
  command("verify", 0.7),
  command("hook-push", 2),
  command("hook-sync", 2),
  command("gc", 2),
  command("gc-machine", 0.3),
  command("forget", 0.7),
  command("forget-before", 0.15),
  command("recall", 0.5),
  command("restore", 0.6),
  command("restore-at", 0.6),
  command("restore-to", 0.4),
  command("import", 0.4),

  fate("kill", 2, (world, machine) => inTheMiddle(world, machine, "kill")),
  fate("power cut", 2, (world, machine) => inTheMiddle(world, machine, "power cut")),
  fate("interrupt", 0.5, ({ report, dice }, machine) => {
    const run = dice.pick([...machine.runs]);
    if (run === null) return;
    report.fault("interrupt");
    run.controller.abort(new Error("The user has interrupted it"));
  }),
  fate("laptop sleeps", 1, (world, machine) => {
    world.report.fault("sleep");
    const sleepMs = world.dice.pick([5_000, 20 * MINUTE_MS, 9 * HOUR_MS])!;
    machine.sleepsUntilMs = world.scheduler.nowMs + sleepMs;
    machine.sleptMs += sleepMs;
  }),
  fate("clock jump", 0.5, (world, machine) => {
    world.report.fault("clock jump");
    world.looks.noteJump(machine.name);
    machine.skewMs = (world.dice.number() - 0.5) * 2 * world.options.skewMs;
  }),
  fate("backup", 1, (_, machine) => {
    if (machine.runs.size === 0 && machine.isSetUp) machine.backup = machine.makeBackup();
  }),
  fate("restore", 0.5, ({ report, dice }, machine) => {
    if (machine.backup === null) return;
    const part = dice.pick(["all", "all", "client", "program"] as const)!;
    report.fault(`restore ${part}`);
    machine.restore(machine.backup, part);
  }),
  fate("clone", 0.3, (world, machine) => world.clone(machine)),
  fate("forget state", 0.7, ({ report }, machine) => {
    if (machine.runs.size > 0) return;
    report.fault("state lost");
    machine.disk.setDatabases(new Map());
  }),
  fate("disk full", 0.5, ({ dice }, machine) => breakDisk(machine, dice.isLucky(0.5), "full")),
  fate("disk read-only", 0.5, ({ dice }, machine) => {
    breakDisk(machine, dice.isLucky(0.5), "read-only");
  }),
  fate("disk sound", 1.5, (_, machine) => {
    machine.disk.state = "sound";
  }),
  fate("store down", 0.4, ({ store }) => {
    store.isDown = true;
  }),
  fate("store up", 1.5, ({ store }) => {
    store.isDown = false;
  }),
  fate("lie", 8, ({ options, store, dice }, machine) => {
    const kind = dice.pick(options.lies);
    if (kind !== null) store.lie(kind, dice.isLucky(0.5) ? null : machine.name);
  }),
  fate("honest", 3, ({ store }) => store.repent()),
  fate("old laptop", 0.4, (world, machine) => {
    world.oldLaptop = machine.clientFiles();
  }),
  fate("days of use", 0.5, (world, machine) => useDaily(world, machine, 8)),
  fate("month of use", 0.15, (world, machine) => useDaily(world, machine, 32)),
  fate("minutes pass", 2, (world) => world.pass(world.dice.between(1, 10) * MINUTE_MS)),
  fate("hours pass", 0.5, (world) => world.pass(world.dice.between(1, 20) * HOUR_MS)),
  fate("weeks pass", 0.1, (world) => world.pass(world.dice.between(5, 40) * DAY_MS)),
];

/** Ends whatever runs, some time after it began; mostly nothing would be running by chance. */
function inTheMiddle(world: World, machine: SimMachine, how: "kill" | "power cut"): void {
  if (machine.runs.size === 0 && machine.isSetUp) {
    machine.begin(world.dice.pick(["push", "pull", "sync", "sync"] as const)!);
  }
  world.scheduler.briefly(world.dice.below(END_WITHIN_MS), null, () => {
    if (world.isQuiet) return;
    if (machine.runs.size > 0) world.report.fault(`${how} of a run`);
    else world.report.fault(how);
    if (how === "kill") machine.kill();
    else machine.cutPower(world.dice);
  });
}

/**
 * One look a day, tidied at the beginning and at the end: so graces end. What else happens happens
 * in between.
 */
function useDaily(world: World, machine: SimMachine, days: number, isFirst = true): void {
  if (days === 0 || world.isQuiet || world.isBroken) return;
  world.pass(DAY_MS + HOUR_MS);
  if (machine.runs.size === 0 && machine.isSetUp) {
    const tidy: Command = world.options.without.has("gc") ? "push" : "gc";
    const daily: Command = world.dice.pick(["pull", "sync", "hook-sync", tidy] as const)!;
    machine.begin(isFirst || days === 1 ? tidy : daily);
    if (days === 1) lookMeanwhile(world);
  }
  world.scheduler.briefly(world.dice.between(300, 3_000), null, () => {
    useDaily(world, machine, days - 1, false);
  });
}

/** Somebody who was away looks at the vault while it is tidied. */
function lookMeanwhile(world: World): void {
  const other = world.dice.pick(world.machines)!;
  world.scheduler.briefly(world.dice.below(500), null, () => {
    if (world.isQuiet || other.runs.size > 0 || !other.isSetUp) return;
    other.begin(world.dice.pick(["pull", "sync", "verify", "push"] as const)!);
  });
}

/** The actions that can mean something in a world. */
export function actionsOf({ lies, skewMs, without }: SimOptions): readonly Action[] {
  const isIdle = (name: string) =>
    (lies.length === 0 && ["lie", "honest"].includes(name)) ||
    (skewMs === 0 && name === "clock jump");
  return ACTIONS.filter(({ name }) => !without.has(name) && !isIdle(name));
}

function breakDisk(machine: SimMachine, isNow: boolean, state: "full" | "read-only"): void {
  if (!isNow) return;
  machine.disk.state = state;
  for (const run of machine.runs) run.wasDiskBroken = true;
}
