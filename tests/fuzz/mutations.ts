/** Valid input, damaged in the ways that disks, networks, editors and attackers damage it. */
import * as fc from "fast-check";
import { type Bytes, concat, fromHex, utf8 } from "../../src/base/bytes.ts";

/** Longest input that is made: what is damaged is more telling than what is long. */
const INPUT_BYTES_MAX = 64 * 1024;

/** What is put into any kind of text: the ends of tokens, and what parsers trip over. */
const TOKENS: readonly Bytes[] = [
  ...["\0", "\n", "\r", "\r\n", " ", "\t", "\x1b[2J", "\x7f", "\u0085", "\u2028", "\ufeff"],
  ...["\u202e", "\u200d", "e\u0301", "\u{1f468}\u200d\u{1f469}", "\ufdfa", "ſ", "ß", "İ"],
  ...["{", "}", "[", "]", '"', "'", "\\", "/", ":", ",", "=", "#", ";", "@", "%", "+", "-", "."],
  ...["..", "../", "//", "\\\\", "::", "%2e", "%00", "&amp;", "&#0;", "<a>", "</a>", "]]>", "<!--"],
  ...["__proto__", "constructor", "prototype", "toString", "null", "true", "-0", "1e999", "-1"],
  ...["9007199254740993", "00", "0x10", "NaN", "2147483648", "\\u0000", "\\ud800", "\\ud83d"],
  ...["missing", "tree", "blob", "refs/heads/", "claude-sync", "con", "~1", "$(id)", "`id`", "-o"],
].map(utf8).concat(
  // Broken UTF-8: a lone continuation, a surrogate, an overlong slash, an end in mid-character.
  ["80", "eda080", "c0af", "f0908d", "ff"].map((hex) => fromHex(hex)!),
);

/** One change: what, where and with what, each taken modulo what there is. */
type Change = readonly [what: number, where: number, withWhat: number];

const change: fc.Arbitrary<Change> = fc.tuple(
  fc.nat(11),
  fc.nat(0xffff),
  fc.nat(0xffff),
);

/** A changed one of `samples`; now and then nothing but noise, or a sample as it is. */
export function mutatedBytes(
  samples: readonly Uint8Array[],
  extraTokens: readonly string[] = [],
): fc.Arbitrary<Bytes> {
  const tokens = [...TOKENS, ...extraTokens.map(utf8)];
  const changed = fc.tuple(fc.nat(samples.length - 1), fc.array(change, { maxLength: 5 }))
    .map(([index, changes]) =>
      changes.reduce<Bytes>(
        (bytes, one) => applied(bytes, one, samples, tokens),
        new Uint8Array(samples[index]!),
      )
    );
  const noise = fc.uint8Array({ maxLength: 64 }).map((bytes) => new Uint8Array(bytes));
  return fc.oneof({ weight: 30, arbitrary: changed }, { weight: 1, arbitrary: noise });
}

/** As `mutatedBytes` for text; what is no UTF-8 is read as lone surrogates now and then. */
export function mutatedText(
  samples: readonly string[],
  extraTokens: readonly string[] = [],
): fc.Arbitrary<string> {
  const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
  return mutatedBytes(samples.map(utf8), extraTokens).map((bytes) =>
    // JavaScript's strings hold what UTF-8 cannot.
    decoder.decode(bytes).replaceAll("\ufffd", bytes.length % 2 === 0 ? "\ud800" : "\udc00")
  );
}

function applied(
  bytes: Bytes,
  [what, where, withWhat]: Change,
  samples: readonly Uint8Array[],
  tokens: readonly Bytes[],
): Bytes {
  const at = where % (bytes.length + 1);
  const end = Math.min(bytes.length, at + 1 + (withWhat % 40));
  const token = tokens[withWhat % tokens.length]!;
  const [before, after] = [bytes.subarray(0, at), bytes.subarray(at)];
  switch (what) {
    case 0:
      return flipped(bytes, at, 1 << (withWhat % 8));
    case 1:
      return flipped(bytes, at, withWhat % 256);
    case 2:
      return before.slice();
    case 3:
      return after.slice();
    case 4:
      return concat(before, bytes.subarray(end));
    case 5:
      return limited(bytes, concat(before, bytes.subarray(at, end), after));
    case 6:
    case 7:
      return limited(bytes, concat(before, token, after));
    case 8:
      return limited(bytes, concat(before, token, bytes.subarray(end)));
    case 9: {
      const other = samples[withWhat % samples.length]!;
      return limited(bytes, concat(before, other.subarray(where % (other.length + 1))));
    }
    case 10:
      return limited(bytes, concat(before, ...new Array(1 + withWhat % 300).fill(token), after));
    default:
      return concat(before, bytes.subarray(at, end).toReversed(), bytes.subarray(end));
  }
}

function flipped(bytes: Bytes, at: number, bits: number): Bytes {
  const copy = bytes.slice();
  if (at < copy.length) copy[at]! ^= bits;
  return copy;
}

function limited(before: Bytes, after: Bytes): Bytes {
  return after.length > INPUT_BYTES_MAX ? before : after;
}
