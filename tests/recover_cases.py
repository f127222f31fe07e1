#!/usr/bin/python3
"""Runs recover.py on vaults that a broken or hostile writer, disk or store could leave.

Every case makes a vault with tests/testdata/vaults/make_v1.py, spoils one thing and says what must
come out: the exit status, words of the report, and exactly which files. Prints what is wrong.
"""
import contextlib
import hashlib
import io
import json
import os
import random
import sys
import tempfile
import tracemalloc
import types

HERE = os.path.dirname(os.path.abspath(__file__))
sys.dont_write_bytecode = True
sys.path[:0] = [HERE, os.path.join(HERE, "testdata", "vaults")]
import make_v1 as maker  # noqa: E402
import recover  # noqa: E402

KEY = bytes(range(32))
ONE, TWO = (f"11111111-1111-4111-8111-{number:012}" for number in (1, 2))
WHOLE = {f"{ONE}/{ONE}.jsonl": b"one\ntwo\n"}
START = {f"{ONE}/{ONE}.jsonl": b"one\n"}
OTHER = {f"{TWO}/{TWO}.jsonl": b"x\n"}
REST = {f"{ONE}/{ONE}.jsonl.rest-c3f9c8c2": b"two\n"}  # of WHOLE, when START is lost
counts = {"cases": 0, "wrong": 0}


def sha(data):
    return hashlib.sha256(data).hexdigest()


def run(writer, *vault_id):
    """(exit status, report, files by path) of one run of recover.py."""
    with tempfile.TemporaryDirectory() as folder:
        vault, key, out = (os.path.join(folder, name) for name in ("vault", "key", "out"))
        writer.save(vault)
        with open(key, "wb") as file:
            file.write(KEY)
        report = io.TextIOWrapper(io.BytesIO(), encoding="utf-8")
        with contextlib.redirect_stdout(report), contextlib.redirect_stderr(report):
            status = recover.main([vault, key, out, *vault_id])
        report.flush()
        files = {}
        for where, _, names in os.walk(folder):
            for path in (os.path.join(where, name) for name in names):
                name = os.path.relpath(path, out).replace(os.sep, "/")
                if not name.startswith(("../vault/", "../key")):
                    with open(path, "rb") as file:
                        files[name] = file.read()
        return status, report.buffer.getvalue().decode("utf-8"), files


def case(what, result, status, words, files):
    counts["cases"] += 1
    escapes = any(ord(char) < 32 and char != "\n" for char in result[1])
    if result[0] != status or words not in result[1] or result[2] != files or escapes:
        counts["wrong"] += 1
        print(f"wrong: {what}: status {result[0]}, files {result[2]}, report:\n{result[1]}")


def small():
    writer = maker.Writer(KEY, b"\xaa" * 16)
    return writer, maker.Machine(writer, b"\1" * 32, "laptop")


def standard():
    """Entries 1 and 2 with a pack each for one session, entry 3 with the other session inline."""
    writer, laptop = small()
    laptop.new_pack()
    laptop.add(ONE, [("transcript", "", b"", b"one\n")])
    laptop.commit()
    laptop.new_pack()
    laptop.add(ONE, [("transcript", "", b"one\n", b"two\n")])
    laptop.commit()
    laptop.add(TWO, [("transcript", "", b"", b"x\n")])
    laptop.commit()
    logs = [name for name in writer.objects if name.startswith("log/")]
    packs = [name for name in writer.objects if name.startswith("packs/")]
    return writer, logs, packs


def flip(writer, name, position):
    data = bytearray(writer.objects[name])
    data[position] ^= 1
    writer.objects[name] = bytes(data)


