#!/usr/bin/python3
"""Makes v1-python/, a frozen vault of format 1, from src/vault/FORMAT.md alone.

It shares no code with claude-sync nor with tests/recover.py. Every key in it is fixed and
public: it protects nothing. The vault is v1-python/vault, its key v1-python/key; expected.json
has the text of every file that `recover.py` must get out of it.

    make_v1.py NEW_FOLDER     (compare with git before replacing the frozen one: it is
                               frozen so that later programs prove that they still read it)
"""
import hashlib
import json
import os
import struct
import sys

import zstandard
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

BASE32 = "0123456789abcdefghjkmnpqrstvwxyz"
TIME = 1764000000000


def sha(data):
    return hashlib.sha256(data).digest()


def length_prefixed(*parts):
    return b"".join(len(part).to_bytes(4, "big") + part for part in parts)


def label(text):
    return f"claude-sync/v1/{text}\0".encode("ascii")


def derive(secret, info, size=32):
    return HKDF(SHA256(), size, b"", info).derive(secret)


def base32(data, size):
    number, bits = int.from_bytes(data, "big"), len(data) * 8
    return "".join(BASE32[number >> (bits - 5 * (i + 1)) & 31] for i in range(size))


def padded_size(size):
    exponent, bits = 0, 0
    while 2 ** (exponent + 1) <= size:
        exponent += 1
    while 2 ** bits <= exponent:
        bits += 1
    while size % 2 ** (exponent - bits):
        size += 1
    return max(4096, size)


class Writer:
    """Seals objects for one vault and keeps them in `objects`."""

    def __init__(self, root_key, vault_id):
        self.vault_id, self.objects = vault_id, {}
        self.kid = derive(root_key, label("key-id"), 16)
        self.object_key = derive(derive(root_key, label("epoch-data")), label("object"))
        self.objects["claude-sync.json"] = (json.dumps(
            {"format": 1, "vaultId": vault_id.hex(), "kid": self.kid.hex()},
            separators=(",", ":")) + "\n").encode("ascii")

    def seal(self, kind, name, payload, spoil=None):
        context = b"claude-sync/v1\0" + length_prefixed(
            kind.encode("ascii"), self.vault_id, self.kid, name.encode("ascii"))
        keys = derive(self.object_key, label("object-key") + context, 64)
        frame = bytearray(keys[32:] + b"CSO1" + bytes([1, 0, 0, 0])
                          + struct.pack(">QQ", len(payload), len(payload)) + payload)
        frame += bytes(padded_size(28 + len(frame)) - 28 - len(frame))
        if spoil:
            frame = bytearray(spoil(frame))
        iv = sha(b"fixed iv" + name.encode("ascii"))[:12]
        box = AESGCM(keys[:32]).encrypt(iv, bytes(frame), context)
        self.objects[name] = iv + box[-16:] + box[:-16]
        return self.objects[name]

    def save(self, folder):
        for name, data in self.objects.items():
            path = os.path.join(folder, *name.split("/"))
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "xb") as file:
                file.write(data)


class Machine:
    """One machine with its log. Operations are collected, then `commit` writes an entry."""

    def __init__(self, writer, seed, name):
        self.writer, self.name = writer, name
        self.signer = Ed25519PrivateKey.from_private_bytes(derive(seed, label("machine-sign")))
        kem = X25519PrivateKey.from_private_bytes(derive(seed, label("machine-kem")))
        self.public = [key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
                       for key in (self.signer, kem)]
        self.id = sha(label("machine-id") + b"".join(self.public))[:16].hex()
        self.tag = base32(sha(b"tag" + seed)[:10], 16)
        self.seq, self.prev, self.heads = 0, "0" * 64, {}
        self.ops, self.packs, self.pack, self.inline = [{
            "op": "enrol", "sign": self.public[0].hex(), "kem": self.public[1].hex(),
            "name": name, "os": "linux"}], [], None, b""

    def new_pack(self):
        self.end_pack()
        self.pack = b""

    def end_pack(self):
        if self.pack is not None:
            random = base32(sha(self.id.encode() + bytes([self.seq, len(self.packs)]))[:20], 32)
            name = f"packs/{random[:2]}/{random[2:]}"
            data = self.writer.seal("pack", name, self.pack)
            self.packs.append({"name": name, "size": len(data), "sha256": sha(data).hex()})
            self.pack = None

    def add(self, session, segments, project=None, gens=(), comp="zstd", **changes):
        """One group of segments, each (file, gen, bytes before, new bytes)."""
        raw = b"".join(segment[3] for segment in segments)
        stored = raw if comp == "none" else zstandard.ZstdCompressor(level=3).compress(raw)
        inside = -1 if self.pack is None else len(self.packs)
        at = len(self.inline if self.pack is None else self.pack)
        if self.pack is None:
            self.inline += stored
        else:
            self.pack += stored
        group = {"in": inside, "at": at, "stored": len(stored), "raw": len(raw), "comp": comp,
                 "segments": [{"file": file, "gen": gen, "off": len(before), "len": len(new),
                               "parent": sha(before).hex(), "hash": sha(before + new).hex(),
                               "mtime": TIME + 60000 * self.seq + len(before)}
                              for file, gen, before, new in segments]}
        group.update(changes)
        self.ops.append({"op": "add", "session": session, "project": project,
                         "gens": list(gens), "groups": [group]})

    def commit(self, signer=None, **changes):
        self.end_pack()
        self.seq += 1
        body = {"v": 1, "machine": self.id, "tag": self.tag, "seq": self.seq, "prev": self.prev,
                "kid": self.writer.kid.hex(), "time": TIME + 60000 * self.seq,
                "heads": self.heads,
                "inline": {"size": len(self.inline), "sha256": sha(self.inline).hex()},
                "packs": self.packs, "ops": self.ops}
        body.update(changes)
        text = json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()
        signature = (signer or self.signer).sign(
            label("log-entry") + length_prefixed(self.writer.vault_id) + text)
        small = zstandard.ZstdCompressor(level=3).compress(text)
        entry_hash = sha(label("log-hash") + length_prefixed(text) + signature).hex()
        name = f"log/{self.tag}/{self.seq:012}.{entry_hash[:8]}"
        self.writer.seal("log", name, struct.pack(">II", len(small), len(text)) + small
                         + signature + self.inline)
        self.prev, self.ops, self.packs, self.inline = entry_hash, [], [], b""
        return name

    def has_read(self, *others):
        self.heads = {other.id: {"seq": other.seq, "hash": other.prev} for other in others}


