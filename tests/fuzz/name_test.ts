/** Names and text: what decides where bytes go, what a terminal shows, and what a shell reads. */
import assert from "node:assert/strict";
import * as fc from "fast-check";
import { posix, win32 } from "node:path";
import { fishQuote, posixQuote, powershellQuote, shellWord } from "../../src/cli/shell_quote.ts";
import {
  displayWidth,
  fitColumns,
  TERMINAL_GRAPHEMES_MAX,
  terminalText,
} from "../../src/cli/terminal_text.ts";
import { besideName, besideOf, plansOfFile } from "../../src/sessions/shelf.ts";
import { claudeRoot } from "../../src/sessions/claude_root.ts";
import {
  fileKind,
  type FileName,
  fileNameProblem,
  foldedFileName,
  NAME_BYTES_MAX,
  NAME_DEPTH_MAX,
  parseFileName,
} from "../../src/sessions/file_name.ts";
import { pathOf } from "../../src/sessions/layout.ts";
import { parseProjectIdentity, projectKey } from "../../src/sessions/project.ts";
import { parseSessionId } from "../../src/sessions/session_id.ts";
import { slugOf } from "../../src/sessions/slug.ts";
import { OBJECT_NAME_BYTES_MAX, parseObjectName } from "../../src/storage/object_name.ts";
import { objectKindOf, parseLogEntryName, parsePackName } from "../../src/vault/names.ts";
import { fakeHost, idOf } from "../sessions/disk.ts";
import { fuzz } from "./fuzzing.ts";
import { type Json, mutatedJson } from "./json_mutations.ts";
import { mutatedText } from "./mutations.ts";

const ID = idOf(1);
const ROOTS = [claudeRoot(fakeHost()), claudeRoot(fakeHost({ os: "windows", home: "C:\\u\\bob" }))];

const FILE_NAMES = [
  ...["transcript", "history", "side/subagents/agent-1.jsonl", "side/tool-results/a.txt"],
  ...[
    "file-history/5adaa6c8b8ebc7bc@v2",
    "todos/@-agent-@.json",
    "tasks/1/a.json",
    "memory/a/b.md",
  ],
  ...["plans/happy-otter.md", "plans/x.0123abcd.md", "legacy/agent-0a.jsonl"],
];

function staysInside(name: FileName): void {
  for (const root of ROOTS) {
    const rules = root.os === "windows" ? win32 : posix;
    const path = pathOf(root, "-home-bob-app", ID, name);
    assert.equal(rules.normalize(path), path, name);
    assert(path.startsWith(root.configDir + rules.sep), path);
    const below = path.slice(root.configDir.length + 1).split(rules.sep);
    assert(below.every((part) => part !== "" && !/^\.+$|[\0:]/.test(part)), path);
    const top = below[0]!;
    assert(/^(projects|file-history|todos|tasks|plans|history\.jsonl)$/.test(top), path);
    if (top === "projects") assert.equal(below[1], "-home-bob-app");
  }
}

Deno.test("fuzz: file names of a vault stay in the client's folders on every system", () => {
  fuzz(mutatedText(FILE_NAMES, ["side/", "CON", "aux.", "NUL .txt", "．．", "／"]), parseFileName, {
    check(name, text) {
      assert.equal(name === null, fileNameProblem(text) !== null);
      if (name === null) return;
      staysInside(name);
      assert.equal(name, name.normalize("NFC"));
      assert(new TextEncoder().encode(name).length <= NAME_BYTES_MAX);
      assert(name.split("/").length <= NAME_DEPTH_MAX && name.isWellFormed());
      assert.equal(foldedFileName(foldedFileName(name) as FileName), foldedFileName(name));
      assert(["lines", "whole"].includes(fileKind(name)));
      const beside = besideName(name, "0123456789abcdef");
      if (beside !== null) {
        staysInside(beside);
        assert.notEqual(beside, name);
        if (name.startsWith("memory/")) assert.equal(besideOf(beside)?.name, name);
      }
    },
  });
});

