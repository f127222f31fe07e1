import assert from "node:assert/strict";
import * as fs from "node:fs";
import { join } from "node:path";
import { utf8 } from "../../src/base/bytes.ts";
import {
  HOOK_INPUT_BYTES_MAX,
  parseHookArgs,
  parseHookInput,
  runHook,
  START_WAIT_MS,
  withheldVariables,
} from "../../src/cli/hook.ts";
import type { ChildOptions } from "../../src/platform/types.ts";
import { platformWith, run, type Surroundings } from "./stand_in.ts";

const ID = "3f2a0000-0000-4000-8000-000000000001";

interface Spawned {
  readonly argv: readonly string[];
  readonly options: ChildOptions;
}

/** A home that is set up, with a worker that `onSpawn` plays. */
async function withHome(
  test: (at: {
    readonly home: string;
    readonly spawned: Spawned[];
    readonly said: string[];
    readonly hook: (
      event: "session-start" | "session-end" | "stop",
      json: unknown,
    ) => Promise<void>;
  }) => Promise<void>,
  surroundings: Surroundings = {},
  onSpawn: (argv: readonly string[], home: string) => void = () => {},
): Promise<void> {
  const home = fs.mkdtempSync(join(Deno.makeTempDirSync(), "home-"));
  fs.writeFileSync(join(home, "config.json"), "{}");
  const spawned: Spawned[] = [];
  const said: string[] = [];
  const platform = platformWith({
    ...surroundings,
    env: { CLAUDE_SYNC_HOME: home, ...surroundings.env },
    processes: {
      spawnDetached: (argv, options = {}) => {
        spawned.push({ argv, options });
        onSpawn(argv, home);
        return Promise.resolve();
      },
      ...surroundings.processes,
    },
  });
  const hook = (event: "session-start" | "session-end" | "stop", json: unknown) =>
    runHook(event, null, {
      platform,
      self: ["/opt/claude-sync"],
      envNames: ["PATH", "ANTHROPIC_API_KEY"],
      readInput: (maxBytes) => {
        const bytes = utf8(typeof json === "string" ? json : JSON.stringify(json));
        return bytes.length > maxBytes ? null : bytes;
      },
      out: (line) => void said.push(line),
    });
  try {
    await test({ home, spawned, said, hook });
  } finally {
    fs.rmSync(home, { recursive: true, force: true });
  }
}

Deno.test("session-end and stop leave a note and start a worker, saying nothing", async () => {
  for (const event of ["session-end", "stop"] as const) {
    await withHome(async ({ home, spawned, said, hook }) => {
      await hook(event, { session_id: ID, cwd: home, transcript_path: "/etc/passwd" });
      const note = JSON.parse(fs.readFileSync(join(home, "queue", `${ID}.json`), "utf8"));
      assert.equal(note.sessionId, ID);
      assert.ok(Math.abs(note.atMs - Date.now()) < 60_000);
      assert.deepEqual(spawned, [{
        argv: ["/opt/claude-sync", "hook", "worker", "push"],
        options: { cwd: home, env: { ANTHROPIC_API_KEY: null }, afterMs: 100 },
      }]);
      assert.deepEqual(said, []);
      await hook(event, { session_id: ID });
      assert.deepEqual(fs.readdirSync(join(home, "queue")), [`${ID}.json`]);
    });
  }
});

Deno.test("hooks survive whatever comes on standard input", async () => {
  const inputs = [
    "",
    "not json",
    "null",
    "[]",
    `{"session_id":"../../x"}`,
    `{"session_id":"${ID.toUpperCase()}"}`,
    `{"session_id":["${ID}"],"cwd":7}`,
    `{"__proto__":{"session_id":"${ID}"}}`,
    `{"session_id":"x","cwd":"relative"}`,
    `{"session_id":"x","cwd":"/gone/for/ever"}`,
    `{"session_id":"x","cwd":"/a\\u0000b"}`,
    `"${"x".repeat(HOOK_INPUT_BYTES_MAX)}"`,
  ];
  for (const input of inputs) {
    await withHome(async ({ home, spawned, hook }) => {
      await hook("session-end", input);
      assert.equal(fs.existsSync(join(home, "queue")), false, input.slice(0, 60));
      assert.equal(spawned[0]?.options.cwd, home);
      assert.equal(fs.existsSync(join(home, "hook-errors.log")), false);
    });
  }
});

