/**
 * What is at the edge: time, memory and bytes of everything a user runs, and whether the second
 * machine got every byte. The bound of memory is printed beside it.
 */
import { createHash } from "node:crypto";
import { closeSync, existsSync, mkdirSync, openSync, readSync, rmSync, symlinkSync } from "node:fs";
import { readdirSync } from "node:fs";
import { join, relative } from "node:path";
import {
  goOn,
  type LimitHome,
  longPath,
  sessionId,
  workFolder,
  writeBundle,
  writeHuge,
  writeLongLine,
  writeMany,
  writeSmall,
} from "./limit_worlds.ts";
import { measureMemory, type Run } from "./measure.ts";
import { bytesText, memoryText, tableLines, timeText } from "./table.ts";
import { type BenchWorld, Computer } from "./world.ts";

/** The promise: no run of the program takes more memory than this (286 MiB). */
export const MEMORY_BYTES_MAX = 300e6;

const READ_BYTES = 1024 * 1024;

/** One world, on the first machine and on the second. */
interface LimitCase {
  readonly name: string;
  /** Writes what the first machine has; `b` gets the folders of the projects. */
  readonly make: (a: LimitHome, b: LimitHome) => void;
  /** Where the client's folder is, below the home. */
  readonly claude?: (home: string) => string;
  /** Machines that join and push a session each before the second one pulls. */
  readonly machines?: number;
  /** Whether both machines go on with session 0, apart, and look back at it. */
  readonly forks?: true;
  /** Only with `--large`. */
  readonly isLarge?: true;
}

const PATH_LENGTH = 4_000;

const CASES: readonly LimitCase[] = [
  {
    name: "a transcript of 4 GB",
    isLarge: true,
    make: (a, b) => {
      workFolder(b, "huge");
      writeHuge(a, workFolder(a, "huge"), 4e9);
    },
  },
  {
    name: "a transcript of 1 GB",
    make: (a, b) => {
      workFolder(b, "huge");
      writeHuge(a, workFolder(a, "huge"), 1e9);
    },
  },
  {
    name: "a transcript of 200 MB continued on two machines",
    forks: true,
    make: (a, b) => {
      workFolder(b, "fork");
      writeHuge(a, workFolder(a, "fork"), 200e6);
    },
  },
  {
    name: "100,000 sessions in 100 projects",
    make: (a, b) => {
      for (const cwd of writeMany(a, 100_000, 1_000)) {
        mkdirSync(cwd.replace(a.home, b.home), { recursive: true });
      }
    },
  },
  {
    name: "one line of 64 MiB",
    make: (a, b) => {
      workFolder(b, "line");
      writeLongLine(a, workFolder(a, "line"), 64 * 2 ** 20);
    },
  },
  {
    name: "10,000 files in one session",
    make: (a, b) => {
      workFolder(b, "bundle");
      writeBundle(a, workFolder(a, "bundle"), 10_000);
    },
  },
  {
    name: "a project's path of 4,000 characters",
    make: (a, b) => {
      const cwd = longPath(join(a.home, "code"), PATH_LENGTH);
      mkdirSync(cwd, { recursive: true });
      mkdirSync(cwd.replace(a.home, b.home), { recursive: true });
      writeSmall(a, cwd, 0);
    },
  },
  {
    name: "files with paths of 4,000 characters",
    // Their own names and the slug's folder come behind it.
    claude: (home) => longPath(home, PATH_LENGTH - 120),
    make: (a, b) => {
      workFolder(b, "deep");
      writeSmall(a, workFolder(a, "deep"), 0);
    },
  },
  {
    name: "50 machines",
    machines: 50,
    make: (a, b) => {
      workFolder(b, "crowd");
      writeSmall(a, workFolder(a, "crowd"), 0);
    },
  },
];

/** See `main.ts`. */
export async function benchLimits(world: BenchWorld): Promise<void> {
  const wanted = CASES.filter(({ isLarge, name }) =>
    (isLarge === undefined || world.large) && name.includes(world.only)
  );
  if (!world.large && world.only === "") world.print("(a transcript of 4 GB: with --large)");
  for (const [index, one] of wanted.entries()) {
    const dir = join(world.dir, `${index}`);
    mkdirSync(dir);
    world.print(`\n${one.name}`);
    const rows = await new CaseRun({ ...world, dir }, one).run();
    const head = ["step", "time", "memory", "bytes", "outcome"];
    for (const line of tableLines(head, rows)) world.print(line);
    rmSync(dir, { recursive: true, force: true });
  }
}

class CaseRun {
  readonly #world: BenchWorld;
  readonly #case: LimitCase;
  readonly #rows: string[][] = [];
  readonly #nowMs = Date.now();

  constructor(world: BenchWorld, one: LimitCase) {
    this.#world = world;
    this.#case = one;
  }

