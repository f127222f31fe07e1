/** JSON of the right shape in which some members are gone, doubled, renamed or of another kind. */
import * as fc from "fast-check";

/** Any JSON value. */
export type Json =
  | null
  | boolean
  | number
  | string
  | readonly Json[]
  | { readonly [name: string]: Json };

/** What stands in the place of a value, as it is written. */
const VALUES: readonly string[] = [
  ...["null", "true", "0", "-0", "-1", "1e999", "-1e999", "1e-400", "0.5", "1.0", "2"],
  ...["9007199254740992", "9007199254740993", "18446744073709551616", "4294967296", "1e21"],
  ...['""', '"\\u0000"', '"\\ud800"', '"\\udc00a"', '"__proto__"', '"a\\nb\\r"', '"\u2028"'],
  ...['"../../etc/passwd"', '"con"', '"\\u202etxt"', '" "', '"0"', '"-"', '"Infinity"'],
  ...["[]", "{}", "[[]]", "[null]", '{"__proto__":{"polluted":1}}', '{"length":1e9}'],
  ...['{"constructor":{"prototype":{"polluted":1}}}', '{"toString":1,"valueOf":1}'],
  `"${"x".repeat(5000)}"`,
  `"${"\\u00e9".repeat(700)}"`,
  "[".repeat(70) + "]".repeat(70),
  "[".repeat(300) + "]".repeat(300),
  '{"a":'.repeat(300) + "1" + "}".repeat(300),
  `[${"0,".repeat(300)}0]`,
];

const NAMES: readonly string[] = [
  "__proto__",
  "constructor",
  "prototype",
  "toString",
  "hasOwnProperty",
  "length",
  "",
  "\0",
  "\ud800",
  "type",
];

type Edit = readonly [node: number, what: number, withWhat: number];

/** JSON texts made of `samples` with up to four edits each, on one line. */
export function mutatedJson(samples: readonly Json[]): fc.Arbitrary<string> {
  const edit: fc.Arbitrary<Edit> = fc.tuple(fc.nat(0xffff), fc.nat(7), fc.nat(0xffff));
  const sizes = samples.map(nodeCount);
  return fc.tuple(fc.nat(samples.length - 1), fc.array(edit, { maxLength: 4 }))
    .map(([index, edits]) => {
      const byNode = new Map(edits.map((one) => [one[0] % sizes[index]!, one]));
      return new Writer(byNode).write(samples[index]!);
    });
}

function nodeCount(value: Json): number {
  if (typeof value !== "object" || value === null) return 1;
  return Object.values(value).reduce((sum: number, child: Json) => sum + nodeCount(child), 1);
}

/** Writes a value as text and makes the edits on its way: nodes are counted as they come. */
class Writer {
  readonly #edits: ReadonlyMap<number, Edit>;
  #count = 0;

  constructor(edits: ReadonlyMap<number, Edit>) {
    this.#edits = edits;
  }

  write(value: Json): string {
    return this.#items([["", value]], () => "")[0] ?? "null";
  }

  /** The items of a container; an edit may leave out, double or rename one. */
  #items(entries: readonly (readonly [string, Json])[], prefix: (name: string) => string) {
    const items: string[] = [];
    for (const [name, value] of entries) {
      const [, what, withWhat] = this.#edits.get(this.#count) ?? [0, -1, 0];
      this.#count++;
      const text = this.#value(value);
      const other = VALUES[withWhat % VALUES.length]!;
      if (what === 0) continue;
      else if (what === 1) items.push(prefix(name) + text, prefix(name) + other);
      else if (what === 2) items.push(prefix(NAMES[withWhat % NAMES.length]!) + text);
      else if (what === 3) items.push(`${prefix(name)}[${text}]`);
      else if (what === 4) items.push(prefix(name) + text, prefix(name) + text);
      else items.push(prefix(name) + (what === -1 ? text : other));
    }
    return items;
  }

  #value(value: Json): string {
    if (typeof value !== "object" || value === null) return JSON.stringify(value);
    if (Array.isArray(value)) {
      const entries = value.map((element: Json) => ["", element] as const);
      return `[${this.#items(entries, () => "").join(",")}]`;
    }
    const items = this.#items(Object.entries(value), (name) => `${JSON.stringify(name)}:`);
    return `{${items.join(",")}}`;
  }
}
