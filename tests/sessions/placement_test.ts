import assert from "node:assert/strict";
import { discoverSessions } from "../../src/sessions/discover.ts";
import {
  knownFolders,
  placeProject,
  sessionFolder,
  translatedDir,
} from "../../src/sessions/placement.ts";
import type { ProjectIdentity } from "../../src/sessions/project.ts";
import { MemoryFs } from "../support/memory_fs.ts";
import { fakeHost, idOf, put } from "./disk.ts";

const ROOT = { os: "linux", configDir: "/h/.claude", claudeJsonPath: "/h/.claude.json" } as const;
const PROJECTS = "/h/.claude/projects";
const APP: ProjectIdentity = { kind: "git", remote: "github.com/acme/app", sub: "" };
const HOST = fakeHost();

const record = (cwd: string) => `${JSON.stringify({ type: "user", cwd, version: "2.1.330" })}\n`;

function clone(fs: MemoryFs, dir: string): void {
  put(fs, `${dir}/.git/HEAD`, "ref: refs/heads/main\n");
  put(fs, `${dir}/.git/config`, '[remote "origin"]\n\turl = git@github.com:acme/app.git\n');
}

const known = (fs: MemoryFs) => knownFolders(fs, HOST, ROOT, discoverSessions(fs, ROOT).sessions);

Deno.test("knownFolders names the existing folders that Claude Code has seen", () => {
  const fs = new MemoryFs();
  clone(fs, "/home/bob/src/app");
  fs.makeDir("/home/bob/notes");
  fs.makeDir("/home/bob/trusted");
  put(fs, "/home/bob/file", "x");
  put(fs, `${PROJECTS}/-home-bob-src-app/${idOf(1)}.jsonl`, record("/home/bob/src/app"), 2_000);
  put(fs, `${PROJECTS}/-home-bob-notes/${idOf(2)}.jsonl`, record("/home/bob/notes"), 9_000);
  put(fs, `${PROJECTS}/-gone/${idOf(3)}.jsonl`, record("/gone"), 9_500);
  put(fs, `${PROJECTS}/-odd/${idOf(4)}.jsonl`, record("relative") + "garbage\n", 9_600);
  const projects = {
    "/home/bob/trusted": {},
    "/home/bob/notes": {},
    "/gone": {},
    "/home/bob/file": {},
    "x": {},
  };
  put(fs, "/h/.claude.json", JSON.stringify({ projects }));
  assert.deepEqual(known(fs), [
    { dir: "/home/bob/notes", key: "home:notes" },
    { dir: "/home/bob/src/app", key: "git:github.com/acme/app" },
    { dir: "/home/bob/trusted", key: "home:trusted" },
  ]);
});

Deno.test("knownFolders names the folders of the newest transcripts first", () => {
  const fs = new MemoryFs();
  const dirs = ["a", "b", "c", "d"].map((name) => `/home/bob/${name}`);
  dirs.forEach((dir) => fs.makeDir(dir));
  const [a, b, c, d] = dirs as [string, string, string, string];
  put(fs, `${PROJECTS}/-home-bob-a/${idOf(1)}.jsonl`, record(a), 1_000);
  put(fs, `${PROJECTS}/-home-bob-b/${idOf(2)}.jsonl`, record(b), 9_000);
  // Nothing but their time tells which of these is meant.
  put(fs, `${PROJECTS}/-moved/${idOf(3)}.jsonl`, record(c), 3_000);
  put(fs, `${PROJECTS}/-moved/${idOf(4)}.jsonl`, record(d), 5_000);
  assert.deepEqual(known(fs).map(({ dir }) => dir), [b, d, c, a]);
});

Deno.test("knownFolders finds the own folder behind another machine's transcript", () => {
  const fs = new MemoryFs();
  clone(fs, "/home/bob/src/app");
  const slug = `${PROJECTS}/-home-bob-src-app`;
  put(fs, `${slug}/${idOf(1)}.jsonl`, record("/home/alice/code/app"), 9_000);
  put(fs, `${slug}/${idOf(2)}.jsonl`, record("/home/bob/src/app"), 1_000);
  assert.deepEqual(known(fs), [{ dir: "/home/bob/src/app", key: "git:github.com/acme/app" }]);
  fs.removeFile(`${slug}/${idOf(2)}.jsonl`);
  assert.deepEqual(known(fs), []);
  put(fs, `${slug}/${idOf(1)}.jsonl`, record("/home/alice/code/app") + record("/home/bob/src/app"));
  assert.deepEqual(known(fs).map(({ dir }) => dir), ["/home/bob/src/app"]);
});

Deno.test("knownFolders takes the slug's own folder, not another one that exists", () => {
  const fs = new MemoryFs();
  for (const dir of ["/home/bob/notes", "/home/bob/app"]) fs.makeDir(dir);
  const slug = `${PROJECTS}/-home-bob-app`;
  put(fs, `${slug}/${idOf(1)}.jsonl`, record("/home/bob/notes"), 9_000);
  put(fs, `${slug}/${idOf(2)}.jsonl`, record("/home/bob/app"), 1_000);
  assert.deepEqual(known(fs).map(({ dir }) => dir), ["/home/bob/app"]);
});

