/**
 * Kills the real program before each single call to the system that changes the disk, in init, push
 * and pull, with the vault in a folder and in a Git repository.
 */
import { checkAfter, sessionsOf, Stage } from "../support/kill_stage.ts";
import { killAtSteps, stepsOf, stepTest } from "../support/kill_steps.ts";
import { inTempDir } from "../support/sync_machine.ts";

/** For each command and place, so that all together stay under a minute. */
const BUDGET_MS = 8_000;

for (const place of ["--dir", "--git"] as const) {
  for (const command of ["init", "push", "pull"] as const) {
    const name = `${command} with ${place} may be killed before every call to the system`;
    stepTest(name, inTempDir, async (dir) => {
      const stage = new Stage(dir, place, command);
      stage.prepare();
      const steps = stepsOf(stage.killable);
      let old = new Map<string, string>();
      const said = await killAtSteps(stage.killable, steps, { ms: BUDGET_MS }, {
        prepare: () => {
          stage.restore();
          old = sessionsOf(stage.target);
        },
        check: (what) => checkAfter(stage, old, what),
      });
      console.log(`${command} ${place}: ${said}`);
    });
  }
}
