/**
 * A host of test servers as a program.
 *
 *     deno run -A tests/servers/host_main.ts              until Ctrl-C
 *     deno run -A tests/servers/host_main.ts --while PID  until that process has ended
 */
import process from "node:process";
import { setTimeout as pause } from "node:timers/promises";
import { startServerHost } from "./host.ts";
import { HOST_VARIABLE } from "./servers.ts";

const POLL_INTERVAL_MS = 500;

async function untilGone(pid: number): Promise<void> {
  while (true) {
    try {
      process.kill(pid, 0);
    } catch {
      // No such process: what we wait for.
      return;
    }
    await pause(POLL_INTERVAL_MS);
  }
}

async function main(args: readonly string[]): Promise<void> {
  const host = await startServerHost();
  const [flag, pid] = args;
  if (flag === "--while") {
    process.stdout.write(`${host.origin}\n`);
    await untilGone(Number(pid));
  } else {
    process.stdout.write(`export ${HOST_VARIABLE}=${host.origin}\n`);
    await new Promise<void>((done) => {
      process.once("SIGINT", () => done());
      process.once("SIGTERM", () => done());
    });
  }
  await host.close();
}

await main(process.argv.slice(2));
