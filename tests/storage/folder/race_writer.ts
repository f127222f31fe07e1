/**
 * A process that puts objects as fast as it can; `folder_process_test.ts` starts several at once.
 */
import process from "node:process";
import { utf8 } from "../../../src/base/bytes.ts";
import { nodePlatform } from "../../../src/platform/node.ts";
import { openFolderStore } from "../../../src/storage/folder/store.ts";
import { objectName } from "../../../src/storage/object_name.ts";

const [root = "", writer = "", count = "0"] = process.argv.slice(2);
const store = openFolderStore(root, { ...nodePlatform(), create: true });
const outcomes: string[] = [];
for (let i = 0; i < Number(count); i++) {
  outcomes.push(await store.put(objectName(`race/${i >> 3}/${i}`), utf8(`${writer} wrote ${i}`)));
}
console.log(JSON.stringify(outcomes));
