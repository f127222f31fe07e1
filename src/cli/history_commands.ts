/** The grammar of the commands about what was. */
import { object, or } from "@optique/core/constructs";
import { multiple, optional, withDefault } from "@optique/core/modifiers";
import { argument, command, constant, option } from "@optique/core/primitives";
import { integer, string, type ValueParser } from "@optique/core/valueparser";
import { path, transferOptions } from "./store_flags.ts";

/** Values that a shell may complete. */
export interface HistoryWords {
  readonly session: () => ValueParser<"sync", string>;
  readonly project: () => ValueParser<"sync", string>;
}

/** Flags of these commands that take the next word as their value. */
export const HISTORY_VALUE_FLAGS = [
  "--at",
  "--pick",
  "--to",
  "--project",
  "--limit",
  "--since",
] as const;

/** Lines that `log` shows unless told otherwise. */
const LOG_LINES = 20;
/** The most lines that `log` shows. */
const LOG_LINES_MAX = 100_000;

/** All of them. */
export function historyCommands(words: HistoryWords) {
  return or(restore(words), log(), importCommand(), diff(words));
}

function log() {
  return command(
    "log",
    object({
      command: constant("log"),
      limit: withDefault(
        option("--limit", integer({ metavar: "N", min: 1, max: LOG_LINES_MAX })),
        LOG_LINES,
      ),
      since: optional(option("--since", string({ metavar: "TIME" }))),
      errors: option("--errors"),
    }),
  );
}

function diff({ session }: HistoryWords) {
  return command(
    "diff",
    object({
      command: constant("diff"),
      ...transferOptions(),
      queries: multiple(argument(session())),
    }),
  );
}

function importCommand() {
  return command(
    "import",
    object({
      command: constant("import"),
      all: option("--all"),
      ...transferOptions(),
      paths: multiple(argument(path("DIR|FILE"))),
    }),
  );
}

function restore({ session, project }: HistoryWords) {
  return command(
    "restore",
    object({
      command: constant("restore"),
      project: optional(option("--project", project())),
      archived: option("--archived"),
      at: optional(option("--at", string({ metavar: "TIME" }))),
      pick: optional(option("--pick", string({ metavar: "V" }))),
      list: option("--list"),
      to: optional(option("--to", path("DIR"))),
      force: option("--force"),
      ...transferOptions(),
      queries: multiple(argument(session())),
    }),
  );
}
