/** What all help pages share. */

/** What each exit code means, as every help page says it. */
export const EXIT_TEXTS: Readonly<Record<number, string>> = {
  0: "done, or nothing to do",
  1: "failed",
  2: "wrong usage, or a question could not be asked",
  3: "partly done: some sessions failed, the others are safe",
  4: "the store refused the credentials or the permission",
  5: "the store cannot be reached; nothing is lost, try again",
  8: "changes are waiting",
  10: "not set up here, or no vault at that place",
  11: "another claude-sync is working on this machine, or what you were asked about has changed",
  12: "wrong key; nothing was written",
  13: "damaged, forged or rolled-back data; nothing local was replaced",
  70: "a bug in claude-sync",
  130: "interrupted; what was finished is kept",
};

/** Flags that every command takes. */
export const GLOBAL_FLAGS: readonly (readonly [flag: string, about: string])[] = [
  ["--json", "one JSON object on standard output"],
  ["-q, --quiet", "only data and errors"],
  ["-v, --verbose", "more about what happens"],
  ["-n, --dry-run", "say what would be done, and do nothing"],
  ["-y, --yes", "answer every question with yes"],
  ["--no-input", "never ask; fail with exit code 2 instead"],
  ["--color WHEN", "auto, always or never"],
  ["--profile NAME", "another vault and key on the same machine"],
  ["-h, --help", "help about a command"],
  ["-V, --version", "the version"],
];

/** Environment variables, for the overview. */
export const ENVIRONMENT: readonly (readonly [name: string, about: string])[] = [
  ["CLAUDE_SYNC_HOME", "key, settings and state of claude-sync (~/.claude-sync)"],
  ["CLAUDE_SYNC_KEY_FILE", "the key, when it is somewhere else"],
  ["CLAUDE_SYNC_DISABLE=1", "hooks and the shell function do nothing"],
  ["CLAUDE_CONFIG_DIR", "Claude Code's folder (~/.claude)"],
  ["HTTPS_PROXY, NO_PROXY", "the way to stores behind a proxy"],
  ["NODE_EXTRA_CA_CERTS", "certificate authorities to trust besides the usual ones"],
  ["NO_COLOR, FORCE_COLOR", "no colours, or colours without a terminal"],
];
