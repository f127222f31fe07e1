/**
 * Ways in which tools that sync such sessions are known to lose, leak or spoil them, each with the
 * tests that would fail here. What cannot happen by construction is not listed: nothing is derived
 * from a passphrase, no settings are synced, no file is found by a pattern.
 */

/** A way to fail, and what shows that it is not ours. */
export interface KnownBug {
  readonly bug: string;
  /** File below `tests/`, and the test's name as it stands there. */
  readonly tests: readonly (readonly [file: string, test: string])[];
}

const SYNC = "sync/known_bugs_test.ts";
const MISHAPS = "sync/known_mishaps_test.ts";
const SETTINGS = "sessions/settings_test.ts";

/** What two machines do to each other. */
const MACHINES: readonly KnownBug[] = [
  {
    bug: "A push does not look at what the store has, and replaces another machine's turns",
    tests: [["sync/convergence_test.ts", "two machines that continue one session converge"]],
  },
  {
    bug: "After two machines have pushed, one of them never pushes or receives again",
    tests: [
      ["storage/git/machines_test.ts", "eight machines push side by side: no push is rejected"],
      ["sync/convergence_test.ts", "three machines that continue one session converge"],
    ],
  },
  {
    bug: "A mere pull writes to the store, and the next push of another machine is refused",
    tests: [[SYNC, "a pull writes nothing to the store"]],
  },
  {
    bug: "A session that is here is never updated, or an update is called a conflict",
    tests: [["sync/two_machines_test.ts", "a file that is a prefix of the vault's is extended"]],
  },
  {
    bug: "Every sync leaves another full copy beside the session, and copies spread",
    tests: [
      ["sync/two_machines_test.ts", "a second push and pull do nothing and make one request each"],
      ["sessions/branches_property_test.ts", "resolveBranches changes nothing when its files"],
    ],
  },
  {
    bug: "The file with the newer time wins, and the longer one is lost",
    tests: [
      [SYNC, "an older time never makes the longer of two files the worse one"],
      ["sync/two_machines_test.ts", "a pull pushes what only this machine has before it replaces"],
    ],
  },
  {
    bug: "The clocks of store and machine are compared, and a fast one hides new turns",
    tests: [[SYNC, "clocks that are years apart hide nobody's turns"]],
  },
  {
    bug: "Two machines that merge need several rounds to agree, or never do",
    tests: [
      ["sessions/branches_property_test.ts", "resolveBranches gives the same files in every order"],
    ],
  },
  {
    bug: "A merge drops every record below a parent that is not in the file",
    tests: [
      [SYNC, "records below a parent that nobody has, glued and odd lines all arrive"],
      ["sessions/branches_property_test.ts", "resolveBranches keeps every spoken record"],
    ],
  },
  {
    bug: "A merge sorts by time, so that a title that counted no longer does",
    tests: [[MISHAPS, "the lines of two that went on keep their order, and the last title counts"]],
  },
  {
    bug: "A comparison that fails is taken for one that found no conflict",
    tests: [[
      MISHAPS,
      "a file here that cannot be compared is not taken for one without a conflict",
    ]],
  },
  {
    bug: "A merge brings the transcripts together and leaves the files beside them behind",
    tests: [
      [MISHAPS, "files beside both continuations come to every machine with them"],
      ["sync/branch_with_files_test.ts", "a branch with a tool's output comes to every machine"],
    ],
  },
  {
    bug: "A plan or a memory of one machine replaces everybody's",
    tests: [
      ["sync/memory_test.ts", "machines that both had a memory before keep both versions"],
      ["sync/plans_test.ts", "unsent bytes of a plan are in the vault before they are replaced"],
    ],
  },
  {
    bug: "A store whose default branch has another name than expected takes no push",
    tests: [
      ["storage/git/plain_servers_test.ts", "a repository works whatever its default branch"],
    ],
  },
  {
    bug: "Every start downloads everything again",
    tests: [
      ["sync/two_machines_test.ts", "a second push and pull do nothing and make one request each"],
    ],
  },
  {
    bug: "The list of prompts is replaced or sorted, and the client finds its sessions no more",
    tests: [
      ["sync/history_test.ts", "two machines that both went on have the same lines"],
      ["sessions/prompt_history_test.ts", "appendHistory only adds, and ends a torn line first"],
    ],
  },
];

