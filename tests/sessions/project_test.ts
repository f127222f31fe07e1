import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import * as disk from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { nodeFileSystem } from "../../src/platform/node_fs.ts";
import {
  describeProject,
  identifyProject,
  parseProjectIdentity,
  PROJECT_PATH_LENGTH_MAX,
  projectKey,
} from "../../src/sessions/project.ts";
import type { ProjectIdentity } from "../../src/sessions/project.ts";
import { REMOTE_LENGTH_MAX } from "../../src/sessions/remote.ts";
import { MemoryFs } from "../support/memory_fs.ts";
import { fakeHost, put } from "./disk.ts";

const APP = "github.com/acme/app";
const origin = (url: string) => `[remote "origin"]\n\turl = ${url}\n`;

function repository(fs: MemoryFs, dir: string, config: string): void {
  put(fs, `${dir}/.git/HEAD`, "ref: refs/heads/main\n");
  put(fs, `${dir}/.git/config`, config);
}

Deno.test("identifyProject goes by the remote and the path inside the work tree", () => {
  const fs = new MemoryFs();
  const host = fakeHost();
  repository(fs, "/home/bob/src/app", origin("git@github.com:acme/app.git"));
  fs.makeDir("/home/bob/src/app/packages/web");
  assert.deepEqual(identifyProject(fs, host, "/home/bob/src/app"), {
    kind: "git",
    remote: APP,
    sub: "",
  });
  assert.deepEqual(identifyProject(fs, host, "/home/bob/src/app/packages/web/"), {
    kind: "git",
    remote: APP,
    sub: "packages/web",
  });
});

Deno.test("identifyProject goes by the path without a remote that others can reach", () => {
  const fs = new MemoryFs();
  const host = fakeHost();
  fs.makeDir("/home/bob/notes");
  fs.makeDir("/srv/data");
  repository(fs, "/home/bob/local", "[core]\n\tbare = false\n");
  repository(fs, "/home/bob/mirror", origin("/srv/git/app.git"));
  fs.makeDir("/home/bobby");
  const cases: readonly (readonly [string, ProjectIdentity])[] = [
    ["/home/bob/notes", { kind: "home", path: "notes" }],
    ["/home/bob", { kind: "home", path: "" }],
    ["/home/bob/local", { kind: "home", path: "local" }],
    ["/home/bob/mirror", { kind: "home", path: "mirror" }],
    ["/home/bobby", { kind: "path", path: "/home/bobby" }],
    ["/srv/data", { kind: "path", path: "/srv/data" }],
    ["/", { kind: "path", path: "/" }],
    ["/home/bob/gone/sub", { kind: "home", path: "gone/sub" }],
    ["/gone", { kind: "path", path: "/gone" }],
    ["notes", { kind: "home", path: "notes" }],
  ];
  for (const [dir, identity] of cases) {
    assert.deepEqual(identifyProject(fs, host, dir), identity, dir);
  }
});

Deno.test("identifyProject sees through links to the folder and to the home folder", () => {
  const fs = new MemoryFs();
  fs.makeDir("/data/bob/notes");
  fs.makeDir("/home");
  fs.symlink("/data/bob", "/home/bob");
  fs.symlink("/data/bob/notes", "/n");
  const expected = { kind: "home", path: "notes" };
  for (const dir of ["/home/bob/notes", "/data/bob/notes", "/n"]) {
    assert.deepEqual(identifyProject(fs, fakeHost(), dir), expected, dir);
  }
  assert.deepEqual(identifyProject(fs, fakeHost(), "/home/bob/gone"), {
    kind: "home",
    path: "gone",
  });
});

Deno.test("identifyProject is not led astray by a .git that is none", () => {
  const fs = new MemoryFs();
  const host = fakeHost();
  repository(fs, "/home/bob/app", origin("https://github.com/acme/app"));
  fs.makeDir("/home/bob/app/a/.git");
  put(fs, "/home/bob/app/b/.git", "gitdir: /nowhere\n");
  put(fs, "/home/bob/app/c/.git", "garbage");
  fs.makeDir("/home/bob/app/d");
  fs.symlink(".git", "/home/bob/app/d/.git");
  for (const sub of ["a", "b", "c", "d"]) {
    const identity = identifyProject(fs, host, `/home/bob/app/${sub}`);
    assert.deepEqual(identity, { kind: "git", remote: APP, sub });
  }
  repository(fs, "/home/bob/odd", "\0garbage");
  assert.deepEqual(identifyProject(fs, host, "/home/bob/odd"), { kind: "home", path: "odd" });
});