Deno.test("fuzz: names of objects, entries, packs and sessions mean one thing", () => {
  const samples = [
    ...["claude-sync.json", "log/0123456789abcdef/000000000001.01234567", `keys/${"a".repeat(32)}`],
    ...[`packs/ab/${"0".repeat(30)}`, ID, `wraps/${"0".repeat(52)}`],
  ];
  fuzz(mutatedText(samples, ["log/", "packs/"]), (text) => ({
    object: parseObjectName(text),
    entry: parseLogEntryName(text),
    pack: parsePackName(text),
    kind: objectKindOf(text),
    session: parseSessionId(text),
    plans: plansOfFile(text),
    slug: slugOf(text),
  }), {
    check({ object, entry, pack, kind, session, plans, slug }, text) {
      if (object !== null) {
        assert.match(object, /^[a-z0-9._/-]+$/);
        assert(
          object.length <= OBJECT_NAME_BYTES_MAX && !/(^|\/)\.|\.(\/|$)|\/\/|^\//.test(object),
        );
      }
      // What has a place in a vault is a name that every store takes.
      if (kind !== null) assert.equal(object, text);
      assert.equal(entry !== null, kind === "entry");
      assert.equal(pack !== null, kind === "pack");
      if (entry !== null) {
        const seq = String(entry.seq).padStart(12, "0");
        assert.equal(`log/${entry.tag}/${seq}.${entry.hash8}`, text);
      }
      if (session !== null) assert.match(session, /^[0-9a-f-]{36}$/);
      for (const plan of plans) assert.match(plan, /^[A-Za-z0-9][A-Za-z0-9_-]{0,99}$/);
      assert.match(slug, /^[A-Za-z0-9-]*$/);
      assert(slug.length <= 220);
    },
  });
});

Deno.test("fuzz: projects that a vault claims are relative, or absolute and plain", () => {
  const samples: Json[] = [
    { kind: "git", remote: "github.com/acme/app", sub: "packages/web" },
    { kind: "home", path: "code/app" },
    { kind: "path", path: "C:/work/app" },
    { kind: "path", path: "//server/share/x" },
  ];
  fuzz(mutatedJson(samples), (text) => parseProjectIdentity(JSON.parse(text)), {
    check(identity) {
      if (identity === null) return;
      assert.deepEqual(parseProjectIdentity({ ...identity }), identity);
      const path = identity.kind === "git" ? identity.sub : identity.path;
      assert(!path.split("/").some((part) => part === ".."), path);
      assert(!/\0/.test(projectKey(identity)));
    },
  });
  fuzz(
    mutatedText(["code/app", "a/b", ""]),
    (path) => parseProjectIdentity({ kind: "home", path }),
    {
      check: (identity) => {
        if (identity?.kind !== "home") return;
        assert(posix.join("/home/bob", identity.path).startsWith("/home/bob"), identity.path);
      },
    },
  );
});

Deno.test("fuzz: text for a terminal moves, hides and reorders nothing", () => {
  const samples = ["plain title", "Grüße 👩‍🚀 of e\u0301", "日本語 한국어", "a\tb", "x".repeat(300)];
  const inputs = fc.tuple(
    mutatedText(samples, ["\x1b]8;;http://x\x07", "\u061c", "\u{e0041}"]),
    fc.nat(60),
  );
  fuzz(inputs, ([text, limit]) => terminalText(text, limit + 1), {
    check(shown, [, limit]) {
      assert.doesNotMatch(shown, /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]|[\u{e0000}-\u{e0fff}]/u);
      assert(shown.isWellFormed());
      assert.equal(terminalText(shown, limit + 1), shown, "once is enough");
      assert(shown.length <= TERMINAL_GRAPHEMES_MAX * 200);
      const fitted = fitColumns(shown, limit + 1);
      assert.equal(displayWidth(fitted), limit + 1, JSON.stringify(fitted));
    },
  });
});

/** Reads one word as the shell would: what is in single quotes, and what stands for a quote. */
const SHELLS = [
  { quote: posixQuote, read: (text: string) => text.slice(1, -1).replaceAll("'\\''", "'") },
  {
    quote: powershellQuote,
    read: (text: string) =>
      text.slice(1, -1).replace(/(['\u{2018}\u{2019}\u{201a}\u{201b}])\1/gu, "$1"),
  },
  { quote: fishQuote, read: (text: string) => text.slice(1, -1).replace(/\\(['\\])/g, "$1") },
];

Deno.test("fuzz: a quoted word is one word, and itself", () => {
  const words = mutatedText(["it's", "a b", "$HOME `id` \\", "‘x’", "~/x", "%PATH%", "plain-word"]);
  fuzz(words, (word) => SHELLS.map(({ quote }) => quote(word)), {
    check(quoted, word) {
      quoted.forEach((text, at) => {
        assert.match(text, /^'.*'$/s);
        assert.equal(SHELLS[at]!.read(text), word);
      });
      // Without the pairs that stand for a quote, none is left inside.
      assert(!quoted[0]!.slice(1, -1).replaceAll("'\\''", "").includes("'"));
      assert(!/['‘’‚‛]/.test(quoted[1]!.slice(1, -1).replace(/(['‘’‚‛])\1/gu, "")));
      assert(!quoted[2]!.slice(1, -1).replace(/\\./gs, "").includes("'"));
      for (const os of ["linux", "darwin", "windows"] as const) {
        const shown = shellWord(os, word);
        if (!/^['~]/.test(shown)) assert.doesNotMatch(shown, /[\s$`"'&|;<>()*?#!]/);
      }
    },
  });
});
