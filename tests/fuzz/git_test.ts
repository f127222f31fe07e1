/** What Git prints, what its files say, and addresses of repositories. */
import assert from "node:assert/strict";
import * as fc from "fast-check";
import { type Bytes, concat, equalBytes, utf8 } from "../../src/base/bytes.ts";
import { parseGitConfig, remoteUrl } from "../../src/sessions/git_config.ts";
import { identifyProject } from "../../src/sessions/project.ts";
import { isRemote, normaliseRemote, REMOTE_LENGTH_MAX } from "../../src/sessions/remote.ts";
import {
  isRaced,
  parseLocalTips,
  parseOid,
  parseRemoteRefs,
} from "../../src/storage/git/git_answers.ts";
import {
  gitFailure,
  innerFailure,
  REPEATED_TEXT_LENGTH_MAX,
  withoutSecrets,
} from "../../src/storage/git/git_failure.ts";
import { parseBatch, parseTree, type TreeEntry } from "../../src/storage/git/git_tree.ts";
import { parseGitUrl } from "../../src/storage/git/git_url.ts";
import { hidingPath, isBranchId, objectPath, readPath } from "../../src/storage/git/object_path.ts";
import { LOCATION_URL_LENGTH_MAX } from "../../src/storage/location.ts";
import { objectName } from "../../src/storage/object_name.ts";
import { OBJECT_BYTES_MAX } from "../../src/storage/object_store.ts";
import { fakeHost, put } from "../sessions/disk.ts";
import { MemoryFs } from "../support/memory_fs.ts";
import { fuzz } from "./fuzzing.ts";
import { mutatedBytes, mutatedText } from "./mutations.ts";

const OID = "0123456789abcdef0123456789abcdef01234567";
const BRANCH = "0123456789abcdef";
const NAME = objectName("log/0123456789abcdef/000000000001.01234567");

function treeOf(entries: readonly TreeEntry[]): Bytes {
  return concat(...entries.flatMap(({ mode, name, oid }) => [
    Uint8Array.from(`${mode} ${name}\0`, (character) => character.charCodeAt(0)),
    Uint8Array.from(oid.match(/../g)!, (pair) => parseInt(pair, 16)),
  ]));
}

Deno.test("fuzz: a tree is all of its entries or none", () => {
  const [shard, file] = objectPath(NAME, 4096).split("/") as [string, string];
  const samples = [
    treeOf([{ mode: "40000", name: shard, oid: OID }, { mode: "100644", name: "a b", oid: OID }]),
    treeOf([{ mode: "100644", name: file, oid: OID }]),
  ];
  const inputs = fc.tuple(
    mutatedBytes(samples),
    fc.constantFrom("sha1" as const, "sha256" as const),
  );
  fuzz(inputs, ([tree, format]) => parseTree(tree, format), {
    check(entries, [tree]) {
      if (entries === null) return;
      for (const { mode } of entries) assert.match(mode, /^[0-7]{5,6}$/);
      const again = treeOf(entries);
      assert.equal(again.length, tree.length);
      // Other bytes are shown as what they are in another alphabet.
      if (tree.every((byte) => byte < 0x80 || byte > 0x9f)) assert(equalBytes(again, tree));
    },
  });
});

Deno.test("fuzz: paths in a tree are ours, whole, or a stranger's", () => {
  const paths = [objectPath(NAME, 4096), objectPath(NAME, 0), hidingPath(NAME, BRANCH)];
  fuzz(mutatedText(paths, ["=", "=-", "+", "shared"]), (path) => {
    const [shard = "", ...file] = path.split("/");
    return readPath(shard, file.join("/"));
  }, {
    check(meaning, path) {
      if (meaning === null) return;
      if (meaning.kind === "object") {
        assert(meaning.sizeBytes <= OBJECT_BYTES_MAX);
        assert.equal(objectPath(meaning.name, meaning.sizeBytes), path);
      } else {
        assert(isBranchId(meaning.branch));
        assert.equal(hidingPath(meaning.name, meaning.branch), path);
      }
    },
  });
});

