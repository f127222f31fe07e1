/**
 * The house rules that a machine can check, for every TypeScript file of the project. The tables
 * come first; to allow something new, change a table in the commit that needs it and say why there.
 */
import assert from "node:assert/strict";
import fs from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { lockFileComplaints } from "./checks/lock_file.ts";
import { type HouseRules, violations } from "./checks/house_rules.ts";

const STORE_INTERFACE = ["src/storage/object_store.ts", "src/storage/object_name.ts"];

/** Plain hashing is a leaf: no key, no random numbers, no world. */
const HASHING = ["node:crypto#createHash", "node:crypto#Hash"];

const PURE_PATHS = ["join", "dirname", "basename", "isAbsolute", "delimiter", "sep"];

const RULES: HouseRules = {
  // main -> cli -> sync -> { sessions, vault }; vault -> crypto and the store's interface.
  layers: [
    {
      // It builds the world and hands it down.
      at: "src/main.ts",
      mayImport: ["src/cli/", "src/sync/service.ts", "src/platform/", "deno.json"],
      modules: ["node:process", "node:url"],
    },
    {
      at: "src/cli/",
      mayImport: [
        "src/sync/",
        "src/vault/",
        "src/sessions/",
        "src/storage/open.ts",
        "src/storage/location.ts",
        "src/storage/place.ts",
        "src/storage/store_facts.ts",
        "deno.json",
      ],
      modules: ["@clack/prompts", "@optique/core/", "@optique/run", "node:path#resolve"],
    },
    {
      at: "src/sync/",
      // Of crypto, hashes and what identifies somebody; sealing is the vault's business.
      mayImport: [
        "src/sessions/",
        "src/vault/",
        "src/crypto/hash.ts",
        "src/crypto/machine_identity.ts",
        "src/crypto/root_key.ts",
        ...STORE_INTERFACE,
        // Opening a store and decorating it; never a driver.
        "src/storage/location.ts",
        "src/storage/open.ts",
        "src/storage/store_facts.ts",
        "src/storage/with_limit.ts",
        "src/storage/with_meter.ts",
        "src/storage/with_retry.ts",
        // What is known about a store from outside of it.
        "src/storage/probe.ts",
        "src/storage/prices.ts",
      ],
      modules: [...HASHING, "node:sqlite", "node:zlib"],
    },
    {
      at: "src/vault/",
      mayImport: ["src/crypto/", ...STORE_INTERFACE],
      modules: [...HASHING, "node:zlib"],
    },
    { at: "src/sessions/", mayImport: [], modules: [...HASHING] },
    { at: "src/storage/open.ts", mayImport: ["src/storage/"], modules: [] },
    // What Git may be given is the driver's to say.
    {
      at: "src/storage/place.ts",
      mayImport: ["src/storage/location.ts", "src/storage/git/git_url.ts"],
      modules: [],
    },
    {
      // AWS's own library: known to this file alone, loaded when a profile asks for it.
      at: "src/storage/s3/credentials/official_provider.ts",
      mayImport: ["src/storage/s3/"],
      modules: [
        "@aws-sdk/credential-provider-http",
        "@aws-sdk/credential-provider-ini",
        "@smithy/credential-provider-imds",
      ],
    },
    // A driver knows the interface, never another driver; `open.ts` alone knows the drivers.
    {
      at: "src/storage/*/",
      mayImport: [
        ...STORE_INTERFACE,
        "src/storage/object_prefix.ts",
        "src/storage/put_each.ts",
        "src/storage/retry_after.ts",
        // A driver that counts what it sends itself.
        "src/storage/with_meter.ts",
        // Its own kind of place.
        "src/storage/location.ts",
        // Credentials that several drivers share.
        "src/storage/credentials/",
        // What S3 and Google Cloud Storage share: the XML client.
        "src/storage/bucket/",
        // What a driver can tell about its store.
        "src/storage/store_facts.ts",
      ],
      modules: ["aws4fetch", "jose", "@rgrove/parse-xml", ...HASHING],
    },
    { at: "src/storage/", mayImport: [], modules: [...HASHING] },
    { at: "src/crypto/", mayImport: [], modules: [...HASHING] },
    { at: "src/platform/", mayImport: [], modules: ["node:"] },
    { at: "src/base/", mayImport: [], modules: [...HASHING] },
    { at: "src/errors.ts", mayImport: [], modules: [] },
  ],
  everyone: {
    // `atomic_file.ts` is written against the interfaces of `types.ts`: it knows no system.
    mayImport: [
      "src/base/",
      "src/errors.ts",
      "src/platform/types.ts",
      "src/platform/atomic_file.ts",
    ],
    // What is pure in node:path, for paths of a given system or of this one. No `resolve`: it asks
    // for the current folder.
    modules: [
      "zod/mini",
      ...["posix", "win32", ...PURE_PATHS].map((n) => `node:path#${n}`),
    ],
  },
  bans: [
    ...["Deno", "Bun"].map((name) => ({
      name,
      // One call, found at run time, that spares the hooks a slow module: see there.
      allowedIn: ["src/platform/bun_spawn.ts", "src/platform/bun_memory.ts"],
      instead: "use web APIs and platform/types.ts: the program runs under both",
    })),
    ...["process", "Buffer", "__dirname", "require()"].map((name) => ({
      name,
      allowedIn: ["src/platform/", "src/main.ts"],
      instead: "use web APIs and platform/types.ts",
    })),
    ...["Date.now", "new Date()", "Date()", "performance.now"].map((name) => ({
      name,
      allowedIn: ["src/platform/"],
      instead: "take a Clock",
    })),
    ...["setTimeout", "setInterval", "setImmediate"].map((name) => ({
      name,
      allowedIn: ["src/platform/"],
      instead: "take a Clock and call its sleep",
    })),
    ...["Math.random", "crypto.getRandomValues", "crypto.randomUUID"].map((name) => ({
      name,
      allowedIn: ["src/platform/"],
      instead: "take a Random",
    })),
    {
      name: "crypto.subtle",
      allowedIn: ["src/crypto/"],
      instead: "call src/crypto: nothing else seals, signs or derives",
    },
    {
      name: "fetch()",
      allowedIn: ["src/platform/", "src/storage/"],
      instead: "only stores talk to the network",
    },
    {
      name: "console.",
      allowedIn: ["src/cli/", "src/main.ts"],
      instead: "give a result or an event back; cli prints it",
    },
  ],
  vagueFileNames: ["utils", "util", "helpers", "helper", "common", "misc", "manager", "shared"],
  fileLinesMax: 400,
  functionLinesMax: 70,
  lineColumnsMax: 100,
};

