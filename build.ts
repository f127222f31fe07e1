/**
 * Builds one self-contained executable per target.
 *
 *     deno task build                 this machine -> dist/claude-sync
 *     deno task build --all           every target -> dist/claude-sync-<target>, dist/SHA256SUMS
 *     deno task build --engine deno   this machine, with `deno compile` instead of Bun
 *     deno task build --outdir DIR    somewhere else than dist
 *
 * The same source gives the same bytes in every folder: the compiler sees no settings but those
 * below.
 */
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import fs from "node:fs";
import { createRequire } from "node:module";
import { dirname, join, resolve } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { gunzipSync } from "node:zlib";

/** Entry points besides `src/main.ts`: one line for each file that is started as a worker. */
const WORKER_ENTRIES: readonly string[] = [];

/** Target name in our file names, Bun's name for it, and the npm package with its runtime. */
const TARGETS = [
  { name: "linux-x64", bun: "bun-linux-x64", runtime: "@oven/bun-linux-x64" },
  { name: "linux-arm64", bun: "bun-linux-arm64", runtime: "@oven/bun-linux-aarch64" },
  { name: "linux-x64-musl", bun: "bun-linux-x64-musl", runtime: "@oven/bun-linux-x64-musl" },
  {
    name: "linux-arm64-musl",
    bun: "bun-linux-arm64-musl",
    runtime: "@oven/bun-linux-aarch64-musl",
  },
  { name: "darwin-x64", bun: "bun-darwin-x64", runtime: "@oven/bun-darwin-x64" },
  { name: "darwin-arm64", bun: "bun-darwin-arm64", runtime: "@oven/bun-darwin-aarch64" },
  { name: "windows-x64", bun: "bun-windows-x64", runtime: "@oven/bun-windows-x64" },
  { name: "windows-arm64", bun: "bun-windows-arm64", runtime: "@oven/bun-windows-aarch64" },
] as const;

type Target = (typeof TARGETS)[number];

/**
 * What makes a compiled program deaf to the folder it is started in. Without the `autoload` flags
 * it would load that folder's `.env` (proxies, endpoints) and run its `bunfig.toml`'s preload
 * scripts.
 */
export const HARDENING: readonly string[] = [
  "--no-compile-autoload-dotenv",
  "--no-compile-autoload-bunfig",
  "--no-compile-autoload-tsconfig",
  "--no-compile-autoload-package-json",
  "--reject-unresolved",
];

/**
 * How small and quick it is made. The last one lets the compiler to machine code wait four times as
 * long for a function to prove hot. A command with nothing to do is over before that pays, on cores
 * that it needs itself; a long one gets there all the same.
 */
export const OPTIMISATION: readonly string[] = [
  "--minify",
  "--bytecode",
  "--format=esm",
  "--splitting",
  "--sourcemap=none",
  "--compile-jit-policy=4",
];

const ROOT = dirname(fileURLToPath(import.meta.url));

/** A failure that is explained to the user by its message alone. */
class BuildError extends Error {}

interface Runtime {
  readonly executable: string;
  readonly version: string;
}

/** Runs `work` with a new folder inside `parent` and removes the folder afterwards. */
function withTemporaryFolder<T>(parent: string, work: (folder: string) => T): T {
  fs.mkdirSync(parent, { recursive: true });
  const folder = fs.mkdtempSync(join(parent, ".build-"));
  try {
    return work(folder);
  } finally {
    fs.rmSync(folder, { recursive: true, force: true });
  }
}

function bunVersion(): string {
  const require = createRequire(join(ROOT, "package.json"));
  const manifest: unknown = require("bun/package.json");
  if (typeof manifest === "object" && manifest !== null && "version" in manifest) {
    if (typeof manifest.version === "string") return manifest.version;
  }
  throw new BuildError("node_modules/bun has no version: remove node_modules and run again");
}

/** Path of the executable inside an installed runtime package, or null when it is not installed. */
function installedRuntime(packageName: string): string | null {
  const exe = packageName.includes("windows") ? "bun.exe" : "bun";
  try {
    const fromRoot = createRequire(join(ROOT, "package.json"));
    const fromBun = createRequire(fromRoot.resolve("bun/package.json"));
    const executable = join(dirname(fromBun.resolve(`${packageName}/package.json`)), "bin", exe);
    return fs.existsSync(executable) ? executable : null;
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "MODULE_NOT_FOUND") return null;
    throw error;
  }
}

/**
 * The compiler for this machine, straight from its platform package, so that no install script has
 * to run. glibc and musl packages may be installed side by side: the one that starts is the right
 * one.
 */
function hostRuntime(): Runtime {
  const os = process.platform === "win32" ? "windows" : process.platform;
  const cpu = process.arch === "arm64" ? "aarch64" : "x64";
  const version = bunVersion();
  for (const libc of os === "linux" ? ["", "-musl"] : [""]) {
    const executable = installedRuntime(`@oven/bun-${os}-${cpu}${libc}`);
    if (executable === null) continue;
    const answer = runAlone(executable, ["--version"], {});
    if (answer?.trim() === version) return { executable, version };
  }
  throw new BuildError(`no Bun ${version} for ${os} ${cpu}: remove node_modules and run again`);
}

