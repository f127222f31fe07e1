"""What src/vault/FORMAT.md has a reader refuse although recover.py need not.

recover.py takes what it can still use: nothing here could make it write wrong bytes or to a wrong
place. As the second implementation of the format these rules are checked with the vectors.
"""
import hashlib
import json
import re

import zstandard
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from recover import MIB, OPS, hkdf, need

PACK_NAME = re.compile(r"packs/[0-9a-hjkmnp-tv-z]{2}/[0-9a-hjkmnp-tv-z]{30}")
SESSION_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
EMPTY = hashlib.sha256().hexdigest()
HEX16, HEX32, GEN = "[0-9a-f]{32}", "[0-9a-f]{64}", "([0-9a-f]{32})?"


def lp(*parts):
    """Section 1: LP(x) of each part, joined."""
    return b"".join(len(part).to_bytes(4, "big") + part for part in parts)


def label(name):
    """Section 1: label(s)."""
    return b"claude-sync/v1/" + name.encode("ascii") + b"\0"


def padme(size):
    """Section 5: padme(L)."""
    exponent = size.bit_length() - 1
    step = 1 << (exponent - exponent.bit_length())
    return -(-size // step) * step


def envelope(data, kind, name, vault_id, kid, secret):
    """Section 5: the canonical form of a sealed object, which opens."""
    context = b"claude-sync/v1\0" + lp(kind.encode(), vault_id, kid, name.encode())
    key = hkdf(secret, "object-key", context, 64)[:32]
    frame = AESGCM(key).decrypt(data[:12], data[28:] + data[12:28], context)
    stored, raw = (int.from_bytes(frame[at:at + 8], "big") for at in (40, 48))
    need(stored == raw and len(data) == max(4096, padme(84 + stored)), "not canonical")
    need(not any(frame[56 + stored:]), "bad padding")


def record(payload, place, vault_id, sign_public):
    """Section 7: the signature of a record that can be read, and the name of its object."""
    size, raw = (int.from_bytes(payload[at:at + 4], "big") for at in (0, 4))
    text = zstandard.ZstdDecompressor().decompress(payload[8:8 + size], max_output_size=raw)
    need(len(text) == raw, "not whole")
    signature, entry = payload[8 + size:72 + size], parse_json(text)
    message = label("log-entry") + lp(vault_id) + text
    try:
        Ed25519PublicKey.from_public_bytes(sign_public).verify(signature, message)
    except InvalidSignature:
        raise ValueError("signed by another machine") from None
    digest = hashlib.sha256(label("log-hash") + lp(text) + signature).hexdigest()
    need((entry["tag"], entry["seq"], digest[:8]) == (place["tag"], place["seq"], place["hash8"]),
         "not the entry of this name")
    return digest


def parse_json(data):
    """Section 1."""
    def members(pairs):
        bad = {"__proto__", "constructor", "prototype"} & {name for name, _ in pairs}
        need(not bad, f"forbidden JSON member {bad}")
        return dict(pairs)

    def integer(text):  # -1 is only met in a group's "in", section 7
        need(len(text) <= 16 and -1 <= int(text) < 2 ** 53, "a number out of range")
        return int(text)

    def refuse(text):
        raise ValueError(f"not an integer: {text[:40]}")

    try:
        return json.loads(data.decode("utf-8"), object_pairs_hook=members, parse_int=integer,
                          parse_float=refuse, parse_constant=refuse)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"not JSON: {error}") from error


def field(json_object, name, kind):
    """A member of a JSON object: a str, int, list or dict, or of a form given as a pattern."""
    need(isinstance(json_object, dict) and name in json_object, f"no {name}")
    value = json_object[name]
    if isinstance(kind, str):
        need(isinstance(value, str) and re.fullmatch(kind, value), f"bad {name}")
    else:
        need(isinstance(value, kind) and not isinstance(value, bool), f"bad {name}")
        need(kind is not int or value >= 0 or name == "in", f"bad {name}")
    return value


def header(data):
    """Section 3."""
    need(len(data) <= 4096, "the header is too long")
    fields = parse_json(data)
    need(field(fields, "format", int) == 1, "another format")
    field(fields, "vaultId", HEX16)
    field(fields, "kid", HEX16)


def group(comp, stored, raw):
    """Section 6: one whole zstd frame and nothing else. `raw` and the limit: recover.expand."""
    if comp != "zstd":
        return
    need(stored[:4] == b"\x28\xb5\x2f\xfd", "no zstd frame at the beginning")
    frame = zstandard.ZstdDecompressor().decompressobj()
    try:
        size = len(frame.decompress(stored))  # the vectors have no bombs
    except zstandard.ZstdError as error:
        raise ValueError(f"zstd: {error}") from error
    need(frame.eof and not frame.unused_data and size == raw, "not one whole zstd frame")


