import { storeCases } from "../../conformance/store_cases.ts";
import { noteTested } from "../../servers/stores.ts";
import { withGitWorld } from "./git_world.ts";

Deno.test("openGitStore on a disk keeps every promise", async (t) => {
  for (const [index, { name, run }] of storeCases().entries()) {
    await t.step(name, () =>
      withGitWorld(async (world) => {
        // Both forms of address, in turn.
        const url = index % 2 === 0 ? world.repository : `file://${world.repository}`;
        await run(await world.open("a", { url, create: true }));
      }));
  }
  await noteTested("git on this disk");
});