  async run(): Promise<string[][]> {
    const [a, b] = [new Computer(this.#world, "a"), new Computer(this.#world, "b")];
    const [atA, atB] = [this.#home(a), this.#home(b)];
    this.#case.make(atA, atB);
    await a.setUp();
    await this.#step(a, "push", ["push", "--json"]);
    await this.#step(a, "push again", ["push", "--json"]);
    await this.#step(a, "status", ["status", "--json"]);
    await this.#step(a, "list", ["list", "--json"]);
    for (let number = 2; number < (this.#case.machines ?? 0); number++) {
      const other = new Computer(this.#world, `m${number}`);
      await other.setUp(a);
      writeSmall(this.#home(other), workFolder(other, "crowd"), number);
      await other.do("push");
    }
    await b.setUp(a);
    await this.#step(b, "first pull", ["pull", "--json"]);
    await this.#step(b, "pull again", ["pull", "--json"]);
    await this.#step(a, "pull on the first", ["pull", "--json"]);
    if (this.#case.forks === true) await this.#fork(a, b);
    await this.#step(b, "verify --read-data", ["verify", "--read-data", "--json"]);
    const files = compareTrees(atA.claude, atB.claude);
    this.#rows.push(["both machines", "", "", "", files]);
    return this.#rows;
  }

  async #fork(a: Computer, b: Computer): Promise<void> {
    for (const [at, computer] of [a, b].entries()) goOn(this.#home(computer), 0, at);
    const id = sessionId(0);
    await this.#step(a, "sync on the first", ["sync", "--json"]);
    await this.#step(b, "sync that parts", ["sync", "--json"]);
    await this.#step(a, "sync of the branch", ["sync", "--json"]);
    await this.#step(b, "restore --list", ["restore", id, "--list", "--json"]);
    await this.#step(b, "restore --at", ["restore", id, "--at", "45m", "--json"]);
    await this.#step(b, "diff", ["diff", id, "--json"]);
  }

  #home({ home }: Computer): LimitHome {
    const claude = this.#case.claude?.(home) ?? join(home, ".claude");
    mkdirSync(claude, { recursive: true });
    // The environment has no room for another path; the client follows a link there, too.
    if (!existsSync(join(home, ".claude"))) symlinkSync(claude, join(home, ".claude"));
    return { home, claude, nowMs: this.#nowMs };
  }

  async #step(computer: Computer, name: string, args: readonly string[]): Promise<void> {
    const { ms, peakBytes, outcome, bytes } = await outcomeOf(computer.run(...args), computer.home);
    const isOver = peakBytes !== null && peakBytes > MEMORY_BYTES_MAX;
    const memory = `${memoryText(peakBytes)}${isOver ? " (!)" : ""}`;
    this.#rows.push([name, timeText(ms), memory, bytes, outcome]);
  }
}

interface Outcome {
  readonly ms: number;
  readonly peakBytes: number | null;
  readonly bytes: string;
  readonly outcome: string;
}

async function outcomeOf(run: Run, scratch: string): Promise<Outcome> {
  const done = await measureMemory({ ...run, mayFail: true }, scratch);
  if (done.exitCode !== 0) {
    const said = done.stderr.trim().split("\n").slice(0, 3).join(" | ");
    return { ...done, bytes: "", outcome: `exit ${done.exitCode}: ${said}` };
  }
  const told = JSON.parse(done.stdout) as Record<string, unknown>;
  const traffic = told["bytes"] as Record<string, number> | undefined;
  const moved = traffic?.["sent"] ?? traffic?.["received"] ?? traffic?.["read"];
  const counted = ["pushed", "pulled", "failed", "unsent", "unreceived", "entries", "files"]
    .filter((key) => told[key] !== undefined).map((key) => `${key} ${told[key]}`);
  const problems = told["problems"] as readonly unknown[] | undefined;
  if (problems !== undefined) counted.push(`problems ${problems.length}`);
  if (Array.isArray(told["sessions"])) counted.push(`sessions ${told["sessions"].length}`);
  return {
    ...done,
    bytes: moved === undefined ? "" : bytesText(moved),
    outcome: counted.join(", "),
  };
}

function compareTrees(a: string, b: string): string {
  const [left, right] = [hashesBelow(a), hashesBelow(b)];
  const differing = [...left].filter(([path, hash]) => right.get(path) !== hash);
  if (differing.length === 0 && left.size === right.size) return `${left.size} files are equal`;
  return `${differing.length} of ${left.size} files differ, ${right.size} there`;
}

/** Hashes of all files of sessions, by session and place inside it: slugs differ by the home. */
function hashesBelow(claude: string): Map<string, string> {
  const projects = join(claude, "projects");
  const hashes = new Map<string, string>();
  for (const slug of existsSync(projects) ? readdirSync(projects) : []) {
    const folder = join(projects, slug);
    for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
      if (!entry.isFile()) continue;
      const path = join(entry.parentPath, entry.name);
      hashes.set(relative(folder, path), hashOf(path));
    }
  }
  return hashes;
}

function hashOf(path: string): string {
  const hash = createHash("sha256");
  const file = openSync(path, "r");
  const buffer = new Uint8Array(READ_BYTES);
  for (let count = readSync(file, buffer); count > 0; count = readSync(file, buffer)) {
    hash.update(buffer.subarray(0, count));
  }
  closeSync(file);
  return hash.digest("hex");
}