def check_store():
    writer, logs, packs = standard()
    case("all well", run(writer), 0, "0 problems", {**WHOLE, **OTHER})
    for position in (0, 15, 30, 4000, -1):
        writer, logs, packs = standard()
        flip(writer, packs[1], position)
        case("pack", run(writer), 1, f"{packs[1]}: InvalidTag: damaged", {**START, **OTHER})
        writer, logs, packs = standard()
        flip(writer, logs[1], position)
        case("entry", run(writer), 1, f"{logs[1]}: InvalidTag: damaged", {**START, **OTHER})
    writer, logs, packs = standard()
    del writer.objects[packs[1]]
    case("no pack", run(writer), 1, f"4 to 8, in {packs[1]}: ValueError: lost", {**START, **OTHER})
    writer, logs, packs = standard()
    del writer.objects[packs[0]]
    case("no first pack", run(writer), 1, f"0 to 4, in {packs[0]}: ValueError: lost",
         {**REST, **OTHER})
    writer, logs, packs = standard()
    del writer.objects[logs[1]]
    case("no entry 2", run(writer), 1, f"entry 2.{logs[1][-8:]} of machine", {**START, **OTHER})
    writer, logs, packs = standard()
    del writer.objects[logs[0]]
    case("no entry 1", run(writer), 1, f"entry 1.{logs[0][-8:]} of machine", {**REST, **OTHER})
    writer, logs, packs = standard()
    first, second = logs[:2]
    writer.objects.update({first: writer.objects[second], second: writer.objects[first]})
    case("swapped entries", run(writer), 1, "InvalidTag: damaged", OTHER)
    writer, logs, packs = standard()
    writer.objects[logs[0][:21] + "999999999999.00000000"] = b"x"
    case("a far number", run(writer), 1, "999999999999.00000000: ValueError: lost, too short", {**WHOLE, **OTHER})
    for size, words in ((4095, "lost, too short or long"), (4096, "InvalidTag: damaged"),
                        (2 ** 26, "InvalidTag: damaged"), (2 ** 26 + 1, "lost, too short or long")):
        writer, logs, packs = standard()
        writer.objects[packs[1]] = bytes(size)
        case("a size", run(writer), 1, words, {**START, **OTHER})
    writer, logs, packs = standard()
    for name in (logs[1] + " (conflicted copy)", ".DS_Store", "log/x", "packs/no/thing"):
        writer.objects[name] = b"x"
    case("droppings", run(writer), 0, "0 problems", {**WHOLE, **OTHER})
    writer, logs, packs = standard()
    for name in logs:
        del writer.objects[name]
    case("no log", run(writer), 1, "no entry can be used", {})


def check_header():
    for header in (None, b"", b"[]", b"{}", b'{"format":1,"vaultId":"aa"}'):
        writer = standard()[0]
        if header is None:
            del writer.objects["claude-sync.json"]
        else:
            writer.objects["claude-sync.json"] = header
        case("lost header", run(writer), 2, "nothing was done", {})
        case("vault id", run(writer, "aa" * 16), 0, "0 problems", {**WHOLE, **OTHER})
    writer = standard()[0]
    header = writer.objects["claude-sync.json"]
    writer.objects["claude-sync.json"] = header.replace(b'"kid":"', b'"kid":"00')
    case("another kid", run(writer), 2, "this key is not the vault's", {})
    writer.objects["claude-sync.json"] = header.replace(b'"format":1', b'"format":2')
    case("newer format", run(writer), 2, "get a newer recover.py", {})


def check_losses():
    """Every set of lost packs of a session in five: nothing that is left may be missing."""
    pieces = [b"one\n", b"two\n", b"three\n", b"four\n", b"five\n"]
    for lost in range(1 << len(pieces)):
        writer, laptop = small()
        for number, piece in enumerate(pieces):
            laptop.new_pack()
            laptop.add(ONE, [("transcript", "", b"".join(pieces[:number]), piece)])
            laptop.commit()
        for number, name in enumerate([n for n in writer.objects if n.startswith("packs/")]):
            if lost >> number & 1:
                writer.objects[name] = b"x"
        expected, run_of = {}, b""
        for number, piece in enumerate([*pieces, None]):
            if piece is not None and not lost >> number & 1:
                run_of += piece
            elif run_of:
                before = b"".join(pieces[:number])
                suffix = "" if before == run_of else f".rest-{sha(before)[:8]}"
                expected[f"{ONE}/{ONE}.jsonl{suffix}"], run_of = run_of, b""
        case(f"lost {lost:05b}", run(writer), 1 if lost else 0, "problems", expected)


