/** Help about what was: `restore` and its neighbours. */
import { TRANSFER_FLAGS } from "./help_store_pages.ts";

const EXITS = [3, 4, 5, 10, 11, 12, 13] as const;

/** See `HELP_PAGES`. */
export const HISTORY_PAGES = {
  "log": {
    usage: "log [--limit N] [--since TIME] [--errors]",
    brief: "what was pushed and pulled, here and by other machines",
    purpose: [
      "Newest first, one line a run of this machine (by you or by a hook): what it did, " +
      "bytes over the line, how long it took, how it ended; and what every other machine did " +
      "(push, forget, restore, gc or init), by that machine's clock, as far as this one has " +
      "read the vault. The store is not asked.",
    ],
    flags: [
      ["--limit N", "at most N lines; 20 unless given"],
      ["--since TIME", "none before: 2026-01-15, 2026-01-15 12:30, or 36h, 7d, 2w ago"],
      ["--errors", "only runs of this machine that failed"],
    ],
    examples: [
      ["claude-sync log", ""],
      ["claude-sync log --since 1d --limit 1000", "everything of a day"],
      ["claude-sync log --errors", "why did it not sync?"],
    ],
    exits: [10],
  },
  "restore": {
    usage: "restore ID|WORDS...|FILE [--at TIME] [--list] [--to DIR]",
    brief: "bring back an earlier version, or what Claude Code deleted",
    purpose: [
      "Brings the newest state of a session, with its subagents, tool results and file " +
      "history, to where Claude Code finds it, also an old one or one that was deleted here. " +
      "Its file time is set so that Claude Code's clean-up does not take it again at once. " +
      "What is new here is pushed first; a session that is open is left alone. Plans that the " +
      "session names come back with it, and with --project the project's memory, each as the " +
      "vault has it now.",
      "With --at or --pick, an earlier version becomes a session of its own, titled " +
      '"... (as of TIME)": under its own id the next pull would bring it up to date again. ' +
      "It resumes like any other, and is not pushed before somebody speaks in it.",
      "With --to, plain files in a folder, laid out like ~/.claude; prompts, plans and " +
      "memories are not among them. Read one with: CLAUDE_CONFIG_DIR=DIR claude --resume ID",
      "A plan or a file of a project's memory is restored by its name, in any version. It takes " +
      "its place as if you had just written it, so the next push sends it; what stood there is " +
      "in the vault first. plans/ and memory/ with --list show which there are.",
    ],
    flags: [
      ["ID|WORDS", "beginnings of ids, or words of one title"],
      ["FILE", "plans/NAME.md, or memory/NAME.md of this folder's project or of --project P"],
      ["--project P", "all sessions of a project, by name or key"],
      ["--archived", "all sessions that a plain pull leaves in the vault: old, or deleted here"],
      [
        "--at TIME",
        "as it was then: 2026-01-15, 2026-01-15 12:30, or 36h, 7d, 2w ago; a day means its end",
      ],
      ["--pick V", "the version that --list shows as V"],
      ["--list", "show the versions of one session or FILE, and do nothing"],
      ["--to DIR", "write plain files there; nothing in DIR is replaced"],
      ["--force", "with --to: replace files there, but only those that the vault has"],
      ...TRANSFER_FLAGS,
    ],
    examples: [
      ["claude-sync restore 3f2a", "one that Claude Code deleted"],
      ["claude-sync restore flaky auth test --list", "its versions"],
      ["claude-sync restore 3f2a --at 2d", "as it was two days ago"],
      ["claude-sync restore --archived --dry-run", "what only the vault has"],
      ["claude-sync restore --project app --to ~/app-sessions", "as files"],
      ["claude-sync restore memory/MEMORY.md --at 2d", "a memory as it was"],
    ],
    exits: EXITS,
  },
  "diff": {
    usage: "diff ID|WORDS...",
    brief: "what of a session only this machine or only the vault has",
    purpose: [
      "Compares the session's file here, line by line, with what a pull would write, and " +
      "shows what was said only in its branches. It changes nothing: what is only here goes " +
      "out with the next push, what is only in the vault comes with the next pull.",
    ],
    flags: [
      ["ID|WORDS", "the beginning of an id, or words of the title"],
      ...TRANSFER_FLAGS,
    ],
    examples: [
      ["claude-sync diff 3f2a", ""],
      ["claude-sync diff flaky auth test --json", "every record"],
    ],
    exits: [4, 5, 10, 11, 12, 13],
  },
  "import": {
    usage: "import DIR|FILE... [--all]",
    brief: "take in an old computer's ~/.claude, a backup, or transcripts",
    purpose: [
      "Takes every session of a folder like ~/.claude (or of the home folder it is in, or of " +
      "one project's folder in it) into the vault, byte for byte, with what belongs to it, " +
      "plans, memories and prompts; or single transcripts (.jsonl). Then it pulls: sessions " +
      "come to where their project is here. The folder itself is only read.",
      "Nothing is overwritten: a session that went on apart keeps both continuations, as " +
      "between two machines. What is in the vault already is not sent again, so an import that " +
      "was interrupted is simply repeated. Old sessions, and those that were deleted here, stay " +
      "in the vault (claude-sync restore brings them), unless --all is given.",
      "Folders of another user's home are taken for the same place below this one. " +
      "Credentials, settings and links are left alone.",
    ],
    flags: [
      ["DIR|FILE", "folders or transcripts"],
      ["--all", "also bring old sessions here, and take those of excluded projects"],
      ...TRANSFER_FLAGS,
    ],
    examples: [
      ["claude-sync import /mnt/old/home/anna/.claude", "an old laptop's disk"],
      ["claude-sync import ~/backup/claude --dry-run", "what would be taken"],
      ["claude-sync import ~/Downloads/3f2a0000-0000-4000-8000-000000000001.jsonl", "one file"],
    ],
    exits: EXITS,
  },
} as const;
