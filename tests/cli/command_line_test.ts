import assert from "node:assert/strict";
import fc from "fast-check";
import { type CommandLine, parseCommandLine, suggestWords } from "../../src/cli/command_line.ts";
import { GLOBAL_FLAGS } from "../../src/cli/help_globals.ts";
import { HELP_PAGES, type HelpPage } from "../../src/cli/help_pages.ts";

function invocation(...argv: string[]) {
  const line = parseCommandLine(argv);
  assert.equal(line.kind, "run", JSON.stringify(line));
  return (line as Extract<CommandLine, { kind: "run" }>).invocation;
}

Deno.test("parseCommandLine takes global flags before, between and after the words", () => {
  for (
    const argv of [
      ["--json", "-q", "project", "map", "a", "b", "--profile", "work"],
      ["project", "--json", "--profile=work", "map", "-q", "a", "b"],
      ["project", "map", "a", "b", "--json", "--quiet", "--profile", "work"],
    ]
  ) {
    const { command, json, quiet, profile, color } = invocation(...argv);
    assert.deepEqual(
      { command, json, quiet, profile, color },
      { command: "project map", json: true, quiet: true, profile: "work", color: "auto" },
    );
  }
});

Deno.test("parseCommandLine gives everything after -- to resume alone", () => {
  const resume = invocation("resume", "flaky", "test", "--", "--model", "opus", "--json");
  assert.deepEqual(resume.rest, ["--model", "opus", "--json"]);
  assert.equal(resume.json, false);
  assert.equal(parseCommandLine(["push", "--", "x"]).kind, "wrong");
});

Deno.test("parseCommandLine collects repeated sessions", () => {
  const push = invocation("push", "--session", "a", "--session=b");
  assert.deepEqual(push.command === "push" ? push.sessions : null, ["a", "b"]);
});

Deno.test("parseCommandLine never throws and never runs what it does not know", () => {
  const words = fc.constantFrom("push", "--json", "--session", "key", "--", "-x", "", "--color=");
  fc.assert(fc.property(fc.array(fc.oneof(words, fc.string())), (argv) => {
    const line = parseCommandLine(argv);
    assert.ok(["run", "help", "version", "nothing", "wrong"].includes(line.kind));
  }));
});

Deno.test("help has a page for every command, and every flag on it is understood", () => {
  const offered = (...typed: string[]) =>
    suggestWords(typed, { sessions: [], projects: [] })
      .flatMap((suggestion) => suggestion.kind === "literal" ? [suggestion.text] : []);
  for (const word of offered("").filter((text) => !text.startsWith("-"))) {
    assert.ok(Object.hasOwn(HELP_PAGES, word), word);
  }
  for (const [name, page] of Object.entries<HelpPage>(HELP_PAGES)) {
    const known = offered(...name.split(" "), "--");
    for (const [flag] of [...page.flags, ...GLOBAL_FLAGS]) {
      const long = /--[a-z0-9-]+/.exec(flag)?.[0];
      if (long === undefined || ["--help", "--version"].includes(long)) continue;
      assert.ok(known.includes(long), `${name} ${long}`);
    }
    const documented = [...page.flags, ...GLOBAL_FLAGS].map(([flag]) => flag).join(" ");
    for (const flag of known) assert.ok(documented.includes(flag), `${name} ${flag}`);
  }
});

Deno.test("suggestWords offers sessions and projects of this machine", () => {
  const candidates = {
    sessions: [{ text: "3f2a91bc", about: "Fix it" }, { text: "77777777", about: "" }],
    projects: [{ text: "infra", about: "~/src/infra" }],
  };
  const texts = (...typed: string[]) =>
    suggestWords(typed, candidates).map((found) => found.kind === "literal" ? found.text : "");
  assert.deepEqual(texts("push", "--session", "3"), ["3f2a91bc"]);
  assert.ok(texts("resume", "").includes("77777777"));
  assert.ok(texts("project", "map", "in").includes("infra"));
});
