"""Plant a value of its own in every element of every reviewed type, and see what passes under each profile.

What may pass is written down here by class, apart from the profiles. Every planted resource is valid R4, and so is
what leaves. ``fhir-deid-planting.txt`` beside this file is the golden summary: how many planted values pass, by
profile and class; run this module to write it anew.
"""

from __future__ import annotations

import sys
from functools import cache
from pathlib import Path

import pytest
from tests.conformance.test_deid_planting import VERBATIM
from tests.fhir_planted import Plant, plants
from tests.fhir_shaped import PLANS, put, resources
from tests.shaped import CLOSED, SEEDS
from tests.survivors import table

from oathward.core.errors import DecodeError
from oathward.core.labels import ROLES
from oathward.deid.plan import shape
from oathward.protocols.fhir import elements, overrides, tables
from oathward.protocols.fhir.message import Message

GOLDEN = Path(__file__).with_name("fhir-deid-planting.txt")

FORBIDDEN = (
    *(f"{role}." for role in ROLES),
    *("note.text", "uncatalogued", "attachment", "order", "location", "device.identity", "financial"),
)
TELLING = frozenset(("name", "telecom", "address", "photo", "div"))
TYPED = frozenset(("display", "text", "comment", "description"))
"""Keys under which somebody's identity stands, and last keys of texts: in no closed profile, whatever their class."""

TYPES = sorted(kind for kind in overrides.reviewed() if kind in tables.resource_types())
VALID_PERCENT_MIN = 97
"""Planted resources that are valid R4; the others break a rule by their value: an end before its start."""


@cache
def planted(kind: str) -> tuple[tuple[Plant, Message], ...]:
    """Plant a type; what is not valid R4 is left out."""
    found = []
    for one in plants(kind):
        try:
            found.append((one, put(one.resource)))
        except DecodeError:
            continue
    return tuple(found)


def survivors(kind: str, profile: str) -> list[Plant]:
    """Give what passes of a type; what leaves is R4."""
    found = []
    for one, message in planted(kind):
        data = shape(message, PLANS[profile], SEEDS).data
        resources(data)
        if one.value in data.decode():
            found.append(one)
    return found


def test_nearly_everything_planted_is_valid():
    valid, everything = (sum(len(of(kind)) for kind in TYPES) for of in (planted, plants))
    assert everything > 9_000
    assert valid * 100 >= everything * VALID_PERCENT_MIN


# Each type under half of the profiles, each profile over half of the types.
@pytest.mark.turns(2, "kind", "profile")
@pytest.mark.parametrize("kind", TYPES)
@pytest.mark.parametrize("profile", [name for name in VERBATIM if name != "treatment"])
def test_only_listed_classes_pass(profile: str, kind: str):
    passed = survivors(kind, profile)
    wrong = [one for one in passed if one.cls not in VERBATIM[profile]]
    if profile == "research":  # where dates move, a time of day stays
        wrong = [one for one in wrong if (one.kind, one.cls) != ("time", "patient.time")]
    assert not wrong, [(one.place, one.cls) for one in wrong[:5]]
    if profile in CLOSED:
        wrong = [
            one
            for one in passed
            if one.cls.startswith(FORBIDDEN)
            or (TELLING & {*one.place.split(".")[1:]} and one.kind != "code")
            or one.place.rpartition(".")[2] in TYPED
        ]
        assert not wrong, [(one.place, one.cls) for one in wrong[:5]]


@pytest.mark.parametrize("kind", TYPES)
def test_treatment_passes_every_planted_value(kind: str):
    for one, message in planted(kind):
        (left,) = resources(shape(message, PLANS["treatment"], SEEDS).data)
        assert left == one.resource, one.place


@cache
def summary() -> str:
    return table(
        Path(__file__).name,
        (
            (
                [one.cls for one, _ in planted(kind)],
                lambda profile, kind=kind: [one.cls for one in survivors(kind, profile)],
            )
            for kind in TYPES
        ),
    )


def test_the_golden_summary_holds():
    assert summary() == GOLDEN.read_text(), f"run python {Path(__file__).name} and look at the difference"


# --- reverse: each guard off, and the test sees it


def test_a_profile_that_keeps_names_is_found(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(PLANS, "safe-harbor", PLANS["treatment"])  # type: ignore[arg-type]  # it is a dict
    with pytest.raises(AssertionError):
        test_only_listed_classes_pass("safe-harbor", "Patient")


def test_a_catalogue_that_forgets_a_type_is_found(monkeypatch: pytest.MonkeyPatch):
    """Were names read as clinical codes, their keys would tell."""
    from tests.fhir_shaped import plan

    monkeypatch.setattr(elements, "ONE_THING", {**elements.ONE_THING, "HumanName": ("x", {})})
    monkeypatch.setattr(elements, "_whole_part", _clinical)
    for cached in (elements.children, elements._typed, elements.resource):
        cached.cache_clear()
    monkeypatch.setitem(PLANS, "safe-harbor", plan("safe-harbor"))  # type: ignore[arg-type]  # it is a dict
    planted.cache_clear()
    try:
        with pytest.raises(AssertionError):
            test_only_listed_classes_pass("safe-harbor", "Patient")
    finally:
        monkeypatch.undo()
        planted.cache_clear()
        for cached in (elements.children, elements._typed, elements.resource):
            cached.cache_clear()


def _clinical(parent: elements.Element, place: str, head: str, _key: str) -> elements.Element:
    return elements.Element(place, head, "clinical.code", subject=parent.subject)


if __name__ == "__main__":
    sys.stdout.write(summary())
    GOLDEN.write_text(summary())
