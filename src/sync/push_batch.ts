/**
 * Turns push items into one log entry and its packs: cut, compressed per session, sealed and
 * staged.
 */
import { type Bytes, utf8 } from "../base/bytes.ts";
import { Sha256, sha256Hex } from "../crypto/hash.ts";
import { ClaudeSyncError } from "../errors.ts";
import { fileKind, parseFileName, TRANSCRIPT } from "../sessions/file_name.ts";
import { groupCodec } from "../vault/codecs.ts";
import type { Generation } from "../vault/entry_body.ts";
import type { AddOp, ForgetOp, Group, ProjectClaim } from "../vault/entry_body.ts";
import type { RecallOp, Segment, TitleClaim } from "../vault/entry_body.ts";
import { GROUP_RAW_BYTES_MAX } from "../vault/format.ts";
import type { Outbox } from "../vault/outbox.ts";
import { type EntryFrame, EntryParts, type PlacedGroup, type StagedEntry } from "./entry_parts.ts";
import type { Config } from "./home.ts";
import type { PushItem } from "./push_files.ts";
import { handleOf } from "./push_history.ts";
import type { OpenVault } from "./vault_access.ts";

const NEWLINE = 10;

/**
 * A batch is closed when it has more than this; a first push is several entries, so that an
 * interruption keeps what was done.
 */
const BATCH_PLAIN_BYTES_MAX = 64 * 1024 * 1024;
const BATCH_SEGMENTS_MAX = 20_000;

/** All items of one session that go into one entry. */
export interface SessionItems {
  readonly session: string;
  readonly project: ProjectClaim;
  readonly items: readonly PushItem[];
}

/** A batch ready to be put, and what it says. */
export interface BuiltBatch extends StagedEntry {
  readonly plainBytes: number;
  /** The state that each item's file has reached, in the order of the items. */
  readonly reached: readonly {
    readonly item: PushItem;
    readonly hash: string;
    readonly end: number;
  }[];
}

/** Builds one batch. Use once. */
export class BatchBuilder {
  readonly #vault: OpenVault;
  readonly #parts: EntryParts;
  readonly #ops: (AddOp | ForgetOp | RecallOp)[] = [];
  readonly #reached: { item: PushItem; hash: string; end: number }[] = [];
  /** What was read last, and the group that it goes into. Large, so used again and again. */
  readonly #window: Bytes;
  readonly #raw: Bytes;
  #plainBytes = 0;
  #segments = 0;

  /** `plainBytesMax`: no more than this will be added in all. */
  constructor(vault: OpenVault, outbox: Outbox, plainBytesMax: number) {
    this.#vault = vault;
    this.#parts = new EntryParts(vault, outbox);
    // A small push needs no large memory, which is cleared before it is given.
    const sizeBytes = Math.min(GROUP_RAW_BYTES_MAX, plainBytesMax);
    this.#window = new Uint8Array(sizeBytes);
    this.#raw = new Uint8Array(sizeBytes);
  }

  /** Bytes read from files so far. */
  get plainBytes(): number {
    return this.#plainBytes;
  }

  /** Whether it is to be sent before more is added. */
  get isFull(): boolean {
    return this.#wouldBeFull(0, 0);
  }

  /** Adds ops that have no bytes. */
  say(ops: readonly (ForgetOp | RecallOp)[]): void {
    this.#ops.push(...ops);
  }

  /**
   * Adds one session's items, and gives those that are left for the next batch when this one got
   * full on the way, else null. Errors: `local-io`; then the session is not in the batch, and what
   * was read of it is unreferenced bytes in a pack.
   */
  async add(session: SessionItems): Promise<SessionItems | null> {
    const groups: Group[] = [];
    const reached: { item: PushItem; hash: string; end: number }[] = [];
    let rest: PushItem[] = [];
    let segmentCount = 0;
    const raw = this.#raw;
    let segments: Segment[] = [];
    let rawBytes = 0;
    const flush = async () => {
      if (segments.length === 0) return;
      const { encodeGroup } = await groupCodec();
      const { stored, comp } = encodeGroup([raw.subarray(0, rawBytes)]);
      const size = { stored: stored.length, raw: rawBytes };
      const group: PlacedGroup = { in: -1, at: 0, ...size, comp, segments };
      await this.#parts.place(group, stored);
      groups.push(group);
      this.#plainBytes += rawBytes;
      this.#vault.context.platform.memory.passed(rawBytes);
      [segments, rawBytes] = [[], 0];
    };
    for (const [index, item] of session.items.entries()) {
      const result = { item, hash: item.from.hash, end: item.from.len };
      for (const { bytes, segment, hasher } of segmentsOf(this.#vault, item, this.#window)) {
        if (rawBytes + bytes.length > raw.length) await flush();
        raw.set(bytes, rawBytes);
        segments.push(segment);
        rawBytes += bytes.length;
        [result.hash, result.end] = [segment.hash, segment.off + segment.len];
        if (!this.#wouldBeFull(rawBytes, ++segmentCount)) continue;
        if (result.end < item.end && !mayEndAfter(item, bytes)) continue;
        const unfinished = result.end < item.end ? [restOf(item, result, hasher)] : [];
        rest = [...unfinished, ...session.items.slice(index + 1)];
        break;
      }
      reached.push(result);
      if (rest.length > 0) break;
    }
    await flush();
    const { session: id, project } = session;
    const gens = reached.flatMap(({ item }) => generationOf(item));
    const title = this.#titleOf(id, reached);
    const titled = title === undefined ? {} : { title };
    this.#ops.push({ op: "add", session: id, project, ...titled, gens, groups });
    this.#segments += segmentCount;
    this.#reached.push(...reached);
    return rest.length === 0 ? null : { session: id, project, items: rest };
  }

  /** The session's title when it is news to the vault and the transcript is. */
  #titleOf(
    session: string,
    reached: readonly { readonly item: PushItem; readonly hash: string }[],
  ): TitleClaim | undefined {
    const transcript = reached.find(({ item }) => item.file === TRANSCRIPT);
    if (transcript === undefined) return undefined;
    const { item: { path, from: { gen } }, hash } = transcript;
    const { titles, transcripts, context } = this.#vault;
    const nowMs = context.platform.clock.nowMs();
    return titles.news(session, transcripts.scannedTitle(path), { gen, hash }, nowMs);
  }

  #wouldBeFull(moreBytes: number, moreSegments: number): boolean {
    return this.#plainBytes + moreBytes > BATCH_PLAIN_BYTES_MAX ||
      this.#segments + moreSegments > BATCH_SEGMENTS_MAX;
  }

