import assert from "node:assert/strict";
import { isClaudeSyncError } from "../../../src/errors.ts";
import { parseEndpoint } from "../../../src/storage/bucket/endpoint.ts";

const TAKEN = [
  "https://s3.eu-central-003.backblazeb2.com",
  "https://minio.example.com:9000",
  "https://192.168.1.10:9000",
  "https://[2001:db8::1]:9000",
  "http://127.0.0.1:9000",
  "http://127.1:9000",
  "http://localhost:9000",
  "http://[::1]:9000",
];
const LOCAL_NETWORK = [
  "http://10.0.0.5:9000",
  "http://172.16.0.1",
  "http://172.31.255.255",
  "http://192.168.1.10:9000",
  "http://100.64.0.1",
  "http://[fd12:3456::1]:9000",
  "http://minio:9000",
  "http://nas.local:9000",
  "http://nas.lan",
  "http://nas.home.arpa",
];
const REFUSED = [
  "http://s3.example.com",
  "http://8.8.8.8",
  "http://172.32.0.1",
  "http://100.128.0.1",
  "http://[2001:db8::1]",
  "https://169.254.169.254",
  "http://169.254.1.1",
  "https://2852039166",
  "https://0xa9fea9fe",
  "https://0.0.0.0",
  "http://0:9000",
  "https://[::]",
  "https://[fe80::1]",
  "https://[fd00:ec2::254]",
  "https://[::ffff:169.254.169.254]",
  "http://[::ffff:127.0.0.1]",
  "https://metadata.google.internal",
  "http://metadata",
  "https://100.100.100.200",
  "https://user@s3.example.com",
  "https://user:secret@s3.example.com",
  "https://s3.example.com/path",
  "https://s3.example.com?a=b",
  "ftp://s3.example.com",
  "file:///etc/passwd",
  "s3.example.com",
  "",
];

Deno.test("parseEndpoint takes https everywhere, http where nobody else listens", () => {
  for (const text of TAKEN) assert.equal(parseEndpoint(text, "loopback").pathname, "/", text);
  for (const text of LOCAL_NETWORK) {
    assert.equal(parseEndpoint(text, "local-network").protocol, "http:", text);
    assert.throws(() => parseEndpoint(text, "loopback"), isUsage, text);
  }
});

Deno.test("parseEndpoint refuses what is no store's address, and repeats no secret", () => {
  for (const text of REFUSED) {
    assert.throws(() => parseEndpoint(text, "local-network"), (error) => {
      assert.ok(isUsage(error), text);
      assert.ok(!String(error).includes("secret"));
      return true;
    }, text);
  }
});

function isUsage(error: unknown): boolean {
  return isClaudeSyncError(error, "usage");
}
