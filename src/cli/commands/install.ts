/** `install` and `uninstall`: our hooks in Claude Code's settings. */
import { join } from "node:path";
import type { Platform } from "../../platform/types.ts";
import {
  addHooks,
  applySettingsChange,
  hookEntries,
  planSettingsChange,
  removeHooks,
  type SettingsChange,
  settingsPath,
} from "../../sessions/settings.ts";
import type { SyncContext } from "../../sync/api.ts";
import type { Answer, CommandDeps } from "../answer.ts";
import type { InvocationOf } from "../command_line.ts";
import { diffLines } from "../line_diff.ts";
import { lastingCommand } from "../lasting_command.ts";
import { terminalText } from "../terminal_text.ts";

type BaseDeps = Pick<CommandDeps, "world" | "flags">;

/** Puts the hooks in; changes nothing when they are there. */
export function install(
  deps: BaseDeps,
  context: SyncContext,
  invocation: InvocationOf<"install">,
): Answer {
  const { platform, self } = deps.world;
  const path = settingsPath(platform.host, invocation.global ? "user" : "project");
  const entries = hookEntries(
    platform.host.os,
    lastingCommand(platform, self),
    invocation.profile ?? null,
  );
  const change = planSettingsChange(platform, path, (text) => addHooks(text, entries));
  const shown = terminalText(path);
  if (change === null) {
    return {
      json: { settings: path, changed: false },
      result: [`Nothing to do: the hooks are in ${shown} already.`],
    };
  }
  const events = entries.map((entry) => entry.event).join(", ");
  const answer = settingsAnswer(platform, change, deps.flags.dryRun, {
    done: `Installed hooks ${events} in ${shown}`,
    would: `Would install hooks ${events} in ${shown}`,
  });
  const isSetUp = platform.fs.lstat(join(context.home, "config.json")) !== null;
  const next = isSetUp ? [] : ["They do nothing until: claude-sync init"];
  return { ...answer, result: [...answer.result ?? [], ...next] };
}

/** Takes the hooks out. */
export function uninstall(
  deps: BaseDeps,
  _context: SyncContext,
  invocation: InvocationOf<"uninstall">,
): Answer {
  const { platform } = deps.world;
  const path = settingsPath(platform.host, invocation.global ? "user" : "project");
  const change = planSettingsChange(
    platform,
    path,
    (text) => text === null ? null : removeHooks(text, invocation.profile ?? null),
  );
  const shown = terminalText(path);
  if (change === null) {
    return {
      json: { settings: path, changed: false },
      result: [`Nothing to do: no hooks of claude-sync in ${shown}.`],
    };
  }
  return settingsAnswer(platform, change, deps.flags.dryRun, {
    done: `Removed the hooks from ${shown}`,
    would: `Would remove the hooks from ${shown}`,
  });
}

function settingsAnswer(
  platform: Platform,
  change: SettingsChange,
  dryRun: boolean,
  says: { readonly done: string; readonly would: string },
): Answer {
  const json = { settings: change.path, changed: !dryRun, dryRun };
  if (dryRun) {
    const diff = diffLines(change.before ?? "", change.after).map((line) => terminalText(line));
    return { json, data: diff, result: [`${says.would}  (nothing was written)`] };
  }
  const backup = applySettingsChange(platform, change);
  const kept = backup === null ? [] : [`Backup: ${terminalText(backup)}`];
  return { json: { ...json, backup }, result: [says.done, ...kept] };
}
