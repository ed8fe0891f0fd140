"""For any message with texts: a planted identifier never leaves in them, however it is written, and the message stays one."""

from __future__ import annotations

import random
from base64 import b64encode
from dataclasses import replace
from html import escape

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.fhir_shaped import resources, transaction
from tests.shaped import SEEDS, message
from tests.texted import FHIR, plan, readings
from tests.unit.deid.text.test_known import MAKERS, names

from oathward.deid import texts
from oathward.deid.plan import shape
from oathward.deid.text.model import Known
from oathward.protocols.hl7v2.reader import decode

HL7_PLAN, FHIR_PLAN = plan(), plan(FHIR)

SECRETS = st.text("QXZJKVW", min_size=6, max_size=12).map(lambda text: f"Q{text.lower()}")
IDS = st.from_regex(r"[1-9][0-9]{7,10}", fullmatch=True)
AROUND = st.sampled_from(
    ["seen {}", "{} came", "({}),", "for {}; ok", "\n{}\n", "x\t{}", "MRN {} / y", "{}", "'{}'", "{}."]
)


def spelt(value: str) -> st.SearchStrategy[str]:
    """Write a value as people do."""
    return st.sampled_from([value, value.upper(), value.capitalize(), f"{value[:4]}-\n{value[4:]}"])


@st.composite
def sentences(draw: st.DrawFn, *values: str) -> str:
    return " ".join(
        draw(AROUND).format(draw(spelt(draw(st.sampled_from(values)))))
        for _ in range(draw(st.integers(1, 4)))
    )


def escaped(text: str) -> str:
    for mark, code in (
        ("\\", "E"),
        ("|", "F"),
        ("^", "S"),
        ("&", "T"),
        ("~", "R"),
        ("\n", ".br"),
        ("\r", ".br"),
        ("\t", "X09"),
    ):
        text = text.replace(mark, f"\0{code}\0")
    return text.replace("\0", "\\")


def squeezed(text: str) -> str:
    return "".join(c for c in text.lower() if c.isalnum())


@given(st.data(), SECRETS, SECRETS, IDS)
def test_nothing_planted_leaves_in_a_text_of_hl7(
    data: st.DataObject, family: str, first: str, number: str
) -> None:
    lines = []
    for i in range(data.draw(st.integers(1, 5))):
        text = data.draw(sentences(family, first, number))
        kind = data.draw(st.sampled_from(["TX", "FT", "ST", "ED", "NTE", "CWE"]))
        if kind == "NTE":
            lines.append(f"NTE|{i}||{escaped(text)}")
        elif kind == "ED":
            lines.append(
                f"OBX|{i}|ED|11506-3^^LN||^TEXT^PLAIN^Base64^{b64encode(text.encode()).decode()}||||||F"
            )
        elif kind == "CWE":
            lines.append(f"OBX|{i}|CWE|11506-3^^LN||8867-4^{escaped(text)}^LN||||||F")
        else:
            lines.append(f"OBX|{i}|{kind}|11506-3^^LN||{escaped(text)}||||||F")
    pid = f"PID|1||{number}^^^MRN^MR||{family}^{first}"
    left = shape(message(pid, "TXA|1|CN", *lines), HL7_PLAN, SEEDS)
    decode(left.data)
    for text in readings(left.data):
        assert not any(secret in squeezed(text) for secret in (family.lower(), first.lower(), number))


@given(st.data(), SECRETS, SECRETS, IDS)
def test_nothing_planted_leaves_in_a_text_of_fhir(
    data: st.DataObject, family: str, first: str, number: str
) -> None:
    def text() -> str:
        return data.draw(sentences(family, first, number))

    def marked() -> str:
        chance = random.Random(data.draw(st.integers(0, 9)))
        return "".join(f"&#{ord(c)};" if chance.random() < 0.3 else escape(c) for c in text())

    div = f'<div xmlns="http://www.w3.org/1999/xhtml"><p title="{marked()}"><b>{marked()}</b> {marked()}</p></div>'
    patient = {
        "resourceType": "Patient", "id": "p1", "identifier": [{"value": number}], "name": [{"family": family, "given": [first]}],
        "text": {"status": "generated", "div": div},
    }  # fmt: skip
    note = {
        "resourceType": "DocumentReference", "id": "d1", "status": "current", "description": text(), "subject": {"reference": "Patient/p1"},
        "content": [{"attachment": {"contentType": "text/html", "title": text(), "data": b64encode(f"<p>{marked()}</p>".encode()).decode()}}],
    }  # fmt: skip
    seen = {
        "resourceType": "Observation", "id": "o1", "status": "final", "code": {"text": text()}, "note": [{"text": text()}],
        "valueString": text(), "subject": {"reference": "Patient/p1", "display": text()},
    }  # fmt: skip
    left = shape(transaction(patient, note, seen), FHIR_PLAN, SEEDS).data
    resources(left)
    for reading in readings(left):
        assert not any(secret in squeezed(reading) for secret in (family.lower(), first.lower(), number))


@pytest.mark.parametrize("seed", [5, 17])
def test_variants_of_what_the_message_knows_are_cleaned(seed: int) -> None:
    """The same variants as of ``find_known``, through a whole message."""
    chance = random.Random(seed)
    for _ in range(100):
        known, written = chance.choice(MAKERS[1:3])(chance)
        seeds = replace(SEEDS, text=texts.Context(known, lambda _cls, _part: texts.REMOVE))
        left = shape(message(f"NTE|1||see {escaped(written)} there"), HL7_PLAN, seeds).data.decode()
        assert squeezed(written) not in squeezed(left), (seed, written)


def test_what_is_known_is_what_finds_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Reverse: a message that tells nothing leaves its names in its notes."""
    chance = random.Random(3)
    known, _ = names(chance)
    pid = f"PID|1||||{'^'.join(value for _, _, value in known.values)}"
    told = message(pid, "NTE|1||qvxzkwy came, qvxzkwy left", "NK1|1|qvxzkwy")
    assert b"qvxzkwy" not in shape(told, HL7_PLAN, SEEDS).data
    monkeypatch.setattr(texts, "Known", lambda _values: Known())
    assert b"qvxzkwy" in shape(told, HL7_PLAN, SEEDS).data
