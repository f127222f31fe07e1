/**
 * The account of which stores a run has put through the conformance suite.
 *
 * @module
 */
import process from "node:process";
import { askHost, HOST_VARIABLE, type SharedServers } from "./servers.ts";

/** One store of the report. */
export interface ReportedStore {
  /** The server without which it cannot be tested. */
  readonly needs: keyof SharedServers | null;
}

/** Every store that a whole run tests, in the order of the report. */
export const STORES = {
  folder: { needs: null },
  memory: { needs: null },
  "git on this disk": { needs: null },
  "git over http": { needs: "git-http" },
  "git over ssh": { needs: "sshd" },
  "s3 on rgw": { needs: "rgw" },
  "s3 on swift": { needs: "swift" },
} as const satisfies Record<string, ReportedStore>;

/** Notes that a store has passed one case of the conformance suite. For the end of its test. */
export async function noteTested(store: keyof typeof STORES): Promise<void> {
  if (process.env[HOST_VARIABLE] === undefined) return;
  await askHost(`tested/${encodeURIComponent(store)}`);
}
