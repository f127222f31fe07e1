/**
 * What a vault has ever held, what of it counts now, and what may be gone: the checkers' own view
 * of compaction, deletion and forgetting, made from FORMAT.md and the objects alone. The program
 * has no part in it.
 */
import type { Bytes } from "../../src/base/bytes.ts";
import type { DecodedOp, Decoder } from "./decoder.ts";
import { stateKey } from "./file_tree.ts";
import { type Ask, Wishes } from "./asks.ts";
import type { Actor, Looks } from "./looks.ts";
import { type PastEntry, PastFiles } from "./past_files.ts";
import { largestTitles } from "./past_titles.ts";

const FORGET_DAYS = 30;

/** What counts now. */
interface Present {
  readonly entries: ReadonlySet<string>;
  readonly packs: ReadonlySet<string>;
  /** Keys of segments, generations, titles and ops that hold. */
  readonly facts: ReadonlySet<string>;
}

/** The past of one vault. */
export class Past {
  readonly entries = new Map<string, PastEntry>();
  readonly #decoder: Decoder;
  readonly #looks: Looks;
  readonly #bytes = new Map<string, Bytes>();
  readonly #there = new Set<string>();
  readonly #files: PastFiles;
  /** Facts that were left out when they might be. */
  readonly #leftOut = new Set<string>();
  readonly #wishes: Wishes;
  #present: Present | null = null;
  /** What was asked for by now, and is true until something changes. */
  readonly #forgotten = new Map<string, boolean>();

  constructor(decoder: Decoder, looks: Looks, asks: readonly Ask[]) {
    this.#decoder = decoder;
    this.#files = new PastFiles(decoder, (object) => this.#bytes.get(object)!);
    this.#looks = looks;
    this.#wishes = new Wishes(asks, this.#files);
  }

