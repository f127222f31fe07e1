/**
 * Decoders whose inner ways are worth following, with what to begin from, the errors that they may
 * throw and what must hold of what they give: the same as in the property tests beside this file.
 */
import assert from "node:assert/strict";
import { type Bytes, equalBytes, utf8 } from "../../src/base/bytes.ts";
import { Secret } from "../../src/base/secret.ts";
import { decodeFrame, encodeFrame } from "../../src/crypto/frame.ts";
import { machineIdentityFromSeed } from "../../src/crypto/machine_identity.ts";
import type { ErrorCode } from "../../src/errors.ts";
import { parseHookInput } from "../../src/cli/hook.ts";
import { fileNameProblem, parseFileName } from "../../src/sessions/file_name.ts";
import { parseGitConfig } from "../../src/sessions/git_config.ts";
import { isRemote, normaliseRemote } from "../../src/sessions/remote.ts";
import { membersOf } from "../../src/sessions/record_text.ts";
import { parseSessionId } from "../../src/sessions/session_id.ts";
import { addHooks, hookEntries, removeHooks } from "../../src/sessions/settings.ts";
import { isRewriteOf, spokenRecords } from "../../src/sessions/spoken_records.ts";
import { transcriptFacts } from "../../src/sessions/transcript_facts.ts";
import { parseEndpoint } from "../../src/storage/bucket/endpoint.ts";
import { parseErrorAnswer, STORE_TEXT_LENGTH_MAX } from "../../src/storage/bucket/error_answer.ts";
import { parseListPage } from "../../src/storage/bucket/list_page.ts";
import { splitCommandLine } from "../../src/storage/credentials/command_line.ts";
import { gitFailure, innerFailure } from "../../src/storage/git/git_failure.ts";
import { parseBatch, parseTree } from "../../src/storage/git/git_tree.ts";
import { parseGitUrl } from "../../src/storage/git/git_url.ts";
import { parseIni } from "../../src/storage/s3/credentials/ini.ts";
import { decodeEntryBody, encodeEntryBody } from "../../src/vault/entry_body.ts";
import { encodeGroup } from "../../src/vault/group.ts";
import { decodeHeader, encodeHeader } from "../../src/vault/header.ts";
import { decodeRecord, encodeRecord } from "../../src/vault/record.ts";
import { zstdCompress, zstdDecompress } from "../../src/vault/zstd_frame.ts";
import { homePaths, readConfig } from "../../src/sync/home.ts";
import { terminalText } from "../../src/cli/terminal_text.ts";
import { signRecord } from "../vectors/make_record.ts";
import { SAMPLE_HASHES, SAMPLE_PARTS, SAMPLE_TAG, sampleAdd } from "../vault/sample_entry.ts";
import { sampleBody, sampleGroup, sampleRewrite } from "../vault/sample_entry.ts";
import { platformWith } from "./one_file.ts";

/** One decoder. */
export interface Guided {
  readonly samples: readonly Bytes[];
  /** Decodes, and asserts what must hold of the value. */
  readonly decode: (bytes: Bytes) => unknown;
  /** The only errors that it may throw; none unless given. */
  readonly codes?: readonly ErrorCode[];
}

const HEX_32 = "ab".repeat(16);
const OID = "0123456789abcdef0123456789abcdef01234567";
const OBJECT = "log/0123456789abcdef/000000000001.01234567";
const VAULT_ID = new Uint8Array(16).fill(7);
const COMMIT = new Uint8Array(32).fill(9);
const PATHS = homePaths("/home/bob/.claude-sync");
const url = parseGitUrl("https://git.example/a.git", "linux");
const entries = hookEntries("linux", ["/opt/claude-sync"], null);
const identity = await machineIdentityFromSeed(new Secret(new Uint8Array(32).fill(1)));
const group = encodeGroup(SAMPLE_PARTS);
const body = sampleBody(identity, HEX_32, group.stored, [{
  ...sampleAdd([sampleGroup(group, { in: -1, at: 0 })]),
  gens: [sampleRewrite(SAMPLE_HASHES[0])],
}]);
const { payload, entryHash } = await encodeRecord(body, identity, VAULT_ID, group.stored);
const RECORD = '{"type":"user","uuid":"u","sessionId":"s","message":{"content":"hello"},' +
  '"timestamp":"2026-11-24T10:00:00Z","cwd":"/a"}\n';
const SETTINGS =
  '{"hooks":{"Stop":[{"hooks":[{"type":"command","command":"claude-sync hook stop"}]}]}}';
const CONFIG = JSON.stringify({
  ...{ version: 1, vaultId: HEX_32, kid: HEX_32, store: { kind: "folder", path: "/mnt/nas" } },
  ...{ machineName: "desk", maps: { "home:app": "/srv/app" }, excluded: ["home:x"] },
  limits: { uploadBytesPerSecond: 1000, downloadBytesPerSecond: null, concurrency: 4 },
});
const HARMFUL = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/u;

/** What JSON can say of a value. */
function asJson(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value));
}

