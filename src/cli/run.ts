/** The command line from `argv` to exit code. */
import { ClaudeSyncError } from "../errors.ts";
import type { SyncContext } from "../sync/api.ts";
import type { TransferLimitChanges } from "../sync/store_api.ts";
import type { Answer, CommandDeps } from "./answer.ts";
import { askToType, askYesNo, canAsk } from "./ask.ts";
import { parseBareCommand } from "./bare_command.ts";
import type { CommandLine, GlobalFlags, Invocation } from "./command_line.ts";
import { dispatch } from "./dispatch.ts";
import { type ErrorReport, EXIT, reportOf } from "./error_report.ts";
import { homeFolder, storeCache } from "./home_folder.ts";
import { hook, hookWorker } from "./commands/hooks.ts";
import { hasColours, type OutputStyle, painter, printAnswer, printFailure } from "./output.ts";
import { Progress } from "./progress.ts";
import type { World } from "./world.ts";

const DEFAULT_FLAGS: GlobalFlags = {
  json: false,
  quiet: false,
  verbose: false,
  dryRun: false,
  yes: false,
  noInput: false,
  color: "auto",
  profile: undefined,
};

/** Runs one command line and gives the exit code. Never throws. */
export async function runCli(argv: readonly string[], outside: World): Promise<number> {
  const line = await understand(argv);
  const flags = line.kind === "run" ? line.invocation : { ...DEFAULT_FLAGS, json: line.json };
  let isOutBroken = false;
  const watched = (print: (text: string) => void) => (text: string) => {
    try {
      print(text);
    } catch (error) {
      isOutBroken = true;
      throw error;
    }
  };
  const { out, outPart } = outside.streams;
  const streams = { ...outside.streams, out: watched(out), outPart: watched(outPart) };
  const world = { ...outside, streams };
  const hasErrColours = hasColours(
    world.platform.host,
    flags.color,
    await streams.isTerminal("stderr"),
  );
  const style: OutputStyle = {
    command: commandName(line),
    json: flags.json,
    quiet: flags.quiet,
    verbose: flags.verbose,
    paint: painter(hasErrColours),
    memory: world.platform.memory,
  };
  try {
    return await runLine(line, flags, style, world);
  } catch (error) {
    const cause = world.signal.aborted && !isOwnFailure(error) ? world.signal.reason : error;
    // What standard output does not take can only be said elsewhere.
    const json = style.json && !isOutBroken;
    return printFailure(streams, { ...style, json }, reportOf(cause));
  }
}

async function understand(argv: readonly string[]): Promise<CommandLine> {
  const invocation = parseBareCommand(argv);
  if (invocation !== null) return { kind: "run", invocation };
  const { parseCommandLine } = await import("./command_line.ts");
  return parseCommandLine(argv);
}

function isOwnFailure(error: unknown): boolean {
  return error instanceof ClaudeSyncError && error.code !== "interrupted";
}

function commandName(line: CommandLine): string {
  switch (line.kind) {
    case "run":
      return line.invocation.command;
    case "wrong":
      return line.command;
    case "nothing":
      return "";
    default:
      return line.kind;
  }
}

async function runLine(
  line: CommandLine,
  flags: GlobalFlags,
  style: OutputStyle,
  world: World,
): Promise<number> {
  const { streams } = world;
  switch (line.kind) {
    case "help": {
      const { help } = await import("./commands/itself.ts");
      return printAnswer(streams, style, help(line.topic));
    }
    case "version": {
      const { version } = await import("./commands/itself.ts");
      return printAnswer(streams, style, version(world));
    }
    case "wrong": {
      const exit = printFailure(streams, style, await wrongUsage(line));
      // An exit code of 2 would stop the client from doing what it was about to do.
      return /^hook\b/.test(line.command) ? EXIT.done : exit;
    }
    case "nothing":
      return await runNothing(flags, style, world);
    case "run":
      return await runInvocation(line.invocation, style, world);
  }
}

async function wrongUsage(line: Extract<CommandLine, { kind: "wrong" }>): Promise<ErrorReport> {
  const { helpTopic } = await import("./help.ts");
  const topic = helpTopic([line.command]);
  const hint = line.hint ?? `See: claude-sync help${topic === null ? "" : ` ${topic}`}`;
  return reportOf(new ClaudeSyncError("usage", line.message, { hint }));
}

