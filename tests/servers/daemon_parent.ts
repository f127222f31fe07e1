/**
 * A program that starts a server process and then does nothing, to be killed: prints the server's
 * folder. For `daemon_test.ts`.
 */
import process from "node:process";
import { setTimeout as pause } from "node:timers/promises";
import { serverFolder, startDaemon } from "./daemon.ts";

/** Longer than any test waits. */
const LIFETIME_MS = 600_000;

const folder = await serverFolder();
startDaemon(["sleep", "600"], { folder });
process.stdout.write(`${folder}\n`);
await pause(LIFETIME_MS);
