/** The grammar of the commands about what was. */
import { object } from "@optique/core/constructs";
import { multiple, optional } from "@optique/core/modifiers";
import { argument, command, constant, option } from "@optique/core/primitives";
import { string, type ValueParser } from "@optique/core/valueparser";
import { path, transferOptions } from "./store_flags.ts";

/** Values that a shell may complete. */
export interface HistoryWords {
  readonly session: () => ValueParser<"sync", string>;
  readonly project: () => ValueParser<"sync", string>;
}

/** Flags of these commands that take the next word as their value. */
export const HISTORY_VALUE_FLAGS = ["--at", "--pick", "--to", "--project"] as const;

/** `restore`. */
export function restoreCommand({ session, project }: HistoryWords) {
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
