/** What a driver found out about a bucket and keeps for the next run. May be lost at any time. */
import { createHash } from "node:crypto";
import { join } from "node:path";
import * as z from "zod/mini";
import { fromUtf8, utf8 } from "../../base/bytes.ts";
import { ClaudeSyncError } from "../../errors.ts";
import { writeFileUnflushed } from "../../platform/atomic_file.ts";
import type { FileSystem, Random } from "../../platform/types.ts";

/** Largest file of this kind; ours has 150 bytes. */
export const REMEMBERED_BYTES_MAX = 4096;

const schema = z.object({
  /** Region that the bucket said it is in; null when it never had to. */
  region: z.nullable(z.string().check(z.regex(/^[a-z0-9-]{1,64}$/))),
  /**
   * Whether a put can be made to fail when the object exists. `ignored`: such a put overwrites.
   * `refused`: the store answers such a put with an error. Null: not known yet.
   */
  createOnly: z.nullable(z.enum(["works", "ignored", "refused"])),
  /** Version of the list request. */
  listVersion: z.literal([1, 2]),
  /** Whether the store wants `Content-MD5` with every put. */
  wantsMd5: z.boolean(),
});

/** Facts about one bucket. */
export type BucketFacts = z.infer<typeof schema>;

/** Facts that outlive the process. */
export interface Remembered {
  readonly facts: BucketFacts;
  /** Changes some of them, and keeps that when the disk allows. */
  set(changes: Partial<BucketFacts>): void;
}

/** Where the facts are kept. */
export interface RememberedPlace {
  readonly fs: FileSystem;
  readonly random: Random;
  readonly cacheDir: string;
  /** What tells this bucket, and how it is reached, from any other. Holds no secret. */
  readonly identity: string;
}

/** What is assumed of a bucket that nothing is known about. */
export const NOTHING_KNOWN: BucketFacts = {
  region: null,
  createOnly: null,
  listVersion: 2,
  wantsMd5: false,
};

/** Reads what is known; a lost or damaged file is the same as none. */
export function openRemembered(place: RememberedPlace): Remembered {
  const digest = createHash("sha256").update(place.identity).digest("hex").slice(0, 16);
  const path = join(place.cacheDir, `bucket-${digest}.json`);
  let facts = read(place.fs, path) ?? NOTHING_KNOWN;
  return {
    get facts() {
      return facts;
    },
    set(changes) {
      const changed = { ...facts, ...changes };
      if (JSON.stringify(changed) === JSON.stringify(facts)) return;
      facts = changed;
      write(place, path, facts);
    },
  };
}

function read(fs: FileSystem, path: string): BucketFacts | null {
  try {
    const bytes = fs.readFile(path, REMEMBERED_BYTES_MAX);
    if (bytes === null) return null;
    const parsed = schema.safeParse(JSON.parse(fromUtf8(bytes)));
    return parsed.success ? parsed.data : null;
  } catch {
    // Unreadable, not JSON, too long: everything in it can be found out again.
    return null;
  }
}

function write({ fs, random, cacheDir }: RememberedPlace, path: string, facts: BucketFacts): void {
  try {
    fs.makeDir(cacheDir);
    writeFileUnflushed(fs, random, path, utf8(`${JSON.stringify(facts)}\n`));
  } catch (error) {
    // A full disk must not stop a pull: it is found out again next time.
    if (!(error instanceof ClaudeSyncError)) throw error;
  }
}
