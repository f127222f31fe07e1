/**
 * What Claude Code's hooks run. The client waits for these and puts what they print into the
 * model's context, so: note the work, start a worker that outlives us, say nothing, never fail.
 * Start-up time is what the user feels; import as little as possible here.
 */
import { join } from "node:path";
import { type Bytes, fromUtf8, toHex, utf8 } from "../base/bytes.ts";
import { ClaudeSyncError } from "../errors.ts";
import { writeFileAtomic, writeFileUnflushed } from "../platform/atomic_file.ts";
import type { Platform } from "../platform/types.ts";
import { parseSessionId, type SessionId } from "../sessions/session_id.ts";
import { homeFolder, isDisabled, isProfileName } from "./home_folder.ts";

/** The hooks that exist in all versions of the client, and that `install` enters. */
const HOOK_EVENTS = ["session-start", "session-end", "stop"] as const;

/** One of `HOOK_EVENTS`. */
export type HookEvent = (typeof HOOK_EVENTS)[number];

/** The most of the client's JSON that is read. */
export const HOOK_INPUT_BYTES_MAX = 1024 * 1024;
/** Longest time that a session's start is held up. */
export const START_WAIT_MS = 2000;

const POLL_MS = 20;
/** When the worker of a hook that ends at once starts: the user waits for the hook, not for it. */
const WORKER_AFTER_MS = 100;
const NOTICE_BYTES_MAX = 64 * 1024;
const NOTICE_CHARS_MAX = 500;
const ERROR_LOG_BYTES_MAX = 64 * 1024;
const MARK_RANDOM_BYTES = 8;

/** What a hook needs from outside. */
export interface HookWorld {
  readonly platform: Platform;
  /** What starts this program. */
  readonly self: readonly [string, ...string[]];
  /** Names of all environment variables. */
  readonly envNames: readonly string[];
  /** The client's JSON; null when it is too long or cannot be read. */
  readonly readInput: (maxBytes: number) => Bytes | null;
  /** Prints a line to standard output. */
  readonly out: (line: string) => void;
}

/** Gives the event, or null when `word` is none. */
export function parseHookEvent(word: string | undefined): HookEvent | null {
  return HOOK_EVENTS.find((event) => event === word) ?? null;
}

/**
 * Understands `hook EVENT [--profile NAME]`, the form that `install` writes; null for any other.
 */
export function parseHookArgs(
  args: readonly string[],
): { readonly event: HookEvent; readonly profile: string | null } | null {
  const [word, name, flag, profile, ...more] = args;
  const event = parseHookEvent(name);
  if (word !== "hook" || event === null || more.length > 0) return null;
  if (flag === undefined) return { event, profile: null };
  if (flag !== "--profile" || profile === undefined || !isProfileName(profile)) return null;
  return { event, profile };
}

/** Runs one hook. Never throws: what goes wrong is in `<home>/hook-errors.log`. */
export async function runHook(
  event: HookEvent,
  profile: string | null,
  world: HookWorld,
): Promise<void> {
  const { fs, host } = world.platform;
  if (isDisabled(host)) return;
  const { home } = homeFolder(host, profile);
  try {
    if (fs.lstat(join(home, "config.json")) === null) return;
    const input = parseHookInput(world.readInput(HOOK_INPUT_BYTES_MAX));
    if (event === "session-start") await sessionStart(world, home, profile, input);
    else await sessionEnd(world, home, profile, input);
  } catch (error) {
    recordHookError(world.platform, home, event, error);
  }
}

/** The fields of the client's JSON that are used, each checked. */
export interface HookInput {
  readonly sessionId: SessionId | null;
  readonly cwd: string | null;
  readonly source: string | null;
}

/** Understands what the client sent; what is missing or strange is null. Never throws. */
export function parseHookInput(bytes: Bytes | null): HookInput {
  const nothing = { sessionId: null, cwd: null, source: null };
  if (bytes === null) return nothing;
  let value: unknown;
  try {
    value = JSON.parse(fromUtf8(bytes));
  } catch (_notJson) {
    // Run by hand, or by a client that is not known yet: the work is done without it.
    return nothing;
  }
  if (typeof value !== "object" || value === null) return nothing;
  const text = (name: string): string | null => {
    const found: unknown = Object.hasOwn(value, name) ? Reflect.get(value, name) : null;
    return typeof found === "string" ? found : null;
  };
  return {
    sessionId: parseSessionId(text("session_id") ?? ""),
    cwd: text("cwd"),
    source: text("source"),
  };
}

