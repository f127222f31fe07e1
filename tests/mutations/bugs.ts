/**
 * Deliberate bugs, of the kinds that lose, leak or believe what they must not. Each changes one
 * line, and the tests beside it must notice: `deno task mutate` makes one after the other in a copy
 * of the project.
 */

/** A change that makes the program wrong. */
export interface DeliberateBug {
  readonly name: string;
  readonly file: string;
  /** Stands in the file once. */
  readonly right: string;
  readonly wrong: string;
  /** Files and folders with tests of which one must fail. */
  readonly tests: readonly string[];
}

/** All of them. */
export const DELIBERATE_BUGS: readonly DeliberateBug[] = [
  {
    name: "drop a fsync",
    file: "src/platform/atomic_file.ts",
    right: "    file.sync();",
    wrong: "",
    tests: ["tests/platform/", "tests/storage/folder/", "tests/sync/power_cut_test.ts"],
  },
  {
    name: "skip the prefix proof",
    file: "src/sync/file_scan.ts",
    right: "state.len === at && state.hash === digest",
    wrong: "state.len === at",
    tests: ["tests/sync/file_scan_test.ts", "tests/sync/push_test.ts"],
  },
  {
    name: "swallow a 412",
    file: "src/storage/bucket/store.ts",
    right: 'return equalBytes(present, body) ? "exists" : "differs";',
    wrong: 'return "exists";',
    tests: ["tests/storage/bucket/", "tests/storage/s3/store_test.ts"],
  },
  {
    name: "reuse an IV",
    file: "src/crypto/sealed.ts",
    right: "random.bytes(IV_BYTES)",
    wrong: "new Uint8Array(IV_BYTES)",
    tests: ["tests/crypto/", "tests/vault/"],
  },
  {
    name: "leave the plan of a push unsorted",
    file: "src/sync/push.ts",
    right: "planned.sort((a, b) => b.newestMs - a.newestMs || (a.session < b.session ? -1 : 1));",
    wrong: "",
    tests: ["tests/sync/push_test.ts", "tests/sync/many_sessions_test.ts"],
  },
  {
    name: "delete before the grace has passed",
    file: "src/sync/gc.ts",
    right: "if (days === null || days < GRACE_DAYS) continue;",
    wrong: "if (days === null) continue;",
    tests: ["tests/sync/gc_test.ts", "tests/sync/gc_retire_test.ts"],
  },
  {
    name: "trust a file's time",
    file: "src/sync/local_files.ts",
    right:
      "row.sizeBytes === stat.sizeBytes && row.mtimeMs === stat.mtimeMs && row.ino === stat.ino",
    wrong: "row.mtimeMs === stat.mtimeMs",
    tests: ["tests/sync/push_test.ts", "tests/sync/unseen_change_test.ts"],
  },
  {
    name: "skip a signature",
    file: "src/vault/record.ts",
    right: "const isSigned = await verifySignature(signPublic, signature, signed);",
    wrong: "const isSigned = true;",
    tests: ["tests/vault/", "tests/sync/hostile_vault_test.ts"],
  },
  {
    name: "ignore that a line is torn",
    file: "src/sync/file_scan.ts",
    right: "if (newline >= 0) lineEnd = offset + newline + 1;",
    wrong: "lineEnd = offset + bytes.length;",
    tests: ["tests/sync/file_scan_test.ts", "tests/sync/samples_test.ts"],
  },
  {
    name: "follow a symbolic link",
    file: "src/platform/node_file.ts",
    right: "access | (noFollow ?? 0) | (flags.O_NONBLOCK ?? 0)",
    wrong: "access | (flags.O_NONBLOCK ?? 0)",
    tests: ["tests/platform/", "tests/sync/hostile_paths_test.ts"],
  },
];
