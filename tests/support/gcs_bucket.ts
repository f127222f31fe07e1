/** Buckets of the fake of Google Cloud Storage for tests, opened as the program opens them. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { nodePlatform } from "../../src/platform/node.ts";
import type { Host, Http, Platform } from "../../src/platform/types.ts";
import type { LocationOf } from "../../src/storage/location.ts";
import type { ObjectStore } from "../../src/storage/object_store.ts";
import { openStore, type OpenStoreOptions } from "../../src/storage/open.ts";
import { writeFileSync } from "node:fs";
import type { GcsFake } from "../servers/gcs_fake.ts";

/** How a test's place differs from the usual. */
export interface GcsPlaceOptions {
  readonly location?: Partial<LocationOf<"gcs">>;
  readonly env?: Readonly<Record<string, string>>;
  readonly open?: Partial<OpenStoreOptions>;
  readonly platform?: Partial<Platform>;
}

/** A place at the fake, and a home folder without anybody's credentials in it. */
export interface GcsPlace extends AsyncDisposable {
  readonly home: string;
  readonly notes: string[];
  /** Writes a credential file; gives its path. */
  writeFile(name: string, value: unknown): string;
  open(options?: GcsPlaceOptions): Promise<ObjectStore>;
}

/** Real platform, except that Google's addresses lead to the fake and the home is empty. */
export function gcsPlace(fake: GcsFake, defaults: GcsPlaceOptions = {}): GcsPlace {
  const home = mkdtempSync(join(tmpdir(), "css-gcs-"));
  const notes: string[] = [];
  return {
    home,
    notes,
    writeFile(name, value) {
      const path = join(home, name);
      writeFileSync(path, JSON.stringify(value));
      return path;
    },
    open(options = {}) {
      const location = {
        kind: "gcs" as const,
        bucket: "bucket",
        prefix: "",
        auth: "oauth" as const,
        endpoint: null,
        ...defaults.location,
        ...options.location,
      };
      const real = nodePlatform();
      const env = { ...defaults.env, ...options.env };
      return openStore(location, {
        platform: {
          ...real,
          host: emptyHost(real.host, home, env),
          http: rerouted(real.http, fake),
          ...defaults.platform,
          ...options.platform,
        },
        cacheDir: join(home, "cache"),
        note: (message) => void notes.push(message),
        ...defaults.open,
        ...options.open,
      });
    },
    [Symbol.asyncDispose]() {
      rmSync(home, { recursive: true, force: true });
      return Promise.resolve();
    },
  };
}

/** HTTP whose requests to Google's addresses reach the fake; to others they must not be made. */
function rerouted(http: Http, fake: GcsFake): Http {
  return { request: (request) => http.request({ ...request, url: fake.reroute(request.url) }) };
}

function emptyHost(host: Host, home: string, env: Readonly<Record<string, string>>): Host {
  return {
    os: host.os,
    arch: host.arch,
    pid: host.pid,
    home,
    hostname: host.hostname,
    uid: host.uid,
    executable: host.executable,
    cwd: () => home,
    env: (name) => ({ NO_GCE_CHECK: "true", ...env })[name] || undefined,
    process: (pid) => host.process(pid),
  };
}
