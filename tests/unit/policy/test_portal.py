"""An access to a patient's portal: what may be written, and when it is in force."""

import json
from dataclasses import replace
from datetime import date

import pytest

from oathward.policy.portal import BASES, NEEDS, SCOPE, Access, grown_us, standing, unfit

DAY_US = 86_400_000_000
NOW_US = 1_782_907_200_000_000  # 2026-07-01T12:00Z
OWN = Access(
    id="a-1", holder="h-1", subject="s-1", basis="self", scope=frozenset(SCOPE), start_us=NOW_US - DAY_US
)
PARENT = replace(OWN, basis="parent")


def at(access, now_us=NOW_US, born=None):
    return standing(access, now_us, born=born, adult_years=18)


@pytest.mark.parametrize(
    ("access", "born", "answer"),
    [
        (OWN, None, "in-force"),
        (replace(OWN, state="ended"), None, "ended"),
        (replace(OWN, state="hidden"), None, "hidden"),
        (replace(OWN, start_us=NOW_US + 1), None, "early"),
        (replace(OWN, end_us=NOW_US), None, "late"),
        (replace(OWN, end_us=NOW_US + 1), None, "in-force"),
        (PARENT, None, "of-age"),
        (PARENT, date(2020, 1, 1), "in-force"),
        (PARENT, date(2008, 7, 3), "in-force"),
        (PARENT, date(2008, 7, 2), "of-age"),
        (PARENT, date(2008, 7, 1), "of-age"),
        (replace(OWN, basis="guardian"), date(1950, 1, 1), "in-force"),
        (replace(OWN, basis="guardian"), date(2008, 7, 2), "of-age"),
        (replace(OWN, basis="guardian"), None, "in-force"),
        (replace(OWN, basis="wish"), date(2020, 1, 1), "in-force"),
    ],
)
def test_an_access_is_in_force_or_says_why_not(access, born, answer):
    assert at(access, born=born) == answer


def test_whoever_was_born_on_a_leap_day_is_of_age_on_the_first_of_march():
    assert grown_us(date(2008, 2, 29), 18) == grown_us(date(2008, 3, 1), 18)


def test_a_day_of_birth_begins_where_it_begins_first():
    """Midnight at UTC+14 is ten in the morning of the day before at Greenwich."""
    born = date(2008, 7, 2)
    assert at(PARENT, grown_us(born, 18) - 1, born) == "in-force"
    assert at(PARENT, grown_us(born, 18), born) == "of-age"
    assert grown_us(born, 18) == NOW_US - 2 * 3_600_000_000


@pytest.mark.parametrize("basis", BASES)
def test_a_body_is_read_back(basis):
    access = replace(OWN, basis=basis, end_us=NOW_US + DAY_US, scope=frozenset({"see"}), by="p-1")
    assert Access.from_body(access.body()) == access
    assert json.loads(access.body())["as"] == ("self" if basis == "self" else "proxy")


@pytest.mark.parametrize(
    "change",
    [
        {"as": "proxy"},
        {"state": "asleep"},
        {"basis": "cousin"},
        {"scope": ["see", "erase"]},
        {"scope": ["choose"]},
        {"scope": "see"},
        {"start_us": "now"},
        {"end_us": 0},
        {"holder": ""},
        {"subject": 7},
        {"more": 1},
    ],
    ids=str,
)
def test_a_body_with_anything_else_in_it_is_no_access(change):
    body = json.dumps(json.loads(OWN.body()) | change).encode()
    with pytest.raises(ValueError, match="not a body"):
        Access.from_body(body)


def test_what_cannot_be_meant_is_named():
    assert unfit(OWN) == ""
    assert "scope" in unfit(replace(OWN, scope=frozenset()))
    assert "basis" in unfit(replace(OWN, basis="cousin"))
    assert "end" in unfit(replace(OWN, end_us=OWN.start_us))


def test_each_need_is_of_the_scope():
    assert set(NEEDS.values()) <= set(SCOPE)
