/** Runs seeds. */
import { mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { otherUseCases } from "../../src/sync/service.ts";
import { groupCodec, recordCodec } from "../../src/vault/codecs.ts";
import { trackDatabases } from "./open_databases.ts";
import { Report } from "./report.ts";
import { RunOfProgram } from "./run_of_program.ts";
import { installSyncCrypto } from "./sync_crypto.ts";
import { World } from "./world.ts";

/** A folder in memory where there is one: SQLite's files are real. */
const MEMORY_DIR = "/dev/shm";

/** Runs one seed after the other. Close it. */
export class Simulator {
  readonly #dir: string;
  readonly #endings: (() => void)[];
  /** The world of the seed at hand. */
  world: World | null = null;

  constructor() {
    const hasMemoryDir = statSync(MEMORY_DIR, { throwIfNoEntry: false })?.isDirectory() ?? false;
    this.#dir = mkdtempSync(join(hasMemoryDir ? MEMORY_DIR : tmpdir(), "claude-sync-sim-"));
    const setOfCurrent = () => {
      const owner = this.world?.scheduler.current ?? null;
      return owner instanceof RunOfProgram ? owner.databases : null;
    };
    this.#endings = [installSyncCrypto(), trackDatabases(setOfCurrent)];
  }

  /** Runs a seed and gives its report. `print`: takes the trace. */
  async run(seed: number, print: ((line: string) => void) | null = null): Promise<Report> {
    // Loading a module takes real time: the first world would not be the one that the seed means.
    await Promise.all([recordCodec(), groupCodec(), otherUseCases()]);
    const report = new Report(seed, print);
    this.world = new World(seed, report, this.#dir);
    try {
      await this.world.live();
    } catch (error) {
      report.violation("no crash", error instanceof Error ? error.stack ?? "" : String(error));
    }
    report.count("seeds");
    return report;
  }

  close(): void {
    for (const end of this.#endings) end();
    rmSync(this.#dir, { recursive: true, force: true });
  }
}
