/**
 * The host of the servers that tests share: starts each when the first test asks for it, keeps
 * account of what was tested, and ends them all.
 *
 * @module
 */
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { type ReportedStore, STORES } from "./stores.ts";
import { SHARED_SERVERS, type SharedServers } from "./servers.ts";

type Name = keyof SharedServers;
type Running = Awaited<ReturnType<(typeof SHARED_SERVERS)[Name]["start"]>>;

/** A running host. */
export interface ServerHost {
  /** What goes into CLAUDE_SYNC_TEST_SERVERS_AT. */
  readonly origin: string;
  /** One line for each server and store. */
  report(): string[];
  /** Stores of the table that no test has spoken for. */
  untested(): string[];
  /** Ends every server that was started. */
  close(): Promise<void>;
}

/** Starts a host; it has started no server yet. */
export async function startServerHost(): Promise<ServerHost> {
  const servers = new Map<Name, { running: Promise<Running>; state: string }>();
  const tested = new Map<string, number>();

  const serverFor = (name: Name): Promise<Running> => {
    const known = servers.get(name);
    if (known !== undefined) return known.running;
    const startMs = performance.now();
    const entry = { running: SHARED_SERVERS[name].start(), state: "was starting" };
    servers.set(name, entry);
    entry.running.then(
      () => entry.state = `used, started in ${Math.round(performance.now() - startMs)} ms`,
      () => entry.state = "did not start",
    );
    return entry.running;
  };

  const answer = async (path: string): Promise<{ status: number; text: string }> => {
    const [, action, name = ""] = path.split("/").map(decodeURIComponent);
    if (action === "tested") {
      tested.set(name, (tested.get(name) ?? 0) + 1);
      return { status: 200, text: "true" };
    }
    if (action !== "start" || !Object.hasOwn(SHARED_SERVERS, name)) {
      return { status: 404, text: "no such" };
    }
    try {
      return { status: 200, text: JSON.stringify(await serverFor(name as Name)) };
    } catch (error) {
      return { status: 500, text: `Cannot start ${name}: ${error}` };
    }
  };

  const http = createServer((request, response) => {
    request.resume();
    answer(request.url ?? "").then(({ status, text }) => {
      response.writeHead(status, { connection: "close" }).end(text);
    });
  });
  await new Promise<void>((done) => http.listen(0, "127.0.0.1", done));

  const storeLine = (name: string, { needs }: ReportedStore) => {
    const cases = tested.get(name);
    if (cases !== undefined) return `store ${name}: tested, ${cases} cases`;
    const reason = needs === null ? null : SHARED_SERVERS[needs].whyAbsent();
    return `store ${name}: ${reason === null ? "not tested in this run" : `skipped, ${reason}`}`;
  };
  const serverLine = (name: Name) => {
    const reason = SHARED_SERVERS[name].whyAbsent();
    const unused = reason === null ? "not needed in this run" : `absent, ${reason}`;
    return `server ${name}: ${servers.get(name)?.state ?? unused}`;
  };
  return {
    origin: `http://127.0.0.1:${(http.address() as AddressInfo).port}`,
    report: () => [
      ...(Object.keys(SHARED_SERVERS) as Name[]).map(serverLine),
      ...Object.entries(STORES).map(([name, store]) => storeLine(name, store)),
    ],
    untested: () => Object.keys(STORES).filter((name) => !tested.has(name)),
    close: async () => {
      await closeHttp(http);
      const started = [...servers.values()].map(({ running }) => running);
      const outcomes = await Promise.allSettled(started);
      await Promise.all(outcomes.map(async (outcome) => {
        if (outcome.status === "fulfilled") await outcome.value.stop();
      }));
    },
  };
}

async function closeHttp(server: Server): Promise<void> {
  await new Promise<void>((done) => {
    server.close(() => done());
    server.closeAllConnections();
  });
}
