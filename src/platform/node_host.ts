import * as fs from "node:fs";
import * as os from "node:os";
import process from "node:process";
import { errnoOf } from "../base/errno.ts";
import { ClaudeSyncError } from "../errors.ts";
import type { Host } from "./types.ts";

/** The real process and machine. */
export function nodeHost(): Host {
  return {
    os: osName(process.platform),
    arch: process.arch,
    pid: process.pid,
    get home() {
      return homeFolder();
    },
    get hostname() {
      return os.hostname();
    },
    uid: process.getuid?.() ?? null,
    executable: process.execPath,
    cwd: () => currentFolder(),
    env: (name) => process.env[name] || undefined,
    process: (pid) => processFacts(pid),
  };
}

/** Unix relatives that are neither macOS nor Windows behave like Linux for our purposes. */
function osName(platform: string): Host["os"] {
  if (platform === "darwin") return "darwin";
  return platform === "win32" ? "windows" : "linux";
}

function homeFolder(): string {
  const home = os.homedir();
  if (home !== "") return home;
  throw new ClaudeSyncError("local-io", "Cannot find the home folder of this user", {
    hint: "Set HOME (on Windows: USERPROFILE) to an absolute path",
  });
}

function currentFolder(): string {
  try {
    return process.cwd();
  } catch (cause) {
    throw new ClaudeSyncError("local-io", "The current folder is gone", {
      cause,
      hint: "Change to a folder that exists, then try again",
    });
  }
}

function processFacts(pid: number): { alive: boolean; startTicks: string | null } {
  // 0 and negative numbers would address process groups.
  if (!Number.isSafeInteger(pid) || pid <= 0) return { alive: false, startTicks: null };
  const status = process.platform === "linux" ? readProcStat(pid) : null;
  if (status?.zombie) return { alive: false, startTicks: null };
  return { alive: answersSignals(pid), startTicks: status?.startTicks ?? null };
}

function answersSignals(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    // Only "there is no such process" proves it: EPERM means that somebody else's runs.
    return errnoOf(error) !== "ESRCH";
  }
}

function readProcStat(pid: number): { startTicks: string; zombie: boolean } | null {
  try {
    return parseProcStat(fs.readFileSync(`/proc/${pid}/stat`, "latin1"));
  } catch (_absent) {
    // No such process, or a system that hides /proc: then there is no start time to tell.
    return null;
  }
}

/**
 * The start time (field 22, clock ticks since boot) and whether it is a zombie, from the text of
 * `/proc/<pid>/stat`; null when the text has another form. The program's name, field 2, may hold
 * spaces, newlines and parentheses, so fields are counted from the last parenthesis.
 */
export function parseProcStat(text: string): { startTicks: string; zombie: boolean } | null {
  const nameEnd = text.lastIndexOf(")");
  if (nameEnd < 0) return null;
  const fields = text.slice(nameEnd + 1).trim().split(" ");
  const state = fields[0];
  const startTicks = fields[19];
  if (state === undefined || startTicks === undefined || !/^\d+$/.test(startTicks)) return null;
  return { startTicks, zombie: state === "Z" || state === "X" };
}
