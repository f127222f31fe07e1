/** Throw-away computers around one folder vault, driven through the compiled program. */
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { measure, type Measured, measureMemory, type Run } from "./measure.ts";

const POLL_MS = 20;

/** What a benchmark gets. */
export interface BenchWorld {
  /** The compiled program. */
  readonly program: string;
  /** A compiled program that does nothing. */
  readonly emptyProgram: string;
  /** A folder of the benchmark's own, removed afterwards. */
  readonly dir: string;
  /** How often small things are repeated. */
  readonly rounds: number;
  /** Also what takes minutes. */
  readonly large: boolean;
  /** Text that names the limits to measure; empty = all. */
  readonly only: string;
  readonly print: (line: string) => void;
}

/** What `push --json` and `pull --json` tell that is printed here. */
export interface Traffic {
  readonly requests: number;
  readonly bytes: { readonly sent?: number; readonly received?: number };
  readonly pushed?: number;
  readonly pulled?: number;
}

/** One computer. */
export class Computer {
  readonly home: string;
  readonly #world: BenchWorld;
  readonly #vault: string;

  constructor(world: BenchWorld, name: string) {
    this.home = join(world.dir, name);
    this.#world = world;
    this.#vault = join(world.dir, "vault");
    mkdirSync(this.home, { recursive: true });
  }

  /** The program with these arguments, as it runs here. */
  run(...args: readonly string[]): Run {
    return {
      command: [this.#world.program, ...args],
      env: { HOME: this.home, USERPROFILE: this.home },
      cwd: this.home,
    };
  }

  /** Runs it. */
  async do(...args: readonly string[]): Promise<Measured> {
    return await measure(this.run(...args));
  }

  /** Runs it and measures memory too. */
  async doMeasured(...args: readonly string[]): Promise<Measured> {
    return await measureMemory(this.run(...args), this.home);
  }

  /** Makes the vault, or joins the one that `other` made. */
  async setUp(other?: Computer): Promise<void> {
    await this.do("init", "--dir", this.#vault, "--yes");
    if (other === undefined) return;
    const { stdout: key } = await other.do("key", "export", "--quiet");
    await measure({ ...this.run("key", "import"), stdin: key });
  }

  /** Resolves when no worker has anything to do any more. */
  async idle(): Promise<void> {
    const queue = join(this.home, ".claude-sync", "queue");
    const hasWork = () => existsSync(queue) && readdirSync(queue).length > 0;
    if (!hasWork()) return;
    while (hasWork()) await new Promise((wake) => setTimeout(wake, POLL_MS));
    // It still writes how it ended.
    await new Promise((wake) => setTimeout(wake, 10 * POLL_MS));
  }

  /** Bytes of all objects of the vault. */
  storedBytes(): number {
    return folderBytes(this.#vault);
  }
}

/** Reads the JSON that a run printed. */
export function trafficOf(run: Measured): Traffic {
  const value: Traffic = JSON.parse(run.stdout);
  return value;
}

/** Bytes of all files below a folder. */
export function folderBytes(dir: string): number {
  let bytes = 0;
  for (const name of readdirSync(dir, { recursive: true, encoding: "utf8" })) {
    const stat = statSync(join(dir, name));
    if (stat.isFile()) bytes += stat.size;
  }
  return bytes;
}

/** Runs `work` with a fresh folder below the system's one for temporary files. */
export async function inFreshFolder<T>(work: (dir: string) => Promise<T>): Promise<T> {
  const dir = mkdtempSync(join(process.env["CLAUDE_SYNC_BENCH_DIR"] ?? tmpdir(), "bench-"));
  try {
    return await work(dir);
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}
