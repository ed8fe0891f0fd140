"""Provenance of what leaves of FHIR files of others: valid for a second judge, in every type of bundle, lines and beside single resources.

The judge is ``fhir.resources`` (R4B, whose Provenance differs from R4's in nothing used here).
"""

import json

import pytest
from fhir.resources.R4B import get_fhir_model_class
from tests.corpus import CORPUS, needs_corpus

from oathward.core.errors import OathwardError
from oathward.deid.action import Seeds
from oathward.deid.profile import builtin_profiles
from oathward.deid.text.model import NOTHING, Context
from oathward.deidentifying.format import Folder, Terms
from oathward.deidentifying.formats.fhir import FORMAT
from oathward.protocols.fhir.provenance import Origin, provenances
from oathward.protocols.shaping import REMOVE

NAME = "ABCDEFGHIJ234567"
ORIGIN = Origin("Oathward 1", "registry", "safe-harbor", "2026-01-02T03:04:05.000000Z", True, NAME)
PATIENT = {"resourceType": "Patient", "id": "p1", "identifier": [{"value": "77310042"}], "gender": "female"}
OBSERVATION = {
    "resourceType": "Observation",
    "id": "o1",
    "status": "final",
    "code": {"coding": [{"system": "http://loinc.org", "code": "8867-4"}]},
    "subject": {"reference": "Patient/p1"},
    "valueQuantity": {"value": 72, "unit": "/min"},
}


def left(data, origin=ORIGIN, profile="safe-harbor"):
    """Give what leaves of a file, as the worker makes it."""
    terms = Terms(builtin_profiles()[profile], Folder("files"), origin=origin)
    plan, content = FORMAT.compile(terms), FORMAT.read(data, terms)
    parts = []
    for number, unit in enumerate(content.units):
        text = Context(NOTHING, lambda _cls, _part: REMOVE, "")
        seeds = Seeds(
            bytes(32),
            bytes(range(32)),
            f"{NAME.lower()}{number or ''}",
            2026,
            identity=False,
            days=40,
            text=text,
        )
        try:
            parts.append(unit.shape(plan, seeds))
        except OathwardError:
            parts.append(None)
    return b"".join(content.put_together(parts)) if any(parts) else b""


def resources(data):
    """Give the resources of a file that was written."""
    if data.endswith(b"\n"):
        return [json.loads(line) for line in data.splitlines()]
    body = json.loads(data)
    return [one["resource"] for one in body.get("entry", [])] if body["resourceType"] == "Bundle" else [body]


def judged(resource):
    return get_fhir_model_class(resource["resourceType"]).model_validate(resource)


def told_apart(data):
    """Give Provenance of ours and everything else."""
    found = resources(data)
    ours = [one for one in found if one["resourceType"] == "Provenance" and "-provenance" in one["id"]]
    return ours, [one for one in found if one not in ours]


def bundle(kind):
    entry = [{"resource": one} for one in (PATIENT, OBSERVATION)]
    return json.dumps({"resourceType": "Bundle", "type": kind, "entry": entry}).encode()


@pytest.mark.parametrize(
    ("kind", "leaves"),
    [
        *((one, one) for one in ("document", "message", "searchset", "collection")),
        *((one, "collection") for one in ("transaction", "transaction-response", "batch", "batch-response")),
        *(("history", "collection"), ("Quixley", "collection")),
    ],
)
def test_a_bundle_of_every_type_bears_its_provenance_and_stays_valid(kind, leaves):
    made = json.loads(left(bundle(kind)))
    judged(made)
    assert made["type"] == leaves
    *others, last = made["entry"]
    assert last["resource"]["resourceType"] == "Provenance"
    assert last.get("search") == ({"mode": "include"} if leaves == "searchset" else None)
    assert not any("search" in one or "request" in one or "response" in one for one in others)
    named = [f"{one['resource']['resourceType']}/{one['resource']['id']}" for one in others]
    assert [one["reference"] for one in last["resource"]["target"]] == named


def test_lines_bear_it_as_the_last_line_and_a_single_resource_is_named():
    *lines, last = resources(
        left(b"\n".join(json.dumps(one).encode() for one in (PATIENT, OBSERVATION)) + b"\n")
    )
    assert [one["resourceType"] for one in lines] == ["Patient", "Observation"]
    assert last["resourceType"] == "Provenance"
    single = left(json.dumps(OBSERVATION).encode())
    assert FORMAT.named(single) == f"Observation/{NAME.lower()}-0"
    assert FORMAT.named(left(bundle("collection"))) == ""
    assert FORMAT.named(left(json.dumps(PATIENT).encode() + b"\n" + json.dumps(OBSERVATION).encode())) == ""


def test_it_says_what_was_done_by_what_of_what_and_when():
    [one] = provenances(ORIGIN, ["Observation/a-0"])
    judged(one)
    assert one["recorded"] == "2026-01-02T03:04:05.000000Z"
    assert one["activity"]["coding"][0]["code"] == "pseudonymize"
    [anonymous] = provenances(ORIGIN._replace(pseudonyms=False), ["Observation/a-0"])
    assert anonymous["activity"]["coding"][0]["code"] == "deidentify"
    assert one["policy"] == ["urn:oathward:profile:safe-harbor"]
    assert one["agent"][0]["who"] == {"display": "Oathward 1"}
    assert one["agent"][0]["onBehalfOf"]["identifier"]["value"] == "registry"
    assert one["entity"][0]["what"]["identifier"]["value"] == NAME


def test_of_many_resources_there_are_several_none_of_nothing():
    many = list(provenances(ORIGIN, [f"Observation/a-{n}" for n in range(2_500)]))
    assert [len(one["target"]) for one in many] == [1_000, 1_000, 500]
    assert len({one["id"] for one in many}) == 3
    assert not list(provenances(ORIGIN, []))


JSONS = sorted(
    path
    for ending in ("*.json", "*.ndjson")
    for path in (CORPUS / "fhir").rglob(ending)
    if path.stat().st_size < 3_000_000
)


def test_a_bundle_of_which_nothing_is_left_has_no_empty_list_of_entries():
    said = {key: OBSERVATION[key] for key in ("resourceType", "id", "status", "code")} | {
        "valueString": "Anna"
    }
    bundle = {"resourceType": "Bundle", "type": "collection", "entry": [{"resource": said}]}
    assert json.loads(left(json.dumps(bundle).encode())) == {"resourceType": "Bundle", "type": "collection"}


@pytest.mark.long  # made-up files of each shape above
@needs_corpus
@pytest.mark.corpus
def test_provenance_of_every_file_of_the_corpus_is_valid_and_takes_nothing_from_it():
    seen = 0
    for path in JSONS:
        try:
            made, bare = (left(path.read_bytes(), origin) for origin in (ORIGIN, None))
        except OathwardError:
            continue
        if not made or not resources(made):
            continue
        ours, others = told_apart(made)
        assert others == resources(bare), path
        if not ours:
            assert FORMAT.named(made), path
            ours = list(provenances(ORIGIN, [FORMAT.named(made)]))
        for one in ours:
            judged(one)
        targets = [target["reference"] for one in ours for target in one["target"]]
        assert targets == list(dict.fromkeys(f"{one['resourceType']}/{one['id']}" for one in others)), path
        seen += 1
    assert seen > 70