async function sessionEnd(
  world: HookWorld,
  home: string,
  profile: string | null,
  input: HookInput,
): Promise<void> {
  if (input.sessionId !== null) noteSession(world.platform, home, input.sessionId);
  await startWorker(world, home, profile, input, ["push"], WORKER_AFTER_MS);
}

/**
 * Writes the note that outlives us: `queue/<session id>.json`. It is not flushed, as the user waits
 * for that: what a power cut takes away, the next session's start finds in the files themselves.
 */
function noteSession({ fs, random, clock }: Platform, home: string, sessionId: SessionId): void {
  const queue = join(home, "queue");
  // It is nearly always there, and to be told so by an error costs more than to look.
  if (fs.lstat(queue)?.kind !== "directory") fs.makeDir(queue);
  const note = JSON.stringify({ version: 1, sessionId, atMs: clock.nowMs() });
  writeFileUnflushed(fs, random, join(queue, `${sessionId}.json`), utf8(`${note}\n`));
}

async function sessionStart(
  world: HookWorld,
  home: string,
  profile: string | null,
  input: HookInput,
): Promise<void> {
  const { clock, fs, random } = world.platform;
  const startedMs = clock.monotonicMs();
  const mark = toHex(random.bytes(MARK_RANDOM_BYTES));
  const markFile = markPath(home, mark);
  fs.makeDir(marksDir(home));
  fs.createFile(markFile).close();
  try {
    await startWorker(world, home, profile, input, ["sync", "--mark", mark]);
  } catch (error) {
    fs.removeFile(markFile);
    throw error;
  }
  const isWaiting = input.source !== "compact" && input.source !== "clear";
  while (isWaiting && fs.lstat(markFile) !== null) {
    if (clock.monotonicMs() - startedMs >= START_WAIT_MS) break;
    await clock.sleep(POLL_MS);
  }
  // `claude -p` shows nobody what a hook says: it is left for a start that somebody sees.
  if (world.platform.host.env("CLAUDE_CODE_ENTRYPOINT") !== "sdk-cli") tellNotice(world, home);
}

/** Folder of the marks: each exists while the worker that it was made for is at work. */
export function marksDir(home: string): string {
  return join(home, "working");
}

/** Path of a worker's mark. `mark` is 16 hexadecimal digits. */
export function markPath(home: string, mark: string): string {
  return join(marksDir(home), mark);
}

