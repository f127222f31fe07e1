#!/usr/bin/python3
"""Get every file back out of a claude-sync vault, with nothing but a copy of it and its key.

It shares no code with claude-sync and was written from src/vault/FORMAT.md, whose sections are
named below. It needs Python 3.9 or newer with the libraries cryptography and zstandard.
"""
import argparse
import base64
import contextlib
import functools
import json
import os
import re
import sys
import unicodedata
from collections import defaultdict, namedtuple
from hashlib import sha256
from pathlib import Path

try:
    import zstandard
    from cryptography.exceptions import InvalidTag
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.kdf.hkdf import HKDF
except ImportError as missing:
    print(f"{missing}: apt-get install python3-cryptography python3-zstandard", file=sys.stderr)
    sys.exit(2)

MIB = 1024 * 1024
LOG_NAME = re.compile(r"log/([0-9a-hjkmnp-tv-z]{16})/((?!0{12})[0-9]{12})\.([0-9a-f]{8})")
PACK_NAME = re.compile(r"packs/[0-9a-hjkmnp-tv-z]{2}/[0-9a-hjkmnp-tv-z]{30}")
SESSION_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
UNSAFE = re.compile(  # what no part of a path may be: section 8, and where git finds commands
    r'|.*[<>:"|?*\\].*|\s.*|.*[\s.]|.*~[0-9].*|\.git'
    r"|(con|prn|aux|nul|conin\$|conout\$|clock\$|(com|lpt)[0-9])\s*(\..*)?")
OPS = {"enrol", "add", "checkpoint", "retire", "forget", "recall"}  # section 7
START = (sha256().hexdigest(), 0)  # a file before its first byte; a state is a hash and a length
Piece = namedtuple("Piece", "segment at group base source")  # a segment and where its bytes are


class Damaged(Exception):
    """Something in the vault is not as FORMAT.md says that it must be."""


def need(condition, otherwise):
    """Goes on only if the condition holds."""
    if not condition:
        raise Damaged(otherwise)


def lp(*parts):
    """Section 1: LP(x) of each part, joined."""
    return b"".join(len(part).to_bytes(4, "big") + part for part in parts)


def label(name):
    """Section 1: label(s)."""
    return b"claude-sync/v1/" + name.encode("ascii") + b"\0"


def hkdf(secret, info, size=32):
    """Section 1: HKDF(ikm, info, n)."""
    return HKDF(SHA256(), size, None, info).derive(secret)


