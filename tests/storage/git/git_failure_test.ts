/** Texts as Git, SSH and hosts print them: captured here, or as the hosts document them. */
import assert from "node:assert/strict";
import type { ErrorCode } from "../../../src/errors.ts";
import {
  gitFailure,
  type InnerFailure,
  innerFailure,
  REPEATED_TEXT_LENGTH_MAX,
  withoutSecrets,
} from "../../../src/storage/git/git_failure.ts";
import { parseGitUrl } from "../../../src/storage/git/git_url.ts";
import { RetryAfter } from "../../../src/storage/retry_after.ts";

const url = parseGitUrl("https://git.example/alice/vault.git", "linux");
const TAIL = "fatal: Could not read from remote repository.\n\nPlease make sure you have the " +
  "correct access rights\nand the repository exists.\n";

const SAMPLES: readonly (readonly [what: string, stderr: string, ErrorCode, message: RegExp])[] = [
  [
    "the other side of a repository on a disk, killed, after it could not run what it may not",
    "remote: error: cannot run : No such file or directory        \nKilled\nsend-pack: " +
    "unexpected disconnect while reading sideband packet\nfatal: the remote end hung up " +
    "unexpectedly\n",
    "store-unreachable",
    /cannot be reached/,
  ],
  [
    "no credentials",
    "fatal: could not read Username for 'http://127.0.0.1:28893': terminal prompts disabled\n",
    "store-refused",
    /needs credentials/,
  ],
  [
    "wrong credentials",
    "fatal: Authentication failed for 'http://127.0.0.1:28893/x.git/'\n",
    "store-refused",
    /needs credentials/,
  ],
  [
    "GitHub without password authentication",
    "remote: Invalid username or token. Password authentication is not supported for Git " +
    "operations.\nfatal: Authentication failed for 'https://github.com/a/b.git/'\n",
    "store-refused",
    /needs credentials/,
  ],
  [
    "GitLab",
    "remote: HTTP Basic: Access denied. If a password was provided for Git authentication, the " +
    "password was incorrect\nfatal: Authentication failed for 'https://gitlab.com/a/b.git/'\n",
    "store-refused",
    /needs credentials/,
  ],
  [
    "GitHub, read only",
    "remote: Permission to alice/vault.git denied to bob.\nfatal: unable to access " +
    "'https://github.com/alice/vault.git/': The requested URL returned error: 403\n",
    "store-refused",
    /may not read or write .*denied to bob/,
  ],
  [
    "GitHub, archived",
    "remote: This repository was archived so it is read-only.\nfatal: unable to access " +
    "'https://github.com/alice/vault.git/': The requested URL returned error: 403\n",
    "store-refused",
    /archived/,
  ],
  [
    "GitHub, deploy key",
    `ERROR: The key you are authenticating with has been marked as read only.\n${TAIL}`,
    "store-refused",
    /may not read or write/,
  ],
  [
    "an unknown SSH host",
    `Host key verification failed.\r\n${TAIL}`,
    "store-refused",
    /does not know the SSH key of "git.example"/,
  ],
  [
    "another SSH host",
    "@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@\r\n@    WARNING: REMOTE HOST " +
    "IDENTIFICATION HAS CHANGED!     @\r\n@@@@@@@@@@@\r\nIT IS POSSIBLE THAT SOMEONE IS DOING " +
    "SOMETHING NASTY!\r\nOffending ED25519 key in /home/a/.ssh/known_hosts:1\r\nHost key for " +
    `[127.0.0.1]:24164 has changed and you have requested strict checking.\r\nHost key ` +
    `verification failed.\r\n${TAIL}`,
    "store-refused",
    /not the one that this machine knows/,
  ],
  [
    "no SSH key that is taken",
    `root@127.0.0.1: Permission denied (publickey).\r\n${TAIL}`,
    "store-refused",
    /none of this machine's SSH keys/,
  ],
  [
    "an SSH key with a passphrase, without an agent",
    `sign_and_send_pubkey: signing failed for ED25519 "/home/a/.ssh/id": agent refused ` +
    `operation\r\ngit@git.example: Permission denied (publickey,keyboard-interactive).\r\n${TAIL}`,
    "store-refused",
    /none of this machine's SSH keys/,
  ],
  [
    "no repository over http",
    "fatal: repository 'http://127.0.0.1:28893/nope.git/' not found\n",
    "no-vault",
    /no repository at/,
  ],
  [
    "no repository at GitHub",
    "remote: Repository not found.\nfatal: repository 'https://github.com/a/b/' not found\n",
    "no-vault",
    /no repository at/,
  ],
  [
    "no repository at GitLab over SSH",
    "remote: ERROR: The project you were looking for could not be found or you don't have " +
    `permission to view it.\n${TAIL}`,
    "no-vault",
    /no repository at/,
  ],
  [
    "no repository on a disk",
    `fatal: '/tmp' does not appear to be a git repository\n${TAIL}`,
    "no-vault",
    /no repository at/,
  ],
  [
    "Azure DevOps",
    "remote: TF401019: The Git repository with name or identifier x does not exist or you do " +
    `not have permissions for the operation you are attempting.\n${TAIL}`,
    "no-vault",
    /no repository at/,
  ],
  [
    "a protected branch",
    "remote: GH006: Protected branch update failed for refs/heads/claude-sync/abc.        \n" +
    "error: failed to push some refs to 'http://127.0.0.1:28893/prot.git'\n",
    "store-refused",
    /refused the push: GH006: Protected branch update failed/,
  ],
  [
    "a rule of GitLab",
    "remote: GitLab: You are not allowed to push code to protected branches on this project.\n" +
    "To git.example:a/b.git\n ! [remote rejected] x -> x (pre-receive hook declined)\n",
    "store-refused",
    /not allowed to push code/,
  ],
  [
    "a quota",
    "remote: Your push has been rejected, because this repository is over its limit of 10 GB\n" +
    "error: failed to push some refs to 'https://git.example/x'\n",
    "no-space",
    /no space left.*over its limit/,
  ],
  [
    "a full disk",
    "remote: fatal: write error: No space left on device\nerror: remote unpack failed\n",
    "no-space",
    /no space left/,
  ],
  [
    "GitHub, a large file",
    "remote: error: GH001: Large files detected. You may want to try Git Large File Storage.\n",
    "too-large",
    /takes no push of that size: GH001/,
  ],
  [
    "nginx, a large body",
    "error: RPC failed; HTTP 413 curl 22 The requested URL returned error: 413\nsend-pack: " +
    "unexpected disconnect while reading sideband packet\nfatal: the remote end hung up " +
    "unexpectedly\n",
    "too-large",
    /takes no push of that size$/,
  ],
  [
    "too often",
    "fatal: unable to access 'https://github.com/a/b/': The requested URL returned error: 429\n",
    "store-unreachable",
    /less often/,
  ],
  [
    "an unknown host",
    "fatal: unable to access 'https://no-such-host.invalid/x.git/': Could not resolve host: " +
    "no-such-host.invalid\n",
    "store-unreachable",
    /not found/,
  ],
  [
    "an unknown host over SSH",
    `ssh: Could not resolve hostname git.example: Name or service not known\r\n${TAIL}`,
    "store-unreachable",
    /not found/,
  ],
  [
    "nobody listens",
    "fatal: unable to access 'http://127.0.0.1:9/x.git/': Failed to connect to 127.0.0.1 port 9 " +
    "after 0 ms: Couldn't connect to server\n",
    "store-unreachable",
    /cannot be reached/,
  ],
  [
    "nobody listens over SSH",
    `ssh: connect to host 127.0.0.1 port 9: Connection refused\r\n${TAIL}`,
    "store-unreachable",
    /cannot be reached/,
  ],
  [
    "the line is cut",
    "error: RPC failed; curl 56 Recv failure: Connection reset by peer\nfatal: early EOF\n",
    "store-unreachable",
    /cannot be reached/,
  ],
  [
    "the server is ill",
    "fatal: unable to access 'https://git.example/x/': The requested URL returned error: 502\n",
    "store-unreachable",
    /cannot be reached/,
  ],
  [
    "a certificate of one's own",
    "fatal: unable to access 'https://127.0.0.1:27822/x.git/': server certificate verification " +
    "failed. CAfile: /etc/ssl/certs/ca-certificates.crt CRLfile: none\n",
    "store-refused",
    /TLS certificate/,
  ],
  [
    "an address that settings change",
    "fatal: transport 'ext' not allowed\n",
    "store-refused",
    /not allowed/,
  ],
  [
    "somebody else's folder",
    "fatal: detected dubious ownership in repository at '/srv/x'\nTo add an exception for this " +
    `directory, call:\n\n\tgit config --global --add safe.directory /srv/x\n${TAIL}`,
    "store-refused",
    /does not trust/,
  ],
  [
    "objects that are not valid",
    "error: object 1c3d: hasDotgit: contains '.git'\nfatal: fsck error in packed object\n" +
    "fatal: fetch-pack: invalid index-pack output\n",
    "store-invalid",
    /not valid/,
  ],
  [
    "a damaged repository",
    "remote: fatal: unable to read 5bc42e78d347d64f6dcc894afc54d1aa9877bfb5\nremote: aborting " +
    "due to possible repository corruption on the remote side.\nfatal: early EOF\n",
    "store-invalid",
    /damaged/,
  ],
  ["something new", "fatal: the moon is full\n", "store-unreachable", /Git failed .*moon is full/],
];

