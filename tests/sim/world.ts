/**
 * One simulated world: machines that share a vault, from the seed to the verdict. First everything
 * goes wrong that the seed allows; then faults and lies end, and within a bounded number of syncs
 * all machines must have the same.
 */
import { rmSync } from "node:fs";
import { Buffer } from "node:buffer";
import { judge } from "./alarms.ts";
import { Book } from "./book.ts";
import { Claims } from "./claims.ts";
import { Decoder } from "./decoder.ts";
import { Dice } from "./dice.ts";
import { checkEqual, checkVisible } from "./equality.ts";
import { forgivenIn } from "./forgiven.ts";
import { DAY_MS, Looks } from "./looks.ts";
import type { Bytes } from "../../src/base/bytes.ts";
import type { Ask } from "./asks.ts";
import { SimMachine, type Surroundings } from "./machine.ts";
import { drawOptions, type SimOptions } from "./options.ts";
import { Past } from "./past.ts";
import type { Report } from "./report.ts";
import type { Command, Outcome, RunOfProgram } from "./run_of_program.ts";
import { Scheduler } from "./scheduler.ts";
import { SimStore } from "./store.ts";
import { readVault, type VaultContent } from "./vault_content.ts";
import { ACTIONS, actionsOf } from "./workload.ts";

/** When every world begins. */
const START_MS = Date.UTC(2026, 0, 15, 12);
const NAMES = ["anna", "bert", "cleo", "dora", "emil", "fred", "gina", "hugo"];
const NEWCOMER = "nora";
const HOUR_MS = 3_600_000;
/** Syncs of every machine, beyond their number, in which they must come to rest. */
const SPARE_ROUNDS = 3;
/** No run takes more events than this. */
const EVENTS_MAX = 200_000;
/** Tries of the first machine to make the vault. */
const JOINS_MAX = 20;

/** A world. */
export class World implements Surroundings {
  readonly options: SimOptions;
  readonly dice: Dice;
  readonly scheduler = new Scheduler(START_MS);
  readonly store: SimStore;
  readonly book = new Book();
  readonly report: Report;
  readonly databaseDir: string;
  readonly machines: SimMachine[] = [];
  readonly asks: Ask[] = [];
  readonly looks = new Looks();
  oldLaptop: ReadonlyMap<string, Bytes> | null = null;
  readonly #claims: Claims;
  #steps = 0;
  #keyText = "";
  /** Nothing goes wrong any more. */
  isQuiet = false;
  #lastOutcome: Outcome | null = null;

  constructor(seed: number, report: Report, databaseDir: string) {
    const dice = new Dice(seed);
    this.dice = dice.stream("fate");
    this.report = report;
    this.databaseDir = databaseDir;
    this.options = drawOptions(seed, dice.stream("options"), ACTIONS.map(({ name }) => name));
    this.store = new SimStore(
      this.scheduler,
      dice.stream("store"),
      this.options,
      report,
      this.looks,
    );
    this.#claims = new Claims(this.book, report);
    report.useClock(() => this.scheduler.nowMs - START_MS);
    for (const name of NAMES.slice(0, this.options.machines)) {
      this.machines.push(new SimMachine(this, name, dice.stream(`machine ${name}`)));
    }
  }

  get isBroken(): boolean {
    return this.report.violations.length > 0;
  }

  /** Lives through all of it. */
  async live(): Promise<void> {
    const { without, ...options } = this.options;
    this.report.trace(JSON.stringify({ ...options, without: [...without] }));
    await this.#makeVault();
    await this.#misfortune();
    if (!this.isBroken) await this.#quiet();
    if (!this.isBroken) await this.#verdict();
    for (const machine of this.machines) machine.kill();
    for (const { programDir, disk } of this.machines) {
      disk.letGo();
      rmSync(programDir, { recursive: true });
    }
    this.report.count("steps of time", this.scheduler.count);
  }

  onEnd(run: RunOfProgram, outcome: Outcome): void {
    this.#lastOutcome = outcome;
    judge(run, outcome, this.isQuiet, this.report);
    this.#claims.note(run, outcome);
    const isBelieved = outcome.code === null && run.exposure.lies.size === 0 &&
      run.command !== "join" && run.command !== "verify" && !run.command.startsWith("hook-");
    if (!isBelieved) return;
    for (const name of run.exposure.logNames) run.machine.accepted.add(name);
  }

  /** Time goes by for everyone. */
  pass(ms: number): void {
    this.scheduler.nowMs += ms;
  }

  /** A second computer with a copy of this one's disk. */
  clone(machine: SimMachine): void {
    const name = NAMES[this.machines.length];
    if (name === undefined || machine.runs.size > 0 || !machine.isSetUp) return;
    this.report.event("clone");
    // A copy of the whole disk: same home, same computer's id, as far as anybody can tell.
    const isTwin = this.dice.isLucky(0.5);
    const clone = new SimMachine(this, name, this.dice.stream(`clone ${name}`), machine, isTwin);
    this.machines.push(clone);
    this.looks.noteClone(name, machine.name);
    this.#settleIn(clone);
  }

