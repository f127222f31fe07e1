import assert from "node:assert/strict";
import fc from "fast-check";
import { parseBareCommand } from "../../src/cli/bare_command.ts";
import { parseCommandLine } from "../../src/cli/command_line.ts";
import { GLOBAL_FLAGS } from "../../src/cli/help_globals.ts";

const COMMANDS = ["push", "pull", "sync", "status"];
const SPELLINGS = GLOBAL_FLAGS.flatMap(([text]) => text.match(/(?<!\w)--?[a-z-]+/g) ?? []);

Deno.test("parseBareCommand takes the plain commands, each with any one plain flag", () => {
  for (const command of COMMANDS) {
    assert.notEqual(parseBareCommand([command]), null, command);
    for (const flag of ["--json", "-q", "--quiet", "-v", "-n", "--dry-run", "-y", "--no-input"]) {
      assert.notEqual(parseBareCommand([command, flag]), null, `${command} ${flag}`);
    }
  }
});

Deno.test("parseBareCommand says what the grammar says, or leaves it to the grammar", () => {
  const word = fc.oneof(
    { weight: 6, arbitrary: fc.constantFrom(...SPELLINGS) },
    fc.constantFrom("--session", "--all", "--within", "--", "list", "key", "-qn", "--quiet=x"),
    fc.string(),
  );
  const line = fc.tuple(fc.constantFrom(...COMMANDS, "verify", "--json"), fc.array(word));
  fc.assert(
    fc.property(line, ([command, words]) => {
      const argv = [command, ...words];
      const bare = parseBareCommand(argv);
      if (bare === null) return;
      const invocation = { ...bare };
      assert.deepEqual(parseCommandLine(argv), { kind: "run", invocation });
    }),
    { numRuns: 2_000 },
  );
});
