/**
 * One process of `deno test`.
 *
 * @module
 */
import { type ChildProcess, spawn } from "node:child_process";
import process from "node:process";
import { fileBegun, type Outcome, parseSummary } from "./test_output.ts";

/** Past the longest process on a computer that does ten times as much: what takes longer hangs. */
const TIME_LIMIT_MS = 20 * 60_000;

/** Something that a test left behind may hold the output open when the process has ended. */
const OUTPUT_GRACE_MS = 2000;

/** What to run, and where. */
export interface TestProcessOptions {
  readonly root: string;
  readonly files: readonly string[];
  /** Flags of `deno test` besides the usual ones. */
  readonly flags: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  /** Whether the output is written as it comes, without a limit of time; else it is kept. */
  readonly isWatched: boolean;
}

/** A running process. */
export class TestProcess {
  readonly #child: ChildProcess;
  readonly #isWatched: boolean;
  readonly #begun: { file: string; atMs: number }[] = [];
  #output = "";
  #endMs = 0;
  readonly #startMs = performance.now();
  /** What it runs. */
  readonly files: readonly string[];
  /** When it has ended. Does not reject but where the program cannot be started. */
  readonly ended: Promise<Outcome>;

  /** Starts it. */
  constructor({ root, files, flags, env, isWatched }: TestProcessOptions) {
    this.#isWatched = isWatched;
    this.files = files;
    const usual = ["--allow-all", "--no-check", "--sanitize-ops", "--sanitize-resources"];
    this.#child = spawn(process.execPath, ["test", ...usual, ...flags, ...files], {
      cwd: root,
      stdio: ["ignore", "pipe", "pipe"],
      env: { ...process.env, ...env },
    });
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      stream?.setEncoding("utf8");
      stream?.on("data", (text: string) => this.#take(text));
    }
    this.ended = this.#end();
  }

  /** All that it has said so far. */
  get output(): string {
    return this.#output;
  }

  /** How long each file took, to the moment when the next began. */
  fileSeconds(): { file: string; seconds: number }[] {
    const endMs = this.#endMs === 0 ? performance.now() : this.#endMs;
    return this.#begun.map(({ file, atMs }, index) => {
      // The first has the start of the process in it.
      const from = index === 0 ? this.#startMs : atMs;
      return { file, seconds: ((this.#begun[index + 1]?.atMs ?? endMs) - from) / 1000 };
    });
  }

  #take(text: string): void {
    const atMs = performance.now();
    // A line that comes in two pieces is taken for none, which only blurs the account of time.
    for (const line of text.split("\n")) {
      const file = fileBegun(line);
      if (file !== null) this.#begun.push({ file, atMs });
    }
    this.#output += text;
    if (this.#isWatched) process.stdout.write(text);
  }

  #end(): Promise<Outcome> {
    return new Promise((done, reject) => {
      const limit = this.#isWatched ? undefined : setTimeout(() => {
        this.#take(`\nerror: not over after ${TIME_LIMIT_MS / 60_000} minutes: killed\n`);
        this.#child.kill("SIGKILL");
      }, TIME_LIMIT_MS);
      const finish = (code: number | null) => {
        clearTimeout(limit);
        this.#endMs = performance.now();
        done({ exitCode: code ?? 1, summary: parseSummary(this.#output) });
      };
      let grace: ReturnType<typeof setTimeout> | undefined;
      this.#child.on("error", reject);
      this.#child.on("exit", (code) => {
        grace = setTimeout(() => finish(code), OUTPUT_GRACE_MS);
      });
      this.#child.on("close", (code) => {
        clearTimeout(grace);
        finish(code);
      });
    });
  }
}
