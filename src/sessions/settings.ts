/**
 * Our hooks in Claude Code's `settings.json`. The file is the user's: everything else in it stays
 * as it is, byte for byte, and taking our hooks out gives back the file as it was.
 */
import { fromUtf8, utf8 } from "../base/bytes.ts";
import { ClaudeSyncError } from "../errors.ts";
import { createFileExclusive, writeFileAtomic } from "../platform/atomic_file.ts";
import type { Host, Platform } from "../platform/types.ts";
import { claudeRoot } from "./claude_root.ts";
import { isObject } from "./json_object.ts";
import { pathRules } from "./local_path.ts";
import {
  appendElement,
  appendMember,
  type JsonNode,
  memberOf,
  parseJsonText,
  removeItem,
  replaceNode,
  valueAt,
} from "./settings_text.ts";

/** Largest settings file that is read. */
export const SETTINGS_BYTES_MAX = 4 * 1024 * 1024;

/** Most hooks of ours, of all profiles, that are looked after in one file. */
export const OWN_HOOKS_MAX = 256;

const BACKUPS_A_DAY_MAX = 99;
const BOM = "\u{feff}";

/**
 * The events that all versions of the client know; one unknown name makes old ones ignore the whole
 * file. `timeoutSeconds` is after what time the client stops a hook.
 */
const EVENTS = [
  { name: "SessionStart", argument: "session-start", timeoutSeconds: 30 },
  { name: "SessionEnd", argument: "session-end", timeoutSeconds: 20 },
  { name: "Stop", argument: "stop", timeoutSeconds: 20 },
] as const;

/** One hook as it stands in the file. */
export interface HookEntry {
  readonly event: (typeof EVENTS)[number]["name"];
  readonly command: string;
  readonly timeoutSeconds: number;
  /** Each profile has hooks of its own; null is the one without a name. */
  readonly profile: string | null;
}

/**
 * The hooks to install. `self` starts this program: an absolute path, or a runtime with arguments.
 */
export function hookEntries(
  os: Host["os"],
  self: readonly string[],
  profile: string | null,
): HookEntry[] {
  const program = self.map((word) => quote(os, word)).join(" ");
  const more = profile === null ? "" : ` --profile ${quote(os, profile)}`;
  return EVENTS.map(({ name, argument, timeoutSeconds }) => ({
    event: name,
    command: `${program} hook ${argument}${more}`,
    timeoutSeconds,
    profile,
  }));
}

/**
 * The client runs hooks with `/bin/sh`, on Windows with Git's bash or `cmd`: there, double quotes
 * and forward slashes mean the same to both.
 */
function quote(os: Host["os"], word: string): string {
  if (os !== "windows") return `'${word.replaceAll("'", "'\\''")}'`;
  return `"${word.replaceAll("\\", "/")}"`;
}

