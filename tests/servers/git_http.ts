/**
 * Git over HTTP as hosts serve it: nginx in front of Git's own `http-backend`, with basic
 * authentication, optionally over TLS with a certificate of its own authority.
 *
 * Debian packages: nginx-light fcgiwrap git (and openssl for TLS).
 *
 * @module
 */
import { execFile } from "node:child_process";
import { randomBytes } from "node:crypto";
import fs from "node:fs";
import { mkdir, rm, writeFile } from "node:fs/promises";
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

/** What a client needs, and where the repositories are. */
export interface GitHttpAddress {
  /** Such as `http://127.0.0.1:23456`. */
  readonly origin: string;
  readonly user: string;
  readonly password: string;
  /** Repositories made here with `makeRepository` are served under `ORIGIN/NAME.git`. */
  readonly folder: string;
  /** The certificate of the authority, in PEM, that clients must trust; null without TLS. */
  readonly authorityFile: string | null;
}

/** A running server. */
export interface GitHttp extends GitHttpAddress, AsyncDisposable {
  /** Ends its processes and removes its folder with all repositories. */
  stop(): Promise<void>;
}

/** How the server differs from a friendly one. */
export interface GitHttpOptions {
  /** Default "basic". */
  readonly auth?: "basic" | "none";
  /** Larger request bodies get 413. Default 1 GiB. */
  readonly bodyBytesMax?: number;
  /** Whether clients may speak version 2 of Git's protocol. Default "v2". */
  readonly protocol?: "v0" | "v2";
  /** Default "none". */
  readonly tls?: "own authority" | "none";
}

/** Why this server cannot run on this machine; null when it can. */
export function whyNoGitHttp(): string | null {
  const missing = missingProgram(["nginx", "fcgiwrap", "git", "openssl"]);
  if (missing !== null) return missing;
  return gitBackend() === null ? "git-http-backend is not installed" : null;
}

/** The address of a repository; credentials are in it when asked for. */
export function gitHttpUrl(
  { origin, user, password }: GitHttpAddress,
  name: string,
  credentials: "in the address" | "left out" = "in the address",
): string {
  const url = new URL(`${origin}/${name}.git`);
  if (credentials === "in the address") [url.username, url.password] = [user, password];
  return url.href;
}

