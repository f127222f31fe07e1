/** Which plans the local sessions name, remembered so that no transcript is read twice for it. */
import type { DatabaseSync } from "node:sqlite";
import { sha256Hex } from "../crypto/hash.ts";
import type { FileSystem } from "../platform/types.ts";
import type { LocalSession } from "../sessions/discover.ts";
import { ifReadable } from "../sessions/foreign_file.ts";
import { readPlanNames } from "../sessions/plans.ts";
import { isPlanName } from "../sessions/shelf.ts";
import { transcriptOf } from "./pull_place.ts";
import { Statements } from "./state_db.ts";

interface Row {
  readonly path: string;
  readonly size: number;
  readonly mtime: number;
  readonly ino: number;
  readonly length: number;
  readonly names: string;
  readonly tail: string;
}

/** Table of the plans that transcripts name. */
export class PlanNames {
  readonly #fs: FileSystem;
  readonly #statements: Statements;
  #rows: Map<string, Row> | null = null;

  constructor(fs: FileSystem, database: DatabaseSync) {
    this.#fs = fs;
    this.#statements = new Statements(database);
  }

  /**
   * The plans that the session's transcript names; none when it cannot be read. Reads what was
   * added to it since the last time, all of it after it was replaced or rewritten, and nothing when
   * it is unchanged.
   */
  of(session: LocalSession): readonly string[] {
    const transcript = transcriptOf(session);
    if (transcript === undefined) return [];
    const { path, stat } = transcript;
    const row = this.#all().get(path);
    const isSame = row !== undefined && row.ino === stat.ino;
    if (isSame && row.size === stat.sizeBytes && row.mtime === stat.mtimeMs) return namesIn(row);
    const before = isSame
      ? { names: namesIn(row), lengthBytes: row.length, tail: row.tail }
      : undefined;
    const found = ifReadable(() => readPlanNames(this.#fs, path, sha256Hex, before));
    if (found === null) return [];
    const { lengthBytes, tail } = found;
    const names = found.names.join(" ");
    this.#statements.prepare("INSERT OR REPLACE INTO plan_names VALUES (?, ?, ?, ?, ?, ?, ?)")
      .run(path, stat.sizeBytes, stat.mtimeMs, stat.ino, lengthBytes, names, tail);
    return found.names;
  }

  /** Sessions by the plans they name. */
  namers(sessions: readonly LocalSession[]): Map<string, LocalSession[]> {
    const namers = new Map<string, LocalSession[]>();
    for (const session of sessions) {
      for (const name of this.of(session)) {
        namers.set(name, [...(namers.get(name) ?? []), session]);
      }
    }
    return namers;
  }

  #all(): Map<string, Row> {
    if (this.#rows === null) {
      const rows = this.#statements.prepare("SELECT * FROM plan_names").all() as unknown as Row[];
      this.#rows = new Map(rows.map((row) => [row.path, row]));
    }
    return this.#rows;
  }
}

function namesIn({ names }: Row): string[] {
  return names.split(" ").filter(isPlanName);
}
