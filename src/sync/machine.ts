/** Who this machine is in the vault, and noticing that a home was copied to another computer. */
import { join } from "node:path";
import { sha256Hex } from "../crypto/hash.ts";
import { fromUtf8, utf8 } from "../base/bytes.ts";
import { MACHINE_SEED_BYTES, type MachineIdentity } from "../crypto/machine_identity.ts";
import { machineIdentityFromSeed } from "../crypto/machine_identity.ts";
import { Secret } from "../base/secret.ts";
import { ClaudeSyncError } from "../errors.ts";
import type { Platform } from "../platform/types.ts";
import { machineTag } from "../vault/names.ts";
import { type HomePaths, readMachineFile, writeMachineFile } from "./home.ts";
import { createSecretFile, readSecretFile } from "./key_file.ts";

/** This machine's identity and the tag of its log. */
export interface Machine {
  readonly identity: MachineIdentity;
  readonly tag: string;
}

/**
 * What `openMachine` found. `copied-home`: the identity belongs to another computer, so a new one
 * was made.
 */
export interface OpenedMachine {
  readonly machine: Machine;
  readonly made: "existing" | "new" | "copied-home";
}

/**
 * Opens this machine's identity, making one when there is none, when its two files do not belong
 * together or when the home came from another computer: two computers must never continue one log.
 * Errors: `unsafe-file`, `malformed-file`, `local-io`.
 */
export async function openMachine(platform: Platform, paths: HomePaths): Promise<OpenedMachine> {
  const hostHash = hashOfHost(platform);
  const file = readMachineFile(platform, paths);
  const seed = readSecretFile(platform, paths.machineSeed);
  if (file !== null && seed !== null && file.hostHash === hostHash) {
    if (seed.length !== MACHINE_SEED_BYTES) {
      throw new ClaudeSyncError("malformed-file", `"${paths.machineSeed}" is no machine key`, {
        path: paths.machineSeed,
      });
    }
    const identity = await machineIdentityFromSeed(new Secret(seed));
    if ((file.machineId ?? identity.id) === identity.id) {
      return { machine: { identity, tag: file.tag }, made: "existing" };
    }
  }
  if (file !== null && seed !== null && file.hostHash !== hostHash) {
    park(platform, paths, file.hostHash);
    if (unpark(platform, paths, hostHash)) return await openMachine(platform, paths);
  }
  const machine = await replaceMachine(platform, paths);
  const made = file !== null && file.hostHash !== hostHash ? "copied-home" : "new";
  return { machine, made };
}

/**
 * Gives this machine a new identity and a log of its own; the old one is set aside. Errors: `busy`,
 * `unsafe-file`, `local-io`.
 */
export async function replaceMachine(platform: Platform, paths: HomePaths): Promise<Machine> {
  if (readSecretFile(platform, paths.machineSeed) !== null) setAside(platform, paths.machineSeed);
  const fresh = platform.random.bytes(MACHINE_SEED_BYTES);
  if (!createSecretFile(platform, paths.machineSeed, fresh)) {
    throw new ClaudeSyncError("busy", "Another claude-sync is giving this machine its identity", {
      path: paths.machineSeed,
    });
  }
  const tag = machineTag(platform.random);
  const identity = await machineIdentityFromSeed(new Secret(fresh));
  const hostHash = hashOfHost(platform);
  writeMachineFile(platform, paths, { version: 1, tag, hostHash, machineId: identity.id });
  return { identity, tag };
}

/** Keeps the identity of another computer: its home may come back, or only its name changed. */
function park({ fs }: Platform, paths: HomePaths, hostHash: string): void {
  const parked = parkedPaths(paths, hostHash);
  fs.rename(paths.machine, parked.machine);
  fs.rename(paths.machineSeed, parked.machineSeed);
}

/** Takes this computer's own identity back; false when there is none. */
function unpark({ fs }: Platform, paths: HomePaths, hostHash: string): boolean {
  const parked = parkedPaths(paths, hostHash);
  if (fs.lstat(parked.machine) === null || fs.lstat(parked.machineSeed) === null) return false;
  fs.rename(parked.machineSeed, paths.machineSeed);
  fs.rename(parked.machine, paths.machine);
  return true;
}

function parkedPaths({ dir }: HomePaths, hostHash: string) {
  const base = join(dir, `machine-${hostHash.slice(0, 16)}`);
  return { machine: `${base}.json`, machineSeed: `${base}.key` };
}

function setAside(platform: Platform, path: string): void {
  platform.fs.rename(path, `${path}.old`);
}

/**
 * Facts that differ between computers and stay the same on one. They never leave it, and are hashed
 * all the same. A host's name changes with the network it is in, so it counts only without a better
 * fact.
 */
function hashOfHost({ fs, host }: Platform): string {
  const bytes = host.os === "linux" ? fs.readFile("/etc/machine-id", 4096) : null;
  const machineId = /^[0-9a-f]{32}\s*$/.exec(bytes === null ? "" : fromUtf8(bytes))?.[0].trim();
  return sha256Hex(utf8(JSON.stringify([host.os, machineId ?? host.hostname, host.home])));
}