/** What becomes of a session's bytes. */
const BYTES: readonly KnownBug[] = [
  {
    bug: "Lines are parsed and written anew: order of keys, blank lines and bad bytes are lost",
    tests: [["sync/samples_test.ts", "push and pull keep every byte of transcripts in any order"]],
  },
  {
    bug: "Home folders, slugs and variables are replaced inside what people said",
    tests: [[SYNC, "words that look like a home folder, a slug or a variable stay"]],
  },
  {
    bug: "A path is pasted into JSON without its escapes, and every such line is broken",
    tests: [[MISHAPS, "paths of Windows stay what they were where a branch is written anew"]],
  },
  {
    bug: "A last line that a crash tore makes the session unreadable; an older copy replaces it",
    tests: [
      ["sync/samples_test.ts", "a torn last line waits while its writer may still be at it"],
    ],
  },
  {
    bug: "A shorter or damaged copy takes the place of the whole one",
    tests: [
      ["sync/retention_test.ts", "a copy that became shorter is never pushed, and a pull makes"],
      ["sync/push_test.ts", "a file that lost its middle to zeros replaces no good copy"],
    ],
  },
  {
    bug: "What is written during an upload is recorded as sent",
    tests: [[SYNC, "what is written while a push is on its way goes with the next one"]],
  },
  {
    bug: "One id in two folders is written to one object twice, side by side, which breaks it",
    tests: [
      [SYNC, "one id in two folders makes one whole session in the vault"],
      ["sync/pull_test.ts", "every copy of a session that stands in two folders is extended"],
    ],
  },
  {
    bug: "Files of one name in two sessions are taken for each other",
    tests: [[SYNC, "subagents of one name in two sessions stay each other's strangers"]],
  },
  {
    bug: "Files beside the transcript are left out, or go only when the transcript has changed",
    tests: [[SYNC, "a file beside a transcript goes when it alone has changed"]],
  },
  {
    bug: "Names with an underscore or an escape in them come back as others",
    tests: [
      [MISHAPS, "names of files come back sign for sign, whatever a store writes them as"],
      ["storage/git/object_path_test.ts", "readPath takes back what objectPath made of any name"],
    ],
  },
  {
    bug: "A file that is deleted while a push reads it ends the push",
    tests: [[MISHAPS, "a file that is deleted while a push reads it costs that file alone"]],
  },
  {
    bug: "Large sessions are left out without a word, or go up and never come down again",
    tests: [
      ["sync/push_test.ts", "a very long session is sent in several entries"],
      ["sync/overview_test.ts", "what a push cannot take is a failure, and status does not call"],
      ["crypto/envelope_test.ts", "encryptObject takes 64 MiB and not a byte more"],
    ],
  },
  {
    bug: "A grown session is sent whole, again and again",
    tests: [["sync/large_session_test.ts", "a 50 MB session grown by 100 kB sends under 80 kB"]],
  },
  {
    bug: "A file is cut to nothing before it is written, and a crash leaves that",
    tests: [
      ["sessions/write_back_test.ts", "prepareSessionFile leaves the old or the new file"],
      ["sync/kill_test.ts", "killing push and pull at any moment loses nothing"],
    ],
  },
];

/** What is taken for a wish to delete. */
const DELETIONS: readonly KnownBug[] = [
  {
    bug: "What the client cleans up after 30 days is deleted from the backup, too",
    tests: [
      ["sync/retention_test.ts", "removing the state database as well removes nothing"],
      ["sync/retention_test.ts", "what was deleted here stays away until it is asked for"],
    ],
  },
  {
    bug: "A disk that is not mounted looks like everything deleted, or like a new vault",
    tests: [
      ["sync/retention_test.ts", "a vault's folder that is not there is unreachable"],
      ["sync/retention_test.ts", "a machine that has joined but not synced yet makes no vault"],
    ],
  },
  {
    bug: "A push takes what is in the store away first, and what it puts there may not arrive",
    tests: [[MISHAPS, "a push only adds to the store: nothing there is replaced or taken away"]],
  },
  {
    bug: "Excluding a project or syncing a part deletes the rest for everybody",
    tests: [
      [SYNC, "a project that is excluded later stays in the vault and on the other machine"],
      ["sync/plans_test.ts", "push and pull of one session take its plan and no other"],
    ],
  },
];

/** Where a session is found again. */
const PLACES: readonly KnownBug[] = [
  {
    bug: "What is pulled lands in a folder where the client never looks",
    tests: [
      ["sync/two_machines_test.ts", "what one machine pushes another pulls, byte for byte"],
      ["sessions/placement_test.ts", "placeProject tries the current folder, map, known folders"],
    ],
  },
  {
    bug: "Projects with a hyphen, an underscore or a dot in their names are never pulled",
    tests: [[SYNC, "folders whose names differ by a sign each get their own sessions"]],
  },
  {
    bug: "A home folder is recognised in the middle of another name",
    tests: [
      ["sessions/local_path_test.ts", "pathBelow keeps to whole folder names"],
      ["sessions/project_test.ts", "identifyProject goes by the path without a remote that others"],
    ],
  },
];