def check_machines():
    writer, logs, packs = standard()
    maker.Machine(writer, b"\1" * 32, "clone").commit()
    case("clone", run(writer), 0, "0 problems", {**WHOLE, **OTHER})
    for lost, files in ((1, {**WHOLE, **OTHER}), (2, {**REST, **OTHER})):
        writer, logs, packs = standard()
        desk = maker.Machine(writer, b"\2" * 32, "desk")
        desk.new_pack()
        desk.add(ONE, [("transcript", "", b"", b"on"), ("transcript", "", b"on", b"e\ntwo\n")])
        desk.commit()
        for pack in [name for name in writer.objects if name.startswith("packs/")][::-2][:lost]:
            writer.objects[pack] = b"x"
        case(f"same bytes of two machines, {lost} lost", run(writer), 1, "too short", files)
    # The log that is read first goes on with what stands in the other one.
    writer, laptop = small()
    desk = maker.Machine(writer, b"\2" * 32, "desk")
    laptop.add(ONE, [("transcript", "", b"one\n", b"two\n")])
    laptop.commit()
    desk.add(ONE, [("transcript", "", b"", b"one\n"), ("side/f", "", b"", b"")])
    desk.commit()
    case("the end first", run(writer), 0, "0 problems", {**WHOLE, f"{ONE}/side/f": b""})
    laptop.add(ONE, [("side/f", "", b"", b"x")])
    laptop.commit()
    case("empty first", run(writer), 0, "0 problems", {**WHOLE, f"{ONE}/side/f": b"x"})
    # What one machine has of the end is no rest when the other one has all.
    for cuts in ([b"one\ntwo\n"], [b"one\nt", b"wo\n"]):
        for first in (b"one\n", b"on"):
            writer, laptop = small()
            desk = maker.Machine(writer, b"\2" * 32, "desk")
            for before, new in ((b"", first), (first, b"one\ntwo\n"[len(first):])):
                laptop.new_pack()
                laptop.add(ONE, [("transcript", "", before, new)])
            laptop.commit()
            before = b""
            for new in cuts:
                desk.add(ONE, [("transcript", "", before, new)])
                before += new
            desk.commit()
            lost = [name for name in writer.objects if name.startswith("packs/")][0]
            writer.objects[lost] = b"x"
            case("a rest that is none", run(writer), 1, "1 problems", WHOLE)


def check_envelopes():
    spoiled = [
        lambda frame: bytes(32) + frame[32:],
        lambda frame: frame[:32] + b"CSO2" + frame[36:],
        lambda frame: frame[:37] + b"\1" + frame[38:],
    ]
    for spoil in spoiled:
        writer, laptop = small()
        laptop.commit()
        seal = writer.seal
        writer.seal = lambda *parts, seal=seal, spoil=spoil: seal(*parts, spoil=spoil)
        laptop.add(ONE, [("transcript", "", b"", b"one\n")])
        laptop.commit()
        case("an envelope", run(writer), 1, "it is of another key or version", {})