/** Settings in a file that may begin with a byte order mark. */
function settingsIn(text: string): unknown {
  return JSON.parse(text.replace(/^\ufeff/, ""));
}

function ofText(
  samples: readonly string[],
  decode: (text: string) => unknown,
  codes: readonly ErrorCode[] = [],
): Guided {
  const decoder = new TextDecoder();
  return { samples: samples.map(utf8), decode: (bytes) => decode(decoder.decode(bytes)), codes };
}

/** What comes out of a store. */
const OF_VAULT: Readonly<Record<string, Guided>> = {
  decodeHeader: {
    samples: [utf8(`{"format":1,"vaultId":"${HEX_32}","kid":"${HEX_32}"}\n`)],
    codes: ["malformed-file", "newer-format"],
    decode(bytes) {
      const header = decodeHeader(bytes);
      assert.deepEqual(decodeHeader(encodeHeader(header)), header);
    },
  },
  decodeFrame: {
    samples: [0, 5, 5000].map((size) => encodeFrame(COMMIT, new Uint8Array(size).fill(3))),
    decode(bytes) {
      const found = decodeFrame(COMMIT, bytes);
      if (found !== null) assert(equalBytes(encodeFrame(COMMIT, found), bytes));
    },
  },
  decodeRecord: {
    samples: [payload],
    codes: ["damaged"],
    async decode(bytes) {
      const expected = { tag: SAMPLE_TAG, seq: 1, hash8: entryHash.slice(0, 8), signPublic: null };
      const record = await decodeRecord(bytes, VAULT_ID, expected);
      assert.equal(record.entryHash, entryHash);
      assert.deepEqual(record.body, body);
    },
  },
  // The mutation is signed: what a member of the vault may write.
  signedRecord: {
    samples: [encodeEntryBody(body)],
    codes: ["damaged", "newer-format"],
    async decode(bytes) {
      const signed = await signRecord(bytes, identity, VAULT_ID, group.stored);
      const hash8 = signed.hash.slice(0, 8);
      const { signPublic } = identity;
      const expected = { tag: SAMPLE_TAG, seq: 1, hash8, signPublic };
      const record = await decodeRecord(signed.payload, VAULT_ID, expected);
      assert.equal(record.body.inline.size, record.inline.length);
      assert.equal(record.body.machine, identity.id);
    },
  },
  decodeEntryBody: {
    samples: [
      encodeEntryBody(body),
      utf8('{"v":1,"ops":[{"op":"enrol"},{"op":"add","groups":[],"gens":[]}]}'),
    ],
    codes: ["damaged", "newer-format"],
    decode(bytes) {
      const decoded = decodeEntryBody(bytes, OBJECT);
      assert.deepEqual(decodeEntryBody(encodeEntryBody(decoded), OBJECT), asJson(decoded));
      assert.equal(Object.getPrototypeOf(decoded.heads), Object.prototype);
    },
  },
  zstdDecompress: {
    samples: [zstdCompress(utf8("abc".repeat(50))), zstdCompress(new Uint8Array(0))],
    decode: (bytes) => assert([150, undefined].includes(zstdDecompress(bytes, 150)?.length)),
  },
  parseFileName: ofText(["side/a/b.txt", "todos/@.json", "plans/a.md"], (text) => {
    const name = parseFileName(text);
    assert.equal(name === null, fileNameProblem(text) !== null);
    if (name === null) return;
    assert.doesNotMatch(name, /(^|\/)\.\.?(\/|$)|^\/|\0|\\/);
    assert.equal(name, name.normalize("NFC"));
  }),
};

/** What lies on this machine. */
const OF_MACHINE: Readonly<Record<string, Guided>> = {
  config: {
    samples: [utf8(CONFIG)],
    codes: ["malformed-file", "newer-format"],
    decode(bytes) {
      const config = readConfig(platformWith(PATHS.config, bytes), PATHS);
      assert(config !== null);
      assert.equal(Object.getPrototypeOf(config), Object.prototype);
      const again = utf8(JSON.stringify(config));
      assert.deepEqual(readConfig(platformWith(PATHS.config, again), PATHS), asJson(config));
    },
  },
  parseHookInput: {
    samples: [utf8(`{"session_id":"x","cwd":"/a","source":"startup"}`)],
    decode(bytes) {
      const { sessionId, cwd, source } = parseHookInput(bytes);
      assert(sessionId === null || parseSessionId(sessionId) !== null);
      for (const text of [cwd, source]) assert(text === null || typeof text === "string");
    },
  },
  transcript: {
    samples: [utf8(RECORD)],
    decode(bytes) {
      const { messages, lastActivityMs } = transcriptFacts(bytes);
      assert(Number.isSafeInteger(messages) && messages >= 0);
      assert(lastActivityMs === null || lastActivityMs > 0);
      for (const { hash, start } of spokenRecords(bytes)) {
        assert(/^[0-9a-f]{64}$/.test(hash) && start < bytes.length);
      }
      assert(isRewriteOf(bytes, bytes));
    },
  },
  membersOf: {
    samples: [utf8(RECORD.trim()), utf8('{"a" : [1, "}"] }')],
    decode(bytes) {
      let end = 0;
      for (const { previousEnd, valueStart, valueEnd } of membersOf(bytes) ?? []) {
        assert(end <= previousEnd && previousEnd < valueStart && valueStart < valueEnd);
        end = valueEnd;
      }
      assert(end <= bytes.length);
    },
  },
  settings: ofText([SETTINGS, "{}"], (text) => {
    const added = addHooks(text, entries);
    assert.equal(addHooks(added, entries), added, "twice is once");
    assert.deepEqual(settingsIn(removeHooks(added)), settingsIn(removeHooks(text)));
  }, ["malformed-file"]),
  parseGitConfig: ofText(['[remote "a"]\n\turl = "b\\t" ; c\n'], (text) => {
    for (const { section, name } of parseGitConfig(text)) {
      assert.match(section, /^[a-z0-9-]*$/);
      assert.match(name, /^[a-z][a-z0-9-]*$/);
    }
  }),
  parseIni: ofText(["[a]\nb = c # d\ns3 =\n  e = f\n"], (text) => {
    for (const [title, section] of parseIni(text)) {
      for (const part of [title, ...section.keys(), ...section.values()]) {
        assert.doesNotMatch(part, /[\r\n]|^\s|\s$/);
      }
    }
  }),
  terminalText: ofText(["a\u0301 👩‍🚀 \x1b[2J"], (text) => {
    const shown = terminalText(text, 5);
    assert.doesNotMatch(shown, HARMFUL);
    assert.equal(terminalText(shown, 5), shown, "once is enough");
  }),
};