Deno.test("gitFailure tells what Git's words mean", () => {
  for (const [what, stderr, code, message] of SAMPLES) {
    const error = gitFailure(url, stderr);
    assert.equal(error.code, code, `${what}: ${error.message}`);
    assert.match(error.message, message, what);
    assert.doesNotMatch(error.message, /\.$|[\r\n]/, what);
    assert.equal(innerFailure(stderr), null, what);
  }
  assert.ok(gitFailure(url, "error: 429 rate limit exceeded").cause instanceof RetryAfter);
});

Deno.test("innerFailure knows what only concerns our copy of the repository", () => {
  const oid = "43dd47ea691c90a5fa7827892c70241913351963";
  const samples: readonly (readonly [string, InnerFailure])[] = [
    [`error: Server does not allow request for unadvertised object ${oid}\n`, "by-id"],
    [`fatal: remote error: upload-pack: not our ref ${oid}\n`, "by-id"],
    [
      "fatal: the receiving end does not support this repository's hash algorithm\nfatal: the " +
      "remote end hung up unexpectedly\n",
      "format",
    ],
    ["fatal: mismatched algorithms: client sha1; server sha256\n", "format"],
    [
      "error: cannot lock ref 'refs/remotes/vault/x': Unable to create '/c/x.lock': File exists.\n",
      "locked",
    ],
    ["fatal: shallow file has changed since we read it\n", "locked"],
    ["fatal: not a git repository: '/c/r-x'\n", "cache"],
    [`error: object file objects/5b/c4 is empty\nfatal: loose object ${oid} is corrupt\n`, "cache"],
    ["error: packfile /c/pack-1.pack does not match index\n", "cache"],
    [`fatal: bad object ${oid}\n`, "cache"],
    ["fatal: bad config line 1 in file /c/r-x/config\n", "cache"],
  ];
  for (const [stderr, inner] of samples) assert.equal(innerFailure(stderr), inner, stderr);
});

