/**
 * 128 KiB of the same thing again and again: what a pattern that looks back from
 * every place, or a copy at every step, would need minutes for.
 */
import assert from "node:assert/strict";
import { utf8 } from "../../src/base/bytes.ts";
import { diffLines } from "../../src/cli/line_diff.ts";
import { parseHookInput } from "../../src/cli/hook.ts";
import { shellWord } from "../../src/cli/shell_quote.ts";
import { terminalText } from "../../src/cli/terminal_text.ts";
import { titleAt } from "../../src/sessions/branch_title.ts";
import { fileNameProblem } from "../../src/sessions/file_name.ts";
import { parseGitConfig } from "../../src/sessions/git_config.ts";
import { plansOfFile } from "../../src/sessions/shelf.ts";
import { historyLines } from "../../src/sessions/prompt_history.ts";
import { normaliseRemote } from "../../src/sessions/remote.ts";
import { isOwnCommand } from "../../src/sessions/settings.ts";
import { slugOf } from "../../src/sessions/slug.ts";
import { isRewriteOf, spokenRecords } from "../../src/sessions/spoken_records.ts";
import { transcriptFacts, transcriptTail } from "../../src/sessions/transcript_facts.ts";
import { parseListPage } from "../../src/storage/bucket/list_page.ts";
import { parseErrorAnswer } from "../../src/storage/bucket/error_answer.ts";
import { splitCommandLine } from "../../src/storage/credentials/command_line.ts";
import { isRaced, parseRemoteRefs } from "../../src/storage/git/git_answers.ts";
import { gitFailure, innerFailure, withoutSecrets } from "../../src/storage/git/git_failure.ts";
import { parseGitUrl } from "../../src/storage/git/git_url.ts";
import { parseBatch, parseTree } from "../../src/storage/git/git_tree.ts";
import { parseIni } from "../../src/storage/s3/credentials/ini.ts";

const SIZE = 128 * 1024;
/** Some milliseconds are enough; what grows with the square of the length takes minutes. */
const TOOK_MS_MAX = 5_000;

const url = parseGitUrl("https://git.example/a.git", "linux");

const DECODERS: Readonly<
  Record<string, (text: string, bytes: Uint8Array<ArrayBuffer>) => unknown>
> = {
  parseGitConfig: (text) => parseGitConfig(`[a]\n${text}`),
  "parseGitConfig, a header": (text) => parseGitConfig(`[a${text}`),
  parseIni: (text) => parseIni(`[a]\n${text}`),
  gitFailure: (text) => gitFailure(url, text),
  innerFailure: (text) => innerFailure(text),
  withoutSecrets: (text) => withoutSecrets(text),
  isRaced: (text) => isRaced(`!\t${text}`),
  parseRemoteRefs: (text) => parseRemoteRefs(text),
  parseBatch: (_text, bytes) => parseBatch(bytes, 100_000),
  parseTree: (_text, bytes) => parseTree(bytes, "sha1"),
  normaliseRemote: (text) => normaliseRemote(text),
  splitCommandLine: (text) => [splitCommandLine(text, "linux"), splitCommandLine(text, "windows")],
  parseListPage: (text) => parseListPage(utf8(`<ListBucketResult>${text}</ListBucketResult>`)),
  parseErrorAnswer: (text, body) =>
    parseErrorAnswer({ status: 400, headers: new Map([["retry-after", text]]), body }),
  isOwnCommand: (text) => isOwnCommand(text),
  parseHookInput: (_text, bytes) => parseHookInput(bytes),
  terminalText: (text) => terminalText(text),
  shellWord: (text) => shellWord("linux", text),
  fileNameProblem: (text) => fileNameProblem(text),
  plansOfFile: (text) => plansOfFile(`${text}.md`),
  slugOf: (text) => slugOf(text),
  diffLines: (text) => diffLines(text, `${text}x`).length,
  transcriptFacts: (_text, bytes) => [transcriptFacts(bytes), transcriptTail(bytes)],
  spokenRecords: (_text, bytes) => [spokenRecords(bytes), isRewriteOf(bytes, bytes)],
  titleAt: (_text, bytes) => titleAt(bytes, bytes.length),
  historyLines: (_text, bytes) => [...historyLines(bytes)].length,
};

const PIECES: readonly string[] = [
  ...[
    "a",
    " ",
    "\t",
    "\n",
    "\0",
    "\\",
    "\\\n",
    "'",
    '"',
    "\\'",
    "''",
    '""',
    "[",
    "]",
    "{",
    "}",
    "[a ",
  ],
  ...[
    "<a>",
    "<a ",
    "&lt;",
    "&",
    "<!--",
    "<![CDATA[",
    "%",
    "%2f",
    "@",
    "a@",
    ":",
    "::",
    "/",
    "//",
    "a/",
  ],
  ...[" #", " ;", "=", "a = b\n", "[a]\n", '[a "', '"sessionId"', '"sessionId": "', '"slug":"a"'],
  ...[
    "over the ",
    "No ",
    "remote: ",
    "(cannot lock ",
    "(failed to lock)",
    "Permission to ",
    "token=",
  ],
  ...[
    "a hook stop ",
    "npx ",
    "--profile ",
    "'\\''",
    "e\u0301",
    "\u{1f468}\u200d",
    "\u202e",
    "\u2028",
  ],
  ...[
    "tree ",
    "100644 a\0",
    "a blob 0\n\n",
    "x missing\n",
    '{"type":"user"}\n',
    '{"a":',
    "a-agent-b",
  ],
  ...["0", "9", ".00000000", "Mon, 1 Jan ", "1e9,"],
];

Deno.test("fuzz: no decoder takes long for what says the same again and again", () => {
  for (const piece of PIECES) {
    const texts = [
      piece.repeat(SIZE / piece.length),
      `${piece.repeat(SIZE / piece.length)}!\u2028x`,
    ];
    for (const text of texts) {
      const bytes = utf8(text);
      for (const [name, decode] of Object.entries(DECODERS)) {
        const startMs = performance.now();
        decode(text, bytes);
        const tookMs = performance.now() - startMs;
        assert(tookMs < TOOK_MS_MAX, `${name} of ${JSON.stringify(piece)} took ${tookMs} ms`);
      }
    }
  }
});
