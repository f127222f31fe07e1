/**
 * Puts finished batches into the store, in the order that FORMAT.md section 10 demands, and takes
 * them into the index.
 */
import { assert } from "../base/assert.ts";
import { fromHex, toHex } from "../base/bytes.ts";
import { ClaudeSyncError, isClaudeSyncError } from "../errors.ts";
import { shelfArea } from "../sessions/shelf.ts";
import type { AddOp, EnrolOp, Heads } from "../vault/entry_body.ts";
import type { VerifiedEntry } from "../vault/log_reader.ts";
import type { ListedEntry } from "../vault/log_plan.ts";
import { decodeEntry } from "../vault/log_reader.ts";
import { objectName } from "../storage/object_name.ts";
import { Outbox, type RecoveredBatch, type StagedBatch } from "../vault/outbox.ts";
import type { SealedObject } from "../vault/sealing.ts";
import { parseLogEntryName } from "../vault/names.ts";
import { type Machine, replaceMachine } from "./machine.ts";
import type { EntryFrame, StagedEntry } from "./entry_parts.ts";
import { type BatchBuilder, type BuiltBatch, planBasis } from "./push_batch.ts";
import { rememberHistory } from "./push_history.ts";
import { accept } from "./refresh.ts";
import type { MachineRow } from "./segment_index.ts";
import { SLEEP_MS_MAX, SleepWatch } from "./sleep_watch.ts";
import type { OpenVault } from "./vault_access.ts";
import { WatchedDays, watchedPack } from "./watched_days.ts";

/** Sends this machine's entries. */
export class Sender {
  readonly outbox: Outbox;
  /** What went into the vault since this was made. */
  readonly sent = { sessions: new Set<string>(), otherFiles: new Set<string>(), plainBytes: 0 };
  readonly #vault: OpenVault;
  #machine: Machine;

  constructor(vault: OpenVault, machine: Machine) {
    this.outbox = new Outbox(vault.context.platform, vault.paths.outbox);
    this.#vault = vault;
    this.#machine = machine;
  }

  /** One that sends for the same machine what `vault`, with other local files, has. */
  over(vault: OpenVault): Sender {
    return new Sender(vault, this.#machine);
  }

  /** Id of the machine whose entries these are. */
  get machineId(): string {
    return this.#machine.identity.id;
  }

  /** Tag of the log that they go to. */
  get tag(): string {
    return this.#machine.tag;
  }

  /**
   * Finishes what a crash interrupted: sends the staged bytes again unless the log has them or has
   * gone on. `logs` is what the last list showed. True when something was sent, and the index must
   * be refreshed.
   */
  async resume(logs: ReadonlyMap<string, readonly ListedEntry[]>): Promise<boolean> {
    const batch = await this.outbox.recover(this.#vault);
    const entry = batch === null ? null : parseLogEntryName(batch.entry.name);
    const listed = entry === null ? undefined : logs.get(entry.tag);
    const isNext = entry?.tag === this.#machine.tag && entry.seq === (listed?.at(-1)?.seq ?? 0) + 1;
    const isGood = batch !== null && isNext && await this.#continuesLog(batch.entry) &&
      await this.#isWanted(batch);
    if (isGood) await this.#put(batch);
    else if (batch !== null && entry?.tag === this.#machine.tag) {
      const isNamed = listed?.some(({ name }) => name === batch.entry.name) === true;
      if (!isNamed) await this.#giveUp(batch);
    }
    this.outbox.clear();
    return isGood;
  }

  /**
   * Remembers which packs nothing will ever name: no other machine can know that, as the entry may
   * be one that the store does not show it. Before the batch is removed, which alone tells.
   */
  async #giveUp({ entry, packs }: StagedBatch): Promise<void> {
    const { opener, database, context } = this.#vault;
    const { store, signal } = opener;
    if (await store.get(objectName(entry.name), { signal }) !== null) return;
    const days = new WatchedDays(database);
    const nowMs = context.platform.clock.nowMs();
    for (const { name } of packs) days.watch(watchedPack(name, entry.name), nowMs);
  }

  /** Counts entries of ours that an interrupted push left and `resume` has put. */
  count(entries: readonly VerifiedEntry[]): void {
    for (const { body } of entries) {
      if (body.machine !== this.machineId) continue;
      for (const op of body.ops) {
        if (op.op !== "add") continue;
        this.#countOne(op);
        this.sent.plainBytes += op.groups.reduce((sum, group) => sum + group.raw, 0);
      }
    }
  }

  /** Files of shelves count by themselves: people know sessions. */
  #countOne({ session, groups }: AddOp): void {
    const files = groups.flatMap(({ segments }) => segments.map(({ file }) => file));
    const onShelf = files.filter((file) => shelfArea(file) !== null);
    for (const file of onShelf) this.sent.otherFiles.add(`${session}/${file}`);
    if (onShelf.length === 0) this.sent.sessions.add(session);
  }

  /** Stages, puts and accepts a batch; gives its plain bytes. Errors: the store's own, `forked`. */
  async send(builder: BatchBuilder): Promise<number> {
    const batch = await builder.finish(await this.frame());
    await this.deliver(batch);
    this.#count(batch);
    return batch.plainBytes;
  }

  /** Where this machine's next entry stands. It may have got a new identity for that. */
  async frame(): Promise<EntryFrame> {
    await this.#requireOwnLog();
    return {
      machine: this.#machine,
      previous: this.#previous(),
      base: this.#ownRow()?.base ?? 1,
      enrol: this.#enrol(),
      heads: this.#heads(),
    };
  }

