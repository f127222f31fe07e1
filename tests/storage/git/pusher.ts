/** A machine that pushes until it is killed. Run by `killed_process_test.ts`. */
import process from "node:process";
import { itemsOf, one, patterned } from "../../conformance/objects.ts";
import { GitWorld } from "./git_world.ts";

const [folder, first] = process.argv.slice(2);
const store = await new GitWorld(folder!).open("pusher");
for (let number = Number(first);; number++) {
  await store.putAll(itemsOf([`packs/${number}`, patterned(500_000)], [`log/${number}`, one]));
  console.log(`log/${number}`);
}
