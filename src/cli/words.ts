/** Arguments that a shell can complete with words of this machine. */
import { message as plain } from "@optique/core/message";
import type { Suggestion } from "@optique/core/parser";
import { string, type ValueParser } from "@optique/core/valueparser";

/** A word that a shell may offer, with a line about it. */
export interface Candidate {
  readonly text: string;
  readonly about: string;
}

/** Words that depend on this machine; empty while parsing. */
export interface Candidates {
  readonly sessions: readonly Candidate[];
  readonly projects: readonly Candidate[];
}

/** An argument that is shown as `metavar`, any text, for which `candidates` are offered. */
export function words(
  metavar: "ID" | "ID|WORDS" | "PROJECT",
  candidates: readonly Candidate[] = [],
): ValueParser<"sync", string> {
  const base = string({ metavar });
  if (candidates.length === 0) return base;
  return {
    ...base,
    *suggest(prefix: string): Iterable<Suggestion> {
      for (const { text, about } of candidates) {
        if (!text.startsWith(prefix)) continue;
        yield { kind: "literal", text, description: plain`${about}` };
      }
    },
  };
}
