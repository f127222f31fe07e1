/**
 * Kills the real program before each single call to the system that changes the disk, in what is
 * not done every day, with the vault in a folder; see `kill_upkeep_stage.ts`.
 */
import { stepTest } from "../support/kill_steps.ts";
import { killProgram, SCENARIOS, Stage } from "../support/kill_upkeep_stage.ts";
import { inMemoryDir } from "../support/sync_machine.ts";

/** For each scenario, so that all together stay under half a minute. */
const BUDGET = { ms: 2_500 };

for (const scenario of SCENARIOS) {
  const { name } = scenario;
  stepTest(`${name} may be killed before every call to the system`, inMemoryDir, async (dir) => {
    console.log(`${name}: ${await killProgram(new Stage(dir, scenario, "folder"), BUDGET)}`);
  });
}