def padme(size):
    """Section 5: padme(L)."""
    exponent = size.bit_length() - 1
    step = 1 << (exponent - exponent.bit_length())
    return -(-size // step) * step


def open_object(data, kind, name, vault_id, kid, secret):
    """Section 5: the payload of a sealed object; `secret` is K_obj, or Kc for a keychain."""
    need(4096 <= len(data) <= 64 * MIB, f"{name} has no valid length")
    ctx = b"claude-sync/v1\0" + lp(kind.encode("ascii"), vault_id, kid, name.encode("ascii"))
    okm = hkdf(secret, label("object-key") + ctx, 64)
    try:
        frame = AESGCM(okm[:32]).decrypt(data[:12], data[28:] + data[12:28], ctx)
    except InvalidTag as error:
        raise Damaged(f"{name} does not open: damaged, or made with another key") from error
    need(frame[:32] == okm[32:], f"{name} commits to another key")
    need(frame[32:40] == b"CSO1\x01\0\0\0", f"{name} has bad magic, version or compression")
    stored, raw = (int.from_bytes(frame[at:at + 8], "big") for at in (40, 48))
    need(stored == raw and len(data) == max(4096, padme(84 + stored)),
         f"{name} has a length that is not canonical")
    need(frame.count(0, 56 + stored) == len(frame) - 56 - stored, f"{name} has bad padding")
    return frame[56:56 + stored]


@functools.lru_cache(maxsize=3)
def expand(comp, stored, raw, limit=4 * MIB):
    """Section 6: the `raw` bytes that were compressed; a bomb gives no more than these."""
    need(comp in ("zstd", "none") and raw <= limit, "unknown compression, or too large")
    if comp == "zstd":
        with zstandard.ZstdDecompressor().stream_reader(stored) as reader:
            stored = reader.read(raw + 1)
    need(len(stored) == raw, "decompressed length differs")
    return stored


class Vault:
    """A folder with a vault, the keys to it, and what was found in its log."""

    def __init__(self, folder, root_key, vault_id=None):
        """Sections 3 and 4: reads the header."""
        self.folder, self.vault_id, self.problems = Path(folder), vault_id, 0
        self.signers, self.known, self.claims = {}, set(), {}  # by machine; entries; who says so
        self.covered = set()  # entries that a checkpoint or another machine says again
        self.files = defaultdict(lambda: defaultdict(list))  # {(session, file): {gen: [Piece]}}
        self.replaced, self.projects = {}, {}  # {(session, file, gen, hash): newer gen}; by session
        self.kid = header_kid = hkdf(root_key, label("key-id"), 16)
        self.secret = hkdf(hkdf(root_key, label("epoch-data")), label("object"))
        if vault_id is None:
            header = json.loads((self.folder / "claude-sync.json").read_bytes())
            need(header["format"] == 1, "the vault has another format: get a newer recover.py")
            self.vault_id, header_kid = (bytes.fromhex(header[key]) for key in ("vaultId", "kid"))
        need(header_kid == self.kid, "this key is not the vault's, or the header is damaged")

    @contextlib.contextmanager
    def noting(self, where):
        """Within it, a problem is reported, the rest of the block skipped, and work goes on."""
        try:
            yield
        except Exception as error:  # nobody can list what a hostile vault makes fail
            self.problems += 1
            what = error if isinstance(error, Damaged) else ascii(error)
            print(f"problem: {where}: {what}", file=sys.stderr)

    @functools.lru_cache(maxsize=3)
    def open(self, kind, name, digest=None):
        """Sections 2 and 5: the payload of an object, whose own digest may be known."""
        path = self.folder / name
        need(path.is_file() and path.stat().st_size <= 64 * MIB, f"{name} is missing, or too large")
        data = path.read_bytes()
        need(digest in (None, sha256(data).hexdigest()), f"{name} is not what its entry names")
        return open_object(data, kind, name, self.vault_id, self.kid, self.secret)

    def read_log(self):
        """Section 11: takes in every entry that opens and verifies, says which are missing."""
        paths = (path.relative_to(self.folder).as_posix() for path in self.folder.glob("log/*/*"))
        entries = []
        for name in sorted(filter(LOG_NAME.fullmatch, paths)):
            with self.noting(name):
                entries.append((name, *self.read_entry(name)))
        for name, *entry in entries:
            with self.noting(name):
                self.take_in(name, *entry)
        for (machine, seq, digest), name in self.claims.items():
            with self.noting(name):
                need((machine, seq, digest) in self.known
                     or (machine, seq, digest[:8]) in self.covered,
                     f"knows of entry {seq!a} of machine {machine!a}, which is missing or damaged")
        with self.noting("log"):
            need(self.known, "no entry can be used; if the header is damaged, give --vault-id")

    def read_entry(self, name):
        """Section 7: an entry's parts, and what it says of keys and of entries it stands for."""
        payload = self.open("log", name)
        end = 8 + int.from_bytes(payload[:4], "big")
        data = expand("zstd", payload[8:end], int.from_bytes(payload[4:8], "big"), 16 * MIB)
        body = json.loads(data)
        need(body["v"] == 1, "was written by a newer program: get a newer recover.py")
        for op in body["ops"]:
            is_introduced, machine = op["op"] in ("enrol", "retire"), op.get("machine", body["machine"])
            if is_introduced:
                sign, kem = (bytes.fromhex(op[key]) for key in ("sign", "kem"))
                own_id = sha256(label("machine-id") + sign + kem).hexdigest()[:32]
                need(machine == own_id, "is of a machine that does not have these keys")
                self.signers[machine] = Ed25519PublicKey.from_public_bytes(sign)
                self.known.add((machine, 0, "0" * 64))
            for seq, hashes in enumerate(op.get("covered", ()), 1):
                digests = re.findall(".{8}", hashes)
                self.covered.update((machine, seq, digest) for digest in digests)
        return body, data, payload[end:end + 64], payload[end + 64:], end

    def take_in(self, name, body, data, signature, inline, end):
        """Sections 7 and 11: verifies an entry, collects its segments and generations."""
        digest = sha256(label("log-hash") + lp(data) + signature).hexdigest()
        machine, seq, tag, ops, packs = (body[k] for k in ("machine", "seq", "tag", "ops", "packs"))
        need(name == f"log/{tag}/{seq:012}.{digest[:8]}", "is not the entry of this name")
        need(all(PACK_NAME.fullmatch(pack["name"]) for pack in packs), "names a pack badly")
        if machine in self.signers:
            signed = label("log-entry") + lp(self.vault_id) + data
            self.signers[machine].verify(signature, signed)
        self.known.add((machine, seq, digest))
        if (machine, seq, digest[:8]) in self.covered:
            return  # section 12: later entries say it again, and its packs may be gone
        self.claims[machine, seq - 1, body["prev"]] = name
        self.claims.update(((m, h["seq"], h["hash"]), name) for m, h in body["heads"].items())
        for op in (op for op in ops if op["op"] == "add"):
            need(SESSION_ID.fullmatch(op["session"]), "has a bad session id")
            self.projects[op["session"]] = op.get("project")
            for new in op["gens"]:
                origin = (op["session"], new["file"], new["from"]["gen"], new["from"]["hash"])
                self.replaced[origin] = new["gen"]
            for group in op["groups"]:
                source, base, at = ("log", name), end + 64, 0
                if group["in"] >= 0:
                    pack, base = packs[group["in"]], 0
                    source = ("pack", pack["name"], pack["sha256"])
                for segment in group["segments"]:
                    gens = self.files[op["session"], str(segment["file"])]
                    gens[segment["gen"]].append(Piece(segment, at, group, base, source))
                    at += segment["len"]
        need(sha256(inline).hexdigest() == body["inline"]["sha256"], "has another inline part")
        need(machine in self.signers, "is used but cannot be verified: entry 1 of its log is lost")
        need({op["op"] for op in ops} <= OPS, "needs a newer recover.py")

    def bytes_of(self, piece):
        """Sections 6 and 7: the bytes of a segment."""
        segment, at, group, base, source = piece
        stored = self.open(*source)[base + group["at"]:][:group["stored"]]
        data = expand(group["comp"], stored, group["raw"])[at:at + segment["len"]]
        need(len(data) == segment["len"], "are not all in their group")
        return data

    def ends(self, where, pieces):
        """Section 8: (state, pieces on the way there, is its start lost) of a generation's ends.

        What can be reached from the start is verified. What is left behind a loss is out of
        authentic packs as well, but nobody can tell the hash of the whole.
        """
        after, reached, todo = defaultdict(list), {START}, [(START, [], sha256())]
        for piece in pieces:
            after[piece.segment["parent"], piece.segment["off"]].append(piece)
        while todo or after:
            state, path, digest = todo.pop() if todo else (min(after, key=lambda s: s[1]), [], None)
            lengths = []  # of the segments that lead on from here
            for piece in after.pop(state, ()):
                off, size, hash_ = (piece.segment[key] for key in ("off", "len", "hash"))
                with self.noting(f"{where}: {size!a} bytes from {off!a} on"):
                    need(re.fullmatch("[0-9a-f]{64}", hash_), "their hash is none")
                    data, grown = self.bytes_of(piece), digest and digest.copy()
                    if grown:
                        grown.update(data)
                        need(grown.hexdigest() == hash_, "their hash differs")
                    lengths.append(size)
                    if (hash_, off + size) not in reached:
                        reached.add((hash_, off + size))
                        todo.append(((hash_, off + size), path + [piece], grown))
            if not any(lengths) and (path or lengths):
                yield state, path, digest is None


def place(session, file):
    """Section 8: where a file goes below OUT_DIR. A kind that is not known here keeps its name."""
    if file == "transcript":
        return f"{session}/{session}.jsonl"
    return f"{session}/{file.replace('@', session) if file.startswith('todos/') else file}"


def is_safe(path, taken):
    """Section 8: whether a path means one file below OUT_DIR, and none before, on any system."""
    folded = unicodedata.normalize("NFKC", path.casefold())
    safe = (folded not in taken and path.count("/") <= 12 and unicodedata.is_normalized("NFC", path)
            and not re.search("C|Zl|Zp", " ".join(map(unicodedata.category, path)))
            and not any(UNSAFE.fullmatch(part) for part in folded.split("/"))
            and all(len(part.encode()) <= 200 for part in path.split("/")))
    taken.update({folded} if safe else ())
    return safe


def write(vault, out, path, pieces):
    """Writes a new file below `out`: never over another one, never where a link leads away."""
    target, root = Path(out, path), os.path.realpath(out)
    with vault.noting(path):
        folder = os.path.realpath(target.parent)
        need(os.path.commonpath([root, folder]) == root, "not written: a link leads out of OUT_DIR")
        need(not os.path.lexists(target), "not written: something of this name exists already")
        os.makedirs(folder, exist_ok=True)
        with open(target, "xb") as file:
            try:
                for piece in pieces:
                    file.write(vault.bytes_of(piece))
            except BaseException:
                os.unlink(target)
                raise
            print(f"{file.tell():>14,}  {path}")
        if pieces:
            os.utime(target, (pieces[-1].segment["mtime"] / 1000,) * 2)


def recover_file(vault, out, file, path, everything):
    """Section 8: writes every leaf of a file, the newest at `path` and the others beside it."""
    leaves, gens = [], vault.files[file]
    for gen, pieces in gens.items():
        for state, way, is_rest in vault.ends(path, pieces):
            superseded = vault.replaced.get((*file, gen, state[0])) in gens
            mtime = way[-1].segment["mtime"] if way else 0
            leaves.append((is_rest, superseded, -mtime, state[0], way))
    for number, leaf in enumerate(sorted(leaves, key=lambda leaf: leaf[:4])):
        is_rest, superseded, _, digest, way = leaf
        kind = "rest" if is_rest else "gen" if superseded else "leaf" if number else ""
        if everything or number == 0 or not superseded:
            write(vault, out, f"{path}.{kind}-{digest[:8]}" if kind else path, way)
            with vault.noting(path):
                need(not is_rest, "its beginning is lost; the rest is beside it, unverified")


def parse_key(data):
    """Section 4: the root key, from the content of a key file."""
    text = b"".join(data.split()).translate(bytes.maketrans(b"-_", b"+/"))
    if len(data) == 32:
        return data
    if re.fullmatch(rb"[0-9a-fA-F]{64}", text):
        return bytes.fromhex(text.decode("ascii"))
    need(re.fullmatch(rb"[A-Za-z0-9+/]{43}=?", text), "there is no key in the key file")
    return base64.b64decode(text[:43] + b"=")


def main():
    """Recovers what it can; gives the exit status."""
    parser = argparse.ArgumentParser(
        description="Gets every file out of a copy of a vault, which is only read.",
        epilog="Exit status: 0 all is well, 1 there were problems, 2 nothing could be done.")
    parser.add_argument("vault", metavar="VAULT_DIR", help="the folder with claude-sync.json")
    parser.add_argument("key", metavar="KEY_FILE", help="raw, base64 or hex; - is standard input")
    parser.add_argument("out", metavar="OUT_DIR", help="files go to OUT_DIR/<session>/, versions "
                        "beside them: .leaf- of a branch, .rest- what is left after a loss")
    parser.add_argument("--all", action="store_true", help="replaced versions too, as .gen-")
    parser.add_argument("--vault-id", metavar="HEX", type=bytes.fromhex,
                        help="if the header is lost; `claude-sync status --json` has it")
    options = parser.parse_args()
    sys.stdout.reconfigure(errors="backslashreplace")
    os.umask(0o077)  # conversations are private
    try:
        folder, out = os.path.realpath(options.vault), os.path.realpath(options.out)
        need(not (out + os.sep).startswith(folder + os.sep), "OUT_DIR is inside the vault")
        with open(0 if options.key == "-" else options.key, "rb") as file:
            vault = Vault(folder, parse_key(file.read(4096)), options.vault_id)
    except Exception as error:  # whatever it is, it is said
        print(f"nothing can be done: {type(error).__name__}: {error}\n"
              "If claude-sync.json is lost or damaged, give --vault-id", file=sys.stderr)
        return 2
    vault.read_log()
    taken = set()
    for session, file in sorted(vault.files):
        with vault.noting(f"{session} {file!a}"):
            path, hashed = place(session, file), sha256(file.encode("utf-8", "replace")).hexdigest()
            safe = is_safe(path, taken)
            path = path if safe else f"{session}/refused/{hashed[:16]}"
            recover_file(vault, out, (session, file), path, options.all)
            need(safe, f"this name is refused, the file is {path}")
    for session in sorted(vault.projects):
        print(f"session {session} was in {json.dumps(vault.projects[session])}")
    print(f"{len(vault.projects)} sessions, {vault.problems} problems")
    return 1 if vault.problems else 0


if __name__ == "__main__":
    sys.exit(main())
