/** The `forget` ops for sessions that were chosen: what exactly they name. */
import { toHex } from "../base/bytes.ts";
import type { Random } from "../platform/types.ts";
import { TRANSCRIPT } from "../sessions/file_name.ts";
import { parseSessionId } from "../sessions/session_id.ts";
import type { ForgetOp, ForgottenLeaf } from "../vault/entry_body.ts";
import { FORGOTTEN_LEAVES_MAX } from "../vault/format.ts";
import type { TranscriptLeaf } from "./branch_targets.ts";
import type { ForgetFacts, Forgettable } from "./forget_choice.ts";
import { stateKey } from "./forgotten.ts";
import { scanFile } from "./file_scan.ts";
import { isSettled } from "./local_files.ts";
import { transcriptOf } from "./pull_place.ts";
import { failureOf } from "./push.ts";
import type { FileState, Leaf } from "./segment_index.ts";
import type { OpenVault } from "./vault_access.ts";

/** What one session's `forget` names, by the session that it stands under. */
export type Named = Map<string, ForgottenLeaf[]>;

/** A local transcript whose bytes the vault has not all: it is named as it is here. */
export interface UnsentTranscript {
  readonly session: string;
  readonly path: string;
  readonly state: FileState;
}

/**
 * What is forgotten with `session`: all of it and its branches; of a branch that one continuation,
 * and what is shown as part of it. Errors: those of reading the vault.
 */
export async function namedBy(
  facts: ForgetFacts,
  { id, root }: Pick<Forgettable, "id" | "root">,
): Promise<{ readonly named: Named; readonly members: readonly string[] }> {
  const named: Named = new Map();
  if (id !== root) {
    await nameBranch(facts, named, id, root);
    return { named, members: [id] };
  }
  const stored = await storedBranches(facts, id);
  const shown = [...facts.targets.sessions.values()]
    .filter((session) => session.root === id && session.id !== id);
  for (const session of [id, ...stored]) nameAll(facts.vault, named, session);
  for (const session of shown) nameDerived(facts, named, session.id);
  return { named, members: [id, ...shown.map((session) => session.id)] };
}

async function storedBranches(
  { targets }: ForgetFacts,
  id: string,
): Promise<readonly string[]> {
  const root = parseSessionId(id);
  if (root === null || !targets.branches.isFamily(root)) return [];
  try {
    return (await targets.branches.family(root)).storedBranches;
  } catch (error) {
    // Also what nobody can put together any more can be forgotten.
    failureOf(error, id);
    return [];
  }
}

/** Names every state of every file of a session. */
export function nameAll(vault: OpenVault, named: Named, session: string): void {
  for (const file of vault.index.files(session)) {
    name(named, session, file, vault.forgotten.statesOf(session, file, () => true));
  }
}

async function nameBranch(
  facts: ForgetFacts,
  named: Named,
  id: string,
  root: string,
): Promise<void> {
  const { vault } = facts;
  const leaves = await leavesOfBranch(facts, id, root);
  for (const session of new Set(leaves.map((each) => each.session))) {
    const own = new Set(
      leaves.filter((each) => each.session === session).map(({ leaf }) => stateKey(leaf)),
    );
    const isOwn = (leaf: Leaf) => own.has(stateKey(leaf));
    name(named, session, TRANSCRIPT, vault.forgotten.statesOf(session, TRANSCRIPT, isOwn));
  }
  for (const file of vault.index.files(id)) {
    if (file === TRANSCRIPT) continue;
    name(named, id, file, vault.forgotten.statesOf(id, file, () => true));
  }
  nameDerived(facts, named, id);
}

/**
 * The leaves that the branch `id` is made of, and those that would come to light as a session when
 * these are gone, because they are shown as a part of them now.
 */
async function leavesOfBranch(
  { targets }: ForgetFacts,
  id: string,
  rootId: string,
): Promise<TranscriptLeaf[]> {
  const root = parseSessionId(rootId)!;
  const keyOf = ({ session, leaf }: TranscriptLeaf) => `${session}/${stateKey(leaf)}`;
  const before = await targets.branches.parts(root, () => false);
  const covered = new Set(before.covered.map(keyOf));
  const leaves = [...before.sessions.get(id) ?? []];
  for (;;) {
    const gone = new Set(leaves.map(keyOf));
    const after = await targets.branches.parts(root, (leaf) => gone.has(keyOf(leaf)));
    const shown = [...after.sessions.values()]
      .filter((parts) => parts.every((part) => covered.has(keyOf(part))));
    if (shown.length === 0) return leaves;
    leaves.push(...shown.flat());
  }
}

