"""What is remembered of a shape changes no answer: of any request alike, whatever is asked of it, and on every plan."""

import re
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.fhir import changed, component, identifier, observation, raw
from tests.fhir_shaped import FHIR as ROUTE
from tests.fhir_shaped import PLANS
from tests.shaped import SEEDS

from oathward.core.errors import OathwardError
from oathward.deid.plan import compile_plan, shape
from oathward.deid.profile import builtin_profiles
from oathward.gateway.guard.original import of_fhir
from oathward.gateway.wires import FHIR
from oathward.patients.fhir import key_of
from oathward.protocols.fhir import reader, shapes
from oathward.protocols.fhir.persons import mixed, persons
from oathward.protocols.fhir.shapes import Memory, Recognised, Shape

QUANTITY = {"value": 97, "unit": "%", "system": "http://unitsofmeasure.org", "code": "%"}
UUID = "urn:uuid:0c3151bd-1cbf-4d64-b04d-cd9187a4c6e0"
RESOURCES = [
    observation(),
    observation(component=None, valueQuantity=QUANTITY),
    observation(component=None, valueInteger=812, issued="2026-03-01T08:00:05.250Z", effectiveDateTime=None),
    observation(component=None, valueQuantity=QUANTITY | {"value": -1.25}, effectiveDateTime=None, effectiveInstant="2026-03-01T08:00:05Z"),
    observation(subject={"reference": "Patient/12", "identifier": identifier("700012")}, performer=[{"reference": "Patient/12"}]),
    observation(subject={"reference": "Patient/12"}, performer=[{"reference": "Patient/13"}]),
    observation(subject={"reference": "Patient/12"}, focus=[{"reference": "Patient/12"}], encounter={"reference": "Encounter/12"}),
    observation(subject={"identifier": identifier("700012")}, device={"identifier": {"system": "urn:oid:1.2.9", "value": "00AA11BB22CC33DD"}}),
    observation(subject={"identifier": {"system": "urn:oid:1.2.3", "value": "700012"}}),
    observation(subject={"reference": "Patient/12", "display": "Ada Deed"}, device={"reference": "Device/d1", "display": "Pump 12"}),
    observation(subject={"reference": "https://a1.example/fhir/Patient/12"}),
    observation(subject={"reference": UUID}, identifier=None),
    observation(identifier=[identifier("11", kind="VN"), identifier("12", kind="FILL")], basedOn=[{"reference": "ServiceRequest/11"}]),
    observation(id="abc1", derivedFrom=[{"reference": "Observation/abc1"}]),
    observation(id="abc1", derivedFrom=[{"reference": "Observation/abc2"}], meta={"lastUpdated": "2026-03-01T08:00:05Z"}),
    observation(id="12", meta={"security": [{"system": "http://terminology.hl7.org/CodeSystem/v3-Confidentiality", "code": "R"}]}),
    observation(note=[{"text": "Called bed 4 at 0800", "time": "2026-03-01T08:00:05Z"}], referenceRange=[{"low": QUANTITY | {"value": 90}}]),
    observation(component=None, valueString="Room 12, ask for Dee", language="de"),
    observation(component=None, valueDateTime="2026-03-01", effectiveDateTime=None, effectivePeriod={"start": "2026-03-01", "end": "2026-03-02"}),
    observation(extension=[{"url": "http://a.example/b1", "valueReference": {"reference": "Patient/77"}}], subject=None),
    observation(extension=[{"url": "http://a.example/b1", "valueIdentifier": identifier("700012")}]),
    observation(subject={"reference": "Device/12"}, component=[component("8480-6", 120), component("8480-6", 121)]),
    observation(effectiveDateTime="2026-03", subject={"reference": "Patient/12/_history/3"}),
]  # fmt: skip
"""Structures, with whatever may be the same, or not, by chance."""


def written(resource: dict[str, Any]) -> list[bytes]:
    """Give the requests of a resource: a create, and an update where it has an id."""
    made = [raw(resource)]
    return [*made, raw(resource, "PUT", f"Observation/{resource['id']}")] if "id" in resource else made


