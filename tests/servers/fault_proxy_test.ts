import assert from "node:assert/strict";
import { createServer } from "node:http";
import { type AddressInfo, connect } from "node:net";
import { type Fault, type FaultProxy, startFaultProxy } from "./fault_proxy.ts";

interface Seen {
  readonly method: string;
  readonly url: string;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: string;
}

/** A server that answers with a count, behind a proxy. */
async function withProxy(body: (proxy: FaultProxy, seen: Seen[]) => Promise<void>): Promise<void> {
  const seen: Seen[] = [];
  const server = createServer(async (request, response) => {
    let text = "";
    for await (const part of request) text += part;
    const { method = "", url = "", headers } = request;
    seen.push({ method, url, headers, body: text });
    response.writeHead(200, { "content-type": "text/plain", etag: '"x"' });
    response.end(method === "HEAD" ? "" : `answer ${seen.length} ${"x".repeat(100)}`);
  });
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  const upstream = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  try {
    await using proxy = await startFaultProxy({ upstream });
    await body(proxy, seen);
  } finally {
    await new Promise<void>((done) => {
      server.close(() => done());
      server.closeAllConnections();
    });
  }
}

async function textOf(url: string, init: RequestInit = {}): Promise<string> {
  return await (await fetch(url, init)).text();
}

/** Sends bytes as they are and gives everything that comes back until the end. */
async function raw(origin: string, text: string): Promise<string> {
  const { port } = new URL(origin);
  const socket = connect({ host: "127.0.0.1", port: Number(port) });
  socket.write(text);
  let answer = "";
  for await (const part of socket) answer += part;
  return answer;
}

Deno.test("FaultProxy hands on what no rule takes, and records it as it was sent", async () => {
  await withProxy(async (proxy, seen) => {
    assert.match(await textOf(`${proxy.origin}/a?b=c%20d`), /^answer 1 x/);
    const body = new Uint8Array(300_000).fill(97);
    await textOf(`${proxy.origin}/up`, { method: "PUT", body });
    assert.equal(seen[1]?.body, "a".repeat(300_000));
    const host = new URL(proxy.origin).host;
    assert.equal(seen[0]?.headers["host"], host, "the Host header is the proxy's");
    assert.equal((await fetch(`${proxy.origin}/a`, { method: "HEAD" })).headers.get("etag"), '"x"');

    const lines = ["POST /odd HTTP/1.1", `Host: ${host}`, "x-ODD-Name: Value", "Connection: close"];
    const chunked = ["Transfer-Encoding: chunked", "", "5", "hello", "0", "", ""];
    const answer = await raw(proxy.origin, [...lines, ...chunked].join("\r\n"));
    assert.match(answer, /^HTTP\/1\.1 200 OK\r\n/);
    assert.equal(seen[3]?.body, "hello");
    const recorded = proxy.requests[3]!;
    assert.deepEqual(recorded.headers.slice(1, 3), [["x-ODD-Name", "Value"], [
      "Connection",
      "close",
    ]]);
    assert.deepEqual(
      proxy.requests.map(({ method, target, bodyBytes, status, fault }) =>
        [method, target, bodyBytes, status, fault].join(" ")
      ),
      ["GET /a?b=c%20d 0 200 ", "PUT /up 300000 200 ", "HEAD /a 0 200 ", "POST /odd 5 200 "],
    );
  });
});

Deno.test("FaultRule takes the requests that it names", async () => {
  await withProxy(async (proxy) => {
    const fault: Fault = { kind: "answer", status: 503 };
    const second = proxy.inject({ fault, method: "GET", target: /^\/a/, nth: 2 });
    const statuses = async () => {
      const found: number[] = [];
      for (const target of ["/a", "/b", "/a", "/a"]) {
        const response = await fetch(proxy.origin + target);
        await response.body?.cancel();
        found.push(response.status);
      }
      return found;
    };
    assert.deepEqual(await statuses(), [200, 200, 503, 200]);
    assert.equal(second.hits, 1);
    second.remove();
    const odd = proxy.inject({ fault, nth: (count) => count % 2 === 1 });
    assert.deepEqual(await statuses(), [503, 200, 503, 200]);
    assert.equal(odd.hits, 2);
  });
});