  /** Puts and accepts an entry that was staged for `frame`. Errors: the store's own, `forked`. */
  async deliver(staged: StagedEntry): Promise<void> {
    assert(await this.#continuesLog(staged.entry), "every machine can read what is put");
    await this.#put(staged);
    const { body, entry, entryHash } = staged;
    const sizeBytes = entry.bytes.length;
    accept(this.#vault, [{ objectName: entry.name, body, hash: entryHash, sizeBytes }]);
    this.outbox.clear();
  }

  /** Whether this machine may go on with its log: see `#requireOwnLog`. */
  get hasOwnLog(): boolean {
    return this.#strangeness() === null;
  }

  /**
   * A tag and a seed that came from different places (a folder restored in part) would write what
   * nobody can verify, for ever; two clones of one machine write one number twice; nobody reads a
   * log on that was retired. Each begins anew.
   */
  async #requireOwnLog(): Promise<void> {
    const message = this.#strangeness();
    if (message === null) return;
    this.#machine = await replaceMachine(this.#vault.context.platform, this.#vault.paths);
    this.#vault.context.onProgress({ kind: "note", message });
  }

  /** What is wrong with this machine's log, as a note; null when it is its own. */
  #strangeness(): string | null {
    const { identity, tag } = this.#machine;
    const rows = this.#vault.index.machines();
    if (!rows.every((row) => (row.id === identity.id) === (row.tag === tag))) {
      return "This machine's identity did not fit its log: it gets a new one";
    }
    if (this.#vault.index.twins(identity.id).length > 0) {
      return "A copy of this machine writes to the vault with the same identity: " +
        "this one gets a new one";
    }
    if (this.#ownRow()?.isRetired !== true) return null;
    return "Another machine has given this one up: it gets a new identity, and loses nothing";
  }

  /** Whether others will accept the entry as the next of this machine's log. */
  async #continuesLog(entry: SealedObject): Promise<boolean> {
    const name = objectName(entry.name);
    const own = this.#ownRow();
    const signPublic = own === null ? null : fromHex(own.sign);
    try {
      const listed = { ...parseLogEntryName(name)!, name };
      const read = await decodeEntry(this.#vault.opener, listed, entry.bytes, signPublic);
      if (read === null) return false;
      const { body } = read;
      return body.machine === this.#machine.identity.id && body.seq === (own?.seq ?? 0) + 1 &&
        body.prev === (own?.hash ?? "0".repeat(64));
    } catch (error) {
      if (!isClaudeSyncError(error, "damaged")) throw error;
      return false;
    }
  }

  /**
   * Whether a batch is still to be sent: the user may have excluded other projects since, and packs
   * that were sent long ago may be gone, or go, as leftovers. What the store may have must be
   * finished: the log has only one entry of its number.
   */
  async #isWanted({ entry, basis, stagedMs }: RecoveredBatch): Promise<boolean> {
    const ageMs = Math.abs(this.#vault.context.platform.clock.nowMs() - stagedMs);
    if (basis === planBasis(this.#vault.config) && ageMs <= SLEEP_MS_MAX) return true;
    const { store, signal } = this.#vault.opener;
    return await store.get(objectName(entry.name), { signal }) !== null;
  }

  async #put(batch: StagedBatch): Promise<void> {
    const { store, signal } = this.#vault.opener;
    const packs = batch.packs.map(({ name }, index) => ({
      name,
      read: () => this.outbox.readPack(this.#vault, batch, index),
    }));
    // Packs that were sent long before may be gone again, as nothing has named them: then the next
    // run plans anew what is in them.
    const watch = new SleepWatch(this.#vault.context.platform.clock, "sending");
    const entry = {
      name: batch.entry.name,
      read: () => {
        watch.requireAwake();
        return Promise.resolve(batch.entry);
      },
    };
    const differing = await store.putAllSealed([...packs, entry], { signal });
    if (differing === null) return;
    throw new ClaudeSyncError("forked", "The store holds another object under a name of ours", {
      objectName: differing,
    });
  }

  #count(batch: BuiltBatch): void {
    this.sent.plainBytes += batch.plainBytes;
    for (const op of batch.body.ops) if (op.op === "add") this.#countOne(op);
    for (const { item, hash, end } of batch.reached) {
      const state = { gen: item.from.gen, hash, len: end };
      if (item.history !== undefined) {
        rememberHistory(this.#vault, item.session, item.history, { ...state, end });
        continue;
      }
      const key = { session: item.session, file: item.file };
      this.#vault.locals.remember(item.path, key, item.stat, state);
      if (item.mayChangeUnseen) this.#vault.locals.doubt(item.path);
    }
  }

  #previous(): { seq: number; hash: string } | null {
    const own = this.#ownRow();
    return own === null ? null : { seq: own.seq, hash: own.hash };
  }

  #ownRow(): MachineRow | null {
    return this.#vault.index.machines().find(({ tag }) => tag === this.#machine.tag) ?? null;
  }

  #enrol(): EnrolOp {
    const { identity } = this.#machine;
    return {
      op: "enrol",
      sign: toHex(identity.signPublic),
      kem: toHex(identity.kemPublic),
      name: this.#vault.config.machineName,
      os: this.#vault.context.platform.host.os,
    };
  }

  #heads(): Heads {
    const heads: Record<string, { seq: number; hash: string }> = {};
    for (const { id, seq, hash } of this.#vault.index.machines()) {
      if (id !== this.#machine.identity.id) heads[id] = { seq, hash };
    }
    return heads;
  }
}