Deno.test("fuzz: answers of cat-file are those that were asked for, in their order", () => {
  const answers = `${OID} blob 5\nhello\n${OID} missing\n${OID} tree 3\nab\n\n`;
  fuzz(mutatedBytes([utf8(answers), utf8(`${OID} missing\n`.repeat(3))]), (output) => {
    return parseBatch(output, 3);
  }, {
    check(found, output) {
      if (found === null) return;
      assert.equal(found.length, 3);
      const bytes = found.reduce((sum, answer) => sum + (answer?.content.length ?? 0), 0);
      assert(bytes < output.length);
    },
  });
});

Deno.test("fuzz: branches that Git lists are ours or passed over", () => {
  const lines = [
    `${OID}\tHEAD\n${OID}\trefs/heads/claude-sync/${BRANCH}\n`,
    `${"ab".repeat(32)}\trefs/heads/claude-sync/shared\n`,
    `${OID} refs/remotes/vault/${BRANCH}\n${OID} refs/remotes/vault/shared\n`,
    `!\ta:refs/heads/x\t[remote rejected] (cannot lock ref 'x': is at)\nDone\n`,
    `${OID}\n`,
  ];
  fuzz(mutatedBytes(lines.map(utf8)), (output) => {
    const text = new TextDecoder("latin1").decode(output);
    const { tips, isEmpty } = parseRemoteRefs(text);
    const oid = parseOid(output);
    return { tips, isEmpty, oid, ours: parseLocalTips(output, "refs/remotes/vault/"), text };
  }, {
    check({ tips, isEmpty, oid, ours, text }) {
      for (const [id, tip] of [...tips, ...ours]) {
        assert(isBranchId(id));
        assert.match(tip, /^([0-9a-f]{40}|[0-9a-f]{64})$/);
      }
      // A lie about emptiness would make somebody begin a vault anew.
      if (isEmpty) assert.match(text, /^\n*$/);
      if (oid !== null) assert.match(oid, /^([0-9a-f]{40}|[0-9a-f]{64})$/);
      assert.equal(typeof isRaced(text), "boolean");
    },
  });
});

Deno.test("fuzz: what Git and a server say becomes one harmless sentence", () => {
  const url = parseGitUrl("https://git.example/a.git", "linux");
  const said = [
    "remote: Repository not found.\nfatal: repository 'https://u:pa55word@h/x/' not found\n",
    "error: RPC failed; HTTP 413 curl 22\nfatal: the remote end hung up unexpectedly\n",
    "remote: GH001: Large files detected. token=ghp_0123456789abcdefghij0123456789\n",
    "fatal: Unable to create '/x/shallow.lock': File exists.\n",
  ];
  fuzz(mutatedText(said, ["remote: ", "fatal: ", "over the limit", "\x1b[31m"]), (text) => {
    return {
      failure: gitFailure(url, text),
      inner: innerFailure(text),
      plain: withoutSecrets(text),
    };
  }, {
    check({ failure, inner, plain }) {
      assert(["by-id", "format", "cache", "locked", null].includes(inner));
      for (const text of [failure.message, failure.hint ?? "", plain]) {
        assert.doesNotMatch(text, /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/u, JSON.stringify(text));
        assert.doesNotMatch(text, /\/\/[^/@\s]+@|[A-Za-z_]{3}\w*\d\w{20}/, JSON.stringify(text));
      }
      assert(plain.length <= REPEATED_TEXT_LENGTH_MAX);
      assert(failure.message.length <= REPEATED_TEXT_LENGTH_MAX + 200);
    },
  });
});

const CONFIG =
  '[core]\n\tbare = false\n[remote "origin"]\n\turl = "git@h:a/b\\tc" ; x\n\tfetch = +x\n';

