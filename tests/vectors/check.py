#!/usr/bin/python3
"""Checks tests/recover.py against the known answers in this folder; README.md explains them.

To turn a record into a vault it borrows the sealing of tests/testdata/vaults/make_v1.py, which is
Python too: no line of claude-sync takes part. Prints what is wrong; exit status 1 if anything is.
"""
import base64
import contextlib
import hashlib
import json
import os
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.dont_write_bytecode = True
sys.path[:0] = [os.path.dirname(HERE), os.path.join(HERE, "..", "testdata", "vaults")]
import make_v1  # noqa: E402
import recover  # noqa: E402
from recover import Damaged, Hopeless, hkdf, label, lp  # noqa: E402

ROOT = bytes(range(32))
wrong, checked = [], 0


def load(name):
    with open(os.path.join(HERE, name + ".json"), encoding="utf-8") as file:
        return json.load(file)


def check(what, holds):
    global checked
    checked += 1
    if not holds:
        wrong.append(what)


def refused(action, *arguments):
    try:
        action(*arguments)
        return False
    except (Damaged, Hopeless):
        return True


def check_keys():
    for item in load("keys")["epochs"]:
        root = bytes.fromhex(item["root"])
        epoch = hkdf(root, label("epoch-data"))
        found = (hkdf(root, label("key-id"), 16), epoch, hkdf(root, label("keychain")),
                 hkdf(epoch, label("object")))
        names = ("kid", "epochData", "keychain", "object")
        check(f"keys: {item['root']}", [part.hex() for part in found] == [item[n] for n in names])
    for item in load("keys")["machines"]:
        machine = make_v1.Machine(make_v1.Writer(ROOT, bytes(16)), bytes.fromhex(item["seed"]), "")
        vault = recover.Vault(HERE, ROOT, bytes(16))
        ops = [{"op": "enrol", "name": "", "sign": item["signPublic"], "kem": item["kemPublic"]}]
        signers = {}
        check(f"keys: {item['seed']}", not refused(vault.enrol, 1, item["machineId"], ops, signers)
              and [key.hex() for key in machine.public] == [item["signPublic"], item["kemPublic"]])
        signers[item["machineId"]].verify(bytes.fromhex(item["signature"]),
                                          item["message"].encode())
    for item in load("keys")["texts"]:
        try:
            key = recover.parse_key(item["text"].encode()).hex()
        except Hopeless:
            key = None
        check(f"keys: text, {item['reason']}", key == item["key"])


def open_envelope(item):
    root = bytes.fromhex(item["root"])
    secret = (hkdf(root, label("keychain")) if item["type"] == "keychain"
              else hkdf(hkdf(root, label("epoch-data")), label("object")))
    return recover.open_object(base64.b64decode(item["object"]), item["type"], item["objectName"],
                               bytes.fromhex(item["vaultId"]), hkdf(root, label("key-id"), 16),
                               secret)


def check_envelope():
    for item in load("envelope")["valid"]:
        data = base64.b64decode(item["object"])
        check(f"envelope: {item['name']}", open_envelope(item) == base64.b64decode(item["payload"])
              and hashlib.sha256(data).hexdigest() == item["sha256"])
    for item in load("envelope")["invalid"]:
        check(f"envelope: {item['name']}", refused(open_envelope, item))
    for item in load("padme")["padme"]:
        check(f"padme: {item['length']}", recover.padme(item["length"]) == item["padded"])
    for item in load("padme")["sealed"]:
        check(f"padme: {item}", max(4096, recover.padme(84 + item["payload"])) == item["object"])


def check_groups():
    for item in load("group")["valid"]:
        raw = recover.expand(item["comp"], base64.b64decode(item["stored"]), item["raw"])
        check(f"group: {item['name']}", raw == base64.b64decode(item["bytes"]))
    for item in load("group")["invalid"]:
        check(f"group: {item['name']}", refused(
            recover.expand, item["comp"], base64.b64decode(item["stored"]), item["raw"]))


def read_record(folder, records, vault_id):
    """What a vault of these records reads as: (entries, vault)."""
    writer = make_v1.Writer(ROOT, bytes.fromhex(vault_id))
    for record in records:
        place = record["expected"]
        name = f"log/{place['tag']}/{place['seq']:012}.{place['hash8']}"
        writer.seal("log", name, base64.b64decode(record["payload"]))
    writer.save(folder)
    vault = recover.Vault(folder, ROOT)
    entries = vault.read_log(False)
    sessions = recover.collect(vault, entries)[0]
    for files in sessions.values():
        for states in files.values():
            for into in states.into.values():
                for segment in sum(into.values(), []):
                    if segment.group.pack is None:  # the packs do not exist
                        with vault.noting("group"):
                            vault.group_bytes(segment.group)
    return entries, vault


def alarms(vault):
    return [problem for problem in vault.problems if problem[0] != "incomplete"]


def check_records(folder):
    known = load("record")
    for number, item in enumerate(known["valid"]):
        chain = known["valid"][:number + 1]
        where = os.path.join(folder, f"valid{number}")
        entries, vault = read_record(where, chain, known["vaultId"])
        name = entries[-1].name if entries else ""
        body, signature, inline = vault.log_record(name)[:3] if entries else (b"", b"", b"")
        check(f"record: {item['name']}: {alarms(vault)}",
              len(entries) == len(chain) and not alarms(vault)
              and entries[-1].hash == item["entryHash"] and body.decode() == item["body"]
              and signature.hex() == item["signature"]
              and inline == base64.b64decode(item["inline"]))
    for number, item in enumerate(known["invalid"]):
        if item["expected"]["seq"] == 1 and item["expected"]["signPublic"]:
            continue  # whose log it was before: only a program that remembers can tell
        before = known["valid"][:1] if item["expected"]["seq"] > 1 else []
        where = os.path.join(folder, f"invalid{number}")
        _, vault = read_record(where, before + [item], known["vaultId"])
        check(f"record: {item['name']}", alarms(vault))


def check_headers(folder):
    path = os.path.join(folder, "claude-sync.json")
    known = load("header")
    for item in known["valid"] + known["invalid"]:
        with open(path, "wb") as file:
            file.write(item["text"].encode())
        check(f"header: {item['reason']}",
              refused(recover.Vault, folder, ROOT) == (item in known["invalid"]))


def check_names():
    known = load("names")
    for item in known["log"]:
        match = recover.LOG_NAME.fullmatch(item["name"])
        check(f"names: {item['name']}", match and
              (match[1], int(match[2]), match[3]) == (item["tag"], item["seq"], item["hash8"]))
    for name in known["pack"]:
        check(f"names: {name}", recover.PACK_NAME.fullmatch(name))
    for name in known["stranger"]:
        check(f"names: {name}", not recover.LOG_NAME.fullmatch(name)
              and not recover.PACK_NAME.fullmatch(name))
    for item in load("generation")["valid"]:
        origin = item["from"]
        digest = hashlib.sha256(label("generation") + lp(origin["gen"].encode())
                                + lp(bytes.fromhex(origin["hash"])))
        check(f"generation: {item['gen']}", digest.hexdigest()[:32] == item["gen"])


def main():
    check_keys()
    check_envelope()
    check_groups()
    check_names()
    with tempfile.TemporaryDirectory() as folder, open(os.devnull, "w") as nowhere:
        with contextlib.redirect_stderr(nowhere):  # what recover.py reports
            check_records(folder)
            check_headers(folder)
    for what in wrong:
        print(f"wrong: {what}")
    print(f"{checked} known answers, {len(wrong)} wrong")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
