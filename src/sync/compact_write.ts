/** Says a log's content again in new entries of this machine's log, regrouped (FORMAT.md 12). */
import { sha256Hex } from "../crypto/hash.ts";
import { Sha256 } from "../crypto/hash.ts";
import { ClaudeSyncError } from "../errors.ts";
import { type Bytes, utf8 } from "../base/bytes.ts";
import { groupCodec } from "../vault/codecs.ts";
import type { AddOp, Generation, Group, Op, Segment } from "../vault/entry_body.ts";
import { ENTRY_PACKS_MAX, GROUP_RAW_BYTES_MAX } from "../vault/format.ts";
import { cutGroups } from "./compact_plan.ts";
import { EntryParts, type PlacedGroup } from "./entry_parts.ts";
import type { LogContent, OtherOp, SaidGroup, SaidSegment, SaidSession } from "./log_content.ts";
import { planBasis } from "./push_batch.ts";
import type { Sender } from "./push_send.ts";
import type { OpenVault } from "./vault_access.ts";

/** How much one entry of several takes at most; each is less than what the format allows. */
export interface EntryLimits {
  /** Bytes that are stored anew with one entry. */
  readonly plainBytes: number;
  readonly segments: number;
  /** Estimated JSON of its body. */
  readonly bodyBytes: number;
  /** Packs that it names. */
  readonly packs: number;
}

/**
 * As much as one batch of a push. The body is 4 MiB smaller than what is allowed, for what the
 * estimate misses.
 */
export const ENTRY_LIMITS: EntryLimits = {
  plainBytes: 64 * 1024 * 1024,
  segments: 20_000,
  bodyBytes: 12 * 1024 * 1024,
  packs: ENTRY_PACKS_MAX,
};

/** JSON of a segment without its file's name, of what is around a group, around an op; or more. */
const SEGMENT_JSON_BYTES = 320;
const GROUP_JSON_BYTES = 160;
const OP_JSON_BYTES = 512;

/** An entry that was put. */
export interface RestatedEntry {
  readonly objectName: string;
  readonly hash: string;
  readonly sizeBytes: number;
  /** New packs and their bytes. */
  readonly packs: number;
  readonly packBytes: number;
}

/** Writes `content` into new entries. Use once. */
export class Restatement {
  readonly entries: RestatedEntry[] = [];
  readonly #vault: OpenVault;
  readonly #sender: Sender;
  readonly #content: LogContent;
  /** What every op and segment of this machine's has no `by` for. */
  readonly #tag: string;
  readonly #limits: EntryLimits;
  readonly #raw = new Uint8Array(GROUP_RAW_BYTES_MAX);
  #enrols: boolean;
  #ops: Op[] = [];
  #parts: EntryParts;
  #segments = 0;
  #plainBytes = 0;
  #bodyBytes = 0;

  /** `enrols`: the first entry begins with an `enrol` op, as that of a checkpoint must. */
  constructor(
    vault: OpenVault,
    sender: Sender,
    content: LogContent,
    { enrols, limits = ENTRY_LIMITS }: {
      readonly enrols: boolean;
      readonly limits?: EntryLimits;
    },
  ) {
    this.#vault = vault;
    this.#sender = sender;
    this.#content = content;
    this.#tag = sender.tag;
    this.#enrols = enrols;
    this.#limits = limits;
    this.#parts = new EntryParts(vault, sender.outbox);
  }

