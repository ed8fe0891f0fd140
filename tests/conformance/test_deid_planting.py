"""Plant a value of its own in every part of every field of every segment, and see what passes under each profile.

What may pass is written down here by class, apart from the profiles. ``deid-planting.txt`` beside this file is the
golden summary: how many planted values pass, by profile and class; run this module to write it anew.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from tests.shaped import CLOSED, PLANS, PROFILES, SEEDS
from tests.survivors import table

from oathward.core.labels import CLASSES, ROLES
from oathward.deid.plan import shape
from oathward.protocols.hl7v2 import elements, forms, shapes, tables
from oathward.protocols.hl7v2.catalogue import class_of
from oathward.protocols.hl7v2.elements import Element
from oathward.protocols.hl7v2.reader import decode

GOLDEN = Path(__file__).with_name("deid-planting.txt")

MEASURED = {"structure", "observation.code", "observation.value"}
VERBATIM: dict[str, set[str]] = {
    "treatment": set(CLASSES),
    "limited-data-set": MEASURED
    | {"observation.time", "clinical.code", "device.type", "location", "message.time"}
    | {"patient.birth-date", "patient.time", "patient.demographic", "patient.address"},
    "safe-harbor": MEASURED | {"clinical.code", "device.type"},
    "device-telemetry": MEASURED | {"observation.time", "device.type", "message.time"},
    "gdpr-pseudonymised": MEASURED
    | {"observation.time", "clinical.code", "device.type", "location", "message.time", "staff.time"}
    | {"patient.birth-date", "patient.time", "patient.demographic", "patient.address"},
    # Nobody knows of a word in a text that it is a name, where nothing says so.
    "research": MEASURED | {"clinical.code", "device.type", "note.text"},
}
"""Profile -> classes of which a value may stand in the output as it came in."""

FORBIDDEN = (
    *(f"{role}." for role in ROLES),
    *("note.text", "uncatalogued", "attachment", "order", "location", "device.identity", "financial"),
)
TELLING = {"XPN", "XCN", "PPN", "XAD", "XTN", "CX", "PN", "CN", "XON", "ED", "RP", "FT", "TX", "DLN"}
SEGMENTS = [name for name in sorted(tables.segments()) if name not in ("MSH", "FHS", "BHS", "FTS", "BTS")]


@dataclass(frozen=True)
class Plant:
    place: str
    cls: str
    value: str
    datatypes: frozenset[str]
    part: str


def letters(n: int) -> str:
    """Give what occurs nowhere else and looks like a code: ``QZ``, two letters, and three."""
    return f"{word(n)[:4]}-{word(n)[4:]}"


def word(n: int) -> str:
    """Give a word that occurs nowhere else: ``QZ`` and five letters."""
    found = ""
    for _ in range(5):
        n, rest = divmod(n, 26)
        found = chr(65 + rest) + found
    return "QZ" + found


def value_for(form: str, n: int) -> str:
    """Make the n-th planted value so that it looks like its element."""
    if form == forms.NUMBER:
        return f"0.9{n:06d}1"
    if form == forms.TIME:
        return f"2001{n:09d}7"
    if form == forms.RANGE:
        return f"0.8{n:06d}1"
    if form == forms.VERSION:
        return f"7.{n:06d}"
    return letters(n) if form else f"{letters(n)} and words"


def parts_of(element: Element, depth: int) -> Iterator[tuple[tuple[int, ...], Element]]:
    """Give every place in a tree that a message has a separator for, and what stands there."""
    if depth == 2 or element.kind == "leaf":
        yield (), elements.leaves(element)[0] if element.kind != "leaf" else element
    elif element.kind == "coded":
        for i in range(22):
            yield (i,), Element(element.cls, form=forms.CODE)
    elif element.kind == "composite":
        for i, part in enumerate(element.parts):
            for path, leaf in parts_of(part, depth + 1):
                yield (i, *path), leaf
    else:
        yield (), Element("note.text")


def plant(segment: str) -> tuple[str, list[Plant]]:
    """Write a segment with a value in every place: every component, one too many, and two fields too many."""
    planted: list[Plant] = []
    fields = []
    cells = tables.segments()[segment]

    def put(place: str, cls: str, form: str, cell: tuple[str, ...], part: str = "") -> str:
        made = value_for(form, len(planted))
        planted.append(Plant(place, cls, made, frozenset(cell), part))
        return made

    for n, cell in enumerate(cells, 1):
        element = elements.fields_of(segment)[n]
        tree: dict[int, dict[int, str]] = {}
        for path, leaf in parts_of(element, 0):
            c, s = (*path, 0, 0)[:2]
            place = f"{segment}-{n}.{c + 1}.{s + 1}"
            cls = class_of(segment, n, c + 1, s + 1)
            # Without a standard system beside it, display text is a note: class_of says so.
            tree.setdefault(c, {})[s] = put(place, cls, leaf.form, cell, leaf.part)
        if element.kind != "leaf" and element.kind != "observed":
            tree[max(tree) + 1] = {0: put(f"{segment}-{n}.{max(tree) + 2}", "uncatalogued", "", cell)}
        fields.append("^".join("&".join(tree[c].values()) for c in sorted(tree)))
    fields += [put(f"{segment}-{n}", "uncatalogued", "", ()) for n in (len(cells) + 1, len(cells) + 2)]
    return "|".join((segment, *fields)), planted


HEAD = "MSH|^~\\&|A|B|C|D|2026||ORU^R01|1|P|2.6"


def survivors(text: str, planted: list[Plant], profile: str) -> list[Plant]:
    safe = shape(decode(f"{HEAD}\r{text}\r".encode()), PLANS[profile], SEEDS)
    written = safe.data.decode()
    return [one for one in planted if one.value in written]


@pytest.mark.parametrize("profile", VERBATIM)
def test_only_listed_classes_pass(profile: str):
    for segment in SEGMENTS:
        text, planted = plant(segment)
        passed = survivors(text, planted, profile)
        wrong = [one for one in passed if one.cls not in VERBATIM[profile]]
        assert not wrong, wrong[:5]
        if profile in CLOSED:
            wrong = [one for one in passed if one.cls.startswith(FORBIDDEN) or one.datatypes & TELLING]
            assert not wrong, wrong[:5]


@pytest.mark.parametrize("profile", sorted(CLOSED))
def test_no_word_passes_as_a_code(profile: str):
    """A name may stand where a code should: beside no published table a word is somebody's text."""
    for segment in SEGMENTS:
        text, planted = plant(segment)
        for n, one in enumerate(planted):
            text = text.replace(one.value, word(n)) if one.cls in elements.WORDLESS else text
        words = [replace(one, value=word(n)) for n, one in enumerate(planted)]
        assert not [one for one in survivors(text, words, profile) if one.cls in elements.WORDLESS]