Deno.test("parseHookInput takes input of exactly the limit", async () => {
  await withHome(async ({ home, hook }) => {
    const head = `{"session_id":"${ID}"}`;
    await hook("stop", head + " ".repeat(HOOK_INPUT_BYTES_MAX - head.length));
    assert.ok(fs.existsSync(join(home, "queue", `${ID}.json`)));
  });
  assert.equal(parseHookInput(null).sessionId, null);
});

Deno.test("hooks do nothing when not set up or switched off", async () => {
  await withHome(async ({ home, spawned, hook }) => {
    fs.rmSync(join(home, "config.json"));
    await hook("session-end", { session_id: ID });
    assert.deepEqual([fs.readdirSync(home), spawned], [[], []]);
  });
  await withHome(async ({ home, spawned, hook }) => {
    await hook("session-start", { session_id: ID });
    assert.deepEqual([fs.readdirSync(home), spawned], [["config.json"], []]);
  }, { env: { CLAUDE_SYNC_DISABLE: "1" } });
});

Deno.test("a hook that fails is silent and leaves a bounded log", async () => {
  const processes = { spawnDetached: () => Promise.reject(new Error("no\nmore processes")) };
  await withHome(async ({ home, said, hook }) => {
    await hook("session-start", { session_id: ID });
    for (let i = 0; i < 3; i++) await hook("session-end", { session_id: ID });
    const log = join(home, "hook-errors.log");
    const lines = fs.readFileSync(log, "utf8").trimEnd().split("\n");
    assert.equal(lines.length, 4);
    assert.match(lines[3] ?? "", /^\d{4}-.*Z session-end \[bug\] no more processes$/);
    assert.deepEqual(said, []);
    assert.deepEqual(fs.readdirSync(join(home, "working")), []);
    fs.writeFileSync(log, "old line\n".repeat(10_000));
    await hook("session-end", { session_id: ID });
    const size = fs.statSync(log).size;
    assert.ok(size < 66_000 && size > 60_000);
    assert.ok(fs.readFileSync(log, "utf8").startsWith("old line\n"));
  }, { processes });
});

Deno.test("session-start keeps the notice where nobody would see it", async () => {
  await withHome(
    async ({ home, said, hook }) => {
      fs.writeFileSync(join(home, "notice.json"), `{"message":"Push failed"}`);
      await hook("session-start", { session_id: ID, source: "startup" });
      assert.deepEqual(said, []);
      assert.ok(fs.existsSync(join(home, "notice.json")));
    },
    { env: { CLAUDE_CODE_ENTRYPOINT: "sdk-cli" } },
    (argv, home) => fs.rmSync(join(home, "working", argv.at(-1) ?? "")),
  );
});

Deno.test("session-start waits for its worker, then tells the user the notice once", async () => {
  await withHome(
    async ({ home, spawned, said, hook }) => {
      fs.writeFileSync(join(home, "notice.json"), `{"message":"Push failed\\u001b[2J"}`);
      await hook("session-start", { session_id: ID, source: "startup" });
      assert.match(spawned[0]?.argv.join(" ") ?? "", /hook worker sync --mark [0-9a-f]{16}$/);
      assert.deepEqual(said.map((line) => JSON.parse(line)), [
        { systemMessage: "Push failed\u{fffd}[2J" },
      ]);
      assert.equal(fs.existsSync(join(home, "notice.json")), false);
      await hook("session-start", { session_id: ID, source: "resume" });
      assert.equal(said.length, 1);
      assert.equal(fs.existsSync(join(home, "queue")), false);
    },
    {},
    (argv, home) => fs.rmSync(join(home, "working", argv.at(-1) ?? "")),
  );
});

Deno.test("session-start goes on after two seconds when the worker is slow", async () => {
  let nowMs = 0;
  const clock = {
    monotonicMs: () => nowMs,
    sleep: (ms: number) => Promise.resolve(void (nowMs += ms)),
  };
  await withHome(async ({ hook }) => {
    await hook("session-start", { session_id: ID, source: "startup" });
    assert.ok(nowMs >= START_WAIT_MS && nowMs < START_WAIT_MS + 100);
    nowMs = 0;
    await hook("session-start", { session_id: ID, source: "compact" });
    assert.equal(nowMs, 0);
  }, { clock });
});

