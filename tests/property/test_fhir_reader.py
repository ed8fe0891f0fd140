"""FHIR for any input: a message or a reason, numbers kept, nothing lost or mixed where a bundle is cut."""

import json
import string

import orjson
from hypothesis import given
from hypothesis import strategies as st
from tests.fhir import bundle, entry, identifier, observation, patient, raw

from oathward.core.errors import DecodeError
from oathward.core.reasons import Reason
from oathward.protocols.fhir import tables
from oathward.protocols.fhir.bundle import pieces
from oathward.protocols.fhir.check import check
from oathward.protocols.fhir.json import dumps, loads
from oathward.protocols.fhir.message import Request
from oathward.protocols.fhir.mistakes import mistakes_of
from oathward.protocols.fhir.outcome import outcome_of
from oathward.protocols.fhir.persons import mixed, persons, split
from oathward.protocols.fhir.reader import decode, request_bytes

NAMES = [
    "resourceType",
    "id",
    "status",
    "code",
    "coding",
    "system",
    "value",
    "valueQuantity",
    "valueString",
    "subject",
    "reference",
    "identifier",
    "extension",
    "url",
    "contained",
    "component",
    "entry",
    "resource",
    "request",
    "method",
    "type",
    "fullUrl",
    "text",
    "div",
    "_status",
    "name",
    "given",
]
WORDS = (
    "Observation",
    "Patient",
    "Bundle",
    "final",
    "batch",
    "transaction",
    "POST",
    "PUT",
    "Patient/1",
    "#a",
    "urn:a:1",
)

scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=12)
    | st.sampled_from(WORDS)
)
values = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(NAMES) | st.text(max_size=6), inner, max_size=6)
    ),
    max_leaves=30,
)
resources = st.dictionaries(st.sampled_from(NAMES), values, max_size=8).map(
    lambda body: {"resourceType": "Observation", "status": "final", **body}
)
heads = st.sampled_from(
    [b"POST Observation\n\n", b"POST \n\n", b'PUT Observation/1\nif-match: W/"1"\n\n', b"POST Patient\n\n", b"\n\n", b""]
) | st.binary(max_size=30)  # fmt: skip


def outcome(data):
    """Give what decoding leads to; anything but a message or a reason is raised."""
    try:
        return decode(data)
    except DecodeError as error:
        found = error
    assert isinstance(found.reason, Reason)
    first = mistakes_of(data)[0]
    assert (first.reason, first.where) == (found.reason, found.where), (
        "the second reading begins as the first"
    )
    assert orjson.loads(outcome_of(mistakes_of(data)))["resourceType"] == "OperationOutcome"
    return found


@given(st.binary(max_size=200))
def test_any_bytes_are_a_message_or_a_reason(data):
    outcome(data)
    assert len(pieces(data)) >= 1


@given(heads, st.binary(max_size=200) | values.map(lambda v: json.dumps(v).encode()))
def test_any_body_is_a_message_or_a_reason(head, body):
    outcome(head + body)
    assert len(pieces(head + body)) >= 1


@given(resources)
def test_any_resource_is_a_message_or_a_reason(resource):
    found = outcome(b"POST Observation\n\n" + json.dumps(resource).encode())
    if not isinstance(found, DecodeError):
        persons(found)
        mixed(found)
        split(found)


@given(st.sampled_from(sorted(tables.resource_types())), st.data())
def test_any_value_under_the_right_names_is_judged(kind, data):
    rows = [row for row in tables.elements_of(kind) if "." not in row.path]
    names = [row.path.removesuffix("[x]") for row in rows] + ["id", "extension", "contained", "text"]
    body = data.draw(st.dictionaries(st.sampled_from(names), values, max_size=4))
    for issue in check({"resourceType": kind, **body}).issues:
        assert issue.where.startswith(kind)


digits = st.text(string.digits, min_size=1, max_size=12)
numbers = st.builds(
    lambda sign, whole, part, power: f"{sign}{whole.lstrip('0') or '0'}{part}{power}",
    st.sampled_from(["", "-"]),
    digits,
    st.just("") | digits.map(lambda text: f".{text}"),
    st.just("")
    | st.builds(lambda e, n: f"{e}{n}", st.sampled_from(["e", "E", "e+", "E-"]), st.integers(0, 40)),
)


@given(st.lists(numbers, min_size=1, max_size=6), st.sampled_from(["", " ", "\n"]))
def test_numbers_are_written_as_they_were_read(texts, blank):
    body = f'{{"a":[{("," + blank).join(texts)}]}}'
    assert dumps(loads(body.encode())).decode() == body.replace(", ", ",").replace(",\n", ",")


@given(values)
def test_json_is_read_as_the_standard_library_reads_it(value):
    body = json.dumps({"a": value}, ensure_ascii=False).encode("utf-8", "surrogatepass")
    try:
        found = loads(body)
    except DecodeError:
        return
    assert json.loads(dumps(found)) == json.loads(body)


words = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=20)


@given(st.sampled_from(["POST", "PUT"]), words, words, st.binary(max_size=20))
def test_a_request_is_read_as_it_was_written(method, target, condition, body):
    request = Request(method, target, (("if-match", condition),))
    data = request_bytes(request, body)
    assert data.partition(b"\n\n")[2] == body
    found = outcome(data)
    if not isinstance(found, DecodeError):
        assert found.request == request


# --- bundles of several patients

subjects = st.sampled_from(
    [
        {"reference": "Patient/1"},
        {"reference": "Patient/2"},
        {"identifier": identifier("A")},
        {"identifier": identifier("B")},
        {"reference": "Device/d"},
        {"display": "Kim"},
        None,
    ]
)
things = st.one_of(
    subjects.map(lambda s: entry(observation(subject=s))),
    subjects.map(lambda s: entry(observation(subject=s, device={"reference": "Device/d"}))),
    subjects.map(lambda s: entry(observation(subject=s, performer=[{"reference": "Patient/1"}]))),
    st.just(entry({"resourceType": "Device"})),
    st.just(entry({"resourceType": "Organization", "name": "Ward"})),
)


@given(st.lists(things, min_size=1, max_size=8), st.sampled_from(["batch", "transaction"]))
def test_cutting_loses_nothing_and_mixes_nobody(entries, kind):
    people = [entry(patient("1", "A"), "PUT"), entry(patient("2", "B"), "PUT")]
    whole = bundle(*people, *entries, kind=kind)
    message = decode(raw(whole))
    parts = [decode(part) for part in split(message)]
    held = [json.dumps(one, sort_keys=True) for part in parts for one in part.body["entry"]]
    assert {json.dumps(one, sort_keys=True) for one in whole["entry"]} == set(held)
    for part in parts:
        assert len(persons(part)) <= 1 or mixed(part)
        assert len(split(part)) == 1 or mixed(part) or len(persons(part)) == 1
    if kind == "batch":
        found = pieces(message.raw)
        assert sorted({i for piece in found for i in piece.indices}) == list(range(len(whole["entry"])))
        assert [len(piece.message.entries) for piece in found] == [len(piece.indices) for piece in found]
