/** The grammar of `gc`. */
import { object } from "@optique/core/constructs";
import { optional } from "@optique/core/modifiers";
import { command, constant, option } from "@optique/core/primitives";
import { string } from "@optique/core/valueparser";
import { transferOptions } from "./store_flags.ts";

/** `gc [--machine NAME|ID]`. */
export function gcCommand() {
  return command(
    "gc",
    object({
      command: constant("gc"),
      machine: optional(option("--machine", string({ metavar: "NAME" }))),
      ...transferOptions(),
    }),
  );
}