def generation(file, old_gen, old_bytes):
    """(new name, declaration) of the generation that replaces a state."""
    parts = length_prefixed(old_gen.encode("ascii"), sha(old_bytes))
    name = sha(label("generation") + parts)[:16].hex()
    return name, {"file": file, "gen": name,
                  "from": {"gen": old_gen, "hash": sha(old_bytes).hex()}}


def record(number, text):
    return json.dumps({"type": "user", "uuid": f"00000000-0000-4000-8000-{number:012}",
                       "message": {"role": "user", "content": text}},
                      ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


def make():
    """The vault's objects and, by path, what every recovered file must be."""
    writer = Writer(bytes(range(32)), b"\xaa" * 16)
    laptop = Machine(writer, b"\1" * 32, "laptop")
    desk = Machine(writer, b"\2" * 32, "desk – büro")
    plain = "11111111-1111-4111-8111-111111111111"
    forked = "22222222-2222-4222-8222-222222222222"
    git = {"kind": "git", "remote": "github.com/acme/app", "sub": ""}
    home = {"kind": "home", "path": "code/ünï"}
    one, two, three = (record(n, "hello " * n) for n in (1, 2, 3))

    laptop.commit()  # only enrols
    laptop.new_pack()
    laptop.add(plain, [("transcript", "", b"", one),
                       ("side/subagents/agent-a1.jsonl", "", b"", two)], git)
    laptop.add(forked, [("transcript", "", b"", one)], home)
    laptop.commit()

    desk.has_read(laptop)
    desk.add(forked, [("transcript", "", one, two)], home)
    desk.commit()  # enrols and adds inline

    laptop.add(forked, [("transcript", "", one, three)], home)
    laptop.add(plain, [("transcript", "", one, two + three)], git)
    draft, final = b"[1,2,3]", b"[1,2]"
    todos, shown = "todos/@-agent-@.json", f"todos/{plain}-agent-{plain}.json"
    laptop.add(plain, [(todos, "", b"", draft)], git, comp="none")
    laptop.add(plain, [("file-history/0123456789abcdef@v1", "", b"", b"")], git, comp="none")
    laptop.commit()

    desk.has_read(laptop)
    gen, declared = generation(todos, "", draft)
    desk.add(plain, [(todos, gen, b"", final)], git, gens=[declared])
    # The same bytes as the laptop's, cut at another place: states meet again.
    desk.add(plain, [("transcript", "", one, two), ("transcript", "", one + two, three)], git)
    desk.add(plain, [("tasks/ünïcode.json", "", b"", "{\"täsk\":1}\n".encode())], None)
    desk.new_pack()
    desk.add(plain, [("legacy/agent-0a1b2c3d.jsonl", "", b"", record(9, "old ") * 50)], git)
    desk.commit()

    other = one + two
    return writer, {
        f"{plain}/{plain}.jsonl": one + two + three,
        f"{plain}/side/subagents/agent-a1.jsonl": two,
        f"{plain}/{shown}": final,
        f"{plain}/{shown}.gen-{sha(draft).hex()[:8]}": draft,
        f"{plain}/file-history/0123456789abcdef@v1": b"",
        f"{plain}/tasks/ünïcode.json": "{\"täsk\":1}\n".encode(),
        f"{plain}/legacy/agent-0a1b2c3d.jsonl": record(9, "old ") * 50,
        f"{forked}/{forked}.jsonl": one + three,
        f"{forked}/{forked}.jsonl.leaf-{sha(other).hex()[:8]}": other,
    }


def main(folder):
    writer, expected = make()
    writer.save(os.path.join(folder, "vault"))
    with open(os.path.join(folder, "expected.json"), "x", encoding="utf-8") as file:
        texts = {path: data.decode() for path, data in expected.items()}
        json.dump(texts, file, ensure_ascii=False, indent=1)
        file.write("\n")
    with open(os.path.join(folder, "key"), "xb") as file:
        file.write(bytes(range(32)).hex().encode() + b"\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
