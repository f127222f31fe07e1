/**
 * WebCrypto that has its answer at once. The real one works in other threads, whose order is
 * nobody's to say: with it no seed could be replayed. Same algorithms, same bytes, which
 * `sync_crypto_test.ts` compares.
 */
import nodeCrypto, { type KeyObject } from "node:crypto";
import { Buffer } from "node:buffer";

interface Key {
  readonly raw: Uint8Array | null;
  readonly object: KeyObject | null;
  readonly isExtractable: boolean;
  readonly id: string;
}

interface Algorithm {
  readonly name: string;
  readonly iv?: Uint8Array;
  readonly additionalData?: Uint8Array;
  readonly info?: Uint8Array;
}

const TAG_BYTES = 16;
/** Results of the same computation that are kept; the machines of a world ask for the same ones. */
const KEPT_MAX = 4096;

/** Puts this in the place of WebCrypto's functions; gives what takes it back. */
export function installSyncCrypto(): () => void {
  const replaced = { importKey, exportKey, deriveBits, encrypt, decrypt, sign, verify };
  const subtle = crypto.subtle as unknown as Record<string, unknown>;
  for (const [name, value] of Object.entries(replaced)) {
    Object.defineProperty(subtle, name, { value, configurable: true, writable: true });
  }
  return () => {
    for (const name of Object.keys(replaced)) delete subtle[name];
  };
}

class Kept<Value> {
  readonly #values = new Map<string, Value>();

  get(key: string, make: () => Value): Value {
    const known = this.#values.get(key);
    if (known !== undefined) return known;
    if (this.#values.size >= KEPT_MAX) this.#values.clear();
    const value = make();
    this.#values.set(key, value);
    return value;
  }
}

const keptKeys = new Kept<KeyObject>();
const keptBits = new Kept<Uint8Array>();
const keptChecks = new Kept<boolean>();
const keptPlains = new Kept<Uint8Array>();

function latin1(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("latin1");
}

function answer<Value>(make: () => Value): Promise<Value> {
  try {
    return Promise.resolve(make());
  } catch (error) {
    return Promise.reject(error);
  }
}

function importKey(
  format: "raw" | "pkcs8",
  bytes: Uint8Array,
  algorithm: string,
  isExtractable: boolean,
): Promise<Key> {
  return answer(() => {
    const raw = bytes.slice();
    const id = `${format}/${algorithm}/${latin1(raw)}`;
    if (format === "pkcs8") return { raw: null, object: privateKey(raw, id), isExtractable, id };
    if (algorithm !== "Ed25519") return { raw, object: null, isExtractable, id };
    return { raw, object: publicKey(raw, id), isExtractable, id };
  });
}

function privateKey(der: Uint8Array, id: string): KeyObject {
  return keptKeys.get(id, () => {
    return nodeCrypto.createPrivateKey({ key: Buffer.from(der), format: "der", type: "pkcs8" });
  });
}

function publicKey(raw: Uint8Array, id: string): KeyObject {
  return keptKeys.get(id, () => {
    const der = Buffer.concat([Buffer.from("302a300506032b6570032100", "hex"), raw]);
    return nodeCrypto.createPublicKey({ key: der, format: "der", type: "spki" });
  });
}

function exportKey(_format: "jwk", key: Key): Promise<{ x: string }> {
  return answer(() => {
    const object = keptKeys.get(`public/${key.id}`, () => nodeCrypto.createPublicKey(key.object!));
    return object.export({ format: "jwk" }) as { x: string };
  });
}

function deriveBits({ info }: Algorithm, key: Key, bits: number): Promise<ArrayBuffer> {
  return answer(() => {
    const bytes = keptBits.get(`${key.id}/${latin1(info!)}/${bits}`, () => {
      const none = new Uint8Array(0);
      return new Uint8Array(nodeCrypto.hkdfSync("sha256", key.raw!, none, info!, bits / 8));
    });
    return bytes.slice().buffer as ArrayBuffer;
  });
}

function encrypt({ iv, additionalData }: Algorithm, key: Key, plain: Uint8Array) {
  return answer(() => {
    const cipher = nodeCrypto.createCipheriv("aes-256-gcm", key.raw!, iv!);
    cipher.setAAD(additionalData!);
    const parts = [cipher.update(plain), cipher.final(), cipher.getAuthTag()];
    return new Uint8Array(Buffer.concat(parts)).buffer;
  });
}

function decrypt(algorithm: Algorithm, key: Key, sealed: Uint8Array) {
  const { iv, additionalData } = algorithm;
  const id = `${key.id}/${latin1(iv!)}/${latin1(additionalData!)}/${latin1(sealed)}`;
  return answer(() => keptPlains.get(id, () => opened(algorithm, key, sealed)).slice().buffer);
}

function opened({ iv, additionalData }: Algorithm, key: Key, sealed: Uint8Array): Uint8Array {
  const at = sealed.length - TAG_BYTES;
  const decipher = nodeCrypto.createDecipheriv("aes-256-gcm", key.raw!, iv!);
  decipher.setAAD(additionalData!);
  decipher.setAuthTag(sealed.subarray(at));
  try {
    const parts = [decipher.update(sealed.subarray(0, at)), decipher.final()];
    return new Uint8Array(Buffer.concat(parts));
  } catch (cause) {
    throw new DOMException(String(cause), "OperationError");
  }
}

function sign(_algorithm: string, key: Key, bytes: Uint8Array): Promise<ArrayBuffer> {
  return answer(() => new Uint8Array(nodeCrypto.sign(null, bytes, key.object!)).buffer);
}

function verify(_algorithm: string, key: Key, signature: Uint8Array, bytes: Uint8Array) {
  const id = `${key.id}/${latin1(signature)}/${latin1(bytes)}`;
  return answer(() =>
    keptChecks.get(id, () => nodeCrypto.verify(null, bytes, key.object!, signature))
  );
}
