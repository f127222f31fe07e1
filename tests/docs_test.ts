/** What the documents say must be so: commands, flags, codes, variables, fields, links. */
import assert from "node:assert/strict";
import fs from "node:fs";
import { basename, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseCommandLine } from "../src/cli/command_line.ts";
import { CONSEQUENCES, EXIT } from "../src/cli/error_report.ts";
import { ENVIRONMENT, EXIT_TEXTS, GLOBAL_FLAGS } from "../src/cli/help_globals.ts";
import { HELP_PAGES, type HelpPage } from "../src/cli/help_pages.ts";
import { slugOf } from "../src/sessions/slug.ts";
import { homePaths } from "../src/sync/home.ts";
import { runOn } from "./support/cli_run.ts";
import { inTempDir, SyncMachine } from "./support/sync_machine.ts";

const ROOT = dirname(dirname(fileURLToPath(import.meta.url)));
const DOCUMENTS = [
  "README.md",
  ".github/ARCHITECTURE.md",
  ".github/SECURITY.md",
  ".github/CONTRIBUTING.md",
  ".github/CHANGELOG.md",
  "src/vault/FORMAT.md",
];

function read(path: string): string {
  return fs.readFileSync(join(ROOT, path), "utf8");
}

const README = read("README.md");

/** The text between a heading of the second level and the next one. */
function section(heading: string): string {
  const [, text] = README.split(`\n## ${heading}\n`);
  assert.ok(text !== undefined, `README has no section "${heading}"`);
  return text.split("\n## ")[0]!;
}

/** A table's rows as cells. */
function rows(text: string): string[][] {
  return text.split("\n").filter((line) => line.startsWith("| ")).map((line) =>
    line.split(/(?<!\\)\|/).slice(1, -1).map((cell) => cell.trim())
  );
}

/** Every word in backticks. */
function codeWords(text: string): Set<string> {
  const inline = text.replace(/^```.*?^```$/gms, "");
  return new Set(
    [...inline.matchAll(/`([^`]+)`/g)].map(([, word]) => word!.replaceAll("\\|", "|")),
  );
}

/** The `claude-sync …` command lines in a line of shell. */
function commandLines(line: string): string[][] {
  return [...line.matchAll(/(?<![\w./-])claude-sync((?: [^|<>)"'&;]+)?)/g)]
    .map(([, words]) => words!.trim().split(/\s+/).filter((word) => word !== ""));
}

function fencedLines(markdown: string): string[] {
  return [...markdown.matchAll(/^```\w*\n(.*?)^```$/gms)].flatMap(([, body]) => body!.split("\n"));
}

const PAGES: [string, HelpPage][] = Object.entries(HELP_PAGES);

Deno.test("README shows every command of the help", () => {
  const shown = fencedLines(README).flatMap(commandLines).map((words) => words.join(" "));
  for (const [topic, page] of PAGES) {
    const isShown = shown.some((line) => line === topic || line.startsWith(`${topic} `));
    if (topic.includes(" ")) assert.ok(isShown, `no example of "${topic}"`);
    else assert.ok(README.includes(`\`${page.usage}\``), `no paragraph begins with ${page.usage}`);
  }
});

Deno.test("README names every flag of the help", () => {
  const words = codeWords(section("Commands"));
  const flagsOf = (text: string) => text.match(/--[a-z][a-z0-9-]*|(?<!\S)-[a-zA-Z]\b/g) ?? [];
  const known = new Set([...words].flatMap(flagsOf));
  for (const [flag] of GLOBAL_FLAGS) {
    for (const name of flagsOf(flag)) assert.ok(known.has(name), `${name} of every command`);
  }
  for (const [topic, { flags }] of PAGES) {
    for (const name of flags.flatMap(([flag]) => flagsOf(flag))) {
      assert.ok(known.has(name), `${name} of ${topic}`);
    }
  }
});

Deno.test("README's exit codes and error codes are those of the program", () => {
  const table = new Map(rows(section("Exit codes")).map(([exit, , codes]) => [exit!, codes!]));
  for (const exit of new Set([...Object.values(EXIT).map(String), ...Object.keys(EXIT_TEXTS)])) {
    assert.ok(table.has(exit), `exit code ${exit}`);
  }
  const documented = [...table].flatMap(([exit, codes]) =>
    [...codeWords(codes)].map((code) => `${code} ${exit}`)
  );
  const real = Object.entries(CONSEQUENCES).map(([code, { exit }]) => `${code} ${exit}`);
  const codesOnly = documented.filter((line) => /^[a-z-]+ \d+$/.test(line));
  assert.deepEqual(codesOnly.sort(), real.sort());
});

