import assert from "node:assert/strict";
import type { ReadHandle } from "../../src/platform/types.ts";
import { linePieces } from "../../src/sessions/line_pieces.ts";
import { RECORD_BYTES_MAX } from "../../src/sessions/transcript.ts";

/** A file in memory that says it has `saidBytes`, and how much it was asked for. */
function handleOf(bytes: Uint8Array, saidBytes = bytes.length) {
  const asked: number[] = [];
  const handle: ReadHandle = {
    stat: () => ({ kind: "file", sizeBytes: saidBytes, mtimeMs: 0, mode: 0o600, ino: 1 }) as never,
    readAt: (into, offset) => {
      asked.push(into.length);
      const part = bytes.subarray(offset, offset + into.length);
      into.set(part);
      return part.length;
    },
    close: () => {},
  };
  return { handle, asked };
}

const utf8 = new TextEncoder();

Deno.test("linePieces takes no more memory for a small file than it has, and a little", () => {
  const { handle, asked } = handleOf(utf8.encode("one\ntwo\nto"));
  const pieces = [...linePieces(handle)].map(({ bytes }) => new TextDecoder().decode(bytes));
  assert.deepEqual(pieces, ["one\ntwo\n"]);
  assert.ok(Math.max(...asked) <= 64 * 1024, `${asked}`);
});

Deno.test("linePieces reads on when a file has grown", () => {
  const { handle } = handleOf(utf8.encode("one\ntwo\n"), 4);
  const pieces = [...linePieces(handle)];
  assert.deepEqual(pieces.map(({ offset }) => offset), [0, 4]);
});

for (const over of [0, 1]) {
  Deno.test(`linePieces ${over === 0 ? "gives" : "leaves out"} a line of 64 MiB + ${over}`, () => {
    const line = new Uint8Array(RECORD_BYTES_MAX + over + 1).fill(0x61);
    line[line.length - 1] = 0x0a;
    const bytes = new Uint8Array(line.length + 8);
    bytes.set(utf8.encode("one\n"));
    bytes.set(line, 4);
    bytes.set(utf8.encode("two\n"), 4 + line.length);
    let [total, last] = [0, ""];
    for (const piece of linePieces(handleOf(bytes).handle)) {
      total += piece.bytes.length;
      last = new TextDecoder().decode(piece.bytes.subarray(-4));
    }
    assert.equal(last, "two\n");
    assert.equal(total, over === 0 ? bytes.length : 8);
  });
}