def check_entries():
    changes = [
        ("get a newer recover.py", {"v": 2}, {}),
        ("needs a newer recover.py", {"ops": [{"op": "surprise"}]}, {}),
        ("entry 2.", {"seq": 3}, START),
        ("TypeError", {"seq": "\x1b"}, {}),
        (f"machine {'0' * 32} is missing", {"machine": "0" * 32}, START),
        ("TypeError", {"ops": None}, {}),
        ("AttributeError", {"ops": [None]}, {}),
        ("TypeError", {"packs": [3]}, {}),
        ("AttributeError", {"heads": []}, {}),
        ("entry 1.00000000 of machine", {"prev": "0" * 64}, START),
        (f"entry 4.cccccccc of machine {'b' * 32} is missing or damaged",
         {"heads": {"b" * 32: {"seq": 4, "hash": "c" * 64}}}, START),
        ("entry \\x1b[2J.cccccccc of machine \\x1b is missing",
         {"heads": {"\x1b": {"seq": "\x1b[2J", "hash": "c" * 64}}}, START),
    ]
    for words, change, files in changes:
        writer, laptop = small()
        laptop.add(TWO, [("transcript", "", b"", b"x\n")])
        laptop.commit()
        laptop.add(ONE, [("transcript", "", b"", b"one\n")])
        laptop.commit(**change)
        case(words, run(writer), 1, words, {**OTHER, **files})
    writer, laptop = small()
    laptop.add(ONE, [("transcript", "", b"", b"one\n")])
    laptop.commit(more={"a": [1, None, True]})
    case("an unknown member", run(writer), 0, "0 problems", START)
    for spaces, status, files in ((2 ** 24 - 10 ** 4, 0, START), (2 ** 24, 1, {})):
        writer, laptop = small()
        laptop.add(ONE, [("transcript", "", b"", b"one\n")])
        laptop.commit(more=" " * spaces)
        words = "too large" if status else "0 problems"
        case("a large entry", run(writer), status, words, files)
    writer, laptop = small()
    laptop.add(ONE, [("transcript", "", b"", b"one\n")])
    del laptop.ops[-1]["project"]
    laptop.commit(prev="1" * 64)
    case("something before entry 1", run(writer), 1, "entry 0.11111111 of machine", START)
    writer, laptop = small()
    laptop.add(ONE, [("transcript", "", b"", b"one\n")])
    laptop.ops.append({"op": "surprise"})
    laptop.commit()
    case("an op of a newer program", run(writer), 1, "needs a newer recover.py", START)


def check_groups():
    def segment(**changes):
        return {"segments": [{"file": "transcript", "gen": "", "off": 0, "len": 100, "mtime": 5,
                              "parent": sha(b""), "hash": sha(b"q" * 100), **changes}]}

    rest = {f"{ONE}/{ONE}.jsonl.rest-{sha(b'q' * 100)[:8]}": b"q" * 100}
    changes = [
        ("length differs", {"raw": 99}, {}),
        ("IndexError", {"in": 1}, {}),
        ("TypeError", {"in": "\x1b[2J"}, {}),
        ("TypeError", {"at": "0"}, {}),
        ("length differs", {"at": 10 ** 6}, {}),
        ("length differs", {"stored": 10}, {}),
        ("unknown compression", {"comp": "br"}, {}),
        ("hash differs", segment(hash="0" * 64), {}),
        ("non-hexadecimal", segment(hash="/../../x", parent="1" * 64, off=5), {}),
        ("beginning is lost", segment(off=1, parent="1" * 64), rest),
        ("TypeError", segment(off="\x1b[2J"), {}),
        ("TypeError", segment(off=[]), {}),
        ("TypeError", segment(len="\x1b[2J"), {}),
        ("TypeError", segment(gen=[]), {}),
        ("hash differs", segment(len=-1), {}),
        ("length differs", {"raw": 50, **segment(len=50, hash=sha(b"q" * 50))}, {}),
        ("length differs", {"raw": 150, **segment(len=150)}, {}),
        ("too large", {"raw": 2 ** 22 + 1, **segment(len=2 ** 22 + 1)}, {}),
        ("too large", {"raw": -2}, {}),
        ("OverflowError", segment(mtime=10 ** 400), {}),
    ]
    for words, change, files in changes:
        writer, laptop = small()
        laptop.add(TWO, [("transcript", "", b"", b"x\n")])
        laptop.add(ONE, [("transcript", "", b"", b"q" * 100)])
        laptop.ops[-1]["groups"][0].update(change)
        laptop.commit()
        case(words, run(writer), 1, words, {**OTHER, **files})
    bomb = maker.zstandard.ZstdCompressor().compress(bytes(2 ** 28))
    writer, laptop = small()
    laptop.add(TWO, [("transcript", "", b"", b"x\n")])
    laptop.add(ONE, [("transcript", "", b"", b"q" * 100)], at=len(laptop.inline), stored=len(bomb))
    laptop.inline = laptop.inline[:laptop.ops[-1]["groups"][0]["at"]] + bomb
    laptop.commit()
    tracemalloc.start()
    case("a bomb", run(writer), 1, "length differs", OTHER)
    case("its size", (1, "", tracemalloc.get_traced_memory()[1] > 2 ** 26), 1, "", False)
    tracemalloc.stop()
    noise = random.Random(1).randbytes(2 ** 22)
    writer, laptop = small()
    for before in (b"", noise):
        laptop.new_pack()
        laptop.add(ONE, [("transcript", "", before, noise)], comp="none")
    laptop.commit()
    case("full groups", run(writer), 0, "0 problems", {f"{ONE}/{ONE}.jsonl": noise + noise})


