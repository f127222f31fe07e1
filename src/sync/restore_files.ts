/** Sessions of the vault as plain files in any folder, laid out like Claude Code's own. */
import { Sha256 } from "../crypto/hash.ts";
import { ClaudeSyncError } from "../errors.ts";
import type { FileStat, FileSystem, Host, WriteHandle } from "../platform/types.ts";
import type { ClaudeRoot } from "../sessions/claude_root.ts";
import { type FileName, TRANSCRIPT } from "../sessions/file_name.ts";
import { areaDir, pathOf } from "../sessions/layout.ts";
import { pathBelow, pathRules } from "../sessions/local_path.ts";
import { parseSessionId, type SessionId } from "../sessions/session_id.ts";
import { shelfArea } from "../sessions/shelf.ts";
import { readTranscriptTitle } from "../sessions/transcript_summary.ts";
import { isTempName, prepareSessionFile, sweepTemps } from "../sessions/write_back.ts";
import type { Failure } from "./api.ts";
import { scanFile } from "./file_scan.ts";
import type { RestoredSession, RestoreRequest } from "./history_api.ts";
import { bundleAt } from "./restore_copy.ts";
import type { ChoiceFacts } from "./restore_choice.ts";
import type { FileState } from "./segment_index.ts";
import { memorySlug, type ShelfFile } from "./shelf_files.ts";
import { chainBytes, chainTo } from "./vault_content.ts";
import type { Wanted } from "./versions.ts";

/** Folder for sessions of which nobody knows the project. */
const NO_PROJECT = "unknown";

/** What was written of one session. */
export interface WrittenFiles {
  readonly session: RestoredSession;
  readonly writtenBytes: number;
  readonly failures: readonly Failure[];
}

interface Wish extends FileState {
  readonly name: FileName;
  readonly mtimeMs: number;
  readonly isDerived?: boolean;
}

/** The folder that is written to. */
export class FilesFolder {
  readonly #facts: ChoiceFacts;
  readonly #root: ClaudeRoot;
  readonly #request: Pick<RestoreRequest, "force" | "dryRun">;

  /** Errors: `usage` when `dir` is Claude Code's own folder, or lies in it or around it. */
  constructor(
    facts: ChoiceFacts,
    dir: string,
    request: Pick<RestoreRequest, "force" | "dryRun">,
  ) {
    const { vault } = facts;
    const { fs } = vault.context.platform;
    const { os, configDir } = vault.root;
    const real = (path: string) => realPlace(fs, os, path);
    const root = { os, configDir: dir, claudeJsonPath: pathRules(os).join(dir, ".claude.json") };
    const places = [dir, areaDir(root, "projects")].map(real);
    const own = [configDir, areaDir(vault.root, "projects")].map(real);
    const isOwn = places.some((place) => own.some((mine) => pathBelow(os, mine, place) !== null));
    if (isOwn) {
      throw new ClaudeSyncError("usage", "That is Claude Code's own folder", {
        path: dir,
        hint: "Without --to, sessions are restored there, under the rules of a pull",
      });
    }
    this.#facts = facts;
    this.#root = root;
    this.#request = request;
  }

