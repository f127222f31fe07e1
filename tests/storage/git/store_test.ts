import { storeCases } from "../../conformance/store_cases.ts";
import { withGitWorld } from "./git_world.ts";

for (const { name, run } of storeCases()) {
  Deno.test(`openGitStore on a local repository: ${name}`, () =>
    withGitWorld(async (world) => {
      await run(await world.open("a", { create: true }));
    }));
}
