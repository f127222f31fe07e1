/**
 * What a folder does that no other store does: strangers, vanished disks, crashes, other writers.
 */
import assert from "node:assert/strict";
import { type Bytes, utf8 } from "../../../src/base/bytes.ts";
import { type ErrorCode, isClaudeSyncError } from "../../../src/errors.ts";
import { TEMPORARY_NAME } from "../../../src/platform/atomic_file.ts";
import { nodeRandom } from "../../../src/platform/node.ts";
import type { Clock, FileSystem } from "../../../src/platform/types.ts";
import { openFolderStore, STALE_TEMPORARY_MS } from "../../../src/storage/folder/store.ts";
import { type ObjectName, objectName } from "../../../src/storage/object_name.ts";
import { OBJECT_BYTES_MAX, type ObjectStore } from "../../../src/storage/object_store.ts";
import { listNames } from "../../conformance/store_cases.ts";
import { faultyFs, MemoryFs } from "../../support/memory_fs.ts";

const random = nodeRandom();
const nowMs = 1_700_000_000_000;
const clock: Clock = { nowMs: () => nowMs, monotonicMs: () => 0, sleep: () => Promise.resolve() };

const one = utf8("one");
const two = utf8("two");
const header = objectName("claude-sync.json");
const entry = objectName("log/m/1");

function disk(hardLinks = true): MemoryFs {
  return new MemoryFs({ hardLinks, nowMs: () => nowMs });
}

function open(fs: FileSystem, create = false): ObjectStore {
  return openFolderStore("/vault", { fs, random, clock, create });
}

/** A disk with a vault of two objects. */
async function vaultDisk(hardLinks = true): Promise<MemoryFs> {
  const fs = disk(hardLinks);
  const store = open(fs, true);
  await store.put(header, one);
  await store.put(entry, one);
  return fs;
}

function write(fs: FileSystem, path: string, bytes: Bytes = two): void {
  const file = fs.createFile(path);
  file.write(bytes);
  file.close();
}

function remove(fs: FileSystem, path: string): void {
  for (const { name, kind } of fs.readDir(path) ?? []) {
    if (kind === "directory") remove(fs, `${path}/${name}`);
    else fs.removeFile(`${path}/${name}`);
  }
  fs.removeDir(path);
}

const has = (code: ErrorCode) => (error: unknown) => isClaudeSyncError(error, code);

function everyCall(store: ObjectStore): [string, () => Promise<unknown>][] {
  return [
    ["get", () => store.get(entry)],
    ["get absent", () => store.get(objectName("none"))],
    ["list", () => listNames(store)],
    ["list log/", () => listNames(store, "log/")],
    ["list absent/", () => listNames(store, "absent/")],
    ["put", () => store.put(objectName("log/m/2"), one)],
    ["delete", () => store.delete(entry)],
  ];
}

Deno.test("a vanished folder is unreachable for every call, never empty", async () => {
  const fs = await vaultDisk();
  const store = open(fs);
  remove(fs, "/vault");
  for (const [call, run] of everyCall(store)) {
    await assert.rejects(run(), has("store-unreachable"), call);
  }
  assert.throws(() => open(fs), has("store-unreachable"));
  assert.equal(fs.lstat("/vault"), null, "nothing was made in its place");
});

Deno.test("an empty mount point is unreachable for every call, never empty", async () => {
  const fs = await vaultDisk();
  const store = open(fs);
  remove(fs, "/vault");
  fs.makeDir("/vault");
  for (const [call, run] of everyCall(store)) {
    await assert.rejects(run(), has("store-unreachable"), call);
  }
  assert.throws(() => open(fs), has("store-unreachable"));
  assert.deepEqual(fs.readDir("/vault"), []);
});

Deno.test("a disk that goes while a list runs is no end of the list", async () => {
  const fs = await vaultDisk();
  const store = open(fs);
  await store.put(objectName("log/n/1"), one);
  await store.put(objectName("log/m/2"), one);
  for (const prefix of ["", "log/", "log/m/"]) {
    await assert.rejects(async () => {
      for await (const _first of store.list(prefix)) fs.rename("/vault", "/unplugged");
    }, has("store-unreachable"));
    fs.rename("/unplugged", "/vault");
  }
});

