/** From `argv` to a typed invocation. The grammar below also drives the shells' completion. */
import { merge, object, or } from "@optique/core/constructs";
import { formatMessage, type Message } from "@optique/core/message";
import { multiple, optional, withDefault } from "@optique/core/modifiers";
import { parseSync, type Result, type Suggestion, suggestSync } from "@optique/core/parser";
import { argument, command, constant, option } from "@optique/core/primitives";
import { choice, integer, string } from "@optique/core/valueparser";
import { FORGET_VALUE_FLAGS, forgetCommand } from "./forget_command.ts";
import { HISTORY_VALUE_FLAGS, historyCommands } from "./history_commands.ts";
import { isProfileName } from "./home_folder.ts";
import { gcCommand } from "./gc_command.ts";
import { type Candidates, words } from "./words.ts";
import { path, STORE_VALUE_FLAGS, storeOptions, transferOptions } from "./store_flags.ts";

/** Shells for which `shell-init` and `completions` print scripts. */
export const SHELLS = ["bash", "zsh", "fish", "pwsh"] as const;

/** One of `SHELLS`. */
export type Shell = (typeof SHELLS)[number];

const NO_CANDIDATES: Candidates = { sessions: [], projects: [] };

function globalFlags() {
  return object({
    json: option("--json"),
    quiet: option("-q", "--quiet"),
    verbose: option("-v", "--verbose"),
    dryRun: option("-n", "--dry-run"),
    yes: option("-y", "--yes"),
    noInput: option("--no-input"),
    color: withDefault(option("--color", choice(["auto", "always", "never"])), "auto" as const),
    profile: optional(option("--profile", string({ metavar: "NAME" }))),
  });
}

function push({ sessions }: Candidates) {
  return command(
    "push",
    object({
      command: constant("push"),
      sessions: multiple(option("--session", words("ID", sessions))),
      all: option("--all"),
      ...transferOptions(),
    }),
  );
}

function pull({ sessions }: Candidates) {
  return command(
    "pull",
    object({
      command: constant("pull"),
      sessions: multiple(option("--session", words("ID", sessions))),
      all: option("--all"),
      withinSeconds: optional(
        option("--within", integer({ metavar: "SECONDS", min: 1, max: 600 }), { hidden: true }),
      ),
      ...transferOptions(),
    }),
  );
}

function sync() {
  return command("sync", object({ command: constant("sync"), ...transferOptions() }));
}

function status() {
  return command("status", object({ command: constant("status") }));
}

function everyDay(candidates: Candidates) {
  const { sessions } = candidates;
  return or(
    command(
      "init",
      object({
        command: constant("init"),
        ...storeOptions(),
        machine: optional(option("--machine", string({ metavar: "NAME" }))),
        ...transferOptions(),
      }),
    ),
    push(candidates),
    pull(candidates),
    sync(),
    status(),
    command("list", object({ command: constant("list"), forgotten: option("--forgotten") })),
    gcCommand(),
    command(
      "verify",
      object({
        command: constant("verify"),
        readData: option("--read-data"),
        ...transferOptions(),
      }),
    ),
    command(
      "resume",
      object({
        command: constant("resume"),
        print: option("--print"),
        ...transferOptions(),
        query: multiple(argument(words("ID|WORDS", sessions))),
      }),
    ),
  );
}

function history(candidates: Candidates) {
  return historyCommands({
    session: () => words("ID|WORDS", candidates.sessions),
    project: () => words("PROJECT", candidates.projects),
  });
}

function keys() {
  return command(
    "key",
    or(
      command("export", object({ command: constant("key export") })),
      command("import", object({ command: constant("key import") })),
      command("fingerprint", object({ command: constant("key fingerprint") })),
    ),
  );
}

function stores() {
  return command(
    "store",
    or(
      command("info", object({ command: constant("store info"), ...transferOptions() })),
      command("test", object({ command: constant("store test"), ...transferOptions() })),
      command(
        "move",
        object({ command: constant("store move"), ...storeOptions(), ...transferOptions() }),
      ),
    ),
  );
}

