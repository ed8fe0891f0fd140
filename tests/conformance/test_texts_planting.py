"""Plant a patient's name in every text and attachment of every segment and resource type: where texts are cleaned none passes."""

from __future__ import annotations

from base64 import b64encode
from dataclasses import replace

import pytest
from tests.conformance.test_deid_planting import HEAD, SEGMENTS, VERBATIM, plant
from tests.conformance.test_fhir_deid_planting import TYPES, planted
from tests.fhir_shaped import resources
from tests.shaped import SEEDS
from tests.texted import FHIR, plan, readings

from oathward.deid.plan import shape
from oathward.deid.text.model import Context, Known
from oathward.protocols.hl7v2.reader import decode
from oathward.protocols.shaping import REMOVE

CLEANED = frozenset(("note.text", "attachment"))


def knowing(*names: str) -> Context:
    return Context(Known(tuple(("patient.name", "", name) for name in names)), lambda _cls, _part: REMOVE)


def test_no_segment_passes_a_name() -> None:
    made, notes = plan(), 0
    for segment in SEGMENTS:
        text, plants = plant(segment)
        words = [one.value.split()[0] for one in plants if one.value.startswith("QZ")]
        safe = shape(decode(f"{HEAD}\r{text}\r".encode()), made, replace(SEEDS, text=knowing(*words)))
        written = safe.data.decode()
        wrong = [
            one
            for one in plants
            if one.value.split()[0] in written and one.cls not in VERBATIM["safe-harbor"]
        ]
        assert not wrong, wrong[:5]
        notes += written.count("[name] and words")
    assert notes > 200


@pytest.mark.parametrize("kind", TYPES)
def test_no_resource_passes_a_name(kind: str) -> None:
    made = plan(FHIR)
    for one, message in planted(kind):
        if one.cls not in CLEANED:
            continue
        word = one.value.split()[0]
        data = shape(message, made, replace(SEEDS, text=knowing(word))).data
        resources(data)
        assert not any(word in text for text in readings(data)), one.place


def test_what_is_cleaned_stays() -> None:
    made, kept = plan(FHIR), 0
    for one, message in planted("Observation"):
        if one.cls == "note.text":
            data = shape(message, made, replace(SEEDS, text=knowing(one.value.split()[0]))).data
            kept += b"[name]" in data
    assert kept >= 10


ADDRESS = "https://h.example.com/Quarrel"


@pytest.mark.parametrize("word", ["Quarrel", "QUARREL", "Quarrell", "quarrel's"])
def test_a_document_in_a_segment_is_opened(word: str) -> None:
    data = b64encode(f"Dear {word}, come.".encode()).decode()
    lines = (
        f"OBX|1|ED|1^^LN||A^TEXT^PLAIN^Base64^{data}||||||F",
        f"OBX|2|RP|1^^LN||{ADDRESS}^x^TEXT^PLAIN||||||F",
    )
    text = "\r".join((HEAD, "PID|1||||Quarrel^Zephyr", *lines, ""))
    safe = shape(decode(text.encode()), plan(), SEEDS).data
    assert any("Dear [name]" in one for one in readings(safe))
    assert not any("quarrel" in one.lower() for one in readings(safe))
