/**
 * Ports for servers that cannot be told to take any free one.
 *
 * @module
 */
import { randomInt } from "node:crypto";
import { createServer } from "node:net";

// Below the range from which systems give ports to clients, so that no connection takes one of
// these between here and the server's start.
const PORT_MIN = 20_000;
const PORT_MAX = 32_000;

const ATTEMPTS_MAX = 100;

const given = new Set<number>();

/** A port of 127.0.0.1 that nobody listens on, and that this process has not given out before. */
export async function freePort(): Promise<number> {
  for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
    const port = randomInt(PORT_MIN, PORT_MAX);
    if (given.has(port) || !(await isFree(port))) continue;
    given.add(port);
    return port;
  }
  throw new Error(`No free port was found in ${ATTEMPTS_MAX} attempts`);
}

function isFree(port: number): Promise<boolean> {
  return new Promise((done) => {
    const server = createServer();
    server.on("error", () => done(false));
    server.listen(port, "127.0.0.1", () => server.close(() => done(true)));
  });
}