/** Says once what the background has to say to the user (never to the model). */
function tellNotice({ platform: { fs }, out }: HookWorld, home: string): void {
  const path = join(home, "notice.json");
  const bytes = fs.readFile(path, NOTICE_BYTES_MAX);
  // Of two sessions that start at once, the one that removes it says it.
  if (bytes === null || !fs.removeFile(path)) return;
  const value: unknown = JSON.parse(fromUtf8(bytes));
  if (typeof value !== "object" || value === null || !("message" in value)) return;
  if (typeof value.message !== "string" || value.message === "") return;
  const message = value.message
    .slice(0, NOTICE_CHARS_MAX)
    .replace(/[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu, "\u{fffd}");
  out(JSON.stringify({ systemMessage: message }));
}

async function startWorker(
  world: HookWorld,
  home: string,
  profile: string | null,
  input: HookInput,
  work: readonly string[],
  afterMs?: number,
): Promise<void> {
  const profileArgs = profile === null ? [] : ["--profile", profile];
  await world.platform.processes.spawnDetached(
    [...world.self, "hook", "worker", ...work, ...profileArgs],
    {
      cwd: existingFolder(world.platform, input.cwd) ?? home,
      env: withheldVariables(world.envNames),
      ...(afterMs === undefined ? {} : { afterMs }),
    },
  );
}

function existingFolder({ fs, host }: Platform, path: string | null): string | null {
  if (path === null || path.includes("\0")) return null;
  const isAbsolute = host.os === "windows" ? /^([A-Za-z]:[\\/]|\\\\)/.test(path) : path[0] === "/";
  const real = isAbsolute ? fs.realpath(path) : null;
  return real !== null && fs.lstat(real)?.kind === "directory" ? path : null;
}

const PASSED_ON = new Set([
  "ALLUSERSPROFILE",
  "ALL_PROXY",
  "APPDATA",
  "CLAUDE_CONFIG_DIR",
  "COMPUTERNAME",
  "COMSPEC",
  "DBUS_SESSION_BUS_ADDRESS",
  "DENO_DIR",
  "GCE_METADATA_HOST",
  "GCE_METADATA_IP",
  "GH_CONFIG_DIR",
  "GIT_CONFIG_GLOBAL",
  "GIT_SSH",
  "GIT_SSH_COMMAND",
  "GIT_SSH_VARIANT",
  "GIT_SSL_CAINFO",
  "GIT_SSL_CAPATH",
  "GNUPGHOME",
  "GOOGLE_APPLICATION_CREDENTIALS",
  "GOOGLE_CLOUD_PROJECT",
  "GOOGLE_CLOUD_QUOTA_PROJECT",
  "GOOGLE_EXTERNAL_ACCOUNT_ALLOW_EXECUTABLES",
  "HOME",
  "HOMEDRIVE",
  "HOMEPATH",
  "HTTPS_PROXY",
  "HTTP_PROXY",
  "LANG",
  "LANGUAGE",
  "LOCALAPPDATA",
  "LOGNAME",
  "NODE_EXTRA_CA_CERTS",
  "NO_GCE_CHECK",
  "NO_PROXY",
  "NUMBER_OF_PROCESSORS",
  "OS",
  "PASSWORD_STORE_DIR",
  "PATH",
  "PATHEXT",
  "PROCESSOR_ARCHITECTURE",
  "PROGRAMDATA",
  "SSH_AGENT_PID",
  "SSH_AUTH_SOCK",
  "SSL_CERT_DIR",
  "SSL_CERT_FILE",
  "SYSTEMDRIVE",
  "SYSTEMROOT",
  "TEMP",
  "TMP",
  "TMPDIR",
  "TZ",
  "USER",
  "USERNAME",
  "USERPROFILE",
  "WINDIR",
]);

/** `AWS_BEARER_TOKEN_…` are the client's own: no store is opened with them. */
const PASSED_ON_PREFIX = /^(LC_|XDG_|CLAUDE_SYNC_|CLOUDSDK_|GCM_|AWS_(?!BEARER_TOKEN))/;

/**
 * The variables that a worker does not get: all but what the system, the network and the stores
 * need. The client's environment holds its API key and tokens, which a process that lives on has no
 * use for.
 */
export function withheldVariables(names: readonly string[]): Record<string, null> {
  const withheld: Record<string, null> = {};
  for (const name of names) {
    const upper = name.toUpperCase();
    if (!PASSED_ON.has(upper) && !PASSED_ON_PREFIX.test(upper)) withheld[name] = null;
  }
  return withheld;
}

/** Adds a line to `<home>/hook-errors.log`, which keeps the newest 64 KiB. Never throws. */
export function recordHookError(
  { fs, random, clock }: Platform,
  home: string,
  event: string,
  error: unknown,
): void {
  const code = error instanceof ClaudeSyncError ? error.code : "bug";
  const message = error instanceof Error ? error.message : String(error);
  const when = new Date(clock.nowMs()).toISOString();
  const text = message.slice(0, 1000).replace(/[\s\p{Cc}\p{Cf}\p{Cs}]+/gu, " ");
  const line = `${when} ${event} [${code}] ${text}\n`;
  const path = join(home, "hook-errors.log");
  try {
    const before = readLogTail(fs, path);
    writeFileAtomic(fs, random, path, utf8(before + line));
  } catch (_unwritable) {
    // Nobody is listening, and a hook must not fail.
  }
}

function readLogTail(fs: Platform["fs"], path: string): string {
  const bytes = fs.readFile(path, 2 * ERROR_LOG_BYTES_MAX);
  if (bytes === null) return "";
  const text = new TextDecoder().decode(bytes.subarray(-ERROR_LOG_BYTES_MAX));
  return bytes.length > ERROR_LOG_BYTES_MAX ? text.slice(text.indexOf("\n") + 1) : text;
}