/** No command: on a terminal the status and the commonest commands, else how to use it. */
async function runNothing(
  flags: GlobalFlags,
  style: OutputStyle,
  world: World,
): Promise<number> {
  const { streams } = world;
  if (style.json || !await streams.isTerminal("stdout")) {
    if (!style.json) {
      const { overviewLines } = await import("./help.ts");
      streams.err(overviewLines().join("\n"));
    }
    const usage = reportOf(new ClaudeSyncError("usage", "No command given"));
    return style.json ? printFailure(streams, style, usage) : EXIT.usage;
  }
  const invocation: Invocation = { ...flags, command: "status", rest: null };
  await runInvocation(invocation, { ...style, command: "status" }, world);
  streams.out([
    "",
    "  claude-sync push              send new turns",
    "  claude-sync pull              bring new turns",
    "  claude-sync list              all sessions, here and in the vault",
    "  claude-sync resume            continue a session here",
    "  claude-sync help              all commands",
  ].join("\n"));
  return EXIT.done;
}

async function runInvocation(
  invocation: Invocation,
  style: OutputStyle,
  world: World,
): Promise<number> {
  const { platform, streams } = world;
  const progress = new Progress(
    streams,
    platform.clock,
    await progressMode(invocation, style, world),
    (message) => style.quiet ? undefined : streams.err(message),
  );
  const folder = homeFolder(platform.host, invocation.profile ?? null);
  const context: SyncContext = {
    platform,
    ...folder,
    openStore: async (location, options) => {
      const { openStore } = await import("../storage/open.ts");
      const { readSavedKeys } = await import("../sync/saved_keys.ts");
      const { keys, ...rest } = options;
      return await openStore(location, {
        platform,
        cacheDir: storeCache(folder),
        note: (message) => progress.show({ kind: "note", message }),
        signal: world.signal,
        savedKeys: () => keys ?? readSavedKeys(platform, folder.home, location),
        ...rest,
      });
    },
    limits: limitsOf(invocation),
    signal: world.signal,
    onProgress: (event) => progress.show(event),
  };
  switch (invocation.command) {
    case "hook session-start":
    case "hook session-end":
    case "hook stop":
      await hook(world, invocation);
      return EXIT.done;
    case "hook worker":
      await hookWorker(world, world.service, context, invocation);
      return EXIT.done;
  }
  const isOutTerminal = await streams.isTerminal("stdout");
  const base = {
    world,
    flags: invocation,
    paint: painter(hasColours(platform.host, invocation.color, isOutTerminal)),
    confirm: (question: string, flag: string) => confirm(invocation, world, question, flag),
    confirmByTyping: (question: string, expected: string, flag: string) =>
      confirm(invocation, world, question, flag, expected),
  };
  let answer: Answer;
  try {
    answer = await dispatch(base, context, invocation);
  } catch (error) {
    if (isExpectedAtStart(invocation, error)) return reportOf(error).exit;
    throw error;
  } finally {
    progress.clear();
  }
  return printAnswer(streams, style, answer);
}

/** What the flags say about limits; what they leave out is as `init` was told. */
function limitsOf(invocation: Invocation): TransferLimitChanges {
  if (!("limitUpload" in invocation)) return {};
  const { limitUpload, limitDownload, concurrency } = invocation;
  return {
    ...(limitUpload === undefined ? {} : { uploadBytesPerSecond: limitUpload }),
    ...(limitDownload === undefined ? {} : { downloadBytesPerSecond: limitDownload }),
    ...(concurrency === undefined ? {} : { concurrency }),
  };
}

/** Before Claude Code starts, being offline, busy or not set up is nothing to talk about. */
function isExpectedAtStart(invocation: Invocation, error: unknown): boolean {
  if (invocation.command !== "pull" || invocation.withinSeconds === undefined) return false;
  const quiet: readonly number[] = [EXIT.unreachable, EXIT.notSetUp, EXIT.busy];
  return quiet.includes(reportOf(error).exit);
}

async function progressMode(
  invocation: Invocation,
  style: OutputStyle,
  world: World,
): Promise<"line" | "lines" | "none"> {
  const isHook = invocation.command.startsWith("hook ");
  if (style.quiet || style.json || isHook) return "none";
  const { host } = world.platform;
  const isDumb = host.env("TERM") === "dumb" || host.env("CI") !== undefined;
  return await world.streams.isTerminal("stderr") && !isDumb ? "line" : "lines";
}

async function confirm(
  flags: GlobalFlags,
  world: World,
  question: string,
  flag: string,
  expected: string | null = null,
): ReturnType<CommandDeps["confirm"]> {
  if (flags.yes) return true;
  if (!await canAsk(world, flags)) {
    throw new ClaudeSyncError("usage", `Cannot ask "${question}" here`, {
      hint: `Answer it with ${flag}`,
    });
  }
  return expected === null
    ? await askYesNo(world, question)
    : await askToType(world, question, expected);
}