/** What is told, and where it runs by itself. */
const TRUTH: readonly KnownBug[] = [
  {
    bug: "A failed push ends with success, the more so when it is to be quiet",
    tests: [
      ["cli/run_test.ts", "push that failed for some is exit 3, also in JSON"],
      ["cli/run_test.ts", "--quiet leaves data and errors"],
    ],
  },
  {
    bug: "All is said to be in step after a push that was refused",
    tests: [
      [MISHAPS, "a push that the store refuses is never called in step"],
      ["cli/run_test.ts", "status answers with its first line"],
    ],
  },
  {
    bug: "A question that nobody can answer ends the program with success",
    tests: [["cli/run_test.ts", "key export on a terminal asks first, and cannot with --no-input"]],
  },
  {
    bug: "One file that cannot be read, or one bad object, stops everything",
    tests: [
      ["sessions/discover_test.ts", "discoverSessions skips what cannot be read and sees the rest"],
      ["sync/hostile_session_test.ts", "pull refuses a session whose bytes are not what it says"],
    ],
  },
  {
    bug: "Hooks read variables that no client sets, or are killed with it",
    tests: [
      ["cli/hook_test.ts", "session-end and stop leave a note and start a worker"],
      ["platform/node_processes_test.ts", "spawnDetached starts a session of its own"],
    ],
  },
  {
    bug: "Settings that do not parse are taken for empty and written over",
    tests: [
      [SETTINGS, "planSettingsChange refuses a link to nothing and a file"],
      [SETTINGS, "addHooks refuses what it does not understand"],
    ],
  },
  {
    bug: "Settings that cannot be read are taken for none and written over",
    tests: [[SETTINGS, "settings that cannot be read are never taken for none"]],
  },
  {
    bug: "Settings are rewritten in place, or over what the client writes at that moment",
    tests: [
      [SETTINGS, "settings are the old ones or the new ones, wherever a change ends"],
      [SETTINGS, "what the client writes into the settings meanwhile is not written over"],
    ],
  },
  {
    bug: "Every push and pull parses the whole corpus into memory",
    tests: [
      ["sync/plans_test.ts", "a push with nothing new reads no transcript"],
      [
        "sync/memory_test.ts",
        "a push and a pull with nothing new read no memory and no transcript",
      ],
    ],
  },
];

/** Who may read, change and run what. */
const SECURITY: readonly KnownBug[] = [
  {
    bug: "Setting up again makes a new key, and the only old one is gone",
    tests: [[SYNC, "init where there is a key keeps it, and the vault opens as before"]],
  },
  {
    bug: "A second machine begins with a key of its own, which opens nothing",
    tests: [
      ["sync/init_test.ts", "of two that make a vault in one moment the second joins"],
      [MISHAPS, "a machine without the key brings nothing here and sends nothing"],
    ],
  },
  {
    bug: "Good ciphertext is refused at times, as its first byte looks like text",
    tests: [[
      "crypto/sealed_test.ts",
      "seal takes whatever first byte chance gives, also one of JSON",
    ]],
  },
  {
    bug: "A machine without the key sends its sessions in the clear, or writes ciphertext here",
    tests: [
      ["vault/sealed_store_test.ts", "VaultStore lets nothing else out of this machine"],
      [MISHAPS, "a machine without the key brings nothing here and sends nothing"],
    ],
  },
  {
    bug: "The store may swap objects, rename them, or put old ones back",
    tests: [
      ["crypto/envelope_test.ts", "open refuses an object in any other place than its own"],
      ["sync/tamper_test.ts", "a vault put back to an earlier state is refused"],
    ],
  },
  {
    bug: "A cut object is read as far as it goes, and the rest is given up for all",
    tests: [["sync/tamper_test.ts", "pull and verify refuse every object with a changed"]],
  },
  {
    bug: "A session's id or a file's name leads out of the client's folder",
    tests: [
      ["sync/hostile_session_test.ts", "pull writes nothing of a session with an unsafe name"],
      ["sessions/session_id_test.ts", "parseSessionId refuses everything else"],
      ["fuzz/name_test.ts", "fuzz: file names of a vault stay in the client's folders"],
    ],
  },
  {
    bug: "A name from the store becomes part of a program or a command line",
    tests: [
      ["platform/node_processes_test.ts", "run passes arguments as they are, never through"],
      ["storage/git/git_url_test.ts", "parseGitUrl takes nothing that Git would read as an option"],
    ],
  },
  {
    bug: "Settings, hooks and credentials of one machine arrive on another and run there",
    tests: [[
      "sessions/file_name_test.ts",
      "parseFileName refuses secrets and machine-local files",
    ]],
  },
  {
    bug: "Files with conversations can be read by every user of the machine",
    tests: [
      ["sessions/write_back_test.ts", "prepareSessionFile makes folders and file with the given"],
      ["platform/node_fs_test.ts", "createFile and makeDir are private under any umask"],
    ],
  },
];

/** All of them. */
export const KNOWN_BUGS: readonly KnownBug[] = [
  ...MACHINES,
  ...BYTES,
  ...DELETIONS,
  ...PLACES,
  ...TRUTH,
  ...SECURITY,
];
