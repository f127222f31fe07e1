/**
 * The gate in front of every store: only bytes that this module has encrypted, or has opened and
 * verified, count as `Sealed`. The brand stops mistakes at compile time; the registry stops casts,
 * copies and later changes at run time.
 */
import { assert } from "../base/assert.ts";
import { type Bytes, equalBytes } from "../base/bytes.ts";
import type { Random } from "../platform/types.ts";
import { encryptObject, type ObjectContext, open } from "./envelope.ts";
import { IV_BYTES } from "./frame.ts";
import { sha256Hex } from "./hash.ts";
import type { Epoch } from "./root_key.ts";
import { selfTestOnce } from "./self_test.ts";

declare const sealedBrand: unique symbol;

/**
 * An encrypted object that may leave this machine. Made by `seal` and `adopt` only; never change
 * its bytes.
 */
export interface Sealed {
  readonly [sealedBrand]: true;
  /** The object name it is bound to. */
  readonly name: string;
  readonly bytes: Bytes;
  /** SHA-256 of `bytes` in hex. */
  readonly sha256: string;
}

interface SealedFacts {
  readonly name: string;
  readonly sha256: string;
}

const registry = new WeakMap<object, SealedFacts>();

/**
 * Encrypts `payload` for the place that `context` names, and opens the result again with keys
 * derived anew before it gives it away. Throws `too-large` when the object would exceed 64 MiB,
 * `bug` when it does not open.
 */
export async function seal(
  epoch: Epoch,
  context: ObjectContext,
  payload: Uint8Array,
  random: Random,
): Promise<Sealed> {
  await selfTestOnce();
  const bytes = await encryptObject(epoch, context, payload, random.bytes(IV_BYTES));
  const reopened = await open(epoch, context, bytes);
  assert(equalBytes(reopened, payload), "a sealed object opens to what was sealed");
  return register(context.name, bytes);
}

/**
 * Takes back bytes that `seal` made before a crash, so that the retry sends the very same ones.
 * Opens and verifies them first; throws `damaged` when they are not an object of this epoch and
 * context.
 */
export async function adopt(epoch: Epoch, context: ObjectContext, bytes: Bytes): Promise<Sealed> {
  await selfTestOnce();
  const own = bytes.slice();
  await open(epoch, context, own);
  return register(context.name, own);
}

/**
 * Throws `bug` unless `value` is one of ours, itself and not a copy, with the bytes it was made
 * with.
 */
export function assertSealed(value: unknown): asserts value is Sealed {
  const facts = typeof value === "object" && value !== null ? registry.get(value) : undefined;
  assert(facts !== undefined, "only sealed objects are stored");
  const sealed = value as Sealed;
  assert(sealed.name === facts.name, "a sealed object keeps its name");
  assert(sha256Hex(sealed.bytes) === facts.sha256, "a sealed object's bytes never change");
}

function register(name: string, bytes: Bytes): Sealed {
  const facts: SealedFacts = { name, sha256: sha256Hex(bytes) };
  const sealed = Object.freeze({ ...facts, bytes }) as Sealed;
  registry.set(sealed, facts);
  return sealed;
}