/** Names what a pull writes of a branch that nobody has stored, so that no machine pushes it. */
function nameDerived({ targets }: ForgetFacts, named: Named, id: string): void {
  const files = targets.sessions.get(parseSessionId(id)!)?.files ?? [];
  for (const target of files) if (target.isDerived) name(named, id, target.name, [target]);
}

function name(
  named: Named,
  session: string,
  file: string,
  states: readonly FileState[],
): void {
  const leaves = named.get(session) ?? [];
  named.set(session, leaves);
  const known = new Set(leaves.filter((leaf) => leaf.file === file).map(stateKey));
  for (const { gen, hash, len } of states) {
    if (!known.has(stateKey({ gen, hash }))) leaves.push({ file, gen, hash, len });
  }
}

/**
 * Names the transcripts of `members` as they are here, where they have bytes that were never sent:
 * they are not sent to be forgotten. Whoever goes on with the session sends them all the same.
 */
export function nameUnsent(
  { vault, local }: ForgetFacts,
  named: Named,
  members: readonly string[],
): UnsentTranscript[] {
  const unsent: UnsentTranscript[] = [];
  const rows = vault.locals.all();
  for (const session of members) {
    const before = new Set(
      vault.forgotten.named(session, TRANSCRIPT).map(({ hash }) => hash),
    );
    for (const copy of local.copies(session)) {
      const { path, stat } = transcriptOf(copy)!;
      const row = rows.get(path);
      const isKnown = (hash: string) =>
        before.has(hash) ||
        named.get(session)?.some((leaf) => leaf.file === TRANSCRIPT && leaf.hash === hash) === true;
      if (row !== undefined && isSettled(row, stat) && isKnown(row.hash)) continue;
      const scan = scanFile(vault.context.platform.fs, path, []);
      if (scan === null || scan.sizeBytes === 0 || isKnown(scan.hash)) continue;
      const { sizeBytes: len, hash } = scan;
      const state = { gen: "", hash, len };
      name(named, session, TRANSCRIPT, [state]);
      unsent.push({ session, path, state });
    }
  }
  return unsent;
}

/** Longest JSON of one op, so that an entry has room for several: 4 MiB. */
const OP_JSON_BYTES_MAX = 4 * 1024 * 1024;
/** JSON of a leaf without its file name. */
const LEAF_JSON_BYTES = 160;
/** What a character of a file name takes at most, when JSON escapes it. */
const CHARACTER_BYTES_MAX = 6;

/**
 * The ops, transcripts first. All have one `id`, so that they are recalled together; a session with
 * very many states is several ops.
 */
export function forgetOps(named: Named, random: Random): ForgetOp[] {
  const id = toHex(random.bytes(16));
  const ops: ForgetOp[] = [];
  for (const [session, all] of named) {
    const isFirst = ({ file }: ForgottenLeaf) => Number(file === TRANSCRIPT);
    let leaves: ForgottenLeaf[] = [];
    let bytes = 0;
    for (const leaf of all.toSorted((a, b) => isFirst(b) - isFirst(a))) {
      const more = LEAF_JSON_BYTES + CHARACTER_BYTES_MAX * leaf.file.length;
      if (leaves.length === FORGOTTEN_LEAVES_MAX || bytes + more > OP_JSON_BYTES_MAX) {
        ops.push({ op: "forget", id, session, leaves });
        [leaves, bytes] = [[], 0];
      }
      leaves.push(leaf);
      bytes += more;
    }
    if (leaves.length > 0) ops.push({ op: "forget", id, session, leaves });
  }
  return ops;
}

/** Cuts ops into what one entry takes: together no more than three of the largest ones. */
export function entriesOf(ops: readonly ForgetOp[]): ForgetOp[][] {
  const entries: ForgetOp[][] = [];
  let room = 0;
  for (const op of ops) {
    const bytes = op.leaves.reduce(
      (sum, { file }) => sum + LEAF_JSON_BYTES + CHARACTER_BYTES_MAX * file.length,
      LEAF_JSON_BYTES,
    );
    if (bytes > room) {
      entries.push([]);
      room = 3 * OP_JSON_BYTES_MAX;
    }
    entries.at(-1)!.push(op);
    room -= bytes;
  }
  return entries;
}
