/** The folders that Claude Code was used in here, found without reading a transcript twice. */
import type { Platform } from "../platform/types.ts";
import type { LocalFile, LocalSession } from "../sessions/discover.ts";
import { ifReadable } from "../sessions/foreign_file.ts";
import { type KnownFolder, knownFolders } from "../sessions/placement.ts";
import { readTranscriptHead, readTranscriptTail } from "../sessions/transcript_file.ts";
import type { LocalState } from "./vault_access.ts";

/** What is asked: the disk, and what is remembered of it. */
export interface KnownFrom extends Pick<LocalState, "root" | "locals"> {
  readonly context: { readonly platform: Pick<Platform, "fs" | "host"> };
}

/** See `knownFolders`. A transcript that has stayed as it was is not read again. */
export function foldersKnownHere(
  { context, root, locals }: KnownFrom,
  sessions: readonly LocalSession[],
): KnownFolder[] {
  const { fs, host } = context.platform;
  return knownFolders(fs, host, root, sessions, ({ path, stat }: LocalFile) => {
    const known = locals.workingFolders(path, stat);
    if (known !== null) return known;
    const head = ifReadable(() => readTranscriptHead(fs, path));
    const tail = ifReadable(() => readTranscriptTail(fs, path));
    const named = [...new Set([head?.firstCwd ?? [], tail?.lastCwd ?? []].flat())];
    // Who may not read it now may later, without any change of the file.
    if (head !== null && tail !== null) locals.rememberWorkingFolders(path, stat, named);
    return named;
  });
}
