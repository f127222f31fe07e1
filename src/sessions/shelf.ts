/**
 * Shelves: files that no single session owns. A plan is named by several sessions as soon as one is
 * forked, and a project's memory is written by all of its sessions; yet each stands in one place.
 * So they are synced as a session without a transcript, whose id every machine derives from what
 * the files are about (FORMAT.md section 8).
 */
import { createHash } from "node:crypto";
import { concat, u32be, utf8 } from "../base/bytes.ts";
import { idOfDigest } from "./derived_id.ts";
import { type FileName, NAME_SEGMENT_BYTES_MAX, parseFileName } from "./file_name.ts";
import { type ProjectIdentity, projectKey } from "./project.ts";
import type { SessionId } from "./session_id.ts";

const LABEL = "claude-sync/v1/shelf\0";
/** Hex digits of a content's hash in the name that it has beside the newest one. */
const BESIDE_DIGITS = 8;
const BESIDE = /^(.+?)\.([0-9a-f]{8})(\.[^.]*)?$/s;
const PLAN_FILE = /^([A-Za-z0-9][A-Za-z0-9_-]*)((?:\.[0-9a-f]{8})*)\.md$/;
const AGENT = /-agent-[0-9A-Za-z]+$/;

/** Longest name of a plan that is taken from a record. */
export const PLAN_NAME_LENGTH_MAX = 100;
const PLAN_NAME = /^[A-Za-z0-9][A-Za-z0-9_-]*$/;

/** Whether `text`, the `slug` of a record, can be the name of a plan. */
export function isPlanName(text: string): boolean {
  return text.length <= PLAN_NAME_LENGTH_MAX && PLAN_NAME.test(text);
}

/** Id of the shelf of the plan that records name `planName`. */
export function planShelfId(planName: string): SessionId {
  return shelfId("plan", planName);
}

/** Id of the shelf of a project's memory. */
export function memoryShelfId(project: ProjectIdentity): SessionId {
  return shelfId("memory", projectKey(project));
}

function shelfId(kind: "plan" | "memory", what: string): SessionId {
  const parts = [utf8(kind), utf8(what)].map((part) => concat(u32be(part.length), part));
  return idOfDigest(createHash("sha256").update(concat(utf8(LABEL), ...parts)).digest());
}

/** The area of a shelf's file, or null for a file of a session. */
export function shelfArea(name: string): "plans" | "memory" | null {
  if (name.startsWith("plans/")) return "plans";
  return name.startsWith("memory/") ? "memory" : null;
}

/** Whether the file `name` of `plans/` can be some plan's. */
export function isPlanFile(name: string): boolean {
  const stem = PLAN_FILE.exec(name)?.[1];
  return stem !== undefined && (isPlanName(stem) || isPlanName(stem.replace(AGENT, "")));
}

/**
 * The plan names that may mean the file `name` of `plans/`, most likely first: an agent's plan
 * (`<plan>-agent-<id>.md`) belongs to the plan. Empty when it is no plan.
 */
export function plansOfFile(name: string): string[] {
  const stem = PLAN_FILE.exec(name)?.[1];
  if (stem === undefined) return [];
  return [stem, stem.replace(AGENT, "")].filter((each, i, all) =>
    isPlanName(each) && all.indexOf(each) === i
  );
}

/**
 * The name under which a content of `name` that is not the newest one stands beside it: the
 * beginning of its hash (hex) before the extension. Null when no safe name can be made; then the
 * content stays in the vault.
 */
export function besideName(name: FileName, hash: string): FileName | null {
  const slash = name.lastIndexOf("/") + 1;
  const leaf = name.slice(slash);
  const dot = leaf.lastIndexOf(".");
  const [stem, extension] = dot > 0 ? [leaf.slice(0, dot), leaf.slice(dot)] : [leaf, ""];
  const tail = `.${hash.slice(0, BESIDE_DIGITS)}${extension}`;
  if (utf8(stem + tail).length > NAME_SEGMENT_BYTES_MAX) return null;
  return parseFileName(name.slice(0, slash) + stem + tail);
}

/** What `besideName` was made from, if `name` looks like one of its names. */
export function besideOf(
  name: FileName,
): { readonly name: FileName; readonly hash8: string } | null {
  const slash = name.lastIndexOf("/") + 1;
  const match = BESIDE.exec(name.slice(slash));
  if (match === null) return null;
  const base = parseFileName(name.slice(0, slash) + match[1]! + (match[3] ?? ""));
  return base === null ? null : { name: base, hash8: match[2]! };
}
