/**
 * What `build.ts` promises: the same bytes from the same source wherever it is built, and programs
 * that take nothing from the folder they are started in.
 */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import fs from "node:fs";
import { dirname, isAbsolute, join, relative } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";

const ROOT = dirname(dirname(fileURLToPath(import.meta.url)));
const PROGRAM = process.platform === "win32" ? "claude-sync.exe" : "claude-sync";

/** Runs `work` with an empty folder on the project's own disk, where files can be linked. */
function withFolder(work: (folder: string) => void): void {
  fs.mkdirSync(join(ROOT, "dist"), { recursive: true });
  const folder = fs.mkdtempSync(join(ROOT, "dist", "test-"));
  try {
    work(folder);
  } finally {
    fs.rmSync(folder, { recursive: true, force: true });
  }
}

/**
 * A copy whose files share their content with the original: the packages are hundreds of MB. Links
 * inside the tree lead to the copy (Windows has them with absolute targets).
 */
function linkTree(from: string, to: string, at = "."): void {
  fs.mkdirSync(join(to, at), { recursive: true });
  for (const entry of fs.readdirSync(join(from, at), { withFileTypes: true })) {
    const path = join(at, entry.name);
    if (entry.isDirectory()) {
      if (entry.name !== ".cache") linkTree(from, to, path);
    } else if (entry.isSymbolicLink()) {
      const target = fs.readlinkSync(join(from, path));
      const moved = isAbsolute(target) ? join(to, relative(from, target)) : target;
      fs.symlinkSync(moved, join(to, path), "junction");
    } else fs.linkSync(join(from, path), join(to, path));
  }
}

/** Makes a second project out of `from` with everything that a build reads. */
function copyProject(from: string, to: string): void {
  fs.mkdirSync(to, { recursive: true });
  for (const name of ["src", "build.ts", "deno.json", "deno.lock"]) {
    fs.cpSync(join(from, name), join(to, name), { recursive: true });
  }
  linkTree(join(from, "node_modules"), join(to, "node_modules"));
}

