/** What the help of `gc` says. */
import { TRANSFER_FLAGS } from "./help_store_pages.ts";

/** In the form of `HELP_PAGES`. */
export const GC_PAGE = {
  usage: "gc [--machine NAME|ID]",
  brief: "make the vault small again; give up a lost machine",
  purpose: [
    "Every push leaves a small object. This puts what this machine has pushed into few large " +
    "ones, reads them back and compares, and only then lets the small ones count for nothing. " +
    "No session, version or branch is lost by it. After a push or sync by a hook it runs by " +
    "itself when 500 entries have come together.",
    "What was replaced is deleted no sooner than 7 days later, counted by days on which this " +
    "machine has looked at the vault, so that other machines never miss it. The same goes for " +
    "what this machine's own interrupted pushes have left; that of other machines stays. In a " +
    "Git repository deleting does not make the history smaller.",
    "--machine takes over what a lost machine has pushed, so that its log can go, too. If the " +
    "machine comes back it begins a new log and loses nothing. You type its name to confirm; " +
    "one that was seen in the last 30 days needs --yes.",
  ],
  flags: [
    ["--machine NAME|ID", "the lost machine, as `status` calls it"],
    ...TRANSFER_FLAGS,
  ],
  examples: [
    ["claude-sync gc --dry-run", "what it would do"],
    ["claude-sync gc", ""],
    ["claude-sync gc --machine old-laptop", "that laptop is gone"],
  ],
  exits: [4, 5, 10, 11, 12, 13],
} as const;