Deno.test("identifyProject spells Windows paths with slashes and one drive case", () => {
  const nothing = new MemoryFs();
  const fs = Object.assign(Object.create(nothing), { realpath: () => null });
  const host = fakeHost({ os: "windows", home: "C:\\Users\\bob" });
  const cases: readonly (readonly [string, ProjectIdentity])[] = [
    ["C:\\Users\\bob\\src\\app", { kind: "home", path: "src/app" }],
    ["c:\\users\\Bob\\src", { kind: "home", path: "src" }],
    ["d:\\work\\app\\", { kind: "path", path: "D:/work/app" }],
    ["D:/work", { kind: "path", path: "D:/work" }],
    ["\\\\server\\share\\app", { kind: "path", path: "//server/share/app" }],
  ];
  for (const [dir, identity] of cases) {
    assert.deepEqual(identifyProject(fs, host, dir), identity, dir);
    assert.deepEqual(parseProjectIdentity(identity), identity, dir);
  }
});

/** Real Git, so that the layout is Git's own and not our idea of it. */
function withGit(run: (dir: string, git: (...args: string[]) => void) => void): void {
  const dir = disk.realpathSync(disk.mkdtempSync(join(tmpdir(), "project-test-")));
  const env = {
    PATH: Deno.env.get("PATH"),
    HOME: dir,
    GIT_CONFIG_NOSYSTEM: "1",
    GIT_AUTHOR_NAME: "t",
    GIT_AUTHOR_EMAIL: "t@example.org",
    GIT_COMMITTER_NAME: "t",
    GIT_COMMITTER_EMAIL: "t@example.org",
  };
  const git = (...args: string[]) => {
    execFileSync("git", ["-c", "protocol.file.allow=always", ...args], {
      cwd: dir,
      env,
      stdio: "pipe",
    });
  };
  try {
    run(dir, git);
  } finally {
    disk.rmSync(dir, { recursive: true, force: true });
  }
}

Deno.test("identifyProject counts a worktree as its main repository", () => {
  withGit((dir, git) => {
    const fs = nodeFileSystem();
    const host = fakeHost({ home: dir });
    git("init", "-q", "repo");
    disk.mkdirSync(join(dir, "repo", "pkg"));
    disk.writeFileSync(join(dir, "repo", "pkg", "f"), "x");
    git("-C", "repo", "add", ".");
    git("-C", "repo", "commit", "-qm", "one");
    git("-C", "repo", "worktree", "add", "-q", ".claude/worktrees/wt2");
    git("-C", "repo", "worktree", "add", "-q", "../beside");
    const here = (path: string) => identifyProject(fs, host, join(dir, path));
    for (const top of ["repo", "repo/.claude/worktrees/wt2", "beside"]) {
      assert.deepEqual(here(top), { kind: "home", path: "repo" }, top);
      assert.deepEqual(here(`${top}/pkg`), { kind: "home", path: "repo/pkg" }, top);
    }
    git("-C", "repo", "remote", "add", "origin", "git@github.com:acme/app.git");
    for (const top of ["repo", "repo/.claude/worktrees/wt2", "beside"]) {
      assert.deepEqual(here(top), { kind: "git", remote: APP, sub: "" }, top);
      assert.deepEqual(here(`${top}/pkg`), { kind: "git", remote: APP, sub: "pkg" }, top);
    }
  });
});

Deno.test("identifyProject knows submodules, separate and bare repositories", () => {
  withGit((dir, git) => {
    const fs = nodeFileSystem();
    const host = fakeHost({ home: dir });
    const here = (path: string) => identifyProject(fs, host, join(dir, path));
    git("init", "-q", "lib");
    git("-C", "lib", "commit", "-q", "--allow-empty", "-m", "one");
    git("init", "-q", "app");
    git("-C", "app", "submodule", "add", "-q", join(dir, "lib"), "vendor/lib");
    git("-C", "app", "remote", "add", "origin", "https://github.com/acme/app");
    git("-C", "app/vendor/lib", "remote", "set-url", "origin", "https://github.com/acme/lib.git");
    assert.deepEqual(here("app/vendor"), { kind: "git", remote: APP, sub: "vendor" });
    assert.deepEqual(here("app/vendor/lib"), {
      kind: "git",
      remote: "github.com/acme/lib",
      sub: "",
    });

    git("init", "-q", "--separate-git-dir", " store ", "apart");
    git("-C", "apart", "remote", "add", "up", "ssh://git@github.com/acme/apart");
    assert.deepEqual(here("apart"), { kind: "git", remote: "github.com/acme/apart", sub: "" });

    git("clone", "-q", "--bare", "lib", "bare/.bare");
    disk.writeFileSync(join(dir, "bare", ".git"), "gitdir: ./.bare\n");
    git("-C", "bare", "worktree", "add", "-q", "main", "-b", "topic");
    git("-C", "bare", "remote", "set-url", "origin", "git@github.com:acme/bare.git");
    assert.deepEqual(here("bare/main"), { kind: "git", remote: "github.com/acme/bare", sub: "" });
  });
});

