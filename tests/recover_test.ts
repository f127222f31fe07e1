/**
 * `tests/recover.py` is the way back to the sessions without this program. It must read the frozen
 * vault and every known answer; it and the maker of that vault share no code with `src`.
 */
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { cp, mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";

import { tmpdir } from "node:os";
import { join, sep } from "node:path";
import process from "node:process";
import { spawnSync } from "node:child_process";

const TESTS = import.meta.dirname ?? ".";
const RECOVER = join(TESTS, "recover.py");
const FROZEN = join(TESTS, "testdata", "vaults", "v1-python");
const PYTHON = process.platform === "win32" ? "python" : "/usr/bin/python3";
const FIRST_PACK = join("packs", "f4", "c3j4x5pheks0arqrn9h3b2s27m539n");

interface Outcome {
  status: number | null;
  output: string;
}

function python(...args: string[]): Outcome {
  const child = spawnSync(PYTHON, ["-B", ...args], { encoding: "utf8" });
  if (child.error !== undefined) throw child.error;
  return { status: child.status, output: child.stdout + child.stderr };
}

/** What must be installed, or null. Only a developer's machine may go without. */
function missing(): string | null {
  const probe = spawnSync(PYTHON, ["-c", "import cryptography, zstandard"], { encoding: "utf8" });
  if (probe.status === 0) return null;
  return `${PYTHON} with its packages is missing: apt-get install python3 python3-cryptography ` +
    `python3-zstandard (${probe.error?.message ?? probe.stderr.trim().split("\n").at(-1)})`;
}

const instruction = missing();
const ignore = instruction !== null && process.env["CI"] === undefined;
if (ignore) console.log(`recover_test skipped: ${instruction}`);

function recoverTest(name: string, run: (folder: string) => Promise<void>): void {
  Deno.test({
    name,
    ignore,
    fn: async () => {
      if (instruction !== null) assert.fail(instruction);
      const folder = await mkdtemp(join(tmpdir(), "recover-"));
      try {
        await run(folder);
      } finally {
        await rm(folder, { recursive: true });
      }
    },
  });
}

/** Every file below a folder as text, by its path with `/`. */
async function filesBelow(folder: string): Promise<Record<string, string>> {
  const found: Record<string, string> = {};
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const path = join(entry.parentPath, entry.name);
    const name = path.slice(folder.length + 1).split(sep).join("/").normalize("NFC");
    found[name] = await readFile(path, "utf8");
  }
  return found;
}

async function expectedFiles(): Promise<Record<string, string>> {
  return JSON.parse(await readFile(join(FROZEN, "expected.json"), "utf8"));
}

function recover(vault: string, out: string): Outcome {
  return python(RECOVER, vault, join(FROZEN, "key"), out);
}

/** A copy of the frozen vault to spoil. */
async function copyOfVault(folder: string): Promise<string> {
  const vault = join(folder, "vault");
  await cp(join(FROZEN, "vault"), vault, { recursive: true });
  return vault;
}

recoverTest("recover.py writes every file of the frozen vault byte for byte", async (folder) => {
  const out = join(folder, "new", "out");
  const { status, output } = recover(join(FROZEN, "vault"), out);
  assert.equal(status, 0, output);
  assert.deepEqual(await filesBelow(out), await expectedFiles());
  const session = "11111111-1111-4111-8111-111111111111";
  const { mode, mtimeMs } = await stat(join(out, session, `${session}.jsonl`));
  // Its first segment is of 1_764_000_060_000.
  assert.ok(mtimeMs > 1_764_000_060_000 && mtimeMs < 1_765_000_000_000, "the time it had");
  if (process.platform !== "win32") assert.equal(mode & 0o777, 0o600, "a conversation is private");
});

