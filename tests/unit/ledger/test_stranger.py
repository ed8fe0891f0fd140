"""A proof is checked by programs that are none of ours: one file of plain Python, and openssl with a few lines of hashing."""

import base64
import hashlib
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from tests.unit.ledger import sample
from tests.unit.ledger.sample import LOG, SITE, WITNESS

from oathward.core.db import read
from oathward.ledger import note, offline, stranger

KEY, WITNESS_KEY = note.encode_key(LOG), note.encode_key(WITNESS, note.COSIGNATURE)
FILE = Path(stranger.__file__)


def proof_of(engine, index):
    with read(engine) as db:
        return offline.prove(db, SITE, index)


@pytest.mark.parametrize("index", [0, 1, 255, 256, 400, 659])
def test_the_file_holds_for_a_stranger_and_names_the_witness(engine, index):
    first, witness, record = stranger.check(proof_of(engine, index), KEY, [WITNESS_KEY])
    assert first == f"It holds: record {index} of 660 stands in the log {LOG.name}."
    assert WITNESS.name in witness
    assert json.loads(record)["kind"]


def test_it_runs_alone_without_anything_of_ours(engine, folder):
    (folder / "check.py").write_bytes(FILE.read_bytes())
    (folder / "p").write_text(proof_of(engine, 400))
    (folder / "key").write_text(KEY + "\n")

    def run(*given):
        return subprocess.run([sys.executable, "-I", "check.py", *given], cwd=folder, capture_output=True, check=False, text=True)  # fmt: skip

    done = run("p", "key", WITNESS_KEY)
    assert (done.returncode, done.stderr) == (0, "")
    assert "It holds: record 400" in done.stdout
    (folder / "p").write_text(proof_of(engine, 400).replace("index 400", "index 401"))
    assert run("p", KEY).returncode == 1
    assert run("p").returncode == 2
    for given, said in {
        ("nothing", KEY): "nothing cannot be read",
        ("p", "no key"): "not the log's key",
        ("p", WITNESS_KEY): "not the log's key",
        ("p", KEY, "no key"): "not a witness's key",
    }.items():
        done = run(*given)
        assert (done.returncode, done.stderr) == (2, "")
        assert done.stdout.startswith("Nothing was checked: "), (
            "a mistake in asking says nothing about the record"
        )
        assert said in done.stdout
    assert not re.search(r"^\s*(?:import|from) (?!base64|json|sys|hashlib|pathlib|__future__)", FILE.read_text(), re.MULTILINE)  # fmt: skip


def test_no_changed_byte_holds(engine):
    proof = proof_of(engine, 300)
    last = proof.index("\u2014 " + WITNESS.name)
    unseen = []
    for at in range(0, last, 3):
        other = "B" if proof[at] == "A" else "A"
        try:
            lines = stranger.check(proof[:at] + other + proof[at + 1 :], KEY, [])
        except (stranger.Wrong, ValueError):
            continue
        unseen.append((at, lines[0]))
    assert unseen == []


def test_a_changed_cosignature_is_not_taken(engine):
    proof = proof_of(engine, 300)
    at = proof.index("\u2014 " + WITNESS.name) + len(WITNESS.name) + 40
    changed = proof[:at] + ("A" if proof[at] != "A" else "B") + proof[at + 1 :]
    with pytest.raises(stranger.Wrong):
        stranger.check(changed, KEY, [WITNESS_KEY])


def test_another_key_and_no_key_do_not_hold(engine):
    other = note.encode_key(sample.Signer(LOG.name, b"\x05" * 32))
    with pytest.raises(stranger.Wrong, match="did not sign"):
        stranger.check(proof_of(engine, 3), other, [])
    for key in ("", "x", KEY[:-4], WITNESS_KEY, KEY.replace("ward", "yard")):
        with pytest.raises((stranger.Wrong, ValueError)):
            stranger.check(proof_of(engine, 3), key, [])
    unknown = note.encode_key(sample.Signer("witness.test/w2", b"\x06" * 32), note.COSIGNATURE)
    assert "did not sign it" in stranger.check(proof_of(engine, 3), KEY, [unknown])[1]


@pytest.mark.skipif(shutil.which("openssl") is None, reason="no openssl here")
@pytest.mark.parametrize("index", [8, 300, 659])
def test_openssl_and_hashlib_agree(engine, folder, index):
    """As docs/how-to/verify.md says it by hand, with nothing of the checker above."""
    head, _, signed = proof_of(engine, index).partition("\n\n")
    text, _, lines = signed.partition("\n\n")
    line = next(one for one in lines.split("\n") if one.startswith(f"\u2014 {LOG.name} "))
    (folder / "text").write_text(text + "\n")
    (folder / "sig").write_bytes(base64.b64decode(line.split(" ")[2])[4:])
    der = bytes.fromhex("302a300506032b6570032100") + base64.b64decode(KEY.split("+", 2)[2])[1:]
    (folder / "key.der").write_bytes(der)

    def openssl():
        command = ["openssl", "pkeyutl", "-verify", "-pubin", "-keyform", "DER", "-inkey", "key.der", "-rawin", "-in", "text", "-sigfile", "sig"]  # fmt: skip
        return subprocess.run(command, cwd=folder, capture_output=True, check=False).returncode

    assert openssl() == 0
    size, root = int(text.split("\n")[1]), base64.b64decode(text.split("\n")[2])
    path = [base64.b64decode(one) for one in head.split("\n")[3:]]
    assert climb(base64.b64decode(head.split("\n")[1][6:]), index, size, path) == root
    (folder / "text").write_text(text.replace(str(size), str(size + 1)) + "\n")
    assert openssl() != 0


def climb(entry, index, size, path):
    """The root as RFC 6962 §2.1.1 defines the path: from the top down, another way than the checker's."""
    if size == 1:
        assert not path
        return hashlib.sha256(b"\x00" + entry).digest()
    half = 1 << (size - 1).bit_length() - 1
    if index < half:
        left, right = climb(entry, index, half, path[:-1]), path[-1]
    else:
        left, right = path[-1], climb(entry, index - half, size - half, path[:-1])
    return hashlib.sha256(b"\x01" + left + right).digest()
