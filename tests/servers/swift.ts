/**
 * OpenStack Swift with its `s3api`: a real S3 server at the strict end. It insists on its region,
 * knows no conditional PUT (501), and verifies signatures and hashes. One server of each kind, on
 * loopback, in a folder of their own, without systemd and without root.
 *
 * Debian packages: python3-swift swift-proxy swift-object swift-container swift-account memcached.
 *
 * @module
 */
import { execFile } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdir, rm, writeFile } from "node:fs/promises";
import { createConnection } from "node:net";
import { userInfo } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import {
  answersHttp,
  type Daemon,
  findProgram,
  missingProgram,
  serverFolder,
  serverPath,
  startDaemon,
  untilReady,
} from "./daemon.ts";
import { freePort } from "./free_port.ts";
import type { S3Address } from "./s3_address.ts";

const runFile = promisify(execFile);

/** How long one of Swift's tools may take. */
const TOOL_TIMEOUT_MS = 60_000;

/** Not the usual one, so that a client which guesses is found out. */
const REGION = "eu-test-7";

const KINDS = ["object", "container", "account"] as const;

/** A running server. */
export interface Swift extends S3Address {
  /** Ends all of its processes and removes its folder. */
  stop(): Promise<void>;
}

/** Why Swift cannot run on this machine; null when it can. */
export function whyNoSwift(): string | null {
  const servers = [...KINDS, "proxy"].map((kind) => `swift-${kind}-server`);
  return missingProgram([...servers, "swift-ring-builder", "memcached"]);
}

/** Starts a server with one user and no bucket: about 5 seconds. */
export async function startSwift(): Promise<Swift> {
  const folder = await serverFolder();
  const daemons: Daemon[] = [];
  const stop = async () => {
    await Promise.all(daemons.map((daemon) => daemon.stop()));
    await rm(folder, { recursive: true, force: true });
  };
  try {
    return { ...await start(folder, daemons), stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function start(folder: string, daemons: Daemon[]): Promise<S3Address> {
  const ports = new Map<string, number>();
  for (const name of [...KINDS, "proxy", "memcached"]) ports.set(name, await freePort());
  const port = (name: string) => ports.get(name)!;
  await mkdir(join(folder, "devices", "d1"), { recursive: true });
  const secrets = `swift_hash_path_suffix = ${secret()}\nswift_hash_path_prefix = ${secret()}`;
  const policy = "[storage-policy:0]\nname = only\ndefault = yes";
  await writeFile(join(folder, "swift.conf"), `[swift-hash]\n${secrets}\n${policy}\n`);
  await Promise.all(KINDS.map((kind) => makeRing(folder, kind, port(kind))));
  const env = { PYTHONDONTWRITEBYTECODE: "1" };

  const nobody = userInfo().uid === 0 ? ["-u", "root"] : [];
  const cache = ["memcached", "-l", "127.0.0.1", "-p", `${port("memcached")}`, "-m", "16"];
  daemons.push(startDaemon([...cache, ...nobody], { folder }));
  for (const kind of KINDS) {
    const file = join(folder, `${kind}.conf`);
    await writeFile(file, backendConfiguration(folder, kind, port(kind)));
    daemons.push(startDaemon([`swift-${kind}-server`, file, "-v"], { folder, env }));
  }
  // A proxy that finds a server missing avoids it for a minute: so they come first.
  await untilReady("memcached", daemons, () => accepts(port("memcached")));
  for (const kind of KINDS) {
    await untilReady(`Swift's ${kind} server`, daemons, () => accepts(port(kind)));
  }
  const secretAccessKey = secret();
  const file = join(folder, "proxy.conf");
  await writeFile(
    file,
    proxyConfiguration(folder, port("proxy"), port("memcached"), secretAccessKey),
  );
  daemons.push(startDaemon(["swift-proxy-server", file, "-v"], { folder, env }));
  const endpoint = `http://127.0.0.1:${port("proxy")}`;
  await untilReady("Swift's proxy", daemons, () => answersHttp(`${endpoint}/healthcheck`));
  return { endpoint, region: REGION, accessKeyId: "test:tester", secretAccessKey };
}

function secret(): string {
  return randomBytes(16).toString("hex");
}

// One partition's copy on one device: 16 partitions, 1 replica, moved after 1 hour.
async function makeRing(folder: string, kind: string, port: number): Promise<void> {
  const builder = findProgram("swift-ring-builder")!;
  const steps = [
    ["create", "4", "1", "1"],
    ["add", `r1z1-127.0.0.1:${port}/d1`, "1"],
    ["rebalance"],
  ];
  for (const step of steps) {
    await runFile(builder, [`${kind}.builder`, ...step], {
      cwd: folder,
      env: { PATH: serverPath() },
      timeout: TOOL_TIMEOUT_MS,
    });
  }
}

function defaults(folder: string, port: number): string {
  return `[DEFAULT]
bind_ip = 127.0.0.1
bind_port = ${port}
workers = 0
user = ${userInfo().username}
swift_dir = ${folder}
devices = ${folder}/devices
mount_check = false
log_level = WARNING
`;
}

function backendConfiguration(folder: string, kind: string, port: number): string {
  return `${defaults(folder, port)}
# Refuses to write below this much free space: a developer's disk may be full.
fallocate_reserve = 0
[pipeline:main]
pipeline = ${kind}-server
[app:${kind}-server]
use = egg:swift#${kind}
`;
}

function proxyConfiguration(
  folder: string,
  port: number,
  cachePort: number,
  secretAccessKey: string,
): string {
  const start = "catch_errors gatekeeper healthcheck cache listing_formats";
  const end = "s3api tempauth copy slo dlo versioned_writes proxy-server";
  return `${defaults(folder, port)}
[pipeline:main]
pipeline = ${start} ${end}
[app:proxy-server]
use = egg:swift#proxy
account_autocreate = true
[filter:tempauth]
use = egg:swift#tempauth
user_test_tester = ${secretAccessKey} .admin
[filter:s3api]
use = egg:swift#s3api
location = ${REGION}
[filter:cache]
use = egg:swift#memcache
memcache_servers = 127.0.0.1:${cachePort}
${
    ["catch_errors", "gatekeeper", "healthcheck", "listing_formats", "copy", "slo", "dlo"]
      .concat("versioned_writes").map((name) => `[filter:${name}]\nuse = egg:swift#${name}`)
      .join("\n")
  }
`;
}

function accepts(port: number): Promise<boolean> {
  return new Promise((done) => {
    const socket = createConnection({ port, host: "127.0.0.1" });
    socket.on("connect", () => {
      done(true);
      socket.destroy();
    });
    socket.on("error", () => done(false));
  });
}
