/** Gets the key pair that `--save-credentials` keeps. */
import { fromUtf8 } from "../base/bytes.ts";
import { ClaudeSyncError } from "../errors.ts";
import { parseKeyPair } from "../sync/saved_keys.ts";
import type { KeyPair } from "../sync/store_api.ts";
import type { CommandDeps } from "./answer.ts";
import { askLine, canAsk } from "./ask.ts";

/** More than two lines of the longest keys. */
const INPUT_BYTES_MAX = 8192;

/**
 * The environment's keys when it holds a pair; else asks on a terminal; else reads two lines from
 * standard input, the id and the secret. Errors: `usage`, `interrupted`.
 */
export async function askKeyPair(deps: CommandDeps): Promise<KeyPair> {
  const { platform: { host }, streams } = deps.world;
  const id = host.env("AWS_ACCESS_KEY_ID");
  const secret = host.env("AWS_SECRET_ACCESS_KEY");
  if (id !== undefined && secret !== undefined) {
    if (host.env("AWS_SESSION_TOKEN") === undefined) return checked(id, secret);
    throw wrong(
      "The keys in the environment are temporary and cannot be kept",
      "Unset AWS_SESSION_TOKEN and the keys beside it, and give keys that last",
    );
  }
  if (await streams.isTerminal("stdin")) return await askOnTerminal(deps);
  const [typedId = "", typedSecret = "", more = ""] = await inputLines(deps);
  if (more !== "") throw wrong("Standard input holds more than a key pair", TWO_LINES);
  if (typedId === "" || typedSecret === "") {
    throw wrong("There is no key pair to keep", TWO_LINES);
  }
  return checked(typedId, typedSecret);
}

const TWO_LINES = "Give the access key's id and its secret on two lines of standard input, or in " +
  "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY";

async function inputLines(deps: CommandDeps): Promise<string[]> {
  const bytes = await deps.world.streams.readInput(INPUT_BYTES_MAX, deps.world.signal);
  if (bytes === null) throw wrong("Standard input is too long for a key pair", TWO_LINES);
  try {
    return fromUtf8(bytes).split("\n").map((line) => line.trim()).filter((line) => line !== "");
  } catch {
    // Without its cause: what was read may be a secret.
    throw wrong("Standard input is not text", TWO_LINES);
  }
}

async function askOnTerminal(deps: CommandDeps): Promise<KeyPair> {
  const { world, flags } = deps;
  if (!await canAsk(world, flags)) throw wrong("The key pair cannot be asked", TWO_LINES);
  const id = await askLine(world, "Access key id:");
  return checked(id, await askLine(world, "Secret access key (nothing is shown):", "hidden"));
}

function checked(id: string, secret: string): KeyPair {
  const pair = parseKeyPair(id, secret);
  if (pair !== null) return pair;
  throw wrong("This is not a key pair", "Both parts are printable letters, digits and signs");
}

function wrong(message: string, hint: string): ClaudeSyncError {
  return new ClaudeSyncError("usage", message, { hint });
}