function projects({ projects }: Candidates) {
  const project = () => argument(words("PROJECT", projects));
  return command(
    "project",
    or(
      command("list", object({ command: constant("project list") })),
      command(
        "map",
        object({
          command: constant("project map"),
          project: project(),
          dir: argument(path("DIR")),
        }),
      ),
      command("unmap", object({ command: constant("project unmap"), project: project() })),
      command("exclude", object({ command: constant("project exclude"), project: project() })),
      command("include", object({ command: constant("project include"), project: project() })),
    ),
  );
}

function itself() {
  const shell = () => argument(choice(SHELLS, { metavar: "SHELL" }));
  return or(
    command("install", object({ command: constant("install"), global: option("--global") })),
    command("uninstall", object({ command: constant("uninstall"), global: option("--global") })),
    command(
      "hook",
      or(
        command("session-start", object({ command: constant("hook session-start") })),
        command("session-end", object({ command: constant("hook session-end") })),
        command("stop", object({ command: constant("hook stop") })),
        command(
          "worker",
          object({
            command: constant("hook worker"),
            kind: argument(choice(["push", "sync"])),
            mark: optional(option("--mark", string({ metavar: "NAME" }))),
          }),
          { hidden: true },
        ),
      ),
    ),
    command("shell-init", object({ command: constant("shell-init"), shell: shell() })),
    command("completions", object({ command: constant("completions"), shell: shell() })),
    command("version", object({ command: constant("version") })),
    command(
      "help",
      object({
        command: constant("help"),
        topic: multiple(argument(string({ metavar: "COMMAND" }))),
      }),
    ),
  );
}

function grammar(candidates: Candidates) {
  return merge(
    globalFlags(),
    or(
      everyDay(candidates),
      history(candidates),
      forgetCommand(
        () => words("ID|WORDS", candidates.sessions),
        () => words("PROJECT", candidates.projects),
      ),
      keys(),
      stores(),
      projects(candidates),
      itself(),
    ),
  );
}

type Parsed = Extract<
  ReturnType<typeof parseGrammar>,
  { readonly success: true }
>["value"];

function parseGrammar(args: readonly string[]) {
  return parseSync(grammar(NO_CANDIDATES), args);
}

/**
 * Parses the commands that run most with a grammar of that command alone: building and walking the
 * whole one takes longer than a push with nothing to do. Null when the whole one has to tell.
 */
function parseAlone(word: string | undefined, args: readonly string[]): Parsed | null {
  switch (word) {
    case "push":
      return valueOf(parseSync(merge(globalFlags(), push(NO_CANDIDATES)), args));
    case "pull":
      return valueOf(parseSync(merge(globalFlags(), pull(NO_CANDIDATES)), args));
    case "sync":
      return valueOf(parseSync(merge(globalFlags(), sync()), args));
    case "status":
      return valueOf(parseSync(merge(globalFlags(), status()), args));
    default:
      return null;
  }
}

function valueOf<Value>(result: Result<Value>): Value | null {
  return result.success ? result.value : null;
}

/** Flags that every command takes, before or after its name. */
export type GlobalFlags = Pick<
  Parsed,
  "json" | "quiet" | "verbose" | "dryRun" | "yes" | "noInput" | "color" | "profile"
>;

/** A command with its own flags and arguments, and the global ones. */
export type Invocation = Parsed & {
  /** What stands after `--`, which only `resume` and `completions` take; null without a `--`. */
  readonly rest: readonly string[] | null;
};

/** The invocation of one command. */
export type InvocationOf<Command extends Invocation["command"]> = Extract<
  Invocation,
  { readonly command: Command }
>;

/** What a command line asks for. */
export type CommandLine =
  | { readonly kind: "run"; readonly invocation: Invocation }
  | { readonly kind: "help"; readonly topic: readonly string[]; readonly json: boolean }
  | { readonly kind: "version"; readonly json: boolean }
  /** No command. */
  | { readonly kind: "nothing"; readonly json: boolean }
  | {
    readonly kind: "wrong";
    /** The command as far as it was understood, e.g. `project map`; "" when not at all. */
    readonly command: string;
    readonly message: string;
    readonly hint: string | null;
    readonly json: boolean;
  };