def check_names():
    hostile = [
        "side/../../../x", "/tmp/x", "side//x", "side/", "side/.", "side/..", "side/a\\b", "", ".",
        "side/a\n", "side/x.", "side/x ", "tasks/../x", "legacy/agent-/../x.jsonl", "..", "C:\\x",
        "side/a:b", "side/\x7f", "side/\x1b[2J", "side/\x9b2J", "side/.Git/config", "side/a/.git",
        "side/" + "a" * 260, "side/" + "a/" * 2100 + "b", "side/\ud800",
    ]

    def escaping(value, ensure_ascii, **options):  # half a character is only in JSON so
        return json.dumps(value, **options)

    for name in hostile:
        writer, laptop = small()
        laptop.add(ONE, [("x", "", b"", b"hostile"), ("transcript", "", b"", b"one\n")])
        laptop.ops[-1]["groups"][0]["segments"][0]["file"] = name
        maker.json = types.SimpleNamespace(dumps=escaping)
        laptop.commit()
        maker.json = json
        case(f"name {name!a}", run(writer), 1, ", which is problem-1: ",
             {**START, "problem-1": b"hostile"})
    for name in ("other", "plans/a plan.md", "memory/a/b.md", "history", "file-history/a/b",
                 "todos/x", "transcript/x", "TRANSCRIPT", "side/" + "a" * 200, "side/a\u00a0b",
                 "side/" + "a/" * 10 + "b", "side/.gitignore", "side/\u00e9@v1", "side/e\u0301",
                 "side/\uff0e\uff0e/x"):
        writer, laptop = small()
        laptop.add(ONE, [(name, "", b"", b"harmless"), ("transcript", "", b"", b"one\n")])
        laptop.commit()
        kept = {f"{ONE}/{name}": b"harmless"}
        case(f"name {name!a}", run(writer), 0, "0 problems", {**START, **kept})
    writer, laptop = small()
    laptop.add(ONE, [(5, "", b"", b"harmless"), ("transcript", "", b"", b"one\n")])
    laptop.commit()
    case("a number", run(writer), 0, "0 problems", {**START, f"{ONE}/5": b"harmless"})
    writer, laptop = small()
    laptop.add(ONE, [("side/x", "", b"", b"1"), ("side/x/y", "", b"", b"2")])
    laptop.commit()
    case("a file and a folder", run(writer), 1, "y, which is problem-1: ",
         {f"{ONE}/side/x": b"1", "problem-1": b"2"})
    for session in ("../../x", "", "problem-1", "C:", ".git"):
        writer, laptop = small()
        laptop.add(TWO, [("transcript", "", b"", b"x\n")])
        laptop.add(session, [("side/x", "", b"", b"1")])
        laptop.commit()
        case(f"session {session}", run(writer), 1, "name is not safe", {**OTHER, "problem-1": b"1"})


