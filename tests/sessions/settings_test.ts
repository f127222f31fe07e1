import assert from "node:assert/strict";
import * as nodeFs from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { isClaudeSyncError } from "../../src/errors.ts";
import { nodePlatform } from "../../src/platform/node.ts";
import {
  addHooks,
  applySettingsChange,
  hookEntries,
  isOwnCommand,
  OWN_HOOKS_MAX,
  planSettingsChange,
  removeHooks,
} from "../../src/sessions/settings.ts";
import { parseJsonText } from "../../src/sessions/settings_text.ts";
import { faultyFs, LOOKS } from "../support/faulty_fs.ts";

const ENTRIES = hookEntries("linux", ["/opt/it's here/claude-sync"], null);
const END = "'/opt/it'\\''s here/claude-sync' hook session-end";

const isWindows = nodePlatform().host.os === "windows";

function hookList(text: string, event: string): unknown[] {
  return JSON.parse(text).hooks[event];
}

Deno.test("hookEntries quotes the program for the system's shell", () => {
  assert.equal(ENTRIES.find(({ event }) => event === "SessionEnd")?.command, END);
  const windows = hookEntries("windows", ["C:\\Program Files\\cs\\claude-sync.exe"], "work");
  assert.equal(
    windows[0]?.command,
    `"C:/Program Files/cs/claude-sync.exe" hook session-start --profile "work"`,
  );
  const source = hookEntries("linux", ["/bin/deno", "run", "-A", "/x/src/main.ts"], null);
  assert.equal(source[0]?.command, "'/bin/deno' 'run' '-A' '/x/src/main.ts' hook session-start");
  for (const { command } of [...ENTRIES, ...windows, ...source]) {
    assert.ok(isOwnCommand(command), command);
  }
});

Deno.test("isOwnCommand knows old entries and leaves others alone", () => {
  const own = [
    "claude-sync push --session $CLAUDE_SESSION_ID",
    `claude-sync push --session "$CLAUDE_SESSION_ID"`,
    "npx claude-sync push --session ${CLAUDE_SESSION_ID}",
    "/usr/local/bin/claude-sync hook session-end",
    "claude-sync hook stop",
    "'/a b/claude-sync' hook stop --profile 'x'",
  ];
  const others = [
    "",
    "say bye",
    "claude-sync push",
    "claude-sync push --session abc",
    "other-tool hook stop",
    "claude-sync hook stop && rm -rf x",
    "echo claude-sync hook stop; true",
    "claude-sync-notify.sh | cat",
    "/opt/claude-sync/bin/other hook stop",
  ];
  for (const command of own) assert.ok(isOwnCommand(command), command);
  for (const command of others) assert.ok(!isOwnCommand(command), command);
});

Deno.test("isOwnCommand answers at once for hostile commands", () => {
  const started = performance.now();
  isOwnCommand(`${"'a' ".repeat(5000)}!`);
  isOwnCommand(`${"a ".repeat(20_000)}hook`);
  assert.ok(performance.now() - started < 1000);
});

Deno.test("addHooks makes a settings file when there is none", () => {
  const text = addHooks(null, ENTRIES);
  assert.deepEqual(hookList(text, "SessionEnd"), [
    { hooks: [{ type: "command", command: END, timeout: 20 }] },
  ]);
  assert.deepEqual(Object.keys(JSON.parse(text).hooks), ["SessionStart", "SessionEnd", "Stop"]);
  assert.equal(removeHooks(text), "{}\n");
});

Deno.test("addHooks keeps layout, order, odd numbers, line ends and BOM", () => {
  const texts = [
    `{\n\t"b": 1e400,\n\t"10": [1,  2],\n\t"a": 12345678901234567890\n}\n`,
    `\u{feff}{\r\n    "hooks": {\r\n        "Stop": [ {"hooks": []} ]\r\n    }\r\n}`,
    `{"model":"opus"}`,
    `{ "hooks": { "Stop": [ { "matcher": "a", "hooks": [ { "command": "x" } ] } ] } }`,
    `{\n  "hooks": {\n    "PreToolUse": []\n  },\n  "z": null\n}\n\n`,
  ];
  for (const text of texts) {
    const installed = addHooks(text, ENTRIES);
    assert.notEqual(installed, text);
    assert.equal(addHooks(installed, ENTRIES), installed, "the second time nothing changes");
    assert.equal(removeHooks(installed), text);
    if (text.includes("\r\n")) assert.ok(!/[^\r]\n/.test(installed));
  }
});

