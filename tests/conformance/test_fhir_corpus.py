"""FHIR resources that others wrote, as requests: the good ones pass, the mistakes are found, a second judge agrees.

The second judge is ``fhir.resources`` (its R4B models, which differ from R4 in no resource used here). It looks at no
reference targets, bindings or contained resources, so it may accept what we refuse; never the other way round.
"""

import random
from pathlib import Path

import orjson
import pytest
from fhir.resources.R4B import get_fhir_model_class
from tests.corpus import CORPUS, needs_corpus
from tests.fhir import raw

from oathward.core.errors import DecodeError
from oathward.core.reasons import Reason
from oathward.protocols.fhir import tables
from oathward.protocols.fhir.bundle import pieces
from oathward.protocols.fhir.check import check
from oathward.protocols.fhir.json import dumps, loads
from oathward.protocols.fhir.limits import LIMITS
from oathward.protocols.fhir.nodes import part_node
from oathward.protocols.fhir.persons import mixed, persons, split
from oathward.protocols.fhir.reader import decode

FOLDER = CORPUS / "fhir"
SEED = 20261122
MUTATIONS = 60
"""Of each example."""

JSONS = sorted(FOLDER.rglob("*.json"))
LINES = sorted(FOLDER.rglob("*.ndjson"))
XMLS = sorted(FOLDER.rglob("*.xml"))

NO_SCOPE = ("Consent.scope", Reason.ELEMENT_MISSING)  # written for another judge; R4 asks for a scope
NO_RESOURCE = ("resource.resourceType", Reason.TYPE_UNKNOWN)
NOT_TAKEN = ("Bundle.type", Reason.INTERACTION_UNSUPPORTED)

REFUSED = {
    **{
        f"leap-consent-fixtures/consents/r4/consent-boris-{name}.json": NO_SCOPE
        for name in ("deny-practitioner", "expired", "inactive", "optin", "optout")
    },
    "leap-consent-fixtures/empty-bundle.json": NOT_TAKEN,  # a searchset
    "leap-consent-fixtures/labeling/confidentiality-rules.json": ("body", Reason.JSON_INVALID),  # an array
    "leap-consent-fixtures/labeling/sensitivity-rules.json": ("body", Reason.JSON_INVALID),  # an array
    "leap-consent-fixtures/request-samples/patient-consent-consult-hook-request.json": NO_RESOURCE,
    "leap-consent-fixtures/request-samples/xacml-request.json": NO_RESOURCE,
    "ms-anonymizer-samples/src/Microsoft.Health.Fhir.Anonymizer.R4.CommandLineTool/configuration-sample.json": NO_RESOURCE,
    # Examples of earlier versions: linkId became required, DeviceComponent and Condition-only targets changed.
    "r4-examples/bundle-questionnaire.json": (
        "Questionnaire.item[0].item[0].linkId", Reason.ELEMENT_MISSING),
    "r4-examples/devicemetric-example.json": ("DeviceMetric.parent.reference", Reason.TARGET_NOT_ALLOWED),
    "r4-examples/deviceusestatement-example.json": (
        "DeviceUseStatement.reasonReference[0].reference", Reason.TARGET_NOT_ALLOWED),
    "r4-examples/diagnosticreport-example.json": NOT_TAKEN,  # a collection
}  # fmt: skip

pytestmark = [needs_corpus, pytest.mark.corpus]


def name_of(path: Path) -> str:
    return path.relative_to(FOLDER).as_posix()


def request_of(body: bytes) -> bytes:
    found = orjson.loads(body)
    kind = found.get("resourceType", "Basic") if isinstance(found, dict) else "Basic"
    return f"POST {'' if kind == 'Bundle' else kind}\n\n".encode() + body


def judged(resource) -> bool:
    """Ask the second judge."""
    try:
        get_fhir_model_class(resource["resourceType"]).model_validate(resource)
    except (ValueError, LookupError, TypeError, AttributeError):
        return False
    return True


@pytest.mark.parametrize("path", JSONS, ids=name_of)
def test_a_real_resource_is_read_or_refused_for_a_reason(path):
    body = path.read_bytes()
    expected = REFUSED.get(name_of(path))
    if expected is not None:
        with pytest.raises(DecodeError) as caught:
            decode(request_of(body))
        assert (caught.value.where, caught.value.reason) == expected
        return
    message = decode(request_of(body))
    assert loads(dumps(message.body)) == message.body
    assert mixed(message) == ()
    assert all(person.entries for person in persons(message))


@pytest.mark.parametrize("path", LINES, ids=name_of)
def test_every_line_is_a_resource(path):
    for line in path.read_bytes().splitlines():
        message = decode(request_of(line))
        assert len(persons(message)) == (message.trigger != "Organization")
        assert dumps(message.body) == orjson.dumps(orjson.loads(line)) or b".0" in line or b"E" in line


@pytest.mark.parametrize("path", XMLS, ids=name_of)
def test_xml_is_refused_with_its_reason(path):
    with pytest.raises(DecodeError) as caught:
        decode(b"POST Patient\n\n" + path.read_bytes())
    assert caught.value.reason is Reason.FORMAT_UNSUPPORTED


@pytest.mark.parametrize("path", [p for p in JSONS if "synthea" in name_of(p)], ids=name_of)
def test_a_bundle_of_one_patient_is_one_piece(path):
    request = request_of(path.read_bytes())
    (piece,) = pieces(request)
    assert piece.error is None
    assert piece.raw is request
    (person,) = persons(piece.message)
    assert person.resource["resourceType"] == "Patient"
    assert len(person.identifiers) >= 3
    assert split(piece.message) == [request]


