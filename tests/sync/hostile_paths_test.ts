/**
 * Links and names that lead elsewhere: planted in the vault's folder by its owner, or in Claude
 * Code's folder before a pull writes there; and text that would draw on a terminal.
 */
import assert from "node:assert/strict";
import { existsSync, lstatSync, mkdirSync, readFileSync, renameSync, rmSync } from "node:fs";
import { symlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { CONSEQUENCES, EXIT } from "../../src/cli/error_report.ts";
import { slugOf } from "../../src/sessions/slug.ts";
import { runOn } from "../support/cli_run.ts";
import { codeOf } from "../support/outcome.ts";
import { said, type SyncMachine } from "../support/sync_machine.ts";
import { addOf } from "./hostile_member.ts";
import { changes, everything, GOOD, HOSTILE, NEWS, turns } from "./hostile_world.ts";
import { pullBeside, vaultNames, type Victims, withVictims } from "./hostile_world.ts";

/** What the command line prints on a terminal, both streams, and its exit code. */
async function cli(machine: SyncMachine, ...argv: string[]): Promise<[string, number]> {
  const { printed, exit } = await runOn(machine, argv, { isTerminal: true });
  return [printed, exit];
}

/** Every control, bidi, zero-width and tag character. Ends of lines are looked at apart. */
const DRAWING = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u;
const ESCAPES = "\u001b[2J\u001b]0;owned\u0007\u009b31m\u202e\u200b\r\nFORGED\u0008";

Deno.test("nothing that a member calls himself, a project or a session draws on a terminal", () =>
  withVictims(async ({ bert, anna, mallory }) => {
    const evil = `evil${ESCAPES}`;
    const ops = [mallory.enrol(evil)];
    await mallory.put(mallory.body([], new Uint8Array(0), { ops }));
    const facts = { session: HOSTILE, cwd: `/x${ESCAPES}`, atMs: Date.now() - 7_200_000 };
    const titled = JSON.stringify({ type: "custom-title", customTitle: evil, sessionId: HOSTILE });
    const transcript = said("user", evil, facts) + titled + "\n";
    await mallory.add(addOf(HOSTILE, { transcript }));
    const projects = [
      { kind: "path", path: `/srv/${evil}` },
      { kind: "home", path: `${evil}/x` },
      { kind: "home", path: "../../etc" },
      { kind: "path", path: "/srv/$(touch x)`x`';x" },
      { kind: "git", remote: `github.com/${evil}/x`, sub: "" },
      { kind: "git", remote: "../..", sub: "../.." },
    ];
    for (const [i, project] of projects.entries()) {
      const session = HOSTILE.slice(0, -1) + i;
      await mallory.add(addOf(session, { transcript }, { project }));
    }
    const commands = [
      ["pull"],
      ["pull", "--all", "--dry-run"],
      ["status"],
      ["list"],
      ["project", "list"],
      ["verify"],
      ["push"],
      ["resume", "--print", HOSTILE],
    ];
    for (const command of commands) {
      for (const style of [["--color", "never"], ["--color", "never", "--json"]]) {
        const [text, exit] = await cli(bert, ...command, ...style);
        for (const line of text.split("\n")) {
          assert.doesNotMatch(line, DRAWING, command.join(" "));
          assert.ok(!line.startsWith("FORGED"), command.join(" "));
        }
        assert.notEqual(exit, EXIT.bug, `${command.join(" ")}: ${text}`);
      }
    }
    assert.match((await cli(bert, "list"))[0], /evil/);
    assert.match((await cli(bert, "status"))[0], /evil/);
    assert.equal(await codeOf(anna.sync()), null);
  }));

Deno.test("pull --all puts a hostile project into one folder below projects/", () =>
  withVictims(async ({ dir, bert, mallory }) => {
    const paths = [
      { kind: "path", path: "/etc" },
      { kind: "path", path: "/../../etc" },
      { kind: "path", path: "//server/share/x" },
      { kind: "home", path: ".ssh" },
      { kind: "home", path: "a/../../b" },
      { kind: "git", remote: "github.com/../..", sub: "" },
      { kind: "git", remote: "github.com/acme/app", sub: "../../x" },
    ];
    for (const [i, project] of paths.entries()) {
      const session = HOSTILE.slice(0, -1) + i;
      const transcript = turns(session, "/etc", ["x"]);
      await mallory.add(addOf(session, { transcript, "side/x.txt": "x" }, { project }));
    }
    const before = everything(dir);
    await bert.pull({ all: true });
    for (const path of changes(before, everything(dir))) {
      assert.match(
        path,
        /^bert\/\.claude\/projects\/[A-Za-z0-9-]+\/[0-9a-f-]{36}(\.jsonl|\/x\.txt)$/,
      );
    }
  }));

Deno.test("numbers at the end of their range are shown, not thrown", () =>
  withVictims(async ({ bert, mallory }) => {
    const time = Number.MAX_SAFE_INTEGER;
    await mallory.put(mallory.body([], new Uint8Array(0), { time }));
    const old = addOf(HOSTILE, { transcript: turns(HOSTILE, bert.project, ["x"]) });
    const groups = old.op["groups"] as { segments: Record<string, unknown>[] }[];
    groups[0]!.segments[0]!["mtime"] = time;
    await mallory.put({ ...mallory.body([old.op], old.inline), time: 0 }, old.inline);
    for (const command of [["pull"], ["status"], ["list"], ["verify"]]) {
      const [text, exit] = await cli(bert, ...command);
      assert.equal(exit, EXIT.done, text);
    }
    assert.ok(lstatSync(bert.transcriptPath(HOSTILE)).mtimeMs <= Date.now());
  }));

/**
 * Runs `plant` on bert's machine before a pull; nothing beyond the link may change, and what is not
 * in its way arrives.
 */
async function pullPastLink(
  what: string,
  hindersNews: boolean,
  plant: (victims: Victims, outside: string) => void,
): Promise<void> {
  await withVictims(async (victims) => {
    const { dir, bert, mallory } = victims;
    const outside = join(dir, "outside");
    mkdirSync(outside);
    writeFileSync(join(outside, "file"), "untouched");
    const transcript = turns(HOSTILE, bert.project, ["x"]);
    await mallory.add(addOf(HOSTILE, {
      transcript,
      "side/notes/x.txt": "x",
      "file-history/v1": "x",
      "todos/@.json": "[]",
      "tasks/1.json": "{}",
    }));
    plant(victims, outside);
    const before = everything(outside);
    for (const all of [false, true]) assert.equal(await codeOf(bert.pull({ all })), null, what);
    assert.deepEqual(changes(before, everything(outside)), [], what);
    assert.equal(existsSync(bert.transcriptPath(NEWS)), !hindersNews, what);
  });
}

Deno.test("pull writes through no link that leads out of Claude Code's folder", async () => {
  const slugDir = (bert: SyncMachine) => join(bert.configDir, "projects", slugOf(bert.project));
  const link = (target: string, path: string) => {
    mkdirSync(dirname(path), { recursive: true });
    rmSync(path, { recursive: true, force: true });
    symlinkSync(target, path);
  };
  await pullPastLink("slug folder", true, ({ bert }, outside) => link(outside, slugDir(bert)));
  // `projects` itself is no such case: people keep it on another disk, and no vault makes links.
  await pullPastLink("transcript", false, ({ bert }, outside) => {
    link(join(outside, "file"), join(slugDir(bert), `${HOSTILE}.jsonl`));
  });
  await pullPastLink("transcript to nowhere", false, ({ bert }, outside) => {
    link(join(outside, "new"), join(slugDir(bert), `${HOSTILE}.jsonl`));
  });
  await pullPastLink("session's folder", false, ({ bert }, outside) => {
    link(outside, join(slugDir(bert), HOSTILE));
  });
  await pullPastLink("folder inside", false, ({ bert }, outside) => {
    link(outside, join(slugDir(bert), HOSTILE, "notes"));
  });
  await pullPastLink("sidecar", false, ({ bert }, outside) => {
    link(join(outside, "file"), join(slugDir(bert), HOSTILE, "notes", "x.txt"));
  });
  for (const area of ["file-history", "todos", "tasks"]) {
    await pullPastLink(
      area,
      false,
      ({ bert }, outside) => link(outside, join(bert.configDir, area)),
    );
  }
  await pullPastLink("todo", false, ({ bert }, outside) => {
    link(join(outside, "file"), join(bert.configDir, "todos", `${HOSTILE}.json`));
  });
});

Deno.test("push reads through no link that leads out of Claude Code's folder", () =>
  withVictims(async ({ dir, bert }) => {
    const secret = join(dir, "secret");
    writeFileSync(secret, '{"type":"user","secret":1}\n');
    const slugDir = join(bert.configDir, "projects", slugOf(bert.project));
    symlinkSync(secret, join(slugDir, `${HOSTILE}.jsonl`));
    mkdirSync(join(dir, "elsewhere"));
    renameSync(secret, join(dir, "elsewhere", `${GOOD}.jsonl`));
    symlinkSync(join(dir, "elsewhere"), join(bert.configDir, "projects", "-elsewhere"));
    assert.equal((await bert.push()).pushed, 0);
  }));

Deno.test("files that stand in each other's way harm nothing", async () => {
  await withVictims(async (victims) => {
    const transcript = turns(HOSTILE, victims.bert.project, ["x"]);
    const files = { transcript, "side/a": "file", "side/a/b": "in a folder of that name" };
    await pullBeside(victims, "a file and a folder of one name", addOf(HOSTILE, files));
  });
  await withVictims(async (victims) => {
    // Files of old clients stand beside all transcripts of a project.
    const { bert } = victims;
    const path = join(bert.configDir, "projects", slugOf(bert.project), "agent-0abc.jsonl");
    writeFileSync(path, "bert's own\n");
    const transcript = turns(HOSTILE, bert.project, ["x"]);
    const files = { transcript, "legacy/agent-0abc.jsonl": "other\n" };
    await pullBeside(victims, "another session's file", addOf(HOSTILE, files));
    assert.equal(readFileSync(path, "utf8"), "bert's own\n");
    await codeOf(bert.pull({ all: true }));
    assert.equal(readFileSync(path, "utf8"), "bert's own\n");
  });
});

Deno.test("a link in the place of an object or folder of the vault is never followed", async () => {
  const swaps: readonly ((victims: Victims) => string)[] = [
    ({ bert }) => vaultNames(bert).find((name) => /^log\/.*\.[0-9a-f]{8}$/.test(name))!,
    () => "log",
    ({ bert }) => vaultNames(bert).find((name) => /^log\/[^/]+$/.test(name))!,
    () => "claude-sync.json",
  ];
  for (const pick of swaps) {
    await withVictims(async (victims) => {
      const { dir, bert } = victims;
      const name = pick(victims);
      const path = join(bert.vaultDir, name);
      renameSync(path, join(dir, "moved"));
      symlinkSync(join(dir, "moved"), path);
      const before = everything(dir);
      const pulled = await codeOf(bert.pull());
      const isHeader = name === "claude-sync.json";
      if (isHeader) assert.equal(pulled, null);
      else assert.equal(CONSEQUENCES[pulled!].exit, EXIT.damaged, `${name}: ${pulled}`);
      const { problems } = await bert.verify();
      assert.ok(problems.length > 0, name);
      if (!isHeader) {
        assert.deepEqual(changes(before, everything(dir)), [], name);
        assert.notEqual(await codeOf(bert.push()), null);
      }
    });
  }
});
