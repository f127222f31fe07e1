/**
 * A member of the vault who lies: he has the right key and an identity of his own, and puts into
 * the store whatever he likes. What the product's encoders refuse to make, this makes.
 */
import { readFileSync } from "node:fs";
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { randomBytes } from "node:crypto";
import { type Bytes, concat, toHex, u32be, utf8 } from "../../src/base/bytes.ts";
import { encryptObject, type ObjectType } from "../../src/crypto/envelope.ts";
import { EMPTY_SHA256_HEX, sha256, sha256Hex } from "../../src/crypto/hash.ts";
import { label, lengthPrefixed } from "../../src/crypto/label.ts";
import type { MachineIdentity } from "../../src/crypto/machine_identity.ts";
import { machineIdentityFromSeed } from "../../src/crypto/machine_identity.ts";
import { deriveEpoch, type Epoch, parseKeyText } from "../../src/crypto/root_key.ts";
import { rootKeyFromBytes } from "../../src/crypto/root_key.ts";
import { Secret } from "../../src/base/secret.ts";
import { syncService } from "../../src/sync/service.ts";
import { decodeHeader } from "../../src/vault/header.ts";
import { zstdCompress } from "../../src/vault/zstd_frame.ts";
import type { SyncMachine } from "../support/sync_machine.ts";

/** A value of JSON, or anything that a liar writes in its place. */
export type Loose = Record<string, unknown>;

/** An `add` op and the stored bytes of its groups, which travel inside the entry. */
export interface LooseAdd {
  readonly op: Loose;
  readonly inline: Bytes;
}

/** Writes into the folder vault of `machine`. */
export class HostileMember {
  readonly vaultDir: string;
  readonly identity: MachineIdentity;
  tag: string;
  readonly #epoch: Epoch;
  readonly #vaultId: Bytes;
  #seq = 0;
  #prev = "0".repeat(64);

  constructor(
    vaultDir: string,
    epoch: Epoch,
    vaultId: Bytes,
    identity: MachineIdentity,
  ) {
    this.vaultDir = vaultDir;
    this.#epoch = epoch;
    this.#vaultId = vaultId;
    this.identity = identity;
    this.tag = [...randomBytes(16)].map((byte) => "0123456789abcdef"[byte % 16]).join("");
  }

  /** Joins the vault that `machine` uses, with its key. */
  static async join(machine: SyncMachine): Promise<HostileMember> {
    const { keyText } = await syncService.keyExport(machine.context());
    const epoch = await deriveEpoch(rootKeyFromBytes(parseKeyText(keyText)!));
    const header = readFileSync(join(machine.vaultDir, "claude-sync.json"));
    const { vaultId } = decodeHeader(new Uint8Array(header));
    const seed = new Secret(new Uint8Array(randomBytes(32)));
    return new HostileMember(
      machine.vaultDir,
      epoch,
      vaultId,
      await machineIdentityFromSeed(seed),
    );
  }

  /** What his entries say of the log's beginning; nothing while it is entry 1. */
  base: number | undefined;

  /** Hash of his newest entry. */
  get newest(): string {
    return this.#prev;
  }

