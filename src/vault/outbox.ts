/**
 * What is on its way to the store: the sealed bytes of one entry and its packs, on this disk before
 * the first put, so that a retry after a crash sends the same bytes (FORMAT.md section 10).
 * `batch.json` is written last: without it the folder holds a push that never began.
 */
import { join } from "node:path";
import * as z from "zod/mini";
import { fromUtf8, utf8 } from "../base/bytes.ts";
import { listOf } from "../base/checked_lists.ts";
import { adopt, type Sealed } from "../crypto/sealed.ts";
import type { Bytes } from "../base/bytes.ts";
import { ClaudeSyncError, isClaudeSyncError } from "../errors.ts";
import { writeFileAtomic } from "../platform/atomic_file.ts";
import type { Platform } from "../platform/types.ts";
import type { PackClaim } from "./entry_body.ts";
import { OBJECT_SEALED_BYTES_MAX } from "./format.ts";
import { parseLogEntryName, parsePackName } from "./names.ts";
import type { SealingKeys } from "./sealing.ts";

const BATCH_BYTES_MAX = 1024 * 1024;
const BATCH_FILE = "batch.json";

const Batch = z.object({
  version: z.literal(1),
  entry: z.string(),
  packs: listOf(z.string()),
  basis: z.string(),
  /** Of a batch that says no time nobody knows how old it is. */
  atMs: z._default(z.number(), 0),
});

/** One push on its way: packs first, the entry last. */
export interface StagedBatch {
  readonly entry: Sealed;
  /** What lies on the disk; `readPack` gives the bytes, which would not all fit in memory. */
  readonly packs: readonly PackClaim[];
  /** What it was planned by, for the planner to compare. */
  readonly basis: string;
}

/** One that an earlier process left. */
export interface RecoveredBatch extends StagedBatch {
  /** When it was completed, by this machine's clock. */
  readonly stagedMs: number;
}

/** The folder of staged objects. One process at a time uses it (the profile's lock). */
export class Outbox {
  readonly #platform: Platform;
  readonly #dir: string;
  #count = 0;

  constructor(platform: Platform, dir: string) {
    this.#platform = platform;
    this.#dir = dir;
  }

  /** Stages one pack of a push that is being built. */
  addPack(pack: Sealed): PackClaim {
    this.#platform.fs.makeDir(this.#dir);
    this.#write(packFile(this.#count++), pack.bytes);
    return claimOf(pack);
  }

  /** Stages the entry and completes the batch: from here on it survives a crash. */
  complete(batch: StagedBatch): void {
    const { fs, random, clock } = this.#platform;
    fs.makeDir(this.#dir);
    this.#write("entry", batch.entry.bytes);
    const facts = {
      version: 1,
      entry: batch.entry.name,
      packs: batch.packs.map((pack) => pack.name),
      basis: batch.basis,
      atMs: clock.nowMs(),
    };
    writeFileAtomic(fs, random, join(this.#dir, BATCH_FILE), utf8(JSON.stringify(facts)));
  }

  /**
   * The batch an earlier process left, opened and verified; null when there is none or it is
   * unusable (another key, damaged): its content is then planned anew from the files, which still
   * hold it.
   */
  async recover({ epoch, vaultId }: SealingKeys): Promise<RecoveredBatch | null> {
    const { fs } = this.#platform;
    const bytes = fs.readFile(join(this.#dir, BATCH_FILE), BATCH_BYTES_MAX);
    if (bytes === null) return null;
    try {
      const facts = z.parse(Batch, JSON.parse(fromUtf8(bytes)));
      if (parseLogEntryName(facts.entry) === null) return null;
      const packs: PackClaim[] = [];
      for (const [index, name] of facts.packs.entries()) {
        if (parsePackName(name) === null) return null;
        const context = { type: "pack" as const, vaultId, name };
        packs.push(claimOf(await adopt(epoch, context, this.#read(packFile(index)))));
      }
      const context = { type: "log" as const, vaultId, name: facts.entry };
      const entry = await adopt(epoch, context, this.#read("entry"));
      return { entry, packs, basis: facts.basis, stagedMs: facts.atMs };
    } catch (error) {
      if (error instanceof ClaudeSyncError && error.code !== "damaged") throw error;
      return null;
    }
  }

  /**
   * The bytes of the pack at `index` of a staged batch. Throws `local-io` when they are not the
   * ones that were staged.
   */
  async readPack(
    { epoch, vaultId }: SealingKeys,
    batch: StagedBatch,
    index: number,
  ): Promise<Sealed> {
    const { name, sha256 } = batch.packs[index]!;
    const changed = (cause: unknown) =>
      new ClaudeSyncError("local-io", "A staged pack changed before it was sent", {
        path: join(this.#dir, packFile(index)),
        cause,
      });
    try {
      const context = { type: "pack" as const, vaultId, name };
      const pack = await adopt(epoch, context, this.#read(packFile(index)));
      if (pack.sha256 === sha256) return pack;
    } catch (error) {
      throw isClaudeSyncError(error, "damaged") ? changed(error) : error;
    }
    throw changed(null);
  }

  /** Removes everything staged. */
  clear(): void {
    const { fs } = this.#platform;
    // The marker goes first: a crash in between leaves a push that never began.
    fs.removeFile(join(this.#dir, BATCH_FILE));
    for (const { name } of fs.readDir(this.#dir) ?? []) fs.removeFile(join(this.#dir, name));
    this.#count = 0;
  }

  #write(name: string, bytes: Bytes): void {
    const { fs, random } = this.#platform;
    writeFileAtomic(fs, random, join(this.#dir, name), bytes);
  }

  #read(name: string): Bytes {
    const path = join(this.#dir, name);
    const bytes = this.#platform.fs.readFile(path, OBJECT_SEALED_BYTES_MAX);
    if (bytes === null) {
      throw new ClaudeSyncError("damaged", "A staged object is missing", { path });
    }
    return bytes;
  }
}

function packFile(index: number): string {
  return `pack-${index}`;
}

function claimOf({ name, bytes, sha256 }: Sealed): PackClaim {
  return { name, size: bytes.length, sha256 };
}