Deno.test("addHooks replaces old entries where they stand", () => {
  const old = JSON.stringify({
    hooks: {
      SessionEnd: [{
        matcher: "other",
        hooks: [
          { type: "command", command: "first" },
          { type: "command", command: "claude-sync push --session $CLAUDE_SESSION_ID" },
          { type: "command", command: "claude-sync hook session-end", timeout: 3 },
        ],
      }],
      PreCompact: [{ hooks: [{ type: "command", command: "claude-sync hook stop" }] }],
    },
  });
  const text = addHooks(old, ENTRIES);
  assert.deepEqual(hookList(text, "SessionEnd"), [{
    matcher: "other",
    hooks: [
      { type: "command", command: "first" },
      { type: "command", command: END, timeout: 20 },
    ],
  }]);
  assert.equal(JSON.parse(text).hooks.PreCompact, undefined);
  assert.deepEqual(JSON.parse(removeHooks(text)), {
    hooks: { SessionEnd: [{ matcher: "other", hooks: [{ type: "command", command: "first" }] }] },
  });
});

const GROUP = fc.oneof(
  fc.json().map((text): unknown => JSON.parse(text)),
  fc.record({
    matcher: fc.string(),
    hooks: fc.array(fc.record({ type: fc.constant("command"), command: fc.string() })),
  }, { requiredKeys: [] }),
);
const EVENT = fc.constantFrom("SessionStart", "SessionEnd", "Stop", "PreToolUse", "__proto__");
const SETTINGS = fc.tuple(
  fc.dictionary(fc.string(), fc.jsonValue()),
  fc.option(fc.array(fc.tuple(EVENT, fc.array(GROUP, { maxLength: 3 })), { maxLength: 4 })),
  fc.constantFrom(undefined, 2, "\t"),
).map(([others, events, indent]) => {
  const { hooks: _unwanted, ...rest } = others;
  const hooks = events === null ? {} : { hooks: Object.fromEntries(events) };
  return JSON.stringify({ ...rest, ...hooks }, null, indent);
});

Deno.test("removeHooks undoes addHooks for any settings", () => {
  fc.assert(fc.property(SETTINGS, (text) => {
    const installed = addHooks(text, ENTRIES);
    const value = JSON.parse(installed);
    for (const { event, command } of ENTRIES) {
      const commands = value.hooks[event].flatMap((group: { hooks?: { command: string }[] }) =>
        Array.isArray(group?.hooks) ? group.hooks.map((hook) => hook?.command) : []
      );
      assert.equal(commands.filter((found: string) => found === command).length, 1);
    }
    assert.equal(addHooks(installed, ENTRIES), installed);
    assert.deepEqual(JSON.parse(removeHooks(installed)), JSON.parse(text));
    assert.equal(removeHooks(text), text, "without our hooks there is nothing to remove");
  }));
});

Deno.test("addHooks refuses what it does not understand", () => {
  const wrong = [
    "",
    "{",
    "{} x",
    "[]",
    "null",
    `{"hooks":1}`,
    `{"hooks":[]}`,
    `{"hooks":{"Stop":{}}}`,
    "// c\n{}",
  ];
  for (const text of wrong) {
    assert.throws(
      () => addHooks(text, ENTRIES),
      (error: unknown) => isClaudeSyncError(error, "malformed-file"),
      text,
    );
  }
});

Deno.test("parseJsonText takes 200 levels and refuses 201", () => {
  const nested = (levels: number) => "[".repeat(levels) + "]".repeat(levels);
  assert.equal(parseJsonText(nested(200)).kind, "array");
  assert.throws(
    () => parseJsonText(nested(202)),
    (error: unknown) => isClaudeSyncError(error, "malformed-file"),
  );
});

