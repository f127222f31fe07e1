#!/usr/bin/python3
"""Gets every file out of a claude-sync vault, with nothing but a copy of it and its key.

    recover.py VAULT_DIR KEY_FILE OUT_DIR [VAULT_ID]

VAULT_DIR has claude-sync.json and is only read. If that file is lost, give the vaultId that
`claude-sync status --json` shows. KEY_FILE has the key raw, as base64 or as hex; - is standard
input. OUT_DIR is a new folder: files go to <session>/, and beside them .leaf- (other branches),
.gen- (replaced later) and .rest- (left behind a loss, so that no hash can prove it). problem-7 is
what could not get its name, or its end. Exit status: 0 all is well, 1 problems, 2 nothing was done.

It shares no code with claude-sync and was written from src/vault/FORMAT.md, whose sections are
named below. Signatures and padding are not checked: whoever has the key can make them.
"""
import base64
import contextlib
import functools
import json
import os
import re
import sys
from collections import defaultdict, namedtuple
from hashlib import sha256
from pathlib import Path

import zstandard  # apt-get install python3-zstandard
from cryptography.hazmat.primitives.ciphers.aead import AESGCM  # ... python3-cryptography
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

MIB = 1024 * 1024
OPS = {"enrol", "add", "checkpoint", "retire", "forget", "recall"}  # section 7
LOG_NAME = re.compile(r"log/[0-9a-hjkmnp-tv-z]{16}/(?!0{12})[0-9]{12}\.[0-9a-f]{8}")
UNSAFE = re.compile(r"^problem-|(^|/)(\.git)?(/|\Z)|[. ](/|\Z)|[\\:\0-\x1f\x7f-\x9f]", re.I)
Piece = namedtuple("Piece", "entry group at to end mtime")  # a segment

def need(condition, otherwise):
    """Goes on only if the condition holds."""
    if not condition:
        raise ValueError(otherwise)

def hkdf(secret, label, context=b"", size=32):
    """Section 1: HKDF(secret, label(label) || context, size)."""
    info = b"claude-sync/v1/" + label.encode() + b"\0" + context
    return HKDF(SHA256(), size, None, info).derive(secret)

@functools.lru_cache(maxsize=2)
def expand(comp, stored, raw, limit=4 * MIB):
    """Section 6: the `raw` bytes that were compressed; a bomb gives no more than these."""
    need(comp in ("zstd", "none") and 0 <= raw <= limit, "unknown compression, or too large")
    if comp == "zstd":
        stored = zstandard.ZstdDecompressor().stream_reader(stored).read(raw + 1)
    need(len(stored) == raw, "decompressed length differs")
    return stored

def parse_key(data):
    """Section 4: the root key, from the content of a key file."""
    text = b"".join(data.split()).translate(bytes.maketrans(b"-_", b"+/"))
    if re.fullmatch(rb"[0-9a-fA-F]{64}", text):
        return bytes.fromhex(text.decode())
    if re.fullmatch(rb"[A-Za-z0-9+/]{43}=?", text):
        return base64.b64decode(text[:43] + b"=")
    need(len(data) == 32, "there is no key in the key file")
    return data