Deno.test("no message repeats a secret or a control character", () => {
  const secrets = [
    "remote: https://alice:hunter2@git.example/x",
    "fatal: unable to access 'https://alice:a@hunter2@git.example/x': strange",
    "remote: https://alice:a@/bob:hunter2@git.example/x",
    "remote: token ghp_0123456789abcdefghijABCDEFGHIJ012345 is not allowed to push",
    "remote: Authorization: Basic aHVudGVyMg== denied by policy",
    "fatal: unable to access 'https://oauth2:glpat-hunter2@gitlab.com/a/b/': strange",
    "remote: \x1b[2J\x07quota \u202ehunter1",
  ];
  for (const stderr of secrets) {
    const { message, hint } = gitFailure(url, `${stderr}\n`);
    // deno-lint-ignore no-control-regex
    assert.doesNotMatch(`${message} ${hint}`, /hunter2|ghp_0|aHVud|[\0-\x1f\u202e]/, stderr);
  }
  assert(withoutSecrets(`x${"\u{1f468}".repeat(200)}`).isWellFormed());
  const long = gitFailure(url, `remote: quota ${"very ".repeat(1000)}\n`);
  assert.ok(long.message.length < REPEATED_TEXT_LENGTH_MAX + 100);
  assert.equal(withoutSecrets("a plain sentence of 2 words"), "a plain sentence of 2 words");
});

Deno.test("where nobody answers, the address is what to look at", () => {
  for (
    const text of [
      "fatal: unable to access 'https://h.invalid/x/': Could not resolve host: h.invalid\n",
      "fatal: unable to access 'https://h.invalid/x/': Failed to connect to h.invalid port 443\n",
    ]
  ) {
    const error = gitFailure(parseGitUrl("https://h.invalid/x", "linux"), text);
    assert.equal(error.code, "store-unreachable");
    assert.match(error.hint ?? "", /Check the address and the network/);
  }
});

Deno.test("a server that talks without end is heard at its beginning and its end", () => {
  const noise = "remote: over the over the ".repeat(400_000);
  const startMs = performance.now();
  for (const word of ["over the ", "No ", "exceeds ", "object file ", "Load key ", "remote: "]) {
    gitFailure(url, word.repeat(2 ** 21 / word.length));
    innerFailure(word.repeat(2 ** 21 / word.length));
  }
  assert(performance.now() - startMs < 5_000, "it takes too long");
  const said = `remote: Repository not found.\n${noise}\n`;
  assert.equal(gitFailure(url, said).code, "no-vault");
  const atEnd = `${noise}\nfatal: Authentication failed for 'https://h/p'\n`;
  assert.equal(gitFailure(url, atEnd).code, "store-refused");
});
