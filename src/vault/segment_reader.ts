/**
 * Fetches segments' bytes from packs and log entries, opening and checking each object on the way.
 */
import { type Bytes, fromHex } from "../base/bytes.ts";
import { sha256Hex } from "../crypto/hash.ts";
import { open } from "../crypto/envelope.ts";
import { ClaudeSyncError, isClaudeSyncError } from "../errors.ts";
import { objectName } from "../storage/object_name.ts";
import { groupCodec } from "./codecs.ts";
import type { Compression } from "./group.ts";
import { type EntryOpener, readEntry } from "./log_reader.ts";
import { parseLogEntryName } from "./names.ts";
import { storedGroup } from "./pack.ts";

/** Where a segment's bytes are, as the log says. */
export interface SegmentPlace {
  readonly session: string;
  readonly objectName: string;
  /** Hash of the whole pack in hex; null when the bytes travel in a log entry. */
  readonly objectSha256: string | null;
  readonly groupAt: number;
  readonly groupStored: number;
  readonly groupRaw: number;
  readonly groupComp: Compression;
  readonly offsetInGroup: number;
  readonly len: number;
}

/**
 * Opened objects kept for the next segment: a file's segments mostly follow each other in one pack.
 */
const OBJECTS_KEPT = 3;
/** Most objects that are fetched before they are needed, each at most 8 MiB. */
const OBJECTS_AHEAD = 4;
/** Decompressed groups kept, each at most 4 MiB. */
const GROUPS_KEPT = 4;

/** Reads segments of one vault. Holds at most a few packs in memory. */
export class SegmentReader {
  readonly #opener: EntryOpener;
  readonly #signKeyOf: (tag: string) => string | null;
  readonly #objects = new Map<string, Promise<Bytes>>();
  readonly #groups = new Map<string, Promise<Bytes>>();
  readonly #inlines = new Map<string, Bytes>();
  readonly #unreadable = new Map<string, ClaudeSyncError>();
  /** Where one segment of each object is that will be needed, in the order of need. */
  #upcoming: SegmentPlace[] = [];
  readonly #ahead: number;

  /** `signKeyOf` gives the hex public key of the machine with a log tag. */
  constructor(opener: EntryOpener, signKeyOf: (tag: string) => string | null) {
    this.#opener = opener;
    this.#signKeyOf = signKeyOf;
    // A store that serves one call at a time would only be kept from the call that is waited for.
    this.#ahead = Math.min(opener.store.concurrency - 1, OBJECTS_AHEAD);
  }