BASES = [one for resource in RESOURCES for one in written(resource)]
BASES += [BASES[0].replace(b'":', b'" : ').replace(b",", b",\n  "), BASES[0].replace(b"120.5", b"120.50")]
PROFILES = (
    *PLANS.values(),
    compile_plan(builtin_profiles()["treatment"], frozenset({"observation.value"}), ROUTE),
)
SOURCES = (SEEDS, replace(SEEDS, source="hub-1", identity=False), replace(SEEDS, source="hub-2", subject_seed=b"\x07" * 32))  # fmt: skip
FUNCTIONS = {
    "types": FHIR.types,
    "type_of": FHIR.type_of,
    "classes": FHIR.classes,
    "codes": FHIR.codes,
    "own_labels": FHIR.own_labels,
    "identity": FHIR.identity,
    "equipment": FHIR.equipment,
    "tells": FHIR.tells,
    "mixed": mixed,
    "persons": persons,
    "request": lambda m: m.request,
    "entries": lambda m: m.entries,
    "body": lambda m: m.body,
    "answer": lambda m: FHIR.answer(m, ""),
}


def memory() -> Memory:
    """Give one that has learned every base."""
    made = Memory()
    for one in BASES:
        for _ in range(2):
            made.note(one, reader.decode(one))
    return made


MEMORY = memory()


def given_by(function: Any, *arguments: Any) -> Any:
    try:
        return function(*arguments)
    except OathwardError as error:
        return error.reason, error.where


@st.composite
def alike(draw: st.DrawFn) -> bytes:
    """Draw a request that looks like a base: some of its digits are others, or some of its values are."""
    base = bytearray(draw(st.sampled_from(BASES)))
    places = [m.start() for m in re.finditer(rb"[0-9a-fA-F]", bytes(base))]
    for place in draw(st.lists(st.sampled_from(places), max_size=4)):
        base[place] = draw(st.sampled_from(b"0123456789abcdef"))
    values = draw(
        st.dictionaries(st.sampled_from(sorted(set(re.findall(rb"\d+", base)))), st.binary(), max_size=3)
    )
    data = bytes(base)
    for old in values:
        data = data.replace(
            old, bytes(draw(st.lists(st.sampled_from(b"0123456789"), min_size=len(old), max_size=len(old))))
        )
    return data


def compared(data: bytes, known: Memory) -> bool:
    """Say whether a request has a known shape; all that is asked of it must be as it is without."""
    fast = known.find(data)
    if fast is None:
        return False
    slow = reader.decode(data)
    for name, function in FUNCTIONS.items():
        assert given_by(function, known.find(data)) == given_by(function, slow), name
    told = fast.filled("told", lambda m: key_of(persons(m)) or b"")
    assert told is None or told == key_of(persons(slow))
    for plan in PROFILES:
        for seeds in SOURCES:
            asked = replace(seeds, outgoing_id="0123456789ABCDEFGHIJ")
            assert given_by(shape, fast, plan, asked) == given_by(shape, slow, plan, asked), plan.profile
    return True


def as_told(key: tuple[object, ...]) -> str:
    """Give what a guard's key says, whichever way it came about."""
    return key[0].decode() if len(key) == 1 and isinstance(key[0], bytes) else repr(key)


@given(data=alike())
def test_any_request_alike_is_answered_as_without_memory(data: bytes):
    compared(data, MEMORY)


@given(data=alike())
def test_what_the_reader_refuses_has_no_shape(data: bytes):
    if isinstance(refused := given_by(reader.decode, data), tuple):
        assert MEMORY.find(data) is None, refused


@given(data=alike())
def test_the_guard_is_told_of_the_same_persons(data: bytes):
    fast = MEMORY.find(data)
    if fast is not None:
        assert as_told(of_fhir(fast).persons()) == as_told(of_fhir(reader.decode(data)).persons())