/** Addresses, and what answers there. */
const OF_STORE: Readonly<Record<string, Guided>> = {
  parseEndpoint: ofText(["https://s3.example:9000", "http://127.0.0.1", "http://nas"], (text) => {
    const endpoint = parseEndpoint(text, "local-network");
    const { username, password, pathname, search, hash, hostname } = endpoint;
    assert.deepEqual([username, password, pathname, search, hash], ["", "", "/", "", ""]);
    assert.doesNotMatch(
      hostname,
      /^(0\.\d+|169\.254)\.\d+\.\d+$|^\[(::|fe[89ab]|::ffff:.*|64:ff9b:.*)\]$/,
    );
    assert.equal(parseEndpoint(endpoint.href, "local-network").href, endpoint.href);
  }, ["usage"]),
  parseListPage: {
    samples: [utf8("<ListBucketResult><IsTruncated>false</IsTruncated></ListBucketResult>")],
    decode(bytes) {
      for (const { key, sizeBytes } of parseListPage(bytes)?.keys ?? []) {
        assert.equal(typeof key, "string");
        assert(Number.isSafeInteger(sizeBytes) && sizeBytes >= 0);
      }
    },
  },
  parseErrorAnswer: {
    samples: [utf8("<Error><Code>A</Code><Endpoint>s3-a-b.amazonaws.com</Endpoint></Error>")],
    decode(body) {
      const { detail, code } = parseErrorAnswer({ status: 400, headers: new Map(), body });
      assert(detail.length <= STORE_TEXT_LENGTH_MAX + 1);
      assert.doesNotMatch(detail, /\p{Cc}/u);
      assert(code === null || /^[A-Za-z0-9._-]{1,100}$/.test(code));
    },
  },
  parseBatch: {
    samples: [utf8(`${OID} blob 1\na\n${OID} missing\n`)],
    decode: (bytes) => assert([2, undefined].includes(parseBatch(bytes, 2)?.length)),
  },
  parseTree: {
    samples: [utf8(`100644 a\0${"x".repeat(20)}`)],
    decode(bytes) {
      for (const { mode, oid } of parseTree(bytes, "sha1") ?? []) {
        assert.match(`${mode} ${oid}`, /^[0-7]{5,6} [0-9a-f]{40}$/);
      }
    },
  },
  gitFailure: ofText(["remote: GH001\nfatal: x\n"], (said) => {
    assert(["by-id", "format", "cache", "locked", null].includes(innerFailure(said)));
    const { message, hint } = gitFailure(url, said);
    for (const text of [message, hint ?? ""]) assert.doesNotMatch(text, HARMFUL);
  }),
  normaliseRemote: ofText(["https://host:1/a.git", "git@host:a"], (text) => {
    const remote = normaliseRemote(text);
    assert(remote === null || isRemote(remote));
  }),
  splitCommandLine: ofText(["a 'b c' \"d\" e", "C:\\x"], (text) => {
    const argv = splitCommandLine(text, "windows");
    assert(argv === null || (argv.length > 0 && argv.join("").length <= text.length));
  }),
  parseGitUrl: ofText(["https://host:1/a.git", "git@host:a", "C:\\x"], (text) => {
    const found = parseGitUrl(text, "windows");
    assert.doesNotMatch(text, /^-|^[^/[]*::/);
    assert.deepEqual(parseGitUrl(found.url, "windows"), found);
  }, ["usage"]),
};

/** By name. */
export const GUIDED: Readonly<Record<string, Guided>> = { ...OF_VAULT, ...OF_MACHINE, ...OF_STORE };
