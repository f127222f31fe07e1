/**
 * Puts finished batches into the store, in the order that FORMAT.md section 10 demands, and takes
 * them into the index.
 */
import { toHex } from "../base/bytes.ts";
import { ClaudeSyncError } from "../errors.ts";
import type { EnrolOp, Heads } from "../vault/entry_body.ts";
import type { ListedEntry } from "../vault/log_plan.ts";
import { Outbox, type StagedBatch } from "../vault/outbox.ts";
import { parseLogEntryName } from "../vault/names.ts";
import type { Machine } from "./machine.ts";
import type { BatchBuilder, BuiltBatch } from "./push_batch.ts";
import { accept } from "./refresh.ts";
import type { OpenVault } from "./vault_access.ts";

/** Sends this machine's entries. */
export class Sender {
  readonly outbox: Outbox;
  readonly #vault: OpenVault;
  readonly #machine: Machine;

  constructor(vault: OpenVault, machine: Machine) {
    this.outbox = new Outbox(vault.context.platform, vault.paths.outbox);
    this.#vault = vault;
    this.#machine = machine;
  }

  /**
   * Finishes what a crash interrupted: sends the staged bytes again unless the log has them or has
   * gone on. `logs` is what the last list showed. True when something was sent, and the index must
   * be refreshed.
   */
  async resume(logs: ReadonlyMap<string, readonly ListedEntry[]>): Promise<boolean> {
    const batch = await this.outbox.recover(this.#vault.epoch, this.#vault.vaultId);
    const entry = batch === null ? null : parseLogEntryName(batch.entry.name);
    const listed = entry === null ? undefined : logs.get(entry.tag);
    const isNext = entry?.tag === this.#machine.tag && entry.seq === (listed?.length ?? 0) + 1;
    if (batch !== null && isNext) await this.#put(batch);
    this.outbox.clear();
    return batch !== null && isNext;
  }

  /** Stages, puts and accepts a batch; gives its plain bytes. Errors: the store's own, `forked`. */
  async send(builder: BatchBuilder): Promise<number> {
    const batch = await builder.finish(
      this.#machine,
      this.#previous(),
      this.#enrol(),
      this.#heads(),
    );
    await this.#put(batch);
    this.#accept(batch);
    this.outbox.clear();
    return batch.plainBytes;
  }

  async #put(batch: StagedBatch): Promise<void> {
    const { store, signal } = this.#vault.opener;
    for (const object of [...batch.packs, batch.entry]) {
      const outcome = await store.putSealed(object, { signal });
      if (outcome !== "differs") continue;
      throw new ClaudeSyncError("forked", "The store holds another object under a name of ours", {
        objectName: object.name,
      });
    }
  }

  #accept(batch: BuiltBatch): void {
    const { body, entry, entryHash } = batch;
    const sizeBytes = entry.bytes.length;
    accept(this.#vault, [{ objectName: entry.name, body, hash: entryHash, sizeBytes }]);
    for (const { item, hash, end } of batch.reached) {
      const state = { gen: item.from.gen, hash, len: end };
      const key = { session: item.session, file: item.file };
      this.#vault.locals.remember(item.path, key, item.stat, state);
    }
  }

  #previous(): { seq: number; hash: string } | null {
    const own = this.#vault.index.machines().find(({ tag }) => tag === this.#machine.tag);
    return own === undefined ? null : { seq: own.seq, hash: own.hash };
  }

  #enrol(): EnrolOp | null {
    if (this.#previous() !== null) return null;
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
