import assert from "node:assert/strict";
import { parseSessionId } from "../../src/sessions/session_id.ts";

const ID = "d4681682-8ee9-4d50-b4b8-1ee8b5a3d638";

Deno.test("parseSessionId accepts a lower-case UUID", () => {
  assert.equal(parseSessionId(ID), ID);
});

Deno.test("parseSessionId refuses everything else", () => {
  const bad = [
    "",
    ID.toUpperCase(),
    `${ID}\n`,
    ` ${ID}`,
    ID.slice(1),
    `${ID}0`,
    ID.replaceAll("-", ""),
    ID.replace("d", "g"),
    `../${ID}`,
    "--file",
    `{${ID}}`,
  ];
  for (const text of bad) assert.equal(parseSessionId(text), null, JSON.stringify(text));
});
