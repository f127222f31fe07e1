/** What `git fast-import` reads to make one commit of many files, in one process. */
import { type Bytes, concat, utf8 } from "../../base/bytes.ts";

/** Who every commit is by: nobody. */
const IDENTITY = "claude-sync <claude-sync@localhost>";
const MESSAGE = "sync";
const DAY_SECONDS = 24 * 60 * 60;
/** Smaller files go to the process together with what stands around them. */
const JOINED_BYTES_MAX = 64 * 1024;
/** A branch that is gone before the process ends: commits are pushed by their ids. */
const STAGING_REF = "refs/staged/commit";

/** A file of the commit. */
export interface CommitFile {
  /** Its bytes, asked for in their turn. */
  read(): Promise<Bytes>;
  pathFor(sizeBytes: number): string;
}

/** A commit to be made. */
export interface CommitPlan {
  /** Null begins a branch. */
  readonly parent: string | null;
  readonly files: readonly CommitFile[];
  readonly removedPaths: readonly string[];
  /** Only the day of it gets into the commit. */
  readonly nowMs: number;
  /** In hexadecimal digits. */
  readonly oidLength: number;
}

/** The input for `fast-import`, which then prints the commit's id. Holds one file at a time. */
export async function* commitStream(plan: CommitPlan): AsyncIterable<Bytes> {
  yield utf8("feature done\n");
  const changes = plan.removedPaths.map((path) => `D ${path}\n`);
  for (const [index, file] of plan.files.entries()) {
    const bytes = await file.read();
    const head = utf8(`blob\nmark :${index + 1}\ndata ${bytes.length}\n`);
    if (bytes.length <= JOINED_BYTES_MAX) {
      yield concat(head, bytes, utf8("\n"));
    } else {
      yield head;
      yield bytes;
      yield utf8("\n");
    }
    changes.push(`M 100644 :${index + 1} ${file.pathFor(bytes.length)}\n`);
  }
  const seconds = Math.floor(plan.nowMs / 1000 / DAY_SECONDS) * DAY_SECONDS;
  const mark = plan.files.length + 1;
  yield utf8(
    `commit ${STAGING_REF}\nmark :${mark}\n` +
      `author ${IDENTITY} ${seconds} +0000\ncommitter ${IDENTITY} ${seconds} +0000\n` +
      `data ${MESSAGE.length}\n${MESSAGE}\n` +
      (plan.parent === null ? "" : `from ${plan.parent}\n`) +
      `${changes.join("")}\n` +
      `get-mark :${mark}\n` +
      `reset ${STAGING_REF}\nfrom ${"0".repeat(plan.oidLength)}\n\ndone\n`,
  );
}
