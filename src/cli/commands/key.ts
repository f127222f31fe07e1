/** `key export`, `key import`, `key fingerprint`. */
import { join } from "node:path";
import { ClaudeSyncError } from "../../errors.ts";
import { fromUtf8 } from "../../base/bytes.ts";
import type { Answer, CommandDeps } from "../answer.ts";
import { askLine, canAsk } from "../ask.ts";
import { terminalText } from "../terminal_text.ts";

/** Far more than a key with blank lines around it. */
const KEY_INPUT_BYTES_MAX = 4096;

/** Prints the key. */
export async function keyExport(deps: CommandDeps): Promise<Answer> {
  if (!deps.flags.json && await deps.world.streams.isTerminal("stdout")) {
    deps.world.streams.err("Whoever sees the key can read everything in the vault.");
    if (!await deps.confirm("Show it on this screen?", "--yes")) {
      return { json: {}, talk: ["The key was not shown."] };
    }
  }
  const { keyText, fingerprint } = await deps.service.keyExport(deps.context);
  return { json: { key: keyText, fingerprint }, data: [keyText] };
}

/** Takes the key from standard input, or from a hidden prompt on a terminal. */
export async function keyImport(deps: CommandDeps): Promise<Answer> {
  const keyText = (await readKey(deps)).trim();
  if (keyText === "") {
    throw new ClaudeSyncError("usage", "Standard input holds no key", {
      hint: "Pipe it in: claude-sync key import < key.txt",
    });
  }
  if (deps.flags.dryRun) {
    return { json: { dryRun: true }, result: ["Would check the key and keep it."] };
  }
  const { outcome, fingerprint, keyFile } = await deps.service.keyImport(deps.context, keyText);
  const where = `${terminalText(fingerprint)}  in ${terminalText(keyFile)}`;
  return {
    json: { outcome, fingerprint, keyFile },
    result: [
      outcome === "imported"
        ? `Key imported  ${where}`
        : `This machine has that key already  ${where}`,
      ...(outcome === "imported" ? [nextStep(deps)] : []),
    ],
  };
}

function nextStep({ context }: CommandDeps): string {
  const isSetUp = context.platform.fs.lstat(join(context.home, "config.json")) !== null;
  return isSetUp ? "Next: claude-sync sync" : "Next: claude-sync help init";
}

async function readKey(deps: CommandDeps): Promise<string> {
  const { streams, signal } = deps.world;
  if (await streams.isTerminal("stdin")) return await askForKey(deps);
  const bytes = await streams.readInput(KEY_INPUT_BYTES_MAX, signal);
  if (bytes === null) {
    throw new ClaudeSyncError("key-malformed", "Standard input is too long for a key");
  }
  try {
    return fromUtf8(bytes);
  } catch (cause) {
    // The cause holds no input.
    throw new ClaudeSyncError("key-malformed", "Standard input is not text", { cause });
  }
}

async function askForKey(deps: CommandDeps): Promise<string> {
  if (!await canAsk(deps.world, deps.flags)) {
    throw new ClaudeSyncError("usage", "The key has to come on standard input", {
      hint: "Pipe it in: claude-sync key import < key.txt",
    });
  }
  return await askLine(deps.world, "Paste the key (nothing is shown):", "hidden");
}

/** Prints the short form that machines can compare. */
export async function keyFingerprint(deps: CommandDeps): Promise<Answer> {
  const { fingerprint, keyFile } = await deps.service.keyFingerprint(deps.context);
  return { json: { fingerprint, keyFile }, data: [terminalText(fingerprint)] };
}