def test_bundles_of_two_patients_are_cut_where_they_were_joined():
    first, second = [loads(p.read_bytes()) for p in JSONS if "synthea" in name_of(p)][:2]
    entries = [one for pair in zip(first["entry"], second["entry"], strict=False) for one in pair]
    joined = {"resourceType": "Bundle", "type": "transaction", "entry": entries}
    parts = split(decode(raw(joined)))
    found = [decode(part) for part in parts]
    assert [len(persons(message)) for message in found][:2] == [1, 1]
    for message in found[:2]:
        own = persons(message)[0].resource["id"].encode()
        other = next(persons(m)[0].resource["id"].encode() for m in found[:2] if m is not message)
        assert own in message.raw
        assert other not in message.raw


def test_limits_leave_room_for_what_is_real():
    for path in JSONS:
        body = path.read_bytes()
        assert len(body) * 4 < LIMITS.message_bytes_max
        assert (body.count(b"{") + body.count(b"[")) * 4 < LIMITS.containers_max
        assert body.count(b",") * 4 < LIMITS.values_max
        assert body.count(b'"resource"') * 4 < LIMITS.entries_max


# --- the second judge


def examples() -> list[tuple[str, dict]]:
    """Give the resources of the corpus that the second judge knows, one by one."""
    found = []
    for path in JSONS:
        name = name_of(path)
        if name in REFUSED and REFUSED[name][1] is not Reason.INTERACTION_UNSUPPORTED:
            continue
        if name.startswith(("synthea", "ms-")):
            continue
        resource = loads(path.read_bytes())
        inner = [one["resource"] for one in resource.get("entry", ()) if "resource" in one]
        found += [(name, one) for one in (inner or [resource])]
    return found


def test_the_second_judge_takes_what_we_take():
    listed = examples()
    assert len(listed) > 80
    for name, resource in listed:
        assert check(resource).issues == [], name
        assert judged(resource), name


@pytest.mark.parametrize(
    "name", [name for name, (_, reason) in REFUSED.items() if reason is Reason.ELEMENT_MISSING]
)
def test_the_second_judge_misses_what_we_miss(name):
    assert not judged(loads((FOLDER / name).read_bytes()))


def places(value, at=()):
    """Give every object in a resource with its place."""
    if isinstance(value, dict):
        yield at, value
        for key, item in value.items():
            yield from places(item, (*at, key))
    elif isinstance(value, list):
        for i, item in enumerate(value):
            yield from places(item, (*at, i))


OTHERS = (None, "", "x y", 7, -1.5, True, [], {}, ["a"], [{}], {"a": 1}, "2026-13-41", "Patient/1")


def mutate(resource, random_):
    """Change one thing somewhere: take out, put in, repeat, replace."""
    copy = orjson.loads(dumps(resource))
    _, spot = random_.choice([place for place in places(copy) if place[1]])
    key = random_.choice(list(spot))
    match random_.randrange(5):
        case 0:
            del spot[key]
        case 1:
            spot[random_.choice(("valueString", "status", "foo", "resourceType", "_status"))] = "final"
        case 2:
            spot[key] = [spot[key]]
        case 3:
            spot[key] = spot[key][0] if isinstance(spot[key], list) and spot[key] else {"a": spot[key]}
        case _:
            spot[key] = random_.choice(OTHERS)
    return copy


def test_what_the_second_judge_refuses_we_refuse():
    random_, asked, refused, kept = random.Random(SEED), 0, 0, []
    for name, resource in examples():
        for _ in range(MUTATIONS):
            changed = mutate(resource, random_)
            if "resourceType" not in changed:
                continue
            asked += 1
            ours = bool(check(changed).issues)
            refused += ours
            if not ours and not judged(changed):
                kept.append((name, changed))
    print(f"seed {SEED}: {asked} mutations, {refused} refused here")
    assert refused > asked / 2
    assert [name for name, _ in kept] == []


def test_each_mutation_that_breaks_a_definition_is_refused():
    counted = dict.fromkeys(("required", "unknown", "type", "code", "choice"), 0)
    for _, resource in examples():
        kind = resource["resourceType"]
        node = part_node(kind)
        for broken, what in broken_ones(resource, node):
            assert check(broken).issues, (kind, what)
            counted[what] += 1
    assert min(counted.values()) > 30, counted


def broken_ones(resource, node):
    """Give copies of a resource, each with one mistake, and which kind of mistake."""
    for name in node.required:
        yield {key: value for key, value in resource.items() if key not in (name, f"_{name}")}, "required"
    yield resource | {"notAnElement": True}, "unknown"
    for key in resource:
        field = node.fields.get(key)
        if field is None:
            continue
        yield resource | {key: 1 if field.many or field.node else {"a": 1}}, "type"
        if field.coded and not field.many and key != "resourceType":
            yield resource | {key: "no-such-code"}, "code"
    for name, names, _ in node.choices:
        chosen = [key for key in names if key in resource]
        kinds = [row.kinds for row in tables.elements_of(resource["resourceType"]) if row.path == name]
        if chosen and len(kinds[0]) > 1:
            other = next(n for n in sorted(names) if n not in chosen and n.lstrip("_") not in chosen)
            yield resource | {other: resource[chosen[0]]}, "choice"
