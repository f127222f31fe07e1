/** Whether all machines have come to the same, however their folders are called. */
import { DatabaseSync } from "node:sqlite";
import { slugOf } from "../../src/sessions/slug.ts";
import { homePaths } from "../../src/sync/home.ts";
import type { Book } from "./book.ts";
import { marksIn, plansNamedIn } from "./book.ts";
import { TEMPORARY } from "./disk_nodes.ts";
import { type Forgiven, frozenOn } from "./forgiven.ts";
import { type SimMachine, text } from "./machine.ts";
import type { Past } from "./past.ts";
import type { Report } from "./report.ts";

const SESSION = /[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}/;
const TRANSCRIPT = /^projects\/[^/]+\/([0-9a-f-]{36})\.jsonl$/;
const TRANSCRIPT_NAME = /^([0-9a-f-]{36})\.jsonl$/;
const RESTORED = /"customTitle":"[^"]* \(as of /;
const WORKTREE = /--claude-worktrees-wt$/;
const PLAN = /^plans\/([a-z]+-[a-z]+)\./;

/**
 * Files by what they are, on every machine alike: session and name, project and memory. Of sessions
 * that are forgotten each machine keeps what it has; an earlier version that was restored is where
 * it was restored until somebody speaks in it.
 */
export function contentOf(machine: SimMachine, past: Past, report: Report): Map<string, string> {
  const content = new Map<string, string>();
  const slugs = new Map(machine.projects.map((dir, index) => [slugOf(dir), `project ${index}`]));
  const files = [...machine.clientFiles()].map(([path, bytes]) =>
    [path.slice(machine.configDir.length + 1), bytes] as const
  );
  const names = new Set(files.map(([path]) => path));
  const transcripts = files.filter(([path, bytes]) => {
    const id = TRANSCRIPT.exec(path)?.[1];
    if (id === undefined || bytes.length === 0 || past.isForgotten(id)) return false;
    return past.has(id) || !RESTORED.test(text(bytes));
  });
  const sessions = new Set(transcripts.map(([path]) => TRANSCRIPT.exec(path)![1]!));
  const isNamed = (plan: string) =>
    transcripts.some(([, bytes]) => plansNamedIn(text(bytes)).includes(plan));
  for (const [path, bytes] of files) {
    if (path.startsWith("sessions/")) continue;
    if (TEMPORARY.test(path)) {
      // One that a crash has left is swept when it is an hour old.
      report.count("temporary files left");
      continue;
    }
    if (path === "history.jsonl") {
      for (const line of promptsOf(text(bytes), sessions)) content.set(`prompt ${line}`, "");
      continue;
    }
    // What belongs to no session that is here goes nowhere: a transcript of which a power cut has
    // left nothing, a plan whose only session was deleted.
    const session = SESSION.exec(path)?.[0];
    if (session !== undefined && !sessions.has(session)) continue;
    if (TRANSCRIPT.test(path) && bytes.length === 0) continue;
    if (past.isForgottenFile(path)) continue;
    const plan = PLAN.exec(path)?.[1];
    if (plan !== undefined && !isNamed(plan)) continue;
    const [, slug, rest] = /^projects\/([^/]+)\/(.+)$/.exec(path) ?? [];
    if (slug === undefined || rest === undefined) {
      content.set(path, text(bytes));
      continue;
    }
    if (rest.startsWith("memory/")) {
      content.set(`${slugs.get(slug.replace(WORKTREE, "")) ?? slug} ${rest}`, text(bytes));
      continue;
    }
    if (!rest.includes("/") && content.has(rest)) {
      report.violation("one place", `${machine.name} has ${rest} in two folders`);
    }
    // Beside a transcript that was moved alone stands what is newer.
    const isBeside = names.has(`projects/${slug}/${rest.split("/")[0]}.jsonl`);
    if (!content.has(rest) || isBeside) content.set(rest, text(bytes));
  }
  return content;
}

/**
 * Whole lines of sessions that are here: those of a session that nobody has go nowhere, and a line
 * that a power cut has torn is no prompt, whatever it shows.
 */
function promptsOf(history: string, sessions: ReadonlySet<string>): string[] {
  const lines = history.slice(0, history.lastIndexOf("\n") + 1).split("\n");
  return lines.filter((line) =>
    sessions.has(/"sessionId":"([^"]*)"/.exec(line)?.[1] ?? "") && isWhole(line)
  );
}

