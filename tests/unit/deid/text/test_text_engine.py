"""The engine of free text: spans that cover what was found, marks in their places, a budget that raises."""

from __future__ import annotations

import pytest

from oathward.core.errors import DeidentificationError
from oathward.core.reasons import Reason
from oathward.deid.action import Seeds
from oathward.deid.text.budget import BUDGET, Budget, Meter
from oathward.deid.text.clean import clean, mark
from oathward.deid.text.dates import basic
from oathward.deid.text.find import find, settle
from oathward.deid.text.model import NOTHING, Context, Known, Span
from oathward.deid.text.scan import BLOCK, REACH, scanner
from oathward.protocols.shaping import KEEP, REMOVE, Ruling

SEEDS = Seeds(b"s" * 32, b"d" * 32, "1")


def nothing_stays(_cls: str, _part: str) -> Ruling:
    return REMOVE


CONTEXT = Context(NOTHING, nothing_stays, "en")


def test_a_mark_stands_where_nothing_may() -> None:
    done = clean("Write to ana@ward.example.com today", CONTEXT, SEEDS)
    assert done.text == "Write to [contact] today"
    assert [(s.start, s.end, s.cls, s.how) for s in done.spans] == [(9, 29, "patient.contact", "network")]


def test_what_an_action_gives_stands_in_the_place_and_what_it_refuses_is_marked() -> None:
    def dash(_value: str, _seeds: object) -> str:
        return "-"

    def refuse(_value: str, _seeds: object) -> str:
        return ""

    for rule, shown in ((dash, "-"), (refuse, "[contact]")):
        context = Context(NOTHING, lambda _cls, _part, rule=rule: rule, "en")
        assert clean("to a@b.example.com", context, SEEDS).text == f"to {shown}"


def test_a_class_that_may_stay_stays() -> None:
    context = Context(NOTHING, lambda _cls, _part: KEEP, "en")
    assert clean("to a@b.example.com", context, SEEDS).text == "to a@b.example.com"


def test_what_is_known_is_found_whatever_its_case() -> None:
    known = Known((("patient.name", "", "Quarrel Zephyrine"),))
    context = Context(known, nothing_stays, "en")
    assert clean("Saw QUARREL, zephyrine.", context, SEEDS).text == "Saw [name]."


@pytest.mark.parametrize(
    ("spans", "settled"),
    [
        ([(0, 4, "patient.name", "a", 0.5), (0, 9, "patient.name", "b", 0.5)], [(0, 9, "b")]),
        (
            [(0, 9, "patient.name", "a", 0.5), (3, 5, "patient.time", "b", 0.9)],
            [(0, 3, "a"), (3, 5, "b"), (5, 9, "a")],
        ),
        (
            [(0, 6, "patient.name", "a", 0.9), (4, 9, "patient.time", "known", 0.1)],
            [(0, 4, "a"), (4, 9, "known")],
        ),
        (
            [(0, 9, "organisation.name", "a", 0.9), (4, 6, "patient.name", "b", 0.1)],
            [(0, 4, "a"), (4, 6, "b"), (6, 9, "a")],
        ),
    ],
)
def test_spans_that_overlap_are_settled(spans: list[Span], settled: list[tuple[int, int, str]]) -> None:
    """The last: what may stay gives way to what may not, however sure it is."""

    def decide(cls: str, _part: str) -> Ruling:
        return KEEP if cls == "organisation.name" else REMOVE

    found = settle("abcdefghi", [Span(*span) for span in spans], decide)
    assert [(s.start, s.end, s.how) for s in found] == settled


def test_a_hit_over_the_edge_of_a_block_is_found_whole() -> None:
    for length in range(BLOCK - 30, BLOCK + REACH + 30):
        for filler in ("word ", "x"):
            text = (filler * length)[: length - 1] + " ana@ward.example.com and more text"
            assert "ana@" not in clean(text, CONTEXT, SEEDS).text


@pytest.mark.parametrize(
    "budget",
    [
        Budget(text_bytes_max=999),
        Budget(steps_max=10),
        Budget(ticks=iter(range(10_000)).__next__, ticks_max=3),
    ],
)
def test_what_goes_beyond_its_budget_raises(budget: Budget) -> None:
    text = "mail a@b.example.com " * 500
    with pytest.raises(DeidentificationError) as raised:
        find(text, CONTEXT, budget)
    assert raised.value.reason is Reason.DEID_TEXT_TIMEOUT
    assert "example" not in str(raised.value)
    assert find(text, CONTEXT)


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("2024-03-04", "20240304"),
        ("20240304101500", "20240304"),
        ("03/04/2024", ""),
        ("13/04/2024", "20240413"),
        ("04/13/2024", "20240413"),
        ("4/4/2024", "20240404"),
        ("March 4th, 2024", "20240304"),
        ("4 de marzo de 2024", "20240304"),
        ("March 2024", "202403"),
        ("2024", "2024"),
        ("31/02/2024", ""),
        ("3/4/24", ""),
        ("yesterday", ""),
    ],
)
def test_a_date_is_read_only_where_it_can_be_read_in_one_way(text: str, day: str) -> None:
    assert basic(text) == day


def test_marks() -> None:
    assert mark("staff.name") == "[name]"
    assert mark("organisation.name") == "[organisation]"
    assert mark("patient.birth-date") == "[date]"


def test_an_automaton_without_memory_is_not_one_that_found_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    made = scanner("en")
    assert list(made.find("MRN: 12345678", Meter("", BUDGET)))
    monkeypatch.setattr(made, "_set", NoMemory())
    with pytest.raises(DeidentificationError) as told:
        list(made.find("MRN: 12345678", Meter("", BUDGET)))
    assert told.value.reason is Reason.DEID_TEXT_TIMEOUT


class NoMemory:
    """RE2's set as it answers when its automaton does not fit."""

    def Match(self, _text: bytes) -> list[int]:  # noqa: N802  as RE2 calls it
        return []