  /** Writes one session. Errors: those of reading the vault and of writing. */
  async restore(session: string, wanted: Wanted): Promise<WrittenFiles> {
    const id = parseSessionId(session)!;
    const slug = this.#slugFor(id);
    const wishes = this.#wishes(id, wanted);
    const { failures, writtenBytes, isChanged } = await this.#restoreAll(id, slug, wishes);
    const [transcript] = wishes;
    const path = pathOf(this.#root, slug, id, TRANSCRIPT);
    const { fs } = this.#facts.vault.context.platform;
    const isThere = fs.lstat(path) !== null;
    return {
      session: {
        id,
        of: id,
        title: isThere ? readTranscriptTitle(fs, path) : null,
        outcome: failures.length > 0 ? "failed" : isChanged ? "restored" : "unchanged",
        as: "files",
        version: transcript?.hash ?? null,
        atMs: transcript?.mtimeMs ?? null,
        sizeBytes: transcript?.len ?? 0,
        path: isThere ? path : null,
      },
      writtenBytes,
      failures,
    };
  }

  /**
   * Writes one plan or one file of a memory. Errors: those of reading the vault and of writing;
   * `unsafe-file` when something else stands there.
   */
  async restoreShelfFile(
    file: ShelfFile,
    state: FileState & { readonly mtimeMs: number },
  ): Promise<{
    readonly path: string;
    readonly writtenBytes: number;
    readonly isChanged: boolean;
  }> {
    const { shelf, name, project } = file;
    const slug = (project === null ? null : memorySlug(this.#facts, shelf, project)) ?? NO_PROJECT;
    const { failures, ...written } = await this.#restoreAll(shelf, slug, [{ ...state, name }]);
    const path = pathOf(this.#root, slug, shelf, name);
    const [failure] = failures;
    if (failure !== undefined) throw new ClaudeSyncError("unsafe-file", failure.message, { path });
    return { path, ...written };
  }

  async #restoreAll(id: SessionId, slug: string, wishes: readonly Wish[]) {
    this.#sweep(wishes.map(({ name }) => pathOf(this.#root, slug, id, name)));
    const failures: Failure[] = [];
    let writtenBytes = 0;
    let isChanged = false;
    for (const wish of wishes) {
      const path = pathOf(this.#root, slug, id, wish.name);
      const present = this.#present(id, wish, path);
      if (present === "same") continue;
      if (present === "other") failures.push(this.#refused(id, wish.name, path));
      else {
        isChanged = true;
        if (!this.#request.dryRun) await this.#write(id, wish, path, present.replaces);
        writtenBytes += wish.len;
      }
    }
    return { failures, writtenBytes, isChanged };
  }

  /** Takes away what a crash has left beside these files: nobody else would. */
  #sweep(paths: readonly string[]): void {
    if (this.#request.dryRun) return;
    const { fs, clock } = this.#facts.vault.context.platform;
    const { os, configDir } = this.#root;
    const { dirname, join } = pathRules(os);
    const root = fs.realpath(configDir);
    for (const dir of new Set(paths.map(dirname))) {
      const real = fs.realpath(dir);
      // A link may lead anywhere.
      if (root === null || real === null || pathBelow(os, root, real) === null) continue;
      const names = (fs.readDir(dir) ?? []).map(({ name }) => name).filter(isTempName);
      sweepTemps(fs, clock, names.map((name) => ({ path: join(dir, name) })));
    }
  }

  #wishes(id: SessionId, wanted: Wanted): Wish[] {
    const { index } = this.#facts.vault;
    const session = this.#facts.targets.sessions.get(id);
    if (wanted.kind === "newest") return [...session!.files];
    const { version } = wanted;
    const bundle = bundleAt(index, id, version)
      .map(({ name, version: each }) => ({ ...each, name }));
    return [{ ...version, name: TRANSCRIPT }, ...bundle];
  }

  #slugFor(id: SessionId): string {
    const { targets, local, projects } = this.#facts;
    const root = targets.sessions.get(id)?.root ?? id;
    const beside = local.copies(id)[0] ?? local.copies(root)[0];
    if (beside !== undefined) return beside.slug;
    const project = projects.ofVaultSession(root);
    return (project === null ? null : local.slugFor(project, true)) ?? NO_PROJECT;
  }

  /** What stands at `path`, and whether it may be replaced. */
  #present(
    id: SessionId,
    wish: Wish,
    path: string,
  ): "same" | "other" | { readonly replaces: FileStat | null } {
    const { vault } = this.#facts;
    const { fs } = vault.context.platform;
    const stat = fs.lstat(path);
    if (stat === null) return { replaces: null };
    const scan = stat.kind === "file" ? scanFile(fs, path, []) : null;
    if (scan === null) return "other";
    if (scan.hash === wish.hash && scan.sizeBytes === wish.len) return "same";
    const isInVault = vault.index.states(id, wish.name)
      .some(({ hash, len }) => hash === scan.hash && len === scan.sizeBytes);
    return this.#request.force && isInVault ? { replaces: scan.stat } : "other";
  }

  #refused(id: SessionId, name: FileName, path: string): Failure {
    const isAsked = name === TRANSCRIPT || shelfArea(name) !== null;
    const what = isAsked ? "" : ", which goes with it,";
    const message = this.#request.force
      ? `"${path}"${what} is there with bytes that the vault has not: move it away`
      : `"${path}"${what} is there already and differs: another folder, or --force`;
    return { sessionId: id, path, code: "unsafe-file", message };
  }

  async #write(
    id: SessionId,
    wish: Wish,
    path: string,
    replaces: FileStat | null,
  ): Promise<void> {
    const { fs, random, clock } = this.#facts.vault.context.platform;
    const deps = { fs, random, root: this.#root };
    const file = await prepareSessionFile(
      deps,
      path,
      replaces,
      (handle) => this.#fill(id, wish, handle),
    );
    if (file.commit(Math.min(wish.mtimeMs, clock.nowMs())) !== "written") {
      throw new ClaudeSyncError("local-io", `"${path}" changed while it was written`, { path });
    }
    fs.syncDir(file.dir);
  }

  async #fill(id: SessionId, wish: Wish, handle: WriteHandle): Promise<void> {
    const { vault, targets } = this.#facts;
    if (wish.isDerived === true) {
      const { root } = targets.sessions.get(id)!;
      return await targets.branches.makeDerived(root, id, (bytes) => handle.write(bytes));
    }
    const chain = chainTo(vault, id, wish.name, wish);
    for await (const bytes of chainBytes(vault, chain, 0, new Sha256())) handle.write(bytes);
  }
}

/** Where `path`, which need not be there yet, lies when all links are followed. */
function realPlace(fs: FileSystem, os: Host["os"], path: string): string {
  const { dirname, basename, join } = pathRules(os);
  const real = fs.realpath(path);
  const parent = dirname(path);
  if (real !== null || parent === path) return real ?? path;
  return join(realPlace(fs, os, parent), basename(path));
}