const IDENTITIES: readonly (readonly [ProjectIdentity, string, string])[] = [
  [{ kind: "git", remote: APP, sub: "" }, "git:github.com/acme/app", "app"],
  [{ kind: "git", remote: APP, sub: "pkg/web" }, "git:github.com/acme/app//pkg/web", "app/pkg/web"],
  [
    { kind: "git", remote: `${APP}/pkg`, sub: "web" },
    "git:github.com/acme/app/pkg//web",
    "pkg/web",
  ],
  [{ kind: "home", path: "" }, "home:", "~"],
  [{ kind: "home", path: "notes" }, "home:notes", "~/notes"],
  [{ kind: "path", path: "/srv/x" }, "path:/srv/x", "/srv/x"],
  [{ kind: "path", path: "C:/x" }, "path:C:/x", "C:/x"],
];

Deno.test("projectKey differs when the project does, and describeProject is short", () => {
  for (const [identity, key, name] of IDENTITIES) {
    assert.equal(projectKey(identity), key);
    assert.equal(describeProject(identity), name);
    assert.deepEqual(parseProjectIdentity(JSON.parse(JSON.stringify(identity))), identity);
  }
  assert.equal(
    new Set(IDENTITIES.map(([identity]) => projectKey(identity))).size,
    IDENTITIES.length,
  );
});

Deno.test("parseProjectIdentity refuses what identifyProject cannot have made", () => {
  const bad: readonly unknown[] = [
    null,
    "home:notes",
    [],
    {},
    { kind: "git", remote: APP },
    { kind: "git", remote: APP, sub: "", more: 1 },
    { kind: "git", remote: "", sub: "" },
    { kind: "git", remote: "github.com", sub: "" },
    { kind: "git", remote: "github.com//app", sub: "" },
    { kind: "git", remote: "u:p@github.com/a", sub: "" },
    { kind: "git", remote: "h/../a", sub: "" },
    { kind: "git", remote: "h/a\u001b[2J", sub: "" },
    { kind: "git", remote: APP, sub: "../x" },
    { kind: "git", remote: APP, sub: "/x" },
    { kind: "git", remote: APP, sub: "x/" },
    { kind: "home", path: "../.ssh" },
    { kind: "home", path: "/etc" },
    { kind: "home", path: "a//b" },
    { kind: "home", path: "a\0b" },
    { kind: "home", path: "a\ud800b" },
    { kind: "home", path: 7 },
    { kind: "path", path: "relative" },
    { kind: "path", path: "" },
    { kind: "path", path: "c:/x" },
    { kind: "path", path: "/a/../b" },
    { kind: "other", path: "/a" },
    { kind: "home", path: "a".repeat(PROJECT_PATH_LENGTH_MAX + 1) },
    { kind: "git", remote: `h/${"a".repeat(REMOTE_LENGTH_MAX - 1)}`, sub: "" },
  ];
  for (const value of bad) assert.equal(parseProjectIdentity(value), null, JSON.stringify(value));
  const longest = { kind: "home", path: "a".repeat(PROJECT_PATH_LENGTH_MAX) };
  assert.deepEqual(parseProjectIdentity(longest), longest);
  const remote = { kind: "git", remote: `h/${"a".repeat(REMOTE_LENGTH_MAX - 2)}`, sub: "" };
  assert.deepEqual(parseProjectIdentity(remote), remote);
});

Deno.test("identifyProject reads a pointer to a repository that has no end in no time", () => {
  const fs = new MemoryFs();
  repository(fs, "/home/bob/src/app", origin("git@github.com:acme/app.git"));
  for (const spaces of [" ".repeat(60_000), "\t \t".repeat(20_000)]) {
    put(fs, "/home/bob/tree/.git", `gitdir: a${spaces}b\n`);
    const startMs = performance.now();
    assert.equal(identifyProject(fs, fakeHost(), "/home/bob/tree").kind, "home");
    assert(performance.now() - startMs < 500, "it takes too long");
  }
  put(fs, "/home/bob/tree/.git", "gitdir: ../src/app/.git\r\n");
  assert.equal(identifyProject(fs, fakeHost(), "/home/bob/tree").kind, "git");
});