  async #makeVault(): Promise<void> {
    const [first] = this.machines;
    let key: Bytes | null = null;
    // The store may fail when the vault is there already and nobody knows: then it is tried again.
    for (let attempt = 0; key === null && attempt < JOINS_MAX; attempt++) {
      first!.begin("join");
      await this.#untilIdle();
      key = first!.disk.readFile(`${first!.programDir}/key`, 100);
    }
    if (key === null) throw new Error("The first machine has made no key");
    const keyText = Buffer.from(key).toString("base64");
    this.#keyText = keyText;
    for (const machine of this.machines) machine.keyToImport = () => keyText;
    const header = this.store.objects().get("claude-sync.json")!.bytes;
    this.store.past = new Past(new Decoder(key, header), this.looks, this.asks);
  }

  async #misfortune(): Promise<void> {
    for (const machine of this.machines) this.#settleIn(machine);
    const isOver = () => this.#steps >= this.options.steps || this.isBroken;
    await this.scheduler.runUntil(isOver);
    await this.#untilIdle();
  }

  /** The machine's fate begins: one action after the other. */
  #settleIn(machine: SimMachine): void {
    const allowed = actionsOf(this.options);
    const act = () => {
      if (this.#steps >= this.options.steps || this.isBroken) return;
      this.#steps++;
      const action = this.dice.pickWeighted(allowed);
      if (action !== null && this.scheduler.nowMs >= machine.sleepsUntilMs) {
        this.report.trace(`${machine.name}: ${action.name}`);
        action.run(this, machine);
      }
      this.scheduler.briefly(this.#pauseMs(), null, act);
    };
    this.scheduler.briefly(this.#pauseMs(), null, act);
  }

  #pauseMs(): number {
    return Math.ceil(-Math.log(1 - this.dice.number()) * this.options.paceMs);
  }

  async #untilIdle(): Promise<void> {
    const isIdle = () => this.isBroken || this.machines.every(({ runs }) => runs.size === 0);
    const limit = this.scheduler.count + EVENTS_MAX;
    await this.scheduler.runUntil(() => isIdle() || this.scheduler.count > limit);
    if (!isIdle()) this.report.violation("comes to an end", "A run waits for ever");
  }

  async #run(machine: SimMachine, command: Command): Promise<Outcome | null> {
    this.#lastOutcome = null;
    machine.begin(command);
    await this.#untilIdle();
    return this.#lastOutcome;
  }

  /** Gives how much has moved. */
  async #everywhere(command: Command): Promise<number> {
    let moved = 0;
    for (const machine of this.dice.shuffled(this.machines)) {
      if (!this.isBroken) moved += (await this.#run(machine, command))?.moved ?? 0;
    }
    return moved;
  }

  /** Syncs until nothing moves any more, which must be soon. */
  async #comeToRest(): Promise<void> {
    const roundsMax = this.machines.length + SPARE_ROUNDS;
    for (let round = 1; !this.isBroken; round++) {
      const objects = this.store.objects().size;
      const moved = await this.#everywhere("sync");
      if (moved === 0 && this.store.objects().size === objects) return;
      if (round < roundsMax) continue;
      this.report.violation("convergence", `The machines still move after ${round} rounds`);
    }
  }

  /** No faults, no lies, nobody at work: all come to rest in a bounded number of syncs. */
  async #quiet(): Promise<void> {
    this.report.trace("quiet");
    this.isQuiet = true;
    this.store.calm();
    for (const machine of this.machines) {
      machine.disk.state = "sound";
      machine.sleepsUntilMs = 0;
      machine.client.closeSessions();
    }
    this.pass(2 * HOUR_MS);
    for (const machine of this.machines) {
      if (!machine.isSetUp) await this.#run(machine, "join");
    }
    await this.#comeToRest();
    if (!this.options.without.has("gc") && this.dice.isLucky(0.3)) await this.#tidy();
  }

  /** Every log is compacted, and what that has replaced is deleted when its time has come. */
  async #tidy(): Promise<void> {
    await this.#everywhere("gc");
    for (let day = 0; day < 8 && !this.isBroken; day++) {
      this.pass(DAY_MS + HOUR_MS);
      await this.#everywhere(this.dice.isLucky(0.5) ? "gc" : "pull");
    }
    await this.#everywhere("gc");
    await this.#comeToRest();
  }

  /** A machine that was never there before. */
  async #newcomer(): Promise<void> {
    const machine = new SimMachine(this, NEWCOMER, this.dice.stream(NEWCOMER));
    machine.keyToImport = () => this.#keyText;
    this.machines.push(machine);
    await this.#run(machine, "join");
    if (!this.isBroken) await this.#run(machine, "pull-all");
  }

  async #verdict(): Promise<void> {
    // What was deleted here comes back, and with it what was typed in it here and not sent yet.
    const back = await this.#everywhere("pull-all");
    const isRemoved = this.machines.some(({ removed }) => removed.size > 0);
    if (back > 0 || isRemoved) await this.#comeToRest();
    // A plan that was sent with it may be older than what a machine takes without being asked.
    if (back > 0 && await this.#everywhere("pull-all") > 0) await this.#comeToRest();
    if (!this.isBroken) await this.#newcomer();
    if (this.isBroken) return;
    const past = this.store.past!;
    const problem = past.finalProblem();
    if (problem !== null) return void this.report.violation("nothing is lost", problem);
    this.report.count("states forgotten", past.forgottenStates);
    const forgiven = forgivenIn(past, this.machines);
    checkEqual(this.machines, past, forgiven, this.report);
    checkVisible(this.machines, this.book, past, forgiven, this.report);
    if (!this.isBroken) await this.#run(this.dice.pick(this.machines)!, "verify");
    if (this.isBroken) return;
    const [first] = this.machines;
    const read: { content?: VaultContent; error?: unknown } = {};
    const run = first!.idleRun();
    this.scheduler.after(0, run, () => {
      readVault(first!.context(run), past).then(
        (content) => (read.content = content),
        (error: unknown) => (read.error = error),
      );
    });
    await this.scheduler.runUntil(() => "content" in read || "error" in read);
    if (read.content === undefined) throw read.error;
    this.#claims.check(read.content, forgiven);
  }
}