def body(data, kid, owner, inline):
    """Section 7: the body of an entry and its inline part, in the log of the machine `owner`."""
    entry = parse_json(data)
    need(field(entry, "v", int) == 1, "a newer program's")
    machine, seq = field(entry, "machine", HEX16), field(entry, "seq", int)
    need(machine == owner, "the log of another machine")
    need(seq > 1 or field(entry, "prev", HEX32) == "0" * 64, "something before entry 1")
    need(field(entry, "kid", HEX16) == kid, "another epoch")
    need(machine not in field(entry, "heads", dict), "a claim about itself")
    for other, head in entry["heads"].items():
        need(re.fullmatch(HEX16, other), "bad machine in heads")
        need(field(head, "seq", int) > 0 and field(head, "hash", HEX32), "bad head")
    said = field(entry, "inline", dict)
    need((field(said, "size", int), field(said, "sha256", HEX32))
         == (len(inline), hashlib.sha256(inline).hexdigest()), "another inline part")
    packs = field(entry, "packs", list)
    for pack in packs:
        need(PACK_NAME.fullmatch(field(pack, "name", str)), "bad name of a pack")
        need(field(pack, "size", int) <= 8 * MIB and field(pack, "sha256", HEX32), "bad pack")
    kinds = [field(op, "op", str) for op in field(entry, "ops", list)]
    need(OPS.issuperset(kinds), "a newer program's op")
    base = field({"base": 1, **entry}, "base", int)
    need(1 <= base <= seq, "a base that is no entry up to this one")
    need(("enrol" in kinds[:1]) or seq not in (1, base), "does not enrol")
    need("enrol" not in kinds[1:] and "checkpoint" not in kinds[:-1], "an op in a wrong place")
    for op in entry["ops"]:
        if op["op"] in ("enrol", "retire"):
            sign, kem = (bytes.fromhex(field(op, key, HEX32)) for key in ("sign", "kem"))
            own_id = hashlib.sha256(label("machine-id") + sign + kem).hexdigest()[:32]
            need(own_id == field({"machine": machine, **op}, "machine", HEX16), "others' keys")
            need(len(field(op, "name", str)) <= 64, "the machine's name is too long")
        if op["op"] == "add":
            need(op.get("by") != machine, "says again what is its own")
            add(op, packs, inline)
        if op["op"] == "checkpoint":
            need(1 < field(op, "from", int) == base, "a checkpoint of another base")
            covers(op, base - 1, "[0-9a-f]{8}")
        if op["op"] == "retire":
            need(op["machine"] != machine and field(op, "tag", str) != entry["tag"], "itself")
            covers(op, field(op, "seq", int), "([0-9a-f]{8})+")
            need(field(op, "hash", HEX32)[:8] in re.findall(".{8}", op["covered"][-1]), "no end")
        if op["op"] == "forget":
            field(op, "id", HEX16), need(SESSION_ID.fullmatch(field(op, "session", str)), "no id")
            need(field(op, "leaves", list), "forgets nothing")
            for leaf in op["leaves"]:
                field(leaf, "file", str), field(leaf, "gen", GEN), field(leaf, "hash", HEX32)
                field(leaf, "len", int)
        if op["op"] == "recall":
            need(field(op, "ids", list), "recalls nothing")
            need(all(re.fullmatch(HEX16, forgotten) for forgotten in op["ids"]), "recalls no id")


def covers(op, count, hashes):
    """Section 7: `covered` of a checkpoint or a retirement."""
    need(len(field(op, "covered", list)) == count, "covers another number of entries")
    need(all(re.fullmatch(hashes, one) for one in op["covered"]), "covers what is no hash")


def add(op, packs, inline):
    """Section 7: an `add`."""
    need(SESSION_ID.fullmatch(field(op, "session", str)), "bad session")
    if "title" in op:
        title = field(op, "title", dict)
        need(1 <= len(field(title, "text", str)) <= 200, "a title of too little or too much")
        field(title, "time", int), field(title, "gen", GEN), field(title, "hash", HEX32)
    for new in field(op, "gens", list):
        origin = field(new, "from", dict)
        old, end = field(origin, "gen", GEN), field(origin, "hash", HEX32)
        derived = label("generation") + lp(old.encode("ascii"), bytes.fromhex(end))
        need(hashlib.sha256(derived).hexdigest()[:32] == field(new, "gen", HEX16), "bad generation")
    for item in field(op, "groups", list):
        index, at, stored, raw = (field(item, key, int) for key in ("in", "at", "stored", "raw"))
        need(-1 <= index < len(packs), "in a pack that the entry does not name")
        need(index >= 0 or at + stored <= len(inline), "outside the inline part")
        field(item, "comp", "zstd|none")
        segments = field(item, "segments", list)
        need(raw == sum(field(segment, "len", int) for segment in segments), "do not add up")
        for segment in segments:
            off, parent = field(segment, "off", int), field(segment, "parent", HEX32)
            end = field(segment, "hash", HEX32)
            need(segment["len"] or (off, parent, end) == (0, EMPTY, EMPTY), "an empty segment")
            need(off or parent == EMPTY, "starts from nothing")
            field(segment, "file", str), field(segment, "gen", GEN), field(segment, "mtime", int)
