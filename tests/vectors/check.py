#!/usr/bin/python3
"""Checks tests/recover.py against the known answers in this folder; README.md explains them.

It must read every valid vector. An invalid one must be refused by it or by strict.py, which has
those rules of the format that a recovery tool need not insist on and accepts every valid vector.

To turn a record into a vault it borrows the sealing of tests/testdata/vaults/make_v1.py, which is
Python too: no line of claude-sync takes part. Prints what is wrong; exit status 1 if anything is.
"""
import base64
import contextlib
import hashlib
import io
import json
import os
import sys
import tempfile

import zstandard
from cryptography.exceptions import InvalidTag

HERE = os.path.dirname(os.path.abspath(__file__))
sys.dont_write_bytecode = True
sys.path[:0] = [os.path.dirname(HERE), os.path.join(HERE, "..", "testdata", "vaults")]
import make_v1  # noqa: E402
import recover  # noqa: E402
import strict  # noqa: E402
from recover import hkdf  # noqa: E402
from strict import label, lp  # noqa: E402

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
    except (InvalidTag, ValueError, LookupError, TypeError, zstandard.ZstdError):
        return True


def check_keys():
    for item in load("keys")["epochs"]:
        root = bytes.fromhex(item["root"])
        epoch = hkdf(root, "epoch-data")
        found = (hkdf(root, "key-id", size=16), epoch, hkdf(root, "keychain"),
                 hkdf(epoch, "object"))
        names = ("kid", "epochData", "keychain", "object")
        check(f"keys: {item['root']}", [part.hex() for part in found] == [item[n] for n in names])
    for item in load("keys")["machines"]:
        machine = make_v1.Machine(make_v1.Writer(ROOT, bytes(16)), bytes.fromhex(item["seed"]), "")
        check(f"keys: {item['seed']}", machine.id == item["machineId"]
              and [key.hex() for key in machine.public] == [item["signPublic"], item["kemPublic"]]
              and machine.signer.sign(item["message"].encode()).hex() == item["signature"])
    for item in load("keys")["texts"]:
        text = item["text"].encode()
        if item["key"]:
            key = recover.parse_key(text).hex()
            check(f"keys: text, {item['reason']}", key == item["key"])
        elif item["reason"] != "unused bits set":  # such a slip still leaves the key readable
            check(f"keys: text, {item['reason']}", refused(recover.parse_key, text))


def open_envelope(item, folder):
    """The payload, for which recover.py and strict.py both have to accept the object."""
    vault = recover.Vault(folder, bytes.fromhex(item["root"]), item["vaultId"])
    if item["type"] == "keychain":
        vault.secret = hkdf(bytes.fromhex(item["root"]), "keychain")
    data, path = base64.b64decode(item["object"]), os.path.join(folder, item["objectName"])
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as file:
        file.write(data)
    payload = vault.open(item["type"], item["objectName"])
    strict.envelope(data, item["type"], item["objectName"], vault.vault_id, vault.kid, vault.secret)
    return payload


def check_envelope(folder):
    for item in load("envelope")["valid"]:
        data = base64.b64decode(item["object"])
        payload = base64.b64decode(item["payload"])
        check(f"envelope: {item['name']}", open_envelope(item, folder) == payload
              and hashlib.sha256(data).hexdigest() == item["sha256"])
    for item in load("envelope")["invalid"]:
        check(f"envelope: {item['name']}", refused(open_envelope, item, folder))
    for item in load("padme")["padme"]:
        check(f"padme: {item['length']}", strict.padme(item["length"]) == item["padded"])
    for item in load("padme")["sealed"]:
        check(f"padme: {item}", max(4096, strict.padme(84 + item["payload"])) == item["object"])


def check_groups():
    for item in load("group")["valid"]:
        stored = (item["comp"], base64.b64decode(item["stored"]), item["raw"])
        raw = recover.expand(*stored)
        check(f"group: {item['name']}", raw == base64.b64decode(item["bytes"])
              and not refused(strict.group, *stored))
    for item in load("group")["invalid"]:
        stored = (item["comp"], base64.b64decode(item["stored"]), item["raw"])
        check(f"group: {item['name']}",
              refused(recover.expand, *stored) or refused(strict.group, *stored))