function isWhole(line: string): boolean {
  try {
    JSON.parse(line);
    return true;
  } catch (error) {
    if (error instanceof SyntaxError) return false;
    throw error;
  }
}

/** Checks that all machines have the same. */
export function checkEqual(
  machines: readonly SimMachine[],
  past: Past,
  forgiven: Forgiven,
  report: Report,
): void {
  const [first, ...others] = machines.map((machine) => contentOf(machine, past, report));
  const frozen = machines.map((machine) => [...frozenOn(machine, past)]);
  for (const [index, other] of others.entries()) {
    const names = [machines[0]!.name, machines[index + 1]!.name];
    for (const key of [...new Set([...first!.keys(), ...other.keys()])].sort()) {
      const [a, b] = [first!.get(key), other.get(key)];
      if (a === b) continue;
      if (isUnnamedWhereMissing(key, first!, other)) continue;
      // What is forgotten of a plan or a memory stays where it is, and comes to nobody.
      const isOfShelf = key.startsWith("plans/") || key.includes(" memory/");
      if (isOfShelf && [a, b].some((each) => forgiven.exact.has(each ?? ""))) continue;
      // A plan is there where a transcript names it, be it in what came after it was forgotten.
      const isFrozen = ([session, transcript]: [string, string]) =>
        key.includes(session) ||
        [transcript, ...past.contentsOf(session)].flatMap(plansNamedIn)
          .some((plan) => key.startsWith(`plans/${plan}.`));
      if (frozen[0]!.some(isFrozen) || frozen[index + 1]!.some(isFrozen)) continue;
      const pair = [machines[0]!, machines[index + 1]!];
      const owner = transcriptOf(key);
      const isOutdatedOn = (at: number) => {
        const kept = frozen[at]!.flatMap(([session]) => past.contentsOf(session)).flatMap(marksIn);
        const needless = new Set([...forgiven.marks, ...kept]);
        // What was taken out of the one file that had it is nowhere, once nobody wants the branch.
        const isUnwanted = !pair.some((machine) => wants(machine, owner));
        const { dropped, spoken } = machines[at]!.world.book;
        const contents = [first!, other].flatMap((content) => content.get(owner) ?? []);
        if (isUnwanted) {
          for (const mark of dropped) needless.add(mark);
          // Where nobody spoke there is no branch, and such lines stay in the vault.
          for (const mark of contents.flatMap(marksIn)) if (!spoken.has(mark)) needless.add(mark);
        }
        return contents.length > 0 &&
          contents.every((each) => isOutdated(owner, each, machines[at]!, past, needless));
      };
      // Whoever has one keeps it; made at different times it may differ, when nobody wants it.
      const lacking = a === undefined ? [0] : b === undefined ? [index + 1] : [0, index + 1];
      const isBesideOn = (at: number) =>
        frozen[at]!.some(([session]) => besideOf(machines[at]!, session) === branchIn(owner));
      if (lacking.every((at) => isOutdatedOn(at) || isBesideOn(at))) continue;
      const what = a === undefined || b === undefined ? "is missing" : "differs";
      const where = a === undefined ? names[0] : b === undefined ? names[1] : names.join(" and ");
      report.violation("all machines equal", `${key} ${what} on ${where}`);
      return;
    }
  }
}

/**
 * Whether this is a plan that one of the two lacks and none of its transcripts names. "A plan is
 * written where a session names it" (FORMAT.md section 8): when the client has taken the record out
 * again, a branch that nobody needs may name it still, where it stays. Who should have a transcript
 * that names it and has not is found out by that transcript.
 */
function isUnnamedWhereMissing(
  key: string,
  a: ReadonlyMap<string, string>,
  b: ReadonlyMap<string, string>,
): boolean {
  const plan = PLAN.exec(key)?.[1];
  if (plan === undefined) return false;
  return [a, b].some((content) =>
    !content.has(key) &&
    ![...content].some(([name, transcript]) =>
      TRANSCRIPT_NAME.test(name) && plansNamedIn(transcript).includes(plan)
    )
  );
}

/**
 * Whether a branch that `without` does not have, or has in another form and the vault in none, is
 * one that nobody needs: where a client has taken records out, a branch may begin elsewhere when
 * more of it arrives, and have another id then; so it may when the session that it branched off is
 * forgotten up to what somebody went on with. The one that was made before stays where it is, as
 * nothing is ever removed. It is outdated when `without` does not want it and has all of its words
 * in other transcripts, but for those that were forgotten, or that are in a session which it keeps
 * as it was for that reason, or that are dropped or no words and in nothing that anybody wants.
 */
