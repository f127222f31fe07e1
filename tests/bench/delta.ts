/** One more turn in a huge session: what is sent, asked, waited for and held in memory. */
import { appendRecords, writeOneSession } from "./corpus.ts";
import { type Measured, median } from "./measure.ts";
import { bytesText, memoryText, tableLines, timeText } from "./table.ts";
import { type BenchWorld, Computer, trafficOf } from "./world.ts";

const SESSION_BYTES = 50e6;
const ADDED_BYTES = 100e3;

/** See `main.ts`. */
export async function benchDelta(world: BenchWorld): Promise<void> {
  const a = new Computer(world, "a");
  const b = new Computer(world, "b");
  const session = writeOneSession(a.home, SESSION_BYTES, Date.now());
  await a.setUp();
  await a.do("push");
  await b.setUp(a);
  await b.do("pull", "--all");
  const pushes: Measured[] = [];
  const pulls: Measured[] = [];
  let added = 0;
  for (let round = 0; round < world.rounds; round++) {
    added = appendRecords(session, ADDED_BYTES, Date.now());
    pushes.push(await a.doMeasured("push", "--json"));
    pulls.push(await b.doMeasured("pull", "--json"));
  }
  const row = (
    name: string,
    runs: readonly Measured[],
    moved: "sent" | "received",
    target: string,
  ) => {
    const traffic = runs.map(trafficOf);
    const peaks = runs.flatMap(({ peakBytes }) => peakBytes ?? []);
    return [
      name,
      bytesText(median(traffic.map(({ bytes }) => bytes[moved] ?? 0))),
      String(median(traffic.map(({ requests }) => requests))),
      timeText(median(runs.map(({ ms }) => ms))),
      memoryText(peaks.length === 0 ? null : Math.max(...peaks)),
      target,
    ];
  };
  const rows = [
    row("push", pushes, "sent", "< 80 kB"),
    row("pull", pulls, "received", ""),
  ];
  const facts = `${bytesText(SESSION_BYTES)} and ${bytesText(added)} more`;
  world.print(`A session of ${facts}; medians of ${world.rounds} runs.`);
  const head = ["action", "moved", "requests", "time", "memory", "target"];
  for (const line of tableLines(head, rows)) world.print(line);
}
