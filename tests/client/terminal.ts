/**
 * A person at a terminal: drives an interactive program through a private tmux server.
 *
 * @module
 */
import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { DEADLINE_MS, until } from "./until.ts";
import { isRunning, toolPath } from "./program.ts";

const run = promisify(execFile);

const WIDTH_COLUMNS = 150;
const HEIGHT_ROWS = 50;

/** What runs in a terminal. */
export interface TerminalProgram {
  readonly argv: readonly [string, ...string[]];
  readonly cwd: string;
  readonly env: Readonly<Record<string, string>>;
}

/** Terminals of one throw-away tmux server; it touches no server of the tester's. */
export class TerminalServer {
  readonly #socket: string;
  readonly #pids: number[] = [];

  /** @param socket path of the server's socket, short enough for the system (about 100 bytes). */
  constructor(socket: string) {
    this.#socket = socket;
  }

  /**
   * Opens a terminal with a program in it, which stays readable after the program's end.
   *
   * @throws Error that says what to install when there is no tmux.
   */
  async open(program: TerminalProgram): Promise<Terminal> {
    const name = `t${this.#pids.length}`;
    const variables = Object.entries({ ...program.env, TERM: "screen-256color" });
    const settings = variables.map(([key, value]) => `${key}=${value}`);
    const size = ["-x", String(WIDTH_COLUMNS), "-y", String(HEIGHT_ROWS)];
    const inside = ["-c", program.cwd, "env", "-i", ...settings, ...program.argv];
    const keep = ["-g", "remain-on-exit", "on", ";", "set-option", "-g", "exit-empty", "off", ";"];
    const create = ["new-session", "-d", "-s", name, ...size, ...inside];
    await this.command(["start-server", ";", "set-option", ...keep, ...create]);
    const terminal = new Terminal(this, name);
    this.#pids.push(await terminal.pid());
    return terminal;
  }

  /** Runs one tmux command and returns what it prints. */
  async command(args: readonly string[]): Promise<string> {
    try {
      const options = { env: { PATH: toolPath(), LANG: "C.UTF-8" } };
      const argv = ["-S", this.#socket, "-f", "/dev/null", "-u", ...args];
      return (await run("tmux", argv, options)).stdout;
    } catch (cause) {
      if ((cause as { code?: unknown }).code === "ENOENT") {
        const hint = "install tmux (Debian: apt-get install tmux; macOS: brew install tmux)";
        throw new Error(`These tests type into the real client and need tmux: ${hint}`, { cause });
      }
      throw cause;
    }
  }

  /** Closes all terminals and waits for the end of what ran in them. */
  async close(): Promise<void> {
    // Without an open terminal there was never a server.
    if (this.#pids.length === 0) return;
    const names = await this.command(["list-sessions", "-F", "#{session_name}"]);
    for (const name of names.split("\n").filter((name) => name !== "")) {
      await this.command(["kill-session", "-t", name]);
    }
    await until("all that ran in terminals has ended", () => !this.#pids.some(isRunning));
    await this.command(["kill-server"]);
  }
}

/** One open terminal. */
export class Terminal {
  readonly #server: TerminalServer;
  readonly #name: string;

  /** Use `TerminalServer.open`. */
  constructor(server: TerminalServer, name: string) {
    this.#server = server;
    this.#name = name;
  }

  /** What the terminal shows, with what has scrolled away; trailing blanks removed. */
  async screen(): Promise<string> {
    const all = await this.#server.command(["capture-pane", "-p", "-S", "-", "-t", this.#name]);
    return all.replace(/[ \t]+$/gm, "").trimEnd();
  }

  /** Waits until the terminal shows `pattern`. */
  async shows(pattern: RegExp, deadlineMs: number = DEADLINE_MS): Promise<string> {
    return await until(`the terminal shows ${pattern}`, async () => {
      const screen = await this.screen();
      return pattern.test(screen) ? screen : null;
    }, { deadlineMs, seen: () => this.screen() });
  }

  /** Types one line, waits until it stands in the input, and presses Enter. */
  async type(line: string): Promise<void> {
    await this.#server.command(["send-keys", "-t", this.#name, "-l", "--", line]);
    const typed = line.slice(0, 40).replace(/[.*+?^${}()|[\]\\/]/g, "\\$&");
    await this.shows(new RegExp(`[❯>$#].?${typed}`));
    await this.press("Enter");
  }

  /** Presses keys by tmux's names, such as "Enter", "Escape", "C-c". */
  async press(...keys: string[]): Promise<void> {
    await this.#server.command(["send-keys", "-t", this.#name, ...keys]);
  }

  /** The process id of the program. */
  async pid(): Promise<number> {
    return Number(await this.#ask("#{pane_pid}"));
  }

  /** Waits until the program has ended; returns the last screen and the exit status. */
  async ended(deadlineMs: number = DEADLINE_MS): Promise<{ screen: string; status: number }> {
    await until("the program in the terminal ends", async () => {
      return await this.#ask("#{pane_dead}") === "1";
    }, { deadlineMs, seen: () => this.screen() });
    const status = Number(await this.#ask("#{pane_dead_status}"));
    return { screen: await this.screen(), status };
  }

  /** Closes the window the way a person does, with the program still in it. */
  async close(): Promise<void> {
    await this.#server.command(["kill-session", "-t", this.#name]);
  }

  async #ask(format: string): Promise<string> {
    const answer = await this.#server.command(["display-message", "-p", "-t", this.#name, format]);
    return answer.trim();
  }
}
