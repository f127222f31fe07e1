import assert from "node:assert/strict";
import { TRANSCRIPT } from "../../src/sessions/file_name.ts";
import { refresh } from "../../src/sync/refresh.ts";
import { withVault } from "../../src/sync/vault_access.ts";
import { SegmentReader } from "../../src/vault/segment_reader.ts";
import { speak } from "../support/forget_world.ts";
import { inTempDir, type SyncMachine } from "../support/sync_machine.ts";
import { newWorld } from "../support/sync_world.ts";

const ID = "11111111-1111-4111-8111-111111111111";

Deno.test("a segment in an entry is read only when the log's machine has signed it", () =>
  inTempDir(async (dir) => {
    const [anna, bert] = (await newWorld(dir)).machines as [SyncMachine, SyncMachine];
    for (const machine of [anna, bert]) {
      speak(machine, ID, `of ${machine.name}`);
      await machine.push();
    }
    await withVault(bert.context(), async (vault) => {
      await refresh(vault);
      const { index, opener } = vault;
      const [one, other] = index.machines();
      const [leaf] = index.leaves(ID, TRANSCRIPT).filter(({ machine }) => machine === one!.id);
      const [segment] = index.chain(ID, TRANSCRIPT, leaf!)!;
      assert.equal(segment!.objectSha256, null, "it is in the entry itself");
      const read = (sign: string | null) => new SegmentReader(opener, () => sign).read(segment!);
      assert.equal((await read(one!.sign)).length, segment!.len);
      for (const sign of [other!.sign, "0".repeat(64), null]) {
        await assert.rejects(read(sign), { code: "damaged" });
      }
    });
  }));
