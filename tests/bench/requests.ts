/** How often the store is asked: what a push or pull costs on a line with a long way. */
import { appendRecords, makeProjectFolders, SMALL, writeCorpus } from "./corpus.ts";
import { bytesText, tableLines } from "./table.ts";
import { type BenchWorld, Computer, trafficOf } from "./world.ts";

/** See `main.ts`. */
export async function benchRequests(world: BenchWorld): Promise<void> {
  const a = new Computer(world, "a");
  const b = new Computer(world, "b");
  const corpus = writeCorpus(a.home, SMALL, Date.now());
  makeProjectFolders(corpus, a.home, b.home);
  await a.setUp();
  const rows: string[][] = [];
  const act = async (name: string, computer: Computer, command: "push" | "pull") => {
    const { requests, bytes } = trafficOf(await computer.do(command, "--json"));
    rows.push([name, String(requests), bytesText((bytes.sent ?? 0) + (bytes.received ?? 0))]);
  };
  await act("first push", a, "push");
  await act("push, nothing new", a, "push");
  await b.setUp(a);
  await act("first pull", b, "pull");
  await act("pull, nothing new", b, "pull");
  appendRecords(corpus.sessions.at(-1)!, 5_000, Date.now());
  await act("push of 5 kB more", a, "push");
  await act("pull of 5 kB more", b, "pull");
  for (const session of corpus.sessions.slice(-20)) appendRecords(session, 20_000, Date.now());
  await act("push of 20 sessions", a, "push");
  await act("pull of 20 sessions", b, "pull");
  world.print(`${corpus.sessions.length} sessions, ${bytesText(corpus.totalBytes)}.`);
  for (const line of tableLines(["action", "requests", "moved"], rows)) world.print(line);
}