def read_records(folder, records, vault_id):
    """(what recover.py reports of a vault of these records, the vault)."""
    writer = make_v1.Writer(ROOT, bytes.fromhex(vault_id))
    for record in records:
        place = record["expected"]
        name = f"log/{place['tag']}/{place['seq']:012}.{place['hash8']}"
        writer.seal("log", name, base64.b64decode(record["payload"]))
    writer.save(folder)
    vault = recover.Vault(folder, ROOT)
    report = io.StringIO()
    with contextlib.redirect_stderr(report):
        vault.read_log()
        for starts in vault.files.values():
            for piece in sum(starts.values(), []):
                if piece.group[0] == "log":  # the packs do not exist
                    with vault.noting("a group"):
                        vault.bytes_of(piece)
    # Nor are the machines there that `heads` names.
    return [line for line in report.getvalue().splitlines() if ": log: " not in line], vault


def strictly(item, vault_id, owner):
    """A record's hash, for which strict.py has to accept the record."""
    payload = base64.b64decode(item["payload"])
    end = 8 + int.from_bytes(payload[:4], "big")
    kid = hkdf(ROOT, "key-id", size=16).hex()
    strict.body(item["body"].encode(), kid, owner.id, payload[end + 64:])
    return strict.record(payload, item["expected"], bytes.fromhex(vault_id), owner.public[0])


def check_records(folder):
    known = load("record")
    seed = bytes.fromhex(known["seed"])
    owner = make_v1.Machine(make_v1.Writer(ROOT, bytes(16)), seed, "")
    for number, item in enumerate(known["valid"]):
        chain, payload = known["valid"][:number + 1], base64.b64decode(item["payload"])
        where = os.path.join(folder, f"valid{number}")
        report, vault = read_records(where, chain, known["vaultId"])
        found = (owner.id, item["expected"]["seq"], item["entryHash"][:8])
        check(f"record: {item['name']}: {report}", not report and found in vault.known
              and sum(machine == owner.id for machine, _, _ in vault.known) == len(chain) + 1
              and strictly(item, known["vaultId"], owner) == item["entryHash"]
              and payload.endswith(bytes.fromhex(item["signature"])
                                   + base64.b64decode(item["inline"])))
    for number, item in enumerate(known["invalid"]):
        if item["expected"]["seq"] == 1 and item["expected"]["signPublic"]:
            continue  # whose log it was before: only a program that remembers can tell
        before = known["valid"][:1] if item["expected"]["seq"] > 1 else []
        where = os.path.join(folder, f"invalid{number}")
        report, _ = read_records(where, before + [item], known["vaultId"])
        check(f"record: {item['name']}", report or refused(strictly, item, known["vaultId"], owner))


def check_headers(folder):
    path = os.path.join(folder, "claude-sync.json")
    known = load("header")
    for item in known["valid"] + known["invalid"]:
        text = item["text"].encode()
        with open(path, "wb") as file:
            file.write(text)
        if item in known["valid"]:
            check(f"header: {item['reason']}", not refused(recover.Vault, folder, ROOT)
                  and not refused(strict.header, text))
        else:
            check(f"header: {item['reason']}",
                  refused(recover.Vault, folder, ROOT) or refused(strict.header, text))


def check_names():
    known = load("names")
    for item in known["log"]:
        name = f"log/{item['tag']}/{item['seq']:012}.{item['hash8']}"
        check(f"names: {name}", recover.LOG_NAME.fullmatch(name) and name == item["name"])
    for name in known["pack"]:
        check(f"names: {name}", strict.PACK_NAME.fullmatch(name))
    for name in known["stranger"]:
        check(f"names: {name}", not recover.LOG_NAME.fullmatch(name)
              and not strict.PACK_NAME.fullmatch(name))
    for item in load("generation")["valid"]:
        origin = item["from"]
        digest = hashlib.sha256(label("generation") + lp(origin["gen"].encode())
                                + lp(bytes.fromhex(origin["hash"])))
        check(f"generation: {item['gen']}", digest.hexdigest()[:32] == item["gen"])


def main():
    check_keys()
    check_groups()
    check_names()
    with tempfile.TemporaryDirectory() as folder:
        check_envelope(folder)
        check_records(folder)
        check_headers(folder)
    for what in wrong:
        print(f"wrong: {what}")
    print(f"{checked} known answers, {len(wrong)} wrong")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
