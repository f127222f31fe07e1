/** Writes one file, for a test that watches what the system is asked for. */
import { utf8 } from "../../src/base/bytes.ts";
import { writeFileAtomic } from "../../src/platform/atomic_file.ts";
import { nodeRandom } from "../../src/platform/node.ts";
import { nodeFileSystem } from "../../src/platform/node_fs.ts";

writeFileAtomic(nodeFileSystem(), nodeRandom(), Deno.args[0]!, utf8("content"));