Deno.test("README names every environment variable that the program reads", () => {
  const words = codeWords(section("Environment"));
  for (const [names] of ENVIRONMENT) {
    for (const name of names.split(", ")) assert.ok(words.has(name.replace(/=.*/, "")), name);
  }
  for (const path of fs.readdirSync(join(ROOT, "src"), { recursive: true, encoding: "utf8" })) {
    if (!path.endsWith(".ts")) continue;
    for (const [, name] of read(join("src", path)).matchAll(/\benv(?:\(|\.|\[)["']?([A-Z]\w+)/g)) {
      assert.ok(words.has(name!), `${name}, read in src/${path}`);
    }
  }
});

Deno.test("README names every file of the program's folder", () => {
  const words = codeWords(section("Files in `~/.claude-sync`"));
  const { dir, ...paths } = homePaths("/home/me/.claude-sync");
  const names = [...Object.values(paths), join(dir, "key"), join(dir, "hook-errors.log")];
  for (const name of names.map((path) => basename(path))) {
    assert.ok(words.has(name) || words.has(`${name}/`), name);
  }
});

Deno.test("every claude-sync command line in the documents and the help is understood", () => {
  const examples = PAGES.flatMap(([, { examples }]) => examples.map(([command]) => command));
  const documents = DOCUMENTS.flatMap((path) => fencedLines(read(path)));
  const found = [...examples, ...documents].flatMap(commandLines);
  assert.ok(found.length > 60, "command lines were found");
  for (const words of found) {
    const line = parseCommandLine(words);
    // `pass show claude-sync` is another program's.
    const isUnderstood = line.kind === "run" || line.kind === "nothing";
    assert.ok(isUnderstood, `claude-sync ${words.join(" ")}: ${JSON.stringify(line)}`);
  }
});

/** The anchor that GitHub gives a heading. */
function anchorOf(heading: string): string {
  return heading.toLowerCase().replace(/[^\p{L}\p{N} _-]/gu, "").replaceAll(" ", "-");
}

Deno.test("links in the documents lead to files and headings that are there", () => {
  for (const document of DOCUMENTS) {
    for (const [, target] of read(document).matchAll(/\]\(([^)\s]+)\)/g)) {
      if (/^https?:/.test(target!)) continue;
      const [file = "", anchor] = target!.split("#");
      const path = file === "" ? document : join(dirname(document), file);
      assert.ok(fs.existsSync(join(ROOT, path)), `${document} links to ${target}`);
      if (anchor === undefined) continue;
      const headings = [...read(path).matchAll(/^#+ (.+)$/gm)].map(([, text]) => anchorOf(text!));
      assert.ok(headings.includes(anchor), `${document} links to ${target}`);
    }
  }
});

Deno.test("tasks that the documents name exist", () => {
  const { tasks } = JSON.parse(read("deno.json")) as { tasks: Record<string, string> };
  for (const document of DOCUMENTS) {
    for (const [, task] of read(document).matchAll(/deno(?:@[\d.]+)? task ([a-z:]+)/g)) {
      assert.ok(Object.hasOwn(tasks, task!), `${document}: deno task ${task}`);
    }
  }
});

/** Names of all fields of a JSON value. What stands under `error` is described once for all. */
function fieldsOf(value: unknown): string[] {
  if (Array.isArray(value)) return value.flatMap(fieldsOf);
  if (typeof value !== "object" || value === null) return [];
  return Object.entries(value).flatMap(([name, inside]) =>
    name === "error" ? [name] : [name, ...fieldsOf(inside)]
  );
}

function documentedFields(command: string): Set<string> {
  const row = rows(section("JSON")).find(([names]) => names!.includes(`\`${command}\``));
  assert.ok(row, `the JSON reference has no line for ${command}`);
  // What a line says it shares with others.
  const shared = {
    pull: ["push"],
    sync: ["push", "pull"],
    "import": ["push", "pull"],
    "project map": ["project list"],
  };
  const others: readonly string[] = Object.hasOwn(shared, command)
    ? shared[command as keyof typeof shared]
    : [];
  return new Set([...codeWords(row[1]!), ...others.flatMap((name) => [...documentedFields(name)])]);
}

const EVERYWHERE = ["schema", "command", "ok", "error"];

/** Runs command lines with `--json` in this process, and remembers which fields were printed. */
class FieldRecorder {
  readonly printed = new Map<string, Set<string>>();

  async run(machine: SyncMachine, args: readonly string[], input = "") {
    const { exit, out } = await runOn(machine, [...args, "--json"], { input });
    assert.match(out, /^[^\n]+\n$/, args.join(" "));
    const answer = JSON.parse(out) as Record<string, unknown>;
    assert.equal(exit, 0, `${args.join(" ")}: ${out}`);
    const command = String(answer.command);
    const fields = this.printed.get(command) ?? new Set();
    for (const field of fieldsOf(answer)) fields.add(field);
    this.printed.set(command, fields);
    return answer;
  }
}

/** Two machines do all that has fields of its own: joining, a fork, a project without a folder. */
async function runEveryCommand(dir: string): Promise<FieldRecorder> {
  const recorder = new FieldRecorder();
  const a = new SyncMachine({ name: "a", dir });
  const b = new SyncMachine({ name: "b", dir });
  const session = "00000004-0000-4000-8000-000000000004";
  const fixture = (side: string) =>
    read(`tests/testdata/fork/continued-on-${side}.jsonl`)
      .replaceAll("/home/alice/code/app", "/no/such/folder");
  a.writeTranscript(session, fixture("a"));
  await recorder.run(a, ["init", "--dir", a.vaultDir]);
  await recorder.run(a, ["push"]);
  await recorder.run(b, ["init", "--dir", a.vaultDir]);
  const { key } = await recorder.run(a, ["key", "export"]);
  await recorder.run(b, ["key", "import"], String(key));
  const waiting = await recorder.run(b, ["pull"]);
  assert.equal(waiting.unplaced, 1);
  b.writeTranscript(session, fixture("b"));
  const { pull } = await recorder.run(b, ["sync"]) as { pull: { branches: number } };
  assert.equal(pull.branches, 1);
  const { projects } = await recorder.run(b, ["project", "list"]) as {
    projects: { key: string }[];
  };
  await recorder.run(b, ["project", "map", projects[0]!.key, b.project]);
  await recorder.run(b, ["resume", session]);
  a.writeTranscript("00000005-0000-4000-8000-000000000005", fixture("a"));
  await recorder.run(b, ["import", a.transcriptPath("00000005-0000-4000-8000-000000000005")]);
  await recorder.run(b, ["log"]);
  await recorder.run(b, ["diff", session]);
  await recorder.run(b, ["restore", session]);
  await recorder.run(b, ["restore", session, "--list"]);
  b.write(`projects/${slugOf(b.project)}/memory/MEMORY.md`, "a note\n");
  await recorder.run(b, ["push"]);
  await recorder.run(b, ["restore", "memory/MEMORY.md"]);
  await recorder.run(b, ["restore", "memory/MEMORY.md", "--list"]);
  await recorder.run(b, ["restore", "memory/", "--list"]);
  for (const command of ["status", "list", "verify", "version", "help", "install", "uninstall"]) {
    await recorder.run(b, [command]);
  }
  await recorder.run(b, ["store", "info"]);
  await recorder.run(b, ["store", "test"]);
  await recorder.run(b, ["store", "move", "--dir", join(dir, "second")]);
  await recorder.run(b, ["key", "fingerprint"]);
  await recorder.run(b, ["shell-init", "zsh"]);
  await recorder.run(b, ["completions", "zsh"]);
  return recorder;
}

Deno.test("README's JSON reference has every field that the commands print", async (t) => {
  const { printed } = await inTempDir(runEveryCommand);
  for (const [command, fields] of printed) {
    await t.step(command, () => {
      const documented = documentedFields(command);
      const isMissing = (field: string) => !EVERYWHERE.includes(field) && !documented.has(field);
      assert.deepEqual([...fields].filter(isMissing), []);
    });
  }
});