def check_twins():
    """Names that are one name on some systems, as they are where case does not count."""
    exists = os.path.lexists

    def folded(path):
        path = str(path)
        names = os.listdir(os.path.dirname(path)) if exists(os.path.dirname(path)) else []
        return os.path.basename(path).casefold() in [name.casefold() for name in names]

    for first, second in (("side/A", "side/a"), ("side/SS", "side/\u00df")):
        writer, laptop = small()
        laptop.add(ONE, [(first, "", b"", b"1"), (second, "", b"", b"2")])
        laptop.commit()
        own = {f"{ONE}/{first}": b"1"}
        case("two names", run(writer), 0, "0 problems", {**own, f"{ONE}/{second}": b"2"})
        os.path.lexists = folded
        case("twins", run(writer), 1, "another file has this name", {**own, "problem-1": b"2"})
        os.path.lexists = exists


def check_generations():
    name, declared = maker.generation("side/f", "", b"old")
    old, new = f"{ONE}/side/f.gen-{sha(b'old')[:8]}", f"{ONE}/side/f"
    cases = [
        ([], b"new", [declared], {new: b"new", old: b"old"}),
        ([], b"", [declared], {new: b"", old: b"old"}),
        ([("side/f", "", b"old", b"er")], b"new", [declared],
         {new: b"new", f"{new}.leaf-{sha(b'older')[:8]}": b"older"}),
        ([], b"new", [], {new: b"new", f"{new}.leaf-{sha(b'old')[:8]}": b"old"}),
    ]
    for appended, rewritten, gens, files in cases:
        writer, laptop = small()
        laptop.add(ONE, [("side/f", "", b"", b"old"), *appended])
        laptop.commit()
        laptop.add(ONE, [("side/f", name, b"", rewritten)], gens=gens)
        laptop.commit()
        case(f"generation {rewritten}", run(writer), 0, "0 problems", files)
    # There and back again: equal contents are one, and the last has the name although it is older.
    writer, laptop = small()
    laptop.seq, gen, before = 9, "", b""
    for content in (b"a", b"b", b"a", b"b", b"a"):
        gens = []
        if before:
            gen, declared = maker.generation("side/f", gen, before)
            gens.append(declared)
        laptop.seq -= 1
        laptop.add(ONE, [("side/f", gen, b"", content)], gens=gens)
        before = content
    laptop.seq, laptop.prev = 0, "0" * 64
    laptop.commit()
    case("there and back", run(writer), 0, "0 problems",
         {new: b"a", f"{new}.gen-{sha(b'b')[:8]}": b"b"})
    # Two contents that were the same, of which one has lost more than the other.
    writer, laptop = small()
    for gen, first, second in (("", b"ab", b"cd"), (name, b"a", b"bcd")):
        laptop.new_pack()
        laptop.add(ONE, [("side/f", gen, b"", first)])
        laptop.new_pack()
        laptop.add(ONE, [("side/f", gen, first, second)])
    laptop.commit()
    for lost in [name for name in writer.objects if name.startswith("packs/")][::2]:
        writer.objects[lost] = b"x"
    result = run(writer)
    kept = [result[2].pop(f"{ONE}/side/f.rest-{sha(b'abcd')[:8]}", None), *result[2].values()]
    case("two rests", (*result[:2], sorted(kept)), 1, "its beginning is lost", [b"bcd", b"cd"])


