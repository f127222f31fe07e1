/**
 * Shows claude-sync at work: two throw-away machines, one vault, real sessions, real commands.
 *
 *     deno task demo                 everything stays in a temporary folder, to look around in
 *     deno task demo --remove        removes that folder at the end
 *     deno task demo --program FILE  shows this program instead of building one
 *     deno task demo --samples DIR   takes other sessions than tests/testdata/claude-sessions
 *
 * Nothing of the user's is read or changed: every command gets an environment of its own whose home
 * lies in the temporary folder.
 */
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, realpathSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, relative, resolve } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { DemoMachine, filesBelow, quote } from "./machine.ts";
import { appendTurn, placeSamples } from "./sample_sessions.ts";

const ROOT = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
const IS_WINDOWS = process.platform === "win32";

/** Sessions of the samples that go on in the demonstration. */
const CONTINUED = "00000001-0000-4000-8000-000000000001";
const FORKED = "00000004-0000-4000-8000-000000000004";

/** Words that a sample's transcript holds, to look for in the vault. */
const SECRET_WORDS = "Hello, first turn";

/** A step that did not do what the demonstration promises. */
class DemoError extends Error {}

/** The stage: two machines and the folder that both see. */
interface Stage {
  readonly root: string;
  readonly vault: string;
  readonly laptop: DemoMachine;
  readonly desktop: DemoMachine;
  /** Hashes that were shown already, by name. */
  readonly shown: Map<string, string>;
}

function heading(text: string): void {
  console.log(`\n== ${text} ==\n`);
}

/** Shows a command and what it prints; fails when it ends with anything but 0. */
async function show(machine: DemoMachine, ...args: string[]): Promise<string> {
  console.log(`${machine.prompt} claude-sync ${args.map(quote).join(" ")}`);
  const { exit, stdout, stderr } = await machine.run(args);
  const output = `${stdout}${stderr}`.trimEnd();
  if (output !== "") console.log(output);
  console.log("");
  if (exit !== 0) throw new DemoError(`claude-sync ${args[0]} ended with exit code ${exit}`);
  return stdout;
}

/** The key goes from one machine to the other without being shown. */
async function carryKey(from: DemoMachine, to: DemoMachine): Promise<void> {
  console.log(`${from.prompt} claude-sync key export | ssh ${to.name} claude-sync key import`);
  const exported = await from.run(["key", "export"]);
  const imported = await to.run(["key", "import"], exported.stdout);
  console.log(`${imported.stdout}${imported.stderr}`);
  if (exported.exit !== 0 || imported.exit !== 0) throw new DemoError("the key did not arrive");
}

/** Compares the SHA-256 of every session file on both machines and lists what is new or differs. */
function proveEqual({ laptop, desktop, shown }: Stage): void {
  const here = laptop.sessionHashes();
  const there = desktop.sessionHashes();
  const names = [...new Set([...here.keys(), ...there.keys()])].sort();
  const isFirst = shown.size === 0;
  let equal = 0;
  console.log(`SHA-256 of the session files on ${laptop.name} and ${desktop.name}:`);
  for (const name of names) {
    const isEqual = here.get(name) === there.get(name);
    if (isEqual) equal++;
    if (isEqual && shown.get(name) === here.get(name)) continue;
    shown.set(name, here.get(name) ?? "");
    const short = (hash: string | undefined) => (hash ?? "missing").slice(0, 16).padEnd(16);
    console.log(
      `  ${short(here.get(name))}  ${short(there.get(name))}  ${isEqual ? "equal " : "DIFFER"}  ` +
        shortName(name),
    );
  }
  if (!isFirst) console.log("  (the others are as they were)");
  console.log(`Byte for byte equal: ${equal} of ${names.length} files`);
  if (equal !== names.length || equal === 0) throw new DemoError("the machines' files differ");
}

function shortName(name: string): string {
  return name.length <= 76 ? name : `${name.slice(0, 30)}…${name.slice(-45)}`;
}

/** Looks for what was said in everything that the store holds. */
function proveUnreadable({ vault, laptop }: Stage): void {
  const holds = (path: string) => readFileSync(path).includes(SECRET_WORDS);
  const plain = filesBelow(laptop.configDir).filter(holds).length;
  const sealed = filesBelow(vault).filter(holds).length;
  console.log(`Files that hold "${SECRET_WORDS}": laptop ${plain}, vault ${sealed}`);
  if (plain === 0 || sealed !== 0) throw new DemoError("the vault shows what was said");
}

function buildProgram(): string {
  const outdir = join(ROOT, "dist");
  console.log("$ deno task build");
  const build = spawnSync(process.execPath, ["run", "-A", "build.ts", "--outdir", outdir], {
    cwd: ROOT,
    stdio: ["ignore", "inherit", "inherit"],
  });
  if (build.status !== 0) throw new DemoError("the program could not be built");
  return join(outdir, IS_WINDOWS ? "claude-sync.exe" : "claude-sync");
}

