/** A throw-away machine: a home with a project and Claude Code's folder, and commands run in it. */
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { createHash } from "node:crypto";
import { join, relative, sep } from "node:path";
import process from "node:process";
import { slugOf } from "../../src/sessions/slug.ts";

/** What a command printed and how it ended. */
export interface CommandResult {
  readonly exit: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Where a machine's things are. All paths are absolute. */
export interface MachinePlaces {
  /** What the prompt and the vault call it. */
  readonly name: string;
  readonly home: string;
  /** The project's folder, below `home`. */
  readonly project: string;
  /** The program under demonstration. */
  readonly program: string;
}

/** The remote that both machines' project folders have, which is how claude-sync knows them. */
const REMOTE = "git@github.com:acme/app.git";

const IS_WINDOWS = process.platform === "win32";

/** One of the two computers. Everything it reads or writes is below its home and the vault. */
export class DemoMachine {
  readonly name: string;
  readonly home: string;
  readonly project: string;
  readonly configDir: string;
  readonly #program: string;

  /** Makes the home, a Git folder as the project, and an empty folder of Claude Code. */
  constructor(places: MachinePlaces) {
    this.name = places.name;
    this.home = places.home;
    this.project = places.project;
    this.configDir = join(places.home, ".claude");
    this.#program = places.program;
    mkdirSync(join(this.project, ".git"), { recursive: true });
    mkdirSync(this.configDir, { recursive: true });
    writeFileSync(join(this.project, ".git", "HEAD"), "ref: refs/heads/main\n");
    const config = `[core]\n\trepositoryformatversion = 0\n[remote "origin"]\n\turl = ${REMOTE}\n`;
    writeFileSync(join(this.project, ".git", "config"), config);
    // Claude Code notes each folder that it was started in.
    const claudeJson = JSON.stringify({ projects: { [this.project]: {} } });
    writeFileSync(join(this.configDir, ".claude.json"), `${claudeJson}\n`);
  }

  /** `laptop:~/code/app$`, as a shell would show where a command is typed. */
  get prompt(): string {
    return `${this.name}:~/${relative(this.home, this.project).replaceAll(sep, "/")}$`;
  }

  /**
   * The whole environment of the machine's commands: nothing of the user's, so nothing of the
   * user's can be read or changed. Windows does not start programs without `SystemRoot`.
   */
  get environment(): Readonly<Record<string, string>> {
    const temp = join(this.home, "tmp");
    mkdirSync(temp, { recursive: true });
    const { SystemRoot } = process.env;
    return {
      HOME: this.home,
      USERPROFILE: this.home,
      CLAUDE_CONFIG_DIR: this.configDir,
      TMPDIR: temp,
      TEMP: temp,
      TMP: temp,
      ...(SystemRoot === undefined ? {} : { SystemRoot }),
    };
  }

  /** Runs the program in the project's folder with `input` on its standard input. */
  async run(args: readonly string[], input = ""): Promise<CommandResult> {
    const child = new Deno.Command(this.#program, {
      args: [...args],
      cwd: this.project,
      env: this.environment,
      clearEnv: true,
      stdin: "piped",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    const writer = child.stdin.getWriter();
    try {
      await writer.write(new TextEncoder().encode(input));
      await writer.close();
    } catch (error) {
      // A command that reads nothing may be gone already.
      if (!(error instanceof Deno.errors.BrokenPipe)) throw error;
    }
    const { code, stdout, stderr } = await child.output();
    const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
    return { exit: code, stdout: text(stdout), stderr: text(stderr) };
  }

  /** Path of a session's transcript, wherever it was placed. Throws when it is not here. */
  transcript(sessionId: string): string {
    const projects = join(this.configDir, "projects");
    const path = (existsSync(projects) ? readdirSync(projects) : [])
      .map((slug) => join(projects, slug, `${sessionId}.jsonl`))
      .find((candidate) => existsSync(candidate));
    if (path === undefined) throw new Error(`${this.name} has no session ${sessionId}`);
    return path;
  }

  /**
   * SHA-256 in hex of every session file. In the names `<project>` stands for the folder in which
   * Claude Code looks for the sessions of this machine's project.
   */
  sessionHashes(): Map<string, string> {
    const hashes = new Map<string, string>();
    for (const area of ["projects", "file-history", "todos", "tasks"]) {
      const folder = join(this.configDir, area);
      if (!existsSync(folder)) continue;
      for (const path of filesBelow(folder)) {
        const parts = relative(folder, path).split(sep);
        const isOwn = area === "projects" && parts[0] === slugOf(this.project);
        const name = isOwn ? ["<project>", ...parts.slice(1)] : [area, ...parts];
        hashes.set(name.join("/"), createHash("sha256").update(readFileSync(path)).digest("hex"));
      }
    }
    return new Map([...hashes].sort(([a], [b]) => (a < b ? -1 : 1)));
  }

  /** Writes a script that runs any command as this machine; gives its path. */
  writeLauncher(path: string): string {
    const launcher = IS_WINDOWS ? `${path}.cmd` : path;
    const variables = Object.entries(this.environment);
    const script = IS_WINDOWS
      ? [
        "@echo off",
        "setlocal",
        ...variables.map(([name, value]) => `set "${name}=${value}"`),
        `cd /d "${this.project}"`,
        `"${this.#program}" %*`,
      ].join("\r\n") + "\r\n"
      : [
        "#!/bin/sh",
        `cd ${quote(this.project)} || exit 1`,
        `exec env -i PATH="$PATH" TERM="\${TERM-dumb}" \\`,
        ...variables.map(([name, value]) => `  ${name}=${quote(value)} \\`),
        `  ${quote(this.#program)} "$@"`,
      ].join("\n") + "\n";
    writeFileSync(launcher, script, { mode: 0o755 });
    return launcher;
  }
}

/** All files below a folder, sorted. */
export function filesBelow(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .sort();
}

/** A path as one word of a POSIX shell. */
export function quote(path: string): string {
  return /^[\w./:@%+=-]+$/.test(path) ? path : `'${path.replaceAll("'", `'\\''`)}'`;
}
