/** Which absolute path a session's file has. `discover.ts` is the way back. */
import { assert } from "../base/assert.ts";
import type { ClaudeRoot } from "./claude_root.ts";
import type { FileName } from "./file_name.ts";
import { pathRules } from "./local_path.ts";
import type { SessionId } from "./session_id.ts";

/** Folders below the configuration folder that hold parts of sessions. */
export type Area = "projects" | "file-history" | "todos" | "tasks" | "plans";

/** Absolute path of one of the client's folders. */
export function areaDir(root: ClaudeRoot, area: Area): string {
  return pathRules(root.os).join(root.configDir, area);
}

/** Absolute path of a project's folder. `slug` is a single name, never a path. */
export function slugDir(root: ClaudeRoot, slug: string): string {
  assert(isSlug(slug), "a slug is one folder name");
  return pathRules(root.os).join(root.configDir, "projects", slug);
}

/** Absolute path of a project's memory. */
function memoryDir(root: ClaudeRoot, slug: string): string {
  return pathRules(root.os).join(slugDir(root, slug), "memory");
}

/** Absolute path of the prompt history, which holds lines of all sessions. */
export function historyPath(root: ClaudeRoot): string {
  return pathRules(root.os).join(root.configDir, "history.jsonl");
}

/** Absolute path where the session's file stands or shall stand. */
export function pathOf(root: ClaudeRoot, slug: string, id: SessionId, name: FileName): string {
  const { join } = pathRules(root.os);
  const [area, ...rest] = name.split("/");
  switch (area) {
    case "transcript":
      return join(slugDir(root, slug), `${id}.jsonl`);
    case "side":
      return join(slugDir(root, slug), id, ...rest);
    case "legacy":
      return join(slugDir(root, slug), ...rest);
    case "todos":
      return join(areaDir(root, "todos"), rest.join("/").replaceAll("@", id));
    case "plans":
      return join(areaDir(root, "plans"), ...rest);
    case "memory":
      return join(memoryDir(root, slug), ...rest);
    case "history":
      return historyPath(root);
    case "file-history":
    case "tasks":
      return join(areaDir(root, area), id, ...rest);
    default:
      assert(false, "a file name begins with a known area");
  }
}

function isSlug(slug: string): boolean {
  return slug !== "" && slug !== "." && slug !== ".." && !/[\\/\0]/.test(slug);
}
