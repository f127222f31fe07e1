import { assert } from "../base/assert.ts";
import { parseObjectName } from "./object_name.ts";

/** Throws a `bug` error unless `prefix` is what `list` takes: `""`, or a name followed by `/`. */
export function assertListPrefix(prefix: string): void {
  const valid = prefix === "" ||
    (prefix.endsWith("/") && parseObjectName(prefix.slice(0, -1)) !== null);
  assert(valid, `the list prefix "${prefix}" is empty or a folder's name and a slash`);
}
