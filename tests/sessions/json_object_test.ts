import assert from "node:assert/strict";
import fc from "fast-check";
import { utf8 } from "../../src/base/bytes.ts";
import {
  JSON_DEPTH_MAX,
  parseJsonObject,
  parseObjectText,
} from "../../src/sessions/json_object.ts";

Deno.test("parseJsonObject gives what JSON.parse gives for objects, and null otherwise", () => {
  fc.assert(fc.property(fc.jsonValue(), (value) => {
    const text = JSON.stringify(value);
    const isObject = typeof value === "object" && value !== null && !Array.isArray(value);
    const parsed = parseJsonObject(utf8(text));
    assert.equal(JSON.stringify(parsed), isObject ? text : "null");
  }));
  fc.assert(fc.property(fc.string(), (text) => void parseObjectText(text)));
});

Deno.test("parseJsonObject gives an object that inherits nothing", () => {
  for (const text of ["{}", '{"__proto__":{"constructor":1}}']) {
    const parsed = parseObjectText(text);
    assert.equal(parsed?.["constructor"], undefined);
    assert.equal(parsed?.["toString"], undefined);
  }
});

Deno.test("parseJsonObject holds its depth limit in arrays and objects alike", () => {
  const nested = (depth: number) => `{"a":${"[".repeat(depth - 1)}${"]".repeat(depth - 1)}}`;
  assert.notEqual(parseObjectText(nested(JSON_DEPTH_MAX)), null);
  assert.equal(parseObjectText(nested(JSON_DEPTH_MAX + 1)), null);
});