Deno.test("fuzz: Git's settings are read as far as they make sense", () => {
  const samples = [
    CONFIG,
    '[remote.a]\nurl=x\\\n y\n[remote "b\\"c"] url = z\n',
    "\ufeff[a]\r\nb\r\n",
  ];
  fuzz(mutatedText(samples, ['[remote "', '"]', "\\\n", "url = "]), parseGitConfig, {
    check(entries, text) {
      for (const { section, subsection, name } of entries) {
        assert.match(section, /^[a-z0-9-]+$|^$/);
        assert.match(name, /^[a-z][a-z0-9-]*$/);
        assert(subsection === null || subsection.length <= text.length);
      }
      const url = remoteUrl(entries);
      assert(url === null || (url !== "" && url.length <= text.length));
    },
  });
});

Deno.test("fuzz: a project is told from whatever its Git folder holds", () => {
  const files = fc.tuple(
    mutatedBytes([CONFIG, "gitdir: ../r/.git\n", "gitdir: /x"].map(utf8)),
    fc.constantFrom(".git", ".git/config", ".git/commondir", ".git/HEAD"),
  );
  fuzz(files, ([bytes, name]) => {
    const fs = new MemoryFs();
    put(fs, "/home/bob/r/.git/HEAD", "ref: x\n");
    put(fs, `/home/bob/p/${name}`, bytes);
    if (name !== ".git" && name !== ".git/HEAD") put(fs, "/home/bob/p/.git/HEAD", "ref: x\n");
    return identifyProject(fs, fakeHost(), "/home/bob/p");
  }, {
    check: (identity, [bytes, name]) => {
      if (identity.kind === "git") return assert(isRemote(identity.remote));
      // What may be written there is also that the folder belongs to the other repository.
      const isOther = name === ".git/commondir" &&
        /\/r\/+\.git\/*[\r\n]*$/.test(new TextDecoder().decode(bytes));
      const path = isOther && identity.kind === "home" ? /^[pr]$/ : /^p$/;
      assert.match(identity.path, path);
    },
  });
});

const URLS = [
  ...["https://github.com/acme/app.git", "ssh://git@host:2222/~u/app", "git@host:acme/app.git"],
  ...["https://[::1]:8080/x", "file:///srv/git/x.git", "/srv/git/x.git", "C:\\repos\\x", "ext::sh"],
  ...["http://localhost/x", "https://user:pa55word@h/x", "git@ssh.dev.azure.com:v3/o/p/r"],
];

Deno.test("fuzz: a remote has one spelling, without users, passwords and schemes", () => {
  fuzz(mutatedText(URLS, ["@", "%2f", "%5c", ".git", "user:pa55word@"]), normaliseRemote, {
    check(remote) {
      if (remote === null) return;
      assert(isRemote(remote) && remote.length <= REMOTE_LENGTH_MAX);
      // deno-lint-ignore no-control-regex
      assert.doesNotMatch(remote, /[\0-\x1f\\]|(^|\/)\.\.?(\/|$)|\/\/|^\/|\/$/);
    },
  });
});

Deno.test("fuzz: an address that Git gets names a place and no program", () => {
  const inputs = fc.tuple(
    mutatedText(URLS, ["ext::", "-", "--upload-pack=", "%0a", "@", "::", "fd::"]),
    fc.constantFrom("linux" as const, "darwin" as const, "windows" as const),
  );
  fuzz(inputs, ([text, os]) => parseGitUrl(text, os), {
    codes: ["usage"],
    check(url, [text, os]) {
      assert.equal(url.url, text);
      assert(text.length <= LOCATION_URL_LENGTH_MAX);
      // deno-lint-ignore no-control-regex
      assert.doesNotMatch(text, /[\0-\x1f\x7f]/);
      assert.doesNotMatch(text, /^-|^[^/[]*::|^[a-z]+:\/\/[^/]*:[^/]*@/i);
      assert.doesNotMatch(url.host, /^-|[@/%\s]/);
      assert.equal(url.kind === "local", url.host === "");
      if (url.kind === "http") assert(url.isHere);
      if (url.kind === "local") {
        assert.match(url.path, os === "windows" ? /^([/\\]|[a-z]:)/i : /^\//);
      }
      assert.deepEqual(parseGitUrl(url.url, os), url);
    },
  });
});