def check_leaves():
    for swap in (False, True):
        writer, laptop = small()
        laptop.add(ONE, [("transcript", "", b"", b"one\n")])
        laptop.commit()
        new, old = (b"a\n", b"b\n") if swap else (b"b\n", b"a\n")
        for piece in (old, new):  # every entry is a minute later
            laptop.add(ONE, [("transcript", "", b"one\n", piece)])
            laptop.commit()
        name = f"{ONE}/{ONE}.jsonl"
        beside = f"{name}.leaf-{sha(b'one' + bytes([10]) + old)[:8]}"
        case("the newest leaf has the name", run(writer), 0, "0 problems",
             {name: b"one\n" + new, beside: b"one\n" + old})
    writer, laptop = small()
    laptop.add(ONE, [("side/f", "", b"", b"old")], gens=[
        {"file": "side/f", "gen": "", "from": {"gen": "", "hash": sha(b"old")}}])
    laptop.commit()
    case("a generation replaced by itself", run(writer), 0, "0 problems",
         {f"{ONE}/side/f.gen-{sha(b'old')[:8]}": b"old"})


def check_compaction():
    """What a checkpoint or a retirement says again stands in newer entries only."""
    def add(machine, new_pack=True, **changes):
        if new_pack:
            machine.new_pack()
        machine.add(ONE, [("transcript", "", b"", b"one\n")], **changes)

    for op in ("checkpoint", "retire"):
        for left in (0, 1, 2):  # entries and packs that are not deleted yet
            writer, laptop = small()
            desk = maker.Machine(writer, b"\2" * 32, "desk")
            old = []
            for number in (1, 2):
                add(laptop)
                name = laptop.commit()
                old.append((name, [pack for pack in writer.objects if "pack" in pack][-1]))
            heads = {laptop.id: {"seq": 2, "hash": laptop.prev}}
            compacted = {"op": op, "from": 3, "covered": [name[-8:] for name, _ in old]}
            if op == "retire":
                compacted["machine"], compacting = laptop.id, desk
                # Clones wrote entry 1 twice.
                compacted["covered"][0] = "0" * 8 + compacted["covered"][0]
            else:
                compacting = laptop
            add(compacting)
            compacting.ops.append(compacted)
            compacting.commit(heads=heads if op == "retire" else {})
            for name, pack in old[:2 - left]:
                del writer.objects[name]
            for name, pack in old[:]:
                del writer.objects[pack]
            case(f"{op}, {left} left", run(writer), 0, "0 problems", START)
            del writer.objects[[pack for pack in writer.objects if "pack" in pack][-1]]
            case(f"{op}, {left} left, no pack", run(writer), 1, "lost", {})


def check_listing():
    """A folder of the log that cannot be listed is no empty one."""
    def refusing(path, listdir=os.listdir):
        if "log" in str(path):
            raise PermissionError("not yours")
        return listdir(path)

    listdir, os.listdir = os.listdir, refusing
    case("a folder of others", run(standard()[0]), 1, "PermissionError: not yours", {})
    os.listdir = listdir


def check_full_disk():
    """A file that cannot be written to its end does not stay behind looking whole."""
    read, reads = recover.Vault.bytes_of, []

    def failing(vault, piece):
        reads.append(piece)
        if len(reads) == 4:  # two to verify the pieces of the first file, two to write it
            raise OSError("disk full")
        return read(vault, piece)

    recover.Vault.bytes_of = failing
    case("full disk", run(standard()[0]), 1, f"{ONE}/transcript: OSError: disk full",
         {**OTHER, "problem-1": b"one\n"})
    recover.Vault.bytes_of = read


def main():
    check_store()
    check_header()
    check_losses()
    check_machines()
    check_envelopes()
    check_entries()
    check_groups()
    check_names()
    check_twins()
    check_generations()
    check_leaves()
    check_compaction()
    check_listing()
    check_full_disk()
    print(f"{counts['cases']} cases, {counts['wrong']} wrong")
    return 1 if counts["wrong"] else 0


if __name__ == "__main__":
    sys.exit(main())
