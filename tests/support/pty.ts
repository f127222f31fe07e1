/** A program on a terminal of its own, and somebody who types there. */
import { type ChildProcess, spawn } from "node:child_process";
import process from "node:process";

/** How long the program may take to show what is awaited, on a busy computer. */
const DEADLINE_MS = 60_000;

/** Says who runs, runs it, and compares what the terminal was set to before and after. */
const SCRIPT = `stty cols 100 rows 30; before=$(stty -g)
/bin/sh -c 'echo "[pid $$]"; exec "$@"' sh "$@"
code=$?; [ "$(stty -g)" = "$before" ] && state=restored || state=changed
echo "[exit $code $state]"`;

/** Why there is none here; null when there is. */
export const whyNoPty = process.platform === "linux"
  ? null
  : "only here does the system have a command that runs another one on a terminal of its own";

/** What the program left behind. */
export interface PtyEnd {
  readonly exit: number;
  /** Whether the terminal is as it was: its settings, and a cursor that is seen. */
  readonly isRestored: boolean;
  /** All that was shown, with its control sequences. */
  readonly shown: string;
}

/** A running program with a terminal. */
export class Pty {
  readonly #child: ChildProcess;
  #shown = "";
  #onChange: (() => void) | null = null;

  /** Starts `argv` with nothing in its environment but `env`. */
  constructor(
    argv: readonly string[],
    { cwd, env }: { readonly cwd: string; readonly env: Readonly<Record<string, string>> },
  ) {
    const command = ["/bin/sh", "-c", SCRIPT, "sh", ...argv].map(quote).join(" ");
    this.#child = spawn("script", ["-qec", command, "/dev/null"], {
      cwd,
      env: { PATH: "/usr/local/bin:/usr/bin:/bin", SHELL: "/bin/sh", TERM: "xterm", ...env },
      stdio: ["pipe", "pipe", "inherit"],
    });
    this.#child.stdout!.setEncoding("utf8").on("data", (text: string) => {
      this.#shown += text;
      this.#onChange?.();
    });
  }

  /** Waits until the terminal has shown `pattern`. */
  async shows(pattern: RegExp): Promise<RegExpExecArray> {
    const found = () => pattern.exec(this.#shown);
    return found() ?? await new Promise<RegExpExecArray>((done, failed) => {
      const timer = setTimeout(() => {
        this.#child.kill("SIGKILL");
        failed(new Error(`The terminal never showed ${pattern}, but:\n${this.#shown}`));
      }, DEADLINE_MS);
      this.#onChange = () => {
        const match = found();
        if (match === null) return;
        clearTimeout(timer);
        this.#onChange = null;
        done(match);
      };
    });
  }

  /** Types, `\r` for Enter, `\x03` for Ctrl-C. */
  type(keys: string): void {
    this.#child.stdin!.write(keys);
  }

  /** Sends a signal to the program itself. */
  async kill(signal: "SIGTERM" | "SIGHUP"): Promise<void> {
    process.kill(Number((await this.shows(/\[pid (\d+)\]/))[1]), signal);
  }

  /** Waits for the program's end. */
  async ended(): Promise<PtyEnd> {
    const [, exit, state] = await this.shows(/\[exit (\d+) (\w+)\]/);
    this.#child.stdin!.end();
    if (this.#child.exitCode === null) await new Promise((done) => this.#child.on("close", done));
    // deno-lint-ignore no-control-regex
    const lastCursor = this.#shown.match(/\x1b\[\?25[hl]/g)?.at(-1);
    const isRestored = state === "restored" && lastCursor !== "\x1b[?25l";
    return { exit: Number(exit), isRestored, shown: this.#shown };
  }
}

function quote(word: string): string {
  return `'${word.replaceAll("'", `'\\''`)}'`;
}