recoverTest("recover.py tells a wrong key at once and writes nothing", async (folder) => {
  const key = join(folder, "key");
  await writeFile(key, new Uint8Array(32).fill(7));
  const out = join(folder, "out");
  const { status, output } = python(RECOVER, join(FROZEN, "vault"), key, out);
  assert.equal(status, 2);
  assert.match(output, /this key is not the vault's/);
  assert.deepEqual(await readdir(folder), ["key"]);
});

recoverTest("recover.py says what it cannot begin with and writes nothing", async (folder) => {
  const vault = await copyOfVault(folder);
  await writeFile(join(folder, "no key"), "secret");
  const key = join(FROZEN, "key");
  const runs: [string, string, string, RegExp][] = [
    [FROZEN, key, "out", /claude-sync\.json/],
    [vault, join(folder, "missing"), "out", /No such file|cannot find/],
    [vault, join(folder, "no key"), "out", /no key in the key file/],
    [vault, key, join("vault", "out"), /OUT_DIR is inside the vault/],
    [vault, key, "vault", /OUT_DIR is inside the vault/],
    [vault, key, "mine", /File exists/],
  ];
  await mkdir(join(folder, "mine"));
  const before = await filesBelow(folder);
  for (const [from, keyFile, out, message] of runs) {
    const { status, output } = python(RECOVER, from, keyFile, join(folder, out));
    assert.equal(status, 2, output);
    assert.match(output, message);
    assert.doesNotMatch(output, /Traceback|secret/);
  }
  const help = python(RECOVER, "--help");
  assert.equal(help.status, 2);
  assert.match(help.output, /recover\.py VAULT_DIR KEY_FILE OUT_DIR \[VAULT_ID\]/);
  assert.deepEqual(await filesBelow(folder), before);
});

recoverTest("recover.py takes the key as raw bytes, as base64 and from a pipe", async (folder) => {
  const root = Uint8Array.from({ length: 32 }, (_, index) => index);
  const args = ["-B", RECOVER, join(FROZEN, "vault"), "-", join(folder, "piped")];
  const piped = spawnSync(PYTHON, args, { encoding: "utf8", input: root });
  assert.equal(piped.status, 0, piped.stderr);
  assert.deepEqual(await filesBelow(join(folder, "piped")), await expectedFiles());
  for (const [index, text] of [root, Buffer.from(root).toString("base64")].entries()) {
    const key = join(folder, `key${index}`);
    await writeFile(key, text);
    const run = python(RECOVER, join(FROZEN, "vault"), key, join(folder, `out${index}`));
    assert.equal(run.status, 0, run.output);
    assert.deepEqual(await filesBelow(join(folder, `out${index}`)), await expectedFiles());
  }
});

recoverTest("recover.py reports a damaged pack and recovers all the rest", async (folder) => {
  const vault = await copyOfVault(folder);
  const pack = await readFile(join(vault, FIRST_PACK));
  pack[2000]! ^= 1;
  await writeFile(join(vault, FIRST_PACK), pack);
  const out = join(folder, "out");
  const { status, output } = recover(vault, out);
  assert.equal(status, 1, output);
  assert.match(output, /packs\/f4\/c3j4x5pheks0arqrn9h3b2s27m539n: InvalidTag: damaged/);
  const found = Object.entries(await filesBelow(out));
  const expected = await expectedFiles();
  const whole = found.filter(([name]) => !name.includes(".rest-"));
  assert.equal(whole.length, 5, output);
  for (const [name, text] of whole) assert.equal(text, expected[name], name);
  // The pack held the first record of both transcripts; what came after it is kept, marked.
  const rests = found.filter(([name]) => name.includes(".rest-"));
  assert.equal(rests.length, 3, output);
  for (const [name, text] of rests) {
    const leaves = Object.entries(expected).filter(([leaf]) =>
      leaf.startsWith(name.replace(/\.rest-.*/, ""))
    );
    assert.ok(leaves.some(([, leaf]) => leaf.endsWith(text)), name);
  }
});

recoverTest("recover.py reports a missing entry and uses what follows it", async (folder) => {
  const vault = await copyOfVault(folder);
  const log = join(vault, "log", "tb721fz1kv6q72b9");
  for (const name of await readdir(log)) {
    if (name.startsWith("000000000001.")) await rm(join(log, name));
  }
  const out = join(folder, "out");
  const { status, output } = recover(vault, out);
  assert.equal(status, 1, output);
  assert.match(output, /entry 1\.[0-9a-f]{8} of machine [0-9a-f]{32} is missing or damaged/);
  // Entry 1 had one branch of a transcript. All else comes from entry 2 and the other machine.
  const current = Object.entries(await expectedFiles()).filter(([name]) =>
    !name.includes(".leaf-")
  );
  assert.deepEqual(await filesBelow(out), Object.fromEntries(current));
});

recoverTest("recover.py never writes into a folder that exists", async (folder) => {
  const out = join(folder, "out");
  assert.equal(recover(join(FROZEN, "vault"), out).status, 0);
  const before = await filesBelow(out);
  const name = Object.keys(before).find((path) => path.endsWith(".jsonl")) ?? "";
  await writeFile(join(out, name), "mine");
  const again = recover(join(FROZEN, "vault"), out);
  assert.equal(again.status, 2);
  assert.match(again.output, /File exists/);
  assert.deepEqual(await filesBelow(out), { ...before, [name]: "mine" });
});

recoverTest("recover.py survives every hostile vault of recover_cases.py", () => {
  const { status, output } = python(join(TESTS, "recover_cases.py"));
  assert.equal(status, 0, output);
  return Promise.resolve();
});

recoverTest("recover.py agrees with every known answer in tests/vectors", () => {
  const { status, output } = python(join(TESTS, "vectors", "check.py"));
  assert.equal(status, 0, output);
  return Promise.resolve();
});
