/**
 * Ceph's RADOS Gateway: a real S3 server that verifies signatures and conditions. One monitor, one
 * disk and one gateway, on loopback, in a folder of their own, without systemd and without root.
 *
 * Debian packages: ceph-mon ceph-osd radosgw.
 *
 * @module
 */
import { execFile } from "node:child_process";
import { randomBytes, randomUUID } from "node:crypto";
import { mkdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import {
  answersHttp,
  type Daemon,
  missingProgram,
  serverFolder,
  serverPath,
  startDaemon,
  untilReady,
} from "./daemon.ts";
import { freePort } from "./free_port.ts";
import type { S3Address } from "./s3_address.ts";

const runFile = promisify(execFile);

/** How long one of Ceph's tools may take. */
const TOOL_TIMEOUT_MS = 60_000;

/** A running gateway. */
export interface Rgw extends S3Address {
  /** Ends all of its processes and removes its folder. */
  stop(): Promise<void>;
}

/** Why the gateway cannot run on this machine; null when it can. */
export function whyNoRgw(): string | null {
  return missingProgram(["radosgw", "ceph-mon", "ceph-osd", "ceph", "ceph-authtool"]);
}

/** Starts a gateway with one user and no bucket: about 15 seconds. */
export async function startRgw(): Promise<Rgw> {
  const folder = await serverFolder();
  const daemons: Daemon[] = [];
  const stop = async () => {
    // In reverse: each needs those before it to end in good order.
    for (const daemon of [...daemons].reverse()) await daemon.stop();
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
  const fsid = randomUUID();
  const [v2, v1, http] = [await freePort(), await freePort(), await freePort()];
  const monitors = `[v2:127.0.0.1:${v2},v1:127.0.0.1:${v1}]`;
  for (const name of ["mon", "osd", "rgw", "run", "log"]) await mkdir(join(folder, name));
  await writeFile(join(folder, "ceph.conf"), configuration(folder, fsid, monitors, http));
  const env = { CEPH_CONF: join(folder, "ceph.conf") };
  const tool = async (name: string, ...args: string[]) => {
    const where = { cwd: folder, env: { ...env, PATH: serverPath() }, timeout: TOOL_TIMEOUT_MS };
    return (await runFile(name, args, where)).stdout;
  };
  const daemon = (name: string, ...args: string[]) => {
    daemons.push(startDaemon([name, "-f", ...args], { folder, env }));
  };

  await makeKeyring(tool);
  await tool("monmaptool", "--create", "--fsid", fsid, "--addv", "a", monitors, "monmap");
  await tool("ceph-mon", "--mkfs", "-i", "a", "--monmap", "monmap", "--keyring", "keyring");
  daemon("ceph-mon", "-i", "a");
  const disk = randomUUID();
  await tool("ceph", "osd", "new", disk);
  await tool("ceph-osd", "-i", "0", "--mkfs", "--osd-uuid", disk);
  daemon("ceph-osd", "-i", "0", "--osd-uuid", disk);
  await untilReady(
    "Ceph's disk",
    daemons,
    async () => (await tool("ceph", "osd", "stat")).includes("1 up"),
  );
  daemon("radosgw", "-n", "client.rgw.a");
  const endpoint = `http://127.0.0.1:${http}`;
  await untilReady("radosgw", daemons, () => answersHttp(endpoint), 120_000);
  const [accessKeyId, secretAccessKey] = [secret(10), secret(20)];
  const user = ["--uid=test", "--display-name=test", `--access-key=${accessKeyId}`];
  const name = ["-n", "client.rgw.a", "--admin-socket="];
  await tool(
    "radosgw-admin",
    ...name,
    "user",
    "create",
    ...user,
    `--secret-key=${secretAccessKey}`,
  );
  return { endpoint, region: "us-east-1", accessKeyId, secretAccessKey };
}

function secret(bytes: number): string {
  return randomBytes(bytes).toString("hex").toUpperCase();
}

// `auth none` would make radosgw hang, so there are keys, each allowed everything.
async function makeKeyring(tool: (name: string, ...args: string[]) => Promise<string>) {
  await tool("ceph-authtool", "--create-keyring", "keyring");
  const users = {
    "mon.": ["mon"],
    "client.admin": ["mon", "osd"],
    "osd.0": ["mon", "osd"],
    "client.rgw.a": ["mon", "osd"],
  };
  for (const [user, services] of Object.entries(users)) {
    const caps = services.flatMap((service) => ["--cap", service, "allow *"]);
    await tool("ceph-authtool", "keyring", "--gen-key", "-n", user, ...caps);
  }
}

function configuration(folder: string, fsid: string, monitors: string, http: number): string {
  return `
[global]
fsid = ${fsid}
mon_host = ${monitors}
public_addr = 127.0.0.1
cluster_addr = 127.0.0.1
keyring = ${folder}/keyring
auth_allow_insecure_global_id_reclaim = false
osd_pool_default_size = 1
osd_pool_default_min_size = 1
osd_pool_default_pg_num = 1
osd_pool_default_pgp_num = 1
osd_pool_default_pg_autoscale_mode = off
osd_crush_chooseleaf_type = 0
mon_allow_pool_size_one = true
mon_max_pg_per_osd = 1000
# A developer's disk may be fuller than a cluster's.
mon_data_avail_crit = 1
mon_data_avail_warn = 2
osd_objectstore = memstore
memstore_device_bytes = 8589934592
bluestore_block_size = 8589934592
osd_memory_target = 939524096
run_dir = ${folder}/run
log_file = ${folder}/log/$name.log
admin_socket = ${folder}/run/$name.$pid.asok
pid_file = ${folder}/run/$name.pid
debug_ms = 0
[mon.a]
mon_data = ${folder}/mon
[osd.0]
osd_data = ${folder}/osd
[client.rgw.a]
rgw_frontends = beast endpoint=127.0.0.1:${http}
rgw_data = ${folder}/rgw
rgw_dns_name = localhost
`;
}
