/** What Git prints of branches and commits. What a server says of its own may be hostile. */
import type { Bytes } from "../../base/bytes.ts";
import { SAID_LINE_LENGTH_MAX } from "./git_failure.ts";
import type { ObjectFormat } from "./git_tree.ts";
import { BRANCH_PREFIX, isBranchId } from "./object_path.ts";

/** What `git ls-remote` shows. */
export interface RemoteRefs {
  /** Tips of the vault's branches, by branch id. */
  readonly tips: ReadonlyMap<string, string>;
  /** How the server names its objects; null when it shows none. */
  readonly format: ObjectFormat | null;
  /** Whether there is no branch or tag at all. */
  readonly isEmpty: boolean;
}

const latin1 = new TextDecoder("latin1");

/** Takes what `git ls-remote` prints apart; names that are not the vault's are passed over. */
export function parseRemoteRefs(text: string): RemoteRefs {
  const lines = text.split("\n").filter((line) => line !== "");
  const tips = new Map<string, string>();
  for (const line of lines) {
    const match = /^([0-9a-f]{40}|[0-9a-f]{64})\t(.+)$/.exec(line);
    if (match === null || !match[2]!.startsWith(BRANCH_PREFIX)) continue;
    const id = match[2]!.slice(BRANCH_PREFIX.length);
    if (isBranchId(id)) tips.set(id, match[1]!);
  }
  const first = lines[0];
  const format = first === undefined ? null : first.indexOf("\t") === 64 ? "sha256" : "sha1";
  return { tips, format, isEmpty: lines.length === 0 };
}

/** Takes what `git for-each-ref` prints of the branches below `prefix` apart: id and name each. */
export function parseLocalTips(output: Bytes, prefix: string): Map<string, string> {
  const tips = new Map<string, string>();
  for (const line of latin1.decode(output).split("\n")) {
    const [oid, ref] = line.split(" ");
    const id = ref?.startsWith(prefix) === true ? ref.slice(prefix.length) : "";
    if (oid !== undefined && isOid(oid) && isBranchId(id)) tips.set(id, oid);
  }
  return tips;
}

/** The one object id that `output` is, or null. */
export function parseOid(output: Bytes): string | null {
  const text = latin1.decode(output).trim();
  return isOid(text) ? text : null;
}

function isOid(text: string): boolean {
  return /^([0-9a-f]{40}|[0-9a-f]{64})$/.test(text);
}

/** Why a server does not move a branch that was not where we thought, whoever noticed it. */
const RACED = new RegExp(
  String.raw`\((fetch first|non-fast-forward|stale info|already exists|needs force|` +
    "reference already exists|(failed to|cannot) (lock|update)( ref)?.*|incorrect old value.*)" +
    String.raw`\)\s*$`,
);

/** Whether a push was refused because the branch has moved on, by what `--porcelain` prints. */
export function isRaced(porcelain: string): boolean {
  // The reason is the server's, as long as it likes, and the pattern is slow on long lines.
  return porcelain.split("\n").some((line) =>
    line.startsWith("!\t") && RACED.test(line.slice(-SAID_LINE_LENGTH_MAX))
  );
}
