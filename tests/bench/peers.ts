/** Other tools that store files encrypted, as Debian packages them. */
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { measure, type Measured, measureMemory } from "./measure.ts";

/** How a tool does what our first push and first pull do. */
export interface Peer {
  readonly name: string;
  /** Programs it needs, each with what makes it print its version. */
  readonly programs: readonly (readonly [program: string, argument: string])[];
  /** Stores `source` in `<dir>/store` and restores it below `<dir>/out`. */
  run(source: string, dir: string): Promise<{ push: Measured; pull: Measured }>;
}

/** Why a peer cannot be measured here; null when it can. */
export async function peerProblem(peer: Peer): Promise<string | null> {
  for (const [program, argument] of peer.programs) {
    try {
      await measure({ command: [program, argument] });
    } catch (_absent) {
      return `${program} is not installed`;
    }
  }
  return null;
}

/** Runs a line of shell in `dir`; `$1` is `argument`. */
function shell(dir: string, line: string, argument = "", env: Record<string, string> = {}) {
  const command = ["/bin/sh", "-c", `set -e; ${line}`, "sh", argument] as const;
  return measureMemory({ command: [...command], cwd: dir, env: { HOME: dir, ...env } }, dir);
}

const RESTIC: Peer = {
  name: "restic",
  programs: [["restic", "version"]],
  async run(source, dir) {
    mkdirSync(dir, { recursive: true });
    const env = {
      RESTIC_PASSWORD: "for this benchmark only",
      RESTIC_REPOSITORY: join(dir, "store"),
    };
    await shell(dir, "restic init", "", env);
    const push = await shell(dir, 'cd "$1" && exec restic --no-cache backup .', source, env);
    const pull = await shell(dir, "exec restic --no-cache restore latest --target out", "", env);
    return { push, pull };
  },
};

const BORG: Peer = {
  name: "borg",
  programs: [["borg", "--version"]],
  async run(source, dir) {
    mkdirSync(join(dir, "out"), { recursive: true });
    const env = { BORG_PASSPHRASE: "for this benchmark only", BORG_REPO: join(dir, "store") };
    await shell(dir, "borg init --encryption=repokey", "", env);
    const push = await shell(dir, 'cd "$1" && exec borg create -C zstd,3 ::a .', source, env);
    const pull = await shell(dir, "cd out && exec borg extract ::a", "", env);
    return { push, pull };
  },
};

const TAR: Peer = {
  name: "tar | zstd | age",
  programs: [["tar", "--version"], ["zstd", "--version"], ["age", "--version"]],
  async run(source, dir) {
    for (const name of ["store", "out"]) mkdirSync(join(dir, name), { recursive: true });
    await shell(dir, "age-keygen -o key 2>public");
    const recipient = "-r $(sed 's/^.*: //' public)";
    const push = await shell(
      dir,
      `tar -C "$1" -c . | zstd -3 | age ${recipient} >store/all`,
      source,
    );
    const pull = await shell(dir, "age -d -i key store/all | zstd -d | tar -C out -x");
    return { push, pull };
  },
};

/** All peers. Those that are not installed are left out. */
export const PEERS: readonly Peer[] = [RESTIC, BORG, TAR];