const ROOT = dirname(dirname(fileURLToPath(import.meta.url)));

/** Every TypeScript file of the project, its path relative to the project and with slashes. */
function projectFiles(): string[] {
  const files = ["build.ts"];
  for (const folder of ["src", "tests"]) {
    for (const entry of fs.readdirSync(join(ROOT, folder), { recursive: true, encoding: "utf8" })) {
      if (entry.endsWith(".ts")) files.push(`${folder}/${entry.replaceAll("\\", "/")}`);
    }
  }
  return files.sort();
}

Deno.test("the project's files keep the house rules", () => {
  const found = projectFiles().flatMap((path) =>
    violations(RULES, path, fs.readFileSync(join(ROOT, path), "utf8"))
  );
  assert.equal(found.length, 0, `\n${found.join("\n")}\n`);
});

Deno.test("the top level holds what it should and nothing else", () => {
  const allowed = [
    ...["src", "tests", "deno.json", "build.ts", "README.md", "LICENSE", ".github"],
    ...[".gitignore", "deno.lock", ".ci"],
    ...[".git", "node_modules", "dist"],
  ];
  const strangers = fs.readdirSync(ROOT).filter((name) => !allowed.includes(name));
  assert.deepEqual(strangers, [], "move these, or ignore them in .gitignore and here");
});

