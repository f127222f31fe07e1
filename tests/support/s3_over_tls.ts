/** The strict S3 behind a real HTTPS server with an authority of its own, and a proxy before it. */
import { spawnSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { createServer as createHttpServer } from "node:http";
import { createServer } from "node:https";
import { type AddressInfo, connect, type Server, type Socket } from "node:net";
import { join } from "node:path";
import type { Bytes } from "../../src/base/bytes.ts";
import type { StrictS3 } from "./strict_s3.ts";

/** A server that is ended with the test. */
export interface RunningServer extends AsyncDisposable {
  readonly url: string;
}

function openssl(dir: string, ...args: string[]): void {
  const { status, stderr } = spawnSync("openssl", args, { cwd: dir, encoding: "utf8" });
  if (status !== 0) throw new Error(`openssl ${args[0]}: ${stderr}`);
}

/** Makes an authority in `dir` and a certificate for 127.0.0.1; gives the authority's file. */
export function makeAuthority(dir: string): string {
  const key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];
  const subject = (name: string) => ["-subj", `/CN=${name}`];
  const own = ["-keyout", "ca.key", "-out", "ca.pem", "-days", "2"];
  openssl(dir, "req", "-x509", ...key, ...own, ...subject("claude-sync test"));
  openssl(dir, "req", ...key, "-keyout", "s.key", "-out", "s.csr", ...subject("127.0.0.1"));
  writeFileSync(join(dir, "s.ext"), "subjectAltName=IP:127.0.0.1\n");
  const signed = ["-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-extfile", "s.ext"];
  openssl(dir, "x509", "-req", "-in", "s.csr", ...signed, "-days", "2", "-out", "s.pem");
  return join(dir, "ca.pem");
}

async function listening(server: Server, scheme: string): Promise<RunningServer> {
  const sockets = new Set<Socket>();
  server.on("connection", (socket: Socket) => {
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket));
    socket.on("error", () => socket.destroy());
  });
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  const { port } = server.address() as AddressInfo;
  return {
    url: `${scheme}://127.0.0.1:${port}`,
    [Symbol.asyncDispose]: async () => {
      for (const socket of sockets) socket.destroy();
      await new Promise((done) => server.close(done));
    },
  };
}

/** What every runtime's fetch adds, and no signature covers. */
const OF_THE_LINE = new Set([
  "accept",
  "accept-encoding",
  "accept-language",
  "connection",
  "content-length",
  "host",
  "sec-fetch-mode",
  "user-agent",
]);

/** Serves `s3` over TLS with what `makeAuthority` made in `dir`. */
export async function serveOverTls(s3: StrictS3, dir: string): Promise<RunningServer> {
  const keys = { key: readFileSync(join(dir, "s.key")), cert: readFileSync(join(dir, "s.pem")) };
  const server = createServer(keys, (request, response) => {
    const chunks: Uint8Array[] = [];
    request.on("data", (chunk: Uint8Array) => chunks.push(chunk));
    request.on("end", async () => {
      const headers = Object.fromEntries(
        Object.entries(request.headers).filter(([name]) => !OF_THE_LINE.has(name))
          .map(([name, value]) => [name, String(value)]),
      );
      const body = new Uint8Array(await new Blob(chunks as BlobPart[]).arrayBuffer()) as Bytes;
      const answer = await s3.request({
        method: request.method ?? "GET",
        url: `https://${request.headers.host}${request.url}`,
        headers,
        ...(body.length === 0 ? {} : { body }),
        timeoutMs: 1,
        bodyBytesMax: Infinity,
      });
      response.writeHead(answer.status, Object.fromEntries(answer.headers));
      response.end(answer.body);
    });
  });
  return await listening(server, "https");
}

/** A proxy for HTTPS; `targets` grows by `host:port` with every connection through it. */
export async function tunnelProxy(targets: string[]): Promise<RunningServer> {
  const server = createHttpServer((_, response) => response.writeHead(405).end());
  server.on("connect", (request, client: Socket) => {
    targets.push(request.url ?? "");
    const [host, port] = (request.url ?? "").split(":");
    const target = connect(Number(port), host, () => {
      client.write("HTTP/1.1 200 OK\r\n\r\n");
      target.pipe(client);
      client.pipe(target);
    });
    const end = () => void (target.destroy(), client.destroy());
    for (const socket of [target, client]) socket.on("error", end).on("close", end);
  });
  return await listening(server, "http");
}
