import assert from "node:assert/strict";
import fc from "fast-check";
import { isClaudeSyncError } from "../../../src/errors.ts";
import { type GitUrl, parseGitUrl } from "../../../src/storage/git/git_url.ts";
import { LOCATION_URL_LENGTH_MAX } from "../../../src/storage/location.ts";

const GOOD: readonly (readonly [string, GitUrl["kind"], string, boolean])[] = [
  ["https://github.com/alice/vault.git", "https", "github.com", false],
  ["https://github.com/alice/vault", "https", "github.com", false],
  ["HTTPS://Git.Example.org:8443/a/b.git", "https", "Git.Example.org", false],
  ["https://dev.azure.com/org/My%20Project/_git/vault", "https", "dev.azure.com", false],
  ["https://git.sr.ht/~alice/vault", "https", "git.sr.ht", false],
  ["https://[2001:db8::1]:443/x.git", "https", "[2001:db8::1]", false],
  ["http://127.0.0.1:8080/x.git", "http", "127.0.0.1", true],
  ["http://localhost/x.git", "http", "localhost", true],
  ["http://[::1]:80/x", "http", "[::1]", true],
  ["ssh://git@github.com/alice/vault.git", "ssh", "github.com", false],
  ["ssh://github.com:22/alice/vault.git", "ssh", "github.com", false],
  ["ssh://git@host/~alice/vault.git", "ssh", "host", false],
  ["git@github.com:alice/vault.git", "ssh", "github.com", false],
  ["nas:/volume1/git/vault.git", "ssh", "nas", false],
  ["alice@nas.local:vault.git", "ssh", "nas.local", false],
  ["file:///srv/git/vault.git", "local", "", true],
  ["file://localhost/srv/git/a b.git", "local", "", true],
  ["/srv/git/vault.git", "local", "", true],
  ["/srv/git/with a space, a colon: and ünï.git", "local", "", true],
];

Deno.test("parseGitUrl takes what users have", () => {
  for (const [text, kind, host, isHere] of GOOD) {
    const url = parseGitUrl(text, "linux");
    assert.deepEqual([url.kind, url.host, url.isHere, url.url], [kind, host, isHere, text], text);
  }
  assert.equal(parseGitUrl("file:///srv/git/x", "linux").path, "/srv/git/x");
  assert.equal(parseGitUrl("/srv/git/x", "linux").path, "/srv/git/x");
});

Deno.test("an address without a path is told what it lacks", () => {
  for (const text of ["https://github.com", "https://github.com/", "ssh://git@host"]) {
    assert.throws(() => parseGitUrl(text, "linux"), { message: /names no repository/ }, text);
  }
  for (const text of ["ftp://host/x", "ext::sh -c id", "ssh://-oProxyCommand=x/y"]) {
    assert.throws(() => parseGitUrl(text, "linux"), { message: /not supported/ }, text);
  }
});

