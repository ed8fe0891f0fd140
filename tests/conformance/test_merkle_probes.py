"""The probes of transparency-dev/merkle: accepted or refused as each file says."""

import base64
import json

import pytest
from tests.corpus import CORPUS, needs_corpus

from oathward.core.errors import LedgerError
from oathward.ledger import merkle

PROBES = CORPUS / "proofs-identity" / "merkle-probes"
FILES = sorted(PROBES.rglob("*.json")) if PROBES.is_dir() else []

pytestmark = [needs_corpus, pytest.mark.corpus]


def unpack(text: str | None) -> bytes:
    return base64.b64decode(text or "")


def judge(probe: dict) -> None:
    proof = [unpack(p) for p in probe["proof"] or []]
    if "leafIdx" in probe:
        merkle.check_inclusion(
            probe["leafIdx"], probe["treeSize"], unpack(probe["leafHash"]), proof, unpack(probe["root"])
        )
    else:
        merkle.check_consistency(
            probe["size1"], probe["size2"], unpack(probe["root1"]), unpack(probe["root2"]), proof
        )


@pytest.mark.parametrize("file", FILES, ids=lambda f: str(f.relative_to(PROBES)))
def test_probe(file):
    probe = json.loads(file.read_text())
    if probe["wantErr"]:
        with pytest.raises(LedgerError):
            judge(probe)
    else:
        judge(probe)


def test_the_probes_are_there_and_of_both_kinds():
    wants = [json.loads(f.read_text())["wantErr"] for f in FILES]
    assert len(wants) >= 50
    assert {True, False} == set(wants)
