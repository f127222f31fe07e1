import assert from "node:assert/strict";
import { CHANGES, faultyFs, LOOKS } from "./faulty_fs.ts";
import { MemoryFs } from "./memory_fs.ts";

Deno.test("every call of a disk and of its handles either changes or looks", () => {
  const disk = faultyFs(new MemoryFs(), { failNth: Infinity });
  const written = disk.createFile("/file");
  const read = disk.openRead("/file")!;
  const calls = [disk, written, read].flatMap((object) =>
    Object.entries(object).filter(([, value]) => typeof value === "function").map(([name]) => name)
  );
  const listed = [...CHANGES, ...LOOKS];
  assert.equal(new Set(listed).size, listed.length, "no call is in both lists");
  const missing = calls.filter((name) => name !== "close" && !listed.includes(name));
  assert.deepEqual(missing, [], "calls that no run of faults would ever break");
  for (const handle of [written, read]) handle.close();
});

for (const effect of ["before", "after"] as const) {
  Deno.test(`openAppend fails ${effect} its effect in a plan that breaks changes`, () => {
    const memory = new MemoryFs();
    memory.createFile("/file").close();
    const plan = { failNth: 1, from: "then-on", effect, calls: CHANGES } as const;
    const disk = faultyFs(memory, plan);
    assert.throws(() => disk.openAppend("/file"), { code: "local-io" });
    assert.equal(disk.failed, 1);
  });
}
