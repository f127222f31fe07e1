/** The compiled program behind a proxy, and before servers of a private authority. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { until } from "../client/until.ts";
import { makeAuthority, serveOverTls, tunnelProxy } from "../support/s3_over_tls.ts";
import { type StrictS3, strictS3 } from "../support/strict_s3.ts";
import { inTempDir, said, SyncMachine } from "../support/sync_machine.ts";

const PROGRAM = process.platform === "win32" ? "claude-sync.exe" : "claude-sync";
const BINARY = process.env["CLAUDE_SYNC_BINARY"] ??
  join(import.meta.dirname!, "..", "..", "dist", PROGRAM);
const ID = "3f2a0000-0000-4000-8000-000000000001";
const KEYS = { AWS_ACCESS_KEY_ID: "AKID", AWS_SECRET_ACCESS_KEY: "secret" };

type Env = Readonly<Record<string, string>>;

/** Runs the program as `machine`'s user with nothing but `env`; this process serves meanwhile. */
function program(machine: SyncMachine, args: readonly string[], env: Env, input = "") {
  const child = spawn(BINARY, args, {
    cwd: machine.project,
    env: { HOME: machine.home, PATH: process.env["PATH"], ...env },
  });
  let out = "";
  child.stdout.on("data", (text) => out += text);
  child.stderr.on("data", (text) => out += text);
  child.stdin.end(input);
  return new Promise<{ code: number | null; out: string }>((done, failed) => {
    child.on("error", failed);
    child.on("close", (code) => done({ code, out }));
  });
}

function speak(machine: SyncMachine, text: string): void {
  const facts = { session: ID, cwd: machine.project, atMs: Date.now() - 60_000 };
  machine.writeTranscript(ID, said("user", text, facts) + said("assistant", "yes", facts));
}

function entriesIn(s3: StrictS3): number {
  return [...s3.objects.keys()].filter((key) => key.includes("/log/")).length;
}

Deno.test("the program trusts the authority that NODE_EXTRA_CA_CERTS names, and no other", () =>
  inTempDir(async (dir) => {
    assert.ok(existsSync(BINARY), `${BINARY} is missing: run deno task build first`);
    const authority = makeAuthority(dir);
    const s3 = strictS3();
    await using server = await serveOverTls(s3, dir);
    const machine = new SyncMachine({ name: "anna", dir });
    const init = ["init", "--s3", "bucket/vault", "--endpoint", server.url];
    const refused = await program(machine, init, KEYS);
    assert.equal(refused.code, 5, refused.out);
    assert.match(refused.out, /certificate is not trusted/);
    assert.match(refused.out, /NODE_EXTRA_CA_CERTS/);
    // No switch turns the check off.
    const lax = { ...KEYS, NODE_TLS_REJECT_UNAUTHORIZED: "0" };
    assert.equal((await program(machine, init, lax)).code, 5);
    assert.deepEqual(s3.requests, []);
    const trusted = await program(machine, init, { ...KEYS, NODE_EXTRA_CA_CERTS: authority });
    assert.equal(trusted.code, 0, trusted.out);
    assert.match(trusted.out, /put, get and list work, \d+ ms away/);
    assert.ok(s3.objects.has("bucket/vault/claude-sync.json"));
  }));

Deno.test("the program and its hooks' workers go through HTTPS_PROXY, except to NO_PROXY", () =>
  inTempDir(async (dir) => {
    assert.ok(existsSync(BINARY), `${BINARY} is missing: run deno task build first`);
    const authority = makeAuthority(dir);
    const s3 = strictS3();
    await using server = await serveOverTls(s3, dir);
    const targets: string[] = [];
    await using proxy = await tunnelProxy(targets);
    const machine = new SyncMachine({ name: "anna", dir });
    const direct = { ...KEYS, NODE_EXTRA_CA_CERTS: authority };
    const through = { ...direct, HTTPS_PROXY: proxy.url };
    const { host } = new URL(server.url);
    const init = ["init", "--s3", "bucket", "--endpoint", server.url];
    const made = await program(machine, init, through);
    assert.equal(made.code, 0, made.out);
    assert.ok(targets.length > 0 && targets.every((target) => target === host), `${targets}`);
    targets.length = 0;
    speak(machine, "hello");
    const pushed = await program(machine, ["push"], { ...through, NO_PROXY: "127.0.0.1" });
    assert.equal(pushed.code, 0, pushed.out);
    assert.deepEqual([targets, entriesIn(s3)], [[], 1]);
    speak(machine, "hello again");
    const input = JSON.stringify({ session_id: ID, cwd: machine.project });
    const hook = await program(machine, ["hook", "session-end"], through, input);
    assert.deepEqual([hook.code, hook.out], [0, ""]);
    await until("the worker has pushed", () => entriesIn(s3) === 2);
    assert.ok(targets.includes(host), "the worker, too");
    const away = await program(machine, ["push"], { ...direct, HTTPS_PROXY: "http://127.0.0.1:9" });
    assert.equal(away.code, 5, away.out);
    assert.match(away.out, /^offline: cannot reach [^\n]*\n$/);
  }));

Deno.test("keys that were kept are used without any in the environment, and shown nowhere", () =>
  inTempDir(async (dir) => {
    assert.ok(existsSync(BINARY), `${BINARY} is missing: run deno task build first`);
    const trust = { NODE_EXTRA_CA_CERTS: makeAuthority(dir) };
    const s3 = strictS3({ secrets: { AKID: "hush-hush" } });
    await using server = await serveOverTls(s3, dir);
    const machine = new SyncMachine({ name: "anna", dir });
    const init = ["init", "--s3", "bucket", "--endpoint", server.url, "--save-credentials"];
    const empty = await program(machine, init, trust);
    assert.equal(empty.code, 2, empty.out);
    const wrong = await program(machine, init, trust, "AKID\nwrong\n");
    assert.equal(wrong.code, 4, wrong.out);
    const folder = join(machine.home, ".claude-sync");
    assert.equal(existsSync(join(folder, "credentials.json")), false, "keys that do not work");
    const kept = await program(machine, init, trust, "AKID\nhush-hush\n");
    assert.equal(kept.code, 0, kept.out);
    assert.equal(readFileSync(join(folder, "config.json"), "utf8").includes("hush"), false);
    speak(machine, "hello");
    for (const args of [["push", "--verbose"], ["store", "info"], ["status", "--json"]]) {
      const { code, out } = await program(machine, args, trust);
      assert.equal(code, 0, out);
      assert.equal(out.includes("hush"), false);
    }
    // Another place does not get them.
    const other = ["store", "move", "--s3", "other", "--endpoint", server.url];
    assert.equal((await program(machine, other, trust)).code, 4);
  }));
