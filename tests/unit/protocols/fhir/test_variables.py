"""What is no variable: ids in escapes, numbers that are none, markers in disguise, the resource's own name elsewhere."""

from typing import Any

import pytest
from tests.fhir import observation, raw
from tests.fhir_shaped import PLANS
from tests.shaped import SEEDS

from oathward.core.errors import DecodeError
from oathward.deid.plan import shape
from oathward.protocols.fhir import reader, shapes, variables
from oathward.protocols.fhir.shapes import Memory

ESCAPED = raw(observation(id="abc1")).replace(b'"abc1"', b'"\\u0061bc1"')


def learned(*requests: bytes) -> Memory:
    known = Memory()
    for one in requests:
        for _ in range(2):
            known.note(one, reader.decode(one))
    return known


@pytest.mark.parametrize("instead", [b"\\u0022", b"\\ud801", b"\\u0001"])
def test_an_escape_is_no_id_that_varies(instead: bytes, monkeypatch: pytest.MonkeyPatch):
    other = ESCAPED.replace(b"\\u0061", instead)
    with pytest.raises(DecodeError):
        reader.decode(other)
    assert learned(ESCAPED).find(other) is None
    monkeypatch.setattr(variables, "_tells_own", lambda *_: False)
    assert learned(ESCAPED).find(other) is not None


def test_an_id_in_the_address_is_that_of_the_body_however_it_is_written():
    same = raw(observation(id="abc1"), "PUT", "Observation/abc1").replace(b'"abc1"', b'"\\u0061bc1"')
    assert learned(same).find(same.replace(b"\\u0061", b"\\u0062")) is None


def test_minus_nothing_is_no_integer(monkeypatch: pytest.MonkeyPatch):
    data = raw(observation(component=None, valueInteger=-5))
    other = data.replace(b":-5", b":-0")
    with pytest.raises(DecodeError):
        reader.decode(other)
    known = learned(data)
    assert known.find(data.replace(b":-5", b":-7")) is not None
    assert known.find(other) is None
    monkeypatch.setattr(shapes.Shape, "fits", lambda *_: True)
    assert known.find(other) is not None


@pytest.mark.parametrize("text", [b"\\u007aqxj99jxqz", b"\\u007aqxj01jxqz", b"\\u0031801-02-03"])
def test_a_marker_in_an_escape_is_one(text: bytes):
    data = raw(observation(note=[{"text": "XX"}])).replace(b"XX", text)
    known = learned(data)
    assert known.find(data) is None
    found = known.find(data) or reader.decode(data)
    assert shape(found, PLANS["treatment"], SEEDS).data


NAMED: list[dict[str, Any]] = [
    {"derivedFrom": [{"reference": "Observation/abc1/_history/2"}]},
    {"derivedFrom": [{"reference": "Observation/abc1"}]},
    {"note": [{"text": "Observation/abc1"}]},
    {"identifier": [{"system": "urn:oid:1.2.9", "value": "Observation/abc1"}]},
    {"extension": [{"url": "http://a.example/b1", "valueUri": "Observation/abc1"}]},
]


@pytest.mark.parametrize("more", NAMED, ids=lambda one: next(iter(one)))
@pytest.mark.parametrize("profile", sorted(PLANS))
def test_what_names_the_resource_itself_does_so_with_memory_too(more: dict[str, Any], profile: str):
    other = raw(observation(id="bbc1", **more))
    itself = other.replace(b'"bbc1"', b'"abc1"')
    known = learned(other)
    shape(known.find(other) or reader.decode(other), PLANS[profile], SEEDS)
    found = known.find(itself) or reader.decode(itself)
    assert shape(found, PLANS[profile], SEEDS) == shape(reader.decode(itself), PLANS[profile], SEEDS)


def test_addresses_of_two_servers_that_look_alike_are_learned_both():
    """The second would else try to learn each time it comes, until nobody could."""
    ones = [
        raw(observation(subject={"reference": f"https://a{i}.example/fhir/Patient/12"})) for i in (1, 2, 3)
    ]
    known = learned(*ones)
    assert [known.find(one) is not None for one in ones] == [True] * 3
