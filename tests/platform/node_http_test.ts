import assert from "node:assert/strict";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { fromUtf8, utf8 } from "../../src/base/bytes.ts";
import { isClaudeSyncError } from "../../src/errors.ts";
import { nodeHttp, printedRequestsError } from "../../src/platform/node_http.ts";

const http = nodeHttp();
const bounds = { timeoutMs: 10_000, bodyBytesMax: 1000 };

async function withServer(
  answer: (request: IncomingMessage, response: ServerResponse, body: string) => void,
  work: (url: string) => Promise<void>,
): Promise<void> {
  const server = createServer((request, response) => {
    let body = "";
    request.on("data", (chunk) => body += chunk);
    request.on("end", () => answer(request, response, body));
  });
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  const { port } = server.address() as AddressInfo;
  try {
    await work(`http://127.0.0.1:${port}`);
  } finally {
    server.closeAllConnections();
    await new Promise((done) => server.close(done));
  }
}

Deno.test("nodeHttp sends what it is given and gives the whole answer", async () => {
  await withServer((request, response, body) => {
    assert.equal(request.headers["content-type"], undefined);
    assert.equal(request.headers["content-length"], "5");
    response.writeHead(201, { "X-Seen": `${request.method} ${request.url} ${request.headers.a}` });
    response.end(`got ${body}`);
  }, async (url) => {
    const options = { method: "PUT", headers: { a: "1" }, body: utf8("hello"), ...bounds };
    const response = await http.request({ url: `${url}/a%20b?c`, ...options });
    assert.equal(response.status, 201);
    assert.equal(response.headers.get("x-seen"), "PUT /a%20b?c 1");
    assert.equal(fromUtf8(response.body), "got hello");
  });
});

Deno.test("nodeHttp follows no redirect", async () => {
  await withServer((_, response) => {
    response.writeHead(307, { location: "http://127.0.0.1:1/elsewhere" });
    response.end();
  }, async (url) => {
    const response = await http.request({ method: "PUT", url, body: utf8("secret"), ...bounds });
    assert.equal(response.status, 307);
    assert.equal(response.headers.get("location"), "http://127.0.0.1:1/elsewhere");
  });
});

Deno.test("nodeHttp takes an answer at its limit and refuses one past it", async () => {
  await withServer((request, response) => {
    response.end("x".repeat(Number(request.url?.slice(1))));
  }, async (url) => {
    const at = await http.request({ method: "GET", url: `${url}/1000`, ...bounds });
    assert.equal(at.body.length, 1000);
    await assert.rejects(
      http.request({ method: "GET", url: `${url}/1001`, ...bounds }),
      (error) => isClaudeSyncError(error, "too-large"),
    );
  });
});

Deno.test("nodeHttp says what keeps a server from answering", async () => {
  const request = (url: string, timeoutMs = 10_000) =>
    http.request({ method: "GET", url, bodyBytesMax: 10, timeoutMs });
  await assert.rejects(
    request("http://127.0.0.1:1/"),
    (error) => isClaudeSyncError(error, "store-unreachable") && /127\.0\.0\.1/.test(error.message),
  );
  await withServer((_, response) => void response.socket?.destroy(), async (url) => {
    await assert.rejects(request(url), (e) => isClaudeSyncError(e, "store-unreachable"));
  });
  await withServer(() => {}, async (url) => {
    await assert.rejects(
      request(url, 50),
      (error) =>
        isClaudeSyncError(error, "store-unreachable") && /no whole answer/.test(error.message),
    );
  });
});

Deno.test("nodeHttp gives up on silence, and not on an answer that comes slowly", async () => {
  const options = { method: "GET", bodyBytesMax: 1000, timeoutMs: 10_000, silenceMsMax: 150 };
  await withServer(async (_, response) => {
    for (let count = 0; count < 10; count++) {
      response.write("x");
      await new Promise((done) => setTimeout(done, 40));
    }
    response.end();
  }, async (url) => {
    assert.equal((await http.request({ ...options, url })).body.length, 10);
  });
  const isSilence = (error: unknown) =>
    isClaudeSyncError(error, "store-unreachable") && /nothing came for 1 s/.test(error.message);
  await withServer(() => {}, async (url) => {
    await assert.rejects(http.request({ ...options, url }), isSilence);
  });
  await withServer((_, response) => void response.write("x"), async (url) => {
    await assert.rejects(http.request({ ...options, url }), isSilence);
  });
});

Deno.test("nodeHttp rejects with the signal's reason when aborted", async () => {
  const reason = new RangeError("enough");
  const controller = new AbortController();
  await withServer(() => controller.abort(reason), async (url) => {
    const options = { method: "GET", url, signal: controller.signal, ...bounds };
    await assert.rejects(http.request(options), (error) => error === reason);
    await assert.rejects(http.request(options), (error) => error === reason);
  });
});

Deno.test("printedRequestsError keeps Bun from printing credentials", () => {
  const bun = { bun: "1.4.5", node: "24.0.0" };
  for (const value of ["1", "true", "curl"]) {
    const error = printedRequestsError(bun, { BUN_CONFIG_VERBOSE_FETCH: value });
    assert.equal(error?.code, "usage", value);
  }
  for (const value of [undefined, "", "0", "false"]) {
    assert.equal(printedRequestsError(bun, { BUN_CONFIG_VERBOSE_FETCH: value }), null);
  }
  assert.equal(printedRequestsError({ deno: "2.9.6" }, { BUN_CONFIG_VERBOSE_FETCH: "1" }), null);
});