Deno.test("sessionFolder goes by the slug, then by what exists, then by the text", () => {
  const fs = new MemoryFs();
  for (const dir of ["/home/bob/repo/wt", "/home/bob/notes"]) fs.makeDir(dir);
  const cases: readonly (readonly [string, readonly string[], string | null])[] = [
    ["-home-bob-repo-wt", ["/home/bob/repo", "/home/bob/repo/wt"], "/home/bob/repo/wt"],
    ["-home-bob-repo", ["/home/bob/repo", "/home/bob/repo/wt"], "/home/bob/repo"],
    ["-home-bob-notes", ["/home/alice/notes", "/home/bob/notes"], "/home/bob/notes"],
    ["pinned-name", ["/gone", "/home/bob/notes"], "/home/bob/notes"],
    ["-home-bob-gone", ["/home/bob/gone", "/home/bob/notes"], "/home/bob/gone"],
    ["-x", ["/home/alice/notes", "/home/alice/other"], "/home/alice/notes"],
    ["-x", [], null],
  ];
  for (const [slug, cwds, folder] of cases) {
    const lines = cwds.map(record).join("") || "{}\n";
    const path = `${PROJECTS}/${slug}/${idOf(1)}.jsonl`;
    put(fs, path, lines);
    const session = discoverSessions(fs, ROOT).sessions.find((found) => found.slug === slug);
    assert(session !== undefined);
    assert.equal(sessionFolder(fs, HOST, session), folder, slug);
    fs.removeFile(path);
  }
});

Deno.test("knownFolders survives a broken .claude.json", () => {
  for (const text of ["", "{", "[]", '{"projects":7}', '{"projects":["/home"]}', "\0"]) {
    const fs = new MemoryFs();
    put(fs, "/h/.claude.json", text);
    assert.deepEqual(known(fs), [], text);
  }
});

Deno.test("placeProject tries the current folder, map, known folders, then the same path", () => {
  const fs = new MemoryFs();
  for (const dir of ["here", "mapped", "seen"]) clone(fs, `/home/bob/${dir}`);
  fs.makeDir("/home/bob/notes");
  fs.makeDir("/srv/data");
  const key = "git:github.com/acme/app";
  const seen = [{ dir: "/home/bob/seen", key }];
  const all = {
    fs,
    host: HOST,
    cwd: "/home/bob/here",
    maps: new Map([[key, "/home/bob/mapped"]]),
    known: seen,
  };
  const place = (facts: Partial<typeof all>, identity: ProjectIdentity = APP) => {
    const none = { fs, host: HOST, maps: new Map<string, string>(), known: [] };
    return placeProject(identity, { ...none, ...facts });
  };
  assert.deepEqual(place(all), { dir: "/home/bob/here", how: "cwd" });
  assert.deepEqual(place({ ...all, cwd: "/home/bob/notes" }), {
    dir: "/home/bob/mapped",
    how: "map",
  });
  assert.deepEqual(place({ known: seen, cwd: "/gone" }), {
    dir: "/home/bob/seen",
    how: "known",
  });
  assert.equal(place({}), null);
  assert.equal(
    place({ known: seen }, { kind: "git", remote: "github.com/acme/app", sub: "pkg" }),
    null,
  );
  assert.deepEqual(place({}, { kind: "home", path: "notes" }), {
    dir: "/home/bob/notes",
    how: "same-path",
  });
  assert.deepEqual(place({}, { kind: "path", path: "/srv/data" }), {
    dir: "/srv/data",
    how: "same-path",
  });
  assert.equal(place({}, { kind: "home", path: "gone" }), null);
  const gone = new Map([["home:gone", "/mnt/gone/"]]);
  assert.deepEqual(place({ maps: gone }, { kind: "home", path: "gone" }), {
    dir: "/mnt/gone",
    how: "map",
  });
});

Deno.test("translatedDir puts another machine's path under this home", () => {
  const linux = fakeHost();
  const windows = fakeHost({ os: "windows", home: "C:\\Users\\bob" });
  const home: ProjectIdentity = { kind: "home", path: "src/app" };
  const unix: ProjectIdentity = { kind: "path", path: "/srv/data" };
  const drive: ProjectIdentity = { kind: "path", path: "D:/work/x" };
  const share: ProjectIdentity = { kind: "path", path: "//nas/share/x" };
  const sub: ProjectIdentity = { ...APP, sub: "pkg/web" };
  const cases = [
    [translatedDir(home, linux), "/home/bob/src/app"],
    [translatedDir(home, windows), "C:\\Users\\bob\\src\\app"],
    [translatedDir({ kind: "home", path: "" }, linux), "/home/bob"],
    [translatedDir(unix, linux), "/srv/data"],
    [translatedDir({ kind: "path", path: "/" }, linux), "/"],
    [translatedDir(unix, windows), "C:\\Users\\bob\\srv\\data"],
    [translatedDir(drive, windows), "D:\\work\\x"],
    [translatedDir(drive, linux), "/home/bob/work/x"],
    [translatedDir(share, windows), "\\\\nas\\share\\x"],
    [translatedDir(share, linux), "/home/bob/nas/share/x"],
    [translatedDir(APP, linux), "/home/bob/app"],
    [translatedDir(sub, linux), "/home/bob/app/pkg/web"],
    [translatedDir(APP, linux, "/home/alice/code/app"), "/home/bob/code/app"],
    [translatedDir(APP, linux, "/Users/alice/code/app"), "/home/bob/code/app"],
    [translatedDir(APP, linux, "C:\\Users\\alice\\code\\app"), "/home/bob/code/app"],
    [translatedDir(APP, windows, "/root/app"), "C:\\Users\\bob\\app"],
    [translatedDir(APP, linux, "/opt/app"), "/home/bob/app"],
    [translatedDir(APP, linux, "/home/alice/../../etc"), "/home/bob/app"],
    [translatedDir({ kind: "home", path: "a\\..\\..\\b" }, windows), null],
    [translatedDir({ kind: "home", path: "a:b" }, windows), null],
    [translatedDir({ kind: "home", path: "a:b" }, linux), "/home/bob/a:b"],
  ] as const;
  for (const [dir, expected] of cases) assert.equal(dir, expected);
});
