import assert from "node:assert/strict";
import { slugOf, slugOfDir } from "../../src/sessions/slug.ts";
import { MemoryFs } from "../support/memory_fs.ts";
import { fakeHost } from "./disk.ts";

/** The tails of shortened slugs were computed by a separate program from the rule. */
const CASES: readonly (readonly [string, string])[] = [
  ["/home/alice/code/app", "-home-alice-code-app"],
  ["/", "-"],
  ["/a/--b/.._x.y", "-a---b----x-y"],
  ["/home/alice/Code", "-home-alice-Code"],
  ["/x/a-b", "-x-a-b"],
  ["/x/a/b", "-x-a-b"],
  ["/x/日本", "-x---"],
  ["/x/😀", "-x---"],
  ["/x/cafe\u0301", "-x-cafe-"],
  ["/x/café", "-x-caf-"],
  ["C:\\Users\\me\\x", "C--Users-me-x"],
  ["c:\\Users\\me\\x", "c--Users-me-x"],
  ["\\\\server\\share\\x", "--server-share-x"],
  ["/home/alice/code/repo/.claude/worktrees/wt2", "-home-alice-code-repo--claude-worktrees-wt2"],
  [`/${"a".repeat(199)}`, `-${"a".repeat(199)}`],
  [`/${"a".repeat(200)}`, `-${"a".repeat(199)}-b6ymvl`],
  [
    `/home/alice/${"deep.folder/".repeat(20)}`,
    `${`-home-alice-${"deep-folder-".repeat(20)}`.slice(0, 200)}-7gsif0`,
  ],
  [`/home/alice/${"日本😀/".repeat(60)}`, `-home-alice-${"-".repeat(188)}-7lnysw`],
  [
    `C:\\Users\\me\\${"x y\\".repeat(60)}`,
    `${`C--Users-me-${"x-y-".repeat(60)}`.slice(0, 200)}-o44lun`,
  ],
];

Deno.test("slugOf names a project's folder as the client does", () => {
  for (const [path, slug] of CASES) assert.equal(slugOf(path), slug, path);
});

Deno.test("slugOfDir goes by the real path, and by the text when there is none", () => {
  const fs = new MemoryFs();
  fs.makeDir("/data/work/app");
  fs.makeDir("/home/bob");
  fs.symlink("/data/work", "/home/bob/work");
  const host = fakeHost({ cwd: "/home/bob" });
  assert.equal(slugOfDir(fs, host, "/home/bob/work/app"), "-data-work-app");
  assert.equal(slugOfDir(fs, host, "work/app/"), "-data-work-app");
  assert.equal(slugOfDir(fs, host, "/home/bob/gone/"), "-home-bob-gone");
});
