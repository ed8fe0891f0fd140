"""Messages that nobody here wrote: all of them can be shaped, and under Safe Harbor nothing of a person is left."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.corpus import CORPUS, needs_corpus
from tests.shaped import CLOSED, PLANS, PROFILES, SEEDS

from oathward.core.errors import DecodeError
from oathward.deid.plan import shape
from oathward.protocols.hl7v2.reader import Message, decode, split_batch

pytestmark = needs_corpus

HL7 = CORPUS / "hl7v2"
SETS = ("cdc-elr", "deidentify-pairs", "fhir-converter-input", "ihe-pcd-acm-draeger", "nhapi-malformed")

PEOPLE = {
    "PID": (2, 3, 4, 5, 6, 9, 11, 13, 14, 18, 19, 20, 21, 23),
    "NK1": (2, 4, 5, 6, 12, 30, 31, 32, 33, 37),
    "PV1": (5, 7, 8, 9, 17, 19, 50, 52),
    "GT1": (2, 3, 4, 5, 6, 7, 12, 19),
    "IN1": (16, 19, 36, 49),
    "OBR": (10, 16, 28, 32, 33, 34, 35),
    "ORC": (10, 11, 12, 19),
    "OBX": (16, 25),
    "ROL": (4, 11, 12),
    "MRG": (1, 2, 3, 4, 5, 6, 7),
}
"""Fields that hold somebody; read here from the standard, not from the catalogue."""


def messages() -> Iterator[tuple[str, Message]]:
    for name in SETS:
        for file in sorted((HL7 / name).rglob("*")):
            if file.suffix.lower() not in (".hl7", ".txt") or file.name.startswith("README"):
                continue
            for i, raw in enumerate(_parts(file)):
                try:
                    yield f"{name}/{file.name}[{i}]", decode(raw)
                except DecodeError:
                    continue


def _parts(file: Path) -> list[bytes]:
    try:
        return split_batch(file.read_bytes())
    except DecodeError:
        return []


def words(text: str) -> set[str]:
    return set(re.findall(r"[^\W_]{4,}", text))


def left_of_people(message: Message, written: str) -> set[str]:
    """Give words of people's fields that stand in the output and come from nowhere else in the message."""
    people: set[str] = set()
    others: set[str] = set()
    for segment in message.segments:
        fields = message.fields(segment)
        name = fields[0].decode("ascii", "replace")
        for n, value in enumerate(fields):
            text = value.decode(message.charset, "replace")
            (people if n in PEOPLE.get(name, ()) else others).update(words(text))
    return (people - others) & words(written)


# Years, states and postcodes may be left: 164.514(b)(2)(i)(B) and (C).
ALLOWED = re.compile(r"(?:19|20)\d\d")


def test_everything_in_the_corpus_can_be_shaped():
    seen = 0
    for name, message in messages():
        seen += 1
        for profile in PROFILES:
            safe = shape(message, PLANS[profile], SEEDS)
            again = decode(safe.data)
            assert again.control_id == b"OUT-1", name
            assert len(again.segments) <= len(message.segments), name
            if profile == "treatment":
                assert again.segments[1:] == message.segments[1:], name
    assert seen > 90


@pytest.mark.parametrize("profile", CLOSED)
def test_nothing_of_people_is_left(profile: str):
    for name, message in messages():
        written = shape(message, PLANS[profile], SEEDS).data.decode(message.charset)
        left = {word for word in left_of_people(message, written) if not ALLOWED.fullmatch(word)}
        assert not left, (name, len(left))


def test_people_are_found_where_they_stay():
    found = [
        name
        for name, message in messages()
        if left_of_people(message, shape(message, PLANS["treatment"], SEEDS).data.decode(message.charset))
    ]
    assert len(found) > 80


def test_the_pairs_of_another_tool():
    """What it replaced in PID, PV1, NK1 and of providers, we leave out."""
    for file in sorted((HL7 / "deidentify-pairs" / "input").glob("*.hl7")):
        message = decode(file.read_bytes())
        written = shape(message, PLANS["safe-harbor"], SEEDS).data.decode(message.charset)
        for segment in message.segments:
            fields = message.fields(segment)
            name = fields[0].decode()
            for n, value in enumerate(fields):
                person = name in ("PID", "PV1", "NK1") or n in PEOPLE.get(name, ())
                if not person or n < 2:
                    continue
                for part in re.split(r"[~^&]", value.decode()):
                    assert len(part) < 4 or part not in written, f"{name}-{n}"


def strings(value: object) -> Iterator[str]:
    if isinstance(value, dict):
        for inner in value.values():
            yield from strings(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from strings(inner)
    elif isinstance(value, str):
        yield value


def test_what_a_converter_found_of_people_is_gone():
    """FHIR bundles that another program made of the same messages name the people; none of it is left."""
    checked = 0
    for bundle in sorted((HL7 / "fhir-converter-expected-fhir").rglob("*.json")):
        source = HL7 / "fhir-converter-input" / f"{bundle.name.split('-expected')[0]}.hl7"
        if not source.exists():
            continue
        message = decode(source.read_bytes())
        written = shape(message, PLANS["safe-harbor"], SEEDS).data.decode(message.charset)
        for entry in json.loads(bundle.read_text()).get("entry", []):
            resource = entry.get("resource", {})
            if resource.get("resourceType") not in ("Patient", "RelatedPerson", "Practitioner"):
                continue
            for key in ("name", "telecom"):
                for text in strings(resource.get(key, [])):
                    if len(text) >= 6 and not text.islower():
                        checked += 1
                        assert text not in written, (bundle.name, key)
            for identifier in resource.get("identifier", []):
                if len(identifier.get("value", "")) >= 6:
                    checked += 1
                    assert identifier["value"] not in written, (bundle.name, "identifier")
    assert checked > 100
