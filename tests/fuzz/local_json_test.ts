/** JSON that lies on this machine: our own small files, the client's settings, the hooks' input. */
import assert from "node:assert/strict";
import * as fc from "fast-check";
import { utf8 } from "../../src/base/bytes.ts";
import { type HookInput, parseHookArgs, parseHookInput } from "../../src/cli/hook.ts";
import { isProfileName } from "../../src/cli/home_folder.ts";
import { claudeRoot } from "../../src/sessions/claude_root.ts";
import { hooksInstalled } from "../../src/sessions/hook_status.ts";
import { liveSessions } from "../../src/sessions/live.ts";
import { knownFolders } from "../../src/sessions/placement.ts";
import { cleanupPeriodDays } from "../../src/sessions/retention.ts";
import { parseSessionId } from "../../src/sessions/session_id.ts";
import { addHooks, hookEntries, isOwnCommand, removeHooks } from "../../src/sessions/settings.ts";
import { appendMember, parseJsonText } from "../../src/sessions/settings_text.ts";
import { openRemembered } from "../../src/storage/bucket/remembered.ts";
import {
  homePaths,
  readConfig,
  readMachineFile,
  readRuns,
  readTrust,
} from "../../src/sync/home.ts";
import { readSavedKeys } from "../../src/sync/saved_keys.ts";
import { Outbox } from "../../src/vault/outbox.ts";
import { deriveEpoch, rootKeyFromBytes } from "../../src/crypto/root_key.ts";
import { fixedRandom } from "../crypto/fixed_random.ts";
import { idOf, put } from "../sessions/disk.ts";
import { MemoryFs } from "../support/memory_fs.ts";
import { fuzz, fuzzAsync } from "./fuzzing.ts";
import { type Json, mutatedJson } from "./json_mutations.ts";
import { mutatedBytes, mutatedText } from "./mutations.ts";
import { HOST, platformWith } from "./one_file.ts";

const HEX_32 = "ab".repeat(16);
const HEX_64 = "cd".repeat(32);
const PLACE = { kind: "folder", path: "/mnt/nas" } as const;
const PATHS = homePaths("/home/bob/.claude-sync");

/** Damaged as JSON, and at times as bytes. */
function files(samples: readonly Json[]) {
  const bytes = samples.map((sample) => utf8(JSON.stringify(sample, null, 2)));
  return fc.oneof(mutatedJson(samples).map(utf8), mutatedBytes(bytes));
}

const MARK = { machine: HEX_32, seq: 3, hash: HEX_64 };
const RUN = { kind: "push", by: "user", atMs: 1, ok: false, code: "busy", message: "x" };
const CONFIG: Json = {
  ...{ version: 1, vaultId: HEX_32, kid: HEX_32, store: PLACE, machineName: "desk" },
  ...{ maps: { "home:app": "/srv/app" }, excluded: ["home:x"] },
  limits: { uploadBytesPerSecond: 1000, downloadBytesPerSecond: null, concurrency: 4 },
};

Deno.test("fuzz: our own files are what we wrote, of a newer version, or malformed", () => {
  const codes = ["malformed-file", "newer-format"] as const;
  const again = <Value>(read: (bytes: Uint8Array) => Value | null) => (value: Value | null) => {
    assert(value !== null);
    assert.equal(Object.getPrototypeOf(value), Object.prototype);
    assert.deepEqual(read(utf8(JSON.stringify(value))), JSON.parse(JSON.stringify(value)));
  };
  const config = (bytes: Uint8Array) => readConfig(platformWith(PATHS.config, bytes), PATHS);
  fuzz(files([CONFIG]), config, { codes, check: again(config) });
  const machine = (bytes: Uint8Array) => readMachineFile(platformWith(PATHS.machine, bytes), PATHS);
  const machineFile = { version: 1, tag: "0123456789abcdef", hostHash: HEX_64, machineId: HEX_32 };
  fuzz(files([machineFile]), machine, { codes, check: again(machine) });
  const trust = (bytes: Uint8Array) => readTrust(platformWith(PATHS.trust, bytes), PATHS);
  const logs = { "0123456789abcdef": { ...MARK, twins: [{ seq: 3, hash: HEX_64 }] }, x: MARK };
  fuzz(files([{ version: 1, vaultId: HEX_32, logs }]), trust, {
    codes,
    check: again(trust),
  });
  const runs = (bytes: Uint8Array) => readRuns(platformWith(PATHS.runs, bytes), PATHS);
  const runsFile = { version: 1, lastPush: RUN, lastPull: null, told: { message: "x", atMs: 2 } };
  fuzz(files([runsFile]), runs, { codes: ["newer-format"], check: again(runs) });
});

Deno.test("fuzz: kept keys are printable and for one place, or the file is malformed", () => {
  const place = { store: "/mnt/nas", accessKeyId: "AKIA", secretAccessKey: "pa55word" };
  fuzz(files([{ version: 1, places: [place, { ...place, store: "x" }] }]), (bytes) => {
    return readSavedKeys(platformWith(PATHS.credentials, bytes), PATHS.dir, PLACE);
  }, {
    codes: ["malformed-file"],
    check: (keys) => {
      if (keys !== null) assert.match(keys.accessKeyId + keys.secretAccessKey, /^[!-~]{2,1280}$/);
    },
  });
});

Deno.test("fuzz: a batch that waits is whole or planned anew", async () => {
  const keys = {
    epoch: await deriveEpoch(rootKeyFromBytes(new Uint8Array(32))),
    vaultId: new Uint8Array(16),
  };
  const entry = "log/0123456789abcdef/000000000001.01234567";
  const batch = { version: 1, entry, packs: [`packs/ab/${"0".repeat(30)}`], basis: "x" };
  await fuzzAsync(files([batch]), (bytes) => {
    return new Outbox(platformWith(`${PATHS.outbox}/batch.json`, bytes), PATHS.outbox).recover(
      keys,
    );
  }, { check: (found) => assert.equal(found, null) });
});

