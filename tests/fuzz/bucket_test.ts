/** What answers where a bucket, a token service or a metadata server should be. */
import assert from "node:assert/strict";
import * as fc from "fast-check";
import { utf8 } from "../../src/base/bytes.ts";
import { isClaudeSyncError } from "../../src/errors.ts";
import {
  parseAnswerXml,
  XML_DEPTH_MAX,
  type XmlElement,
} from "../../src/storage/bucket/answer_xml.ts";
import { parseEndpoint } from "../../src/storage/bucket/endpoint.ts";
import {
  parseErrorAnswer,
  RETRY_AFTER_MS_MAX,
  STORE_TEXT_LENGTH_MAX,
} from "../../src/storage/bucket/error_answer.ts";
import { bucketError } from "../../src/storage/bucket/failure.ts";
import { parseListPage } from "../../src/storage/bucket/list_page.ts";
import { googleUrl, subjectTokenUrl } from "../../src/storage/gcs/google_url.ts";
import { requestToken } from "../../src/storage/gcs/token_request.ts";
import { s3Words } from "../../src/storage/s3/words.ts";
import { fuzz, fuzzAsync } from "./fuzzing.ts";
import { type Json, mutatedJson } from "./json_mutations.ts";
import { mutatedBytes, mutatedText } from "./mutations.ts";

const HEAD = '<?xml version="1.0" encoding="UTF-8"?>\n';
const LIST =
  `${HEAD}<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Name>b</Name>` +
  "<IsTruncated>true</IsTruncated><Contents><Key>log/a</Key><Size>4096</Size></Contents>" +
  "<Contents><Key>a&amp;b&#x41;</Key><ETag>&quot;x&quot;</ETag><Size>0</Size></Contents>" +
  "<NextContinuationToken>t==</NextContinuationToken></ListBucketResult>";
const ENCODED = LIST.replace("<Name>", "<EncodingType>url</EncodingType><Name>");
const ERROR =
  `${HEAD}<Error><Code>NoSuchBucket</Code><Message>The bucket\n is not there</Message>` +
  "<Endpoint>b.s3-eu-west-1.amazonaws.com</Endpoint><Region>eu-west-1</Region></Error>";
const WORDS = ["<Key>", "</Key>", "<![CDATA[", "<!DOCTYPE a [<!ENTITY b 'c'>]>", "&b;", "%2F", "%"];

function depthOf(element: XmlElement, names: readonly string[]): number {
  return 1 +
    Math.max(0, ...names.flatMap((name) => element.all(name)).map((one) => depthOf(one, names)));
}

Deno.test("fuzz: XML is well-formed, not deep and without types of its own, or null", () => {
  fuzz(mutatedBytes([LIST, ERROR].map(utf8), WORDS), parseAnswerXml, {
    check(root) {
      if (root === null) return;
      assert(depthOf(root, ["Contents", "Key", "a", "Error", "Code"]) <= XML_DEPTH_MAX);
      for (const name of ["Key", "Contents", "__proto__", "constructor", ""]) {
        const text = root.text(name);
        assert(text === null || typeof text === "string");
        assert(Array.isArray(root.all(name)));
      }
    },
  });
});

Deno.test("fuzz: a page of a list is whole or none", () => {
  fuzz(mutatedBytes([LIST, ENCODED].map(utf8), WORDS), parseListPage, {
    check(page) {
      if (page === null) return;
      assert.equal(typeof page.isTruncated, "boolean");
      for (const { key, sizeBytes } of page.keys) {
        assert.equal(typeof key, "string");
        assert(Number.isSafeInteger(sizeBytes) && sizeBytes >= 0);
      }
    },
  });
});

const HEADERS = ["date", "retry-after", "location", "x-amz-bucket-region", "content-type"];
const header = mutatedText([
  ...[
    "Tue, 24 Nov 2026 10:00:00 GMT",
    "120",
    "https://other.example/b",
    "eu-central-1",
    "text/plain",
  ],
]);

Deno.test("fuzz: an answer that is no success becomes a sentence and a hint", () => {
  const answers = fc.record({
    status: fc.constantFrom(
      300,
      301,
      307,
      400,
      401,
      403,
      404,
      405,
      407,
      409,
      412,
      429,
      500,
      503,
      999,
    ),
    headers: fc.dictionary(fc.constantFrom(...HEADERS), header).map((each) =>
      new Map(Object.entries(each))
    ),
    body: mutatedBytes([ERROR, LIST, "busy, try again", "<html>"].map(utf8), WORDS),
  });
  fuzz(answers, (answer) => {
    const parsed = parseErrorAnswer(answer);
    const at = {
      action: "put",
      bucket: "b",
      host: "h",
      words: s3Words({ bucket: "b", prefix: "", region: null } as never),
    } as const;
    return { parsed, error: bucketError(parsed, at) };
  }, {
    check({ parsed, error }) {
      assert(parsed.detail.length <= STORE_TEXT_LENGTH_MAX + 1);
      assert.doesNotMatch(parsed.detail, /\p{Cc}/u);
      if (parsed.code !== null) assert.match(parsed.code, /^[A-Za-z0-9._-]{1,100}$/);
      if (parsed.region !== null) assert.match(parsed.region, /^[a-z0-9-]{1,64}$/);
      if (parsed.redirectHost !== null) assert.match(parsed.redirectHost, /^[^\s/@]{1,255}$/);
      assert(parsed.retryAfterMs === null || parsed.retryAfterMs <= RETRY_AFTER_MS_MAX);
      assert(parsed.retryAfterMs === null || parsed.retryAfterMs >= 0);
      assert(isClaudeSyncError(error) && error.code !== "bug" && (error.hint ?? "") !== "");
      assert(error.message.length < 1000);
    },
  });
});

