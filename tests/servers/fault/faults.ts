/**
 * The faults that the proxy can make, and when.
 *
 * @module
 */
import type { RawHeader } from "./http_bytes.ts";

/** One thing that goes wrong with one request. */
export type Fault =
  /** Everything arrives, later. */
  | { readonly kind: "latency"; readonly ms: number }
  /** The client's upload is cut after so many bytes of its body; the server sees nothing. */
  | { readonly kind: "reset-request"; readonly afterBytes: number }
  /** The server has done its work, but the answer is cut after so many bytes of its body. */
  | { readonly kind: "reset-response"; readonly afterBytes: number }
  /** The server is not asked; this is answered, such as 503, or 429 with Retry-After. */
  | {
    readonly kind: "answer";
    readonly status: number;
    readonly headers?: readonly RawHeader[];
    readonly body?: string;
  }
  /** To the same path and query of another origin; the server is not asked. */
  | { readonly kind: "redirect"; readonly status: number; readonly origin: string }
  /** A whole answer by its length, whose body ends early: at this share of it, 0 to 1. */
  | { readonly kind: "truncate"; readonly share: number }
  /** A bucket's list misses what was put through this proxy since the rule was made. */
  | { readonly kind: "stale-list" }
  /** What the server last answered to the same request before the rule was made, if anything. */
  | { readonly kind: "stale-answer" }
  /** The request reaches the server twice; the second answer is given. */
  | { readonly kind: "duplicate" }
  /** The answer comes so many bytes at a time. */
  | { readonly kind: "drip"; readonly bytes: number; readonly everyMs: number }
  /**
   * The server's clock is ahead by so much (negative: behind): its `Date` shows it, and what was
   * signed further than the tolerance from it gets 403 RequestTimeTooSkewed. Without the proxy's
   * `secretAccessKey` it works only within the 15 minutes that the real server allows.
   */
  | { readonly kind: "clock"; readonly offsetMs: number; readonly toleranceMs: number }
  /** A request header that the server never gets. A signed one needs `secretAccessKey`. */
  | { readonly kind: "drop-header"; readonly name: string }
  /** So many bytes follow the answer's own body, with their length declared or in chunks. */
  | {
    readonly kind: "oversized";
    readonly extraBytes: number;
    readonly length: "declared" | "chunked";
  };

/** Which requests a fault is for. Everything that is given must hold. */
export interface FaultRule {
  readonly fault: Fault;
  readonly method?: string;
  /** Against path and query as they were sent. */
  readonly target?: RegExp;
  /**
   * Which of the requests that match otherwise, counted from 1: one of them, or those for which
   * this is true. All of them by default.
   */
  readonly nth?: number | ((count: number) => boolean);
}

/** A rule at work. */
export interface InjectedFault {
  /** How many requests it has hit. */
  readonly hits: number;
  /** Ends it. */
  remove(): void;
}

/** A rule with its counts. */
export class ActiveRule implements InjectedFault {
  readonly rule: FaultRule;
  readonly #onRemove: (rule: ActiveRule) => void;
  /** Targets that were put since the rule was made, without their query. */
  readonly putSince = new Set<string>();
  #matches = 0;
  #hits = 0;

  constructor(rule: FaultRule, onRemove: (rule: ActiveRule) => void) {
    this.rule = rule;
    this.#onRemove = onRemove;
  }

  get hits(): number {
    return this.#hits;
  }

  remove(): void {
    this.#onRemove(this);
  }

  /** Whether the fault is for this request; counts it. */
  takes(method: string, target: string): boolean {
    const { rule } = this;
    if (rule.method !== undefined && rule.method !== method) return false;
    if (rule.target !== undefined && !rule.target.test(target)) return false;
    this.#matches++;
    const { nth } = rule;
    const isMeant = typeof nth === "function" ? nth(this.#matches) : nth ?? this.#matches;
    if (isMeant !== true && isMeant !== this.#matches) return false;
    this.#hits++;
    return true;
  }
}
