/** What only this machine's file of a session has, what only the vault, and what branches say. */
import { ClaudeSyncError } from "../errors.ts";
import { TRANSCRIPT } from "../sessions/file_name.ts";
import { LineCutter, type TextLine } from "../sessions/line_cutter.ts";
import { LineJoiner } from "../sessions/line_pieces.ts";
import { isSaidOutside, LineTally, toldLine, type ToldRecord } from "../sessions/record_diff.ts";
import { spokenRecord } from "../sessions/spoken_records.ts";
import { extendFacts, NO_FACTS, type TranscriptFacts } from "../sessions/transcript_facts.ts";
import type { SyncContext } from "./api.ts";
import { windows } from "./file_scan.ts";
import { type Run, withFreshVault } from "./fresh_vault.ts";
import type { DiffBranch, DiffResult, DiffSide } from "./history_api.ts";
import { transcriptOf } from "./pull_place.ts";
import { type ChoiceFacts, choiceFacts, chooseNamed } from "./restore_choice.ts";
import type { SessionTarget } from "./targets.ts";
import type { OpenVault } from "./vault_access.ts";
import { statePieces } from "./vault_content.ts";
import { targetTranscript } from "./versions.ts";

/** See `SyncService.diff`. Changes nothing. Errors: `not-found`, `ambiguous`, those of reading. */
export function diffSession(
  context: SyncContext,
  queries: readonly string[],
): Promise<DiffResult> {
  return withFreshVault(context, "left", (run) => diff(run, queries));
}

async function diff({ vault, meter }: Run, queries: readonly string[]): Promise<DiffResult> {
  const facts = await choiceFacts(vault);
  const { targets } = facts;
  const ids = [...await chooseNamed(facts, queries, facts.local.ids())];
  const [id] = ids;
  if (id === undefined || ids.length > 1) {
    throw new ClaudeSyncError("usage", "One session is compared at a time", {
      hint: "Give the beginning of one id; see: claude-sync list",
    });
  }
  const target = targets.sessions.get(id);
  const readStored = target === undefined ? null : readerOf(facts, target);
  const [storedLines, hereLines] = [new LineTally(), new LineTally()];
  const said = new Set<string>();
  const stored = readStored === null ? null : await lookAt(readStored, (line) => {
    storedLines.add(line);
    const record = spokenRecord(line.text, line.start);
    if (record !== null) said.add(record.hash);
  });
  const onlyHere: ToldRecord[] = [];
  const path = herePath(facts, id);
  const here = path === null ? null : await lookAt(fileReader(vault, path), (line) => {
    hereLines.add(line);
    if (!storedLines.takeAway(line)) onlyHere.push(toldLine(line));
  });
  const onlyVault: ToldRecord[] = [];
  if (readStored !== null) {
    await lookAt(readStored, (line) => {
      if (!hereLines.takeAway(line)) onlyVault.push(toldLine(line));
    });
  }
  const branches = stored === null ? [] : await branchesOf(facts, id, said);
  const { requests, ms } = meter.sinceLast();
  return {
    id,
    title: (here ?? stored)?.facts.title ?? null,
    here: here === null ? null : sideOf(here, path),
    vault: stored === null ? null : sideOf(stored, null),
    isForgotten: stored === null && vault.forgotten.isSession(id),
    common: hereLines.lines - onlyHere.length,
    onlyHere,
    onlyVault,
    branches,
    requests,
    ms,
  };
}

/** Gives a transcript's bytes in order, each gone after the call; false when it is not there. */
type Read = (put: (bytes: Uint8Array) => void) => Promise<boolean>;

interface Looked {
  readonly sizeBytes: number;
  readonly facts: TranscriptFacts;
}

/** What a transcript tells as a whole, and each of its lines; null when it is not there. */
async function lookAt(read: Read, onLine: (line: TextLine) => void): Promise<Looked | null> {
  const [cutter, joiner] = [new LineCutter(), new LineJoiner()];
  let facts = NO_FACTS;
  let sizeBytes = 0;
  const isThere = await read((bytes) => {
    const lines = joiner.take(bytes, sizeBytes);
    if (lines !== null) facts = extendFacts(facts, lines.bytes);
    for (const line of cutter.take(bytes)) onLine(line);
    sizeBytes += bytes.length;
  });
  if (!isThere) return null;
  for (const line of cutter.end()) onLine(line);
  return { sizeBytes, facts };
}

function sideOf({ sizeBytes, facts }: Looked, path: string | null): DiffSide {
  return { path, sizeBytes, lastActivityMs: facts.lastActivityMs };
}

function herePath({ local }: ChoiceFacts, id: string): string | null {
  const copy = local.copies(id)[0];
  return copy === undefined ? null : transcriptOf(copy)!.path;
}

function fileReader({ context }: OpenVault, path: string): Read {
  const { fs, memory } = context.platform;
  return (put) => {
    const handle = fs.openRead(path);
    if (handle === null) return Promise.resolve(false);
    try {
      for (const { bytes } of windows(handle, 0, handle.stat().sizeBytes)) {
        put(bytes);
        memory.passed(bytes.length);
      }
    } finally {
      handle.close();
    }
    return Promise.resolve(true);
  };
}

/** Reads what a pull would write; null when it would write no transcript. */
function readerOf({ vault, targets }: ChoiceFacts, session: SessionTarget): Read | null {
  const target = targetTranscript(session);
  if (target === null) return null;
  return async (put) => {
    if (target.isDerived) await targets.branches.makeDerived(session.root, session.id, put);
    else {
      const pieces = statePieces(vault, session.id, TRANSCRIPT, target);
      for await (const bytes of pieces) put(bytes);
    }
    return true;
  };
}

/** The other sessions of its family, and what each says that is not in `said`. */
async function branchesOf(
  facts: ChoiceFacts,
  id: string,
  said: ReadonlySet<string>,
): Promise<DiffBranch[]> {
  const { sessions } = facts.targets;
  const root = sessions.get(id)?.root;
  const branches: DiffBranch[] = [];
  for (const session of sessions.values()) {
    if (session.root !== root || session.id === id) continue;
    const read = readerOf(facts, session);
    if (read === null) continue;
    const told: ToldRecord[] = [];
    const looked = await lookAt(read, (line) => {
      if (isSaidOutside(line, said)) told.push(toldLine(line));
    });
    branches.push({ id: session.id, title: looked!.facts.title, said: told });
  }
  return branches.sort((a, b) => (a.id < b.id ? -1 : 1));
}