/** Starts a server without repositories: well under a second. */
export async function startGitHttp(options: GitHttpOptions = {}): Promise<GitHttp> {
  const folder = await serverFolder();
  const daemons: Daemon[] = [];
  const stop = async () => {
    for (const daemon of [...daemons].reverse()) await daemon.stop();
    await rm(folder, { recursive: true, force: true });
  };
  try {
    return { ...await start(folder, daemons, options), stop, [Symbol.asyncDispose]: stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function start(
  folder: string,
  daemons: Daemon[],
  options: GitHttpOptions,
): Promise<GitHttpAddress> {
  const repositories = join(folder, "repositories");
  for (const path of [repositories, join(folder, "tmp")]) await mkdir(path);
  const user = "tester";
  const password = randomBytes(12).toString("hex");
  await writeFile(join(folder, "passwords"), `${user}:{PLAIN}${password}\n`);
  const hasTls = options.tls === "own authority";
  if (hasTls) await makeCertificates(folder);
  const port = await freePort();
  await writeFile(join(folder, "nginx.conf"), configuration(folder, port, options));

  const socket = join(folder, "cgi");
  // Several, because a push and the fetches beside it are requests that wait for each other.
  daemons.push(startDaemon(["fcgiwrap", "-c", "8", "-s", `unix:${socket}`], { folder }));
  await untilReady("fcgiwrap", daemons, () => Promise.resolve(fs.existsSync(socket)));
  const error = join(folder, "nginx-error.log");
  daemons.push(startDaemon(["nginx", "-p", folder, "-c", "nginx.conf", "-e", error], { folder }));
  const pid = join(folder, "nginx.pid");
  await untilReady("nginx", daemons, () => Promise.resolve(fs.existsSync(pid)));
  return {
    origin: `${hasTls ? "https" : "http"}://127.0.0.1:${port}`,
    user,
    password,
    folder: repositories,
    authorityFile: hasTls ? join(folder, "authority.pem") : null,
  };
}

function gitBackend(): string | null {
  for (const folder of ["/usr/lib/git-core", "/usr/libexec/git-core"]) {
    const path = join(folder, "git-http-backend");
    if (fs.existsSync(path)) return path;
  }
  return findProgram("git-http-backend");
}

function configuration(folder: string, port: number, options: GitHttpOptions): string {
  const { auth = "basic", bodyBytesMax = 1024 ** 3, protocol = "v2", tls = "none" } = options;
  const certificate = `ssl_certificate server.pem; ssl_certificate_key server.key;`;
  const password = `auth_basic "git"; auth_basic_user_file ${folder}/passwords;`;
  const settings = Object.entries(SERVER_GIT_ENV).map(([name, value]) =>
    `fastcgi_param ${name} ${value};`
  );
  return `
daemon off;
worker_processes 1;
${userInfo().uid === 0 ? "user root;" : ""}
pid ${folder}/nginx.pid;
events { worker_connections 256; }
http {
  access_log off;
  client_body_temp_path ${folder}/tmp/body;
  fastcgi_temp_path ${folder}/tmp/fastcgi;
  proxy_temp_path ${folder}/tmp/proxy;
  scgi_temp_path ${folder}/tmp/scgi;
  uwsgi_temp_path ${folder}/tmp/uwsgi;
  client_max_body_size ${bodyBytesMax};
  server {
    listen 127.0.0.1:${port}${tls === "none" ? "" : " ssl"};
    ${tls === "none" ? "" : certificate}
    location / {
      ${auth === "none" ? "" : password}
      fastcgi_pass unix:${folder}/cgi;
      fastcgi_read_timeout 600;
      fastcgi_param SCRIPT_FILENAME ${gitBackend()};
      fastcgi_param GIT_PROJECT_ROOT ${folder}/repositories;
      fastcgi_param GIT_HTTP_EXPORT_ALL 1;
      ${settings.join("\n      ")}
      fastcgi_param PATH_INFO $uri;
      fastcgi_param QUERY_STRING $query_string;
      fastcgi_param REQUEST_METHOD $request_method;
      fastcgi_param CONTENT_TYPE $content_type;
      fastcgi_param CONTENT_LENGTH $content_length;
      fastcgi_param HTTP_CONTENT_ENCODING $http_content_encoding;
      fastcgi_param REMOTE_USER $remote_user;
      fastcgi_param REMOTE_ADDR $remote_addr;
      fastcgi_param HTTP_GIT_PROTOCOL "${protocol === "v2" ? "$http_git_protocol" : ""}";
    }
  }
}
`;
}

/** An authority, and a certificate for 127.0.0.1 and localhost that it has signed. */
async function makeCertificates(folder: string): Promise<void> {
  const openssl = async (...args: string[]) => {
    await runFile("openssl", args, { cwd: folder, env: { PATH: serverPath() } });
  };
  const key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"];
  const authority = ["-keyout", "authority.key", "-out", "authority.pem", "-days", "2"];
  await openssl("req", "-x509", ...key, ...authority, "-subj", "/CN=claude-sync test authority");
  await openssl(
    "req",
    ...key,
    "-keyout",
    "server.key",
    "-out",
    "request",
    "-subj",
    "/CN=localhost",
  );
  await writeFile(
    join(folder, "extensions"),
    "subjectAltName = IP:127.0.0.1, DNS:localhost\nextendedKeyUsage = serverAuth\n",
  );
  const signer = ["-CA", "authority.pem", "-CAkey", "authority.key", "-CAcreateserial"];
  const certificate = ["-extfile", "extensions", "-out", "server.pem", "-days", "2"];
  await openssl("x509", "-req", "-in", "request", ...signer, ...certificate);
}
