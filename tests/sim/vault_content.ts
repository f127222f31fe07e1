/** Everything that a machine can still read out of the vault, of every state there ever was. */
import { Buffer } from "node:buffer";
import { fileKind, parseFileName } from "../../src/sessions/file_name.ts";
import type { SyncContext } from "../../src/sync/api.ts";
import { refresh } from "../../src/sync/refresh.ts";
import { withVault } from "../../src/sync/vault_access.ts";
import { chainBytes } from "../../src/sync/vault_content.ts";
import { Sha256, sha256Hex } from "../../src/crypto/hash.ts";
import { marksIn } from "./book.ts";
import { stateKey } from "./file_tree.ts";
import type { Past } from "./past.ts";

/** What is in a vault. */
export interface VaultContent {
  /** Lines of files that grow by lines, each with its end. */
  readonly lines: ReadonlySet<string>;
  /** Contents of files that are written as a whole. */
  readonly wholes: ReadonlySet<string>;
  readonly marks: ReadonlySet<string>;
}

/**
 * Reads it. Throws when a state cannot be put together, unless it is forgotten, or is not what its
 * hash says.
 */
export function readVault(context: SyncContext, past: Past): Promise<VaultContent> {
  return withVault(context, async (vault) => {
    await refresh(vault);
    const lines = new Set<string>();
    const wholes = new Set<string>();
    const marks = new Set<string>();
    const files = vault.database.prepare("SELECT DISTINCT session, file FROM segment").all() as {
      session: string;
      file: string;
    }[];
    for (const { session, file } of files) {
      for (const state of vault.index.states(session, file)) {
        // What is continued is in what continues it.
        if (vault.index.hasChildren(session, file, state)) continue;
        const chain = vault.index.chain(session, file, state);
        if (chain === null && past.isForgottenState(session, file, stateKey(state))) continue;
        if (chain === null) throw new Error(`No chain to ${session}/${file} ${state.hash}`);
        const parts: Uint8Array[] = [];
        for await (const bytes of chainBytes(vault, chain, 0, new Sha256())) parts.push(bytes);
        const bytes = Buffer.concat(parts);
        if (sha256Hex(new Uint8Array(bytes)) !== state.hash) throw new Error("Not the hash");
        const content = bytes.toString("latin1");
        for (const mark of marksIn(content)) marks.add(mark);
        if (fileKind(parseFileName(file)!) === "whole") wholes.add(content);
        else for (const line of content.split(/(?<=\n)/)) lines.add(line);
      }
    }
    return { lines, wholes, marks };
  });
}
