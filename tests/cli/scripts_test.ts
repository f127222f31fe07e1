/**
 * Runs `tests/scripts/*.txt`: whole command lines with what they print, against the compiled
 * program. The source, which takes ten times as long to start, prints one of them too; and all
 * when it is newer than the program.
 *
 *     -- a/notes.txt --        a file to make, below the script's own folder; its lines follow
 *     a$ claude-sync version   a command of machine a; its home is <root>/a, its folder
 * <root>/a/work
 *     | claude-sync VERSION    a line on standard output
 *     ! error: …               a line on standard error
 *     ? 2                      the exit code, when it is not 0
 *
 * `{{root}}` in files and commands is the script's folder. `UPDATE_SCRIPTS=1` rewrites what was
 * printed: read the difference before you keep it.
 */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import fs from "node:fs";
import { dirname, join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import manifest from "../../deno.json" with { type: "json" };

const PROJECT = fileURLToPath(new URL("../../", import.meta.url));
const SCRIPTS = join(PROJECT, "tests", "scripts");
const BINARY = join(PROJECT, "dist", "claude-sync");
/** As long as the random names, so that tables keep their widths. */
const ROOT_SHOWN = "/tmp/claude-sync-ROOT00";
const COMMAND_TIMEOUT_MS = 60_000;

interface Step {
  readonly line: string;
  readonly machine: string;
  readonly command: string;
  readonly expected: string[];
}

interface Script {
  /** Everything before the first command, as it stands. */
  readonly head: string[];
  readonly files: ReadonlyMap<string, string>;
  readonly steps: readonly Step[];
}

function parseScript(text: string): Script {
  const head: string[] = [];
  const files = new Map<string, string>();
  const steps: Step[] = [];
  let file: string | null = null;
  for (const line of text.split("\n")) {
    const step = /^([a-z])\$ (.*)$/.exec(line);
    const header = /^-- (\S+) --$/.exec(line);
    if (step !== null) {
      steps.push({ line, machine: step[1] ?? "", command: step[2] ?? "", expected: [] });
      continue;
    }
    const current = steps.at(-1);
    if (current !== undefined) {
      current.expected.push(line);
      continue;
    }
    head.push(line);
    if (header !== null) {
      file = header[1] ?? "";
      files.set(file, "");
    } else if (file !== null && line !== "") files.set(file, `${files.get(file)}${line}\n`);
  }
  return { head, files, steps };
}

/** Puts names in the place of what differs from run to run. */
function settled(text: string, root: string): string {
  return text
    .replaceAll(root, ROOT_SHOWN)
    .replaceAll(root.replace(/[^A-Za-z0-9]/g, "-"), ROOT_SHOWN.replace(/[^A-Za-z0-9]/g, "-"))
    // Derived from bytes that name the script's folder.
    .replace(/\b[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}\b/g, "DERIVED-ID")
    .replaceAll(`claude-sync ${manifest.version}`, "claude-sync VERSION")
    .replace(/\b[0-9a-z]{4}(-[0-9a-z]{4}){3}\b/g, "FINGER-PRINT")
    .replace(/(?<![A-Za-z0-9+/])[A-Za-z0-9+/]{43}=/g, "KEY")
    .replace(/\b[0-9a-f]{32}\b/g, "HEX32")
    .replace(/\blog [0-9a-hjkmnp-tv-z]{16}\b/g, "log TAG")
    .replace(/"(ms|nowMs|atMs|lastSeenMs)":\d+/g, '"$1":N')
    .replace(/\b[0-9a-f]{64}\b/g, "HEX64")
    .replace(/\b[0-9a-f]{8}(?= {2}\d{4}-\d\d-\d\d )/g, "VERSION8")
    .replace(/\b\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\b/g, "YYYY-MM-DD hh:mm:ss")
    .replace(/\d+\.\d\d s\b/g, "TIME")
    .replace(/\bjust now\b|\b\d+ s ago\b/g, "AGO")
    .replace(/bak-\d{8}/g, "bak-DATE");
}

function runStep(step: Step, root: string, shims: string): string[] {
  const home = join(root, step.machine);
  const cwd = join(home, "work");
  fs.mkdirSync(cwd, { recursive: true });
  const run = spawnSync("/bin/sh", ["-c", step.command.replaceAll("{{root}}", root)], {
    cwd,
    env: { HOME: home, PATH: `${shims}:/usr/local/bin:/usr/bin:/bin`, LANG: "C.UTF-8" },
    stdio: ["ignore", "pipe", "pipe"],
    encoding: "utf8",
    timeout: COMMAND_TIMEOUT_MS,
  });
  const marked = (mark: string, text: string) =>
    text === "" ? [] : settled(text, root).replace(/\n$/, "").split("\n")
      .map((line) => `${mark} ${line}`.trimEnd());
  return [
    ...marked("|", run.stdout),
    ...marked("!", run.stderr),
    ...(run.status === 0 ? [] : [`? ${run.status}`]),
  ];
}

function denoDir(): string {
  const info = spawnSync(process.execPath, ["info", "--json"], { encoding: "utf8" });
  const parsed: { denoDir: string } = JSON.parse(info.stdout);
  return parsed.denoDir;
}

function writeShim(root: string, kind: "source" | "binary"): string {
  const shims = join(root, "bin");
  fs.mkdirSync(shims, { recursive: true });
  const quoted = (word: string) => `'${word.replaceAll("'", "'\\''")}'`;
  const main = join(PROJECT, "src", "main.ts");
  const program = kind === "binary"
    ? `exec ${quoted(BINARY)} "$@"`
    : `DENO_DIR=${quoted(denoDir())} exec ${quoted(process.execPath)} run -A --quiet --no-check ${
      quoted(main)
    } "$@"`;
  fs.writeFileSync(join(shims, "claude-sync"), `#!/bin/sh\n${program}\n`, { mode: 0o755 });
  return shims;
}

function runScript(path: string, kind: "source" | "binary"): void {
  const before = fs.readFileSync(path, "utf8");
  const script = parseScript(before);
  const root = fs.mkdtempSync("/tmp/claude-sync-");
  try {
    for (const [name, content] of script.files) {
      const file = join(root, name);
      fs.mkdirSync(dirname(file), { recursive: true });
      fs.writeFileSync(file, content.replaceAll("{{root}}", root));
    }
    const shims = writeShim(root, kind);
    const after = [...script.head];
    for (const step of script.steps) after.push(step.line, ...runStep(step, root, shims), "");
    const text = after.join("\n");
    if (process.env["UPDATE_SCRIPTS"] === "1" && kind === "source") fs.writeFileSync(path, text);
    else assert.equal(text, before);
  } finally {
    fs.rmSync(root, { recursive: true, force: true });
  }
}

function newestMs(folder: string): number {
  return Math.max(
    ...fs.readdirSync(folder, { withFileTypes: true }).map((entry) => {
      const path = join(folder, entry.name);
      return entry.isDirectory() ? newestMs(path) : fs.statSync(path).mtimeMs;
    }),
  );
}

/** An older program would fail for what is new in the source. */
function isBinaryCurrent(): boolean {
  return fs.existsSync(BINARY) &&
    fs.statSync(BINARY).mtimeMs > newestMs(join(PROJECT, "src"));
}

/** What the source prints in any case. */
const ALSO_BY_SOURCE = "two_machines.txt";

const isWindows = process.platform === "win32";
const isCurrent = isBinaryCurrent();
for (const name of fs.readdirSync(SCRIPTS).filter((file) => file.endsWith(".txt")).sort()) {
  if (!isCurrent || process.env["UPDATE_SCRIPTS"] === "1" || name === ALSO_BY_SOURCE) {
    Deno.test({
      name: `the source prints what scripts/${name} says`,
      ignore: isWindows,
      fn: () => runScript(join(SCRIPTS, name), "source"),
    });
  }
  Deno.test({
    name: `the compiled program prints what scripts/${name} says`,
    ignore: isWindows || !isCurrent,
    fn: () => runScript(join(SCRIPTS, name), "binary"),
  });
}
