/** Places for a vault on real servers, the same for every test that goes over all of them. */
import { randomUUID } from "node:crypto";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { type FaultProxy, startFaultProxy } from "../servers/fault_proxy.ts";
import { startGcsFake } from "../servers/gcs_fake.ts";
import { gitHttpUrl } from "../servers/git_http.ts";
import { makeRepository } from "../servers/git_repository.ts";
import type { S3Address } from "../servers/s3_address.ts";
import { sharedServer, type SharedServers } from "../servers/servers.ts";
import { sshClient, sshUrl } from "../servers/sshd.ts";
import type { StoreLocation } from "../../src/storage/location.ts";
import { freshBucketName, makeBucket } from "./s3_bucket.ts";
import type { MachineOptions } from "./sync_machine.ts";

/** Servers that places are on. */
export const PLACES = ["rgw", "swift", "git-http", "sshd"] as const satisfies readonly (
  keyof SharedServers
)[];

/** One of `PLACES`, or our own imitation of Google Cloud Storage, which needs no server. */
export type PlaceName = (typeof PLACES)[number] | "gcs";

/** An empty place for a vault that several machines can reach. */
export interface StorePlace extends AsyncDisposable {
  readonly location: StoreLocation;
  /** Stands before the server where that speaks HTTP and faults are asked for. */
  readonly proxy: FaultProxy | null;
  /** What a machine with its home at `home` needs to reach it: credentials, as users have them. */
  access(home: string): Promise<Pick<MachineOptions, "location" | "env" | "childEnv">>;
}

/** Makes a place on a server that tests share. `way`: whether a fault proxy stands before it. */
export async function storePlace(
  name: PlaceName,
  way: "direct" | "through a proxy" = "direct",
): Promise<StorePlace> {
  switch (name) {
    case "rgw":
    case "swift":
      return await bucketPlace(await sharedServer(name), way);
    case "git-http":
      return await httpRepository(await sharedServer(name), way);
    case "sshd":
      return await sshRepository(await sharedServer(name));
    case "gcs":
      return await gcsPlace();
  }
}

async function bucketPlace(server: S3Address, way: string): Promise<StorePlace> {
  const bucket = freshBucketName();
  await makeBucket(server, bucket);
  const { endpoint, secretAccessKey, accessKeyId } = server;
  const proxy = way === "direct" ? null : await startFaultProxy({
    upstream: endpoint,
    secretAccessKey,
  });
  const location: StoreLocation = {
    kind: "s3",
    bucket,
    prefix: "team/vault",
    region: null,
    endpoint: proxy?.origin ?? endpoint,
    pathStyle: true,
    awsProfile: null,
  };
  const env = { AWS_ACCESS_KEY_ID: accessKeyId, AWS_SECRET_ACCESS_KEY: secretAccessKey };
  return {
    location,
    proxy,
    access: () => Promise.resolve({ location, env }),
    [Symbol.asyncDispose]: async () => await proxy?.stop(),
  };
}

async function gcsPlace(): Promise<StorePlace> {
  const gcs = await startGcsFake();
  const bucket = freshBucketName();
  gcs.makeBucket(bucket);
  const location: StoreLocation = {
    kind: "gcs",
    bucket,
    prefix: "team/vault",
    auth: "hmac",
    endpoint: gcs.origin,
  };
  const { accessKeyId, secretAccessKey } = gcs.identities.hmac;
  const env = { AWS_ACCESS_KEY_ID: accessKeyId, AWS_SECRET_ACCESS_KEY: secretAccessKey };
  return {
    location,
    proxy: null,
    access: () => Promise.resolve({ location, env }),
    [Symbol.asyncDispose]: async () => await gcs[Symbol.asyncDispose](),
  };
}

async function httpRepository(
  server: SharedServers["git-http"],
  way: string,
): Promise<StorePlace> {
  const name = `vault-${randomUUID()}`;
  await makeRepository(server.folder, name);
  const proxy = way === "direct" ? null : await startFaultProxy({ upstream: server.origin });
  const seen = { ...server, origin: proxy?.origin ?? server.origin };
  const location: StoreLocation = { kind: "git", url: gitHttpUrl(seen, name, "left out") };
  return {
    location,
    proxy,
    access(home) {
      mkdirSync(home, { recursive: true });
      const passwords = join(home, "passwords");
      writeFileSync(passwords, `${gitHttpUrl(seen, name)}\n`, { mode: 0o600 });
      const helper = `[credential]\n\thelper = store --file=${passwords}\n`;
      writeFileSync(join(home, ".gitconfig"), helper);
      return Promise.resolve({ location, childEnv: gitEnv(home) });
    },
    [Symbol.asyncDispose]: async () => await proxy?.stop(),
  };
}

async function sshRepository(server: SharedServers["sshd"]): Promise<StorePlace> {
  const name = `vault-${randomUUID()}`;
  await makeRepository(server.folder, name);
  const location: StoreLocation = { kind: "git", url: sshUrl(server, name) };
  return {
    location,
    proxy: null,
    async access(home) {
      const bin = await sshClient(server, home);
      return {
        location,
        childEnv: { ...gitEnv(home), PATH: `${bin}:${process.env["PATH"]}` },
      };
    },
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
}

function gitEnv(home: string): Record<string, string | null> {
  return { HOME: home, XDG_CONFIG_HOME: null, GIT_CONFIG_NOSYSTEM: "1" };
}