Deno.test("an object deleted while a list runs only leaves the list", async () => {
  const fs = await vaultDisk();
  const store = open(fs);
  await store.put(objectName("log/m/2"), one);
  const names: string[] = [];
  for await (const { name } of store.list("log/")) {
    names.push(name);
    await store.delete(objectName("log/m/2"));
  }
  assert.deepEqual(names, ["log/m/1"]);
});

Deno.test("create makes the folder and takes an empty one, and a file is refused", async () => {
  const fs = disk();
  assert.throws(() => open(fs), has("store-unreachable"));
  assert.deepEqual(await listNames(open(fs, true)), []);
  assert.equal(fs.lstat("/vault")?.kind, "directory");
  assert.deepEqual(await listNames(open(fs, true)), []);
  write(fs, "/file");
  for (const create of [true, false]) {
    const options = { fs, random, clock, create };
    assert.throws(() => openFolderStore("/file", options), has("store-invalid"));
  }
});

Deno.test("the vault's folder may be a symbolic link, as cloud folders are", async () => {
  const fs = await vaultDisk();
  fs.symlink("/vault", "/home");
  const store = openFolderStore("/home", { fs, random, clock });
  assert.deepEqual(await store.get(entry), one);
  assert.equal(await store.put(objectName("log/m/2"), two), "created");
  assert.deepEqual(await listNames(store, "log/"), ["log/m/1", "log/m/2"]);
});

Deno.test("list ignores what strangers leave behind", async () => {
  const fs = await vaultDisk();
  const strangers = [
    ".DS_Store",
    "Thumbs.db",
    "~$1",
    "1 (conflicted copy 2026-11-22)",
    "1 (1)",
    "1.SYNC-CONFLICT",
    ".1.icloud",
    "Ünï",
    ".claude-sync-0123456789abcdef.tmp",
    ".nfs000000000001",
  ];
  for (const name of strangers) write(fs, `/vault/log/m/${name}`);
  for (const name of ["lost+found", ".git", "@eaDir", ".stfolder", "System Volume Information"]) {
    fs.makeDir(`/vault/${name}`);
    write(fs, `/vault/${name}/x`);
  }
  fs.symlink("1", "/vault/log/m/2");
  fs.symlink("log", "/vault/packs");
  const store = open(fs);
  assert.deepEqual(await listNames(store), [header, entry]);
  assert.deepEqual(await listNames(store, "packs/"), []);
});

Deno.test("strangers' files are never changed by put or delete", async () => {
  const fs = await vaultDisk();
  const paths = ["/vault/.DS_Store", "/vault/log/m/x y", "/vault/log/.claude-sync-1.tmp"];
  for (const path of paths) {
    write(fs, path);
    fs.setMtime(path, 0);
  }
  const store = open(fs);
  await store.put(objectName("log/m/3"), one);
  await store.delete(objectName("log/m/3"));
  for (const path of paths) assert.deepEqual(fs.readFile(path, 10), two, path);
});

Deno.test("a link or a folder in an object's place is refused", async () => {
  const fs = await vaultDisk();
  write(fs, "/outside", one);
  fs.symlink("/outside", "/vault/log/m/2");
  fs.makeDir("/vault/log/m/3");
  const store = open(fs);
  for (const name of ["log/m/2", "log/m/3"].map(objectName)) {
    await assert.rejects(store.get(name), has("store-invalid"));
    await assert.rejects(store.put(name, one), has("store-invalid"));
    await assert.rejects(store.delete(name), has("store-invalid"));
  }
  assert.deepEqual(fs.readFile("/outside", 10), one);
});

Deno.test("a link in a folder's place is never followed out of the vault", async () => {
  const fs = await vaultDisk();
  fs.makeDir("/elsewhere");
  write(fs, "/elsewhere/1");
  fs.symlink("/elsewhere", "/vault/packs");
  const store = open(fs);
  const name = objectName("packs/1");
  await assert.rejects(store.get(name), has("store-invalid"));
  await assert.rejects(store.put(objectName("packs/2"), one), has("store-invalid"));
  await assert.rejects(store.delete(name), has("store-invalid"));
  assert.deepEqual([...fs.files()].filter(([path]) => path.startsWith("/elsewhere")), [
    ["/elsewhere/1", two],
  ]);
});