/** How a program ended and what it printed. */
interface Ended {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/**
 * Runs a program in `cwd` with exactly this environment, which no `node:child_process` call does.
 */
function run(
  program: string,
  args: string[],
  cwd: string,
  env: Record<string, string>,
): Ended {
  const options = { args, cwd, env, clearEnv: true, stdin: "null" } as const;
  const { code, stdout, stderr } = new Deno.Command(program, options).outputSync();
  const decoder = new TextDecoder();
  return { code, stdout: decoder.decode(stdout), stderr: decoder.decode(stderr) };
}

/** Builds a project with its own `build.ts`; gives the program's path. */
function buildIn(project: string, changes: Record<string, string> = {}): string {
  const env = { ...Deno.env.toObject(), ...changes };
  const build = run(Deno.execPath(), ["run", "-A", "build.ts"], project, env);
  assert.equal(build.code, 0, build.stderr);
  return join(project, "dist", PROGRAM);
}

function sha256(path: string): string {
  return createHash("sha256").update(fs.readFileSync(path)).digest("hex");
}

/**
 * Puts into `folder` every file by which Bun can be told to do something; gives what they leave.
 */
function plantSettings(folder: string): { trace: string } {
  const trace = join(folder, "preload-ran");
  const preload = join(folder, "preload.ts");
  fs.writeFileSync(
    preload,
    `require("node:fs").writeFileSync(${JSON.stringify(trace)}, "");\n` +
      "globalThis.PLANTED = true;\n",
  );
  fs.writeFileSync(
    join(folder, "bunfig.toml"),
    `preload = [${JSON.stringify(preload)}]\n[define]\n"PLANTED_DEFINE" = "'planted'"\n`,
  );
  const elsewhere = join(folder, "planted-home");
  const variables = `CLAUDE_SYNC_HOME=${elsewhere}\nHTTPS_PROXY=http://127.0.0.1:9\nPLANTED=yes\n`;
  for (const name of [".env", ".env.local", ".env.production", ".env.development"]) {
    fs.writeFileSync(join(folder, name), variables);
  }
  const redirect = { baseUrl: ".", paths: { "*": ["./preload.ts"] } };
  fs.writeFileSync(join(folder, "tsconfig.json"), JSON.stringify({ compilerOptions: redirect }));
  fs.writeFileSync(
    join(folder, "package.json"),
    JSON.stringify({ type: "commonjs", sideEffects: false, imports: { "#a": "./preload.ts" } }),
  );
  return { trace };
}

/** The environment of a user with an empty home and nothing else. */
function bareEnvironment(home: string): Record<string, string> {
  const environment: Record<string, string> = { HOME: home, USERPROFILE: home };
  for (const name of ["SystemRoot", "PATH"]) {
    const value = process.env[name];
    if (value !== undefined) environment[name] = value;
  }
  return environment;
}

Deno.test("build.ts gives the same bytes in another folder, among hostile settings", () => {
  withFolder((folder) => {
    const first = join(folder, "a");
    const second = join(folder, "deeper and", "it's \u{1f600} here");
    copyProject(ROOT, first);
    copyProject(first, second);
    const { trace } = plantSettings(dirname(second));
    const hostile = {
      BUN_OPTIONS: `--preload=${join(dirname(second), "preload.ts")}`,
      BUN_CONFIG_TARGET: "node",
      NODE_ENV: "development",
      XDG_CONFIG_HOME: dirname(second),
    };
    assert.equal(sha256(buildIn(second, hostile)), sha256(buildIn(first)));
    assert.equal(fs.existsSync(trace), false, "the compiler ran a preload script");
    assert.deepEqual(fs.readdirSync(join(first, "dist")), [PROGRAM], "something was left behind");
  });
});

/** Tells everything that planted files could have changed. */
const PROBE = `
const seen = Object.keys(process.env).filter((name) => /PLANTED|CLAUDE_SYNC|PROXY/.test(name));
const preloaded = "PLANTED" in globalThis;
console.log(JSON.stringify({ seen, preloaded, argv: process.argv.length }));
`;

Deno.test("a program made by build.ts reads no settings of the folder it is started in", () => {
  withFolder((folder) => {
    const project = join(folder, "project");
    const start = join(folder, "start");
    copyProject(ROOT, project);
    fs.mkdirSync(start);
    fs.writeFileSync(join(project, "src", "main.ts"), PROBE);
    const program = buildIn(project);
    const { trace } = plantSettings(start);
    const { stdout, stderr } = run(program, [], start, bareEnvironment(folder));
    assert.equal(stderr, "");
    assert.deepEqual(JSON.parse(stdout), { seen: [], preloaded: false, argv: 2 });
    assert.equal(fs.existsSync(trace), false);
  });
});

Deno.test("claude-sync reads no settings of the folder it is started in", () => {
  withFolder((folder) => {
    const home = join(folder, "home");
    const start = join(folder, "start");
    fs.mkdirSync(home);
    fs.mkdirSync(start);
    const { trace } = plantSettings(start);
    const before = fs.readdirSync(start).sort();
    const vault = join(folder, "vault");
    const program = join(ROOT, "dist", PROGRAM);
    const args = ["init", "--dir", vault, "--yes", "--no-input"];
    const { code, stderr } = run(program, args, start, bareEnvironment(home));
    assert.equal(code, 0, stderr);
    assert.equal(fs.existsSync(trace), false);
    assert.deepEqual(fs.readdirSync(start).sort(), before, "it wrote where the planted .env said");
    assert.ok(fs.existsSync(join(home, ".claude-sync", "key")), "it did not use the user's home");
  });
});

Deno.test("build.ts refuses what it does not know, in one line", () => {
  for (const args of [["--engine", "node"], ["--al"], ["extra"], ["--all", "--engine", "deno"]]) {
    const all = ["run", "-A", "build.ts", ...args];
    const { code, stderr } = run(Deno.execPath(), all, ROOT, Deno.env.toObject());
    assert.equal(code, 1, args.join(" "));
    const lines = stderr.split("\n").filter((line) => !line.startsWith("Download "));
    assert.match(lines.join("\n"), /^build: [^\n]+\n$/);
  }
});
