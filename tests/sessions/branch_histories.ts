/** Made-up histories of one session on several machines, for the property tests of branches. */
import * as fc from "fast-check";
import { concat, utf8 } from "../../src/base/bytes.ts";
import { type Leaf, rootSessionId } from "../../src/sessions/branch_copy.ts";
import { parseSessionId, type SessionId } from "../../src/sessions/session_id.ts";
import { fileOf, type Resolution, resolveBranches } from "./branches_in_memory.ts";

export const ROOT = parseSessionId("00000004-0000-4000-8000-000000000004")!;
const MACHINES = ["anna", "bob", "carl", "dora"] as const;

/** What happens on one machine, one after the other. */
export type Step =
  | { readonly does: "say"; readonly on: number; readonly atS: number; readonly asks: boolean }
  | {
    readonly does: "leave" | "rename" | "tear" | "repeat" | "rewind" | "spoil";
    readonly on: number;
  }
  | { readonly does: "push"; readonly on: number }
  | { readonly does: "pull"; readonly on: number }
  | { readonly does: "open-branch"; readonly on: number; readonly which: number };

/** Somebody sits down at a machine, pulls or opens another file, does things and pushes. */
const sitting: fc.Arbitrary<Step[]> = fc.record({
  on: fc.nat(3),
  before: fc.constantFrom("nothing", "pull", "open-branch"),
  which: fc.nat(3),
  // Few times, so that equal ones occur.
  deeds: fc.array(fc.record({ what: fc.nat(11), atS: fc.nat(9) }), { minLength: 1, maxLength: 4 }),
  pushes: fc.nat(4),
}).map(({ on, before, which, deeds, pushes }) => {
  const done: Step[] = deeds.map(({ what, atS }) => {
    const does = QUIET_DEEDS[what];
    return does === undefined ? { does: "say", on, atS, asks: what % 2 === 0 } : { does, on };
  });
  if (before === "pull") done.unshift({ does: "pull", on });
  if (before === "open-branch") done.unshift({ does: "open-branch", on, which });
  if (pushes > 0) done.push({ does: "push", on });
  return done;
});

const QUIET_DEEDS = ["leave", "rename", "tear", "repeat", "rewind", "spoil"] as const;

/** Up to a dozen sittings of four people. */
export const steps: fc.Arbitrary<Step[]> = fc.array(sitting, { maxLength: 12, size: "max" })
  .map((sittings) => sittings.flat());

/** A leaf and the session it is stored under. */
export interface Stored {
  readonly id: SessionId;
  readonly leaf: Leaf;
}

/** The files that a set of stored leaves makes, by session id. */
export function filesOf(stored: readonly Stored[]): Map<SessionId, Leaf> {
  return filesIn(resolve(stored));
}

/** Resolves the root session with its stored branches. */
export function resolve(stored: readonly Stored[]): Resolution {
  const under = (id: SessionId) => stored.filter((one) => one.id === id).map(({ leaf }) => leaf);
  const known = stored
    .filter(({ id, leaf }) => id !== ROOT && rootSessionId(id, leaf.bytes) === ROOT)
    .map(({ id }) => id);
  return resolveBranches(ROOT, under(ROOT), under, known);
}

/** The files of a resolution, by session id. */
export function filesIn(resolution: Resolution): Map<SessionId, Leaf> {
  const sessions = [resolution.main, ...resolution.branches];
  return new Map(sessions.map((session) => [session.id, fileOf(ROOT, session)]));
}

/** What a set of stored leaves makes, by session id, in the root session's form. */
export function contentsOf(stored: readonly Stored[]): Map<SessionId, Leaf> {
  const { main, branches } = resolve(stored);
  return new Map([main, ...branches].map(({ id, rootForm }) => [id, rootForm]));
}

/** Bytes by session id as text, for comparison. */
export function shown(files: ReadonlyMap<SessionId, Leaf>): Record<string, string> {
  const entries = [...files].map((
    [id, { bytes }],
  ) => [id, new TextDecoder("latin1").decode(bytes)]);
  return Object.fromEntries(entries.sort());
}

/** Runs the steps and gives every state that a machine pushed: the vault's leaves. */
export function play(history: readonly Step[]): Stored[] {
  const world = new World();
  for (const step of history) world.step(step);
  return world.stored;
}

interface OpenFile {
  id: SessionId;
  leaf: Leaf;
}

class World {
  readonly stored: Stored[] = [];
  readonly #open: OpenFile[];
  #records = 0;