Deno.test("withheldVariables keeps secrets from the worker", () => {
  const kept = [
    "PATH",
    "HOME",
    "LC_ALL",
    "XDG_RUNTIME_DIR",
    "CLAUDE_CONFIG_DIR",
    "CLAUDE_SYNC_HOME",
    "SystemRoot",
    "APPDATA",
    "HTTPS_PROXY",
    "https_proxy",
    "http_proxy",
    "NO_PROXY",
    "no_proxy",
    "all_proxy",
    "NODE_EXTRA_CA_CERTS",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "SSH_AUTH_SOCK",
    "SSH_AGENT_PID",
    "GIT_SSH",
    "GIT_SSH_COMMAND",
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_PROFILE",
    "AWS_CONFIG_FILE",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "GOOGLE_APPLICATION_CREDENTIALS",
    "GOOGLE_CLOUD_PROJECT",
    "GOOGLE_CLOUD_QUOTA_PROJECT",
    "GCE_METADATA_HOST",
    "GCE_METADATA_IP",
    "NO_GCE_CHECK",
    "GIT_CONFIG_GLOBAL",
    "GIT_SSL_CAINFO",
    "GIT_SSL_CAPATH",
    "GCM_CREDENTIAL_STORE",
    "GH_CONFIG_DIR",
    "GNUPGHOME",
    "PASSWORD_STORE_DIR",
    "CLOUDSDK_CONFIG",
    "DBUS_SESSION_BUS_ADDRESS",
  ];
  const secret = [
    "ANTHROPIC_API_KEY",
    "ANTHROPIC_AUTH_TOKEN",
    "CLAUDE_CODE_OAUTH_TOKEN",
    "CLAUDE_CODE_MESSAGING_TOKEN",
    "GITHUB_TOKEN",
    "AWS_BEARER_TOKEN_BEDROCK",
    "GOOGLE_API_KEY",
    "GEMINI_API_KEY",
    "GIT_DIR",
    "GIT_ASKPASS",
    "NODE_TLS_REJECT_UNAUTHORIZED",
    "NODE_OPTIONS",
    "BUN_OPTIONS",
    "LD_PRELOAD",
  ];
  assert.deepEqual(Object.keys(withheldVariables([...kept, ...secret])), secret);
});

Deno.test("parseHookArgs takes what install writes and leaves the rest to the command line", () => {
  assert.deepEqual(parseHookArgs(["hook", "stop"]), { event: "stop", profile: null });
  assert.deepEqual(parseHookArgs(["hook", "session-end", "--profile", "work"]), {
    event: "session-end",
    profile: "work",
  });
  for (
    const args of [
      [],
      ["hook"],
      ["hook", "worker"],
      ["push", "stop"],
      ["hook", "stop", "--json"],
      ["hook", "stop", "--profile"],
      ["hook", "stop", "--profile", "../x"],
      ["hook", "stop", "--profile", "a", "b"],
    ]
  ) assert.equal(parseHookArgs(args), null, args.join(" "));
});

Deno.test("hook worker removes its mark, sweeps old ones and never fails", async () => {
  await withHome(async ({ home }) => {
    const working = join(home, "working");
    fs.mkdirSync(working);
    for (const name of ["0123456789abcdef", "aaaaaaaaaaaaaaaa", "bbbbbbbbbbbbbbbb"]) {
      fs.writeFileSync(join(working, name), "");
    }
    fs.utimesSync(join(working, "aaaaaaaaaaaaaaaa"), 1, 1);
    const env = { CLAUDE_SYNC_HOME: home };
    const outcome = await run(
      ["hook", "worker", "sync", "--mark", "0123456789abcdef"],
      { hookWorker: () => Promise.reject(new Error("boom")) },
      { env },
    );
    assert.deepEqual(outcome, { exit: 0, out: "", err: "" });
    assert.deepEqual(fs.readdirSync(working), ["bbbbbbbbbbbbbbbb"]);
    assert.match(
      fs.readFileSync(join(home, "hook-errors.log"), "utf8"),
      /worker sync \[bug\] boom/,
    );
    await run(["hook", "worker", "sync", "--mark", "../config.json"], {
      hookWorker: () => Promise.resolve(),
    }, { env });
    assert.ok(fs.existsSync(join(home, "config.json")));
  });
});

Deno.test("a wrong hook command is exit 0: another would stop the client", async () => {
  assert.equal((await run(["hook", "pre-compact"])).exit, 0);
  assert.equal((await run(["hook"])).exit, 0);
});
