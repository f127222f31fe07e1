/** What happened in one world or in many: counts, violations, and a hash of all that was done. */
import { createHash } from "node:crypto";

/** A promise that was broken. */
export interface Violation {
  readonly seed: number;
  readonly promise: string;
  readonly what: string;
}

/** Collects. Merging reports of many seeds adds them up. */
export class Report {
  readonly seed: number;
  readonly violations: Violation[] = [];
  readonly operations = new Map<string, number>();
  readonly faults = new Map<string, number>();
  readonly alarms = new Map<string, number>();
  readonly counts = new Map<string, number>();
  readonly #hash = createHash("sha256");
  readonly #print: ((line: string) => void) | null;
  #now: () => number = () => 0;

  constructor(seed: number, print: ((line: string) => void) | null = null) {
    this.seed = seed;
    this.#print = print;
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

  traceHash(): string {
    return this.#hash.copy().digest("hex");
  }

  operation(kind: string): void {
    add(this.operations, kind);
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
    this.violations.push(...other.violations);
    for (const [kind, n] of other.operations) add(this.operations, kind, n);
    for (const [kind, n] of other.faults) add(this.faults, kind, n);
    for (const [kind, n] of other.alarms) add(this.alarms, kind, n);
    for (const [kind, n] of other.counts) add(this.counts, kind, n);
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