const ENDPOINTS = [
  ...[
    "https://s3.example.com",
    "http://127.0.0.1:9000",
    "https://[fd00::1]:443",
    "http://nas.local",
  ],
  ...[
    "https://169.254.169.254",
    "https://[::ffff:169.254.169.254]",
    "http://2130706433",
    "http://0x7f.1",
  ],
];

Deno.test("fuzz: an endpoint is a server's, and nothing secret goes over an open line", () => {
  const rules = fc.constantFrom("loopback" as const, "local-network" as const);
  fuzz(
    fc.tuple(mutatedText(ENDPOINTS, ["@", "169.254.169.254", "0x", "．"]), rules),
    ([text, rule]) => {
      return parseEndpoint(text, rule);
    },
    {
      codes: ["usage"],
      check(url, [, rule]) {
        assert(
          url.username === "" && url.password === "" && url.pathname === "/" && url.search === "",
        );
        assert.doesNotMatch(
          url.hostname,
          /^(0\.\d+|169\.254)\.\d+\.\d+$|^\[(::|fe[89ab]|::ffff:.*|64:ff9b:.*)\]$/,
        );
        if (url.protocol !== "http:") return;
        const near = /^(localhost|127\..*|\[::1\]|.*\.localhost)\.?$/;
        if (rule === "loopback") assert.match(url.hostname, near);
        else {assert.match(
            url.hostname,
            /^(127|10|192\.168|172|100)\.|^\[(::1|f[cd].*)\]$|^[^.]+\.?$|\.[a-z]+\.?$/,
          );}
        assert.equal(parseEndpoint(url.href, rule).href, url.href);
      },
    },
  );
});

Deno.test("fuzz: a secret goes to Google, or where the machine itself is", () => {
  const urls = [
    "https://oauth2.googleapis.com/token",
    "http://169.254.169.254/x",
    "http://localhost:1/",
  ];
  fuzz(mutatedText(urls, ["@", ".evil.com", "googleapis.com", "#", "\\", "\t"]), (text) => ({
    google: googleUrl(text),
    subject: subjectTokenUrl(text),
  }), {
    check({ google, subject }) {
      if (google !== null) {
        assert.match(google.href, /^https:\/\/([a-z0-9-]+\.)+googleapis\.com\/[^#]*#?$/);
        // Parsed anew it is the same place.
        assert.equal(googleUrl(google.href)?.href, google.href);
      }
      if (subject !== null) {
        assert.doesNotMatch(subject.href, /^[a-z]+:\/\/[^/]*@/);
        assert.match(
          subject.href,
          /^(https:|http:\/\/(169\.254\.169\.254|localhost|127\.|\[::1\]))/,
        );
      }
    },
  });
});

Deno.test("fuzz: a token is one that fits a header, with an end that is near", async () => {
  const samples: Json[] = [
    { access_token: "ya29.a", expires_in: 3599, token_type: "Bearer" },
    { accessToken: "ya29.b", expireTime: "2026-11-24T11:00:00Z" },
    { error: "invalid_grant", error_subtype: "invalid_rapt", error_description: "x" },
    { error: { status: "PERMISSION_DENIED", message: "x" } },
  ];
  const answers = fc.tuple(mutatedJson(samples), fc.constantFrom(200, 400, 403, 500), header);
  await fuzzAsync(answers, async ([text, status, date]) => {
    const http = {
      request: () =>
        Promise.resolve({ status, headers: new Map([["date", date]]), body: utf8(text) }),
    };
    const clock = { nowMs: () => 0, monotonicMs: () => 0, sleep: () => Promise.resolve() };
    const request = { method: "POST", url: "https://oauth2.googleapis.com/token" };
    return await requestToken(request, { http, clock }, new AbortController().signal);
  }, {
    codes: ["store-invalid", "store-unreachable"],
    check(found) {
      if (found.kind === "refused") {
        assert.match(found.code, /^(\w{1,64}|HTTP \d+)$/);
        assert(found.dateMs === null || Number.isFinite(found.dateMs));
        return;
      }
      assert.match(found.token.value.dangerouslyReveal(), /^[!-~]{1,16384}$/);
      const { expiresAtMs } = found.token;
      assert(expiresAtMs === null || Number.isFinite(expiresAtMs));
    },
  });
});
