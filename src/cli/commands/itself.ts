/** `version`, `help`, `completions`, `shell-init`. */
import { bash, fish, pwsh, type ShellCompletion, zsh } from "@optique/core/completion";
import { ClaudeSyncError } from "../../errors.ts";
import type { Answer } from "../answer.ts";
import { type Shell, suggestWords } from "../command_line.ts";
import type { Candidates } from "../words.ts";
import { helpTopic, overviewLines, pageLines } from "../help.ts";
import { lastingCommand } from "../lasting_command.ts";
import { shellScript } from "../shell_init.ts";
import type { World } from "../world.ts";

const COMPLETIONS: Readonly<Record<Shell, ShellCompletion>> = { bash, zsh, fish, pwsh };

/** The version. */
export function version(world: World): Answer {
  const { host } = world.platform;
  return {
    json: { version: world.version, os: host.os, arch: host.arch, executable: host.executable },
    data: [`claude-sync ${world.version}`],
  };
}

/** The overview, or one command's page. Throws `usage` when there is no such command. */
export function help(topic: readonly string[]): Answer {
  const name = topic.length === 0 ? null : helpTopic(topic);
  if (topic.length > 0 && name === null) {
    throw new ClaudeSyncError("usage", `There is no command "${topic.join(" ")}"`, {
      hint: "See all commands: claude-sync help",
    });
  }
  const lines = name === null ? overviewLines() : pageLines(name);
  return { json: { topic: name, text: lines.join("\n") }, data: lines };
}

/** The completion script, which asks us for words by `completions SHELL -- WORD...`. */
export function completionScript(shell: Shell): Answer {
  const script = COMPLETIONS[shell].generateScript("claude-sync", ["completions", shell, "--"]);
  return { json: { shell, script }, data: [script.trim()] };
}

/** The words that a shell may offer, in the form that its script reads. */
export function completionWords(
  shell: Shell,
  typed: readonly string[],
  candidates: Candidates,
): string {
  return [...COMPLETIONS[shell].encodeSuggestions(suggestWords(typed, candidates))].join("");
}

/** The shell function for a start-up file. It pulls from the vault of `profile`. */
export function shellInit(world: World, shell: Shell, profile: string | null): Answer {
  const self = lastingCommand(world.platform, world.self);
  const script = shellScript(shell, profile === null ? self : [...self, "--profile", profile]);
  return { json: { shell, script }, data: [script] };
}
