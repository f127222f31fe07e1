/** The branch `main` says what the repository is, to whoever opens it on the web. */
export const README_TEXT = `# A claude-sync vault

This repository holds Claude Code sessions that [claude-sync](https://github.com/claude-sync/claude-sync)
has encrypted on its owner's machines. Without the vault's key nothing in it can be read, not even
by the host.

- Each machine writes to a branch of its own, \`claude-sync/<random>\`, and only ever adds to it.
- Do not edit, rebase, squash or delete these branches, and do not check them out: their files are
  ciphertext with random names.
- To use the vault on one more machine: \`claude-sync init --git <this repository's address>\`.

This branch holds nothing but this page. You may change it as you like.
`;

/** Where it goes. */
export const README_REF = "refs/heads/main";