function setStage(root: string, program: string, samplesDir: string): Stage {
  const machine = (name: string, user: string, ...project: string[]) => {
    const home = join(root, user);
    return new DemoMachine({ name, home, project: join(home, ...project), program });
  };
  const stage = {
    root,
    vault: join(root, "shared", "vault"),
    laptop: machine("laptop", "alice", "code", "app"),
    desktop: machine("desktop", "bob", "work", "app"),
    shown: new Map<string, string>(),
  };
  const files = placeSamples(samplesDir, stage.laptop);
  console.log(`Everything is below ${root}`);
  console.log(`  alice/code/app   the project on the laptop, with ${files} real session files`);
  console.log("  bob/work/app     the same Git project on the desktop, in another folder");
  console.log("  shared/vault     what both see: a network drive, a USB stick, Dropbox …");
  if (files === 0) throw new DemoError(`there are no sessions of the project in ${samplesDir}`);
  return stage;
}

async function play(stage: Stage): Promise<void> {
  const { laptop, desktop, vault } = stage;
  heading("1. The laptop makes a vault and sends its sessions");
  await show(laptop, "init", "--dir", vault, "--machine", laptop.name);
  await show(laptop, "status");
  await show(laptop, "push");
  await show(laptop, "list");

  heading("2. The desktop joins, gets the key and brings the sessions");
  await show(desktop, "init", "--dir", vault, "--machine", desktop.name);
  await carryKey(laptop, desktop);
  await show(desktop, "pull");
  await show(desktop, "list");
  proveEqual(stage);
  await show(desktop, "resume", CONTINUED, "--print");

  heading("3. The conversation goes on on the desktop and comes back to the laptop");
  console.log(`(a turn is added to session ${CONTINUED.slice(0, 8)} on the desktop)\n`);
  appendTurn(desktop, CONTINUED, "And now from the desktop?", "It goes on where we were.");
  await show(desktop, "status");
  await show(desktop, "push");
  await show(laptop, "pull");
  proveEqual(stage);

  heading("4. Both go on with one session before they hear of each other");
  console.log(`(session ${FORKED.slice(0, 8)} gets a turn on each machine, first on the laptop)\n`);
  const aMinuteAgoMs = Date.now() - 60_000;
  appendTurn(laptop, FORKED, "What does the laptop say?", "This, on the laptop.", aMinuteAgoMs);
  appendTurn(desktop, FORKED, "What does the desktop say?", "That, on the desktop.");
  await show(laptop, "sync");
  await show(desktop, "sync");
  await show(laptop, "sync");
  await show(laptop, "list");
  proveEqual(stage);

  heading("5. What the store holds");
  for (const path of filesBelow(vault)) {
    console.log(`  ${String(statSync(path).size).padStart(8)}  ${relative(vault, path)}`);
  }
  console.log("");
  proveUnreadable(stage);
  console.log("");
  await show(laptop, "verify", "--read-data");
  await show(laptop, "status");
}

function explain({ root, vault, laptop, desktop }: Stage): void {
  heading("Look around");
  const onLaptop = laptop.writeLauncher(join(root, "on-laptop"));
  const onDesktop = desktop.writeLauncher(join(root, "on-desktop"));
  console.log(
    "Any command, as one of the machines (HOME and CLAUDE_CONFIG_DIR lie in the folder):",
  );
  console.log(`  ${quote(onLaptop)} list`);
  console.log(`  ${quote(onDesktop)} status --json`);
  console.log(`  ${quote(onDesktop)} help`);
  console.log("What the storage provider sees, and what Claude Code sees on the desktop:");
  console.log(`  ${IS_WINDOWS ? "dir /s" : "ls -lR"} ${quote(vault)}`);
  console.log(
    `  ${IS_WINDOWS ? "dir /s" : "ls -lR"} ${quote(join(desktop.configDir, "projects"))}`,
  );
  console.log("Nothing outside was touched. To remove everything:");
  console.log(IS_WINDOWS ? `  rmdir /s /q "${root}"` : `  rm -r ${quote(root)}`);
}

async function main(args: string[]): Promise<void> {
  const { values } = parseArgs({
    args,
    options: {
      keep: { type: "boolean" },
      remove: { type: "boolean", default: false },
      program: { type: "string" },
      samples: { type: "string", default: join(ROOT, "tests", "testdata", "claude-sessions") },
    },
  });
  heading("Building");
  const program = values.program === undefined ? buildProgram() : resolve(values.program);
  const root = realpathSync(mkdtempSync(join(tmpdir(), "claude-sync-demo-")));
  try {
    heading("Two machines");
    const stage = setStage(root, program, resolve(values.samples));
    await play(stage);
    if (!values.remove) explain(stage);
  } finally {
    if (values.remove) rmSync(root, { recursive: true, force: true });
  }
  console.log("\nThe demo did all it promised.");
}

if (import.meta.main) {
  try {
    await main(process.argv.slice(2));
  } catch (error) {
    const isUsage = error instanceof TypeError && "code" in error;
    if (!(error instanceof DemoError) && !isUsage) throw error;
    console.error(`demo: ${error.message}`);
    process.exitCode = 1;
  }
}
