"""Promises about reasons: what each takes, what it does not, and that the first by the published order wins."""

import time

import pytest

from oathward.accesses import explaining
from oathward.accesses.model import Evidence, Glass, Opening
from oathward.vault.care_rows import Assignment, Stay

T = 1_800_000_000_000_000
HOUR = 3_600_000_000
UNIT = "HOSP|ICU"


def opening(**more):
    return Opening(**{"index": 1, "kind": "keeper.opened", "at_us": T, "person": "p-1", "subject": "s", "purpose": "TREAT"} | more)  # fmt: skip


def stay(subject="s", unit=UNIT, begun_us=T - HOUR, ended_us=None, said_us=T - HOUR, place_us=T - HOUR):
    return Stay(subject, b"v", unit, (), begun_us, ended_us, said_us, begun_us, place_us, place_us, T, "m")


def standing(*stays):
    return {"stays": {"s": stays}}


def held(unit="", subject="", from_us=T - HOUR, until_us=T + HOUR):
    return {"assignments": {"p-1": (Assignment("a", "p-1", unit, subject, from_us, until_us, "list"),)}}


def glass(from_us=T - HOUR, until_us=T + HOUR, subject="s", person="p-1"):
    return {"glasses": {"p-1": (Glass(person, subject, from_us, until_us),)}}


DEVICE = {
    "sent_by": {"m1": "pump-1"},
    "owners": {"pump-1": "E77"},
    "aliases": {"p-1": frozenset({"p-1", "E77"})},
}
RELEASED = {"released": {("p-1", "m1"): T - HOUR}}
CASES = [
    ("attending", {"basis": "attending", "unit": UNIT}, standing(stay())),
    ("unit", {"basis": "unit", "unit": UNIT}, standing(stay())),
    ("assignment", {}, held(subject="s")),
    ("shift", {}, standing(stay()) | held(unit=UNIT)),
    ("device", {"messages": ("m1",)}, DEVICE),
    ("privacy-work", {"messages": ("m1",)}, RELEASED),
    ("break-glass", {}, glass()),
]
NONE = [
    ("the keeper's word without a stay", {"basis": "attending", "unit": UNIT}, {}),
    ("a stay at another unit", {"basis": "unit", "unit": UNIT}, standing(stay(unit="HOSP|WARD"))),
    ("a stay that had ended", {"basis": "unit", "unit": UNIT}, standing(stay(ended_us=T - 1))),
    ("a stay that had not begun", {"basis": "unit", "unit": UNIT}, standing(stay(begun_us=T + 1))),
    ("a unit without the keeper's word", {}, standing(stay())),
    ("an assignment that was over", {}, held(subject="s", until_us=T)),
    ("an assignment yet to come", {}, held(subject="s", from_us=T + 1)),
    ("an assignment of another patient", {}, held(subject="other")),
    ("a shift where the patient was not", {}, standing(stay(unit="HOSP|WARD")) | held(unit=UNIT)),
    ("a shift after the discharge", {}, standing(stay(ended_us=T - 1)) | held(unit=UNIT)),
    ("a glass that had ended", {}, glass(until_us=T)),
    ("a glass of another patient", {}, glass(subject="other")),
    ("a device of somebody else", {"messages": ("m1",)}, DEVICE | {"owners": {"pump-1": "E78"}}),
    ("one of two devices", {"messages": ("m1", "m2")}, DEVICE),
    ("a device nobody answers for", {"messages": ("m2",)}, DEVICE),
    ("a release of other messages", {"messages": ("m1", "m2")}, RELEASED),
    ("a release of long ago", {"messages": ("m1",)}, {"released": {("p-1", "m1"): T - 25 * HOUR}}),
    ("a release afterwards", {"messages": ("m1",)}, {"released": {("p-1", "m1"): T + 1}}),
    ("a release somebody else ordered", {"messages": ("m1",)}, {"released": {("p-2", "m1"): T}}),
    ("nothing", {}, {}),
]


def ids(one, evidence):
    [found] = explaining.explain([one], Evidence(**evidence))
    return [reason.id for reason in found.reasons], found


@pytest.mark.parametrize(("reason", "what", "evidence"), CASES, ids=[case[0] for case in CASES])
def test_each_reason_explains_what_it_is_for(reason, what, evidence):
    found, explained = ids(opening(**what), evidence)
    assert found == [reason]
    assert not explained.wants_review


@pytest.mark.parametrize(("what", "evidence"), [case[1:] for case in NONE], ids=[case[0] for case in NONE])
def test_what_is_nearly_a_reason_is_none(what, evidence):
    found, explained = ids(opening(**what), evidence)
    assert found == []
    assert explained.wants_review


def test_every_reason_has_a_case_words_and_what_it_does_not_claim():
    reasons = explaining.reasons()
    assert {one.id for one in reasons} == {case[0] for case in CASES}
    assert all(one.words and one.claims_not and one.text == f"access.{one.id}" for one in reasons)
    assert len({one.order for one in reasons}) == len(reasons)


def test_the_first_by_order_wins_and_all_are_listed():
    found, explained = ids(opening(basis="unit", unit=UNIT), standing(stay()) | held(unit=UNIT) | glass())
    assert found == ["break-glass", "unit", "shift"]
    assert explained.reason.id == "break-glass"


def test_what_was_known_then_counts():
    """A discharge told later takes nothing back, and neither does a transfer."""
    late = stay(ended_us=T - HOUR, said_us=T + HOUR)
    assert ids(opening(basis="unit", unit=UNIT), standing(late))[0] == ["unit"]
    moved = stay(unit="HOSP|WARD", place_us=T + HOUR)
    assert ids(opening(basis="attending", unit=UNIT), standing(moved))[0] == ["attending"]


def test_what_was_said_of_the_other_number_counts():
    together = {"together": {"s": frozenset({"s", "older"})}}
    assert ids(opening(), held(subject="older") | together)[0] == ["assignment"]
    assert ids(opening(), glass(subject="older") | together)[0] == ["break-glass"]


def test_a_search_that_found_nobody_is_nobodys_opening():
    _, explained = ids(opening(subject="", kind="patient.sought"), {})
    assert not explained.wants_review


def test_ten_thousand_openings_are_explained_in_time():
    some = [opening(index=n, basis="unit", unit=UNIT) for n in range(10_000)]
    began_s = time.process_time()
    found = explaining.explain(some, Evidence(**standing(stay()), **held(unit=UNIT)))
    assert time.process_time() - began_s < 5.0
    assert all(len(one.reasons) == 2 for one in found)
