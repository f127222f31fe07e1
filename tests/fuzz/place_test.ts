/** Where a vault is and what opens it: places, AWS's files, command lines, programs' answers. */
import assert from "node:assert/strict";
import * as fc from "fast-check";
import { utf8 } from "../../src/base/bytes.ts";
import { MemoryFs } from "../support/memory_fs.ts";
import { splitCommandLine } from "../../src/storage/credentials/command_line.ts";
import { readCredentialFile } from "../../src/storage/gcs/credential_file.ts";
import {
  formatStoreLocation,
  isSamePlace,
  liesWithin,
  storeLocationSchema,
} from "../../src/storage/location.ts";
import {
  gcsLocationOf,
  gitLocationOf,
  r2LocationOf,
  s3LocationOf,
} from "../../src/storage/place.ts";
import { parseIni } from "../../src/storage/s3/credentials/ini.ts";
import { planCredentials } from "../../src/storage/s3/credentials/plan.ts";
import { processCredentials } from "../../src/storage/s3/credentials/process_credentials.ts";
import { readProfileFiles } from "../../src/storage/s3/credentials/profile_files.ts";
import { fakeHost, put } from "../sessions/disk.ts";
import { EXTERNAL, KEY, USER } from "../support/google_world.ts";
import { fuzz, fuzzAsync } from "./fuzzing.ts";
import { type Json, mutatedJson } from "./json_mutations.ts";
import { mutatedBytes, mutatedText } from "./mutations.ts";

const PLACES: Json[] = [
  { kind: "folder", path: "/mnt/nas/claude" },
  { kind: "git", url: "git@host:a/b.git" },
  {
    ...{ kind: "s3", bucket: "my-bucket", prefix: "team/a", region: "eu-central-1" },
    ...{ endpoint: "https://s3.example", pathStyle: false, awsProfile: "work" },
  },
  { kind: "r2", bucket: "b-1", prefix: "", endpoint: "https://x.r2.example", awsProfile: null },
  { kind: "gcs", bucket: "b-1", prefix: "p", auth: "oauth", endpoint: null },
];

Deno.test("fuzz: a place in a file is one of a known form, and holds no more than that", () => {
  fuzz(mutatedJson(PLACES), (text) => storeLocationSchema.safeParse(JSON.parse(text)).data, {
    codes: [],
    check(place) {
      if (place === undefined) return;
      assert.deepEqual(storeLocationSchema.parse(JSON.parse(JSON.stringify(place))), place);
      assert(isSamePlace(place, { ...place }) && !liesWithin(place, place));
      const shown = formatStoreLocation(place);
      assert(shown.length < 5_000);
      if (place.kind !== "folder" && place.kind !== "git") {
        assert.doesNotMatch(place.prefix, /(^|\/)\.|\/\/|^\/|\/$|[^A-Za-z0-9._/-]/);
        assert.match(place.bucket, /^[a-z0-9][a-z0-9._-]+$/i);
      }
    },
  });
});

const TYPED = [
  ...[
    "my-bucket/team",
    "s3://my-bucket/a/b",
    "gs://b-1",
    "r2://b-1/x",
    "https://host/b",
    "user@h:p",
  ],
  ...[
    "https://s3.example:9000",
    "eu-central-1",
    "0123456789abcdef0123456789abcdef",
    "../rel",
    "work",
  ],
];

Deno.test("fuzz: a place that somebody types is one, or a wrong use, without its secrets", () => {
  const typed = mutatedText(TYPED, ["//", "..", "?", "#", "user:pa55word@", "s3://"]);
  fuzz(fc.tuple(typed, typed, fc.nat(3)), ([first, second, kind]) => {
    const rest = { region: null, pathStyle: false, awsProfile: null, jurisdiction: null };
    if (kind === 0) return s3LocationOf({ ...rest, bucket: first, endpoint: second });
    if (kind === 1) {
      return r2LocationOf({ ...rest, bucket: first, account: second, endpoint: null });
    }
    if (kind === 2) return gcsLocationOf({ bucket: first, auth: "oauth", endpoint: second });
    return gitLocationOf(first, (path) => `/cwd/${path}`, "linux");
  }, {
    codes: ["usage"],
    check: (place) => {
      assert.deepEqual(storeLocationSchema.parse(JSON.parse(JSON.stringify(place))), place);
      // After a slash it is a file's name.
      assert.doesNotMatch(JSON.stringify(place), /"[^"/]*pa55word@/);
    },
  });
});

