/** Decoders whose inner ways are worth following, with what to begin from. */
import { type Bytes, utf8 } from "../../src/base/bytes.ts";
import { parseHookInput } from "../../src/cli/hook.ts";
import { parseFileName } from "../../src/sessions/file_name.ts";
import { parseGitConfig } from "../../src/sessions/git_config.ts";
import { normaliseRemote } from "../../src/sessions/remote.ts";
import { membersOf } from "../../src/sessions/record_text.ts";
import { addHooks, hookEntries, removeHooks } from "../../src/sessions/settings.ts";
import { isRewriteOf, spokenRecords } from "../../src/sessions/spoken_records.ts";
import { transcriptFacts } from "../../src/sessions/transcript_facts.ts";
import { parseErrorAnswer } from "../../src/storage/bucket/error_answer.ts";
import { parseListPage } from "../../src/storage/bucket/list_page.ts";
import { splitCommandLine } from "../../src/storage/credentials/command_line.ts";
import { gitFailure, innerFailure } from "../../src/storage/git/git_failure.ts";
import { parseBatch, parseTree } from "../../src/storage/git/git_tree.ts";
import { parseGitUrl } from "../../src/storage/git/git_url.ts";
import { parseIni } from "../../src/storage/s3/credentials/ini.ts";
import { decodeEntryBody } from "../../src/vault/entry_body.ts";
import { decodeHeader } from "../../src/vault/header.ts";
import { zstdCompress, zstdDecompress } from "../../src/vault/zstd_frame.ts";
import { terminalText } from "../../src/cli/terminal_text.ts";

/** One decoder. */
export interface Guided {
  readonly samples: readonly Bytes[];
  readonly decode: (bytes: Bytes) => unknown;
}

const HEX_32 = "ab".repeat(16);
const OID = "0123456789abcdef0123456789abcdef01234567";
const OBJECT = "log/0123456789abcdef/000000000001.01234567";
const url = parseGitUrl("https://git.example/a.git", "linux");
const entries = hookEntries("linux", ["/opt/claude-sync"], null);
const RECORD = '{"type":"user","uuid":"u","sessionId":"s","message":{"content":"hello"},' +
  '"timestamp":"2026-11-24T10:00:00Z","cwd":"/a"}\n';
const SETTINGS =
  '{"hooks":{"Stop":[{"hooks":[{"type":"command","command":"claude-sync hook stop"}]}]}}';

function ofText(samples: readonly string[], decode: (text: string) => unknown): Guided {
  const decoder = new TextDecoder();
  return { samples: samples.map(utf8), decode: (bytes) => decode(decoder.decode(bytes)) };
}

/** By name. */
export const GUIDED: Readonly<Record<string, Guided>> = {
  decodeHeader: {
    samples: [utf8(`{"format":1,"vaultId":"${HEX_32}","kid":"${HEX_32}"}\n`)],
    decode: decodeHeader,
  },
  decodeEntryBody: {
    samples: [utf8('{"v":1,"ops":[{"op":"enrol"},{"op":"add","groups":[],"gens":[]}]}')],
    decode: (bytes) => decodeEntryBody(bytes, OBJECT),
  },
  zstdDecompress: {
    samples: [zstdCompress(utf8("abc".repeat(50))), zstdCompress(new Uint8Array(0))],
    decode: (bytes) => zstdDecompress(bytes, 150),
  },
  parseHookInput: {
    samples: [utf8(`{"session_id":"x","cwd":"/a","source":"startup"}`)],
    decode: parseHookInput,
  },
  transcript: {
    samples: [utf8(RECORD)],
    decode: (bytes) => [transcriptFacts(bytes), spokenRecords(bytes), isRewriteOf(bytes, bytes)],
  },
  membersOf: { samples: [utf8(RECORD.trim()), utf8('{"a" : [1, "}"] }')], decode: membersOf },
  settings: ofText([SETTINGS, "{}"], (text) => [addHooks(text, entries), removeHooks(text)]),
  parseListPage: {
    samples: [utf8("<ListBucketResult><IsTruncated>false</IsTruncated></ListBucketResult>")],
    decode: parseListPage,
  },
  parseErrorAnswer: {
    samples: [utf8("<Error><Code>A</Code><Endpoint>s3-a-b.amazonaws.com</Endpoint></Error>")],
    decode: (body) => parseErrorAnswer({ status: 400, headers: new Map(), body }),
  },
  gitTree: {
    samples: [utf8(`${OID} blob 1\na\n${OID} missing\n`), utf8(`100644 a\0${"x".repeat(20)}`)],
    decode: (bytes) => [parseBatch(bytes, 2), parseTree(bytes, "sha1")],
  },
  gitFailure: ofText(["remote: GH001\nfatal: x\n"], (said) => {
    return [gitFailure(url, said), innerFailure(said)];
  }),
  parseGitConfig: ofText(['[remote "a"]\n\turl = "b\\t" ; c\n'], parseGitConfig),
  parseIni: ofText(["[a]\nb = c # d\ns3 =\n  e = f\n"], parseIni),
  addresses: ofText(["https://host:1/a.git", "git@host:a", "C:\\x"], (text) => [
    normaliseRemote(text),
    splitCommandLine(text, "windows"),
    parseGitUrl(text, "windows"),
  ]),
  parseFileName: ofText(["side/a/b.txt", "todos/@.json", "plans/a.md"], parseFileName),
  terminalText: ofText(["a\u0301 👩‍🚀 \x1b[2J"], (text) => terminalText(text, 5)),
};