  constructor() {
    const start = appended({ bytes: new Uint8Array(0), writers: [] }, "anna", [
      `{"type":"mode","mode":"normal","sessionId":"${ROOT}"}`,
      this.#said(ROOT, "user", 0),
      this.#said(ROOT, "assistant", 0),
    ]);
    this.#open = MACHINES.map(() => ({ id: ROOT, leaf: start }));
    this.stored.push({ id: ROOT, leaf: start });
  }

  step(step: Step): void {
    const file = this.#open[step.on]!;
    const add = (...lines: string[]) => {
      file.leaf = appended(file.leaf, MACHINES[step.on]!, lines);
    };
    switch (step.does) {
      case "say":
        add(this.#said(file.id, step.asks ? "user" : "assistant", step.atS));
        break;
      case "leave":
        add(
          `{"type":"mode","mode":"normal","sessionId":"${file.id}"}`,
          `{"type":"cost-state","sessionId":"${file.id}","totalCostUSD":${++this.#records}}`,
        );
        break;
      case "rename":
        add(this.#renamed(file.id));
        break;
      case "tear":
        file.leaf = torn(file.leaf, MACHINES[step.on]!);
        break;
      case "repeat":
        add(firstSaidIn(file.leaf));
        break;
      case "rewind":
        add(
          `{"type":"last-prompt","leafUuid":"0","explicit":true,"sessionId":"${file.id}"}`,
          this.#said(file.id, "user", 5),
        );
        break;
      case "spoil":
        add(`garbage "sessionId":"${ROOT}" \u0000 ${++this.#records}`, "", `{"open":`);
        break;
      case "push":
        this.stored.push({ id: file.id, leaf: file.leaf });
        break;
      case "pull":
        this.#pull(file);
        break;
      case "open-branch":
        this.#openBranch(file, step.which);
        break;
    }
  }

  #said(id: SessionId, type: "user" | "assistant", atS: number): string {
    const uuid = `00000000-0000-4000-8000-${String(++this.#records).padStart(12, "0")}`;
    return JSON.stringify({
      parentUuid: null,
      type,
      message: { role: type, content: `said ${this.#records}` },
      uuid,
      timestamp: `2026-11-22T11:40:0${atS}.000Z`,
      session_id: id,
      sessionId: id,
      version: "2.1.330",
    });
  }

  #renamed(id: SessionId): string {
    const customTitle = `Name ${++this.#records % 3}`;
    return JSON.stringify({ type: "custom-title", customTitle, sessionId: id });
  }

  /** Extends the file when the vault's is longer, as a pull does. */
  #pull(file: OpenFile): void {
    const now = filesOf(this.stored).get(file.id);
    if (now !== undefined && startsWith(now.bytes, file.leaf.bytes)) file.leaf = now;
  }

  #openBranch(file: OpenFile, which: number): void {
    const files = [...filesOf(this.stored)];
    const [id, leaf] = files[which % files.length]!;
    file.id = id;
    file.leaf = leaf;
  }
}

/** Whether `bytes` begin with `prefix`. */
export function startsWith(bytes: Uint8Array, prefix: Uint8Array): boolean {
  return prefix.length <= bytes.length && prefix.every((byte, i) => bytes[i] === byte);
}

function appended(leaf: Leaf, machine: string, lines: readonly string[]): Leaf {
  // A client ends a torn line before it goes on.
  const isTorn = leaf.bytes.length > 0 && leaf.bytes.at(-1) !== 0x0a;
  return written(leaf, machine, (isTorn ? "\n" : "") + lines.map((line) => line + "\n").join(""));
}

function torn(leaf: Leaf, machine: string): Leaf {
  if (leaf.bytes.at(-1) !== 0x0a) return leaf;
  return written(leaf, machine, `{"type":"user","mess`);
}

function written(leaf: Leaf, machine: string, text: string): Leaf {
  // A torn line stays its writer's, with the newline that ends it.
  const start = leaf.bytes.length + (text.startsWith("\n") ? 1 : 0);
  const writers = leaf.writers.at(-1)?.machine === machine
    ? leaf.writers
    : [...leaf.writers, { start, machine }];
  return { bytes: concat(leaf.bytes, utf8(text)), writers };
}

function firstSaidIn(leaf: Leaf): string {
  const lines = new TextDecoder().decode(leaf.bytes).split("\n");
  return lines.find((line) => line.includes(`"type":"assistant"`))!;
}
