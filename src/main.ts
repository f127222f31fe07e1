/** The program: decides between the hooks' fast way and the whole command line. */
import { basename } from "node:path";
import process from "node:process";
import { parseHookArgs, runHook } from "./cli/hook.ts";
import { ClaudeSyncError } from "./errors.ts";
import { nodeClock, nodePlatform } from "./platform/node.ts";
import { nodeStdio, readInputSync } from "./platform/node_stdio.ts";

const RUNTIMES = new Set(["deno", "bun", "node", "deno.exe", "bun.exe", "node.exe"]);

/** What starts this program again: itself, or the runtime that runs it from its source. */
function selfCommand(): [string, ...string[]] {
  const isRuntime = RUNTIMES.has(basename(process.execPath).toLowerCase());
  if (!isRuntime) return [process.execPath];
  return [process.execPath, "run", "--quiet", "-A", import.meta.filename ?? import.meta.url];
}

/** Runs a hook without loading anything else; false when the arguments have another form. */
async function runFastHook(args: readonly string[]): Promise<boolean> {
  const hook = parseHookArgs(args);
  if (hook === null) return false;
  await runHook(hook.event, hook.profile, {
    platform: nodePlatform(),
    self: selfCommand(),
    envNames: Object.keys(process.env),
    readInput: readInputSync,
    out: console.log,
  });
  return true;
}

async function main(args: readonly string[]): Promise<void> {
  delete process.env.NODE_TLS_REJECT_UNAUTHORIZED;
  process.umask(0o077);
  if (await runFastHook(args)) process.exit(0);
  // The hook that started us is still on its way out, and the user waits for it, not for us. Where
  // there is a shell, that has waited in our place.
  const isPush = args[0] === "hook" && args[2] === "push";
  if (isPush && process.platform === "win32") await nodeClock().sleep(100);
  const interrupted = new AbortController();
  const onSignal = () => {
    if (interrupted.signal.aborted) process.exit(130);
    interrupted.abort(new ClaudeSyncError("interrupted", "Interrupted"));
  };
  const signals = ["SIGINT", "SIGTERM"] as const;
  for (const signal of signals) process.on(signal, onSignal);
  const { runCli } = await import("./cli/run.ts");
  const { default: manifest } = await import("../deno.json", { with: { type: "json" } });
  process.exit(
    await runCli(args, {
      platform: nodePlatform(),
      streams: { ...nodeStdio(), ...(process.platform === "win32" ? { out: console.log } : {}) },
      service: async () => (await import("./sync/service.ts")).syncService,
      signal: interrupted.signal,
      releaseSignals: () => signals.forEach((signal) => process.off(signal, onSignal)),
      self: selfCommand(),
      envNames: Object.keys(process.env),
      version: manifest.version,
    }),
  );
}

if (import.meta.main) await main(process.argv.slice(2));
