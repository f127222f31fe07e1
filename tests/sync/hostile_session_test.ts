/**
 * A hostile member of the vault, with the right key and a valid identity, whose entries are well
 * formed but lie about sessions: his session is refused or shown harmlessly, the others are
 * unharmed, and nothing is written outside of what a session may write.
 */
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { zstdCompressSync } from "node:zlib";
import { utf8 } from "../../src/base/bytes.ts";
import { EMPTY_SHA256_HEX, sha256Hex } from "../../src/crypto/hash.ts";
import { generationName } from "../../src/vault/generation.ts";
import { addOf, type Loose, type LooseAdd, segmentOf } from "./hostile_member.ts";
import { HASH_A, HONEST, HOSTILE, pullBeside, turns, withVictims } from "./hostile_world.ts";

Deno.test("pull writes nothing of a session with an unsafe name, and takes others", async () => {
  const names = [
    "side/../../../../evil",
    "side/..",
    "side//x",
    "../evil",
    "/etc/passwd",
    "side/C:\\evil",
    "side/..\\..\\evil",
    "side/con",
    "side/nul.txt",
    "side/x ",
    "side/x.",
    "side/PROGRA~1",
    "side/\u001b[2J",
    "side/a\nb",
    "side/\u202egnp.exe",
    "side/e\u0301",
    "side/\uff0e\uff0e/x",
    "side/.credentials.json",
    "side/settings.json",
    "file-history/../../settings.json",
    "file-history/a/b",
    "todos/other.json",
    "legacy/../x.jsonl",
    "plans/../settings.json",
    "plans/x.txt",
    "plans/a/b.md",
    "memory/../../../../evil",
    "memory/.credentials.json",
    "memory/nul.md",
    "history/../../settings.json",
    "history.jsonl",
    "projects/x",
    "settings.json",
    "transcript/x",
    "Transcript",
  ];
  await withVictims(async (victims) => {
    for (const [i, name] of names.entries()) {
      const session = HOSTILE.slice(0, -4) + String(i).padStart(4, "0");
      const transcript = turns(session, victims.bert.project, ["x"]);
      await victims.mallory.add(addOf(session, { transcript, [name]: "evil" }));
    }
    const { written, failed } = await pullBeside(
      victims,
      "names",
      addOf(HOSTILE, { transcript: "{}\n", "side/Notes.txt": "1", "side/notes.txt": "2" }),
    );
    assert.deepEqual(written, []);
    assert.equal(failed.length, names.length + 1);
    assert.equal(existsSync(join(victims.dir, "evil")), false);
  });
});

Deno.test("pull refuses a session whose bytes are not what it says, and takes others", async () => {
  const text = utf8("{}\n");
  const whole = addOf(HOSTILE, { transcript: "{}\n" });
  const group = (over: Loose): LooseAdd => addOf(HOSTILE, { transcript: "{}\n" }, {}, over);
  const segment = (over: Loose) => group({ segments: [segmentOf("transcript", text, over)] });
  const stored = (bytes: Uint8Array, raw: number, over: Loose = {}): LooseAdd => {
    const segments = [segmentOf("transcript", text, { len: raw, hash: HASH_A, ...over })];
    const groups = [{ in: -1, at: 0, stored: bytes.length, raw, comp: "zstd", segments }];
    return { op: { ...whole.op, groups }, inline: new Uint8Array(bytes) };
  };
  const chainOf = (...segments: Loose[]): LooseAdd => {
    const groups = segments.map((each) => ({
      in: -1,
      at: 0,
      stored: 3,
      raw: 3,
      comp: "none",
      segments: [each],
    }));
    return { op: { ...whole.op, groups }, inline: text };
  };
  const step = (off: number, parent: string, hash: string): Loose =>
    segmentOf("transcript", text, { off, parent, hash });
  const [b, c] = ["b".repeat(64), "c".repeat(64)];
  const start = sha256Hex(text);
  const mib4 = 4 * 1024 * 1024;
  const lies: Record<string, LooseAdd> = {
    "a leaf of another hash": segment({ hash: HASH_A }),
    "a middle of another hash": chainOf(step(0, EMPTY_SHA256_HEX, b), step(3, b, c)),
    "no beginning": segment({ off: 9, parent: b, hash: c }),
    "a circle with a tail": chainOf(step(3, b, c), step(6, c, b), step(9, c, HASH_A)),
    "offsets that do not meet": chainOf(step(0, EMPTY_SHA256_HEX, start), step(7, start, b)),
    "no zstd": stored(text, 3),
    "zstd of more": stored(zstdCompressSync(new Uint8Array(1000)), 999),
    "zstd of less": stored(zstdCompressSync(new Uint8Array(1000)), 1001),
    "a zstd bomb": stored(zstdCompressSync(new Uint8Array(64 * mib4)), mib4),
    "half a zstd frame": stored(zstdCompressSync(new Uint8Array(1000)).subarray(0, 12), 1000),
    "a leaf far behind its bytes": segment({ off: 2 ** 52, parent: b, hash: c }),
  };
  for (const [what, lie] of Object.entries(lies)) {
    await withVictims(async (victims) => {
      const { written, failed } = await pullBeside(victims, what, lie);
      assert.deepEqual(written, [], what);
      assert.deepEqual(failed, [HOSTILE], what);
      const { problems } = await victims.bert.verify();
      assert.ok(problems.length > 0, `${what}: verify found nothing`);
    });
  }
});

Deno.test("a lie about a session that is here leaves it as it is", async () => {
  const text = utf8("{}\n");
  await withVictims(async (victims) => {
    const here = victims.bert.readTranscript(HONEST);
    const end = utf8(here);
    const over = { off: end.length, parent: sha256Hex(end), hash: HASH_A };
    const segments = [segmentOf("transcript", text, over)];
    const lie = addOf(HONEST, { transcript: "{}\n" }, {}, { segments });
    const { failed } = await pullBeside(victims, "a continuation that is none", lie);
    assert.deepEqual(failed, [HONEST]);
    assert.equal(victims.bert.readTranscript(HONEST), here);
  });
  await withVictims(async (victims) => {
    const here = victims.bert.readTranscript(HONEST);
    const lie = addOf(HONEST, { transcript: "{}\n" }, {}, {
      segments: [segmentOf("transcript", text, { hash: HASH_A })],
    });
    const { failed } = await pullBeside(victims, "a second beginning that is none", lie);
    assert.deepEqual(failed, [HONEST]);
    assert.equal(victims.bert.readTranscript(HONEST), here);
  });
  await withVictims(async (victims) => {
    // Everything that was here is declared replaced by something that is nowhere.
    const here = victims.bert.readTranscript(HONEST);
    const from = { gen: "", hash: sha256Hex(utf8(here)) };
    const gens = [{ file: "transcript", gen: generationName(from), from }];
    await pullBeside(victims, "replaced by nothing", addOf(HONEST, {}, { gens }));
    assert.equal(victims.bert.readTranscript(HONEST), here);
  });
});