/**
 * Runs a program with nothing but `env` in its environment; gives what it prints, null when it
 * cannot run or fails. (Deno's `spawnSync` adds its own environment to the one it is given.)
 */
function runAlone(
  program: string,
  args: string[],
  env: Record<string, string>,
): string | null {
  const options = {
    args,
    env,
    clearEnv: true,
    cwd: ROOT,
    stdin: "null",
    stderr: "inherit",
  } as const;
  try {
    const run = new Deno.Command(program, options).outputSync();
    return run.success ? new TextDecoder().decode(run.stdout) : null;
  } catch (error) {
    // A program for the other C library: its loader is not there.
    if (error instanceof Deno.errors.NotFound) return null;
    throw error;
  }
}

/** The SHA-512 that `deno.lock` demands of a package's tarball, in npm's `sha512-<base64>` form. */
function lockedIntegrity(packageName: string, version: string): string {
  const lock: unknown = JSON.parse(fs.readFileSync(join(ROOT, "deno.lock"), "utf8"));
  const npm = member(lock, "npm");
  const integrity = member(member(npm, `${packageName}@${version}`), "integrity");
  if (typeof integrity === "string" && integrity.startsWith("sha512-")) return integrity;
  throw new BuildError(`deno.lock has no integrity for ${packageName}@${version}`);
}

function member(value: unknown, name: string): unknown {
  if (typeof value !== "object" || value === null) return undefined;
  return (value as Record<string, unknown>)[name];
}

function isIntact(tarball: string, integrity: string): boolean {
  const digest = createHash("sha512").update(fs.readFileSync(tarball)).digest("base64");
  return `sha512-${digest}` === integrity;
}

/**
 * The package's tarball, fetched once by `npm pack` (so the user's registry, proxy and certificate
 * settings hold) and checked against `deno.lock` on every use.
 */
function fetchTarball(packageName: string, version: string): string {
  const integrity = lockedIntegrity(packageName, version);
  const cache = join(ROOT, "node_modules", ".cache", "build");
  const kept = join(cache, `${packageName.replace("/", "-")}-${version}.tgz`);
  if (fs.existsSync(kept) && isIntact(kept, integrity)) return kept;
  return withTemporaryFolder(cache, (folder) => {
    const isWindows = process.platform === "win32";
    const npm = spawnSync("npm", ["pack", "--loglevel=error", `${packageName}@${version}`], {
      cwd: folder,
      // npm is a script there, which only a shell starts; the arguments hold nothing to quote.
      shell: isWindows,
      stdio: ["ignore", "ignore", "inherit"],
    });
    const name = fs.readdirSync(folder).find((entry) => entry.endsWith(".tgz"));
    if (npm.status !== 0 || name === undefined) {
      throw new BuildError(
        `cannot fetch ${packageName}@${version}: \`npm pack\` has to reach an npm registry`,
      );
    }
    const tarball = join(folder, name);
    if (!isIntact(tarball, integrity)) {
      throw new BuildError(`${packageName}@${version} is not the package that deno.lock names`);
    }
    fs.renameSync(tarball, kept);
    return kept;
  });
}

/** The content of the first file whose path ends with one of `endings` in a gzipped tar archive. */
function extractFile(tarball: string, endings: readonly string[]): Uint8Array {
  const tar = gunzipSync(fs.readFileSync(tarball));
  const blockBytes = 512;
  for (let at = 0; at + blockBytes <= tar.length;) {
    const name = tar.toString("utf8", at, at + 100).replace(/\0.*$/s, "");
    const sizeBytes = parseInt(tar.toString("latin1", at + 124, at + 136), 8) || 0;
    const start = at + blockBytes;
    if (endings.some((ending) => name.endsWith(ending))) {
      return tar.subarray(start, start + sizeBytes);
    }
    at = start + Math.ceil(sizeBytes / blockBytes) * blockBytes;
  }
  throw new BuildError(`${tarball} holds no Bun executable`);
}

/** Calls `use` with the path of the Bun executable that the target's program is made from. */
function withTargetRuntime<T>(target: Target, version: string, use: (path: string) => T): T {
  const installed = installedRuntime(target.runtime);
  if (installed !== null) return use(installed);
  const tarball = fetchTarball(target.runtime, version);
  return withTemporaryFolder(dirname(tarball), (folder) => {
    const executable = join(folder, "bun");
    fs.writeFileSync(executable, extractFile(tarball, ["/bin/bun", "/bin/bun.exe"]), {
      mode: 0o755,
    });
    return use(executable);
  });
}

/**
 * The whole environment of a compiler. The user's own settings (`~/.bunfig.toml`, `BUN_OPTIONS`,
 * `NODE_ENV`, …) must not change the result.
 */
