import assert from "node:assert/strict";
import { utf8 } from "../../src/base/bytes.ts";
import { besideKept, branchFrom } from "../../src/sessions/beside_copy.ts";
import { rootSessionId } from "../../src/sessions/branch_copy.ts";
import type { SessionId } from "../../src/sessions/session_id.ts";
import { said } from "../support/sync_machine.ts";
import { fileOf, resolveBranches, type ResolvedSession } from "./branches_in_memory.ts";

const ROOT = "11111111-1111-4111-8111-111111111111" as SessionId;

function turn(text: string, minute: number): string {
  const uuid = `00000000-0000-4000-9000-0000000001${String(minute).padStart(2, "0")}`;
  return said("user", text, { session: ROOT, cwd: "/w", atMs: minute * 60_000, uuid });
}

const BASE = turn("base", 0);
const OURS = turn("ours", 1);
const THEIRS = turn("theirs", 2);
const SILENT = '{"type":"mode","mode":"plan"}\n';

function resolved(text: string): ResolvedSession {
  const writers = [{ start: 0, machine: "desk" }, { start: BASE.length, machine: "laptop" }];
  return resolveBranches(ROOT, [{ bytes: utf8(text), writers }], () => []).main;
}

const CASES: readonly { name: string; vault: string; kept: string; is: string }[] = [
  { name: "says the same", vault: BASE, kept: BASE, is: "nothing-new" },
  { name: "says less", vault: BASE, kept: BASE + OURS, is: "nothing-new" },
  { name: "ends otherwise", vault: BASE + SILENT, kept: BASE, is: "nothing-new" },
  { name: "goes on", vault: BASE + THEIRS, kept: BASE, is: "follows" },
  { name: "has each line", vault: BASE + THEIRS + SILENT, kept: BASE + SILENT, is: "follows" },
  { name: "lacks a silent line", vault: BASE + THEIRS, kept: BASE + SILENT, is: "a branch" },
  { name: "goes on from an empty file", vault: BASE, kept: "", is: "follows" },
  {
    name: "goes on before a torn line",
    vault: BASE + THEIRS,
    kept: BASE + '{"type":',
    is: "a branch",
  },
  { name: "says something else", vault: BASE + THEIRS, kept: BASE + OURS, is: "a branch" },
  { name: "shares nothing", vault: THEIRS, kept: OURS, is: "a branch" },
];

for (const { name, vault, kept, is } of CASES) {
  Deno.test(`besideKept of a continuation that ${name} gives ${is}`, () => {
    const session = resolved(vault);
    const beside = besideKept(ROOT, session.rootForm.bytes, { id: session.id, bytes: utf8(kept) });
    if (typeof beside === "string") return assert.equal(beside, is);
    assert.equal(is, "a branch");
    const branch = branchFrom(ROOT, session.resolved, beside.firstHash);
    const file = fileOf(ROOT, { ...session, resolved: branch }).bytes;
    assert.equal(rootSessionId(branch.id, file), ROOT, "it tells what it is a branch of");
    const text = new TextDecoder().decode(file);
    assert.match(text, vault === THEIRS ? /\(from desk\)/ : /\(from laptop\)/);
    // Whoever stores it, or goes on with it, says nothing new with it, and makes no other branch.
    const stored = [{ bytes: file, writers: [] }];
    const both = resolveBranches(ROOT, [session.rootForm], (id) => id === branch.id ? stored : []);
    assert.deepEqual(both.branches, []);
    assert.deepEqual(both.main.rootForm.bytes, session.rootForm.bytes);
    // And where both are known as continued apart, it is the very branch that comes about.
    const apart = resolveBranches(
      ROOT,
      [session.rootForm, { bytes: utf8(kept), writers: [{ start: 0, machine: "x" }] }],
      () => [],
    );
    const isSaid = kept.includes(OURS);
    assert.deepEqual(apart.branches.map(({ id }) => id), isSaid ? [branch.id] : []);
  });
}