/** Each is an attack, a leak, or a guess that could be wrong. */
const HOSTILE: readonly string[] = [
  "",
  " ",
  // Options.
  "--upload-pack=touch /tmp/x",
  "-u",
  "-oProxyCommand=x",
  "ssh://-oProxyCommand=x/y",
  "ssh://git@-oProxyCommand=x/y",
  "-oProxyCommand=x:y",
  "git@-oProxyCommand=x:y",
  "-x@host:y",
  "ssh://-x@host/y",
  "host:-x",
  // Programs that Git would start.
  "ext::sh -c id",
  "ext::https://x/y",
  "fd::17",
  "transport::address",
  "git-remote-x::y",
  "testgit::/srv/x",
  "EXT::sh",
  // Ways that are not encrypted, or not ours.
  "git://host/x",
  "ftp://host/x",
  "ftps://host/x",
  "rsync://host/x",
  "http://github.com/alice/vault",
  "http://127.0.0.1.evil.example/x",
  "http://127.0.0.1@evil.example/x",
  "svn+ssh://host/x",
  "data:text/plain,x",
  "javascript:alert(1)",
  "https:github.com/a/b",
  "ssh:host/x",
  // Secrets.
  "https://token@github.com/a/b",
  "https://alice:secret@github.com/a/b",
  "https://:secret@github.com/a/b",
  "https://alice%40x:secret@github.com/a/b",
  "ssh://git:secret@host/x",
  "git:secret@host:x",
  "https://github.com/a/b?private_token=secret",
  "https://github.com/a/b#secret",
  // Text that is read in two ways.
  "https://github.com/a\nb",
  "https://github.com/a\r\nb",
  "https://github.com/a\0b",
  "https://github.com/a b",
  "https://github.com/%0aHost:%20evil",
  "https://github.com/%00",
  "https://github.com/%zz",
  "https://github.com/$(id)",
  "https://github.com/`id`",
  "https://github.com/a;id",
  "https://github.com/a&id",
  "https://github.com/a'b",
  "ssh://host/$(id)",
  "git@host:$(id)",
  "git@host:a;id",
  "git@host:a b",
  "ssh://%2doProxyCommand=x/y",
  "ssh://user%0a@host/y",
  "ssh://host:0/x",
  "ssh://host:22x/x",
  "ssh://host",
  "ssh://host/",
  "https://",
  "https:///x",
  "https://github.com",
  "https://github.com/",
  "https://github.com\\@evil.example/x",
  "https:\\\\github.com\\x",
  "https://gíthub.com/x",
  "https://169.254.169.254/x",
  "ssh://169.254.1.1/x",
  "https://[fe80::1]/x",
  "https://0.0.0.0/x",
  "alice:pa55word@github.com/acme/app",
  "file://host/share/x",
  "file://",
  "file:///",
  "file:///srv/%2e%2e/x",
  "file:///srv/x?y",
  "file:relative",
  // Relative to wherever a hook runs.
  "vault.git",
  "./vault.git",
  "../vault.git",
  "~/vault.git",
  "/",
  "//server/share",
  // Windows paths, which Git elsewhere takes for a host of one letter.
  "C:\\git\\vault",
  "C:/git/vault",
  "c:vault",
  "\\\\nas\\git\\vault",
  "host:",
  ":path",
  "@host:path",
  "host::path",
  `https://github.com/${"a".repeat(LOCATION_URL_LENGTH_MAX)}`,
];

Deno.test("parseGitUrl refuses everything else, and repeats no secret", () => {
  for (const text of HOSTILE) {
    assert.throws(
      () => parseGitUrl(text, "linux"),
      (error) =>
        isClaudeSyncError(error, "usage") && error.hint !== undefined &&
        !`${error.message}${error.hint}`.includes("secret"),
      text,
    );
  }
});

Deno.test("parseGitUrl takes Windows paths on Windows only, and POSIX ones elsewhere", () => {
  const paths = [
    "C:\\git\\vault",
    "d:/git/vault",
    "\\\\nas\\git\\vault",
    "\\\\nas.lan\\git\\vault",
  ];
  for (const text of [...paths, "\\\\192.168.1.5\\git\\vault"]) {
    assert.deepEqual(parseGitUrl(text, "windows"), {
      ...{ kind: "local", url: text, host: "", path: text, isHere: true },
    });
    assert.throws(() => parseGitUrl(text, "darwin"), (error) => isClaudeSyncError(error, "usage"));
  }
  assert.equal(parseGitUrl("file:///C:/git/vault", "windows").path, "C:/git/vault");
  // Elsewhere it is a folder of that name, and no path that hangs on where we stand.
  assert.equal(parseGitUrl("file:///C:/git/vault", "linux").path, "/C:/git/vault");
  const hostile = [
    "\\\\?\\C:\\x",
    "\\\\.\\pipe\\x",
    "\\\\..\\x",
    "\\\\::\\-",
    "\\\\nas\\:",
    "\\\\nas",
  ];
  for (const text of ["c:vault", "\\vault", "/git/vault", ...hostile]) {
    assert.throws(() => parseGitUrl(text, "windows"), (error) => isClaudeSyncError(error, "usage"));
  }
});

Deno.test("parseGitUrl takes nothing that Git would read as an option or a program", () => {
  const alphabet = [..."-:/@%.a1Z~[]\\ \n\0", "::", "://", "ext::", "ssh://", "https://", "host"];
  const texts = fc.array(fc.constantFrom(...alphabet), { maxLength: 12 }).map((a) => a.join(""));
  fc.assert(
    fc.property(texts, fc.constantFrom("linux", "windows"), (text, os) => {
      try {
        const { url, host } = parseGitUrl(text, os);
        assert.equal(url, text);
        assert.ok(!text.startsWith("-") && !host.startsWith("-"));
        assert.doesNotMatch(text, /^[^/]*::|^[a-z]+:\/\/[^/]*:[^/]*@/i);
        // deno-lint-ignore no-control-regex
        assert.doesNotMatch(text, /[\0-\x1f]/);
      } catch (error) {
        if (!isClaudeSyncError(error, "usage")) throw error;
      }
    }),
    { numRuns: 5000 },
  );
});