  /**
   * Says what will be read, and in which order: objects are fetched ahead where the store can serve
   * several calls side by side. Replaces what was said before.
   */
  expect(segments: Iterable<SegmentPlace>): void {
    if (this.#ahead === 0) return;
    const upcoming = new Map<string, SegmentPlace>();
    for (const segment of segments) {
      if (!upcoming.has(segment.objectName)) upcoming.set(segment.objectName, segment);
    }
    this.#upcoming = [...upcoming.values()];
  }

  /** Resolves when nothing is under way any more, whatever became of it. */
  async settled(): Promise<void> {
    this.#upcoming = [];
    await Promise.allSettled(this.#objects.values());
  }

  /** Takes the inline part of an entry that was read and verified just now. */
  preload(entry: string, inline: Bytes): void {
    this.#inlines.set(entry, inline);
  }

  /**
   * The segment's bytes. Errors: `incomplete` when the object is missing, `damaged` when anything
   * about it is wrong, and the store's own. When the object is what its entry says, but the group
   * in it is not, the error names the session: only the machine that wrote it can be the cause, and
   * no other session is touched.
   */
  async read(segment: SegmentPlace): Promise<Bytes> {
    const { objectName, groupAt, groupStored, groupRaw, groupComp } = segment;
    // An empty group begins where the next one does.
    const key = [objectName, groupAt, groupStored, groupRaw, groupComp].join(" ");
    const raw = await kept(this.#groups, GROUPS_KEPT, key, async () => {
      return groupOf(await this.#payload(segment), segment);
    });
    return raw.subarray(segment.offsetInGroup, segment.offsetInGroup + segment.len);
  }

  /**
   * Why objects could not be read that were wanted since the last call and not had by any try. Who
   * goes on without an object's bytes has to say so all the same.
   */
  takeUnreadable(): ClaudeSyncError[] {
    const errors = [...this.#unreadable.values()];
    this.#unreadable.clear();
    return errors;
  }

  #payload(segment: SegmentPlace): Promise<Bytes> {
    const payload = this.#object(segment);
    const at = this.#upcoming.findIndex(({ objectName }) => objectName === segment.objectName);
    if (at >= 0) this.#upcoming.splice(0, at + 1);
    for (const next of this.#upcoming.slice(0, this.#ahead)) void this.#object(next);
    // Used last, so that what was fetched ahead does not push it out.
    return this.#ahead === 0 ? payload : this.#object(segment);
  }

  #object(segment: SegmentPlace): Promise<Bytes> {
    return kept(
      this.#objects,
      OBJECTS_KEPT + this.#ahead,
      segment.objectName,
      () => this.#fetched(segment),
    );
  }

  async #fetched({ objectName, objectSha256 }: SegmentPlace): Promise<Bytes> {
    try {
      const payload = objectSha256 === null
        ? await this.#inlinePayload(objectName)
        : await this.#packPayload(objectName, objectSha256);
      this.#unreadable.delete(objectName);
      return payload;
    } catch (error) {
      if (isClaudeSyncError(error, "damaged", "incomplete")) {
        this.#unreadable.set(objectName, error);
      }
      throw error;
    }
  }

  async #packPayload(name: string, expectedSha256: string): Promise<Bytes> {
    const { store, epoch, vaultId, signal } = this.#opener;
    const sealed = await store.get(objectName(name), { signal });
    if (sealed === null) {
      throw new ClaudeSyncError("incomplete", "A pack that the log names is not in the store", {
        objectName: name,
      });
    }
    if (sha256Hex(sealed) !== expectedSha256) {
      throw new ClaudeSyncError("damaged", "A pack is not the one that the log names", {
        objectName: name,
      });
    }
    return await open(epoch, { type: "pack", vaultId, name }, sealed);
  }

  async #inlinePayload(name: string): Promise<Bytes> {
    const preloaded = this.#inlines.get(name);
    if (preloaded !== undefined) return preloaded;
    const listed = parseLogEntryName(name);
    const signKey = listed === null ? null : this.#signKeyOf(listed.tag);
    if (listed === null || signKey === null) {
      throw new ClaudeSyncError("damaged", "A segment lies in an object that is no log entry", {
        objectName: name,
      });
    }
    const entry = { ...listed, name: objectName(name) };
    return (await readEntry(this.#opener, entry, fromHex(signKey))).inline;
  }
}

async function groupOf(payload: Bytes, segment: SegmentPlace): Promise<Bytes> {
  const { objectName, session: sessionId } = segment;
  const place = { at: segment.groupAt, stored: segment.groupStored };
  const { decodeGroup } = await groupCodec();
  try {
    const stored = storedGroup(payload, place, objectName);
    return decodeGroup(stored, segment.groupRaw, segment.groupComp, objectName);
  } catch (cause) {
    if (!isClaudeSyncError(cause, "damaged")) throw cause;
    const message = "A session's bytes are not what the log says of them";
    throw new ClaudeSyncError("damaged", message, { objectName, sessionId, cause });
  }
}

/**
 * Gives the value for `key`, made at most once while it is among the last `limit` used. Failures
 * are not kept.
 */
function kept<Value>(
  cache: Map<string, Promise<Value>>,
  limit: number,
  key: string,
  make: () => Promise<Value>,
): Promise<Value> {
  const found = cache.get(key);
  const value = found ?? make();
  cache.delete(key);
  cache.set(key, value);
  if (found === undefined) {
    value.catch(() => cache.delete(key));
    for (const oldest of cache.keys()) {
      if (cache.size <= limit) break;
      cache.delete(oldest);
    }
  }
  return value;
}
