/**
 * Questions to who sits at the terminal. They are asked on standard error, as standard output is
 * for what was asked for and may go to a file. Ctrl-C, Ctrl-D, Esc and SIGTERM end the command.
 */
import { ClaudeSyncError } from "../errors.ts";
import type { GlobalFlags } from "./command_line.ts";
import { terminalText } from "./terminal_text.ts";
import type { World } from "./world.ts";

/** Of what was typed, as much as is shown again. */
const TYPED_GRAPHEMES_MAX = 40;

/** How an answer is given: a choice of yes and no, a line, or a line that nobody sees. */
export type QuestionKind = "yes-no" | "line" | "hidden";

/** Whether somebody is there to answer and has not said that nothing may be asked. */
export async function canAsk({ streams, platform }: World, flags: GlobalFlags): Promise<boolean> {
  if (flags.noInput || flags.json || platform.host.env("CI") !== undefined) return false;
  return await streams.isTerminal("stdin") && await streams.isTerminal("stderr");
}

/** True for yes; nothing typed is a no. Errors: `interrupted`. */
export async function askYesNo(world: World, question: string): Promise<boolean> {
  return await ask(world, "yes-no", question) === true;
}

/**
 * For what is not done by a quick yes: true when `expected` is typed, false when nothing is.
 * Errors: `usage` for anything else, `interrupted`.
 */
export async function askToType(
  world: World,
  question: string,
  expected: string,
): Promise<boolean> {
  const typed = await askLine(world, question);
  if (typed === expected.trim()) return true;
  if (typed === "") return false;
  throw new ClaudeSyncError("usage", `"${terminalText(typed, TYPED_GRAPHEMES_MAX)}" was typed`, {
    hint: `Nothing was done; it takes exactly: ${expected}`,
  });
}

/** The line that is typed, without blanks around it. Errors: `interrupted`. */
export async function askLine(
  world: World,
  question: string,
  kind: "line" | "hidden" = "line",
): Promise<string> {
  const answer = await ask(world, kind, question);
  return typeof answer === "string" ? answer.trim() : "";
}

async function ask(
  { streams, signal }: World,
  kind: QuestionKind,
  message: string,
): Promise<string | boolean | undefined> {
  const prompts = await import("@clack/prompts");
  // Without this the end of the input is no answer at all, and the question waits for ever.
  prompts.updateSettings({ aliases: { "\u0004": "cancel" } });
  const options = { message, output: streams.promptOutput(), signal };
  const answer = kind === "yes-no"
    ? await prompts.confirm({ ...options, initialValue: false })
    : kind === "line"
    ? await prompts.text(options)
    : await prompts.password(options);
  if (prompts.isCancel(answer)) throw new ClaudeSyncError("interrupted", "Interrupted");
  return answer;
}
