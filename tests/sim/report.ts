/** What happened in one world or in many: counts, violations, and a hash of all that was done. */
import { createHash } from "node:crypto";

/** A promise that was broken. */
export interface Violation {
  readonly seed: number;
  readonly promise: string;
  readonly what: string;
}

/** A report as another process can be given it. */
export interface ReportCopy {
  readonly seed: number;
  readonly violations: readonly Violation[];
  /** Operations, events, faults, alarms and counts. */
  readonly tables: readonly (readonly [string, number])[][];
  readonly traceHash: string;
}

/** Collects. Merging reports of many seeds adds them up. */
export class Report {
  readonly seed: number;
  readonly violations: Violation[] = [];
  readonly operations = new Map<string, number>();
  /** What clients and people did, and what befell machines. */
  readonly events = new Map<string, number>();
  readonly faults = new Map<string, number>();
  readonly alarms = new Map<string, number>();
  readonly counts = new Map<string, number>();
  readonly #hash = createHash("sha256");
  readonly #print: ((line: string) => void) | null;
  #now: () => number = () => 0;
  /** The hash of a trace that was made elsewhere. */
  #madeElsewhere: string | null = null;

  constructor(seed: number, print: ((line: string) => void) | null = null) {
    this.seed = seed;
    this.#print = print;
  }

  /** A report that another process has made. */
  static from({ seed, violations, tables, traceHash }: ReportCopy): Report {
    const report = new Report(seed);
    report.violations.push(...violations);
    for (const [index, rows] of tables.entries()) {
      for (const [kind, n] of rows) report.#tables()[index]!.set(kind, n);
    }
    report.#madeElsewhere = traceHash;
    return report;
  }

  /** What `from` makes the same report of. */
  copy(): ReportCopy {
    const { seed, violations } = this;
    const tables = this.#tables().map((rows) => [...rows]);
    return { seed, violations, tables, traceHash: this.traceHash() };
  }

  #tables(): Map<string, number>[] {
    return [this.operations, this.events, this.faults, this.alarms, this.counts];
  }

  /** Whose time the trace shows. */
  useClock(now: () => number): void {
    this.#now = now;
  }

  /** One line of what happens: the same seed gives the same lines. */
  trace(what: string): void {
    const line = `${this.#now()} ${what}\n`;
    this.#hash.update(line);
    this.#print?.(line);
  }

  /** Of a sum of reports: the hash of their hashes, in the order in which they were merged. */
  traceHash(): string {
    return this.#madeElsewhere ?? this.#hash.copy().digest("hex");
  }

  operation(kind: string): void {
    add(this.operations, kind);
  }

  event(kind: string): void {
    add(this.events, kind);
  }

  fault(kind: string): void {
    add(this.faults, kind);
  }

  alarm(code: string): void {
    add(this.alarms, code);
  }

  count(kind: string, by = 1): void {
    add(this.counts, kind, by);
  }

  violation(promise: string, what: string): void {
    this.trace(`VIOLATION of "${promise}": ${what}`);
    this.violations.push({ seed: this.seed, promise, what });
  }

  /** Adds another report to this one. */
  merge(other: Report): void {
    this.#hash.update(other.traceHash());
    this.violations.push(...other.violations);
    const theirs = other.#tables();
    for (const [index, rows] of this.#tables().entries()) {
      for (const [kind, n] of theirs[index]!) add(rows, kind, n);
    }
  }

  /** For people. */
  text(): string {
    const table = (title: string, rows: ReadonlyMap<string, number>) => {
      const all = [...rows].sort(([a], [b]) => (a < b ? -1 : 1));
      const total = all.reduce((sum, [, n]) => sum + n, 0);
      return `${title} (${total}): ` +
        (all.map(([kind, n]) => `${kind} ${n}`).join(", ") || "none");
    };
    return [
      table("operations", this.operations),
      table("events", this.events),
      table("faults injected", this.faults),
      table("alarms raised", this.alarms),
      table("counts", this.counts),
      `violations: ${this.violations.length}`,
    ].join("\n");
  }
}

function add(rows: Map<string, number>, kind: string, by = 1): void {
  rows.set(kind, (rows.get(kind) ?? 0) + by);
}