Deno.test("get takes an object at the limit and refuses one past it", async () => {
  const fs = await vaultDisk();
  write(fs, "/vault/log/m/2", new Uint8Array(OBJECT_BYTES_MAX));
  write(fs, "/vault/log/m/3", new Uint8Array(OBJECT_BYTES_MAX + 1));
  const store = open(fs);
  assert.equal((await store.get(objectName("log/m/2")))?.length, OBJECT_BYTES_MAX);
  await assert.rejects(store.get(objectName("log/m/3")), has("too-large"));
});

Deno.test("put sweeps only its own stale temporary files, where it writes", async () => {
  const fs = await vaultDisk();
  fs.makeDir("/vault/packs/aa");
  const temporary = ".claude-sync-0123456789abcdef.tmp";
  const aged: [string, number, boolean][] = [
    [`/vault/log/m/${temporary}`, STALE_TEMPORARY_MS + 1, false],
    [`/vault/log/m/.claude-sync-fedcba9876543210.tmp`, STALE_TEMPORARY_MS, true],
    [`/vault/log/m/.claude-sync-0123456789ABCDEF.tmp`, STALE_TEMPORARY_MS * 9, true],
    [`/vault/log/m/x${temporary}`, STALE_TEMPORARY_MS * 9, true],
    [`/vault/packs/aa/${temporary}`, STALE_TEMPORARY_MS * 9, true],
  ];
  for (const [path, ageMs] of aged) {
    write(fs, path);
    fs.setMtime(path, nowMs - ageMs);
  }
  await open(fs).put(objectName("log/m/2"), one);
  for (const [path, ageMs, stays] of aged) {
    assert.equal(fs.lstat(path) !== null, stays, `${path} of age ${ageMs}`);
  }
});

Deno.test("a sweep that fails does not stop a put", async () => {
  const fs = await vaultDisk();
  const path = "/vault/log/m/.claude-sync-0123456789abcdef.tmp";
  write(fs, path);
  fs.setMtime(path, 0);
  const faulty = faultyFs(fs, { failNth: 1, calls: ["removeFile"], errno: "EACCES" });
  assert.equal(await open(faulty).put(objectName("log/m/2"), two), "created");
  assert.ok(faulty.failed === 1 && fs.lstat(path) !== null);
});

Deno.test("system errors become what they mean to a store's user", async () => {
  const cases: [string, string, ErrorCode][] = [
    ["createFile", "EACCES", "store-refused"],
    ["createFile", "EPERM", "store-refused"],
    ["createFile", "EROFS", "store-refused"],
    ["makeDir", "EROFS", "store-refused"],
    ["write", "ENOSPC", "no-space"],
    ["write", "EDQUOT", "no-space"],
    ["sync", "EDQUOT", "no-space"],
    ["sync", "EIO", "store-unreachable"],
    ["createFile", "ESTALE", "store-unreachable"],
    ["lstat", "ENOTCONN", "store-unreachable"],
    ["readDir", "EHOSTDOWN", "store-unreachable"],
  ];
  for (const [call, errno, code] of cases) {
    const fs = await vaultDisk();
    const faulty = faultyFs(fs, { failNth: 1, from: "then-on", calls: [call], errno });
    const put = async () => await open(faulty).put(objectName("log/n/1"), one);
    await assert.rejects(put(), (error) => {
      assert.ok(isClaudeSyncError(error, code), `${call} ${errno}`);
      assert.ok((error.hint ?? "").length > 0 && error.cause !== undefined);
      return true;
    });
    assert.equal(fs.files().size, 2, "nothing is left behind");
  }
});

Deno.test("put is all or nothing when any call fails, and a retry completes it", async () => {
  for (const hardLinks of [true, false]) {
    for (const effect of ["before", "after"] as const) {
      let failed = 1;
      for (let failNth = 1; failed > 0; failNth++) {
        const fs = await vaultDisk(hardLinks);
        const faulty = faultyFs(fs, { failNth, effect });
        const name = objectName("log/n/1");
        const outcome = await Promise.resolve().then(() => open(faulty).put(name, two))
          .catch((error) => {
            assert.ok(isClaudeSyncError(error, "store-unreachable"), `call ${failNth}`);
            return null;
          });
        failed = faulty.failed;
        const after = await open(fs).get(name);
        if (outcome !== null || after !== null) assert.deepEqual(after, two, `call ${failNth}`);
        assert.ok(["created", "exists"].includes(await open(fs).put(name, two)));
        assert.deepEqual(await listNames(open(fs)), [header, entry, name]);
        assert.equal(fs.openHandles, 0);
        assert.ok(failNth < 40);
      }
    }
  }
});