function withFolder(run: (folder: string) => void): void {
  const folder = nodeFs.mkdtempSync(join(Deno.makeTempDirSync(), "settings-"));
  try {
    run(folder);
  } finally {
    nodeFs.rmSync(folder, { recursive: true, force: true });
  }
}

const install = (text: string | null) => addHooks(text, ENTRIES);

Deno.test({
  name: "applySettingsChange writes through a link, keeps the mode and a copy",
  ignore: isWindows,
  fn: () =>
    withFolder((folder) => {
      const real = join(folder, "dotfiles.json");
      const path = join(folder, "settings.json");
      nodeFs.writeFileSync(real, `{"a":1}`, { mode: 0o640 });
      nodeFs.chmodSync(real, 0o640);
      nodeFs.symlinkSync(real, path);
      const platform = nodePlatform();
      const change = planSettingsChange(platform, path, install);
      assert.ok(change !== null);
      assert.equal(nodeFs.readFileSync(real, "utf8"), `{"a":1}`, "a plan writes nothing");
      const backup = applySettingsChange(platform, change);
      assert.ok(nodeFs.lstatSync(path).isSymbolicLink());
      assert.equal(nodeFs.statSync(real).mode & 0o777, 0o640);
      assert.equal(JSON.parse(nodeFs.readFileSync(real, "utf8")).a, 1);
      assert.ok(backup?.startsWith(`${path}.bak-`));
      assert.equal(nodeFs.readFileSync(backup ?? "", "utf8"), `{"a":1}`);
      assert.equal(planSettingsChange(platform, path, install), null);
      const back = planSettingsChange(platform, path, (text) => removeHooks(text ?? ""));
      assert.ok(back !== null);
      assert.notEqual(applySettingsChange(platform, back), backup, "no backup is overwritten");
      assert.equal(nodeFs.readFileSync(real, "utf8"), `{"a":1}`);
    }),
});

Deno.test({
  name: "planSettingsChange refuses a link to nothing and a file that is no JSON",
  ignore: isWindows,
  fn: () =>
    withFolder((folder) => {
      const platform = nodePlatform();
      const dangling = join(folder, "settings.json");
      nodeFs.symlinkSync(join(folder, "gone"), dangling);
      assert.throws(
        () => planSettingsChange(platform, dangling, install),
        (error: unknown) => isClaudeSyncError(error, "unsafe-file"),
      );
      const broken = join(folder, "broken.json");
      nodeFs.writeFileSync(broken, `{"token": "s3cret",}`);
      assert.throws(
        () => planSettingsChange(platform, broken, install),
        (error: unknown) =>
          isClaudeSyncError(error, "malformed-file") &&
          !JSON.stringify([error.message, String(error.cause)]).includes("s3cret"),
      );
      const latin1 = join(folder, "latin1.json");
      nodeFs.writeFileSync(latin1, Uint8Array.of(0x22, 0xe9, 0x22));
      assert.throws(
        () => planSettingsChange(platform, latin1, install),
        (error: unknown) => isClaudeSyncError(error, "malformed-file"),
      );
    }),
});

Deno.test("hooks of two profiles stand side by side and go one by one", () => {
  const self = ["/usr/bin/claude-sync"];
  const [plain, work] = [hookEntries("linux", self, null), hookEntries("linux", self, "work")];
  const both = addHooks(addHooks(null, plain), work);
  assert.equal(addHooks(both, plain), both);
  assert.equal(addHooks(both, work), both);
  for (const { command } of [...plain, ...work]) {
    assert.ok(both.includes(JSON.stringify(command)), command);
  }
  const left = removeHooks(both, "work");
  assert.deepEqual(JSON.parse(left), JSON.parse(addHooks(null, plain)));
  assert.deepEqual(JSON.parse(removeHooks(removeHooks(both), "work")), {});
});

