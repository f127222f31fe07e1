import assert from "node:assert/strict";
import { utf8 } from "../../src/base/bytes.ts";
import { ClaudeSyncError } from "../../src/errors.ts";
import type { SyncContext, SyncRequest } from "../../src/sync/api.ts";
import { PULLED, PUSHED, run, STATUS, VERIFIED } from "./stand_in.ts";

function answered<T>(value: T): () => Promise<T> {
  return () => Promise.resolve(value);
}

function failing(error: unknown): () => Promise<never> {
  return () => Promise.reject(error);
}

Deno.test("push says what was sent, and what there was not", async () => {
  const sent = await run(["push"], { push: answered(PUSHED) });
  assert.deepEqual(sent, {
    exit: 0,
    out: "Pushed 3 sessions  +118 kB -> 24 kB in 2 requests  (0.21 s)\n",
    err: "",
  });
  const none = { ...PUSHED, pushed: 0, requests: 1, ms: 40 };
  assert.equal(
    (await run(["push"], { push: answered(none) })).out,
    "Nothing to push: all 312 sessions are in the vault.  (1 request, 0.04 s)\n",
  );
  assert.equal(
    (await run(["push"], { push: answered({ ...none, excluded: 2 }) })).out,
    "Nothing to push: all 312 sessions are in the vault.  " +
      "2 sessions of excluded projects are left out.  (1 request, 0.04 s)\n",
  );
  assert.equal(
    (await run(["push"], { push: answered({ ...none, sessions: 0, excluded: 1 }) })).out,
    "Nothing to push: there are no other sessions here.  " +
      "1 session of excluded projects is left out.  (1 request, 0.04 s)\n",
  );
});

Deno.test("push hands its flags on", async () => {
  let seen: [SyncContext, SyncRequest] | undefined;
  await run(["-n", "push", "--session", "3f2a", "--session", "", "--all", "--profile", "work"], {
    push: (...parts) => {
      seen = parts;
      return Promise.resolve(PUSHED);
    },
  }, { env: { CLAUDE_SYNC_HOME: "/data/sync" } });
  assert.deepEqual(seen?.[1], { sessions: ["3f2a"], all: true, dryRun: true });
  assert.equal(seen?.[0].home, "/data/sync/profiles/work");
  assert.equal(seen?.[0].keyFile, "/data/sync/profiles/work/key");
});

Deno.test("push with --json prints one object and the documented fields", async () => {
  const { exit, out, err } = await run(["push", "--json"], { push: answered(PUSHED) });
  assert.equal(out.trim().split("\n").length, 1);
  assert.equal(err, "");
  assert.equal(exit, 0);
  const answer = JSON.parse(out);
  assert.deepEqual(
    { ...answer, sessions: undefined, tornTails: undefined },
    {
      schema: 1,
      command: "push",
      ok: true,
      pushed: 3,
      otherFiles: 0,
      excluded: 0,
      forgotten: 0,
      failed: 0,
      bytes: { plain: 118_000, sent: 24_310 },
      requests: 2,
      ms: 208,
      failures: [],
      dryRun: false,
      sessions: undefined,
      tornTails: undefined,
    },
  );
});