/** Understands a command line. Never throws. */
export function parseCommandLine(argv: readonly string[]): CommandLine {
  const dashes = argv.indexOf("--");
  const args = dashes < 0 ? argv : argv.slice(0, dashes);
  const rest = dashes < 0 ? null : argv.slice(dashes + 1);
  const json = args.includes("--json");
  const topic = commandWords(args);
  if (args.some((arg) => arg === "--help" || arg === "-h")) return { kind: "help", topic, json };
  if (args.some((arg) => arg === "--version" || arg === "-V")) return { kind: "version", json };
  if (topic.length === 0 && args.every((arg) => arg.startsWith("-"))) {
    const alone = parseSync(globalFlags(), args);
    if (alone.success) return { kind: "nothing", json };
  }
  const wrong = (message: string, hint: string | null = null): CommandLine => ({
    kind: "wrong",
    command: topic.join(" "),
    message,
    hint,
    json,
  });
  let invocation = parseAlone(topic[0], args);
  if (invocation === null) {
    const parsed = parseGrammar(args);
    if (!parsed.success) return wrong(...explain(parsed.error, topic));
    invocation = parsed.value;
  }
  if (rest !== null && !TAKES_REST.has(invocation.command)) {
    return wrong(`${invocation.command} takes no arguments after "--"`);
  }
  if (invocation.profile !== undefined && !isProfileName(invocation.profile)) {
    return wrong("A profile's name has letters, digits, dots, dashes and underscores only");
  }
  return { kind: "run", invocation: { ...invocation, rest } };
}

/** Commands that have commands of their own. */
const GROUPS: Readonly<Record<string, readonly string[]>> = {
  key: ["export", "import", "fingerprint"],
  project: ["list", "map", "unmap", "exclude", "include"],
  store: ["info", "test", "move"],
  hook: ["session-start", "session-end", "stop"],
};

const TAKES_REST: ReadonlySet<string> = new Set(["resume", "completions"]);

/** Flags that take the next word as their value. */
const VALUE_FLAGS = new Set([
  "--color",
  "--profile",
  ...STORE_VALUE_FLAGS,
  ...HISTORY_VALUE_FLAGS,
  ...FORGET_VALUE_FLAGS,
  "--machine",
  "--session",
  "--mark",
  "--within",
]);

/** The one or two words that name the command, without flags and arguments. */
function commandWords(args: readonly string[]): string[] {
  const found: string[] = [];
  for (let at = 0; at < args.length && found.length < 2; at++) {
    const arg = args[at] ?? "";
    if (VALUE_FLAGS.has(arg)) at++;
    else if (!arg.startsWith("-")) found.push(arg);
  }
  const [first, second] = found;
  if (first === undefined) return [];
  if (first === "help") return found.slice(1);
  const isGroup = Object.hasOwn(GROUPS, first);
  return isGroup && second !== undefined ? [first, second] : [first];
}

/** The parser's message as one sentence, and what was probably meant. */
function explain(error: Message, topic: readonly string[]): [string, string | null] {
  const [first = "", ...more] = formatMessage(error, { quotes: true }).split("\n")
    .map((line) => line.trim())
    .filter((line) => line !== "");
  const group = GROUPS[topic[0] ?? ""];
  if (group !== undefined && topic[1] !== undefined && !group.includes(topic[1])) {
    const about = `"${topic[0]}" needs one of: ${group.join(", ")}`;
    return [`There is no command "${topic.join(" ")}"`, about];
  }
  const message = first.replace(/\.$/, "").replaceAll("`", '"');
  const hint = more.join(" ").replaceAll("`", '"').replace(/" "/g, '", "');
  if (/^No matching command/.test(message)) {
    if (group === undefined) return ["No command given", null];
    return [`"${topic[0]}" needs one of: ${group.join(", ")}`, null];
  }
  return [message, hint === "" ? null : hint];
}

/** What a shell may offer for the last of `args`, which is what has been typed of it. */
export function suggestWords(
  args: readonly string[],
  candidates: Candidates,
): readonly Suggestion[] {
  const [first = "", ...others] = args.length === 0 ? [""] : args;
  return suggestSync(grammar(candidates), [first, ...others]);
}
