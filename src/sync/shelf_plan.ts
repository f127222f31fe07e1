/** Compares the vault's shelves with what is here, and says what is to be written. */
import { ClaudeSyncError } from "../errors.ts";
import type { LocalFile, LocalMemory, LocalSession, LocalTemp } from "../sessions/discover.ts";
import { pathOf } from "../sessions/layout.ts";
import { liveSessions } from "../sessions/live.ts";
import type { ProjectIdentity } from "../sessions/project.ts";
import { besideOf, memoryShelfId, shelfArea } from "../sessions/shelf.ts";
import { discoverPlans } from "../sessions/plans.ts";
import { cleanupPeriodDays, isPastRetention } from "../sessions/retention.ts";
import type { Failure } from "./api.ts";
import { isSettled, type LocalFileRow } from "./local_files.ts";
import { type LocalShelf, shelfOfRows } from "./local_shelves.ts";
import { LOOK_BYTES } from "./look_bytes.ts";
import { MemoryFolders } from "./memory_folders.ts";
import { PlanNames } from "./plan_names.ts";
import { Exclusion, isExcluded, type ProjectFinder } from "./projects.ts";
import { planFile, type WriteFamily, type WriteOperation } from "./pull_file.ts";
import type { LocalView } from "./pull_place.ts";
import type { PullScope } from "./pull_plan.ts";
import { failureOf } from "./push.ts";
import { planOfShelf } from "./shelf_targets.ts";
import type { FileTarget, SessionTarget } from "./targets.ts";
import type { OpenVault } from "./vault_access.ts";

/** What is to be done with the shelves. */
export interface ShelfPlan {
  readonly families: readonly WriteFamily[];
  /**
   * Copies that a pull put beside a file, unchanged since, of versions that their writer has
   * replaced. The vault has them.
   */
  readonly outdated: readonly OutdatedCopy[];
  /** Shelves with bytes that the vault must have before they are replaced. */
  readonly pushFirst: readonly LocalShelf[];
  /** Open sessions whose plan waits for their end. */
  readonly waitingIds: readonly string[];
  readonly failures: readonly Failure[];
}

/** A file to take away. */
export interface OutdatedCopy {
  readonly shelf: string;
  readonly file: LocalFile;
  /** The state of the vault that it shows. */
  readonly row: LocalFileRow;
}

/** Plans for one look at the local files. */
export class ShelfPlanner {
  /** Our own temporary files among the plans, which a crash may have left. */
  readonly leftovers: readonly LocalTemp[];
  readonly #vault: OpenVault;
  readonly #local: LocalView;
  readonly #projects: ProjectFinder;
  readonly #scope: PullScope;
  readonly #rows: ReadonlyMap<string, LocalFileRow>;
  readonly #plans: ReadonlyMap<string, LocalFile>;
  /** Plans that a pull put beside others, by shelf. */
  readonly #copies = new Map<string, LocalFile[]>();
  /** Shelves by the folders that were found for them just now. */
  readonly #placed = new Map<string, string>();
  /** Memories by the shelf that they were synced with before. */
  readonly #memories = new Map<string, LocalMemory[]>();
  /** Asked for when something is to be done, which is rare. */
  #live: ReadonlySet<string> | null = null;
  #cleanupDays: number | null = null;
  #folders: MemoryFolders | null = null;
  #namers: ReadonlyMap<string, readonly LocalSession[]> | null = null;
  readonly #families: WriteFamily[] = [];
  readonly #outdated: OutdatedCopy[] = [];
  readonly #pushFirst: LocalShelf[] = [];
  readonly #waiting = new Set<string>();

