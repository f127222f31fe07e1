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
/** Days of use after which what the first tidying has replaced may go. */
const GRACE_USE_DAYS = 10;
/** A backup that was made to be restored is so within this many actions on each machine. */
const LATER_PACES = 10;

type Change = (machine: SimMachine, world: World) => void;

/** What the client or a person does; it counts when it has changed a file. */
function client(name: string, weight: number, change: Change): Action {
  const run = (world: World, machine: SimMachine) => {
    const before = machine.touches;
    change(machine, world);
    if (machine.touches > before) world.report.event(name);
  };
  return { name, weight, run };
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
  client("append", 14, ({ client }) => client.speak()),
  client("state lines", 3, ({ client }) => client.stateLines()),
  client("torn line", 2, ({ client }) => client.tear()),
  client("torn line completed", 4, ({ client }) => client.complete()),
  client("/clear", 1, ({ client }) => client.clear()),
  client("/branch", 1, ({ client }) => client.branch()),
  client("rewrite: record dropped", 2, ({ client }) => client.dropRecord()),
  client("rewrite: end cut off", 1, ({ client }) => client.truncate()),
  client("worktree move", 1, ({ client }) => client.move()),
  client("subagent", 1, ({ client }) => client.subagent()),
  client("sidecar", 2, ({ client }) => client.sidecar()),
  client("plan", 2, ({ client }) => client.plan()),
  client("memory", 2, ({ client }) => client.memory()),
  client("prompt", 2, ({ client }) => client.prompt()),
  client("session opened", 1.5, ({ client }) => client.openSession()),
  client("sessions closed", 3, ({ client }) => client.closeSessions()),
  client("user delete", 0.5, ({ client }) => client.deleteSession()),
  client("retention", 1.5, ({ client }, world) => {
    // Clients clean up when they start: often after a time in which nobody used any.
    if (world.dice.isLucky(0.5)) world.pass(world.options.cleanupDays * DAY_MS + HOUR_MS);
    client.retention();
  }),

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
  command("forget-before", 0.4),
  command("recall", 0.7),
  command("restore", 0.6),
  command("restore-at", 0.6),
  command("restore-to", 0.4),
  command("import", 0.6),

  fate("kill", 2, (world, machine) => inTheMiddle(world, machine, "kill")),
  fate("power cut", 2, (world, machine) => inTheMiddle(world, machine, "power cut")),
  fate("interrupt", 1, (world, machine) => inTheMiddle(world, machine, "interrupt")),
  fate("laptop sleeps", 1.5, shutLid),
  fate("clock jump", 1, (world, machine) => {
    world.report.event("clock jump");
    world.looks.noteJump(machine.name);
    machine.skewMs = (world.dice.number() - 0.5) * 2 * world.options.skewMs;
  }),
  fate("backup", 1, (_, machine) => {
    if (machine.runs.size === 0 && machine.isSetUp) machine.backup = machine.makeBackup();
  }),
  fate("home from backup", 1.3, restoreHome),
  fate("clone", 0.3, (world, machine) => world.clone(machine)),
  fate("forget state", 0.7, ({ report }, machine) => {
    if (machine.runs.size > 0) return;
    report.event("state lost");
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
  fate("days of use", 0.9, (world, machine) => useDaily(world, machine, GRACE_USE_DAYS)),
  fate("month of use", 0.15, (world, machine) => useDaily(world, machine, 32)),
  fate("minutes pass", 2, (world) => world.pass(world.dice.between(1, 10) * MINUTE_MS)),
  fate("hours pass", 0.5, (world) => world.pass(world.dice.between(1, 20) * HOUR_MS)),
  fate("weeks pass", 0.1, (world) => world.pass(world.dice.between(5, 40) * DAY_MS)),
];

type Trouble = "kill" | "power cut" | "interrupt" | "sleep";

/** Befalls whatever runs, some time after it began; mostly nothing would be running by chance. */
function inTheMiddle(world: World, machine: SimMachine, what: Trouble): void {
  const { dice, report, scheduler } = world;
  if (machine.runs.size === 0 && machine.isSetUp) {
    machine.begin(dice.pick(["push", "pull", "sync", what === "sleep" ? "gc" : "sync"] as const)!);
  }
  scheduler.briefly(dice.below(END_WITHIN_MS), null, () => {
    if (world.isQuiet || scheduler.nowMs < machine.sleepsUntilMs) return;
    const ofRun = machine.runs.size > 0 ? " of a run" : "";
    if (what === "sleep") return sleep(world, machine, ofRun);
    report.event(what + ofRun);
    if (what === "kill") return machine.kill();
    if (what === "power cut") return machine.cutPower(dice);
    const run = dice.pick([...machine.runs]);
    run?.controller.abort(new Error("The user has interrupted it"));
  });
}

/** Asleep in the middle of anything, or of what must not be gone on with after a long time. */
function shutLid(world: World, machine: SimMachine): void {
  const call = world.dice.pick([null, null, "put packs/", "delete "]);
  if (call === null) return inTheMiddle(world, machine, "sleep");
  machine.atCall = (what) => {
    if (!what.startsWith(call) || world.isQuiet) return;
    machine.atCall = null;
    sleep(world, machine, " of a run");
  };
  if (call === "delete ") return useDaily(world, machine, GRACE_USE_DAYS);
  if (machine.runs.size === 0 && machine.isSetUp) machine.begin("push");
}

/** A lid is shut, for a moment or for so long that the program must not go on as if nothing was. */
function sleep(world: World, machine: SimMachine, ofRun: string): void {
  const { dice, report, scheduler } = world;
  const isLong = dice.isLucky(0.5);
  const sleepMs = isLong
    ? dice.pick([4 * DAY_MS, 9 * DAY_MS])!
    : dice.pick([5_000, 20 * MINUTE_MS, 9 * HOUR_MS])!;
  report.event((isLong ? "long sleep" : "sleep") + ofRun);
  machine.sleepsUntilMs = scheduler.nowMs + sleepMs;
  machine.sleptMs += sleepMs;
  if (!isLong) return;
  // The others go on, and tidy the vault: that is what makes a long sleep dangerous.
  const other = dice.pick(world.machines.filter((each) => each !== machine));
  if (other !== null) useDaily(world, other, sleepMs / DAY_MS);
}

/** The home is what it was at the last backup; where there is none yet, one is made for it. */
function restoreHome(world: World, machine: SimMachine): void {
  const { dice, options, report, scheduler } = world;
  const restore = () => {
    if (machine.backup === null) return;
    const part = dice.pick(["all", "client", "program"] as const)!;
    report.event(`home from backup: ${part}`);
    machine.restore(machine.backup, part);
  };
  if (machine.backup !== null) return restore();
  if (machine.runs.size > 0 || !machine.isSetUp) return;
  machine.backup = machine.makeBackup();
  scheduler.briefly(dice.below(LATER_PACES) * options.paceMs, null, () => {
    if (!world.isQuiet && scheduler.nowMs >= machine.sleepsUntilMs) restore();
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
    if (days === 1) lookMeanwhile(world, machine);
  }
  world.scheduler.briefly(world.dice.between(300, 3_000), null, () => {
    useDaily(world, machine, days - 1, false);
  });
}

/** Somebody who was away looks at the vault while it is tidied, best while something is deleted. */
function lookMeanwhile(world: World, tidying: SimMachine): void {
  const { dice, scheduler } = world;
  const other = dice.pick(world.machines.filter((each) => each !== tidying));
  const look = (withinMs: number) =>
    scheduler.briefly(dice.below(withinMs), null, () => {
      if (other === null || world.isQuiet || other.runs.size > 0 || !other.isSetUp) return;
      other.begin(dice.pick(["pull", "sync", "verify", "push"] as const)!);
    });
  if (dice.isLucky(0.3) || tidying.atCall !== null) return look(500);
  tidying.atCall = (what) => {
    if (!what.startsWith("delete ")) return;
    tidying.atCall = null;
    look(200);
  };
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
