/**
 * The commands that run most, in their plainest form. The grammar knows them too; to load it takes
 * longer than a pull with nothing to do.
 */
import type { Invocation } from "./command_line.ts";

type Plain = "json" | "quiet" | "verbose" | "dryRun" | "yes" | "noInput";

const FLAGS: ReadonlyMap<string, Plain> = new Map([
  ["--json", "json"],
  ["-q", "quiet"],
  ["--quiet", "quiet"],
  ["-v", "verbose"],
  ["--verbose", "verbose"],
  ["-n", "dryRun"],
  ["--dry-run", "dryRun"],
  ["-y", "yes"],
  ["--yes", "yes"],
  ["--no-input", "noInput"],
]);

/**
 * Understands `push`, `pull`, `sync` or `status` with nothing but global flags without a value
 * behind it, each once. Null for everything else, right or wrong: then the grammar has to tell.
 */
export function parseBareCommand(argv: readonly string[]): Invocation | null {
  const [word, ...flags] = argv;
  const given = {
    json: false,
    quiet: false,
    verbose: false,
    dryRun: false,
    yes: false,
    noInput: false,
  };
  for (const flag of flags) {
    const name = FLAGS.get(flag);
    if (name === undefined || given[name]) return null;
    given[name] = true;
  }
  const globals = { ...given, color: "auto", profile: undefined, rest: null } as const;
  const unlimited = { limitUpload: undefined, limitDownload: undefined, concurrency: undefined };
  const moving = { ...globals, ...unlimited };
  switch (word) {
    case "push":
      return { ...moving, command: "push", sessions: [], all: false };
    case "pull":
      return { ...moving, command: "pull", sessions: [], all: false, withinSeconds: undefined };
    case "sync":
      return { ...moving, command: "sync" };
    case "status":
      return { ...globals, command: "status" };
    default:
      return null;
  }
}
