/**
 * The stored groups of one log entry: inside it while they are few, in packs as soon as they are
 * more, and the entry itself, sealed and staged.
 */
import { assert } from "../base/assert.ts";
import { type Bytes, concat } from "../base/bytes.ts";
import { sha256Hex } from "../crypto/hash.ts";
import type { EnrolOp, EntryBody, Group, Head, Heads, Op } from "../vault/entry_body.ts";
import type { PackClaim } from "../vault/entry_body.ts";
import type { Outbox, StagedBatch } from "../vault/outbox.ts";
import { PackBuilder } from "../vault/pack.ts";
import { sealEntry, sealPack } from "../vault/sealing.ts";
import type { Machine } from "./machine.ts";
import { thresholdsOf } from "./thresholds.ts";
import type { OpenVault } from "./vault_access.ts";

/** Where an entry stands in its log, and what it says of the others. */
export interface EntryFrame {
  readonly machine: Machine;
  /** This machine's newest entry; null for the first. */
  readonly previous: Head | null;
  /** See `EntryBody.base`. */
  readonly base: number;
  /** Who this machine is. */
  readonly enrol: EnrolOp;
  readonly heads: Heads;
}

/** An entry ready to be put, and what it says. */
export interface StagedEntry extends StagedBatch {
  readonly body: EntryBody;
  readonly entryHash: string;
}

/** A group that is moved from the entry to a pack when the entry gets too large for it. */
export type PlacedGroup = { -readonly [Key in keyof Group]: Group[Key] };

/** Collects the groups of one entry. Use once. */
export class EntryParts {
  readonly #vault: OpenVault;
  readonly #outbox: Outbox;
  readonly #inlineBytesMax: number;
  /** Null: the place of the pack that is being filled. */
  readonly #packs: (PackClaim | null)[] = [];
  readonly #staged: PackClaim[] = [];
  readonly #named = new Map<string, number>();
  #pack = new PackBuilder();
  #packAt: number | null = null;
  /** Groups that still may travel inside the entry; null once there are too many bytes. */
  #inline: { readonly group: PlacedGroup; readonly stored: Bytes }[] | null = [];
  #inlineBytes = 0;

  constructor(vault: OpenVault, outbox: Outbox) {
    this.#vault = vault;
    this.#outbox = outbox;
    this.#inlineBytesMax = thresholdsOf(vault.context).inlineBytesMax;
  }

  /** How many packs the entry names by now. */
  get packCount(): number {
    return this.#packs.length;
  }

  /** Gives `group` its place. */
  async place(group: PlacedGroup, stored: Bytes): Promise<void> {
    if (this.#inline !== null) {
      if (this.#inlineBytes + stored.length <= this.#inlineBytesMax) {
        Object.assign(group, { in: -1, at: this.#inlineBytes });
        this.#inline.push({ group, stored });
        this.#inlineBytes += stored.length;
        return;
      }
      const moved = this.#inline;
      this.#inline = null;
      for (const each of moved) Object.assign(each.group, await this.#placeInPack(each.stored));
    }
    Object.assign(group, await this.#placeInPack(stored));
  }

  /** Names a pack that the store has already; gives its index. */
  name(pack: PackClaim): number {
    const known = this.#named.get(pack.name);
    if (known !== undefined) return known;
    this.#packs.push(pack);
    this.#named.set(pack.name, this.#packs.length - 1);
    return this.#packs.length - 1;
  }

  async #placeInPack(stored: Bytes): Promise<{ in: number; at: number }> {
    let at = this.#pack.add(stored);
    if (at === null) {
      await this.#closePack();
      at = this.#pack.add(stored);
    }
    assert(at !== null, "a group fits an empty pack");
    this.#packAt ??= this.#packs.push(null) - 1;
    return { in: this.#packAt, at };
  }

  async #closePack(): Promise<void> {
    if (this.#packAt === null) return;
    const { random } = this.#vault.context.platform;
    const claim = this.#outbox.addPack(await sealPack(this.#vault, this.#pack.payload(), random));
    this.#packs[this.#packAt] = claim;
    this.#staged.push(claim);
    this.#pack = new PackBuilder();
    this.#packAt = null;
  }

  /**
   * Signs, seals and stages everything. `basis`: see `StagedBatch`.
   */
  async finish(
    { machine, previous, base, heads }: EntryFrame,
    ops: readonly Op[],
    basis: string,
  ): Promise<StagedEntry> {
    await this.#closePack();
    const { epoch, context } = this.#vault;
    const { random, clock } = context.platform;
    const inline = concat(...(this.#inline ?? []).map(({ stored }) => stored));
    const packs = this.#packs.filter((pack) => pack !== null);
    assert(packs.length === this.#packs.length, "every pack of the entry is closed");
    const body: EntryBody = {
      v: 1,
      machine: machine.identity.id,
      tag: machine.tag,
      seq: (previous?.seq ?? 0) + 1,
      prev: previous?.hash ?? "0".repeat(64),
      kid: epoch.kidHex,
      time: clock.nowMs(),
      base,
      heads,
      inline: { size: inline.length, sha256: sha256Hex(inline) },
      packs,
      ops,
    };
    const sealed = await sealEntry(this.#vault, body, machine.identity, inline, random);
    const staged = { entry: sealed.entry, packs: this.#staged, basis };
    this.#outbox.complete(staged);
    return { ...staged, body, entryHash: sealed.entryHash };
  }
}