  /** Takes an object in; gives what is wrong with that, or null. */
  put(name: string, bytes: Bytes, actor: Actor, nowMs: number): string | null {
    const isNew = !this.#bytes.has(name);
    const body = name.startsWith("log/") && isNew ? this.#decoder.entry(name, bytes) : null;
    const isMarker = body?.ops.some(({ op }) => op === "checkpoint" || op === "retire") ?? false;
    const before = isMarker ? this.#now() : null;
    this.#bytes.set(name, bytes);
    this.#there.add(name);
    this.#present = null;
    this.#forgotten.clear();
    if (body === null) return null;
    const hash8 = name.slice(-8);
    const entry = { name, hash8, body, putAtMs: nowMs, by: actor.name };
    this.entries.set(name, entry);
    for (const op of body.ops) this.#files.note(entry, op);
    const [unasked] = body.ops.filter((op) => op.op === "forget" && !this.#wishes.has(op));
    if (unasked !== undefined) return `nobody has asked for ${JSON.stringify(unasked)}`;
    if (before === null) return null;
    const after = this.#now();
    for (const fact of before.facts) {
      if (after.facts.has(fact)) continue;
      const why = this.#whyNeeded(fact, actor, nowMs);
      if (why !== null) return `${name} leaves out what is needed (${why}): ${fact}`;
      this.#leftOut.add(fact);
    }
    return null;
  }

  /** Notes a deletion; gives what is wrong with it, or null. */
  delete(name: string, actor: Actor, nowMs: number): string | null {
    if (!this.#there.has(name)) return null;
    const wrong = this.#whyNot(name, actor, nowMs);
    this.#there.delete(name);
    this.#present = null;
    return wrong === null ? null : `${actor.name} deletes ${name}: ${wrong}`;
  }

  /** Whether some reader needs the object: it is from a base on, or such an entry names it. */
  isNeeded(name: string): boolean {
    if (!name.includes("/")) return true;
    const { entries, packs } = this.#now();
    return entries.has(name) || packs.has(name);
  }

  /** Ids of machines that have a log, in order. */
  machineIds(): string[] {
    return [...new Set([...this.entries.values()].map(({ body }) => body.machine))].sort();
  }

  /** Sessions that a `forget` which holds names, in order. */
  forgottenNames(): string[] {
    return [...new Set(this.#held(() => true).map(({ session }) => session))].sort();
  }

  /** Sessions that ever had a transcript, in order. */
  sessions(): string[] {
    return [...this.#files.all()]
      .filter(({ file, said }) => file === "transcript" && said.size > 0)
      .map(({ session }) => session).sort();
  }

  /** Whether a shelf's file is forgotten, in all shelves that have one of that name. */
  isForgottenFile(file: string): boolean {
    const all = [...this.#files.all()].filter((each) => each.file === file);
    return all.length > 0 && all.every(({ session }) => {
      const named = this.#named(session, file, () => true);
      const tree = this.#files.tree(session, file, (entry) => this.#counts(entry));
      return [...tree.leaves()].every((leaf) => named.has(leaf));
    });
  }

  /** Whether the vault has a transcript of that session. */
  has(session: string): boolean {
    return this.sessions().includes(session);
  }

  /** Whether nothing of the session is shown to anybody. */
  isForgotten(session: string): boolean {
    const known = this.#forgotten.get(session);
    if (known !== undefined) return known;
    const named = this.#named(session, "transcript", () => true);
    const isForgotten = named.size > 0 && !this.#isAlive(session, () => true);
    this.#forgotten.set(session, isForgotten);
    return isForgotten;
  }

  /** Whether the state is one that nobody needs as it is forgotten. */
  isForgottenState(session: string, file: string, state: string): boolean {
    return !this.#needed(session, file, () => true, () => true).has(state);
  }

  /** Whether a transcript of these bytes is a forgotten state of the session. */
  isForgottenTranscript(session: string, hash: string): boolean {
    const named = [...this.#named(session, "transcript", () => true)];
    if (!named.some((state) => state.endsWith(`/${hash}`))) return false;
    const needed = this.#needed(session, "transcript", () => true, () => true);
    return ![...needed].some((state) => state.endsWith(`/${hash}`));
  }

  /** Every content that a file of the session ever had in the vault. */
  contentsOf(session: string): string[] {
    return [...this.#files.all()].filter((each) => each.session === session)
      .flatMap((past) =>
        [...past.said.values()]
          .map(([first]) => this.#files.content(past, stateKey(first!.segment)))
      );
  }

  /** What is wrong in the end, when all machines have come to rest. */
  finalProblem(): string | null {
    const { facts } = this.#now();
    for (const { session, file, said, beginnings } of this.#files.all()) {
      const live = this.#files.tree(session, file, (entry) => this.#counts(entry));
      const reachable = live.reachable();
      for (const [key, [first]] of said) {
        const isThere = facts.has(key) || reachable.has(stateKey(first!.segment));
        if (!isThere && !this.#leftOut.has(key)) return `${key} is gone`;
      }
      for (const key of beginnings.keys()) {
        if (!facts.has(key) && !this.#leftOut.has(key)) return `${key} is gone`;
      }
      const isShown = !this.isForgotten(session);
      const named = this.#named(session, file, () => true);
      for (const leaf of isShown ? live.leaves() : []) {
        const isHidden = file === "transcript" && named.has(leaf);
        if (!isHidden && !reachable.has(leaf)) return `${session}/${file} ${leaf} has no beginning`;
      }
    }
    return null;
  }

  /** Contents that need not be there: of states that are forgotten, or were left out as such. */
  forgivenContents(): string[] {
    const contents: string[] = [];
    for (const past of this.#files.all()) {
      const { session, file, said } = past;
      const needed = this.#needed(session, file, () => true, () => true);
      for (const [key, [first]] of said) {
        const state = stateKey(first!.segment);
        if (!this.#leftOut.has(key) && needed.has(state)) continue;
        contents.push(this.#files.content(past, state));
      }
    }
    return contents;
  }

  /** How many states are named by forgets that hold. */
  get forgottenStates(): number {
    return this.#held(() => true).reduce((sum, { leaves }) => sum + leaves.length, 0);
  }

  #counts(entry: PastEntry): boolean {
    return this.#now().entries.has(entry.name);
  }

  #now(): Present {
    this.#present ??= this.#findPresent();
    return this.#present;
  }

  #findPresent(): Present {
    const there = [...this.entries.values()].filter(({ name }) => this.#there.has(name));
    const bases = new Map<string, number>();
    const raise = (tag: string, base: number) =>
      bases.set(tag, Math.max(bases.get(tag) ?? 1, base));
    for (const { body } of there) raise(body.tag, body.base ?? 1);
    for (const { body } of there) {
      for (const op of body.ops) if (op.op === "retire") raise(op.tag, op.seq + 1);
    }
    const counting = there.filter((entry) =>
      entry.body.seq >= (bases.get(entry.body.tag) ?? 1) || this.#markersOf(entry).length === 0
    );
    const entries = new Set(counting.map(({ name }) => name));
    const packs = new Set(counting.flatMap(({ body }) => body.packs.map(({ name }) => name)));
    const facts = new Set<string>();
    for (const { said, beginnings } of this.#files.all()) {
      for (const [key, all] of said) {
        const isSaid = all.some(({ entry, object }) =>
          entries.has(entry.name) && this.#there.has(object)
        );
        if (isSaid) facts.add(key);
      }
      for (const [key, { in: all }] of beginnings) {
        if (all.some(({ name }) => entries.has(name))) facts.add(key);
      }
    }
    for (const title of largestTitles(counting)) facts.add(title);
    for (const op of counting.flatMap(({ body }) => body.ops)) {
      if (op.op === "forget") facts.add(`forget ${op.id} ${op.session}`);
      if (op.op === "recall") { for (const id of op.ids) facts.add(`recall ${id}`); }
      if (op.op === "retire") facts.add(`retire ${op.tag}`);
    }
    return { entries, packs, facts };
  }

  /** Entries that are there and say that `entry` counts no more. */
  #markersOf({ body, hash8 }: PastEntry): PastEntry[] {
    return [...this.entries.values()].filter((other) => {
      if (!this.#there.has(other.name)) return false;
      return other.body.ops.some((op) => {
        const isAboutIt = op.op === "checkpoint"
          ? other.body.tag === body.tag
          : op.op === "retire" && op.tag === body.tag;
        if (!isAboutIt || !("covered" in op)) return false;
        return op.covered[body.seq - 1]?.match(/.{8}/g)?.includes(hash8) === true;
      });
    });
  }

  #whyNot(name: string, actor: Actor, nowMs: number): string | null {
    const entry = this.entries.get(name);
    const isPack = name.startsWith("packs/");
    if (entry === undefined && !isPack) return "it is neither an entry nor a pack";
    const namers = entry !== undefined
      ? [entry]
      : [...this.entries.values()].filter((each) =>
        this.#there.has(each.name) && each.body.packs.some((pack) => pack.name === name)
      );
    if (this.isNeeded(name)) return "it counts";
    if (namers.length === 0 && !this.#looks.hasKnown(actor.name, name, nowMs)) {
      return "nobody names it, but not for long enough";
    }
    // Whoever else finds it unnamed may only not be shown what names it (FORMAT.md 10.6, 12.5).
    if (namers.length === 0 && !actor.hasMade(name)) return "nobody names it, but another made it";
    for (const namer of namers) {
      const markers = this.#markersOf(namer);
      const hasWaited = markers.some((marker) =>
        this.#looks.hasWaited(actor.name, marker.name, nowMs)
      );
      if (!hasWaited) return `${namer.name} was replaced too lately`;
      if (!markers.some((marker) => this.#looks.isBy(actor.name, marker.by))) {
        return `${namer.name} was replaced by another machine`;
      }
    }
    const orphan = entry?.body.packs.find((pack) =>
      this.#there.has(pack.name) && !this.#isNamedBesides(pack.name, name)
    );
    if (orphan !== undefined) return `${orphan.name} is known to nobody then`;
    const { facts } = this.#now();
    for (const { said } of this.#files.all()) {
      for (const [key, all] of said) {
        if (facts.has(key) || !all.some(({ object }) => object === name)) continue;
        const why = this.#whyNeeded(key, actor, nowMs);
        if (why !== null) return `the last that has what is needed (${why}): ${key}`;
      }
    }
    return null;
  }

  #isNamedBesides(pack: string, entry: string): boolean {
    return [...this.entries.values()].some(({ name, body }) =>
      name !== entry && this.#there.has(name) && body.packs.some((each) => each.name === pack)
    );
  }

  /** Why a fact must be said by somebody; null when it need not be. */
  #whyNeeded(fact: string, actor: Actor, nowMs: number): string | null {
    const [kind, id] = fact.split(" ") as [string, string];
    if (kind === "retire") return "no retirement is left out";
    if (kind === "recall") return "no recall is left out";
    if (kind === "forget") {
      const isRecalled = this.#ops("recall", () => true).some(({ ids }) => ids.includes(id));
      return isRecalled ? null : "it holds";
    }
    const at = fact.indexOf("/");
    const session = fact.slice(kind.length + 1, at);
    if (kind === "title") {
      const needed = this.#neededBy(actor, nowMs, session, "transcript");
      return needed.has(fact.split(" ")[2]!) ? "a title" : null;
    }
    for (const file of this.#files.all()) {
      if (file.session !== session) continue;
      const [said] = file.said.get(fact) ?? [];
      const beginning = file.beginnings.get(fact)?.beginning;
      if (said === undefined && beginning === undefined) continue;
      const live = this.#files.tree(session, file.file, (entry) => this.#counts(entry));
      if (said === undefined) {
        const isUsed = live.segments.some(({ gen }) => gen === beginning!.gen);
        return isUsed ? "its segments are there" : null;
      }
      const state = stateKey(said.segment);
      if (live.reachable().has(state)) return null;
      return this.#neededBy(actor, nowMs, session, file.file).has(state) ? `for ${state}` : null;
    }
    return null;
  }

  /** States that `actor` must take to be needed. */
  #neededBy(actor: Actor, nowMs: number, session: string, file: string): Set<string> {
    const isKnown = ({ name, putAtMs }: PastEntry) => actor.seen(name, putAtMs);
    const days = ({ name }: PastEntry) => this.#looks.days(actor.name, name, nowMs);
    return this.#needed(session, file, isKnown, (entry) => days(entry) >= FORGET_DAYS);
  }

  /** States that leaves need, or that can still be recalled. */
  #needed(
    session: string,
    file: string,
    isKnown: (entry: PastEntry) => boolean,
    isDue: (entry: PastEntry) => boolean,
  ): Set<string> {
    const tree = this.#files.tree(session, file, isKnown);
    const leaves = tree.leaves();
    const all = this.#named(session, file, isKnown);
    if (file !== "transcript" && this.#isAlive(session, isKnown)) return tree.before(leaves);
    const waiting = this.#named(session, file, isKnown, (entry) => !isDue(entry));
    return tree.before([...[...leaves].filter((leaf) => !all.has(leaf)), ...waiting]);
  }

  #isAlive(session: string, isKnown: (entry: PastEntry) => boolean): boolean {
    const named = this.#named(session, "transcript", isKnown);
    const tree = this.#files.tree(session, "transcript", isKnown);
    return [...tree.leaves()].some((leaf) => !named.has(leaf));
  }

  #named(
    session: string,
    file: string,
    isKnown: (entry: PastEntry) => boolean,
    isWanted: (entry: PastEntry) => boolean = () => true,
  ): Set<string> {
    const ops = this.#held(isKnown, isWanted).filter((op) => op.session === session);
    return new Set(
      ops.flatMap(({ leaves }) => leaves.filter((leaf) => leaf.file === file).map(stateKey)),
    );
  }

  /** Forgets that hold. Of one that is said again, the first counts. */
  #held(
    isKnown: (entry: PastEntry) => boolean,
    isWanted: (entry: PastEntry) => boolean = () => true,
  ) {
    const recalled = new Set(this.#ops("recall", isKnown).flatMap(({ ids }) => ids));
    const first = new Map<string, PastEntry>();
    for (const entry of this.entries.values()) {
      for (const op of isKnown(entry) ? entry.body.ops : []) {
        if (op.op === "forget" && !first.has(op.id)) first.set(op.id, entry);
      }
    }
    return this.#ops("forget", isKnown)
      .filter(({ id }) => !recalled.has(id) && isWanted(first.get(id)!));
  }

  #ops<Kind extends DecodedOp["op"]>(kind: Kind, isKnown: (entry: PastEntry) => boolean) {
    return [...this.entries.values()].filter(isKnown).flatMap(({ body }) => body.ops)
      .filter((op): op is Extract<DecodedOp, { op: Kind }> => op.op === kind);
  }
}
