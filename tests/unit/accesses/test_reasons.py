"""Promises about reasons: what each takes, what it does not, and that the first by the published order wins."""

import pytest

from oathward.accesses import explaining
from oathward.accesses.explaining import explain, opening_of
from oathward.accesses.facts import facts
from oathward.accesses.model import Duty, Evidence, Glass, Opening
from oathward.ledger import Entry
from oathward.vault.care_orders import Order
from oathward.vault.care_rows import Assignment, Stay

T = 1_800_000_000_000_000
HOUR = 3_600_000_000
UNIT = "HOSP|ICU"


def opening(**more):
    return Opening(**{"index": 1, "kind": "keeper.opened", "at_us": T, "person": "p-1", "subject": "s", "purpose": "TREAT"} | more)  # fmt: skip


ME = "HOSP|D12"
STAFF = {"staff": {"p-1": frozenset({ME})}}
DAY = 24 * HOUR


def stay(
    subject="s",
    unit=UNIT,
    begun_us=T - HOUR,
    ended_us=None,
    said_us=T - HOUR,
    place_us=T - HOUR,
    attending=(ME,),
):
    return Stay(
        subject, b"v", unit, attending, begun_us, ended_us, said_us, begun_us, place_us, place_us, T, "m"
    )


def standing(*stays):
    return {"stays": {"s": stays}}


def held(unit="", subject="", from_us=T - HOUR, until_us=T + HOUR):
    return {"assignments": {"p-1": (Assignment("a", "p-1", unit, subject, from_us, until_us, "list"),)}}


def glass(from_us=T - HOUR, until_us=T + HOUR, subject="s", person="p-1"):
    return {"glasses": {"p-1": (Glass(person, subject, from_us, until_us),)}}


def duty(unit=UNIT, from_us=T - HOUR, until_us=T + HOUR, number="E77"):
    return {
        "aliases": {"p-1": frozenset({"p-1", "E77"})},
        "duties": {number: (Duty(number, unit, from_us, until_us, "night"),)},
    }


def order(at_us=T - HOUR, orderer=ME, subject="s"):
    return STAFF | {"orders": {subject: (Order(subject, orderer, at_us, "m"),)}}


