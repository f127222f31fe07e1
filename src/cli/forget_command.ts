/** The grammar of `forget`. */
import { object } from "@optique/core/constructs";
import { multiple, optional } from "@optique/core/modifiers";
import { argument, command, constant, option } from "@optique/core/primitives";
import { string, type ValueParser } from "@optique/core/valueparser";
import { transferOptions } from "./store_flags.ts";

/** Flags of `forget` that take the next word as their value. */
export const FORGET_VALUE_FLAGS = ["--project", "--before"] as const;

/** `forget`. `session` and `project` give the values that a shell may complete. */
export function forgetCommand(
  session: () => ValueParser<"sync", string>,
  project: () => ValueParser<"sync", string>,
) {
  return command(
    "forget",
    object({
      command: constant("forget"),
      project: optional(option("--project", project())),
      before: optional(option("--before", string({ metavar: "T" }))),
      ...transferOptions(),
      queries: multiple(argument(session())),
    }),
  );
}
