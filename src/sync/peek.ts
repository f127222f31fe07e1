/**
 * What a pull would do with what this machine already knows of the vault: planned as a pull does
 * it, without asking the store and without changing anything.
 */
import { fromHex } from "../base/bytes.ts";
import type { Epoch } from "../crypto/root_key.ts";
import { ClaudeSyncError } from "../errors.ts";
import type { Discovery } from "../sessions/discover.ts";
import type { ObjectStore } from "../storage/object_store.ts";
import { HeldBodies } from "../vault/held_body.ts";
import type { EntryOpener } from "../vault/log_reader.ts";
import { VaultStore } from "../vault/sealed_store.ts";
import { SegmentReader } from "../vault/segment_reader.ts";
import { withMeter } from "../storage/with_meter.ts";
import type { Config } from "./home.ts";
import { type LocalFileRow, LocalFiles } from "./local_files.ts";
import { ProjectFinder } from "./projects.ts";
import { LocalView } from "./pull_place.ts";
import { PullPlanner, type UnplacedSession } from "./pull_plan.ts";
import { computeTargets, type SessionTarget } from "./targets.ts";
import type { LocalState, OpenVault } from "./vault_access.ts";

/** What the vault has and this machine has not. */
export interface VaultNews {
  /** Every session of the vault, branches that nobody has stored included. */
  readonly sessions: ReadonlyMap<string, SessionTarget>;
  /** See `Targets.covered`. */
  readonly covered: ReadonlySet<string>;
  /** Sessions that a pull would write, or would if they were not open. */
  readonly unreceived: ReadonlySet<string>;
  /** Sessions that only the vault's bytes can decide. */
  readonly undecided: ReadonlySet<string>;
  readonly unplaced: readonly UnplacedSession[];
  /** Sessions that a plain pull leaves in the vault. */
  readonly archived: readonly SessionTarget[];
}

/** Looks at what is known. `discovery`: what is here. Errors: `local-io`. */
export async function peekNews(
  local: LocalState,
  config: Config,
  epoch: Epoch,
  discovery: Discovery,
): Promise<VaultNews> {
  const vault = withoutStore(local, config, epoch);
  const targets = await computeTargets(vault);
  const view = new LocalView(vault, discovery);
  const projects = new ProjectFinder(vault.context.platform, vault.index);
  const plan = await new PullPlanner(vault, view, projects, { ids: null, all: false }).plan(
    targets,
  );
  const unreceived = new Set<string>();
  for (const { writes } of plan.families) {
    for (const each of writes) unreceived.add(each.session.id);
  }
  for (const { id } of [...plan.waiting, ...plan.pushFirst]) unreceived.add(id);
  const undecided = new Set(plan.failures.flatMap(({ sessionId }) => sessionId ?? []));
  const { unplaced, archived } = plan;
  const { sessions, covered } = targets;
  return { sessions, covered, unreceived, undecided, unplaced, archived };
}

function withoutStore(local: LocalState, config: Config, epoch: Epoch): OpenVault {
  const store = withMeter(NO_STORE);
  const vaultId = fromHex(config.vaultId)!;
  const { signal } = local.context;
  const bodies = new HeldBodies();
  const opener: EntryOpener = { store: new VaultStore(store), epoch, vaultId, signal, bodies };
  const signKeyOf = (tag: string) =>
    local.index.machines().find((machine) => machine.tag === tag)?.sign ?? null;
  const reader = new SegmentReader(opener, signKeyOf);
  const locals = new UnchangedFiles(local);
  return { ...local, locals, config, epoch, vaultId, store, opener, reader };
}

/** A look is no proof that is worth remembering: another process may be at work. */
class UnchangedFiles extends LocalFiles {
  readonly #all: LocalFiles["all"];

  constructor({ database, locals }: LocalState) {
    super(database);
    this.#all = () => locals.all();
  }

  /** One table of them is enough. */
  override all(): ReadonlyMap<string, LocalFileRow> {
    return this.#all();
  }

  override remember(): void {}

  override doubt(): void {}

  override rememberWorkingFolders(): void {}
}

function unasked(): never {
  throw new ClaudeSyncError("local-io", "The store is not asked");
}

const NO_STORE: ObjectStore = {
  label: "none",
  concurrency: 1,
  isBatching: false,
  get: unasked,
  put: unasked,
  putAll: unasked,
  list: unasked,
  delete: unasked,
};