function isOutdated(
  key: string,
  content: string,
  without: SimMachine,
  past: Past,
  needless: ReadonlySet<string>,
): boolean {
  const id = branchIn(key);
  if (id === null) return false;
  const paths = [...without.clientFiles().keys()];
  const isStoredAndHere = past.has(id) && paths.some((path) => path.endsWith(`/${key}`));
  if (isStoredAndHere && !isShownUnderOthers(without, id)) return false;
  const shown = [...without.clientFiles()]
    .filter(([path]) => path.endsWith(".jsonl") && !path.endsWith(`/${key}`))
    .map(([, bytes]) => text(bytes)).join("\n");
  if (wordsIn(content).some((mark) => !shown.includes(mark) && !needless.has(mark))) return false;
  return !wants(without, key);
}

/** Marks of whole lines: one that is torn, which does not parse, says nothing to anybody. */
function wordsIn(transcript: string): string[] {
  return transcript.split("\n").filter(isWhole).flatMap(marksIn);
}

/** The transcript with which a session's prompt or file comes and goes. */
function transcriptOf(key: string): string {
  const id = (/^prompt .*"sessionId":"([^"]*)"/.exec(key) ?? SESSION.exec(key))?.at(-1);
  return id === undefined ? key : `${id}.jsonl`;
}

function branchIn(key: string): string | null {
  const id = TRANSCRIPT_NAME.exec(key)?.[1];
  return id?.[14] === "8" ? id : null;
}

/** Whether the machine's last pull has decided that there is such a branch. */
function wants(machine: SimMachine, key: string): boolean {
  const id = branchIn(key);
  if (id === null) return false;
  const families = withState(
    machine,
    (database) =>
      database.prepare("SELECT result FROM resolution WHERE session NOT LIKE '%:%'").all(),
  );
  return families.some(({ result }) => branchIds(String(result)).includes(id));
}

/** The branch that stands beside a session of which the machine keeps a forgotten end. */
function besideOf(machine: SimMachine, session: string): string | undefined {
  const [row] = withState(
    machine,
    (database) =>
      database.prepare("SELECT result FROM resolution WHERE session = ?").all(`beside:${session}`),
  );
  if (row === undefined) return undefined;
  return (JSON.parse(String(row.result)) as { beside: { target?: { session: string } } })
    .beside.target?.session;
}

/** Whether what is stored under a branch's id is decided in a family that has it under others. */
function isShownUnderOthers(machine: SimMachine, id: string): boolean {
  const families = withState(machine, (database) =>
    database.prepare(
      `SELECT result FROM resolution r WHERE session NOT LIKE '%:%' AND EXISTS
         (SELECT 1 FROM leaf l WHERE l.session = r.session AND l.file = 'transcript')`,
    ).all() as { result: string }[]);
  return families.some(({ result }) =>
    (JSON.parse(result) as { storedBranches: string[] }).storedBranches.includes(id)
  );
}

function withState<Result>(
  machine: SimMachine,
  ask: (database: DatabaseSync) => Result,
): Result {
  machine.disk.letGo();
  const database = new DatabaseSync(homePaths(machine.programDir).state, { readOnly: true });
  try {
    return ask(database);
  } finally {
    database.close();
  }
}

/** Ids of the branches of a family, as a pull has written it down. */
function branchIds(result: string): string[] {
  const { branches } = JSON.parse(result) as { branches: { session: string }[] };
  return branches.map(({ session }) => session);
}

/** Checks that what was said is to be seen on every machine. */
export function checkVisible(
  machines: readonly SimMachine[],
  book: Book,
  past: Past,
  forgiven: Forgiven,
  report: Report,
): void {
  for (const machine of machines) {
    const shown = new Set<string>();
    for (const bytes of machine.clientFiles().values()) {
      for (const mark of marksIn(text(bytes))) shown.add(mark);
    }
    for (const session of frozenOn(machine, past).keys()) {
      for (const mark of past.contentsOf(session).flatMap(marksIn)) shown.add(mark);
    }
    for (const mark of book.spoken) {
      if (shown.has(mark) || book.dropped.has(mark) || forgiven.marks.has(mark)) continue;
      report.violation("all is visible", `${mark} was said and is not on ${machine.name}`);
      return;
    }
  }
}