  /**
   * Puts everything, one entry after the other. Errors: `damaged` when the old bytes are not what
   * their entries say, and the store's own; what was put by then is an unfinished checkpoint, which
   * harms nothing.
   */
  async write(): Promise<void> {
    for (const said of this.#content.sessions()) {
      this.#vault.context.signal.throwIfAborted();
      await this.#addSession(said);
    }
    for (const op of otherOps(this.#content.others)) {
      await this.#makeRoom(JSON.stringify(op).length, 0, 0);
      this.#ops.push(op);
    }
    // A checkpoint of nothing still needs the entry that it begins with.
    if (this.#ops.length > 0 || this.#enrols) await this.#flush();
  }

  async #addSession(said: SaidSession): Promise<void> {
    let groups: Group[] = [];
    let isFirst = true;
    const close = () => {
      if (groups.length > 0 || isFirst) this.#ops.push(this.#opOf(said, groups, isFirst));
      [groups, isFirst] = [[], false];
    };
    const makeRoom = async (segments: readonly Segment[], rawBytes: number) => {
      const json = segments.reduce((sum, { file }) => sum + SEGMENT_JSON_BYTES + file.length, 0);
      const jsonBytes = GROUP_JSON_BYTES + json;
      if (!this.#hasRoom(jsonBytes, segments.length, rawBytes)) {
        if (groups.length > 0) close();
        await this.#flush();
      }
      this.#bodyBytes += jsonBytes;
      this.#segments += segments.length;
      this.#plainBytes += rawBytes;
    };
    const facts = [this.#content.claim(said.session), this.#content.title(said.session)];
    await this.#makeRoom(OP_JSON_BYTES + utf8(JSON.stringify(facts)).length);
    for (const kept of this.#content.keptGroups(said)) {
      const segments = this.#content.ofGroup(kept.id);
      await makeRoom(segments, 0);
      groups.push(groupOf(kept, this.#parts.name(kept.pack), segments));
    }
    const bytesOf = bytesOfSegments(this.#vault, this.#content);
    for (const segments of cutGroups(this.#content.moving(said))) {
      const rawBytes = segments.reduce((sum, { len }) => sum + len, 0);
      await makeRoom(segments, rawBytes);
      groups.push(await this.#store(segments, bytesOf));
    }
    close();
  }

  async #store(
    segments: readonly SaidSegment[],
    bytesOf: (segment: SaidSegment) => Promise<Bytes>,
  ): Promise<Group> {
    let rawBytes = 0;
    for (const segment of segments) {
      const bytes = await bytesOf(segment);
      this.#raw.set(bytes, rawBytes);
      rawBytes += bytes.length;
    }
    const { encodeGroup } = await groupCodec();
    const { stored, comp } = encodeGroup([this.#raw.subarray(0, rawBytes)]);
    const sizes = { stored: stored.length, raw: rawBytes };
    const group: PlacedGroup = { in: -1, at: 0, ...sizes, comp, segments: segments.map(plain) };
    await this.#parts.place(group, stored);
    return group;
  }

  #opOf({ session, by }: SaidSession, groups: readonly Group[], isFirst: boolean): AddOp {
    const claim = this.#content.claim(session);
    const isClaimer = isFirst && claim?.machine === by;
    const title = isFirst ? this.#content.title(session) : null;
    const gens = new Map<string, Generation>();
    for (const { file, gen } of groups.flatMap(({ segments }) => segments)) {
      if (gen === "") continue;
      for (const one of this.#content.generations(session, file, gen)) {
        gens.set(`${one.gen}/${one.from.gen}/${one.from.hash}/${file}`, one);
      }
    }
    return {
      op: "add",
      session,
      project: isClaimer ? claim.project : null,
      ...(title?.machine === by ? { title: title.title } : {}),
      ...(by === this.#sender.machineId ? {} : { by }),
      ...(isClaimer ? { time: claim.time } : {}),
      gens: [...gens.values()],
      groups,
    };
  }

  #hasRoom(jsonBytes: number, segments: number, plainBytes: number): boolean {
    return this.#bodyBytes + jsonBytes <= this.#limits.bodyBytes &&
      this.#segments + segments <= this.#limits.segments &&
      this.#plainBytes + plainBytes <= this.#limits.plainBytes &&
      // One more pack may be opened for what comes.
      this.#parts.packCount + 2 <= this.#limits.packs;
  }

  async #makeRoom(jsonBytes: number, segments = 0, plainBytes = 0): Promise<void> {
    if (!this.#hasRoom(jsonBytes, segments, plainBytes)) await this.#flush();
    this.#bodyBytes += jsonBytes;
  }

  async #flush(): Promise<void> {
    if (this.#ops.length === 0 && !this.#enrols) return;
    const frame = await frameOf(this.#sender, this.#tag);
    const enrols = this.#enrols || frame.previous === null;
    const ops = enrols ? [frame.enrol, ...this.#ops] : this.#ops;
    const staged = await this.#parts.finish(frame, ops, planBasis(this.#vault.config));
    await this.#sender.deliver(staged);
    this.entries.push({
      objectName: staged.entry.name,
      hash: staged.entryHash,
      sizeBytes: staged.entry.bytes.length,
      packs: staged.packs.length,
      packBytes: staged.packs.reduce((sum, { size }) => sum + size, 0),
    });
    this.#parts = new EntryParts(this.#vault, this.#sender.outbox);
    [this.#enrols, this.#ops] = [false, []];
    [this.#segments, this.#plainBytes, this.#bodyBytes] = [0, 0, 0];
  }
}

/** The frame of the next entry of the log `tag`; `forked` when this machine has another one now. */
export async function frameOf(sender: Sender, tag: string) {
  const frame = await sender.frame();
  if (frame.machine.tag === tag) return frame;
  throw new ClaudeSyncError("forked", "This machine's log is not its own any more", {
    hint: "It has a new one now: claude-sync push",
  });
}

function groupOf(kept: SaidGroup, index: number, segments: readonly Segment[]): Group {
  const { at, stored, raw, comp } = kept;
  return { in: index, at, stored, raw, comp, segments };
}

function plain({ file, gen, off, len, parent, hash, mtime }: SaidSegment): Segment {
  return { file, gen, off, len, parent, hash, mtime };
}

/**
 * Reads segments, in the order of `LogContent.moving`, from where they are, and proves them where
 * all of the file before them was read, too. What was read is noted in `content`.
 */
function bytesOfSegments(vault: OpenVault, content: LogContent) {
  let last: { file: string; gen: string; hash: string; hasher: Sha256 } | null = null;
  return async (segment: SaidSegment): Promise<Bytes> => {
    const { session, file, gen, off, parent, hash } = segment;
    const bytes = await vault.reader.read(segment);
    content.noteBytes(session, segment, sha256Hex(bytes));
    const follows = last?.file === file && last.gen === gen && last.hash === parent;
    const hasher = off === 0 ? new Sha256() : follows ? last!.hasher.copy() : null;
    if (hasher === null) return bytes;
    if (hasher.update(bytes).digestHex() !== hash) {
      throw new ClaudeSyncError("damaged", "A segment's bytes are not what the log says of them", {
        objectName: segment.objectName,
        sessionId: session,
        hint: "Nothing was deleted. Find out how far it goes: claude-sync verify --read-data",
      });
    }
    last = { file, gen, hash, hasher };
    return bytes;
  };
}

/** `forget`, `recall` and `retire` ops, each once; of several about one log the newest. */
export function otherOps(others: readonly OtherOp[]): Op[] {
  const ops = new Map<string, Op>();
  for (const op of others) {
    const key = op.op === "retire" ? `retire ${op.tag}` : JSON.stringify(op);
    const known = ops.get(key);
    if (op.op === "retire" && known?.op === "retire" && known.seq > op.seq) continue;
    ops.set(key, op);
  }
  return [...ops.values()];
}
