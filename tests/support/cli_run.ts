/** Command lines in this process, with the real use cases, on a test's machine. */
import process from "node:process";
import { utf8 } from "../../src/base/bytes.ts";
import { runCli } from "../../src/cli/run.ts";
import { syncService } from "../../src/sync/service.ts";
import type { SyncMachine } from "./sync_machine.ts";

/** What is on both ends of the streams. */
export interface Terminal {
  /** Standard input; nothing unless given. */
  readonly input?: string;
  /** Whether somebody looks on. Default: no. */
  readonly isTerminal?: boolean;
}

/** How a command line ended, and what it printed: on standard output, and on both streams. */
export interface CliRun {
  readonly exit: number;
  readonly out: string;
  readonly printed: string;
}

/** Runs a command line as the machine's user. */
export async function runOn(
  machine: SyncMachine,
  argv: readonly string[],
  { input = "", isTerminal = false }: Terminal = {},
): Promise<CliRun> {
  let [out, printed] = ["", ""];
  const say = (text: string) => {
    out += text;
    printed += text;
  };
  const exit = await runCli(argv, {
    platform: machine.platform,
    streams: {
      out: (text) => say(`${text}\n`),
      outPart: say,
      err: (text) => void (printed += `${text}\n`),
      write: (text) => void (printed += text),
      isTerminal: () => Promise.resolve(isTerminal),
      promptOutput: () => process.stderr,
      columns: () => isTerminal ? 120 : null,
      readInput: () => Promise.resolve(utf8(input)),
    },
    service: () => Promise.resolve(syncService),
    signal: new AbortController().signal,
    releaseSignals: () => {},
    self: ["/opt/claude-sync"],
    envNames: [],
    version: "0.0.0",
  });
  return { exit, out, printed };
}