const WORD = String.raw`(?:'(?:[^']|'\\'')*'|"[^"]*"|[^\s'"]+)`;
const EVENT_WORDS = EVENTS.map((event) => event.argument).join("|");
/** `…claude-sync hook EVENT`, also with `deno run -A …/main.ts` before it. */
const OWN = new RegExp(
  String.raw`^\s*(${WORD}(?:\s+${WORD})*?)\s+hook\s+(?:${EVENT_WORDS})` +
    String.raw`(?:\s+--profile\s+(${WORD}))?\s*$`,
);
const OWN_PROGRAM = /(?:^|[\\/'"\s])claude-sync[^\\/\s]*$|[\\/]src[\\/]main\.ts['"]?$/;
const SESSION_VARIABLE = String.raw`["']?\$\{?CLAUDE_SESSION_ID\}?["']?`;
/** What the first releases installed. */
const OLD = new RegExp(
  String.raw`^\s*(?:npx\s+(?:-y\s+)?)?${WORD}?claude-sync['"]?` +
    String.raw`\s+push\s+--session\s+${SESSION_VARIABLE}\s*$`,
);

/** Whether a hook's command is one that this program installed, now or in an older release. */
export function isOwnCommand(command: string): boolean {
  if (OLD.test(command)) return true;
  const program = OWN.exec(command)?.[1];
  return program !== undefined && OWN_PROGRAM.test(program);
}

/** The profile that one of our commands is for. */
function profileOf(command: string): string | null {
  const word = OWN.exec(command)?.[2];
  // Names of profiles hold nothing that a quote would have to protect.
  return word === undefined ? null : word.replace(/^(['"])(.*)\1$/s, "$2");
}

/** Where the settings are: the user's, or those of the project in `cwd`. */
export function settingsPath(host: Host, scope: "user" | "project"): string {
  const { join } = pathRules(host.os);
  const folder = scope === "user" ? claudeRoot(host).configDir : join(host.cwd(), ".claude");
  return join(folder, "settings.json");
}

/**
 * The settings with our hooks in them. `text` is null when there is no file yet. Old entries of the
 * same profile are replaced where they stand. Errors: `malformed-file`.
 */
export function addHooks(text: string | null, entries: readonly HookEntry[]): string {
  const bom = text?.startsWith(BOM) ? BOM : "";
  let json = text === null ? "{}\n" : text.slice(bom.length);
  for (const entry of entries) {
    checkForm(json, entry.event);
    json = addHook(json, entry);
  }
  const kept = new Set<string>();
  return bom + removeWhere(json, (found) => {
    if (entries.every(({ profile }) => profile !== found.profile)) return false;
    const entry = entries.find(({ event }) => event === found.event);
    if (entry === undefined || kept.has(found.event)) return true;
    kept.add(found.event);
    return false;
  });
}

/** The settings without our hooks for `profile`. Errors: `malformed-file`. */
export function removeHooks(text: string, profile: string | null = null): string {
  const bom = text.startsWith(BOM) ? BOM : "";
  return bom + removeWhere(text.slice(bom.length), (found) => found.profile === profile);
}

/** A hook of ours in the text. */
interface FoundHook {
  readonly event: string;
  readonly groupIndex: number;
  readonly hookIndex: number;
  readonly node: JsonNode;
  readonly profile: string | null;
}

function checkForm(json: string, event: string): void {
  const root = parseJsonText(json);
  const hooks = memberOf(root, "hooks");
  const groups = hooks === null ? null : memberOf(hooks, event);
  const wrong = root.kind !== "object"
    ? "Settings are not a JSON object"
    : hooks !== null && hooks.kind !== "object"
    ? `"hooks" is not an object`
    : groups !== null && groups.kind !== "array"
    ? `"hooks.${event}" is not a list`
    : null;
  if (wrong !== null) throw new ClaudeSyncError("malformed-file", wrong);
}

/** Our hooks, in the order of the text. What has another form than a hook has is not ours. */
function ownHooks(json: string, root: JsonNode): FoundHook[] {
  const hooks = memberOf(root, "hooks");
  if (hooks === null || hooks.kind !== "object") return [];
  // Of two members of one name the later counts.
  const counting = new Map(hooks.members.map(({ key, value }) => [key, value]));
  return hooks.members.flatMap(({ key, value }): FoundHook[] => {
    if (value.kind !== "array" || counting.get(key) !== value) return [];
    return value.elements.flatMap((group, groupIndex) => {
      const list = memberOf(group, "hooks");
      if (list === null || list.kind !== "array") return [];
      return list.elements.flatMap((node, hookIndex): FoundHook[] => {
        const hook = valueAt(json, node);
        const command = isObject(hook) && Object.hasOwn(hook, "command") ? hook["command"] : null;
        if (typeof command !== "string" || !isOwnCommand(command)) return [];
        return [{ event: key, groupIndex, hookIndex, node, profile: profileOf(command) }];
      });
    });
  });
}

function addHook(json: string, entry: HookEntry): string {
  const root = parseJsonText(json);
  const hook = { type: "command", command: entry.command, timeout: entry.timeoutSeconds };
  const present = ownHooks(json, root)
    .find(({ event, profile }) => event === entry.event && profile === entry.profile);
  if (present !== undefined) {
    const isSame = JSON.stringify(valueAt(json, present.node)) === JSON.stringify(hook);
    return isSame ? json : replaceNode(json, present.node, hook);
  }
  const hooks = memberOf(root, "hooks");
  const groups = hooks === null ? null : memberOf(hooks, entry.event);
  const group = { ...emptinessMark(json, hooks, groups), hooks: [hook] };
  if (groups !== null && groups.kind === "array") return appendElement(json, groups, group);
  if (hooks !== null && hooks.kind === "object") {
    return appendMember(json, hooks, entry.event, [group]);
  }
  if (root.kind !== "object") return json;
  return appendMember(json, root, "hooks", { [entry.event]: [group] });
}

/**
 * All three matchers mean "always". They tell `removeHooks` what it shall leave behind: nothing (no
 * matcher), the empty list that was there (""), or the empty `hooks` that was there ("*").
 */
function emptinessMark(
  json: string,
  hooks: JsonNode | null,
  groups: JsonNode | null,
): { matcher?: string } {
  if (groups !== null && groups.kind === "array" && groups.elements.length === 0) {
    return { matcher: "" };
  }
  if (hooks === null || hooks.kind !== "object") return {};
  const marked = ownHooks(json, parseJsonText(json)).some((found) =>
    matcherOf(json, hooks, found) === "*"
  );
  return hooks.members.length === 0 || marked ? { matcher: "*" } : {};
}

function matcherOf(json: string, hooks: JsonNode, found: FoundHook): unknown {
  const groups = memberOf(hooks, found.event);
  const group = groups?.kind === "array" ? groups.elements[found.groupIndex] : undefined;
  const matcher = group === undefined ? null : memberOf(group, "matcher");
  return matcher === null ? undefined : valueAt(json, matcher);
}

function removeWhere(text: string, isUnwanted: (found: FoundHook) => boolean): string {
  let json = text;
  // Backwards, so that the places of those before stay right.
  const unwanted = ownHooks(json, parseJsonText(json)).filter(isUnwanted).reverse();
  if (unwanted.length > OWN_HOOKS_MAX) {
    const message = `The settings hold more than ${OWN_HOOKS_MAX} hooks of claude-sync`;
    throw new ClaudeSyncError("malformed-file", message);
  }
  for (const found of unwanted) json = removeHook(json, found);
  return json;
}

/** Removes one hook, and of what holds it what was only there for it. */
function removeHook(json: string, found: FoundHook): string {
  const root = parseJsonText(json);
  const hooks = memberOf(root, "hooks");
  if (root.kind !== "object" || hooks === null || hooks.kind !== "object") return json;
  const groups = memberOf(hooks, found.event);
  if (groups === null || groups.kind !== "array") return json;
  const group = groups.elements[found.groupIndex];
  const list = group === undefined ? null : memberOf(group, "hooks");
  if (list === null || list.kind !== "array") return json;
  const mark = matcherOf(json, hooks, found);
  if (list.elements.length > 1) return removeItem(json, list, found.hookIndex);
  if (groups.elements.length > 1 || mark === "") {
    return removeItem(json, groups, found.groupIndex);
  }
  if (hooks.members.length > 1 || mark === "*") {
    return removeItem(json, hooks, hooks.members.findLastIndex(({ key }) => key === found.event));
  }
  return removeItem(json, root, root.members.findLastIndex(({ key }) => key === "hooks"));
}

/** A change to a settings file that has not been made yet. */
export interface SettingsChange {
  /** The path that the user knows. */
  readonly path: string;
  /** Where the file really is, when the path is a link (dotfiles are often linked). */
  readonly target: string;
  /** Null when there is no file. */
  readonly before: string | null;
  readonly after: string;
  /** Permission bits of the file; null when there is none. */
  readonly mode: number | null;
}

/**
 * Reads the settings at `path` and works out the change. Nothing is written. Errors: `malformed-
 * file` when the file cannot be understood, `unsafe-file` when it is a link to nothing, `local-
 * io`.
 */
export function planSettingsChange(
  { fs }: Platform,
  path: string,
  change: (text: string | null) => string | null,
): SettingsChange | null {
  const target = fs.realpath(path);
  if (target === null && fs.lstat(path) !== null) {
    throw new ClaudeSyncError("unsafe-file", `"${path}" is a link to a file that is not there`, {
      path,
      hint: "Remove the link, or make the file that it names",
    });
  }
  const bytes = target === null ? null : fs.readFile(target, SETTINGS_BYTES_MAX);
  try {
    const before = bytes === null ? null : fromUtf8(bytes);
    const after = change(before);
    if (after === null || after === before) return null;
    JSON.parse(after.startsWith(BOM) ? after.slice(BOM.length) : after);
    const mode = target === null ? null : fs.lstat(target)?.mode ?? null;
    return { path, target: target ?? path, before, after, mode };
  } catch (cause) {
    throw new ClaudeSyncError(
      "malformed-file",
      `"${path}" cannot be understood and was left untouched`,
      { path, cause, hint: "Claude Code ignores such a file too; repair it, then run this again" },
    );
  }
}

/**
 * Makes the change: a copy of the old file beside it (`settings.json.bak-<date>`), then the new one
 * in its place with the old permissions, or none when no setting is left. Gives the copy's path, or
 * null when there was no file. Errors: `busy` when the file is not what the plan was made for.
 */
export function applySettingsChange(platform: Platform, change: SettingsChange): string | null {
  const { fs, random, host } = platform;
  const { dirname } = pathRules(host.os);
  const folder = dirname(change.target);
  if (fs.lstat(folder) === null) fs.makeDir(folder);
  const mode = change.mode === null || host.os === "windows" ? {} : { mode: change.mode };
  const backup = change.before === null
    ? null
    : writeBackup(platform, change.path, change.before, mode);
  requireUnchanged(platform, change);
  // Settings without a member are what no file is; but what a link leads to stays.
  const isNothing = change.target === change.path && /^\ufeff?\s*\{\s*\}\s*$/.test(change.after);
  if (isNothing) fs.removeFile(change.target);
  else writeFileAtomic(fs, random, change.target, utf8(change.after), mode);
  return backup;
}

/** The client writes this file, too, and takes no lock: to look right before is all we can do. */
function requireUnchanged({ fs }: Platform, { path, target, before }: SettingsChange): void {
  const now = fs.readFile(target, SETTINGS_BYTES_MAX);
  if ((now === null ? null : fromUtf8(now)) === before) return;
  throw new ClaudeSyncError("busy", `"${path}" was changed meanwhile and was left untouched`, {
    path,
    hint: "Something else is writing it, such as Claude Code; run this again",
  });
}

function writeBackup(
  { fs, random, clock }: Platform,
  path: string,
  text: string,
  mode: { readonly mode?: number },
): string {
  const date = new Date(clock.nowMs()).toISOString().slice(0, 10).replaceAll("-", "");
  for (let number = 1; number <= BACKUPS_A_DAY_MAX; number++) {
    const backup = `${path}.bak-${date}${number === 1 ? "" : `-${number}`}`;
    if (createFileExclusive(fs, random, backup, utf8(text), mode)) return backup;
  }
  throw new ClaudeSyncError("local-io", `There are too many backups of "${path}" of today`, {
    path,
    hint: "Remove some of them",
  });
}
