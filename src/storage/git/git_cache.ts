/**
 * Our own bare copy of the vault's branches, and what the driver remembers beside it:
 *
 *     <cache>/git-<hash of the address>/state.json
 *                                       pushes.json    see push_limit.ts
 *                                       r-<random>/    the bare repository
 *
 * All of it may be lost or damaged at any time. The repository is then fetched again, under a new
 * name, so that a process that still uses the old one is not disturbed half-way. With the state the
 * name of this machine's branch is lost too: it begins a new one, and the old one stays as it is.
 */
import { createHash } from "node:crypto";
import { join } from "node:path";
import * as z from "zod/mini";
import { fromUtf8, toBase32, utf8 } from "../../base/bytes.ts";
import { isClaudeSyncError } from "../../errors.ts";
import { writeFileAtomic, writeFileUnflushed } from "../../platform/atomic_file.ts";
import type { FileSystem, Platform } from "../../platform/types.ts";
import type { ObjectFormat } from "./git_tree.ts";
import type { GitUrl } from "./git_url.ts";

const STATE_BYTES_MAX = 16 * 1024;
const RANDOM_NAME_BYTES = 10;
const RANDOM_NAME = /^[0-9a-hjkmnp-tv-z]{16}$/;

const stateSchema = z.strictObject({
  version: z.literal(1),
  url: z.string(),
  /** Folder of the copy. */
  repository: z.string().check(z.regex(/^r-[0-9a-hjkmnp-tv-z]{16}$/)),
  /** This machine's branch. */
  branch: z.string().check(z.regex(RANDOM_NAME)),
  format: z.enum(["sha1", "sha256"]),
  /** Whether the server gives no single objects, so that all of them are fetched at once. */
  isWhole: z.boolean(),
  /** Size of the packs after they were last made small. */
  keptBytes: z.number().check(z.nonnegative()),
});

type State = z.infer<typeof stateSchema>;

/** The copy of one repository. */
export class GitCache {
  readonly folder: string;
  readonly #platform: Platform;
  readonly #url: GitUrl;
  #state: State;

  /** Opens the copy, or makes an empty one. Errors: `local-io`, `no-space`. */
  constructor(platform: Platform, cacheDir: string, url: GitUrl) {
    this.#platform = platform;
    this.#url = url;
    const hash = createHash("sha256").update(url.url).digest("hex");
    this.folder = join(cacheDir, `git-${hash.slice(0, 16)}`);
    platform.fs.makeDir(this.folder);
    const state = this.#read();
    this.#state = state ?? this.#newState();
    if (state === null || this.isLost) this.rebuild();
  }

  /** Whether somebody has deleted the copy. */
  get isLost(): boolean {
    return this.#platform.fs.lstat(join(this.gitDir, "HEAD")) === null;
  }

  /** For `--git-dir`. */
  get gitDir(): string {
    return join(this.folder, this.#state.repository);
  }

  /** What is remembered. */
  get state(): Readonly<State> {
    return this.#state;
  }

  /** Remembers a change. */
  remember(change: Partial<Pick<State, "branch" | "isWhole" | "keptBytes">>): void {
    this.#save({ ...this.#state, ...change });
  }

  /** Lets this machine begin a new branch; the old one stays as it is. */
  beginBranch(): void {
    this.remember({ branch: this.#randomName() });
  }

  /** Begins an empty copy in place of this one. */
  rebuild(format: ObjectFormat = this.#state.format): void {
    const { fs } = this.#platform;
    const repository = `r-${this.#randomName()}`;
    const gitDir = join(this.folder, repository);
    for (const part of ["objects/pack", "refs/heads"]) fs.makeDir(join(gitDir, ...part.split("/")));
    this.#write(join(gitDir, "config"), configText(format));
    this.#write(join(gitDir, "HEAD"), "ref: refs/heads/none\n");
    const before = this.#state;
    this.#save({ ...before, repository, format, isWhole: false, keptBytes: 0 });
    for (const { name } of fs.readDir(this.folder) ?? []) {
      if (name.startsWith("r-") && name !== repository) removeTree(fs, join(this.folder, name));
    }
  }

  #newState(): State {
    return {
      version: 1,
      url: this.#url.url,
      repository: `r-${this.#randomName()}`,
      branch: this.#randomName(),
      format: "sha1",
      isWhole: false,
      keptBytes: 0,
    };
  }

  #randomName(): string {
    return toBase32(this.#platform.random.bytes(RANDOM_NAME_BYTES));
  }

  #read(): State | null {
    const { fs } = this.#platform;
    try {
      const bytes = fs.readFile(join(this.folder, "state.json"), STATE_BYTES_MAX);
      if (bytes === null) return null;
      const parsed = stateSchema.safeParse(JSON.parse(fromUtf8(bytes)));
      return parsed.success && parsed.data.url === this.#url.url ? parsed.data : null;
    } catch (error) {
      // Whatever it is, it is not our state: begin anew.
      if (error instanceof SyntaxError || error instanceof TypeError) return null;
      if (isClaudeSyncError(error, "too-large", "unsafe-file")) return null;
      throw error;
    }
  }

  #save(state: State): void {
    const { fs, random } = this.#platform;
    this.#state = state;
    const bytes = utf8(`${JSON.stringify(state, null, 2)}\n`);
    writeFileAtomic(fs, random, join(this.folder, "state.json"), bytes);
  }

  #write(path: string, text: string): void {
    const { fs, random } = this.#platform;
    writeFileUnflushed(fs, random, path, utf8(text));
  }
}

/** Written by us and not by `git init`: no templates, and nothing of the user's settings. */
function configText(format: ObjectFormat): string {
  const extensions = format === "sha256" ? "[extensions]\n\tobjectFormat = sha256\n" : "";
  return `[core]\n\trepositoryformatversion = 1\n\tbare = true\n${extensions}`;
}

/** Removes a folder of ours with all in it, as far as it can. */
function removeTree(fs: FileSystem, path: string): void {
  try {
    for (const { name, kind } of fs.readDir(path) ?? []) {
      const below = join(path, name);
      if (kind === "directory") removeTree(fs, below);
      else fs.removeFile(below);
    }
    fs.removeDir(path);
  } catch (error) {
    // Another process may still use it; the next rebuild sweeps again.
    if (!isClaudeSyncError(error)) throw error;
  }
}