@pytest.mark.parametrize("base", range(len(BASES)))
def test_each_structure_has_a_form_and_its_like_is_found(base: int):
    data = BASES[base]
    known = MEMORY.find(data)
    assert isinstance(known, Recognised)
    assert compared(data, MEMORY)
    later = re.sub(rb'(?<!"time":")2026-03-01T08:00:05', b"2026-04-11T18:59:12", data)
    later = re.sub(rb"Patient/12(?!/_history)", b"Patient/98", later)  # a version is part of the shape
    assert compared(later, MEMORY)


@pytest.mark.parametrize(
    ("where", "instead"),
    [
        (b"2026-11-22T10:00:00", b"2026-13-22T10:00:00"),
        (b"2026-11-22T10:00:00", b"2026-02-30T10:00:00"),
        (b"120.5", b"020.5"),
        (b"120.5", b"1e0.5"),
    ],
)
def test_values_that_are_none_have_no_shape(where: bytes, instead: bytes, monkeypatch: pytest.MonkeyPatch):
    data = BASES[0].replace(where, instead)
    assert data != BASES[0]
    assert MEMORY.find(data) is None
    monkeypatch.setattr(Shape, "fits", lambda *_: True)  # with the guard off it would be taken
    assert MEMORY.find(data) is not None


def test_ids_that_are_the_same_in_one_are_the_same_in_all(monkeypatch: pytest.MonkeyPatch):
    resource = observation(subject={"reference": "Patient/12"}, performer=[{"reference": "Patient/12"}])
    same, other = raw(resource), raw(changed(resource, performer=[{"reference": "Patient/13"}]))
    known = Memory()
    for _ in range(2):
        known.note(same, reader.decode(same))
    assert known.find(same.replace(b"/12", b"/99")) is not None
    assert known.find(other) is None
    monkeypatch.setattr(Shape, "fits", lambda *_: True)
    found = known.find(other)
    assert found is not None
    assert mixed(found) != ()  # about two patients: what was remembered of the shape would say of one


def test_only_what_comes_again_is_learned_and_no_more_than_it_spares():
    known = Memory()
    data = BASES[0]
    known.note(data, reader.decode(data))
    assert known.find(data) is None
    known.note(data, reader.decode(data))
    assert known.find(data) is not None
    for i in range(2 * shapes.FREE):
        new = raw(observation(note=[{"text": "x" * (i + 1)}]))
        for _ in range(2):
            known.note(new, reader.decode(new))
    assert sum(known.find(raw(observation(note=[{"text": "x" * (i + 1)}]))) is not None for i in range(2 * shapes.FREE)) <= shapes.FREE  # fmt: skip


def test_memory_is_bounded_and_can_be_emptied(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(shapes, "SHAPES_MAX", 4)
    known = Memory()
    for i in range(9):
        new = raw(observation(note=[{"text": "x" * (i + 1)}]))
        for _ in range(2):
            known.note(new, reader.decode(new))
    assert known.shapes <= 4
    known.forget()
    assert known.shapes == 0
    assert known.find(BASES[0]) is None


@pytest.mark.parametrize("text", ["zqxj00jxqz", "ZQXJ00jxqz", "zqcj01jcqz", "zqoj00joqz"])
def test_what_holds_a_marker_has_no_shape(text: str):
    data = raw(observation(note=[{"text": text}]))
    known = Memory()
    for _ in range(3):
        known.note(data, reader.decode(data))
    assert known.find(data) is None


def test_what_varies_is_never_judged_by_its_text():
    from oathward.protocols.fhir import elements

    element = elements.resource("Observation")
    children = elements.children(element)
    listed = elements.children(children["identifier"])["value"]
    assert listed.form == ""
    for name, child in children.items():
        if child.kind == "Reference":
            inner = elements.children(elements.children(child)["identifier"])["value"]
            assert inner.form == "", name
    assert children["effectiveDateTime"].form == children["issued"].form == ""