  constructor(vault: OpenVault, local: LocalView, projects: ProjectFinder, scope: PullScope) {
    const { fs } = vault.context.platform;
    this.#vault = vault;
    this.#local = local;
    this.#projects = projects;
    this.#scope = scope;
    this.#rows = vault.locals.all();
    vault.context.platform.memory.passed(LOOK_BYTES * this.#rows.size);
    const plans = discoverPlans(fs, vault.root);
    this.leftovers = plans.temps;
    this.#plans = new Map(plans.files.map((file) => [file.name, file]));
    for (const file of plans.files) {
      const row = this.#rows.get(file.path);
      if (row?.isDerived !== true) continue;
      this.#copies.set(row.session, [...(this.#copies.get(row.session) ?? []), file]);
    }
    for (const memory of local.memories) {
      const id = shelfOfRows(memory.files, this.#rows);
      if (id !== null) this.#memories.set(id, [...(this.#memories.get(id) ?? []), memory]);
    }
  }

  /** Plans all `shelves`. Errors: those of reading the vault. */
  async plan(shelves: readonly SessionTarget[]): Promise<ShelfPlan> {
    const failures: Failure[] = [];
    for (const shelf of shelves) {
      this.#vault.context.signal.throwIfAborted();
      try {
        if (shelf.files.every(({ name }) => shelfArea(name) === "memory")) {
          await this.#planMemory(shelf);
          continue;
        }
        await this.#planPlan(shelf);
      } catch (error) {
        failures.push(failureOf(error, shelf.id));
      }
    }
    const [families, outdated, pushFirst] = [this.#families, this.#outdated, this.#pushFirst];
    return { families, outdated, pushFirst, waitingIds: [...this.#waiting], failures };
  }

  /** Whether what is old, or was taken away here, is to come as well. */
  get #isAsked(): boolean {
    return this.#scope.all || this.#scope.ids !== null;
  }

  /** A plan belongs where one of its sessions is. */
  async #planPlan(shelf: SessionTarget): Promise<void> {
    const files = new Set([
      ...shelf.files.flatMap(({ name }) => this.#plans.get(name) ?? []),
      ...(this.#copies.get(shelf.id) ?? []),
    ]);
    const { fs, host, clock } = this.#vault.context.platform;
    const nowMs = clock.nowMs();
    const here = [...files];
    const stale = shelf.files.filter((target) => {
      if (!this.#isStale(shelf, "", here, target)) return false;
      // The client deletes plans by their time, as it does transcripts.
      this.#cleanupDays ??= cleanupPeriodDays(fs, this.#vault.root);
      const isOld = isPastRetention(target.mtimeMs, this.#cleanupDays, nowMs);
      return this.#isAsked || !isOld || here.some(({ name }) => name === target.name);
    });
    if (stale.length === 0 && !here.some((file) => this.#isOutdated(shelf, file))) return;
    const plan = planOfShelf(shelf.id, shelf.files);
    if (plan === null) throw unsafe(shelf);
    const namers = this.#namersOf(plan);
    const [namer] = namers;
    if (namer === undefined) return;
    const live = this.#live ??= liveSessions(fs, host, this.#vault.root);
    const open = namers.filter(({ id }) => live.has(id));
    for (const { id } of open) this.#waiting.add(id);
    if (open.length > 0) return;
    const project = this.#projects.ofSession(namer);
    await this.#planFiles(shelf, { id: shelf.id, slug: namer.slug, files: here, project }, stale);
  }

  /**
   * A memory belongs wherever its project is; the client never deletes it by its time. Who names
   * sessions has not asked for it, unless he has named its project.
   */
  async #planMemory(shelf: SessionTarget): Promise<void> {
    const { ids, shelves } = this.#scope;
    if (ids !== null && shelves?.has(shelf.id) !== true) return;
    const here = this.#memories.get(shelf.id) ?? [];
    const stale = ({ slug, files }: LocalMemory) =>
      shelf.files.filter((target) => this.#isStale(shelf, slug, files, target));
    const isCurrent = (memory: LocalMemory) =>
      stale(memory).length === 0 && !memory.files.some((file) => this.#isOutdated(shelf, file));
    if (here.length > 0 && here.every(isCurrent)) return;
    const claimed = this.#projectOf(shelf);
    if (!this.#scope.all && isExcluded(this.#vault.config, claimed)) return;
    const places = here.length > 0 ? here : this.#placeOf(shelf, claimed);
    for (const place of places) {
      const { slug, files } = place;
      const project = claimed ?? this.#folders?.projectOf(slug) ?? null;
      if (!this.#scope.all && isExcluded(this.#vault.config, project)) continue;
      await this.#planFiles(shelf, { id: shelf.id, slug, files, project }, stale(place));
    }
  }

  /** The project that the vault names for the shelf, when that is its own. */
  #projectOf({ id }: SessionTarget): ProjectIdentity | null {
    const project = this.#projects.ofVaultSession(id);
    return project !== null && memoryShelfId(project) === id ? project : null;
  }

  #placeOf(shelf: SessionTarget, project: ProjectIdentity | null): readonly LocalMemory[] {
    this.#folders ??= new MemoryFolders(
      this.#vault,
      this.#projects,
      () => this.#local.known().map(({ dir }) => dir),
    );
    const slug = this.#folders.slugOfShelf(shelf.id) ??
      (project === null ? null : this.#local.slugFor(project, this.#scope.all));
    if (slug === null) return [];
    const files = this.#local.memories.find((memory) => memory.slug === slug)?.files ?? [];
    // The vault may have two memories for one folder, as it was synced before it got its remote.
    // Taking turns there would replace one by the other with every pull: the first one stays.
    const owner = this.#placed.get(slug) ?? shelfOfRows(files, this.#rows) ?? shelf.id;
    this.#placed.set(slug, owner);
    return owner === shelf.id ? [{ slug, files }] : [];
  }

  #isStale(
    shelf: SessionTarget,
    slug: string,
    files: readonly LocalFile[],
    target: FileTarget,
  ): boolean {
    const file = files.find(({ name }) => name === target.name);
    const path = file?.path ?? pathOf(this.#vault.root, slug, shelf.id, target.name);
    const row = this.#rows.get(path);
    // What was here at this very state and was taken away stays so until it is asked for.
    if (file === undefined) return this.#isAsked || row?.hash !== target.hash;
    return !isSettled(row, file.stat) || row!.hash !== target.hash || row!.gen !== target.gen;
  }

  async #planFiles(
    shelf: SessionTarget,
    here: LocalShelf,
    stale: readonly FileTarget[],
  ): Promise<void> {
    const { fs } = this.#vault.context.platform;
    const writes: WriteOperation[] = [];
    let needsPush = false;
    for (const target of stale) {
      const planned = await planFile(this.#vault, this.#rows, shelf, here, target);
      if (planned === "push-first") needsPush = true;
      else if (planned !== null && "beside" in planned) continue;
      // A link or folder of this name is the user's: it stays, and the file in the vault.
      else if (planned !== null && (planned.expected !== null || fs.lstat(planned.path) === null)) {
        writes.push(planned);
      }
    }
    if (needsPush) {
      this.#pushFirst.push(here);
      return;
    }
    if (writes.length > 0) this.#families.push({ root: shelf.id, writes });
    for (const file of here.files) {
      const row = this.#outdatedRow(shelf, file);
      if (row !== null) this.#outdated.push({ shelf: shelf.id, file, row });
    }
  }

  #isOutdated(shelf: SessionTarget, file: LocalFile): boolean {
    return this.#outdatedRow(shelf, file) !== null;
  }

  #outdatedRow(shelf: SessionTarget, file: LocalFile): LocalFileRow | null {
    const row = this.#rows.get(file.path);
    const isOurs = row?.session === shelf.id && row.isDerived && isSettled(row, file.stat);
    if (!isOurs || shelf.files.some(({ name }) => name === file.name)) return null;
    // Forgotten in the vault, it stays here.
    const shows = besideOf(file.name)?.name ?? file.name;
    return this.#vault.forgotten.isForgotten(shelf.id, shows, row) ? null : row;
  }

  #namersOf(plan: string): readonly LocalSession[] {
    if (this.#namers === null) {
      const { context, config, database } = this.#vault;
      const all = this.#local.all();
      const exclusion = new Exclusion(config, this.#projects, all);
      const wanted = all.filter((session) =>
        (this.#scope.ids?.has(session.id) ?? true) &&
        (this.#scope.all || !exclusion.excludes(session))
      );
      this.#namers = new PlanNames(context.platform.fs, database).namers(wanted);
    }
    return this.#namers.get(plan) ?? [];
  }
}

function unsafe({ id }: SessionTarget): ClaudeSyncError {
  const message = "A shelf holds files that are not its own";
  return new ClaudeSyncError("unsafe-file", message, { sessionId: id });
}
