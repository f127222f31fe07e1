/** Keeps a vault small: checkpoints, deletion after the grace, lost machines (FORMAT.md 12). */
import { objectName } from "../storage/object_name.ts";
import type { ObjectInfo } from "../storage/object_store.ts";
import type { SyncContext } from "./api.ts";
import { isCompactionDue, noteTry } from "./compact_due.ts";
import { addTallies, deleteDoomed, doomedOf, lacksBeginning, listAll } from "./compact_delete.ts";
import { type Listing, requireWhole, tallyOf, unnamedPacks } from "./compact_delete.ts";
import { type Run, withFreshVault } from "./fresh_vault.ts";
import type { GcRequest, GcResult, ObjectTally, Restated, WaitingObjects } from "./gc_api.ts";
import { type ConfirmedMachine, confirmLost, findOther, isGivenUp, stillLost } from "./gc_lost.ts";
import { ownRow, restate } from "./restate.ts";
import { NOTHING_DONE, recorded } from "./run_log.ts";
import type { MachineRow } from "./segment_index.ts";
import { SleepWatch } from "./sleep_watch.ts";
import { GRACE_DAYS, LEFT_PACKS, leftPackOf, watchedBase } from "./watched_days.ts";
import { WatchedDays, watchedRetirement } from "./watched_days.ts";
import type { OpenVault } from "./vault_access.ts";

/**
 * See `SyncService.gc`. Errors: `bug` when a checkpoint would have changed anything, `not-found`,
 * `ambiguous`, `usage`, `busy`, the alarms, the store's own; nothing is deleted then.
 */
export async function runGc(context: SyncContext, request: GcRequest): Promise<GcResult> {
  const confirmed = await confirmLost(context, request);
  const staged = request.dryRun ? "left" : "required";
  const by = request.isAutomatic === true ? "hook" : "user";
  const work = () => {
    // Before the first look: all that is known when something is deleted is younger.
    const watch = new SleepWatch(context.platform.clock);
    return withFreshVault(
      context,
      staged,
      (run) => new GarbageCollection(run, request, watch).run(confirmed),
    );
  };
  return await recorded(context, request, { command: "gc", by }, work, () => ({
    ...NOTHING_DONE,
    failure: null,
  }));
}

/** Entries that a log has from its base on. */
function lengthOf({ seq, base }: MachineRow): number {
  return seq - base + 1;
}

/** A pack that this machine alone knows to be of no use, with the entry that was to name it. */
interface LeftPack {
  readonly what: string;
  readonly days: number;
  readonly info: ObjectInfo;
  readonly entry: string;
}

const NOTHING: ObjectTally = { objects: 0, bytes: 0 };

class GarbageCollection {
  readonly #run: Run;
  readonly #vault: OpenVault;
  readonly #request: GcRequest;
  readonly #watch: SleepWatch;
  readonly #days: WatchedDays;

  constructor(run: Run, request: GcRequest, watch: SleepWatch) {
    this.#run = run;
    this.#vault = run.vault;
    this.#request = request;
    this.#watch = watch;
    this.#days = new WatchedDays(run.vault.database);
  }