DEVICE = {
    "sent_by": {"m1": "pump-1"},
    "owners": {"pump-1": "E77"},
    "aliases": {"p-1": frozenset({"p-1", "E77"})},
}
RELEASED = {"released": {("p-1", "m1"): T - HOUR}}
CASES = [
    ("attending", {"basis": "attending", "unit": UNIT}, standing(stay()) | STAFF),
    ("unit", {"basis": "unit", "unit": UNIT}, standing(stay())),
    ("assignment", {}, held(subject="s")),
    ("shift", {}, standing(stay()) | held(unit=UNIT)),
    ("device", {"messages": ("m1",)}, DEVICE),
    ("privacy-work", {"messages": ("m1",)}, RELEASED),
    ("break-glass", {}, glass()),
    ("order", {}, order()),
    ("merge", {"basis": "merge", "purpose": "HOPERAT"}, {}),
    ("reidentify", {"basis": "reidentify", "purpose": "HOPERAT"}, {}),
    ("on-call", {}, standing(stay()) | duty()),
    (
        "emergency-copy",
        {"kind": "copy.read", "purpose": "ETREAT", "basis": "emergency-copy"},
        standing(stay()),
    ),
    ("own", {"access": "a-1", "purpose": "PATRQT"}, {}),
]
NONE = [
    ("a copy read of somebody who was not there", {"kind": "copy.read", "purpose": "ETREAT"}, {}),
    ("a copy read in a drill", {"kind": "copy.read", "purpose": "HOPERAT"}, standing(stay())),
    ("what a copy's reading is called, of another record", {"basis": "emergency-copy", "purpose": "ETREAT"}, standing(stay())),
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
    ("a merge, for treatment", {"basis": "merge"}, {}),
    ("whose a pseudonym is, for treatment", {"basis": "reidentify"}, {}),
    ("a stay that others attend", {"basis": "attending", "unit": UNIT}, standing(stay(attending=("HOSP|D13",))) | STAFF),
    ("a stay that nobody attends", {"basis": "attending", "unit": UNIT}, standing(stay(attending=()))),
    ("a place said anew, and none changed on record", {"basis": "unit", "unit": UNIT}, standing(stay(unit="HOSP|WARD", place_us=T + HOUR))),
    ("a place changed before it was opened", {"basis": "unit", "unit": UNIT}, standing(stay(unit="HOSP|WARD", place_us=T + HOUR)) | {"changed": {"s": 0}}),
    ("a change on record of a stay said before", {"basis": "unit", "unit": UNIT}, standing(stay(unit="HOSP|WARD")) | {"changed": {"s": 9}}),
    ("another's change on record", {"basis": "unit", "unit": UNIT}, standing(stay(unit="HOSP|WARD", place_us=T + HOUR)) | {"changed": {"x": 9}}),
    ("a unit without a name", {"basis": "unit"}, standing(stay(unit=""))),
    ("a shift elsewhere, and a place said anew", {"basis": "shift", "unit": UNIT}, standing(stay(unit="HOSP|WARD", place_us=T + HOUR)) | held(unit=UNIT)),
    ("an order afterwards", {}, order(at_us=T + 1)),
    ("an order of long ago", {}, order(at_us=T - 31 * DAY)),
    ("an order of somebody else", {}, order(orderer="HOSP|D13")),
    ("an order for another patient", {}, order(subject="other")),
    ("on call somewhere else", {}, standing(stay()) | duty(unit="HOSP|WARD")),
    ("on call before", {}, standing(stay()) | duty(until_us=T)),
    ("on call later", {}, standing(stay()) | duty(from_us=T + 1)),
    ("somebody else on call", {}, standing(stay()) | duty(number="E78")),
    ("on call after the discharge", {}, standing(stay(ended_us=T - 1)) | duty()),
    ("on call where no unit is known", {}, standing(stay(unit="")) | duty(unit="")),
    ("nothing", {}, {}),
]  # fmt: skip


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
    moved = standing(stay(unit="HOSP|WARD", place_us=T + HOUR, attending=())) | {"changed": {"s": 2}}
    for basis in ("attending", "unit"):
        assert ids(opening(basis=basis, unit=UNIT), moved)[0] == [basis]
    assert ids(opening(basis="shift", unit=UNIT), moved | held(unit=UNIT))[0] == ["shift"]


def test_what_was_said_of_the_other_number_counts():
    together = {"together": {"s": frozenset({"s", "older"})}}
    assert ids(opening(), held(subject="older") | together)[0] == ["assignment"]
    assert ids(opening(), glass(subject="older") | together)[0] == ["break-glass"]


def test_a_search_that_found_nobody_is_nobodys_opening():
    _, explained = ids(opening(subject="", kind="patient.sought"), {})
    assert not explained.wants_review


def test_facts_say_what_held_then_first_and_judge_nothing():
    evidence = Evidence(**standing(stay(), stay(ended_us=T - 1)), **held(unit=UNIT), **duty(), orders=order()["orders"], staff=STAFF["staff"])  # fmt: skip
    found = facts(opening(messages=("m1",)), evidence)
    assert [(one.kind, one.held, one.mine) for one in found] == [
        ("on-call", True, True),
        ("order", True, True),
        ("shift", True, True),
        ("stay", True, True),
        ("stay", False, True),
    ]


def test_many_openings_are_explained_at_once():
    some = [opening(index=n, basis="unit", unit=UNIT) for n in range(1_000)]
    found = explaining.explain(some, Evidence(**standing(stay()), **held(unit=UNIT)))
    assert all(len(one.reasons) == 2 for one in found)


def test_a_reading_of_an_emergency_copy_counts_as_of_when_it_was_read():
    """Its record is of when the log was taken in; the log says when and by whom."""
    body = {
        "at": T,
        "basis": "emergency-copy",
        "purpose": "ETREAT",
        "reader": "Nurse Okoro",
        "reason": "treatment",
    }
    entry = Entry(7, "copy.read", T + DAY, "s", "", (), body, b"")
    found = opening_of(entry)
    assert (found.at_us, found.person, found.subject) == (T, "Nurse Okoro", "s")
    gone_since = standing(stay(ended_us=T + HOUR))
    (told,) = explain([found], Evidence(**gone_since))
    assert told.reason is not None
    assert told.reason.id == "emergency-copy"
    assert not told.wants_review
