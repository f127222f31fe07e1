/**
 * Like `kill_upkeep_test.ts`, with the vault in a Git repository, and with Git's own processes
 * killed instead of the program. That takes its time: only a little of it is done unless
 * `CLAUDE_SYNC_KILL_STEPS=all`.
 */
import assert from "node:assert/strict";
import { join } from "node:path";
import { removeLocks, WatchedGit } from "../support/git_steps.ts";
import { atSteps, stepTest, TAKES_ALL } from "../support/kill_steps.ts";
import { killProgram, SCENARIOS, Stage } from "../support/kill_upkeep_stage.ts";
import { inMemoryDir } from "../support/sync_machine.ts";

const BUDGET = { ms: 0, stepsMin: 2 };

async function killGit(stage: Stage, dir: string): Promise<string> {
  await stage.prepare();
  const git = new WatchedGit(join(dir, "git"));
  const { run, below } = stage.killable;
  const steps = git.stepsOf(run, below);
  return await atSteps(steps, BUDGET, async (step) => {
    stage.restore();
    const { killed, text } = git.kill(step, run);
    const what = `git ${step.command} killed at ${step.call} ${step.nth}`;
    assert.doesNotMatch(text, /\[(bug|no-vault)\]/, what);
    removeLocks(join(below, "vault"), run);
    await stage.check(what);
    return killed;
  });
}

for (const scenario of SCENARIOS.filter(({ inGit }) => TAKES_ALL || inGit === "always")) {
  const { name } = scenario;
  stepTest(`${name}, in Git, may be killed before every call`, inMemoryDir, async (dir) => {
    const told = await killProgram(new Stage(dir, scenario, "git"), BUDGET);
    console.log(`${name}, in Git: ${told}`);
  });
}

for (const scenario of SCENARIOS.filter(({ inGit }) => TAKES_ALL && inGit !== undefined)) {
  const { name } = scenario;
  stepTest(`Git may be killed before every call in ${name}`, inMemoryDir, async (dir) => {
    console.log(`Git in ${name}: ${await killGit(new Stage(dir, scenario, "git"), dir)}`);
  });
}