Deno.test("fuzz: what the client sends to a hook is taken field by field or not at all", () => {
  const sample: Json = {
    ...{ session_id: idOf(1), transcript_path: "/h/p/x.jsonl", cwd: "/home/bob/app" },
    ...{ hook_event_name: "SessionStart", source: "startup" },
  };
  const isRight = ({ sessionId, cwd, source }: HookInput) => {
    if (sessionId !== null) assert.notEqual(parseSessionId(sessionId), null);
    for (const text of [cwd, source]) assert(text === null || typeof text === "string");
  };
  fuzz(files([sample]), parseHookInput, { check: isRight });
  const words = fc.array(
    fc.oneof(fc.constantFrom("hook", "stop", "--profile", "work"), fc.string()),
  );
  fuzz(words, parseHookArgs, {
    check: (found) => {
      if (found?.profile) assert(isProfileName(found.profile) && !/[/\\]|^\./.test(found.profile));
    },
  });
});

const HOOK = { type: "command", command: "claude-sync hook stop", timeout: 20 };
const SETTINGS: Json[] = [
  {
    model: "x",
    hooks: { Stop: [{ matcher: "", hooks: [HOOK, { type: "command", command: "x" }] }] },
  },
  { hooks: { SessionStart: [{ hooks: [HOOK] }], Other: [] }, cleanupPeriodDays: 90 },
  { hooks: {} },
  {},
];

/** The settings in a file that may begin with a byte order mark, as the client reads it. */
function valueOf(text: string) {
  return JSON.parse(text.replace(/^\ufeff/, ""));
}

Deno.test("fuzz: hooks go into any settings and out again, and all else stays", () => {
  const texts = fc.oneof(
    mutatedJson(SETTINGS),
    fc.constantFrom(...SETTINGS).map((sample) => JSON.stringify(sample, null, "\t")),
    mutatedText(SETTINGS.map((sample) => JSON.stringify(sample, null, 2))),
  );
  const entries = hookEntries("linux", ["/opt/claude-sync"], null);
  fuzz(texts, (text) => ({ added: addHooks(text, entries), text }), {
    codes: ["malformed-file"],
    check({ added, text }) {
      const settings = valueOf(added);
      for (const { event, command } of entries) {
        const found = JSON.stringify(settings.hooks[event]).split(JSON.stringify(command)).length -
          1;
        assert.equal(found, 1, event);
      }
      assert.equal(addHooks(added, entries), added, "twice is once");
      const [without, before] = [removeHooks(added), removeHooks(text)].map(valueOf);
      assert.deepEqual(without, before, text);
    },
  });
  fuzz(
    mutatedText(["claude-sync hook stop", "'/a b/claude-sync' hook session-end --profile 'x'"]),
    (
      command,
    ) => isOwnCommand(command),
    {
      check: (isOwn, command) => {
        if (isOwn) assert.match(command, /claude-sync|main\.ts/);
      },
    },
  );
});

Deno.test("fuzz: places in JSON text are where the values are", () => {
  fuzz(fc.oneof(mutatedJson(SETTINGS), mutatedText(['{"a" : [1, "}\\""] , "b":{}}'])), (text) => {
    return { root: parseJsonText(text), text };
  }, {
    codes: ["malformed-file"],
    check({ root, text }) {
      assert.deepEqual(JSON.parse(text.slice(root.start, root.end)), JSON.parse(text));
      if (root.kind !== "object") return;
      const more = JSON.parse(appendMember(text, root, "new", [1]));
      assert.deepEqual(more, { ...JSON.parse(text), new: [1] });
    },
  });
});

Deno.test("fuzz: the client's own files are hints, whatever they hold", () => {
  const registry: Json = { sessionId: idOf(1), pid: 7, procStart: "123", cwd: "/x" };
  const claudeJson: Json = { projects: { "/home/bob/app": {}, "/tmp": {} }, userID: "x" };
  const inputs = fc.tuple(files([registry]), files([claudeJson]), files(SETTINGS));
  fuzz(inputs, ([entry, json, settings]) => {
    const fs = new MemoryFs();
    const root = claudeRoot(HOST);
    put(fs, "/home/bob/.claude/sessions/7.json", entry);
    put(fs, "/home/bob/.claude.json", json);
    put(fs, "/home/bob/.claude/settings.json", settings);
    return {
      live: liveSessions(fs, HOST, root),
      folders: knownFolders(fs, HOST, root, []),
      days: cleanupPeriodDays(fs, root),
      hooks: hooksInstalled(fs, HOST),
    };
  }, {
    check({ live, days, hooks }) {
      for (const id of live) assert.notEqual(parseSessionId(id), null);
      assert(days >= 1);
      assert(["global", "project", "none"].includes(hooks));
    },
  });
});

Deno.test("fuzz: what a store's driver remembers is facts or forgotten", () => {
  const place = { identity: "x", cacheDir: "/cache" };
  const empty = new MemoryFs();
  openRemembered({ ...place, fs: empty, random: fixedRandom("x") }).set({ region: "eu-west-1" });
  const name = empty.readDir("/cache")![0]!.name;
  fuzz(files([{ region: "eu-west-1", listVersion: 1, version: 1 }]), (bytes) => {
    const fs = new MemoryFs();
    put(fs, `/cache/${name}`, bytes);
    return openRemembered({ ...place, fs, random: fixedRandom("x") }).facts;
  }, {
    check: ({ region }) => assert(region === null || /^[A-Za-z0-9-]{1,64}$/.test(region)),
  });
});
