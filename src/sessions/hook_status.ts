import { fromUtf8 } from "../base/bytes.ts";
import type { FileSystem, Host } from "../platform/types.ts";
import { isOwnCommand, SETTINGS_BYTES_MAX, settingsPath } from "./settings.ts";

/** Where our hooks stand: in the user's settings, in the current folder's project, or nowhere. */
export function hooksInstalled(fs: FileSystem, host: Host): "global" | "project" | "none" {
  if (holdsOwnHook(fs, settingsPath(host, "user"))) return "global";
  return holdsOwnHook(fs, settingsPath(host, "project")) ? "project" : "none";
}

function holdsOwnHook(fs: FileSystem, path: string): boolean {
  const real = fs.realpath(path);
  const bytes = real === null ? null : fs.readFile(real, SETTINGS_BYTES_MAX);
  if (bytes === null) return false;
  try {
    return commandsIn(JSON.parse(fromUtf8(bytes))).some(isOwnCommand);
  } catch (error) {
    // The client ignores a settings file that does not parse, so no hook in it runs.
    if (error instanceof SyntaxError || error instanceof TypeError) return false;
    throw error;
  }
}

/** Every `command` string below `hooks`, whatever shape the rest has. */
function commandsIn(settings: unknown): string[] {
  const commands: string[] = [];
  const pending: unknown[] = [member(settings, "hooks")];
  while (pending.length > 0) {
    const value = pending.pop();
    if (typeof value !== "object" || value === null) continue;
    const command = member(value, "command");
    if (typeof command === "string") commands.push(command);
    // One by one: a call takes no more arguments than its stack holds.
    for (const child of Object.values(value)) pending.push(child);
  }
  return commands;
}

function member(value: unknown, name: string): unknown {
  if (typeof value !== "object" || value === null) return undefined;
  return Object.getOwnPropertyDescriptor(value, name)?.value;
}