const INI = [
  "[default]\nregion = eu-west-1 # x\naws_access_key_id=AKIA\naws_secret_access_key = s\n",
  "[profile work]\nrole_arn = arn:x\nsource_profile = default\ns3 =\n  endpoint_url = https://x\n",
  "[sso-session a]\r\nsso_start_url = https://x\r\n[services b]\ncredential_process = a 'b c'\n",
];

Deno.test("fuzz: AWS's files are read as far as they make sense", () => {
  fuzz(mutatedText(INI, ["[profile ", "]", " #", "="]), parseIni, {
    check(file) {
      for (const [title, section] of file) {
        for (const part of [title, ...section.keys(), ...section.values()]) {
          assert.doesNotMatch(part, /[\r\n]|^\s|\s$/);
        }
      }
    },
  });
});

Deno.test("fuzz: credentials are planned from any files", () => {
  const files = fc.tuple(mutatedBytes(INI.map(utf8)), mutatedBytes(INI.map(utf8)));
  fuzz(files, ([config, credentials]) => {
    const fs = new MemoryFs();
    put(fs, "/home/bob/.aws/config", config);
    put(fs, "/home/bob/.aws/credentials", credentials);
    const host = fakeHost();
    const profiles = readProfileFiles({ fs, host });
    return [null, "work", ...profiles.names].map((name) => planCredentials(host, profiles, name));
  }, {
    codes: ["malformed-file"],
    check: (plans) => plans.forEach(({ kind }) => assert.equal(typeof kind, "string")),
  });
});

Deno.test("fuzz: a command line is split as its system does, or not at all", () => {
  const commands = mutatedText([`a 'b c' "d\\"e" f\\ g`, String.raw`"C:\x y\z.exe" \\"a\\\" b""c`]);
  fuzz(
    fc.tuple(commands, fc.constantFrom("linux" as const, "windows" as const)),
    ([command, os]) => {
      return splitCommandLine(command, os);
    },
    {
      check(argv, [command, os]) {
        if (argv === null) return;
        assert(argv.length > 0 && argv[0] !== "");
        assert(argv.reduce((sum, part) => sum + part.length, 0) <= command.length);
        const quoted = argv.map((part) =>
          os === "linux"
            ? `'${part.replaceAll("'", "'\\''")}'`
            : /["\\]/.test(part)
            ? null
            : `"${part}"`
        );
        if (!quoted.includes(null)) assert.deepEqual(splitCommandLine(quoted.join(" "), os), argv);
      },
    },
  );
});

Deno.test("fuzz: what a credential program prints is keys or a refusal", async () => {
  const sample: Json = {
    ...{ Version: 1, AccessKeyId: "AKIA", SecretAccessKey: "pa55word", SessionToken: "t" },
    Expiration: "2036-11-24T10:00:00Z",
  };
  const program = { argv: ["x"], label: "credential_process", from: "test", hint: "look" };
  await fuzzAsync(mutatedJson([sample]), async (text) => {
    const processes = {
      run: () => Promise.resolve({ code: 0, signal: null, stdout: utf8(text), stderr: utf8("") }),
      spawnDetached: () => Promise.reject(new Error("not here")),
      runInteractive: () => Promise.reject(new Error("not here")),
    };
    const clock = { nowMs: () => 0, monotonicMs: () => 0, sleep: () => Promise.resolve() };
    return await processCredentials(program, { processes, clock } as never);
  }, {
    codes: ["store-refused"],
    check(keys) {
      assert.match(keys.accessKeyId + keys.secretAccessKey + (keys.sessionToken ?? ""), /^[!-~]+$/);
      assert(keys.expiresAtMs === null || keys.expiresAtMs > 0);
      assert.doesNotMatch(JSON.stringify(keys), /pa55word/);
    },
  });
});

Deno.test("fuzz: Google's credential files ask Google, or are refused", () => {
  const impersonated = {
    type: "impersonated_service_account",
    service_account_impersonation_url:
      "https://iamcredentials.googleapis.com/v1/x:generateAccessToken",
    delegates: ["a"],
    source_credentials: USER,
  };
  const samples = [KEY, USER, EXTERNAL, impersonated] as unknown as Json[];
  const fs = new MemoryFs();
  fuzz(mutatedJson(samples), (text) => {
    put(fs, "/c.json", text);
    return readCredentialFile({ fs, host: fakeHost() }, "/c.json");
  }, {
    codes: ["malformed-file", "too-large"],
    check(file) {
      for (const [name, value] of Object.entries(file!)) {
        if (!/^token_ur|impersonation_url$/.test(name)) continue;
        assert.match(String(value), /^https:\/\/([a-z0-9-]+\.)+googleapis\.com\//, name);
      }
      assert.doesNotMatch(JSON.stringify(file), /PRIVATE KEY|refresh-secret/);
    },
  });
});