  /** Another one with the same identity and log, who goes on by himself from here. */
  clone(): HostileMember {
    const clone = new HostileMember(this.vaultDir, this.#epoch, this.#vaultId, this.identity);
    clone.tag = this.tag;
    [clone.#seq, clone.#prev, clone.base] = [this.#seq, this.#prev, this.base];
    return clone;
  }

  /** Begins his log anew. */
  rewind(): void {
    [this.#seq, this.#prev] = [0, "0".repeat(64)];
  }

  /** `enrol` of his own identity. */
  enrol(name = "mallory"): Loose {
    const { signPublic, kemPublic } = this.identity;
    return { op: "enrol", sign: toHex(signPublic), kem: toHex(kemPublic), name, os: "linux" };
  }

  /** Body of his next entry, with `over` in place of what would be true. */
  body(ops: readonly unknown[], inline: Bytes, over: Loose = {}): Loose {
    return {
      v: 1,
      machine: this.identity.id,
      tag: this.tag,
      seq: this.#seq + 1,
      prev: this.#prev,
      kid: this.#epoch.kidHex,
      time: 1_764_000_000_000,
      ...(this.base === undefined ? {} : { base: this.base }),
      heads: {},
      inline: { size: inline.length, sha256: sha256Hex(inline) },
      packs: [],
      ops: this.#seq === 0 ? [this.enrol(), ...ops] : ops,
      ...over,
    };
  }

  /** Signs, seals and puts an entry; gives its name. */
  async put(
    body: Loose,
    inline: Bytes = new Uint8Array(0),
    lies: { bodyBytes?: Bytes; stored?: Bytes; rawLength?: number; tag?: string } = {},
  ): Promise<string> {
    const bodyBytes = lies.bodyBytes ?? utf8(JSON.stringify(body));
    const signature = await this.identity.sign(
      concat(label("log-entry"), lengthPrefixed(this.#vaultId), bodyBytes),
    );
    const stored = lies.stored ?? zstdCompress(bodyBytes);
    const lengths = concat(u32be(stored.length), u32be(lies.rawLength ?? bodyBytes.length));
    const hash = toHex(sha256(concat(label("log-hash"), lengthPrefixed(bodyBytes), signature)));
    const seq = this.#seq + 1;
    const number = String(body["seq"] ?? seq).padStart(12, "0");
    const name = `log/${lies.tag ?? this.tag}/${number}.${hash.slice(0, 8)}`;
    await this.seal("log", name, concat(lengths, stored, signature, inline));
    [this.#seq, this.#prev] = [seq, hash];
    return name;
  }

  /** Puts an entry with these adds, honest but for what they say. */
  async add(...adds: readonly LooseAdd[]): Promise<string> {
    const inline = concat(...adds.map((each) => each.inline));
    return await this.put(this.body(adds.map(({ op }) => op), inline), inline);
  }

  /** Puts a sealed object of any payload; gives its bytes. */
  async seal(type: ObjectType, name: string, payload: Bytes): Promise<Bytes> {
    const iv = new Uint8Array(randomBytes(12));
    const context = { type, vaultId: this.#vaultId, name };
    const sealed = await encryptObject(this.#epoch, context, payload, iv);
    const path = join(this.vaultDir, name);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, sealed);
    return sealed;
  }
}

/** A segment that tells the truth about `bytes` as a whole file, with `over` in its place. */
export function segmentOf(file: string, bytes: Bytes, over: Loose = {}): Loose {
  return {
    file,
    gen: "",
    off: 0,
    len: bytes.length,
    parent: EMPTY_SHA256_HEX,
    hash: sha256Hex(bytes),
    mtime: Date.now() - 3_600_000,
    ...over,
  };
}

/**
 * An add of whole files, one group each. `over` replaces members of the op; `groupOver` those of
 * each group.
 */
export function addOf(
  session: string,
  files: Readonly<Record<string, string>>,
  over: Loose = {},
  groupOver: Loose = {},
): LooseAdd {
  const parts: Bytes[] = [];
  const groups = Object.entries(files).map(([file, text]) => {
    const bytes = utf8(text);
    const at = parts.reduce((sum, part) => sum + part.length, 0);
    parts.push(bytes);
    const segments = [segmentOf(file, bytes)];
    const { length } = bytes;
    return { in: -1, at, stored: length, raw: length, comp: "none", segments, ...groupOver };
  });
  const op = { op: "add", session, project: HOME_PROJECT, gens: [], groups, ...over };
  return { op, inline: concat(...parts) };
}

/** The project of `SyncMachine`'s only folder. */
const HOME_PROJECT = { kind: "home", path: "code/app" } as const;