Deno.test("push that failed for some is exit 3, also in JSON", async () => {
  const failures = [{
    sessionId: "3f2a0000-x",
    path: null,
    code: "local-io",
    message: "No\x1b[2J",
  }];
  const part = { ...PUSHED, failed: 1, failures };
  const { exit, err } = await run(["push"], { push: answered(part) });
  assert.equal(exit, 3);
  assert.match(err, /failed: 3f2a0000 {2}No\u{fffd}\[2J {3}\[local-io\]\nerror: 1 session failed/u);
  const json = await run(["push", "--json", "-q"], { push: answered(part) });
  assert.equal(json.exit, 3);
  const { ok, error, failed } = JSON.parse(json.out);
  assert.deepEqual([ok, failed, error.code, error.exit], [false, 1, "partial", 3]);
});

Deno.test("a failure that names its path says it once", async () => {
  const failure = { sessionId: null, path: "/p/a.jsonl", code: "unsafe-file" };
  const failures = ['"/p/a.jsonl" is a link', "Not readable"]
    .map((message) => ({ ...failure, message }));
  const { err } = await run(["push"], { push: answered({ ...PUSHED, failed: 1, failures }) });
  assert.match(err, /^failed: "\/p\/a\.jsonl" is a link {3}\[unsafe-file\]$/m);
  assert.match(err, /^failed: \/p\/a\.jsonl {2}Not readable {3}\[unsafe-file\]$/m);
});

Deno.test("pull says what arrived and what needs the user", async () => {
  const { out } = await run(["pull"], { pull: answered(PULLED) });
  assert.deepEqual(out.trimEnd().split("\n"), [
    "Pulled 5 sessions from mbp-anna  (api 3, web 2)  96 kB -> 412 kB in 2 requests  (0.21 s)",
    '1 session needs a folder here: "infra"      claude-sync project map infra DIR',
    `2 sessions need a folder here: "my stuff"      claude-sync project map 'my stuff' DIR`,
    '1 was continued on more than one machine: "Fix \u{fffd}[31mflaky auth test"      ' +
    "both kept: 3f2a0000, 91bc0000",
    "1 session is open in Claude Code; new turns arrive when it ends: aaaaaaaa",
    "41 sessions, old or deleted here, stay in the vault only      claude-sync resume ID",
  ]);
});

Deno.test("a dry run of pull says what it would send first", async () => {
  const [first, second] = ["bbbbbbbb-0000-4000-8000-000000000001", "cccccccc-0000-4000-8000-1"];
  const idle = { ...PULLED, dryRun: true, waiting: 0, waitingIds: [] };
  const one = await run(["pull", "-n"], { pull: answered({ ...idle, sentFirstIds: [first] }) });
  assert.match(one.out, /^1 session went on here, too, and would be sent first: bbbbbbbb$/m);
  const both = answered({ ...idle, sentFirstIds: [first, second] });
  const two = await run(["pull", "-n"], { pull: both });
  assert.match(two.out, /^2 sessions went on here, too, .* first: bbbbbbbb, cccccccc$/m);
  assert.doesNotMatch(two.out, /open in Claude Code/);
});

Deno.test("pull says of a branch what happened, and no more", async () => {
  const [branch] = PULLED.branchSessions;
  for (
    const [how, says] of [
      ["machines", /^1 was continued on more than one machine: "Fix/],
      ["import", /^1 went on in another way in what was imported: "Fix/],
      ["forgotten", /^1 went on elsewhere without what was forgotten: "Fix/],
      ["apart", /^1 was continued in two ways: "Fix/],
    ] as const
  ) {
    const branchSessions = [{ ...branch!, how }];
    const { out } = await run(["pull"], { pull: answered({ ...PULLED, branchSessions }) });
    const line = out.split("\n").find((each) => each.includes("both kept: 3f2a0000, 91bc0000"));
    assert.match(line ?? "", says);
  }
});

Deno.test("pull names no folder for sessions that tell no project", async () => {
  const unplacedProjects = [{ key: "unknown", name: "unknown", sessions: 2 }];
  const { out } = await run(["pull"], { pull: answered({ ...PULLED, unplacedProjects }) });
  assert.match(
    out,
    /^2 sessions of no known project wait in the vault {6}claude-sync pull --all$/m,
  );
  assert.doesNotMatch(out, /project map/);
});

Deno.test("status says what sessions of no project and projects without folder need", async () => {
  const status = answered({ ...STATUS, unplaced: 2, withoutProject: 1 });
  const { out } = await run(["status"], { status });
  assert.match(out, /Projects +2 projects need a folder here {6}claude-sync project list$/m);
  assert.match(
    out,
    /Unplaced +1 session of no known project waits in the vault {6}claude-sync pull --all$/m,
  );
  assert.doesNotMatch((await run(["status"], { status: answered(STATUS) })).out, /Unplaced/);
});

Deno.test("--quiet leaves data and errors", async () => {
  assert.equal((await run(["pull", "-q"], { pull: answered(PULLED) })).out, "");
  assert.match((await run(["status", "-q"], { status: answered(STATUS) })).out, /In sync/);
  const gone = failing(new ClaudeSyncError("store-unreachable", "Gone"));
  const { exit, err } = await run(["pull", "-q"], { pull: gone });
  assert.equal(exit, 5);
  assert.equal(err, "offline: gone - nothing is lost; --verbose says more   [store-unreachable]\n");
  const wordy = (await run(["push", "--verbose"], { push: gone })).err;
  assert.match(wordy, /^error: gone {3}\[store-unreachable\]\n {2}fix/);
});

Deno.test("status answers with its first line", async () => {
  const first = async (part: Partial<typeof STATUS>) =>
    (await run(["status"], { status: answered({ ...STATUS, ...part }) })).out.split("\n")[0];
  assert.equal(await first({}), "✓ In sync - last push 2 min ago, last pull 10 s ago");
  assert.match(await first({ verdict: "waiting", unsent: 4 }) ?? "", /^! 4 sessions are waiting/);
  const lastPush = { ...STATUS.lastPush!, ok: false, code: "store-unreachable", message: "Gone" };
  assert.match(
    await first({ verdict: "failing", lastPush, unsent: 1 }) ?? "",
    /^✗ Not syncing - the last push failed 2 min ago, 1 session waiting: Gone$/,
  );
  assert.match(await first({ unreceived: 2 }) ?? "", /2 sessions have news in the vault/);
});

Deno.test("status of a machine that is not set up is exit 10 without saying it twice", async () => {
  const report = { ...STATUS, verdict: "not-set-up" } as const;
  const { exit, out, err } = await run(["status"], { status: answered(report) });
  assert.deepEqual([exit, err], [10, ""]);
  assert.match(out, /^✗ Not set up on this machine {6}claude-sync help init/);
});

Deno.test("verify with problems is exit 13 and lists them harmlessly", async () => {
  const problems = [{ objectName: "packs/aa/\u{202e}b", code: "damaged", message: "Bad" }];
  const { exit, out } = await run(["verify"], { verify: answered({ ...VERIFIED, problems }) });
  assert.equal(exit, 13);
  assert.match(out, /packs\/aa\/\u{fffd}b {2}Bad {3}\[damaged\]/u);
  assert.equal((await run(["verify"], { verify: answered(VERIFIED) })).exit, 0);
});

Deno.test("verify tells leftovers from what a compaction has replaced", async () => {
  const said = async (report: { unreferenced: number; replaced: number }) =>
    (await run(["verify"], { verify: answered({ ...VERIFIED, ...report }) })).out.split("\n")[1];
  assert.equal(
    await said({ unreferenced: 1, replaced: 0 }),
    "1 object of interrupted pushes: harmless; claude-sync gc on the machine that sent them " +
      "deletes them after some days.",
  );
  assert.equal(
    await said({ unreferenced: 0, replaced: 2 }),
    "2 objects replaced by a compaction: harmless; deleted when all machines have had the time " +
      "to see it.",
  );
  assert.match(
    await said({ unreferenced: 1, replaced: 2 }) ?? "",
    /^3 objects replaced by a compaction \(or left by an interrupted push\): harmless/,
  );
  assert.match(await said({ unreferenced: 0, replaced: 0 }) ?? "", /^No damage/);
});

Deno.test("list is newest first, harmless, and escaped in JSON", async () => {
  const row = {
    id: "3f2a0000-0000-4000-8000-000000000001",
    title: "Rate \u{9b}2J limit\nx",
    project: "api",
    dir: "/x",
    lastActivityMs: 1,
    sizeBytes: 12,
    where: "both",
    live: true,
    archived: false,
    forgotten: false,
  } as const;
  const newer = { ...row, id: "a07e0000", title: null, lastActivityMs: 2, live: false };
  const { out } = await run(["list"], { list: answered([row, newer]) });
  const lines = out.split("\n");
  assert.match(lines[1] ?? "", /^a07e0000.*\(no title\)/);
  assert.match(lines[2] ?? "", /Rate \u{fffd}2J limit\u{fffd}x {2}12 B {2}both {2}● open$/u);
  const json = await run(["list", "--json"], { list: answered([row]) });
  assert.ok(!json.out.includes("\u{9b}"));
  assert.equal(JSON.parse(json.out).sessions[0].title, row.title);
});

Deno.test("key export on a terminal asks first, and cannot with --no-input", async () => {
  const keyExport = answered({ keyText: "AAAA", fingerprint: "f" });
  const terminal = { terminals: ["stdin", "stdout", "stderr"] } as const;
  assert.equal((await run(["key", "export"], { keyExport })).out, "AAAA\n");
  assert.equal((await run(["key", "export", "--yes"], { keyExport }, terminal)).out, "AAAA\n");
  const refused = await run(["key", "export", "--no-input"], { keyExport }, terminal);
  assert.deepEqual([refused.exit, refused.out], [2, ""]);
  assert.match(refused.err, /Answer it with --yes/);
});

Deno.test("key import takes the key from standard input only", async () => {
  let taken = "";
  const keyImport = (_context: SyncContext, keyText: string) => {
    taken = keyText;
    return Promise.resolve({ outcome: "imported" as const, fingerprint: "f", keyFile: "/k" });
  };
  const input = utf8("\n  c2VjcmV0  \r\n");
  const { exit, out, err } = await run(["key", "import"], { keyImport }, { input });
  assert.deepEqual([exit, taken], [0, "c2VjcmV0"]);
  assert.ok(!(out + err).includes("c2VjcmV0"));
  assert.equal((await run(["key", "import"], { keyImport })).exit, 2);
  const mute = await run(["key", "import", "--no-input"], { keyImport }, { terminals: ["stdin"] });
  assert.equal(mute.exit, 2);
});

Deno.test("resume starts the client in its folder and ends as it ends", async () => {
  const target = { id: "3f2a", title: "Fix", dir: "/home/anna/it's here" };
  const calls: unknown[] = [];
  const surroundings = {
    onRelease: () => void calls.push("released"),
    processes: {
      exec: (argv: readonly string[], options?: { cwd?: string }) => {
        calls.push([...argv], options?.cwd);
        return Promise.resolve(7);
      },
    },
  };
  const resume = (_context: SyncContext, query: string | null) => {
    calls.push(query);
    return Promise.resolve(target);
  };
  const ended = await run(["resume", "fix", "it", "--", "-p"], { resume }, surroundings);
  assert.equal(ended.exit, 7);
  assert.deepEqual(calls, [
    "fix it",
    "released",
    ["claude", "--resume", "3f2a", "-p"],
    "/home/anna/it's here",
  ]);
  const printed = await run(["resume", "--print"], { resume });
  assert.equal(printed.out, "cd '/home/anna/it'\\''s here' && claude --resume 3f2a\n");
});

Deno.test("an abort is exit 130, a bug is exit 70 without its stack", async () => {
  const abort = new AbortController();
  const interrupted = await run(["push"], {
    push: ({ signal }) => {
      abort.abort(new ClaudeSyncError("interrupted", "Interrupted"));
      return Promise.reject(signal.reason);
    },
  }, { signal: abort.signal });
  assert.equal(interrupted.exit, 130);
  const bug = await run(["push"], { push: failing(new TypeError("boom")) });
  assert.equal(bug.exit, 70);
  assert.ok(!bug.err.includes("    at "));
  const verbose = await run(["push", "-v"], { push: failing(new TypeError("boom")) });
  assert.ok(verbose.err.includes("    at "));
});

Deno.test("pull within a time gives up then, quietly about what is normal", async () => {
  const clock = { sleep: () => Promise.resolve() };
  const never = () => new Promise<never>(() => {});
  const late = await run(["pull", "-q", "--within=5"], { pull: never }, { clock });
  assert.deepEqual(late, { exit: 5, out: "", err: "" });
  const forged = failing(new ClaudeSyncError("rolled-back", "The vault is older"));
  const alarm = await run(["pull", "-q", "--within=5"], { pull: forged });
  assert.equal(alarm.exit, 13);
  assert.match(alarm.err, /the vault is older/);
});

Deno.test("progress is one line on a terminal that goes away, and silent in JSON", async () => {
  let nowMs = 0;
  const clock = { monotonicMs: () => nowMs };
  const push = (context: SyncContext) => {
    context.onProgress({ kind: "phase", phase: "sending" });
    for (nowMs = 0; nowMs <= 1000; nowMs += 50) {
      context.onProgress({
        kind: "bytes",
        doneBytes: nowMs * 1000,
        totalBytes: 10e6,
        doneSessions: 1,
        totalSessions: 3,
      });
    }
    context.onProgress({ kind: "note", message: "Skipped\x1b[2J" });
    return Promise.resolve(PUSHED);
  };
  const shown = await run(["push"], { push }, { clock, terminals: ["stderr"] });
  assert.match(
    shown.err,
    /^\rSending {2}500 kB of 10 MB {2}1 of 3 sessions {2}1\.0 MB\/s {2}10 s left/,
  );
  assert.ok(shown.err.endsWith("\r\x1b[KSkipped\u{fffd}[2J\n"));
  assert.equal(shown.err.split("Sending").length - 1, 6, "drawn every 100 ms");
  const quiet = await run(["push", "-q"], { push }, { clock, terminals: ["stderr"] });
  assert.equal(quiet.err, "");
  const piped = await run(["push"], { push }, { clock });
  assert.equal(piped.err, "Skipped\u{fffd}[2J\n");
});

Deno.test("colours follow the flag, NO_COLOR, FORCE_COLOR and the terminal", async () => {
  const colours = async (
    argv: string[],
    env: Record<string, string>,
    terminals: ("stdout" | "stderr")[],
  ) => (await run(argv, { status: answered(STATUS) }, { env, terminals })).out.includes("\x1b[");
  assert.equal(await colours(["status"], {}, ["stdout"]), true);
  assert.equal(await colours(["status"], {}, []), false);
  assert.equal(await colours(["status"], { NO_COLOR: "1" }, ["stdout"]), false);
  assert.equal(await colours(["status"], { TERM: "dumb" }, ["stdout"]), false);
  assert.equal(await colours(["status"], { FORCE_COLOR: "1" }, []), true);
  assert.equal(await colours(["status", "--color=always"], { NO_COLOR: "1" }, []), true);
  assert.equal(await colours(["status", "--color=never"], { FORCE_COLOR: "1" }, []), false);
});

Deno.test("no command on a terminal is the status and what to do next", async () => {
  const terminal = { terminals: ["stdout"] } as const;
  const { exit, out } = await run([], { status: answered(STATUS) }, terminal);
  assert.equal(exit, 0);
  assert.match(out, /^.*In sync[\s\S]*claude-sync resume/);
});

Deno.test("what standard output does not take is a failure, told elsewhere", async () => {
  const full = () => {
    throw new ClaudeSyncError("no-space", "Cannot write to standard output");
  };
  for (const flags of [[], ["--json"]]) {
    const { exit, err } = await run(["verify", ...flags], { verify: answered(VERIFIED) }, {
      out: full,
    });
    assert.equal(exit, 1);
    assert.match(err, /cannot write to standard output {3}\[no-space\]/);
  }
  // So long an answer that it goes out in parts.
  const problem = { objectName: null, code: "damaged", message: "A pack is not the one it was" };
  const long = { ...VERIFIED, problems: Array.from({ length: 2_000 }, () => problem) };
  const { exit, err } = await run(["verify", "--json"], { verify: answered(long) }, { out: full });
  assert.equal(exit, 1);
  assert.match(err, /cannot write to standard output {3}\[no-space\]/);
});