  /** Signs, seals and stages everything. */
  async finish(frame: EntryFrame): Promise<BuiltBatch> {
    const ops = frame.previous === null ? [frame.enrol, ...this.#ops] : this.#ops;
    const staged = await this.#parts.finish(frame, ops, planBasis(this.#vault.config));
    return { ...staged, plainBytes: this.#plainBytes, reached: this.#reached };
  }
}

/** What the user's settings mean for a plan: a batch made under others may hold too much. */
export function planBasis(config: Config): string {
  return sha256Hex(utf8(JSON.stringify(config.excluded.toSorted())));
}

/**
 * Whether the rest of a file may travel in a later entry. Not that of a new generation, of which
 * half would replace the old one; nor that of a file which only makes sense as a whole.
 */
function mayEndAfter({ file, replaces }: PushItem, bytes: Bytes): boolean {
  const name = parseFileName(file);
  const isLines = name !== null && fileKind(name) === "lines";
  return isLines && replaces === null && bytes.at(-1) === NEWLINE;
}

function generationOf({ file, from, replaces }: PushItem): Generation[] {
  if (replaces === null) return [];
  return [{ file, gen: from.gen, from: { gen: replaces.gen, hash: replaces.hash } }];
}

/**
 * Reads the item's bytes and cuts them: at most a group each, at the end of a line where there is
 * one. The bytes stand in `window` and are gone with the next ones.
 */
function* segmentsOf(
  vault: OpenVault,
  item: PushItem,
  window: Bytes,
): Iterable<{ bytes: Bytes; segment: Segment; hasher: Sha256 }> {
  const { file, from, end, stat } = item;
  const mtime = Math.max(0, Math.floor(stat.mtimeMs));
  const hasher = item.hasher?.copy() ?? new Sha256();
  let parent = from.hash;
  let off = from.len;
  const segmentOf = (bytes: Bytes): Segment => {
    const hash = hasher.update(bytes).digestHex();
    const segment = { file, gen: from.gen, off, len: bytes.length, parent, hash, mtime };
    [parent, off] = [hash, off + bytes.length];
    return segment;
  };
  if (end === 0) {
    yield { bytes: new Uint8Array(0), segment: segmentOf(new Uint8Array(0)), hasher };
    return;
  }
  const handle = item.history === undefined
    ? vault.context.platform.fs.openRead(item.path)
    : handleOf({ content: item.history.content, stat });
  if (handle === null) throw vanished(item);
  try {
    while (off < end) {
      const wanted = window.subarray(0, Math.min(window.length, end - off));
      const read = wanted.subarray(0, handle.readAt(wanted, off));
      if (read.length === 0) throw vanished(item);
      const isLast = off + read.length === end;
      const lineEnd = isLast ? 0 : read.lastIndexOf(NEWLINE) + 1;
      const bytes = lineEnd === 0 ? read : read.subarray(0, lineEnd);
      yield { bytes, segment: segmentOf(bytes), hasher };
    }
  } finally {
    handle.close();
  }
}

/** What is left of an item of which a part is in a batch. `hasher` has seen all of that part. */
function restOf(
  item: PushItem,
  reached: { readonly hash: string; readonly end: number },
  hasher: Sha256,
): PushItem {
  const { session, file, path, stat, end, replaces } = item;
  const from = { gen: item.from.gen, hash: reached.hash, len: reached.end };
  return {
    session,
    file,
    path,
    stat,
    ...(item.mayChangeUnseen === undefined ? {} : { mayChangeUnseen: item.mayChangeUnseen }),
    from,
    end,
    replaces,
    hasher: hasher.copy(),
    ...(item.history === undefined ? {} : { history: item.history }),
  };
}

function vanished(item: PushItem): ClaudeSyncError {
  return new ClaudeSyncError("local-io", `"${item.path}" became shorter while it was read`, {
    path: item.path,
    sessionId: item.session,
  });
}