Deno.test("FaultProxy makes each fault that it is asked for", async (t) => {
  const cases: Record<string, (proxy: FaultProxy, seen: Seen[]) => Promise<void>> = {
    async latency(proxy) {
      proxy.inject({ fault: { kind: "latency", ms: 120 } });
      const startMs = performance.now();
      await textOf(proxy.origin);
      assert.ok(performance.now() - startMs >= 115);
    },
    async "reset-request"(proxy, seen) {
      proxy.inject({ fault: { kind: "reset-request", afterBytes: 1000 } });
      const body = new Uint8Array(2_000_000);
      await assert.rejects(textOf(proxy.origin, { method: "POST", body }));
      assert.equal(seen.length, 0, "the server saw nothing");
      for (const { status, bodyBytes } of proxy.requests) {
        assert.deepEqual([status, bodyBytes], [null, 1000]);
      }
    },
    async "reset-response"(proxy, seen) {
      proxy.inject({ fault: { kind: "reset-response", afterBytes: 10 } });
      await assert.rejects(textOf(proxy.origin, { method: "PUT", body: new Uint8Array(1) }));
      assert.ok(seen.length >= 1, "the server did its work");
    },
    async answer(proxy, seen) {
      const headers = [["Retry-After", "7"]] as const;
      proxy.inject({ fault: { kind: "answer", status: 429, headers, body: "slow down" } });
      const response = await fetch(proxy.origin);
      assert.equal(response.status, 429);
      assert.equal(response.headers.get("retry-after"), "7");
      assert.equal(await response.text(), "slow down");
      assert.equal(seen.length, 0);
    },
    async redirect(proxy) {
      await using other = await startFaultProxy({ upstream: null });
      proxy.inject({ fault: { kind: "redirect", status: 307, origin: other.origin } });
      const response = await fetch(`${proxy.origin}/a?b`, { headers: { authorization: "secret" } });
      await response.body?.cancel();
      assert.equal(response.status, 404);
      assert.equal(other.requests[0]?.target, "/a?b");
      const names = other.requests[0]?.headers.map(([name]) => name.toLowerCase());
      assert.ok(!names?.includes("authorization"), "fetch itself keeps the secret");
    },
    async truncate(proxy) {
      proxy.inject({ fault: { kind: "truncate", share: 0.5 } });
      assert.equal((await textOf(proxy.origin)).length, 54);
    },
    async "stale-answer"(proxy) {
      assert.match(await textOf(`${proxy.origin}/list`), /^answer 1 /);
      const stale = proxy.inject({ fault: { kind: "stale-answer" }, nth: (count) => count <= 2 });
      assert.match(await textOf(`${proxy.origin}/list`), /^answer 1 /);
      assert.match(await textOf(`${proxy.origin}/other`), /^answer 2 /);
      assert.match(await textOf(`${proxy.origin}/list`), /^answer 3 /);
      assert.equal(stale.hits, 2);
    },
    async duplicate(proxy, seen) {
      proxy.inject({ fault: { kind: "duplicate" }, method: "PUT" });
      const body = new TextEncoder().encode("once");
      assert.match(await textOf(proxy.origin, { method: "PUT", body }), /^answer 2 /);
      assert.deepEqual(seen.map((request) => request.body), ["once", "once"]);
    },
    async drip(proxy) {
      proxy.inject({ fault: { kind: "drip", bytes: 20, everyMs: 20 } });
      const startMs = performance.now();
      assert.equal((await textOf(proxy.origin)).length, 109);
      assert.ok(performance.now() - startMs >= 110);
    },
    async clock(proxy) {
      proxy.inject({ fault: { kind: "clock", offsetMs: 600_000, toleranceMs: 60_000 } });
      const at = (ms: number) => new Date(ms).toISOString().replace(/[-:]|\.\d+/g, "");
      const send = async (ms: number) => {
        const response = await fetch(proxy.origin, { headers: { "x-amz-date": at(ms) } });
        return { response, text: await response.text() };
      };
      const refused = await send(Date.now());
      assert.equal(refused.response.status, 403);
      assert.match(refused.text, /<Code>RequestTimeTooSkewed</);
      const serverMs = Date.parse(refused.response.headers.get("date")!);
      assert.ok(Math.abs(serverMs - Date.now() - 600_000) < 5000);
      assert.equal((await send(serverMs)).response.status, 200);
    },
    async "drop-header"(proxy, seen) {
      proxy.inject({ fault: { kind: "drop-header", name: "If-None-Match" } });
      await textOf(proxy.origin, { headers: { "if-none-match": "*", "x-other": "1" } });
      assert.equal(seen[0]?.headers["if-none-match"], undefined);
      assert.equal(seen[0]?.headers["x-other"], "1");
      assert.ok(proxy.requests[0]?.headers.some(([name]) => /^if-none-match$/i.test(name)));
    },
    async oversized(proxy) {
      for (const length of ["declared", "chunked"] as const) {
        const fault = { kind: "oversized", extraBytes: 1_000_000, length } as const;
        const rule = proxy.inject({ fault });
        const response = await fetch(proxy.origin);
        const declared = response.headers.get("content-length");
        assert.equal(declared, length === "declared" ? "1000109" : null);
        assert.equal((await response.text()).length, 1_000_109);
        rule.remove();
      }
    },
  };
  for (const [name, check] of Object.entries(cases)) await t.step(name, () => withProxy(check));
});

Deno.test("FaultProxy leaves what was put out of a stale list, whatever is asked", async () => {
  const keys: string[] = [];
  const server = createServer((request, response) => {
    request.resume();
    if (request.method === "PUT") keys.push(request.url!.slice("/bucket/".length));
    const entries = keys.map((key) => `<Contents><Key>${key}</Key><Size>1</Size></Contents>`);
    const count = `<KeyCount>${keys.length}</KeyCount>`;
    response.end(`<ListBucketResult>${count}${entries.join("")}</ListBucketResult>`);
  });
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  const upstream = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  try {
    await using proxy = await startFaultProxy({ upstream });
    const put = (key: string) => textOf(`${proxy.origin}/bucket/${key}`, { method: "PUT" });
    const list = async () =>
      (await textOf(`${proxy.origin}/bucket?list-type=2&prefix=${Math.random()}`))
        .match(/<(Key|KeyCount)>[^<]+/g);
    await put("a/1");
    const rule = proxy.inject({ fault: { kind: "stale-list" }, method: "GET" });
    await put("a/2");
    assert.deepEqual(await list(), ["<KeyCount>1", "<Key>a/1"]);
    rule.remove();
    assert.deepEqual(await list(), ["<KeyCount>2", "<Key>a/1", "<Key>a/2"]);
  } finally {
    await new Promise<void>((done) => {
      server.close(() => done());
      server.closeAllConnections();
    });
  }
});
