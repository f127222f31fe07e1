import assert from "node:assert/strict";
import fc from "fast-check";
import { isRemote, normaliseRemote, REMOTE_LENGTH_MAX } from "../../src/sessions/remote.ts";

const SAME = "github.com/acme/app";
const CASES: readonly (readonly [string, string | null])[] = [
  ["git@github.com:acme/app.git", SAME],
  ["git@github.com:acme/app", SAME],
  ["git@github.com:/acme/app.git", SAME],
  ["github.com:acme/app", SAME],
  ["ssh://git@github.com/acme/app.git", SAME],
  ["ssh://git@github.com:22/acme/app.git", SAME],
  ["ssh://git@ssh.github.com:443/acme/app.git", SAME],
  ["git+ssh://git@github.com/acme/app", SAME],
  ["https://github.com/acme/app", SAME],
  ["https://github.com/acme/app/", SAME],
  ["https://github.com/acme/app.git/", SAME],
  ["https://www.github.com/acme/app", SAME],
  ["https://GitHub.com/Acme/App.git", SAME],
  ["https://github.com/acme/app.git.git", SAME],
  ["https://github.com:443/acme/app", SAME],
  ["https://github.com//acme///app", SAME],
  ["https://user:token@github.com/acme/app.git", SAME],
  ["https://x-access-token:ghp_0@github.com/acme/app?x=1#y", SAME],
  ["http://github.com/acme/app", SAME],
  ["git://github.com/acme/app.git", SAME],
  ["  git@github.com:acme/app.git\n", SAME],
  ["https://git.example.org/Team/Sub/App", "git.example.org/Team/Sub/App"],
  ["https://git.example.org:8443/team/app", "git.example.org/team/app"],
  ["me@box:src/app.git", "box/src/app"],
  ["box:~me/app", "box/~me/app"],
  ["ssh://me@[::1]:2222/srv/app.git", "[::1]/srv/app"],
  ["me@[fe80::1]:srv/app", "[fe80::1]/srv/app"],
  ["https://dev.azure.com/org/my%20project/_git/app", "dev.azure.com/org/my project/app"],
  ["git@ssh.dev.azure.com:v3/org/my%20project/app", "dev.azure.com/org/my project/app"],
  ["https://example.org/100%/app", "example.org/100%/app"],
  ["", null],
  ["/srv/git/app.git", null],
  ["../app", null],
  ["./a:b", null],
  ["app", null],
  ["file:///srv/git/app.git", null],
  ["C:\\src\\app", null],
  ["C:/src/app", null],
  ["\\\\server\\share\\app", null],
  ["ext::sh -c evil", null],
  ["codecommit::us-east-1://app", null],
  ["s3://bucket/app", null],
  ["https://github.com", null],
  ["https://github.com/", null],
  ["https://github.com/.git", null],
  ["git@github.com:", null],
  ["https://github.com/../app", "github.com/app"],
  ["https://github.com/acme/%2e%2e/app", "github.com/app"],
  ["git@github.com:acme/../app", null],
  ["git@github.com:acme/a\u001b[2Jpp", null],
  ["git@github.com:acme/a\u202epp", null],
  ["https://exa mple.org/a/b", null],
  ["-oProxyCommand=x:acme/app", null],
];

Deno.test("normaliseRemote gives one spelling for all URLs of a repository", () => {
  for (const [url, remote] of CASES) assert.equal(normaliseRemote(url), remote, url);
});

Deno.test("normaliseRemote holds its limit", () => {
  const fits = `https://h/${"a".repeat(REMOTE_LENGTH_MAX - "https://h/".length)}`;
  assert.notEqual(normaliseRemote(fits), null);
  assert.equal(normaliseRemote(`${fits}a`), null);
});

Deno.test("normaliseRemote never throws, is stable, and keeps no user, password or escape", () => {
  const part = fc.oneof(
    fc.constantFrom(
      "@",
      ":",
      "/",
      "//",
      "..",
      ".git",
      "https://",
      "ssh://",
      "h.org",
      "secret",
      "%2f",
      " ",
    ),
    fc.string({ unit: "binary", maxLength: 5 }),
  );
  fc.assert(fc.property(fc.array(part, { maxLength: 10 }), (parts) => {
    const remote = normaliseRemote(parts.join(""));
    if (remote === null) return;
    assert(isRemote(remote));
    const url = `https://${remote.split("/").map(encodeURIComponent).join("/")}`;
    if (!remote.startsWith("[")) assert.equal(normaliseRemote(url), remote);
    assert(!/[\p{Cc}\p{Cf}]/u.test(remote));
  }));
  fc.assert(fc.property(fc.stringMatching(/^[a-z]{4,12}$/), (secret) => {
    for (
      const url of [
        `https://u:${secret}@h.org/a/b`,
        `ssh://${secret}@h.org/a/b`,
        `${secret}@h.org:a/b`,
      ]
    ) {
      assert.equal(normaliseRemote(url), "h.org/a/b");
    }
  }));
});