function compilerEnvironment(home: string): Record<string, string> {
  const environment: Record<string, string> = {
    HOME: home,
    USERPROFILE: home,
    XDG_CONFIG_HOME: home,
    TMPDIR: home,
    TEMP: home,
    TMP: home,
    BUN_RUNTIME_TRANSPILER_CACHE_PATH: "0",
    DO_NOT_TRACK: "1",
  };
  if (process.env.SystemRoot !== undefined) environment.SystemRoot = process.env.SystemRoot;
  return environment;
}

/** Compiles with Bun into `outdir`; gives the path of the program. */
function compileWithBun(bun: Runtime, target: Target | null, outdir: string): string {
  const isWindows = target === null ? process.platform === "win32" : target.name.startsWith("win");
  const exe = isWindows ? ".exe" : "";
  const program = join(outdir, `claude-sync${target === null ? "" : `-${target.name}`}${exe}`);
  return withTemporaryFolder(outdir, (folder) => {
    // A tsconfig.json in a folder above this one would otherwise redirect imports.
    const tsconfig = join(folder, "tsconfig.json");
    fs.writeFileSync(tsconfig, "{}");
    // The program's name becomes part of it: the same one everywhere, or the bytes would differ.
    const compiled = join(folder, `claude-sync${exe}`);
    const compile = (cross: readonly string[]) =>
      runAlone(bun.executable, [
        "build",
        "--compile",
        ...OPTIMISATION,
        ...HARDENING,
        `--tsconfig-override=${tsconfig}`,
        ...cross,
        "src/main.ts",
        ...WORKER_ENTRIES,
        `--outfile=${compiled}`,
      ], compilerEnvironment(folder));
    const output = target === null ? compile([]) : withTargetRuntime(
      target,
      bun.version,
      (path) => compile([`--target=${target.bun}`, `--compile-executable-path=${path}`]),
    );
    if (output === null) {
      throw new BuildError(
        `Bun could not compile src/main.ts for ${target?.name ?? "this machine"}`,
      );
    }
    // Renamed into place, so that a program which is running, or being built twice, stays whole.
    fs.renameSync(compiled, program);
    return program;
  });
}

/** Compiles with the Deno that runs this script; gives the path of the program, null on failure. */
function compileWithDeno(outdir: string): string | null {
  const fileName = process.platform === "win32" ? "claude-sync.exe" : "claude-sync";
  return withTemporaryFolder(outdir, (folder) => {
    const run = spawnSync(process.execPath, [
      "compile",
      "--allow-all",
      "--no-prompt",
      "--no-check",
      "--node-modules-dir=none",
      "--exclude-unused-npm",
      ...WORKER_ENTRIES.map((entry) => `--include=${entry}`),
      `--output=${join(folder, fileName)}`,
      "src/main.ts",
    ], { cwd: ROOT, stdio: ["ignore", "ignore", "inherit"] });
    if (run.status !== 0) return null;
    fs.renameSync(join(folder, fileName), join(outdir, fileName));
    return join(outdir, fileName);
  });
}

function buildWithDeno(outdir: string): string {
  const program = compileWithDeno(outdir);
  if (program !== null) return program;
  throw new BuildError(
    "`deno compile` failed, as said above; it has to fetch Deno's runtime from the network:" +
      " where that cannot be reached, leave `--engine deno` out to build with Bun",
  );
}

function sha256(path: string): string {
  return createHash("sha256").update(fs.readFileSync(path)).digest("hex");
}

function report(path: string): void {
  const mebibytes = (fs.statSync(path).size / 2 ** 20).toFixed(1);
  console.log(`${path}  ${mebibytes} MiB  sha256:${sha256(path)}`);
}

function build(args: string[]): void {
  const { values } = parseArgs({
    args,
    options: {
      all: { type: "boolean", default: false },
      engine: { type: "string", default: "bun" },
      outdir: { type: "string", default: join(ROOT, "dist") },
    },
  });
  const outdir = resolve(values.outdir);
  if (values.engine === "deno") {
    if (values.all) throw new BuildError("`--all` builds with Bun: leave `--engine deno` out");
    return report(buildWithDeno(outdir));
  }
  if (values.engine !== "bun") {
    throw new BuildError(`unknown engine "${values.engine}": there are bun and deno`);
  }
  const bun = hostRuntime();
  if (!values.all) return report(compileWithBun(bun, null, outdir));
  const sums: string[] = [];
  for (const target of TARGETS) {
    const path = compileWithBun(bun, target, outdir);
    report(path);
    sums.push(`${sha256(path)}  ${path.slice(outdir.length + 1)}\n`);
  }
  fs.writeFileSync(join(outdir, "SHA256SUMS"), sums.join(""));
}

if (import.meta.main) {
  try {
    build(process.argv.slice(2));
  } catch (error) {
    const isUsage = error instanceof TypeError && "code" in error;
    if (!(error instanceof BuildError) && !isUsage) throw error;
    console.error(`build: ${error.message}`);
    process.exitCode = 1;
  }
}
