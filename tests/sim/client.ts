/**
 * The simulated Claude Code on one machine: what it writes, rewrites, moves and cleans up, as real
 * clients were seen to do. All of its text is ASCII.
 */
import { fromUtf8, utf8 } from "../../src/base/bytes.ts";
import { isClaudeSyncError } from "../../src/errors.ts";
import { slugOf } from "../../src/sessions/slug.ts";
import { said } from "../support/sync_machine.ts";
import type { Book } from "./book.ts";
import type { Dice } from "./dice.ts";
import type { SimDisk } from "./disk.ts";
import { SESSION_CANARY } from "./store.ts";

/** Bytes of a record that a crash leaves: enough for the words in it. */
const TORN_BYTES = 130;
const DAY_MS = 86_400_000;
const WORKTREE = /--claude-worktrees-wt$/;
const TRANSCRIPT = /^projects\/([^/]+)\/([0-9a-f-]{36})\.jsonl$/;

/** Where a client runs. */
export interface ClientWorld {
  readonly disk: SimDisk;
  readonly book: Book;
  readonly dice: Dice;
  readonly configDir: string;
  readonly projects: readonly string[];
  readonly version: "2.1.330" | "2.0.77";
  readonly cleanupDays: number;
  nowMs(): number;
  /** Called with every path that the client changes. */
  onTouch(path: string): void;
  /** Called with the id of a session that a person or the clean-up removes. */
  onRemove(session: string): void;
}

/** A transcript on this machine. */
export interface Transcript {
  readonly session: string;
  readonly slug: string;
  readonly path: string;
}

interface TornRecord {
  readonly written: string;
  readonly rest: string;
  /** It was written behind another torn one: the line will never be a record. */
  readonly isGlued: boolean;
}

/** One machine's client. */
export class Client {
  readonly #world: ClientWorld;
  /** The rest of a torn record by file. */
  readonly #torn = new Map<string, TornRecord>();
  /** Open sessions by process id. */
  readonly #open = new Map<number, string>();
  #pids = 100;

  constructor(world: ClientWorld) {
    this.#world = world;
  }

  isRunning(pid: number): boolean {
    return this.#open.has(pid);
  }

  /** All transcripts here, in order. */
  transcripts(): Transcript[] {
    const { disk, configDir } = this.#world;
    const found: Transcript[] = [];
    for (const { name: slug } of disk.readDir(`${configDir}/projects`) ?? []) {
      for (const { name } of disk.readDir(`${configDir}/projects/${slug}`) ?? []) {
        const session = TRANSCRIPT.exec(`projects/${slug}/${name}`)?.[2];
        if (session === undefined) continue;
        found.push({ session, slug, path: `${configDir}/projects/${slug}/${name}` });
      }
    }
    return found;
  }

  /** A turn in a session that is here, or in a new one. */
  speak(isNew = false): void {
    const { dice } = this.#world;
    const at = isNew || dice.isLucky(0.2) ? this.#new() : this.#some() ?? this.#new();
    this.#append(at.path, this.#turn(at), "spoken");
  }

  /** What resuming and leaving a session writes. */
  stateLines(): void {
    const at = this.#some();
    if (at === null) return;
    const { book } = this.#world;
    const line = {
      type: "cost-state",
      total: book.count,
      note: book.mark(),
      sessionId: at.session,
    };
    const mode = JSON.stringify({ type: "mode", mode: "normal", sessionId: at.session }) + "\n";
    this.#append(at.path, mode + JSON.stringify(line) + "\n", "other");
  }

