#!/usr/bin/python3
"""Get every file back out of a claude-sync vault, with nothing but a copy of it and its key.

This program shares no code with claude-sync: it was written from src/vault/FORMAT.md alone, and
the "section" numbers below are those of that document. It only reads the vault. It needs
Python 3.9 or newer and two libraries (Debian, Ubuntu: apt-get install python3-cryptography
python3-zstandard; elsewhere: pip install cryptography "zstandard>=0.19").
"""
import argparse
import base64
import contextlib
import functools
import hashlib
import hmac
import json
import os
import re
import struct
import sys
import unicodedata
from collections import defaultdict, namedtuple

try:
    import zstandard
    from cryptography.exceptions import InvalidSignature, InvalidTag
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    if not hasattr(zstandard.ZstdDecompressor().decompressobj(), "eof"):
        raise ImportError("zstandard is older than 0.19")
except ImportError as error:
    print(f"{error}\nInstall the two libraries first: apt-get install python3-cryptography "
          "python3-zstandard, or: pip install cryptography 'zstandard>=0.19'", file=sys.stderr)
    sys.exit(2)

KIB, MIB = 1024, 1024 * 1024
LOG_NAME = re.compile(  # section 2
    r"log/([0-9a-hjkmnp-tv-z]{16})/((?!0{12})[0-9]{12})\.([0-9a-f]{8})")
PACK_NAME = re.compile(r"packs/[0-9a-hjkmnp-tv-z]{2}/[0-9a-hjkmnp-tv-z]{30}")
SESSION_ID = r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"
EMPTY = hashlib.sha256().hexdigest()
START = (EMPTY, 0)  # the state before the first byte of a generation

Entry = namedtuple("Entry", "name tag seq hash body kid")
Group = namedtuple("Group", "entry kid pack at stored raw comp")
Segment = namedtuple("Segment", "group start off len parent hash mtime")


class Damaged(Exception):
    """Something in the vault is not as FORMAT.md says it must be. Alarms: section 11."""
    alarm = "damaged"


class Incomplete(Damaged):
    alarm = "incomplete"


class Forked(Damaged):
    alarm = "forked"


class Newer(Damaged):
    alarm = "newer"


class NameRefused(Damaged):
    alarm = "name refused"


class NotWritten(Damaged):
    alarm = "not written"


class Hopeless(Exception):
    """Nothing can be recovered: a wrong key, or no vault at all."""


def need(condition, otherwise, kind=Damaged):
    if not condition:
        raise kind(otherwise)


# ---- section 1: conventions

def lp(data):
    return struct.pack(">I", len(data)) + data


def label(name):
    return b"claude-sync/v1/" + name.encode("ascii") + b"\0"


