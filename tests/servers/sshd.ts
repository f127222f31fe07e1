/**
 * OpenSSH's server on loopback, for Git over SSH: a host key and a user's key of its own, no
 * passwords. Whoever runs the tests logs in as themselves.
 *
 * Debian packages: openssh-server openssh-client git.
 *
 * @module
 */
import { execFile } from "node:child_process";
import fs from "node:fs";
import { copyFile, mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { createConnection } from "node:net";
import { userInfo } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import {
  type Daemon,
  findProgram,
  missingProgram,
  serverFolder,
  serverPath,
  startDaemon,
  untilReady,
} from "./daemon.ts";
import { freePort } from "./free_port.ts";
import { SERVER_GIT_ENV } from "./git_repository.ts";

const runFile = promisify(execFile);

/** The host's name in the clients' configuration, for addresses such as `NAME:path`. */
const SSH_HOST_ALIAS = "git-host";

/** What a client needs, and where the repositories are. */
export interface SshAddress {
  readonly port: number;
  readonly user: string;
  /** Repositories made here with `makeRepository` are served by their path. */
  readonly folder: string;
  /** The only key that the server takes. */
  readonly userKeyFile: string;
  /** The server's key as `known_hosts` has it. */
  readonly knownHostsFile: string;
}

/** A running server. */
export interface Sshd extends SshAddress, AsyncDisposable {
  /** Ends its processes and removes its folder with all repositories. */
  stop(): Promise<void>;
}

/** Why this server cannot run on this machine; null when it can. */
export function whyNoSshd(): string | null {
  return missingProgram(["sshd", "ssh", "ssh-keygen", "git"]);
}

/** `ssh://USER@127.0.0.1:PORT/…/NAME.git` */
export function sshUrl({ user, port, folder }: SshAddress, name: string): string {
  return `ssh://${user}@127.0.0.1:${port}${folder}/${name}.git`;
}

/** `git-host:/…/NAME.git`, for who uses `sshClient`. */
export function scpLikeUrl({ folder }: SshAddress, name: string): string {
  return `${SSH_HOST_ALIAS}:${folder}/${name}.git`;
}

/** What a client's machine knows. */
export interface SshClientOptions {
  /** Default "known"; "changed" is what a machine in the middle looks like. */
  readonly hostKey?: "known" | "unknown" | "changed";
  /** Default "accepted"; "refused" is a key that the server does not know. */
  readonly userKey?: "accepted" | "refused" | "none";
}

/**
 * Makes the `~/.ssh` of a client in an empty folder and a program `ssh` that uses it.
 *
 * OpenSSH finds its files by the user's entry in /etc/passwd and not by HOME. So a test puts the
 * folder given back in front of PATH, and everything else calls `ssh` as it would for a user.
 *
 * @returns the folder with `ssh` in it.
 */
export async function sshClient(
  address: SshAddress,
  folder: string,
  options: SshClientOptions = {},
): Promise<string> {
  const { hostKey = "known", userKey = "accepted" } = options;
  const [dot, bin] = [join(folder, ".ssh"), join(folder, "bin")];
  await mkdir(dot, { recursive: true, mode: 0o700 });
  await mkdir(bin, { recursive: true });
  const [keyFile, otherKey] = [join(dot, "id_ed25519"), join(dot, "other")];
  await makeKey(otherKey);
  if (userKey === "accepted") await copyFile(address.userKeyFile, keyFile);
  if (userKey === "refused") await copyFile(otherKey, keyFile);
  if (userKey !== "none") await fs.promises.chmod(keyFile, 0o600);
  const knownHosts = {
    known: await readFile(address.knownHostsFile, "utf8"),
    unknown: "",
    changed: `[127.0.0.1]:${address.port} ${await readFile(`${otherKey}.pub`, "utf8")}`,
  };
  await writeFile(join(dot, "known_hosts"), knownHosts[hostKey]);
  const config = `
Host ${SSH_HOST_ALIAS}
  HostName 127.0.0.1
  Port ${address.port}
  User ${address.user}
Host *
  IdentityFile ${keyFile}
  IdentitiesOnly yes
  IdentityAgent none
  UserKnownHostsFile ${dot}/known_hosts
  GlobalKnownHostsFile /dev/null
`;
  await writeFile(join(dot, "config"), config);
  const program = `#!/bin/sh\nexec '${findProgram("ssh")}' -F '${dot}/config' "$@"\n`;
  await writeFile(join(bin, "ssh"), program, { mode: 0o755 });
  return bin;
}

/** Starts a server without repositories: well under a second. */
export async function startSshd(): Promise<Sshd> {
  const folder = await serverFolder();
  const daemons: Daemon[] = [];
  const stop = async () => {
    for (const daemon of daemons) await daemon.stop();
    await rm(folder, { recursive: true, force: true });
  };
  try {
    return { ...await start(folder, daemons), stop, [Symbol.asyncDispose]: stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function start(folder: string, daemons: Daemon[]): Promise<SshAddress> {
  const { username: user, uid } = userInfo();
  const [hostKey, userKeyFile] = [join(folder, "host_key"), join(folder, "user_key")];
  const repositories = join(folder, "repositories");
  await mkdir(repositories);
  await makeKey(hostKey);
  await makeKey(userKeyFile);
  await copyFile(`${userKeyFile}.pub`, join(folder, "authorized_keys"));
  const port = await freePort();
  const knownHostsFile = join(folder, "known_hosts");
  const publicKey = await readFile(`${hostKey}.pub`, "utf8");
  await writeFile(knownHostsFile, `[127.0.0.1]:${port} ${publicKey}`);
  await writeFile(join(folder, "sshd_config"), configuration(folder, port));
  // What the service's unit file would have made.
  if (uid === 0) await mkdir("/run/sshd", { recursive: true, mode: 0o755 });
  const command = [findProgram("sshd")!, "-D", "-e", "-f", join(folder, "sshd_config")];
  daemons.push(startDaemon(command, { folder }));
  await untilReady("sshd", daemons, () => greetsSsh(port));
  return { port, user, folder: repositories, userKeyFile, knownHostsFile };
}

async function makeKey(path: string): Promise<void> {
  const args = ["-q", "-t", "ed25519", "-N", "", "-C", "test", "-f", path];
  await runFile("ssh-keygen", args, { env: { PATH: serverPath() } });
}

function configuration(folder: string, port: number): string {
  const settings = Object.entries(SERVER_GIT_ENV).map(([name, value]) => `${name}=${value}`);
  return `
ListenAddress 127.0.0.1:${port}
HostKey ${folder}/host_key
AuthorizedKeysFile ${folder}/authorized_keys
PidFile none
UsePAM no
StrictModes no
PasswordAuthentication no
KbdInteractiveAuthentication no
PubkeyAuthentication yes
PermitRootLogin prohibit-password
AcceptEnv GIT_PROTOCOL
SetEnv ${settings.join(" ")}
PrintMotd no
# Many connections at once are what some tests are about.
MaxStartups 100
MaxSessions 100
`;
}

function greetsSsh(port: number): Promise<boolean> {
  return new Promise((done) => {
    const socket = createConnection({ port, host: "127.0.0.1" });
    socket.on("data", (bytes) => {
      done(bytes.toString("latin1").startsWith("SSH-2.0"));
      socket.destroy();
    });
    socket.on("error", () => done(false));
    socket.on("close", () => done(false));
  });
}
