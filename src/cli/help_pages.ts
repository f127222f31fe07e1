/** What every command's help says. `tests/scripts/help.txt` shows how it looks. */
import { FORGET_PAGE } from "./help_forget_page.ts";
import { GC_PAGE } from "./help_gc_page.ts";
import { HISTORY_PAGES } from "./help_history_pages.ts";
import { STORE_PAGES, TRANSFER_FLAGS } from "./help_store_pages.ts";

/** One command's help. Texts are shown as they stand. */
export interface HelpPage {
  /** After `claude-sync `. */
  readonly usage: string;
  /** One line for the overview. */
  readonly brief: string;
  /** What it is for; one paragraph a string. */
  readonly purpose: readonly string[];
  /** Own flags and arguments. */
  readonly flags: readonly (readonly [flag: string, about: string])[];
  readonly examples: readonly (readonly [command: string, about: string])[];
  /** Exit codes that it can end with, besides 0, 1, 2, 70 and 130. */
  readonly exits: readonly number[];
}

const STORE_EXITS = [3, 4, 5, 10, 11, 12, 13] as const;

const PROJECT_ARGUMENT = ["PROJECT", "a name or key that `project list` shows"] as const;

/** All pages by command, in the order of the overview. */
export const HELP_PAGES = {
  "init": STORE_PAGES.init,
  "push": {
    usage: "push [--session ID]... [--all]",
    brief: "send new turns of the sessions here to the vault",
    purpose: [
      "Sends what the vault does not have yet. Only new lines travel, compressed and " +
      "encrypted. Nothing is ever deleted from the vault, and a session that vanished here " +
      "stays there.",
    ],
    flags: [
      ["--session ID", "only this session (an unambiguous beginning is enough); repeatable"],
      ["--all", "also sessions of projects that are excluded here"],
      ...TRANSFER_FLAGS,
    ],
    examples: [
      ["claude-sync push", "everything that is new"],
      ["claude-sync push --session 3f2a91bc", "one session"],
    ],
    exits: STORE_EXITS,
  },
  "pull": {
    usage: "pull [--session ID]... [--all]",
    brief: "bring new turns from the vault to this machine",
    purpose: [
      "Writes what other machines pushed to where Claude Code finds it: `claude --resume`, " +
      "`claude -c` and the picker show it. A session that was continued on two machines " +
      "keeps both continuations. A session that is open right now is never changed; it is " +
      "brought up to date when it ends.",
      "Sessions of projects without a folder here wait in the vault, as do those that " +
      "Claude Code would clean up again because of their age.",
    ],
    flags: [
      ["--session ID", "only this session (an unambiguous beginning is enough); repeatable"],
      ["--all", "also old sessions, and those of projects without a folder here"],
      ...TRANSFER_FLAGS,
    ],
    examples: [
      ["claude-sync pull", "everything that is new"],
      ["claude-sync pull --all", "the old ones as well"],
    ],
    exits: STORE_EXITS,
  },
  "sync": {
    usage: "sync",
    brief: "pull, then push",
    purpose: ["Brings what is new in the vault to this machine, then sends what is new here."],
    flags: TRANSFER_FLAGS,
    examples: [["claude-sync sync", "both directions"]],
    exits: STORE_EXITS,
  },
  "status": {
    usage: "status",
    brief: "is everything safe, and what needs you",
    purpose: [
      "The first line is the answer. It looks at this machine only: the store is not " +
      "asked, so that it is quick and works offline.",
    ],
    flags: [],
    examples: [
      ["claude-sync status", ""],
      ["claude-sync status --json", "for scripts and status lines"],
    ],
    exits: [10],
  },
  "list": {
    usage: "list [--forgotten]",
    brief: "the sessions here and in the vault, newest first",
    purpose: [
      "One line a session: id, last activity, project, title, size, and where it is. " +
      "`here` has lines that the vault does not have yet; `vault` is not on this machine; " +
      "`both` is complete on both sides. Of what is only in the vault it shows the title that " +
      "the last push of it had.",
    ],
    flags: [
      ["--forgotten", "forgotten sessions instead: those that `restore` can still bring back"],
    ],
    examples: [
      ["claude-sync list", ""],
      ["claude-sync list --json", "with full ids and folders"],
    ],
    exits: [10],
  },
  "resume": {
    usage: "resume [ID|WORDS] [--print] [-- ARGS]",
    brief: "continue a session here, wherever it was begun",
    purpose: [
      "Brings the session here if needed (also an old one that Claude Code deleted), goes " +
      "to its project's folder on this machine and starts `claude --resume ID ARGS`.",
    ],
    flags: [
      [
        "ID|WORDS",
        "beginning of an id, or words of the title, of a session here rather than one that only " +
        "the vault has; the newest session of this folder unless given",
      ],
      ["--print", "print the command instead of running it"],
      ["-- ARGS", "arguments for claude"],
      ...TRANSFER_FLAGS,
    ],
    examples: [
      ["claude-sync resume", "the newest session of this folder"],
      ["claude-sync resume flaky auth test", "by its title"],
      ["claude-sync resume 3f2a -- --model opus", "with an argument for claude"],
    ],
    exits: STORE_EXITS,
  },
  "log": HISTORY_PAGES.log,
  "diff": HISTORY_PAGES.diff,
  "restore": HISTORY_PAGES.restore,
  "import": HISTORY_PAGES.import,
  "forget": FORGET_PAGE,
  "verify": {
    usage: "verify [--read-data]",
    brief: "check that the vault is complete and untouched",
    purpose: [
      "Lists the vault, opens every log entry, checks signatures, order and references, " +
      "and compares with what this machine has seen before.",
    ],
    flags: [
      ["--read-data", "also download and check every byte of every session"],
      ...TRANSFER_FLAGS,
    ],
    examples: [
      ["claude-sync verify", ""],
      ["claude-sync verify --read-data", "before you throw the old laptop away"],
    ],
    exits: [4, 5, 10, 11, 12, 13],
  },
  "gc": GC_PAGE,
  "store": STORE_PAGES.store,
  "store info": STORE_PAGES["store info"],
  "store test": STORE_PAGES["store test"],
  "store move": STORE_PAGES["store move"],
  "key": {
    usage: "key export|import|fingerprint",
    brief: "back up the key, bring it to another machine, compare it",
    purpose: [
      "The key opens the vault. Whoever has it can read everything; without it nobody can, " +
      "you included. See: claude-sync help key export",
    ],
    flags: [],
    examples: [
      ["claude-sync key export", "print it"],
      ["claude-sync key import", "read it from standard input"],
      ["claude-sync key fingerprint", "a short form to compare"],
    ],
    exits: [10, 12],
  },
  "key export": {
    usage: "key export",
    brief: "print the key as one line of base64",
    purpose: [
      "Keep it in a password manager or on paper. It is the only way back in when all " +
      "machines are lost. On a terminal it asks first.",
    ],
    flags: [],
    examples: [
      ["claude-sync key export | ssh desk claude-sync key import", "bring it to another machine"],
      ["claude-sync key export > key.txt", "for a password manager; remove the file afterwards"],
    ],
    exits: [10, 12],
  },
  "key import": {
    usage: "key import",
    brief: "take the vault's key from standard input",
    purpose: [
      "Reads one line of base64 from standard input (on a terminal it asks, without " +
      "showing what you type), checks that it opens the vault, and only then writes it. " +
      "Another key that is here is never replaced.",
      "The same by hand: base64 -d > ~/.claude-sync/key",
    ],
    flags: [],
    examples: [
      ["claude-sync key import < key.txt", "from a file"],
      ["pass show claude-sync | claude-sync key import", "from a password manager"],
    ],
    exits: [4, 5, 10, 12, 13],
  },
  "key fingerprint": {
    usage: "key fingerprint",
    brief: "a short form of the key that machines can compare",
    purpose: ["It is the same on all machines of one vault and tells nothing about the key."],
    flags: [],
    examples: [["claude-sync key fingerprint", ""]],
    exits: [10, 12],
  },
  "install": {
    usage: "install [--global]",
    brief: "let Claude Code sync by itself",
    purpose: [
      "Adds hooks to Claude Code's settings.json (a backup is kept): when a session ends " +
      "or Claude has answered, new turns go out in the background; when one starts, news " +
      "come in. They print nothing and never keep Claude Code waiting for long.",
      "A hook is too late for the session that is just being opened. So that `claude -c` " +
      "sees the other machine's turns, add the shell function as well: claude-sync help " +
      "shell-init",
    ],
    flags: [["--global", "for all projects; otherwise for the project in this folder"]],
    examples: [
      ["claude-sync install --global", "recommended"],
      ["claude-sync install --global --dry-run", "show the change only"],
    ],
    exits: [],
  },
  "uninstall": {
    usage: "uninstall [--global]",
    brief: "take the hooks out again",
    purpose: ["Removes exactly what `install` added. Sessions, key and vault stay as they are."],
    flags: [["--global", "from the settings for all projects"]],
    examples: [["claude-sync uninstall --global", ""]],
    exits: [],
  },
  "shell-init": {
    usage: "shell-init bash|zsh|fish|pwsh",
    brief: "a shell function that pulls before claude starts",
    purpose: [
      "Prints a function `claude` for your shell's start-up file. It runs a short, quiet " +
      "pull, then the real claude. Claude starts in any case: also offline, and when the " +
      "pull takes too long.",
    ],
    flags: [],
    examples: [
      [`echo 'eval "$(claude-sync shell-init bash)"' >> ~/.bashrc`, ""],
      [`echo 'eval "$(claude-sync shell-init zsh)"' >> ~/.zshrc`, ""],
      ["echo 'claude-sync shell-init fish | source' >> ~/.config/fish/config.fish", ""],
      ["claude-sync shell-init pwsh | Out-String | Invoke-Expression", "in $PROFILE"],
    ],
    exits: [],
  },
  "hook": {
    usage: "hook session-start|session-end|stop",
    brief: "what Claude Code's hooks call",
    purpose: [
      "Not for people: `install` enters these into settings.json. They read Claude Code's " +
      "JSON from standard input, start the work in the background, and always end with " +
      "exit code 0. What went wrong is in `claude-sync status`.",
    ],
    flags: [],
    examples: [["claude-sync install --global", ""]],
    exits: [],
  },
  "project": {
    usage: "project list|map|unmap|exclude|include",
    brief: "which folder here is which project",
    purpose: [
      "Projects are recognised by their Git remote, else by their path below your home " +
      "folder, so most need nothing. A project that has no folder here waits in the vault " +
      "until it has one.",
    ],
    flags: [],
    examples: [
      ["claude-sync project list", ""],
      ["claude-sync project map infra ~/src/infra", ""],
      ["claude-sync project exclude secret-plans", "keep a project on this machine"],
    ],
    exits: [4, 5, 10, 11, 12, 13],
  },
  "project list": {
    usage: "project list",
    brief: "all projects with their folders here",
    purpose: ["One line a project: name, number of sessions, folder here, and how it was found."],
    flags: [],
    examples: [["claude-sync project list", ""]],
    exits: [10, 12, 13],
  },
  "project map": {
    usage: "project map PROJECT DIR",
    brief: "say where a project is on this machine",
    purpose: ["Its sessions are placed there by the next pull."],
    flags: [PROJECT_ARGUMENT, ["DIR", "a folder that exists"]],
    examples: [["claude-sync project map infra ~/src/infra", ""]],
    exits: [10, 11, 12, 13],
  },
  "project unmap": {
    usage: "project unmap PROJECT",
    brief: "forget what `project map` said",
    purpose: ["Sessions that are here stay where they are."],
    flags: [PROJECT_ARGUMENT],
    examples: [["claude-sync project unmap infra", ""]],
    exits: [10, 11, 12, 13],
  },
  "project exclude": {
    usage: "project exclude PROJECT",
    brief: "neither push nor pull a project on this machine",
    purpose: ["What is in the vault already stays there."],
    flags: [PROJECT_ARGUMENT],
    examples: [["claude-sync project exclude secret-plans", ""]],
    exits: [10, 11, 12, 13],
  },
  "project include": {
    usage: "project include PROJECT",
    brief: "undo `project exclude`",
    purpose: ["The next push and pull take the project along again."],
    flags: [PROJECT_ARGUMENT],
    examples: [["claude-sync project include secret-plans", ""]],
    exits: [10, 11, 12, 13],
  },
  "completions": {
    usage: "completions bash|zsh|fish|pwsh",
    brief: "a script that completes commands, flags and session ids",
    purpose: ["Prints the script for your shell's start-up file."],
    flags: [],
    examples: [
      [`echo 'source <(claude-sync completions bash)' >> ~/.bashrc`, ""],
      [`echo 'source <(claude-sync completions zsh)' >> ~/.zshrc`, "after compinit"],
      ["claude-sync completions fish > ~/.config/fish/completions/claude-sync.fish", ""],
      ["claude-sync completions pwsh | Out-String | Invoke-Expression", "in $PROFILE"],
    ],
    exits: [],
  },
  "version": {
    usage: "version",
    brief: "the version",
    purpose: ["With --json also the platform and the executable's path."],
    flags: [],
    examples: [["claude-sync version", ""]],
    exits: [],
  },
  "help": {
    usage: "help [COMMAND]",
    brief: "help about a command",
    purpose: ["The same as COMMAND --help."],
    flags: [],
    examples: [["claude-sync help project map", ""]],
    exits: [],
  },
} as const satisfies Readonly<Record<string, HelpPage>>;

/** The overview's sections. */
export const SECTIONS: readonly (readonly [title: string, commands: readonly HelpTopic[]])[] = [
  ["START", ["init", "install", "uninstall", "shell-init"]],
  ["EVERY DAY", ["status", "push", "pull", "sync", "list", "resume", "log"]],
  ["GET BACK", ["restore", "diff", "import"]],
  ["ORGANISE AND CARE", ["project", "store", "key", "verify", "forget", "gc"]],
  ["ITSELF", ["completions", "version", "help"]],
];

/** A command that has a page. */
export type HelpTopic = keyof typeof HELP_PAGES;