def hkdf(ikm, info, size=32):
    prk, block, out = hmac.digest(bytes(32), ikm, "sha256"), b"", b""
    for number in range(1, -(-size // 32) + 1):
        block = hmac.digest(prk, block + info + bytes([number]), "sha256")
        out += block
    return out[:size]


def parse_json(data):
    def members(pairs):
        bad = {"__proto__", "constructor", "prototype"} & {name for name, _ in pairs}
        need(not bad, f"forbidden JSON member {bad}")
        return dict(pairs)

    def integer(text):  # -1 is only met in a group's "in", section 7
        need(len(text) <= 16 and -1 <= int(text) < 2 ** 53, "a number out of range")
        return int(text)

    def refuse(text):
        raise Damaged(f"not an integer: {text[:40]}")

    try:
        return json.loads(data.decode("utf-8"), object_pairs_hook=members, parse_int=integer,
                          parse_float=refuse, parse_constant=refuse)
    except (ValueError, RecursionError) as error:
        raise Damaged(f"not JSON: {error}") from error


def field(json_object, name, kind, otherwise=None):
    """A member of a JSON object: a str, int, list or dict, or of a form given as a pattern."""
    need(isinstance(json_object, dict), "an object is missing")
    value = json_object.get(name, otherwise)
    if isinstance(kind, str):
        need(isinstance(value, str) and re.fullmatch(kind, value), f"bad {name}")
    else:
        need(isinstance(value, kind) and not isinstance(value, bool), f"bad {name}")
        need(kind is not int or value >= 0 or name == "in", f"bad {name}")
    return value


HEX16, HEX32, GEN = "[0-9a-f]{32}", "[0-9a-f]{64}", "([0-9a-f]{32})?"
NEWER = "written by a newer program: get a newer recover.py"


# ---- sections 4 to 6: keys, envelope, compression

def padme(size):
    e = size.bit_length() - 1
    step = 1 << (e - e.bit_length())
    return -(-size // step) * step


def open_object(data, kind, name, vault_id, kid, secret):
    """The payload of a sealed object; `secret` is K_obj, or Kc for a keychain."""
    need(4096 <= len(data) <= 64 * MIB, f"{len(data)} bytes is no valid length")
    ctx = b"claude-sync/v1\0" + b"".join(
        map(lp, (kind.encode("ascii"), vault_id, kid, name.encode("ascii"))))
    okm = hkdf(secret, label("object-key") + ctx, 64)
    try:
        frame = AESGCM(okm[:32]).decrypt(data[:12], data[28:] + data[12:28], ctx)
    except InvalidTag as error:
        raise Damaged("does not open: damaged, or made with another key") from error
    need(hmac.compare_digest(frame[:32], okm[32:]), "commits to another key")
    need(frame[32:40] == b"CSO1\x01\0\0\0", "bad magic, version or compression")
    stored, raw = struct.unpack(">QQ", frame[40:56])
    need(stored == raw and len(data) == max(4096, padme(84 + stored)), "length is not canonical")
    need(frame.count(0, 56 + stored) == len(frame) - 56 - stored, "padding is not zero")
    return frame[56:56 + stored]


def unzstd(data, raw):
    """One whole frame and nothing else. Fed in small bites: a bomb is noticed while it is small."""
    frame, pieces, size, at = zstandard.ZstdDecompressor().decompressobj(), [], 0, 0
    try:
        while at < len(data) and not frame.eof and size <= raw:
            pieces.append(frame.decompress(data[at:at + KIB]))
            size, at = size + len(pieces[-1]), at + KIB
    except zstandard.ZstdError as error:
        raise Damaged(f"zstd: {error}") from error
    need(size == raw, "decompressed length differs")
    need(frame.eof and not frame.unused_data and at >= len(data), "not one whole zstd frame")
    return b"".join(pieces)


def expand(comp, stored, raw):
    """A group's raw bytes."""
    need(raw <= 4 * MIB, "group is larger than 4 MiB")
    if comp == "zstd":
        return unzstd(stored, raw)
    need(len(stored) == raw, "length of an uncompressed group")
    return stored


class Vault:
    """A folder that holds a vault (an object's name is its path), and the keys for it."""

    def __init__(self, folder, root_key, vault_id=None):
        self.folder, self.problems = folder, {}
        kid = hkdf(root_key, label("key-id"), 16)
        self.epochs = {kid: hkdf(root_key, label("epoch-data"))}
        header_kid = None
        if vault_id is None:  # section 3
            try:
                header = parse_json(self.read("claude-sync.json", 4096))
                if field(header, "format", int) > 1:
                    raise Hopeless("This vault's format is newer: get a newer recover.py.")
                need(header["format"] == 1, "bad format")
                vault_id = bytes.fromhex(field(header, "vaultId", HEX16))
                header_kid = bytes.fromhex(field(header, "kid", HEX16))
            except Damaged as error:
                raise Hopeless(f"{folder} is not a vault, or its header claude-sync.json is lost: "
                               f"{error}.\nIf you know the vault's id, give --vault-id.") from error
        self.vault_id = vault_id
        if len(vault_id) != 16:
            raise Hopeless("A vault's id has 32 hexadecimal characters.")
        keychain = f"keys/{kid.hex()}"  # section 9
        if os.path.lexists(os.path.join(folder, keychain)):
            with self.noting(keychain):
                payload = open_object(self.read(keychain), "keychain", keychain, vault_id, kid,
                                      hkdf(root_key, label("keychain")))
                for epoch in field(parse_json(payload), "epochs", list):
                    older = bytes.fromhex(field(epoch, "kid", HEX16))
                    self.epochs.setdefault(older, bytes.fromhex(field(epoch, "e", HEX32)))
        if header_kid and header_kid not in self.epochs:
            raise Hopeless(f"This key is not the vault's: the vault asks for key {header_kid.hex()}"
                           f", this one is {kid.hex()}.")

    def report(self, where, error):
        problem = (error.alarm, where, str(error))
        if problem not in self.problems:
            self.problems[problem] = True
            print(f"  {error.alarm}: {where}: {error}", file=sys.stderr)

    @contextlib.contextmanager
    def noting(self, where):
        """Within it, damage is reported, the rest of the block skipped, and the work goes on."""
        try:
            yield
        except Damaged as error:
            self.report(where, error)

    def read(self, name, limit=64 * MIB):
        path = os.path.join(self.folder, *name.split("/"))
        need(os.path.isfile(path), "missing", Incomplete)
        need(os.path.getsize(path) <= limit, f"more than {limit} bytes")
        try:
            with open(path, "rb") as file:
                return file.read()
        except OSError as error:
            raise Damaged(str(error)) from error

    def open(self, kind, name, data, kids=None):
        """Tries every epoch that the key opens; returns the payload and the epoch's kid."""
        for kid in kids or self.epochs:
            try:
                need(kid in self.epochs, f"needs the key {kid.hex()}, which this one does not open")
                secret = hkdf(self.epochs[kid], label("object"))
                return open_object(data, kind, name, self.vault_id, kid, secret), kid
            except Damaged as error:
                reason = error
        raise Damaged(str(reason))

    # ---- section 7: the log

    def log_record(self, name):
        """The body, signature, inline part and epoch of a log object."""
        payload, kid = self.open("log", name, self.read(name))
        need(len(payload) >= 8, "record is cut short")
        stored, raw = struct.unpack(">II", payload[:8])
        need(raw <= 16 * MIB and len(payload) >= 8 + stored + 64, "record is cut short")
        body, rest = unzstd(payload[8:8 + stored], raw), payload[8 + stored:]
        need(len(rest) - 64 <= 256 * KIB, "inline part is too large")
        return body, rest[:64], rest[64:], kid

    def read_log(self, use_unsigned):
        """Every entry that verifies, as section 11 asks; whatever does not is reported."""
        listed = []
        for folder, _, names in os.walk(os.path.join(self.folder, "log")):
            where = os.path.relpath(folder, self.folder).replace(os.sep, "/")
            listed += filter(LOG_NAME.fullmatch, (f"{where}/{name}" for name in names))
        entries, signers, owners = [], {}, {}
        chain = defaultdict(set)  # (tag, seq): the hashes of the entries there
        for name in sorted(listed):  # so entry 1 of a log comes first
            with self.noting(name):
                tag, digits, hash8 = LOG_NAME.fullmatch(name).groups()
                seq = int(digits)
                chain[tag, seq]  # it is there, whether it verifies or not
                data, signature, inline, kid = self.log_record(name)
                entry_hash = hashlib.sha256(label("log-hash") + lp(data) + signature).hexdigest()
                need(entry_hash[:8] == hash8, "its hash is not the one in its name")
                body = parse_json(data)
                need(field(body, "v", int) == 1, NEWER, Newer)
                machine = field(body, "machine", HEX16)
                need((field(body, "tag", str), field(body, "seq", int)) == (tag, seq),
                     "is in another entry's place")
                need(bytes.fromhex(field(body, "kid", HEX16)) == kid, "names another epoch")
                need(owners.get(tag, machine) == machine, "this log is another machine's")
                self.enrol(seq, machine, field(body, "ops", list), signers)
                if machine in signers:
                    try:
                        signers[machine].verify(
                            signature, label("log-entry") + lp(self.vault_id) + data)
                    except InvalidSignature as error:
                        raise Damaged("signature is wrong") from error
                elif not use_unsigned:
                    raise Damaged("cannot be verified, as entry 1 of its log is lost (--unsigned "
                                  "takes it all the same)")
                owners[tag] = machine
                chain[tag, seq].add(entry_hash)
                before = chain.get((tag, seq - 1)) if seq > 1 else {"0" * 64}
                entries.append(Entry(name, tag, seq, entry_hash, body, kid))
                # What follows is reported, but the entry is used: the hashes of files decide.
                need(not before or field(body, "prev", HEX32) in before,
                     "does not continue the entry before it", Forked)
                said = field(body, "inline", dict)
                need((field(said, "size", int), field(said, "sha256", HEX32))
                     == (len(inline), hashlib.sha256(inline).hexdigest()),
                     "its inline part is not what it says")
        self.check_completeness(entries, chain)
        return entries

    def enrol(self, seq, machine, ops, signers):
        kinds = [field(op, "op", str) for op in ops]
        need({"enrol", "add"}.issuperset(kinds), NEWER, Newer)
        need(("enrol" in kinds[:1]) == (seq == 1) and "enrol" not in kinds[1:], "enrols wrongly")
        if seq == 1:
            sign, kem = (bytes.fromhex(field(ops[0], key, HEX32)) for key in ("sign", "kem"))
            digest = hashlib.sha256(label("machine-id") + sign + kem).hexdigest()
            need(digest[:32] == machine, "machine is not that of its keys")
            need(len(field(ops[0], "name", str)) <= 64, "the machine's name is too long")
            signers[machine] = Ed25519PublicKey.from_public_bytes(sign)

    def check_completeness(self, entries, chain):
        for tag in sorted({tag for tag, _ in chain}):
            listed = {seq for other, seq in chain if other == tag}
            first = next(seq for seq in range(1, len(listed) + 2) if seq not in listed)
            if first < max(listed):  # a name may claim any number: never count up to it
                self.report(f"log/{tag}", Incomplete(
                    f"{max(listed) - len(listed)} entries are missing, the first is {first}"))
        have = {(entry.body["machine"], entry.seq, entry.hash) for entry in entries}
        for entry in entries:
            with self.noting(entry.name):
                heads = field(entry.body, "heads", dict, {})
                need(entry.body["machine"] not in heads, "makes a claim about itself")
                for machine, head in heads.items():
                    seq, digest = field(head, "seq", int), field(head, "hash", HEX32)
                    if (machine, seq, digest) not in have:
                        self.report(f"machine {machine[:32]!a}", Incomplete(
                            f"entry {seq} ({digest[:8]}) was seen by others, but is not here"))

    # ---- sections 6 and 7: the bytes of groups

    @functools.lru_cache(maxsize=6)
    def source(self, entry_name, kid, pack):
        """A pack's payload, or the inline part of an entry; the reason as text if damaged."""
        try:
            if pack is None:
                return self.log_record(entry_name)[2]
            name, size, sha256 = pack
            need(PACK_NAME.fullmatch(name) and size <= 8 * MIB, "bad name or size of pack")
            data = self.read(name)
            need(len(data) == size and hashlib.sha256(data).hexdigest() == sha256,
                 "is not the pack that the log names")
            return self.open("pack", name, data, [kid])[0]
        except Damaged as error:
            self.report(ascii(pack[0] if pack else entry_name)[1:-1], error)
            return None

    @functools.lru_cache(maxsize=6)
    def group_bytes(self, group):
        payload = self.source(group.entry, group.kid, group.pack)
        need(payload is not None, "its pack is damaged or missing")
        need(group.at + group.stored <= len(payload), "group lies outside its pack")
        return expand(group.comp, payload[group.at:group.at + group.stored], group.raw)


# ---- section 8: from segments to files

class File:
    """All states of one file of one session: per generation, the segments into each state."""

    def __init__(self):
        self.into = defaultdict(lambda: defaultdict(list))  # gen: (hash, length): segments
        self.replaced = {}  # (gen, hash): the generation that replaced this state

    def leaves(self):
        """(gen, state, is it superseded), the most recently modified first."""
        found = []
        for gen, into in self.into.items():
            passed = {(s.parent, s.off) for segments in into.values() for s in segments if s.len}
            for state in into.keys() - passed:
                superseded = self.replaced.get((gen, state[0])) in self.into
                newest = max(segment.mtime for segment in into[state])
                found.append((superseded, -newest, -state[1], state[0], gen))
        return [(gen, (end, -size), superseded) for superseded, _, size, end, gen in sorted(found)]

    def path(self, gen, state, bad):
        """Segments from the start to the state that avoid the bad ones, or None."""
        came, stack = {state: None}, [state]
        while stack and START not in came:
            for segment in self.into[gen].get(stack.pop(), ()):
                before = (segment.parent, segment.off)
                if segment.len and segment not in bad and before not in came:
                    came[before] = segment
                    stack.append(before)
        if START not in came:
            return None
        path, at = [], START
        while at != state:
            path.append(came[at])
            at = (path[-1].hash, path[-1].off + path[-1].len)
        return path

    def best_path(self, vault, gen, state, where):
        """The path to the state or, where its bytes are lost, to the longest state before it."""
        bad, into = set(), self.into[gen]
        while True:
            while (path := self.path(gen, state, bad)) is not None:
                sha = hashlib.sha256()
                try:
                    for segment in path:
                        sha.update(segment_bytes(vault, segment))
                        need(sha.hexdigest() == segment.hash, "their hash differs")
                    return path, state
                except Damaged as error:
                    bad.add(segment)
                    vault.report(f"{where}: {segment.len} bytes from {segment.off} on", error)
            before, stack, intact = {state}, [state], {START}
            while stack:
                more = {(s.parent, s.off) for s in into.get(stack.pop(), ()) if s.len} - before
                before |= more
                stack += more
            for each in sorted(before, key=lambda each: each[1]):
                if any(s not in bad and (s.parent, s.off) in intact for s in into.get(each, ())):
                    intact.add(each)
            state = max(intact, key=lambda each: each[1])


def segment_bytes(vault, segment):
    return vault.group_bytes(segment.group)[segment.start:segment.start + segment.len]


def collect(vault, entries):
    """Sessions: {id: {file: File}}; what project each was in; every pack that was named."""
    sessions, projects, named = defaultdict(lambda: defaultdict(File)), {}, {}
    for entry in entries:
        with vault.noting(entry.name):
            packs = [(field(pack, "name", str), field(pack, "size", int),
                      field(pack, "sha256", HEX32))
                     for pack in field(entry.body, "packs", list, [])]
            need(len(packs) <= 4096, "names too many packs")
            named.update(((entry.name, entry.kid, pack), True) for pack in packs)
            budget = [100_000]
            for op in entry.body["ops"]:
                if op["op"] == "add":
                    session = field(op, "session", SESSION_ID)
                    projects[session] = op.get("project")
                    collect_gens(vault, entry, op, sessions[session])
                    for group in field(op, "groups", list, []):
                        with vault.noting(f"{entry.name}: a group of {session}"):
                            collect_group(entry, packs, group, sessions[session], budget)
    return sessions, projects, named


def collect_gens(vault, entry, op, files):
    for declared in field(op, "gens", list, []):
        with vault.noting(f"{entry.name}: a generation"):
            gen, origin = field(declared, "gen", HEX16), field(declared, "from", dict)
            old, end = field(origin, "gen", GEN), field(origin, "hash", HEX32)
            derived = label("generation") + lp(old.encode("ascii")) + lp(bytes.fromhex(end))
            need(hashlib.sha256(derived).hexdigest()[:32] == gen, "is not named after its origin")
            files[field(declared, "file", str)].replaced[old, end] = gen


def collect_group(entry, packs, json_group, files, budget):
    index = field(json_group, "in", int)
    need(-1 <= index < len(packs), "is in a pack that the entry does not name")
    group = Group(entry.name, entry.kid, packs[index] if index >= 0 else None,
                  *(field(json_group, key, int) for key in ("at", "stored", "raw")),
                  field(json_group, "comp", "zstd|none"))
    need(group.raw <= 4 * MIB, "is larger than 4 MiB")
    start, found = 0, []
    for item in field(json_group, "segments", list):
        segment = Segment(group, start, field(item, "off", int), field(item, "len", int),
                          field(item, "parent", HEX32), field(item, "hash", HEX32),
                          field(item, "mtime", int))
        empty = segment.off == 0 and segment.parent == segment.hash == EMPTY
        need(segment.len > 0 or empty, "has an empty segment of a file that is not empty")
        need(segment.off or segment.parent == EMPTY, "has a segment that starts from nothing")
        found.append((field(item, "file", str), field(item, "gen", GEN), segment))
        start += segment.len
        budget[0] -= 1
        need(budget[0] >= 0, "has more segments than an entry may have")
    need(start == group.raw, "segments do not add up")
    for file, gen, segment in found:
        files[file].into[gen][segment.hash, segment.off + segment.len].append(segment)


def is_safe(file):
    """Whether a file's name from the vault may be used as a path, on any system."""
    kind, _, rest = file.partition("/")
    parts = file.split("/")
    if not (kind in ("side", "tasks", "memory") and rest
            or kind == "plans" and re.fullmatch(r"[A-Za-z0-9][\w-]*(\.[0-9a-f]{8})*\.md", rest, re.A)
            or kind == "file-history" and len(parts) == 2
            or kind == "todos" and len(parts) == 2 and rest.startswith("@")
            or kind == "legacy" and re.fullmatch(r"agent-[^/]*\.jsonl", rest)):
        return file in ("transcript", "history")
    reserved = r"(con|prn|aux|nul|conin\$|conout\$|(com|lpt)[0-9¹²³])( *\..*)?"
    return len(parts) <= 12 and len(file.encode("utf-8", "replace")) <= 1024 and all(
        part and part[-1] not in ". " and len(part.encode("utf-8", "replace")) <= 200
        and not re.search(r'[<>:"|?*\\]', part) and not re.fullmatch(reserved, part.lower())
        and not any(unicodedata.category(c) in ("Cc", "Cf", "Cs", "Zl", "Zp") for c in part)
        for part in parts)


def place(vault, session, file, taken):
    """Where a file goes below OUT_DIR/<session>; one with a refused name is kept under a hash."""
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", file).casefold())
    if is_safe(file) and taken.setdefault(folded, file) == file:
        if file.startswith("todos/"):
            return file.replace("@", session)
        return f"{session}.jsonl" if file == "transcript" else file
    safe = "refused/" + hashlib.sha256(file.encode("utf-8", "surrogatepass")).hexdigest()[:16]
    vault.report(session, NameRefused(f"{file[:200]!a} is kept as {safe}"))
    return safe


def write(vault, out, path, segments):
    """Writes one file that must not exist yet, below `out` even if links stand in the way."""
    folder, root = os.path.dirname(path), os.path.realpath(out)
    try:
        need(os.path.commonpath([os.path.realpath(folder), root]) == root, "leads out of OUT_DIR")
        os.makedirs(folder, exist_ok=True)
        with open(path, "xb") as file:
            try:
                for segment in segments:
                    file.write(segment_bytes(vault, segment))
            except (OSError, Damaged):
                file.close()
                os.unlink(path)
                raise
        if segments:
            os.utime(path, (min(segments[-1].mtime / 1000, 2 ** 32),) * 2)
        return True
    except FileExistsError:
        vault.report(ascii(path), NotWritten("something of this name exists already"))
    except (OSError, ValueError, Damaged) as error:
        vault.report(ascii(path), NotWritten(str(error)))
    return False


def recover_file(vault, out, session, file, states, name, everything):
    """Writes every leaf; yields (name below the session's folder, size) of each one."""
    where, found = f"{session}: {file[:200]!a}", []
    for rank, (gen, state, superseded) in enumerate(states.leaves()):
        if everything or not superseded:
            segments, reached = states.best_path(vault, gen, state, where)
            found.append((superseded, reached != state, rank, gen, state, reached, segments))
    passed, first = set(), True
    for superseded, partial, _, gen, state, reached, segments in sorted(found):
        if partial:
            vault.report(where, Damaged(f"only {reached[1]} of {state[1]} bytes are left"))
            if reached == START or (gen, reached) in passed:  # no need for what another leaf has
                continue
        passed |= {(gen, (segment.hash, segment.off + segment.len)) for segment in segments}
        suffix = ".gen-" if superseded else "" if first else ".leaf-"
        leaf = name + suffix + (reached[0][:8] if suffix else "")
        if write(vault, out, os.path.join(out, session, *leaf.split("/")), segments):
            yield leaf, reached[1]
        first = False


def recover_session(vault, out, session, files, project, everything):
    print(f"session {session}  {json.dumps(project)}")
    taken, sizes = {}, []
    for file in sorted(files):
        if files[file].into:
            name = place(vault, session, file, taken)
            leaves = recover_file(vault, out, session, file, files[file], name, everything)
            for leaf, size in leaves:
                sizes.append(size)
                print(f"    {size:>12,}  {ascii(leaf)[1:-1]}")
    print(f"    {sum(sizes):>12,}  bytes in {len(sizes)} files")
    return len(sizes)


def parse_key(data):
    """The 32 bytes of the root key, from raw bytes or from hex or base64 text."""
    text = b"".join(data.split())
    if len(data) == 32:
        return data
    if re.fullmatch(rb"[0-9a-fA-F]{64}", text):
        return bytes.fromhex(text.decode("ascii"))
    text = text.replace(b"-", b"+").replace(b"_", b"/")
    if re.fullmatch(rb"[A-Za-z0-9+/]{43}=?", text):
        key = base64.b64decode(text[:43] + b"=")
        if base64.b64encode(key)[:43] == text[:43]:
            return key
    raise Hopeless("The key file has no key: expected 32 bytes, or those as hex or base64 text.")


def read_key(path):
    with open(path, "rb") as file:
        return parse_key(file.read(4096))


def main():
    parser = argparse.ArgumentParser(
        description="Get every session file back out of a copy of a claude-sync vault. The vault "
        "is only read. Files go to OUT_DIR/<session>/; nothing there is overwritten.",
        epilog="Where a file has several versions that nobody joined, the newest gets its name "
        "and the others stand beside it as NAME.leaf-XXXXXXXX. Exit status: 0 all well, 1 some "
        "things were damaged or skipped (each is reported), 2 nothing could be done.")
    parser.add_argument("vault", metavar="VAULT_DIR", help="the folder with claude-sync.json")
    parser.add_argument("key", metavar="KEY_FILE", help="the vault's key: raw, hex or base64")
    parser.add_argument("out", metavar="OUT_DIR", help="where to write; made when missing")
    parser.add_argument("--all", action="store_true", help="also write what was later rewritten "
                        "in place, as NAME.gen-XXXXXXXX")
    parser.add_argument("--unsigned", action="store_true", help="also use entries whose machine "
                        "is not known any more, because entry 1 of its log is lost")
    parser.add_argument("--vault-id", metavar="HEX", type=bytes.fromhex, help="the vault's id, "
                        "if claude-sync.json is lost or damaged")
    options = parser.parse_args()
    sys.stdout.reconfigure(errors="backslashreplace", line_buffering=True)
    sys.stderr.reconfigure(errors="backslashreplace")
    os.umask(0o077)  # conversations are private
    try:
        inside = os.path.realpath(options.out) + os.sep
        if inside.startswith(os.path.realpath(options.vault) + os.sep):
            raise Hopeless("OUT_DIR is inside the vault: plain text does not belong there.")
        vault = Vault(options.vault, read_key(options.key), options.vault_id)
    except (Hopeless, OSError) as error:
        print(error, file=sys.stderr)
        return 2
    entries = vault.read_log(options.unsigned)
    print(f"vault {vault.vault_id.hex()}: {len({e.tag for e in entries})} machines, "
          f"{len(entries)} entries")
    sessions, projects, named = collect(vault, entries)
    done = sum(recover_session(vault, options.out, session, sessions[session],
                               projects.get(session), options.all) for session in sorted(sessions))
    for source in named:  # packs that no file needed are still checked
        vault.source(*source)
    print(f"{done} files of {len(sessions)} sessions written to {options.out}; "
          f"{len(vault.problems)} problems")
    return 1 if vault.problems else 0


if __name__ == "__main__":
    sys.exit(main())
