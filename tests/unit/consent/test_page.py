"""``docs/reference/consent.md`` says what the code does: remarks, words and the table of nested provisions."""

from pathlib import Path

import pytest

from oathward.consent import provisions
from oathward.consent.fhir import words
from oathward.consent.fhir.parts import REMARKS
from oathward.consent.provisions import Provision, flatten
from oathward.policy.consents import Box

PAGE = (Path(__file__).resolve().parents[3] / "docs/reference/consent.md").read_text()
A, B, C = Box(purposes=frozenset({"TREAT"})), Box(recipients=frozenset({"x"})), Box(codes=frozenset({"LN|1"}))
NAMES = {
    Box(): "A",
    A: "A",
    Box(A.purposes, B.recipients): "A∩B",
    Box(A.purposes, codes=C.codes): "A∩C",
    Box(A.purposes, B.recipients, codes=C.codes): "A∩B∩C",
}


def rule(type_, box, *nested):
    return Provision(type_, (box,), (box,), "", nested)


ROWS = {
    "permit A | —": rule("permit", A),
    "permit A | deny B": rule("permit", A, rule("deny", B)),
    "permit A | deny B, in it permit C": rule("permit", A, rule("deny", B, rule("permit", C))),
    "deny A | —": rule("deny", A),
    "deny A | permit B": rule("deny", A, rule("permit", B)),
    "deny A | permit B, in it deny C": rule("deny", A, rule("permit", B, rule("deny", C))),
    "deny A | deny B": rule("deny", A, rule("deny", B)),
    "deny A | deny B, in it permit C": rule("deny", A, rule("deny", B, rule("permit", C))),
    "permit A | permit B": rule("permit", A, rule("permit", B)),
    "no type, A | permit B, deny C": rule(None, A, rule("permit", B), rule("deny", C)),
}


@pytest.mark.parametrize("row", ROWS)
def test_nested_provisions_become_what_the_page_says(row):
    said = [
        f"{'permit' if one.permit else 'deny'} {NAMES[one.box]}"
        + "".join(f" except {NAMES[box]}" for box in one.unless)
        for one in flatten(ROWS[row])
    ]
    assert f"| {row} | {'; '.join(said)} |" in PAGE
    assert len([line for line in PAGE.splitlines() if "∩" in line and line.startswith("|")]) == len(ROWS) - 2


def test_every_remark_stands_there_with_its_words():
    assert [code for code, text in REMARKS.items() if f"| `{code}` | {text} |" not in PAGE] == []


def test_the_words_of_the_tables_stand_there():
    known = [*words.SCOPES, *words.BASES, *words.RECIPIENT_ROLES, *words.ACTIONS]
    assert [word for word in known if word not in PAGE] == []
    assert "permit A∩B∩C" in (provisions.__doc__ or "")