@pytest.mark.turns(2, "profile")  # of every second profile; that no more passes is asked of all
@pytest.mark.parametrize("profile", PROFILES)
def test_all_of_a_listed_class_passes(profile: str):
    """Unless the segment had nothing else to say, or was an observation that lost a part."""
    for segment in SEGMENTS:
        text, planted = plant(segment)
        passed = survivors(text, planted, profile)
        if not passed or segment == "OBX":
            continue
        town = {"city", "state", "postcode", "country"}
        missing = [
            one
            for one in planted
            if one.cls in VERBATIM[profile]
            and one not in passed
            and not (one.cls == "patient.address" and one.part not in town)
        ]
        assert not missing, missing[:5]


def test_treatment_passes_every_planted_value():
    for segment in SEGMENTS:
        text, planted = plant(segment)
        assert survivors(text, planted, "treatment") == planted
        safe = shape(decode(f"{HEAD}\r{text}\r".encode()), PLANS["treatment"], SEEDS)
        assert safe.data.decode().split("\r")[1] == text


def test_the_header_is_planted_too():
    fields = {n: f"QH{letters(n)} x" for n in (3, 4, 5, 6, 8, 13, 14, 22, 23, 24, 25)} | {10: "QHID"}
    head = "|".join(
        ("MSH", "^~\\&", *(fields.get(n, "") for n in range(3, 9)), "ORU^R01", fields[10], "P", "2.6")
    )
    head += "|" + "|".join(fields.get(n, "") for n in range(13, 26)) + "|beyond QHQH"
    for profile in PROFILES:
        written = shape(decode(head.encode() + b"\r"), PLANS[profile], SEEDS).data.decode()
        assert "QHID" not in written
        assert (written.count("QH") == 0) is (profile != "treatment")


