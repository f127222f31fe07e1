import assert from "node:assert/strict";
import { inspect } from "node:util";
import { utf8 } from "../../src/base/bytes.ts";
import { Secret, SecretText } from "../../src/base/secret.ts";

Deno.test("Secret and SecretText show nothing of themselves", () => {
  for (const secret of [new Secret(utf8("hunter2")), new SecretText("hunter2")]) {
    const shown = [
      `${secret}`,
      String(secret),
      JSON.stringify({ secret }),
      inspect(secret, { showHidden: true, depth: 9 }),
      inspect({ in: [secret] }),
      Object.keys(secret).join(),
    ];
    for (const text of shown) {
      assert.doesNotMatch(text, /hunter2|104/);
    }
    assert.match(shown[0]!, /^\[secret\]$/);
  }
  assert.equal(new SecretText("hunter2").dangerouslyReveal(), "hunter2");
  assert.deepEqual(new Secret(utf8("hunter2")).dangerouslyReveal(), utf8("hunter2"));
});