/** A disk on which `between` runs right before the nth call. */
function interrupted(fs: FileSystem, nth: number, between: () => void): FileSystem {
  let calls = 0;
  return new Proxy(fs, {
    get(target, property) {
      const member: unknown = Reflect.get(target, property);
      if (typeof member !== "function") return member;
      return (...args: unknown[]) => {
        if (++calls === nth) between();
        return Reflect.apply(member, target, args);
      };
    },
  });
}

/** Puts at once what a store would put: for use between two calls of another writer. */
function putByOther(fs: MemoryFs, name: ObjectName, body: Bytes): void {
  const path = `/vault/${name}`;
  fs.makeDir(path.slice(0, path.lastIndexOf("/")));
  if (fs.lstat(path) === null) write(fs, path, body);
}

Deno.test("of two writers of one name one wins and the other is told", async () => {
  for (const otherBody of [one, two]) {
    const seen = new Set<string>();
    for (let nth = 1; nth < 30; nth++) {
      const fs = await vaultDisk();
      const name = objectName("log/n/1");
      const store = open(interrupted(fs, nth, () => putByOther(fs, name, otherBody)));
      const outcome = await store.put(name, one);
      seen.add(outcome);
      const stored = await open(fs).get(name);
      assert.deepEqual(stored, outcome === "created" ? one : otherBody, `call ${nth}`);
      if (otherBody === two) assert.notEqual(outcome, "exists");
      else assert.notEqual(outcome, "differs");
      for (const path of fs.files().keys()) assert.ok(!TEMPORARY_NAME.test(path));
    }
    assert.deepEqual([...seen].sort(), ["created", otherBody === two ? "differs" : "exists"]);
  }
});

Deno.test("objects are as open to others as the vault's folder is", async () => {
  const modes: [number, number, number][] = [
    [0o700, 0o700, 0o600],
    [0o755, 0o755, 0o644],
    [0o2770, 0o2770, 0o640],
  ];
  for (const [root, folder, file] of modes) {
    const fs = await vaultDisk();
    fs.setMode("/vault", root);
    await open(fs).put(objectName("packs/aa/1"), one);
    assert.equal(fs.lstat("/vault/packs/aa")?.mode, folder);
    assert.equal(fs.lstat("/vault/packs/aa/1")?.mode, file);
  }
});

Deno.test("list reads no folder that lies before `after`", async () => {
  const fs = await vaultDisk();
  const store = open(fs, true);
  for (const name of ["log/a/1", "log/b/1", "log/c/1"]) await store.put(objectName(name), one);
  const read: string[] = [];
  const watched: FileSystem = new Proxy(fs, {
    get(target, property) {
      const member: unknown = Reflect.get(target, property);
      if (typeof member !== "function") return member;
      return (...args: unknown[]) => {
        if (property === "readDir") read.push(String(args[0]));
        return Reflect.apply(member, target, args);
      };
    },
  });
  const reopened = open(watched);
  read.length = 0;
  const names = await listNames(reopened, "log/", { after: objectName("log/b/1") });
  assert.deepEqual(names, ["log/c/1", "log/m/1"]);
  assert.deepEqual(read, ["/vault/log", "/vault/log/b", "/vault/log/c", "/vault/log/m"]);
});

Deno.test("Windows roots are joined with backslashes", async () => {
  const paths: string[] = [];
  const fs: FileSystem = {
    ...faultyFs(disk(), { failNth: Infinity }),
    lstat: (path) => (paths.push(path), null),
    readDir: () => [{ name: "x", kind: "file" }],
  };
  for (const root of ["C:\\Users\\a b\\vault", "\\\\nas\\share", "D:\\"]) {
    await openFolderStore(root, { fs, random, clock }).get(objectName("log/m/1"));
  }
  assert.deepEqual(paths, ["C:\\Users\\a b\\vault\\log", "\\\\nas\\share\\log", "D:\\log"]);
});
