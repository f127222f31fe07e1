/** The yardstick of start-up time: a program that does nothing, compiled as ours is. */
import { spawnSync } from "node:child_process";
import { existsSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import process from "node:process";

/** The flags of `build.ts`, without those that only harden. */
const FLAGS = [
  "--compile",
  "--minify",
  "--bytecode",
  "--format=esm",
  "--splitting",
  "--compile-jit-policy=4",
];

/** Compiles an empty program into `dir` and gives its path. */
export function compileEmptyProgram(root: string, dir: string): string {
  const source = join(dir, "empty.ts");
  const program = join(dir, process.platform === "win32" ? "empty.exe" : "empty");
  writeFileSync(source, "export {};\n");
  const run = spawnSync(compilerPath(root), ["build", ...FLAGS, source, `--outfile=${program}`], {
    cwd: dir,
    encoding: "utf8",
  });
  if (run.status !== 0) throw new Error(`cannot compile an empty program: ${run.stderr}`);
  return program;
}

function compilerPath(root: string): string {
  const fromBun = createRequire(
    createRequire(join(root, "package.json")).resolve("bun/package.json"),
  );
  const os = process.platform === "win32" ? "windows" : process.platform;
  const cpu = process.arch === "arm64" ? "aarch64" : "x64";
  const exe = process.platform === "win32" ? "bun.exe" : "bun";
  for (const libc of ["", "-musl"]) {
    let manifest: string;
    try {
      manifest = fromBun.resolve(`@oven/bun-${os}-${cpu}${libc}/package.json`);
    } catch (error) {
      if (error instanceof Error && "code" in error && error.code === "MODULE_NOT_FOUND") continue;
      throw error;
    }
    const path = join(dirname(manifest), "bin", exe);
    if (existsSync(path) && spawnSync(path, ["--version"]).status === 0) return path;
  }
  throw new Error(`no compiler for ${os} ${cpu} is installed`);
}
