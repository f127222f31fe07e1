/**
 * The promise that nothing is ever lost, seen from outside: what a push has said to be in the
 * vault, and what was on a disk before the program replaced it, must be in the vault in the end.
 */
import type { Bytes } from "../../src/base/bytes.ts";
import { type Book, marksIn, plansNamedIn } from "./book.ts";
import { text } from "./machine.ts";
import { type Forgiven, frozenOn } from "./forgiven.ts";
import type { Report } from "./report.ts";
import type { Outcome, RunOfProgram } from "./run_of_program.ts";
import type { VaultContent } from "./vault_content.ts";

const LINES = /\.jsonl$/;
const SESSION = /[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}/;
/** Older versions that a pull puts beside a plan or memory, and its temporary files. */
const MAY_GO = /\/(plans|memory)\/[^/]+\.[0-9a-f]{8}\.md$|\.tmp$/;
/** What a client has for itself. */
const OWN = /\/\.claude\/(sessions|settings|\.)/;

/** Claims of one world. */
export class Claims {
  /** Whole lines and files that were said to be in the vault, and by which run. */
  readonly #synced = new Map<string, string>();
  /** Marks that a run has taken off its disk. */
  readonly #owed = new Map<string, string>();
  readonly #seen = new Set<Bytes>();
  readonly #book: Book;
  readonly #report: Report;

  constructor(book: Book, report: Report) {
    this.#book = book;
    this.#report = report;
  }

  /** Notes what a run says and what it has replaced. */
  note(run: RunOfProgram, outcome: Outcome): void {
    const after = run.machine.clientFiles();
    const who = `${run.name} ${run.command} ${run.number}`;
    this.#noteReplaced(run, after, who);
    if (outcome.code === null && outcome.hasPushed) this.#noteSynced(run, after, who);
  }

  #noteReplaced(run: RunOfProgram, after: ReadonlyMap<string, Bytes>, who: string): void {
    let here: Set<string> | null = null;
    for (const [path, bytes] of run.filesBefore) {
      const now = after.get(path);
      if (now === bytes || run.touched.has(path) || OWN.test(path)) continue;
      if (now === undefined && !MAY_GO.test(path)) {
        this.#report.violation("kept", `${who} removes ${path}`);
        continue;
      }
      if (now !== undefined && beginsWith(now, bytes)) continue;
      here ??= new Set([...after.values()].flatMap((each) => marksIn(text(each))));
      for (const mark of marksIn(text(bytes))) if (!here.has(mark)) this.#owed.set(mark, who);
    }
  }

  #noteSynced(run: RunOfProgram, after: ReadonlyMap<string, Bytes>, who: string): void {
    const transcripts = [...run.filesBefore]
      .filter(([path, bytes]) =>
        bytes.length > 0 && after.has(path) && /\/projects\/[^/]+\/[^/]+\.jsonl$/.test(path)
      );
    const { past } = run.machine.world.store;
    // What is forgotten stays where it is, with all that is written about it.
    const frozen = frozenOn(run.machine, past!);
    const sessions = new Set(
      transcripts.map(([path]) => SESSION.exec(path)![0])
        .filter((id) => !past!.isForgotten(id) && !frozen.has(id))
        .filter((id) => !run.forgottenBefore.has(id)),
    );
    const slugs = new Set(transcripts.map(([path]) => path.split("/").at(-2)));
    slugs.add(run.machine.projects[0]!.replaceAll(/[^a-zA-Z0-9]/g, "-"));
    const isNamed = (plan: string) =>
      transcripts.some(([path, bytes]) =>
        !run.touched.has(path) && plansNamedIn(text(bytes)).includes(plan)
      );
    for (const [path, bytes] of run.filesBefore) {
      const now = after.get(path);
      if (now === undefined || this.#seen.has(bytes) || OWN.test(path)) continue;
      const isHistory = path.endsWith("/.claude/history.jsonl");
      const session = SESSION.exec(path)?.[0];
      if (path.includes("/.claude/plans/")) {
        if (now !== bytes || !isNamed(/([^/]+)\.md$/.exec(path)?.[1] ?? "")) continue;
      } else if (path.includes("/memory/")) {
        if (now !== bytes || !slugs.has(path.split("/").at(-3))) continue;
      } else if (!isHistory && (session === undefined || !sessions.has(session))) continue;
      if (!LINES.test(path)) {
        if (now === bytes) this.#claim(text(bytes), who);
        continue;
      }
      if (!beginsWith(now, bytes)) continue;
      if (!isHistory) this.#seen.add(bytes);
      const content = text(bytes);
      for (const line of content.slice(0, content.lastIndexOf("\n") + 1).split(/(?<=\n)/)) {
        const owner = isHistory ? /"sessionId":"([^"]*)"/.exec(line)?.[1] : session;
        if (owner !== undefined && sessions.has(owner)) this.#claim(line, who);
      }
    }
  }

  #claim(exact: string, who: string): void {
    // What the program itself wrote, as a branch's records, is made from what is claimed elsewhere.
    if (exact !== "" && this.#book.exact.has(exact) && !this.#synced.has(exact)) {
      this.#synced.set(exact, who);
    }
  }

  /** Checks all claims against what the vault has. */
  check(vault: VaultContent, forgiven: Forgiven): void {
    this.#report.count("claims", this.#synced.size);
    for (const [exact, who] of this.#synced) {
      if (vault.lines.has(exact) || vault.wholes.has(exact)) continue;
      if (forgiven.exact.has(exact)) continue;
      this.#report.violation("synced stays", `${who} has pushed what is gone: ${brief(exact)}`);
      return;
    }
    for (const [mark, who] of this.#owed) {
      if (vault.marks.has(mark) || this.#book.dropped.has(mark)) continue;
      if (forgiven.marks.has(mark)) continue;
      this.#report.violation("kept", `${who} has replaced ${mark}, which is nowhere`);
      return;
    }
    for (const mark of this.#book.written) {
      if (vault.marks.has(mark) || this.#book.dropped.has(mark)) continue;
      if (forgiven.marks.has(mark)) continue;
      this.#report.violation("kept", `${mark} was written and is not in the vault`);
      return;
    }
  }
}

function beginsWith(longer: Bytes, start: Bytes): boolean {
  if (longer === start) return true;
  if (longer.length < start.length) return false;
  for (let i = 0; i < start.length; i++) if (longer[i] !== start[i]) return false;
  return true;
}

function brief(exact: string): string {
  return exact.length <= 240 ? exact : `${exact.slice(0, 120)}…${exact.slice(-120)}`;
}