OBSERVED = {
    3: ("observation.code", "147842^MDC_QZ^MDC"),
    4: ("structure", "QZS"),
    5: ("observation.value", "0.912345"),
    6: ("observation.value", "QZU"),
    7: ("observation.value", "0.7654-0.8765"),
    8: ("observation.value", "QZFLAG"),
    13: ("note.text", "QZ access"),
    14: ("observation.time", "20010203040506"),
    15: ("organisation.identifier", "QZORG"),
    16: ("staff.identifier", "QZSTAFF"),
    18: ("device.identity", "QZDEVICE"),
    21: ("order", "QZINSTANCE"),
    23: ("organisation.name", "QZLAB"),
    25: ("staff.identifier", "QZDIRECTOR"),
    31: ("uncatalogued", "QZBEYOND"),
}


@pytest.mark.parametrize("profile", PROFILES)
def test_a_whole_observation_passes_with_its_listed_parts(profile: str):
    fields = {1: "1", 2: "NM", 11: "F"} | {n: value for n, (_, value) in OBSERVED.items()}
    text = "|".join(("OBX", *(fields.get(n, "") for n in range(1, 32))))
    written = shape(decode(f"{HEAD}\r{text}\r".encode()), PLANS[profile], SEEDS).data.decode()
    for cls, value in OBSERVED.values():
        assert (value in written) is (cls in VERBATIM[profile]), (cls, value)


DISPLAYED = [
    "1^QZTEXT^MDC",
    "8867-4^QZTEXT^LN",
    "27268008^QZTEXT^SCT",
    "F^QZTEXT^HL70001",
    "^^^8867-4^QZTEXT^LN",
    "HR^QZTEXT^L^1^QZTEXT^MDC",
    "^^^^^^^^^8867-4^QZTEXT^LN",
]


@pytest.mark.parametrize("profile", sorted(CLOSED))
@pytest.mark.parametrize("coded", DISPLAYED)
def test_display_text_passes_beside_no_standard_code(profile: str, coded: str):
    """A device can type a name there; the code stays, and so does its observation."""
    text = f"OBX|1|NM|{coded}|1|72|{coded}|||||F"
    written = shape(decode(f"{HEAD}\r{text}\r".encode()), PLANS[profile], SEEDS).data.decode()
    assert text.replace("QZTEXT", "") in written


def summary() -> str:
    messages = [plant(segment) for segment in SEGMENTS]
    return table(
        Path(__file__).name,
        (
            (
                [one.cls for one in planted],
                lambda profile, text=text, planted=planted: [
                    one.cls for one in survivors(text, planted, profile)
                ],
            )
            for text, planted in messages
        ),
    )


def test_the_golden_summary_holds():
    assert summary() == GOLDEN.read_text(), f"run python {Path(__file__).name} and look at the difference"


# --- reverse: each guard off, and the test sees it


def test_a_profile_that_keeps_names_is_found(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(PLANS, "safe-harbor", PLANS["treatment"])  # type: ignore[arg-type]  # it is a dict
    with pytest.raises(AssertionError):
        test_only_listed_classes_pass("safe-harbor")


def test_a_catalogue_that_forgets_a_segment_is_found(monkeypatch: pytest.MonkeyPatch):
    """Were next of kin read as a clinical code, the datatypes would tell."""
    text, planted = plant("NK1")
    monkeypatch.setattr(elements, "_own_class", lambda *_: "clinical.code")
    monkeypatch.setattr(elements, "_NAMED", {})
    for cached in (elements.fields_of, elements.of_type, elements.of_types):
        cached.cache_clear()
    monkeypatch.setattr(elements, "reviewed", dict)
    try:
        words = [replace(one, value=one.value.removesuffix(" and words")) for one in planted]
        passed = survivors(text.replace(" and words", ""), words, "safe-harbor")
        assert any(one.datatypes & TELLING for one in passed)
    finally:
        monkeypatch.undo()
        for cached in (elements.fields_of, elements.of_type, elements.of_types):
            cached.cache_clear()
        shapes._usual[0].clear()
        shapes._usual[1].clear()


if __name__ == "__main__":
    sys.stdout.write(summary())
    GOLDEN.write_text(summary())
