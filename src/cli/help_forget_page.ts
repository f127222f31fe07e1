/** Help about `forget`. */
import { TRANSFER_FLAGS } from "./help_store_pages.ts";

/** See `HELP_PAGES`. */
export const FORGET_PAGE = {
  usage: "forget ID...|WORDS...|--project P|--before T",
  brief: "delete sessions from the vault, after 30 days in which they can come back",
  purpose: [
    "The only deletion there is. What is forgotten is not listed, pulled or resumed from the " +
    "vault any more, on no machine, and is not pushed again. Its branches, subagents, tool " +
    "results, file history and prompts go with it, also turns on this machine that were not " +
    "sent yet.",
    "Files stay where they are, on this machine and on every other one. Who goes on with such " +
    "a session, on any machine, brings all of it back into the vault; turns that another " +
    "machine has not sent yet do so, too. A session that is open here is not forgotten.",
    "For 30 days `claude-sync restore ID` brings it back. Then each machine that wrote a part of " +
    "it deletes that part from the store, when it cleans up (by itself, or: claude-sync gc). " +
    "What the provider keeps of deleted objects (versions, backups, the history of a Git " +
    "repository) is not ours to delete.",
    "With --project the project's memory goes as well, and plans that no other session can name.",
  ],
  flags: [
    ["ID...", "beginnings of session ids, as `list` shows them"],
    ["WORDS...", "words of one title"],
    ["--project P", "all sessions of a project, by name or key"],
    ["--before T", "sessions in which nothing was said since then: 2026-01-15, or 90d, 52w ago"],
    ...TRANSFER_FLAGS,
  ],
  examples: [
    ["claude-sync forget 3f2a --dry-run", "what would go"],
    ["claude-sync forget 3f2a 91bc", "two sessions, after asking"],
    ["claude-sync forget --project old-client", "asks for the project's name"],
    ["claude-sync forget --before 52w --yes", "from a script"],
    ["claude-sync list --forgotten", "what can still be brought back"],
  ],
  exits: [3, 4, 5, 10, 11, 12, 13],
} as const;