/** A file's path, one breach planted in its text, and what the report must speak of. */
const PLANTED: readonly (readonly [path: string, text: string, expected: RegExp])[] = [
  [
    "src/cli/a.ts",
    'import { b } from "../crypto/b.ts";',
    /^src\/cli\/a\.ts:1: imports src\/crypto/,
  ],
  ["src/cli/a.ts", 'import { b } from "../storage/folder/b.ts";', /imports src\/storage\/folder/],
  ["src/sync/a.ts", 'import type { B } from "../cli/b.ts";', /imports src\/cli\/b\.ts/],
  ["src/sync/a.ts", 'import { b } from "../crypto/envelope.ts";', /imports src\/crypto\/envelope/],
  ["src/vault/a.ts", 'export { b } from "../sessions/b.ts";', /imports src\/sessions/],
  ["src/vault/a.ts", 'import { b } from "../storage/folder/store.ts";', /imports src\/storage/],
  ["src/sessions/a.ts", 'export * from "../vault/b.ts";', /imports src\/vault/],
  ["src/sessions/a.ts", 'type B = import("../vault/b.ts").B;', /imports src\/vault/],
  ["src/storage/git/a.ts", 'import { b } from "../folder/b.ts";', /imports src\/storage\/folder/],
  ["src/storage/a.ts", 'import { b } from "./folder/b.ts";', /imports src\/storage\/folder/],
  ["src/crypto/a.ts", 'const b = await import("../vault/b.ts");', /imports src\/vault/],
  ["src/base/a.ts", 'import { b } from "../sync/b.ts";', /imports src\/sync/],
  ["src/sync/a.ts", 'import { b } from "../platform/node.ts";', /imports src\/platform\/node/],
  ["src/sync/a.ts", 'import { b } from "../../tests/b.ts";', /imports tests\/b\.ts/],
  ["src/other/a.ts", 'import { b } from "../base/b.ts";', /file of no layer/],
  ["src/vault/a.ts", 'import { b } from "./b";', /end it in \.ts/],
  ["tests/a_test.ts", 'import { b } from "../src/b.js";', /end it in \.ts/],
  ["src/vault/a.ts", 'import fs from "node:fs";', /from "node:fs"; use the interfaces/],
  ["src/vault/a.ts", 'import { resolve } from "node:path";', /from "node:path"/],
  ["src/vault/a.ts", 'import { posix, resolve } from "node:path";', /from "node:path"/],
  ["src/crypto/a.ts", 'import { randomBytes } from "node:crypto";', /from "node:crypto"/],
  ["src/vault/a.ts", 'import * as z from "zod";', /zod\/mini/],
  ["src/sync/a.ts", 'import { text } from "@clack/prompts";', /@clack/],
  ["src/vault/a.ts", "const f = (p: string) => import(p);", /computed path/],
  ["src/vault/a.ts", "\nconst a = () => Deno.cwd();", /a\.ts:2: `Deno`; use web APIs/],
  ["src/platform/a.ts", "const a = () => globalThis.Bun;", /`Bun`/],
  ["src/sync/a.ts", "const a = () => process.exit(1);", /`process`/],
  ["src/sync/a.ts", "const a = () => Date.now();", /`Date\.now`; take a Clock/],
  ["src/sync/a.ts", "const a = () => globalThis.Date.now();", /`Date\.now`/],
  ["src/sync/a.ts", "const a = () => new Date();", /`new Date\(\)`/],
  ["src/sync/a.ts", "const a = { r: Math.random };", /`Math\.random`; take a Random/],
  ["src/sync/a.ts", "const a = () => crypto.randomUUID();", /randomUUID/],
  ["src/sync/a.ts", "const a = () => globalThis.crypto.randomUUID();", /randomUUID/],
  ["src/vault/a.ts", "const a = crypto.subtle;", /`crypto\.subtle`; call src\/crypto/],
  ["src/vault/a.ts", "const a = () => setTimeout(b, 1);", /`setTimeout`/],
  ["src/vault/a.ts", "const a = () => globalThis.setTimeout(b, 1);", /`setTimeout`/],
  ["src/vault/a.ts", 'const a = () => fetch("x");', /`fetch\(\)`/],
  ["src/vault/a.ts", 'const a = () => globalThis.fetch("x");', /`fetch\(\)`/],
  ["src/sync/a.ts", "const a = () => console.log(1);", /`console\.log`/],
  ["src/sync/a.ts", "class A { private b = 1; }", /write `#name`/],
  ["tests/a_test.ts", "class A { constructor(private readonly b: number) {} }", /`#name`/],
  ["src/sync/a.ts", "export default function a() {}", /default export/],
  ["src/sync/a.ts", "// FIXME later\n", /FIXME/],
  ["src/sync/a.ts", "const a = JSON.parse(b) as C;", /zod schema/],
  ["src/sync/a.ts", 'const a = () => { throw new Error("b"); };', /ClaudeSyncError/],
  ["src/sync/a.ts", 'const a = (e: Error) => e.message.includes("b");', /error's code/],
  ["src/sync/a.ts", "const a = (e: Error) => /b/.test(e.message);", /error's code/],
  ["src/sync/a.ts", "start();", /runs when it is imported/],
  [
    "src/sync/a.ts",
    "/** Old. */\nconst a = 1;\nexport const b = 2;",
    /a\.ts:3: exported "b" has no/,
  ],
  ["src/sync/a.ts", "// No doc comment.\nexport interface A {}", /exported "A" has no doc/],
  ["src/sync/a.ts", "/** A. */\n\nconst c = 1;\nexport class A {}", /exported "A" has no doc/],
  ["src/sync/utils.ts", "", /says nothing/],
  ["src/sync/fooBar.ts", "", /snake_case/],
  ["src/sync/a.ts", "\n".repeat(401), /401 lines, allowed are 400/],
  ["src/sync/a.ts", `const a = () => {${"\n".repeat(70)}};`, /function of 71 lines/],
  ["src/sync/a.ts", `// ${"é".repeat(98)}`, /longer than 100 columns/],
];

Deno.test("violations reports each planted breach once", async (t) => {
  for (const [path, text, expected] of PLANTED) {
    await t.step(`${path}: ${text.trim().slice(0, 60)}`, () => {
      const found = violations(RULES, path, text);
      assert.equal(found.length, 1, found.join("\n"));
      assert.match(found[0]!, expected);
    });
  }
});

/** What looks like a breach and is none. */
const LEGAL: readonly (readonly [path: string, text: string])[] = [
  ["src/main.ts", 'import { a } from "./cli/a.ts";\nif (import.meta.main) await a(console.log);'],
  ["src/cli/a.ts", 'import { a } from "../sync/a.ts";\nconst b = () => console.log(a);'],
  ["src/sync/a.ts", 'import type { A } from "../platform/types.ts";\nimport { b } from "./b.ts";'],
  ["src/sync/a.ts", 'import { createHash } from "node:crypto";\nimport "../base/bytes.ts";'],
  ["src/vault/a.ts", 'import * as z from "zod/mini";\nimport { join, win32 } from "node:path";'],
  ["src/storage/git/a.ts", 'import { a } from "../object_store.ts";\nimport { b } from "./b.ts";'],
  ["src/storage/open.ts", 'import { a } from "./folder/a.ts";'],
  ["src/vault/a.ts", 'const a = "Deno.cwd()"; // console.log(Date.now())'],
  ["src/vault/a.ts", "const a = { Deno: 1, process: 2 };\nconst b = clock.setTimeout;"],
  ["src/vault/a.ts", "interface A { process(pid: number): void; Deno: string; }"],
  ["src/vault/a.ts", "const a = new Date(0);\nconst b = (d: Date): Date => d;"],
  ["src/vault/a.ts", "const a = () => host.process(1);\nclass A { #b = 1; process() {} }"],
  ["src/vault/a.ts", "/** A. */\nexport function a(): void;\nexport function a() {}"],
  ["src/vault/a.ts", "/** A. */\n// deno-lint-ignore no-explicit-any\nexport type A = any;"],
  ["src/vault/a.ts", 'const a = ["x"].includes(message);'],
  ["src/cli/a.ts", "const a = (e: Error, path: string) => e.message.includes(path);"],
  ["src/cli/a.ts", 'import { or } from "@optique/core/constructs";'],
  ["src/sync/a.ts", 'import { a } from "../storage/with_retry.ts";'],
  ["src/sync/a.ts", "\n".repeat(400)],
  ["src/sync/a.ts", `const a = () => {${"\n".repeat(69)}};`],
  ["src/sync/a.ts", `// ${"é".repeat(97)}`],
  ["tests/a_test.ts", 'import fs from "node:fs";\nDeno.test("a", () => console.log(Date.now()));'],
];

Deno.test("violations leaves legal code alone", async (t) => {
  for (const [path, text] of LEGAL) {
    await t.step(`${path}: ${text.trim().slice(0, 60)}`, () => {
      assert.deepEqual(violations(RULES, path, text), []);
    });
  }
});

Deno.test("lockFileComplaints names each place in a lock file", () => {
  const good = '{\n  "npm": { "a@1.0.0": {\n      "integrity": "sha512-AA==" } }\n}\n';
  assert.deepEqual(lockFileComplaints(good), []);
  assert.deepEqual(lockFileComplaints(fs.readFileSync(join(ROOT, "deno.lock"), "utf8")), []);
  const mirrored = good.replace("{\n      ", '{\n      "tarball": "http://host/a.tgz",\n      ');
  assert.match(lockFileComplaints(mirrored).join(), /^deno\.lock:3: names a place/);
  assert.equal(lockFileComplaints("{}").length, 1);
});
