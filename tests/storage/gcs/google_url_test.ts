import assert from "node:assert/strict";
import fc from "fast-check";
import { googleUrl, subjectTokenUrl, TOKEN_URI } from "../../../src/storage/gcs/google_url.ts";

const GOOGLES = [
  TOKEN_URI,
  "https://sts.googleapis.com/v1/token",
  "https://iamcredentials.googleapis.com/v1/projects/-/serviceAccounts/a@b:generateAccessToken",
  "https://sts.us-east4.rep.googleapis.com/v1/token",
  "https://sts.googleapis.com:443/v1/token",
];

const NOT_GOOGLES = [
  "http://oauth2.googleapis.com/token",
  "https://googleapis.com/token",
  "https://oauth2.googleapis.com.evil.example/token",
  "https://evil.example/oauth2.googleapis.com",
  "https://evilgoogleapis.com/token",
  "https://oauth2.googleapis.com@evil.example/token",
  "https://user@oauth2.googleapis.com/token",
  "https://user:word@oauth2.googleapis.com/token",
  "https://oauth2.googleapis.com:8443/token",
  "https://oauth2.googleapis.com./token",
  "https://evil.example#.googleapis.com",
  "https://evil.example?.googleapis.com",
  "https://evil.example\\.googleapis.com",
  "https://accounts.google.com/o/oauth2/auth",
  "https://169.254.169.254/token",
  "ftp://oauth2.googleapis.com/token",
  "file:///etc/passwd",
  "//oauth2.googleapis.com/token",
  "oauth2.googleapis.com/token",
  "",
];

Deno.test("googleUrl takes Google's services and nothing that looks like them", () => {
  for (const text of GOOGLES) assert.equal(googleUrl(text)?.href, new URL(text).href, text);
  for (const text of NOT_GOOGLES) assert.equal(googleUrl(text), null, text);
});

Deno.test("googleUrl knows where the files of ten years ago asked", () => {
  assert.equal(googleUrl("https://accounts.google.com/o/oauth2/token")?.href, TOKEN_URI);
});

Deno.test("googleUrl gives only URLs that fetch sends to Google", () => {
  const part = fc.constantFrom(
    "https://",
    "a",
    "@",
    ":",
    "/",
    "\\",
    "#",
    "?",
    ".",
    "googleapis.com",
  );
  fc.assert(fc.property(fc.array(part, { maxLength: 8 }), (parts) => {
    const url = googleUrl(`https://${parts.join("")}`);
    if (url === null) return;
    assert.match(new URL(url.href).host, /^[^@:/\\]+\.googleapis\.com$/);
  }));
});

Deno.test("subjectTokenUrl takes https anywhere, and http near the machine only", () => {
  const taken = [
    "https://pipelines.actions.githubusercontent.com/token?x=1",
    "http://169.254.169.254/metadata/identity/oauth2/token?resource=api",
    "http://127.0.0.1:40342/token",
    "http://localhost:1/t",
    "http://[::1]:1/t",
  ];
  for (const text of taken) assert.equal(subjectTokenUrl(text)?.href, new URL(text).href, text);
  const refused = [
    "http://example.com/token",
    "http://10.0.0.1/token",
    "http://169.254.169.254.example.com/",
    "http://localhost.example.com/",
    "https://user:word@example.com/",
    "file:///etc/shadow",
    "token",
  ];
  for (const text of refused) assert.equal(subjectTokenUrl(text), null, text);
});
