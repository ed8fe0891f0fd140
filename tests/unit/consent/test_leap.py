"""The consent cases of the LEAP project against the decisions it expects (GOLD.md beside them)."""

import datetime as dt

import pytest
from tests.corpus import CORPUS, needs_corpus

from oathward.consent.fhir.reader import read
from oathward.consent.query import Query, ask
from oathward.core.clock import micros
from oathward.protocols.fhir.json import loads

FOLDER = CORPUS / "fhir/leap-consent-fixtures"
NOW_US = micros(dt.datetime(2026, 11, 22, tzinfo=dt.UTC))
EXPECTED = {"CONSENT_PERMIT": "permit", "CONSENT_DENY": "deny", "NO_CONSENT": "none"}
SOMEBODY = frozenset({"test-system|test-value"})
ACTORS = {
    "requesting actor is the organization that a deny provision names": SOMEBODY | {"Organization/54"},
    "requesting actor is the practitioner that a deny provision names": SOMEBODY | {"Practitioner/001"},
}
"""What the case names the requester; the organization and the practitioner as their consents refer to them."""


def cases() -> list[tuple[str, str, str, str]]:
    """Rows of GOLD.md: case, consent, decision, obligations."""
    if not FOLDER.is_dir():
        return []
    rows = [line.strip("| \n").split(" | ") for line in (FOLDER / "GOLD.md").read_text().splitlines()]
    return [tuple(row) for row in rows if len(row) == 4 and set(row[0]) != {"-"} and row[0] != "case"]


@needs_corpus
@pytest.mark.parametrize("case", cases() or [None], ids=lambda case: case[0] if case else "absent")
def test_the_decisions_of_leap(case):
    name, consent, decision, obligations = case
    body = (FOLDER / f"consents/r4/consent-boris-{consent}.json").read_bytes()
    found = read(loads(body), body)
    answer = ask(found.statements, Query("TREAT", ACTORS.get(name, SOMEBODY), NOW_US))
    assert answer.word == EXPECTED[decision]
    assert obligations == "none"
    assert not any("codes" in s.fact.more() or "labels" in s.fact.more() for s in answer.by)
    if decision == "CONSENT_DENY":
        assert [s.source.split()[2] for s in answer.by] == ["provision.provision[0]"]


@needs_corpus
def test_every_case_is_run():
    assert len(cases()) == 6
    assert {row[2] for row in cases()} == set(EXPECTED)
