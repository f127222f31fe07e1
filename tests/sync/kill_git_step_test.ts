/**
 * Kills the programs of Git that init, push and pull run (`fast-import`, `fetch`, `update-ref`, and
 * what a push starts on the other side) before each single call of theirs that changes the disk:
 * files are old or new, the vault is good, and the next sync completes.
 */
import assert from "node:assert/strict";
import { join } from "node:path";
import { removeLocks, WatchedGit } from "../support/git_steps.ts";
import { checkAfter, type Command, sessionsOf, Stage } from "../support/kill_stage.ts";
import { atSteps, stepTest, TAKES_ALL } from "../support/kill_steps.ts";
import { inMemoryDir } from "../support/sync_machine.ts";

/** What takes less time than all of it, which is for nights, meets the command that writes most. */
const COMMANDS: readonly Command[] = TAKES_ALL ? ["init", "push", "pull"] : ["push"];
const BUDGET_MS = 3_000;

for (const command of COMMANDS) {
  stepTest(
    `Git may be killed before every call to the system in ${command}`,
    inMemoryDir,
    async (dir) => {
      const stage = new Stage(dir, "--git", command);
      stage.prepare();
      const git = new WatchedGit(join(dir, "git"));
      const { run, below } = stage.killable;
      const steps = git.stepsOf(run, below);
      const told = await atSteps(steps, { ms: BUDGET_MS }, (step) => {
        stage.restore();
        const old = sessionsOf(stage.target);
        const { killed, text } = git.kill(step, run);
        const what = `git ${step.command} killed at ${step.call} ${step.nth}`;
        assert.doesNotMatch(text, /\[(bug|no-vault)\]/, what);
        removeLocks(join(below, "vault"), run);
        checkAfter(stage, old, what);
        return Promise.resolve(killed);
      });
      const commands = [...new Set(steps.map((step) => step.command))];
      console.log(`git in ${command}: ${told} of ${commands.sort().join(" ")}`);
    },
  );
}
