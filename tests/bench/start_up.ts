/** What the user waits for most often: the program's start, and syncs with nothing to do. */
import { statSync } from "node:fs";
import { MANY, writeCorpus } from "./corpus.ts";
import { measurePaired, type Run } from "./measure.ts";
import { PLANS, PROMPTS, writeShelves } from "./shelves.ts";
import { bytesText, tableLines, timeText } from "./table.ts";
import { type BenchWorld, Computer } from "./world.ts";

/** What is run, under which name, and how long it may take. */
type Action = readonly [name: string, run: Run, target: string];

/** See `main.ts`. */
export async function benchStartUp(world: BenchWorld): Promise<void> {
  const computer = new Computer(world, "a");
  const corpus = writeCorpus(computer.home, MANY, Date.now());
  await computer.setUp();
  await computer.do("push");
  const session = corpus.sessions[0]!;
  const hookInput = JSON.stringify({
    session_id: session.id,
    transcript_path: session.path,
    cwd: session.project.cwd,
    hook_event_name: "SessionEnd",
    reason: "other",
  });
  const actions: Action[] = [
    ["hook session-end", { ...computer.run("hook", "session-end"), stdin: hookInput }, "≤ 2.0x"],
    ["version", computer.run("version"), ""],
    ["status", computer.run("status"), ""],
    ["push, nothing new", computer.run("push"), "< 100 ms"],
    ["pull, nothing new", computer.run("pull"), "< 100 ms"],
  ];
  const rows = await measureAll(world, computer, actions);
  writeShelves(computer.home, corpus, Date.now());
  await computer.do("push");
  rows.push(
    ...await measureAll(world, computer, [
      ["push, nothing new, with plans etc.", computer.run("push"), "< 100 ms"],
      ["pull, nothing new, with plans etc.", computer.run("pull"), "< 100 ms"],
    ]),
  );
  const { print } = world;
  const size = (path: string) => bytesText(statSync(path).size);
  print(`Program ${size(world.program)}, an empty one ${size(world.emptyProgram)}.`);
  print(
    `${corpus.sessions.length} sessions, ${bytesText(corpus.totalBytes)}, vault in a folder; ` +
      `medians of ${world.rounds} runs, in turn with the empty program.`,
  );
  print(`With plans etc.: ${PLANS} plans, ${corpus.cwds.length} memories, ${PROMPTS} prompts.`);
  const head = ["action", "time", "empty", "ratio", "target"];
  for (const line of tableLines(head, rows)) print(line);
}

async function measureAll(
  world: BenchWorld,
  computer: Computer,
  actions: readonly Action[],
): Promise<string[][]> {
  const rows: string[][] = [];
  for (const [name, run, target] of actions) {
    const empty: Run = { command: [world.emptyProgram] };
    const settle = () => computer.idle();
    const { medianMs, baselineMs, ratio } = await measurePaired(run, empty, world.rounds, settle);
    const cells = [timeText(medianMs), timeText(baselineMs), `${ratio.toFixed(2)}x`, target];
    rows.push([name, ...cells]);
  }
  return rows;
}