class Vault:
    """A folder with a vault, the keys to it, and what its log says."""

    def __init__(self, folder, root_key, vault_id=None):
        """Sections 3 and 4: derives the keys, which must be those of the header."""
        self.folder, self.problems = Path(folder), 0
        self.known, self.named, self.covered = set(), set(), set()  # (machine, number, hash8)
        self.files = defaultdict(lambda: defaultdict(list))  # {(session, file): {state: [Piece]}}
        self.replaced = set()  # (session, file, gen, hash) that a newer generation replaces
        self.kid = hkdf(root_key, "key-id", size=16)
        self.secret = hkdf(hkdf(root_key, "epoch-data"), "object")
        if vault_id is None:
            header = json.loads((self.folder / "claude-sync.json").read_bytes())
            need(header["format"] == 1, "the vault has another format: get a newer recover.py")
            need(header["kid"] == self.kid.hex(), "this key is not the vault's")
            vault_id = header["vaultId"]
        self.vault_id = bytes.fromhex(vault_id)

    @contextlib.contextmanager
    def noting(self, where):
        """Within it, a problem is reported, the rest of the block skipped, and work goes on."""
        try:
            yield
        except Exception as error:  # nobody can list what a hostile vault makes fail
            self.problems += 1
            what = str(error) or "damaged, or made with another key"  # InvalidTag has no text
            print(ascii(f"problem {self.problems}: {where}: {type(error).__name__}: {what}")[1:-1],
                  file=sys.stderr)

    @functools.lru_cache(maxsize=2)
    def open(self, kind, name):
        """Section 5: the payload of a sealed object."""
        path = self.folder / name
        need(path.is_file() and 4096 <= path.stat().st_size <= 64 * MIB, "lost, too short or long")
        data, context = path.read_bytes(), b"claude-sync/v1\0"
        for part in (kind.encode(), self.vault_id, self.kid, name.encode()):
            context += len(part).to_bytes(4, "big") + part
        okm = hkdf(self.secret, "object-key", context, 64)
        frame = AESGCM(okm[:32]).decrypt(data[:12], data[28:] + data[12:28], context)
        end = 56 + int.from_bytes(frame[40:48], "big")
        need(frame[:40] == okm[32:] + b"CSO1\x01\0\0\0", "it is of another key or version")
        return frame[56:end]

    def read_log(self):
        """Section 11: takes in every entry, and says which are missing that others name."""
        for folder in sorted(filter(os.path.isdir, self.folder.glob("log/*"))):
            with self.noting(f"log/{folder.name}"):
                for name in sorted(f"log/{folder.name}/{name}" for name in os.listdir(folder)):
                    if LOG_NAME.fullmatch(name):
                        with self.noting(name):
                            self.read_entry(name)
        for machine, number, hash8 in self.named - self.known - self.covered:
            with self.noting("log"):
                need(False, f"entry {number}.{hash8} of machine {machine} is missing or damaged")
        with self.noting("log"):
            need(self.known, "no entry can be used; if the header is damaged, give VAULT_ID")

    def read_entry(self, name):
        """Sections 7 and 12: takes in what an entry says of files and of other entries."""
        payload = self.open("log", name)
        inline = 8 + int.from_bytes(payload[:4], "big") + 64
        raw = int.from_bytes(payload[4:8], "big")
        body = json.loads(expand("zstd", payload[8:inline - 64], raw, 16 * MIB))
        need(body["v"] == 1, "written by a newer program: get a newer recover.py")
        machine, number, ops = body["machine"], body["seq"], body["ops"]
        entry = (machine, number, name[-8:])
        self.known |= {entry, (machine, 0, "0" * 8)}
        self.named |= {(machine, number - 1, body["prev"][:8])}
        self.named |= {(other, it["seq"], it["hash"][:8]) for other, it in body["heads"].items()}
        objects = [("pack", pack["name"], 0) for pack in body["packs"]] + [("log", name, inline)]
        for op in ops:
            for covered, hashes in enumerate(op.get("covered", ()), 1):
                of = op.get("machine", machine)
                self.covered |= {(of, covered, hash8) for hash8 in re.findall(".{8}", hashes)}
            if op["op"] == "add":
                self.add(op, entry, objects)
        need({op["op"] for op in ops} <= OPS, "it needs a newer recover.py")

    def add(self, op, entry, objects):
        """Section 7: takes in an `add`; number -1 of the objects is the entry itself."""
        for item in op["groups"]:
            kind, name, base = objects[item["in"]]
            group = (kind, name, base + item["at"], item["stored"], item["comp"], item["raw"])
            at = 0
            for segment in item["segments"]:
                gen, off, size, mtime = (segment[key] for key in ("gen", "off", "len", "mtime"))
                parent, hash_ = (bytes.fromhex(segment[key]) for key in ("parent", "hash"))
                piece = Piece(entry, group, at, at + size, (gen, hash_, off + size), mtime / 1000)
                self.files[str(op["session"]), str(segment["file"])][gen, parent, off].append(piece)
                at += size
        for new in op["gens"]:
            gen, hash_ = new["from"]["gen"], bytes.fromhex(new["from"]["hash"])
            self.replaced.add((op["session"], new["file"], gen, hash_))

    def bytes_of(self, piece):
        """Sections 6 and 7: the bytes of a segment."""
        kind, name, at, stored, comp, raw = piece.group
        return expand(comp, self.open(kind, name)[at:at + stored], raw)[piece.at:piece.to]

    def recover_file(self, out, session, file):
        """Section 8: writes every leaf of a file, the newest at its name, the others beside it."""
        name = f"{session}.jsonl" if file == "transcript" else file
        path = f"{session}/{name.replace('@', session) if name.startswith('todos/') else name}"
        starts, ends = self.files[session, file], {}  # ends: {state: (pieces up to it, digest)}
        for state in sorted(starts, key=lambda state: state[2]):
            # What is left behind a loss has no digest: nobody can tell the hash of the whole.
            way, digest = ends.get(state, ([], None if state[2] else sha256()))
            for piece in sorted(starts[state], key=lambda piece: piece.end[2]):
                if piece.entry in self.covered:
                    continue  # section 12: later entries say it again, and its packs may be gone
                with self.noting(f"{path}, {state[2]} to {piece.end[2]}, in {piece.group[1]}"):
                    data, grown = self.bytes_of(piece), digest and digest.copy()
                    if grown:
                        grown.update(data)
                        need(grown.digest() == piece.end[1], "their hash differs")
                    ends.pop(state, None)
                    if grown or piece.end not in ends:
                        ends[piece.end] = (way + [piece], grown)
        leaves, written = [], set()
        for (gen, hash_, _), (way, digest) in ends.items():
            is_replaced = (session, file, gen, hash_) in self.replaced
            leaves.append((digest is None, is_replaced, -way[-1].mtime, hash_.hex(), way))
        for is_rest, is_replaced, _, hash_, way in sorted(leaves):
            kind = "rest" if is_rest else "gen" if is_replaced else "leaf" if written else ""
            if hash_ not in written:
                self.write(out, f"{path}.{kind}-{hash_[:8]}" if kind else path, way)
            with self.noting(path):
                need(not is_rest, "its beginning is lost, the rest is beside it, unverified")
                written.add(hash_)  # what several generations came back to is written once

    def write(self, out, path, pieces):
        """Writes a file, which gets its name when it is whole, if it can have it here."""
        unnamed = out / f"problem-{self.problems + 1}"
        with open(unnamed, "wb") as file:
            for piece in pieces:
                file.write(self.bytes_of(piece))
        os.utime(unnamed, (pieces[-1].mtime,) * 2)
        with self.noting(f"{path}, which is {unnamed.name}"):
            need(not UNSAFE.search(path), "this name is not safe")
            need(not os.path.lexists(out / path), "another file has this name")
            os.makedirs((out / path).parent, exist_ok=True)
            os.rename(unnamed, out / path)

def main(arguments):
    """Recovers what it can; gives the exit status."""
    os.umask(0o077)  # conversations are private
    try:
        vault_dir, key_file, out_dir, *vault_id = arguments
        folder, out = Path(vault_dir).resolve(), Path(out_dir).resolve()
        need(not out.is_relative_to(folder), "OUT_DIR is inside the vault")
        with open(0 if key_file == "-" else key_file, "rb") as file:
            vault = Vault(folder, parse_key(file.read(4096)), *vault_id)
        out.mkdir(parents=True)
    except Exception as error:  # whatever it is, it is said
        print(f"{__doc__}\nnothing was done: {type(error).__name__}: {error}", file=sys.stderr)
        return 2
    vault.read_log()
    for session, file in sorted(vault.files):
        with vault.noting(f"{session}/{file}"):
            vault.recover_file(out, session, file)
    print(f"{len(vault.files)} files, {vault.problems} problems")
    return 1 if vault.problems else 0

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
