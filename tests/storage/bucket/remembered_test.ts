import assert from "node:assert/strict";
import { utf8 } from "../../../src/base/bytes.ts";
import { writeFileUnflushed } from "../../../src/platform/atomic_file.ts";
import { nodePlatform } from "../../../src/platform/node.ts";
import {
  NOTHING_KNOWN,
  openRemembered,
  REMEMBERED_BYTES_MAX,
} from "../../../src/storage/bucket/remembered.ts";
import { MemoryFs } from "../../support/memory_fs.ts";

const { random } = nodePlatform();

function place(fs: MemoryFs, identity = "a") {
  return { fs, random, cacheDir: "/cache", identity };
}

Deno.test("openRemembered gives what was set, to the same bucket only", () => {
  const fs = new MemoryFs();
  const first = openRemembered(place(fs));
  assert.deepEqual(first.facts, NOTHING_KNOWN);
  first.set({ region: "eu-west-1" });
  first.set({ createOnly: "works" });
  assert.deepEqual(openRemembered(place(fs)).facts, first.facts);
  assert.equal(first.facts.region, "eu-west-1");
  assert.deepEqual(openRemembered(place(fs, "b")).facts, NOTHING_KNOWN);
});

Deno.test("openRemembered forgets a file that is damaged, strange or too long", () => {
  const strange = [
    "",
    "{",
    "[]",
    '{"region":"../x","createOnly":null,"listVersion":2,"wantsMd5":false}',
    '{"region":null,"createOnly":"perhaps","listVersion":2,"wantsMd5":false}',
    JSON.stringify({ ...NOTHING_KNOWN, region: "eu-west-1" }).padEnd(REMEMBERED_BYTES_MAX + 1),
  ];
  for (const text of strange) {
    const fs = new MemoryFs();
    openRemembered(place(fs)).set({ region: "eu-west-1" });
    const [file] = fs.readDir("/cache") ?? [];
    writeFileUnflushed(fs, random, `/cache/${file!.name}`, utf8(text));
    assert.deepEqual(openRemembered(place(fs)).facts, NOTHING_KNOWN, text.slice(0, 80));
  }
  const fs = new MemoryFs();
  openRemembered(place(fs)).set({ region: "eu-west-1" });
  const path = `/cache/${fs.readDir("/cache")![0]!.name}`;
  const atLimit = JSON.stringify({ ...NOTHING_KNOWN, wantsMd5: true }).padEnd(REMEMBERED_BYTES_MAX);
  writeFileUnflushed(fs, random, path, utf8(atLimit));
  assert.equal(openRemembered(place(fs)).facts.wantsMd5, true);
});

Deno.test("Remembered keeps facts for this run when the disk is full", () => {
  const fs = new MemoryFs();
  const full = new Proxy(fs, {
    get: (target, name) =>
      name === "createFile"
        ? () => target.createFile("/no/such/folder/x")
        : Reflect.get(target, name).bind?.(target) ?? Reflect.get(target, name),
  });
  const remembered = openRemembered({ ...place(fs), fs: full });
  remembered.set({ wantsMd5: true });
  assert.equal(remembered.facts.wantsMd5, true);
});