  async run(confirmed: ConfirmedMachine | null): Promise<GcResult> {
    const { dryRun, isAutomatic = false } = this.#request;
    const { sender, meter } = this.#run;
    if (!dryRun) noteTry(this.#vault, this.#vault.context.platform.clock);
    const lost = this.#lost(confirmed);
    const listed = await listAll(this.#vault);
    const own = sender.hasOwnLog ? this.#row(sender.tag) : null;
    let deleted = await this.#deleteDue(own, listed);
    deleted = addTallies(deleted, await this.#deleteLeft(listed));
    const entries = own === null ? 0 : lengthOf(own);
    const isDue = own !== null && (!isAutomatic || isCompactionDue(this.#vault, own));
    const compacted = isDue && lost === null ? await this.#compact(own) : null;
    const retired = lost === null ? null : await this.#retire(lost);
    const after = dryRun ? listed : await this.#relist(listed, deleted, compacted ?? retired);
    const { requests, ms } = meter.sinceLast();
    const asked = confirmed ?? { requests: 0, ms: 0 };
    return {
      ...{ dryRun, compacted, retired, deleted, entries },
      ...this.#waiting(after),
      ...{ requests: asked.requests + requests, ms: asked.ms + ms },
    };
  }

  #lost(confirmed: ConfirmedMachine | null): MachineRow | null {
    const { machine } = this.#request;
    if (confirmed !== null) return stillLost(this.#run, confirmed);
    return machine === null ? null : findOther(this.#run, machine);
  }

  #row(tag: string): MachineRow | null {
    return this.#vault.index.machines().find((row) => row.tag === tag) ?? null;
  }

  #log(row: MachineRow) {
    return this.#run.seen.logs.get(row.tag) ?? [];
  }

  #nowMs(): number {
    return this.#vault.context.platform.clock.nowMs();
  }

  async #compact(own: MachineRow): Promise<Restated | null> {
    const { dryRun } = this.#request;
    const request = { row: own, logs: this.#run.seen.logs, isOwn: true, dryRun };
    const restated = await restate(this.#vault, this.#run.sender, request);
    if (restated === null || dryRun) return restated;
    this.#days.end(watchedBase(own.tag, own.base));
    const { tag, base } = ownRow(this.#vault, this.#run.sender);
    this.#days.watch(watchedBase(tag, base), this.#nowMs());
    return restated;
  }

  async #retire(lost: MachineRow): Promise<Restated | null> {
    const { dryRun } = this.#request;
    // What was given up before, and has not grown, only waits for the end of its grace.
    if (isGivenUp(lost)) return null;
    const { logs } = this.#run.seen;
    const request = { row: lost, logs, isOwn: false, dryRun };
    const restated = await restate(this.#vault, this.#run.sender, request);
    if (dryRun) return restated;
    this.#days.end(watchedRetirement(lost));
    this.#days.watch(watchedRetirement(this.#row(lost.tag)!), this.#nowMs());
    return restated;
  }

  /** Deletes what was replaced long enough ago. */
  async #deleteDue(own: MachineRow | null, listed: Listing): Promise<ObjectTally> {
    let deleted = NOTHING;
    const due = own === null ? [] : this.#due(own);
    if (own === null || due.length === 0) return deleted;
    if (lacksBeginning(this.#vault)) {
      const message = "Somebody went on with what was forgotten: nothing is deleted before the " +
        "machine that did so has pushed again";
      this.#vault.context.onProgress({ kind: "note", message });
      return deleted;
    }
    for (const { row, what } of due) {
      requireWhole(this.#vault, this.#run.seen, listed);
      const { logs } = this.#run.seen;
      const doomed = await doomedOf(this.#vault, { own, row, logs }, listed);
      if (!this.#request.dryRun) {
        await deleteDoomed(this.#vault, doomed, this.#watch);
        this.#days.end(what);
      }
      deleted = addTallies(deleted, tallyOf([...doomed.packs, ...doomed.entries]));
    }
    return deleted;
  }

  #due(own: MachineRow): { row: MachineRow; what: string }[] {
    const due: { row: MachineRow; what: string }[] = [];
    const rows = this.#vault.index.machines();
    for (const row of rows) {
      const isOwn = row.tag === own.tag;
      const what = isOwn ? watchedBase(row.tag, row.base) : watchedRetirement(row);
      const days = isOwn || row.isRetired ? this.#days.days(what) : null;
      if (days === null || days < GRACE_DAYS) continue;
      if (!isOwn && this.#log(row).some(({ seq }) => seq >= row.base)) {
        const message = `"${row.name}" has pushed after it was given up: its log stays. ` +
          "Give it up again, or let it begin anew with its next push";
        this.#vault.context.onProgress({ kind: "note", message });
        continue;
      }
      due.push({ row, what });
    }
    return due;
  }

  /**
   * Deletes packs of pushes that this machine has given up, and that nobody has named for the whole
   * grace. Those of other machines stay: a log that the store does not show may name them.
   */
  async #deleteLeft(listed: Listing): Promise<ObjectTally> {
    const { dryRun } = this.#request;
    const left = this.#leftPacks(listed);
    if (!dryRun) {
      const present = new Set(left.map(({ what }) => what));
      const all = this.#days.all(LEFT_PACKS).map(({ what }) => what);
      for (const what of all) if (!present.has(what)) this.#days.end(what);
    }
    const due = left.filter(({ days }) => days >= GRACE_DAYS);
    // What only replaced entries name belongs to the log that they are in.
    if (due.length === 0 || this.#hasReplacedEntries()) return NOTHING;
    requireWhole(this.#vault, this.#run.seen, listed);
    const absent = new Set<string>();
    for (const entry of new Set(due.map((each) => each.entry))) {
      if (await this.#isAbsent(entry)) absent.add(entry);
    }
    const packs = due.filter(({ entry }) => absent.has(entry)).map(({ info }) => info);
    if (!dryRun) {
      await deleteDoomed(this.#vault, { packs, entries: [] }, this.#watch);
      for (const { what } of due) this.#days.end(what);
    }
    return tallyOf(packs);
  }

  /** Packs of pushes that this machine has given up; they are there, and nothing names them. */
  #leftPacks(listed: Listing): LeftPack[] {
    const unnamed = new Map(unnamedPacks(this.#vault, listed).map((info) => [info.name, info]));
    return this.#days.all(LEFT_PACKS).flatMap(({ what, days }) => {
      const { pack, entry } = leftPackOf(what);
      const info = unnamed.get(objectName(pack));
      return info === undefined ? [] : [{ what, days, info, entry }];
    });
  }

  /** Asked by name: a list may hide it. */
  async #isAbsent(entry: string): Promise<boolean> {
    const { store, signal } = this.#vault.opener;
    return await store.get(objectName(entry), { signal }) === null;
  }

  #hasReplacedEntries(): boolean {
    return this.#vault.index.machines()
      .some((row) => this.#log(row).some(({ seq }) => seq < row.base));
  }

  /** The store after this run; what was there before, unless something has changed. */
  async #relist(
    listed: Map<string, ObjectInfo>,
    deleted: ObjectTally,
    restated: Restated | null,
  ): Promise<Map<string, ObjectInfo>> {
    return deleted.objects === 0 && restated === null ? listed : await listAll(this.#vault);
  }

  /** What is kept for now. */
  #waiting(after: Listing): Pick<GcResult, "waiting" | "leftovers"> {
    const packs = unnamedPacks(this.#vault, after);
    const entries: ObjectInfo[] = [];
    const days: number[] = [];
    for (const row of this.#vault.index.machines()) {
      const isOwn = row.tag === this.#run.sender.tag;
      if (!isOwn && !row.isRetired) continue;
      const what = isOwn ? watchedBase(row.tag, row.base) : watchedRetirement(row);
      const counted = this.#days.days(what);
      if (counted === null) continue;
      const old = this.#log(row).flatMap(({ seq, name }) =>
        seq < row.base && after.has(name) ? [after.get(name)!] : []
      );
      if (old.length > 0) days.push(counted);
      entries.push(...old);
    }
    if (entries.length > 0) {
      const daysLeft = Math.max(0, GRACE_DAYS - Math.min(...days));
      return { waiting: { ...tallyOf([...entries, ...packs]), daysLeft }, leftovers: null };
    }
    const left = this.#leftPacks(after);
    const daysLeft = GRACE_DAYS - Math.min(GRACE_DAYS, ...left.map((pack) => pack.days));
    return { waiting: null, leftovers: waitingOf(left.map(({ info }) => info), daysLeft) };
  }
}

function waitingOf(objects: readonly ObjectInfo[], daysLeft: number): WaitingObjects | null {
  return objects.length === 0 ? null : { ...tallyOf(objects), daysLeft };
}