  /** The client dies in the middle of a line. */
  tear(): void {
    const at = this.#some();
    if (at === null) return;
    const record = this.#record(at, "user", this.#world.book.mark());
    const written = record.slice(0, TORN_BYTES);
    const isGlued = this.#isGlued(at.path);
    if (!this.#append(at.path, written, null)) return;
    this.#torn.set(at.path, { written, rest: record.slice(TORN_BYTES), isGlued });
  }

  /** Rather it was only slow. */
  complete(): void {
    for (const [path, { written, rest, isGlued }] of this.#torn) {
      const text = this.read(path);
      this.#torn.delete(path);
      if (text === null || !text.endsWith(written) || !this.#appendRaw(path, rest)) continue;
      this.#world.book.wrote(written + rest, isGlued ? "other" : "spoken");
    }
  }

  /** `/clear`: a new file and a new id. */
  clear(): void {
    this.speak(true);
  }

  /** `/branch`: a new file with the same records and another id. */
  branch(): void {
    const at = this.#some();
    const text = at === null ? null : this.read(at.path);
    if (at === null || text === null || text === "") return;
    // Beside the transcript that it continues.
    const branch = this.#new(at.slug);
    const forkedFrom = JSON.stringify({ sessionId: at.session, messageUuid: this.#uuid() });
    const copied = text.replaceAll(at.session, branch.session)
      .replaceAll(/,"userType"/g, `,"forkedFrom":${forkedFrom},"userType"`);
    const whole = copied.slice(0, copied.lastIndexOf("\n") + 1);
    this.#append(branch.path, whole + this.#turn(branch), "spoken");
  }

  /** Takes one record out of the middle, in place. */
  dropRecord(): void {
    const at = this.#some();
    const lines = (at === null ? null : this.read(at.path))?.split(/(?<=\n)/) ?? [];
    if (at === null || lines.length < 3) return;
    // The first line stays: it says where the project is.
    const [line] = lines.splice(this.#world.dice.between(1, lines.length - 2), 1);
    if (this.#overwrite(at.path, lines.join(""))) this.#world.book.drop(line!);
  }

  /** Cuts the end off. */
  truncate(): void {
    const at = this.#some();
    const text = at === null ? null : this.read(at.path);
    const first = text === null ? -1 : text.indexOf("\n") + 1;
    if (at === null || text === null || first < 1 || first >= text.length) return;
    const cut = this.#world.dice.between(first, text.length - 1);
    const end = this.#world.dice.isLucky(0.3) ? cut : text.lastIndexOf("\n", cut) + 1;
    const lost = text.slice(text.lastIndexOf("\n", end - 1) + 1);
    if (this.#overwrite(at.path, text.slice(0, end))) this.#world.book.drop(lost);
  }

  /** Into a worktree's folder and back: the transcript alone. */
  move(): void {
    const at = this.#some();
    if (at === null) return;
    const main = at.slug.replace(WORKTREE, "");
    const slug = main === at.slug ? `${main}--claude-worktrees-wt` : main;
    const { disk, configDir } = this.#world;
    const to = `${configDir}/projects/${slug}/${at.session}.jsonl`;
    if (disk.lstat(to) !== null) return;
    this.#change(at.path, () => {
      disk.makeDir(`${configDir}/projects/${slug}`);
      disk.rename(at.path, to);
    });
    const torn = this.#torn.get(at.path);
    if (torn !== undefined) this.#torn.set(to, torn);
    this.#torn.delete(at.path);
  }

  subagent(): void {
    const at = this.#some();
    if (at === null) return;
    const dir = `${at.path.replace(/\.jsonl$/, "")}/subagents`;
    const mark = this.#world.book.mark();
    const agent = `agent-${this.#world.dice.hex(8)}`;
    const record = this.#record(at, "user", mark);
    this.#append(`${dir}/${agent}.jsonl`, record, "other");
    this.#writeWhole(
      `${dir}/${agent}.meta.json`,
      JSON.stringify({ note: this.#world.book.mark() }),
    );
  }

  /** A tool's output, a todo list, a task or the backup of an edited file. */
  sidecar(): void {
    const at = this.#some();
    if (at === null) return;
    const { dice, configDir, book } = this.#world;
    const side = at.path.replace(/\.jsonl$/, "");
    const path = dice.pick([
      `${side}/tool-results/${dice.hex(6)}.txt`,
      `${configDir}/todos/${at.session}-agent-${at.session}.json`,
      `${configDir}/file-history/${at.session}/${dice.hex(16)}@v1`,
      `${configDir}/tasks/${at.session}/1.json`,
    ])!;
    this.#writeWhole(path, JSON.stringify([book.mark()]));
  }

  /** A plan, and the record that names it. */
  plan(): void {
    const at = this.#some();
    if (at === null) return;
    const { dice, configDir, book } = this.#world;
    const name = dice.pick(["calm-river", "quick-fox"])!;
    const record = JSON.parse(this.#record(at, "assistant", book.mark()));
    this.#append(at.path, JSON.stringify({ ...record, slug: name }) + "\n", "spoken");
    this.#writeWhole(`${configDir}/plans/${name}.md`, `# ${book.mark()}\n`, "loose");
  }

  memory(): void {
    const { dice, configDir, projects, book } = this.#world;
    const project = dice.pick(projects)!;
    const name = `${dice.pick(["MEMORY", "notes"])!}.md`;
    const path = `${configDir}/projects/${slugOf(project)}/memory/${name}`;
    this.#writeWhole(path, `- ${book.mark()}\n`, "loose");
  }

  prompt(): void {
    const at = this.#some();
    if (at === null) return;
    const { configDir, projects, book } = this.#world;
    const line = {
      display: book.mark(),
      pastedContents: {},
      timestamp: this.#world.nowMs(),
      project: projects[0],
      sessionId: at.session,
    };
    this.#append(`${configDir}/history.jsonl`, JSON.stringify(line) + "\n", "loose");
  }

  /** Opens a session: with a registry, claude-sync leaves it alone. */
  openSession(): void {
    const at = this.#some();
    if (at === null || this.#world.version === "2.0.77") return;
    const pid = ++this.#pids;
    const entry = { pid, sessionId: at.session, procStart: String(pid), version: "2.1.330" };
    const path = `${this.#world.configDir}/sessions/${pid}.json`;
    if (this.#overwrite(path, JSON.stringify(entry))) this.#open.set(pid, at.session);
  }

  closeSessions(): void {
    for (const pid of this.#open.keys()) {
      this.#remove(`${this.#world.configDir}/sessions/${pid}.json`);
    }
    this.#open.clear();
  }

  /** The computer went down: registered processes are no more, their files stay. */
  die(): void {
    this.#open.clear();
    this.#torn.clear();
  }

  /** A person deletes a session with all that belongs to it. */
  deleteSession(): void {
    const at = this.#some();
    if (at !== null) this.#deleteAll(at.session);
  }

  /** The client's clean-up, by the time of the files. */
  retention(): void {
    const oldMs = this.#world.nowMs() - this.#world.cleanupDays * DAY_MS;
    for (const { session, path } of this.transcripts()) {
      if ((this.#world.disk.lstat(path)?.mtimeMs ?? Infinity) < oldMs) this.#deleteAll(session);
    }
  }

  /** The text of a file; null when absent. */
  read(path: string): string | null {
    const bytes = this.#world.disk.readFile(path, 1e9);
    return bytes === null ? null : fromUtf8(bytes);
  }

  #deleteAll(session: string): void {
    const { disk, configDir } = this.#world;
    const isOf = (path: string) =>
      !path.startsWith(`${configDir}/sessions/`) && path.includes(session);
    for (const path of [...disk.files(configDir).keys()].filter(isOf)) {
      const text = this.read(path) ?? "";
      if (this.#remove(path)) this.#world.book.drop(text);
    }
    this.#world.onRemove(session);
  }

  /** Of a transcript that a power cut has left empty no client knows any more. */
  #some(): Transcript | null {
    const { disk, dice } = this.#world;
    const known = this.transcripts().filter(({ path }) => (disk.lstat(path)?.sizeBytes ?? 0) > 0);
    return dice.pick(known);
  }

  #new(slug?: string): Transcript {
    const { dice, configDir, projects } = this.#world;
    const session = `${dice.hex(8)}-${dice.hex(4)}-4${dice.hex(3)}-8${
      dice.hex(3)
    }-${SESSION_CANARY}`;
    const own = slug ?? slugOf(dice.pick(projects)!);
    return { session, slug: own, path: `${configDir}/projects/${own}/${session}.jsonl` };
  }

  #uuid(): string {
    const { dice } = this.#world;
    return `${dice.hex(8)}-${dice.hex(4)}-4${dice.hex(3)}-9${dice.hex(3)}-${dice.hex(12)}`;
  }

  #record(at: Transcript, who: "user" | "assistant", text: string): string {
    const main = at.slug.replace(WORKTREE, "");
    const project = this.#world.projects.find((dir) => slugOf(dir) === main);
    const facts = {
      session: at.session,
      // What came from elsewhere and was put nowhere known is gone on with in the first project.
      cwd: project ?? this.#world.projects[0]!,
      atMs: this.#world.nowMs(),
      uuid: this.#uuid(),
    };
    return said(who, text, facts).replace("2.1.330", this.#world.version);
  }

  #turn(at: Transcript): string {
    const { book } = this.#world;
    return this.#record(at, "user", book.mark()) + this.#record(at, "assistant", book.mark());
  }

  /** As the client does, after a line that is torn: 2.1 ends it first, 2.0 writes on. */
  #append(path: string, lines: string, kind: "spoken" | "other" | "loose" | null): boolean {
    const isTorn = this.#isTorn(path);
    const glued = this.#isGlued(path);
    if (!this.#appendRaw(path, (isTorn && !glued ? "\n" : "") + lines)) return false;
    if (isTorn) this.#torn.delete(path);
    if (kind === null) return true;
    // What is glued to a torn line is no line of its own, for the client and for anybody.
    if (glued) this.#world.book.drop(lines.slice(0, lines.indexOf("\n") + 1));
    this.#world.book.wrote(glued ? lines.slice(lines.indexOf("\n") + 1) : lines, kind);
    return true;
  }

  #isTorn(path: string): boolean {
    const text = this.read(path) ?? "";
    return text !== "" && !text.endsWith("\n");
  }

  /** Whether what is appended now goes on in a torn line. */
  #isGlued(path: string): boolean {
    return this.#isTorn(path) && this.#world.version !== "2.1.330";
  }

  #appendRaw(path: string, text: string): boolean {
    return this.#change(path, (disk) => {
      disk.makeDir(path.slice(0, path.lastIndexOf("/")));
      const handle = disk.openAppend(path) ?? disk.createFile(path);
      handle.write(utf8(text));
      handle.close();
    });
  }

  #writeWhole(path: string, text: string, kind: "other" | "loose" = "other"): void {
    const old = this.read(path);
    if (!this.#overwrite(path, text)) return;
    if (old !== null) this.#world.book.drop(old);
    this.#world.book.wroteWhole(text, kind);
  }

  #overwrite(path: string, text: string): boolean {
    return this.#change(path, (disk) => {
      disk.makeDir(path.slice(0, path.lastIndexOf("/")));
      disk.overwrite(path, utf8(text));
    });
  }

  #remove(path: string): boolean {
    return this.#change(path, (disk) => disk.removeFile(path));
  }

  /** False when the disk refuses. */
  #change(path: string, change: (disk: SimDisk) => void): boolean {
    try {
      change(this.#world.disk);
      this.#world.onTouch(path);
      return true;
    } catch (error) {
      if (isClaudeSyncError(error, "no-space", "local-io")) return false;
      throw error;
    }
  }
}
