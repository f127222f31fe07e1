/** The first push and the first pull on a new machine, beside other tools on the same files. */
import { rmSync } from "node:fs";
import { join } from "node:path";
import { type CorpusShape, LARGE, makeProjectFolders, SMALL, writeCorpus } from "./corpus.ts";
import { median } from "./measure.ts";
import { type Peer, peerProblem, PEERS } from "./peers.ts";
import { bytesText, memoryText, speedText, tableLines, timeText } from "./table.ts";
import { type BenchWorld, Computer, folderBytes } from "./world.ts";

/** What takes seconds is repeated this often. */
const REPEATS = 3;

interface Outcome {
  readonly pushMs: number;
  readonly pullMs: number;
  readonly peakBytes: number | null;
  readonly storedBytes: number;
}

/** See `main.ts`. */
export async function benchFirst(world: BenchWorld): Promise<void> {
  await benchCorpus({ ...world, dir: join(world.dir, "small") }, SMALL);
  if (world.large) await benchCorpus({ ...world, dir: join(world.dir, "large") }, LARGE);
  else world.print("(1 GB and 2,000 sessions: with --large)");
}

async function benchCorpus(world: BenchWorld, shape: CorpusShape): Promise<void> {
  const a = new Computer(world, "a");
  const corpus = writeCorpus(a.home, shape, Date.now());
  const { print } = world;
  print(
    `${corpus.sessions.length} sessions, ${corpus.files} files, ${bytesText(corpus.totalBytes)}; ` +
      `medians of ${REPEATS} runs.`,
  );
  const peers: Peer[] = [];
  for (const peer of PEERS) {
    const problem = await peerProblem(peer);
    if (problem === null) peers.push(peer);
    else print(`${peer.name} left out: ${problem}`);
  }
  const outcomes = new Map<string, Outcome[]>();
  const add = (name: string, outcome: Outcome) =>
    outcomes.set(name, [...(outcomes.get(name) ?? []), outcome]);
  // In turn, so that a drift of the machine's speed meets all.
  for (let repeat = 0; repeat < REPEATS; repeat++) {
    add("claude-sync", await ours(world, a, (b) => makeProjectFolders(corpus, a.home, b.home)));
    for (const peer of peers) add(peer.name, await theirs(world, peer, a));
  }
  const rows = [...outcomes].map(([name, runs]) => {
    const [pushMs, pullMs] = [median(runs.map((r) => r.pushMs)), median(runs.map((r) => r.pullMs))];
    const peaks = runs.flatMap(({ peakBytes }) => peakBytes ?? []);
    return [
      name,
      timeText(pushMs),
      speedText(corpus.totalBytes, pushMs),
      timeText(pullMs),
      speedText(corpus.totalBytes, pullMs),
      memoryText(peaks.length === 0 ? null : Math.max(...peaks)),
      bytesText(median(runs.map(({ storedBytes }) => storedBytes))),
    ];
  });
  const head = ["tool", "first push", "", "first pull", "", "memory", "stored"];
  for (const line of tableLines(head, rows)) print(line);
}

async function ours(
  world: BenchWorld,
  a: Computer,
  makeFolders: (b: Computer) => void,
): Promise<Outcome> {
  const b = new Computer(world, "b");
  makeFolders(b);
  await a.setUp();
  const push = await a.doMeasured("push");
  await b.setUp(a);
  const pull = await b.doMeasured("pull");
  const storedBytes = a.storedBytes();
  for (const left of [b.home, join(a.home, ".claude-sync"), join(world.dir, "vault")]) {
    rmSync(left, { recursive: true });
  }
  return { pushMs: push.ms, pullMs: pull.ms, peakBytes: largest(push, pull), storedBytes };
}

async function theirs(world: BenchWorld, peer: Peer, a: Computer): Promise<Outcome> {
  const dir = join(world.dir, "peer");
  const outcome = await peer.run(join(a.home, ".claude"), dir);
  const storedBytes = folderBytes(join(dir, "store"));
  rmSync(dir, { recursive: true });
  const { push, pull } = outcome;
  return { pushMs: push.ms, pullMs: pull.ms, peakBytes: largest(push, pull), storedBytes };
}

function largest(...runs: readonly { readonly peakBytes: number | null }[]): number | null {
  const peaks = runs.flatMap(({ peakBytes }) => peakBytes ?? []);
  return peaks.length === 0 ? null : Math.max(...peaks);
}