Deno.test("parseJsonText finds its way through a text of some MiB", () => {
  // One engine's patterns find no end of a string of this length.
  for (const long of ["x y, z]".repeat(300_000), '\\"\\\\'.repeat(500_000)]) {
    const text = `{"a":"${long}","b":[1]}`;
    const root = parseJsonText(text);
    assert(root.kind === "object");
    assert.deepEqual(root.members.map(({ key }) => key), ["a", "b"]);
    assert.equal(root.members[0]!.value.end, long.length + 7);
  }
});

Deno.test("removeHooks takes out as many as are looked after, and refuses more", () => {
  const withHooks = (count: number) => {
    const hook = { type: "command", command: "claude-sync hook stop" };
    return JSON.stringify({ hooks: { Stop: new Array(count).fill({ hooks: [hook] }) } });
  };
  assert.equal(removeHooks(withHooks(OWN_HOOKS_MAX)), "{}");
  assert.throws(
    () => removeHooks(withHooks(OWN_HOOKS_MAX + 1)),
    (error) => isClaudeSyncError(error, "malformed-file"),
  );
  const startMs = performance.now();
  removeHooks(`{"hooks":{${'"a":[],'.repeat(200_000)}"b":[]}}`);
  assert(performance.now() - startMs < 3_000, "many events take too long");
});

Deno.test("settings that cannot be read are never taken for none", () =>
  withFolder((folder) => {
    const platform = nodePlatform();
    const path = join(folder, "settings.json");
    nodeFs.writeFileSync(path, `{"a":1}`);
    for (const errno of ["EACCES", "EIO", "EMFILE"]) {
      for (let failNth = 1;; failNth++) {
        const fs = faultyFs(platform.fs, { failNth, errno, calls: LOOKS });
        let change: ReturnType<typeof planSettingsChange> = null;
        try {
          change = planSettingsChange({ ...platform, fs }, path, install);
        } catch (error) {
          assert.ok(isClaudeSyncError(error), `${error}`);
        }
        if (fs.failed === 0) break;
        assert.equal(change, null, `${errno} of ${fs.log.at(-1)}`);
      }
    }
    assert.equal(nodeFs.readFileSync(path, "utf8"), `{"a":1}`);
  }));

Deno.test("settings are the old ones or the new ones, wherever a change ends", () =>
  withFolder((folder) => {
    const platform = nodePlatform();
    const path = join(folder, "settings.json");
    const before = `{"a":1}`;
    for (const effect of ["before", "after"] as const) {
      for (let failNth = 1;; failNth++) {
        // Each backup that is there takes the next one more calls.
        for (const name of nodeFs.readdirSync(folder)) nodeFs.rmSync(join(folder, name));
        nodeFs.writeFileSync(path, before);
        const change = planSettingsChange(platform, path, install)!;
        const fs = faultyFs(platform.fs, { failNth, effect, from: "then-on" });
        try {
          applySettingsChange({ ...platform, fs }, change);
        } catch (error) {
          assert.ok(isClaudeSyncError(error), `${error}`);
        }
        const after = nodeFs.readFileSync(path, "utf8");
        assert.ok([before, change.after].includes(after), fs.log.at(-1));
        if (fs.failed === 0) break;
      }
    }
  }));

Deno.test("what the client writes into the settings meanwhile is not written over", () =>
  withFolder((folder) => {
    const platform = nodePlatform();
    const path = join(folder, "settings.json");
    for (const before of [`{"a":1}`, null]) {
      nodeFs.rmSync(path, { force: true });
      if (before !== null) nodeFs.writeFileSync(path, before);
      const change = planSettingsChange(platform, path, install)!;
      nodeFs.writeFileSync(path, `{"a":2,"model":"x"}`);
      assert.throws(
        () => applySettingsChange(platform, change),
        (error: unknown) => isClaudeSyncError(error, "busy"),
      );
      assert.equal(nodeFs.readFileSync(path, "utf8"), `{"a":2,"model":"x"}`);
    }
    const again = planSettingsChange(platform, path, install)!;
    applySettingsChange(platform, again);
    assert.equal(JSON.parse(nodeFs.readFileSync(path, "utf8")).a, 2);
  }));
