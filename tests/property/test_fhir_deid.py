"""For any message: one pseudonym for one patient, a shape that is its own shape, no class that is not listed."""

import copy
import json
from functools import cache
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.conformance.test_deid_planting import VERBATIM
from tests.fhir_planted import Plant, plants
from tests.fhir_shaped import PLANS, put, resources, shaped, strings, transaction
from tests.shaped import CLOSED, SEEDS

from oathward.core.errors import DecodeError
from oathward.deid.action import token
from oathward.deid.profile import builtin_profiles
from oathward.protocols.fhir.catalogue import classes_present
from oathward.protocols.fhir.overrides import id_class

KINDS = (
    *("Patient", "Observation", "Device", "DeviceMetric", "Encounter", "Condition", "RelatedPerson"),
    *("MedicationRequest", "DiagnosticReport", "Immunization", "Provenance", "DocumentReference"),
)
LOINC = "http://loinc.org"
SECRETS = st.text("QXZJKVWY", min_size=6, max_size=12).map(lambda text: f"Q{text}")
IDS = st.from_regex(r"[1-9][0-9]{7,10}", fullmatch=True)


@cache
def planted(kind: str) -> list[Plant]:
    found = []
    for one in plants(kind):
        try:
            put(one.resource)
        except DecodeError:
            continue
        found.append(one)
    return found


@st.composite
def several(draw: st.DrawFn) -> list[Plant]:
    """Draw a few planted resources, of one patient at most, each with an id of its own."""
    kinds = draw(st.lists(st.sampled_from(KINDS), min_size=2, max_size=5))
    kinds = [kind for i, kind in enumerate(kinds) if kind != "Patient" or "Patient" not in kinds[:i]]
    return [draw(st.sampled_from(planted(kind))) for kind in kinds]


def together(drawn: list[Plant]) -> list[dict[str, Any]]:
    return [copy.deepcopy(one.resource) | {"id": f"x{i}"} for i, one in enumerate(drawn)]


@given(drawn=several(), profile=st.sampled_from(["limited-data-set", *CLOSED]))
def test_nothing_planted_leaves_that_is_not_listed(drawn: list[Plant], profile: str):
    written = shaped(transaction(*together(drawn)), profile).data.decode()
    for one in drawn:
        assert one.value not in written or one.cls in VERBATIM[profile], one.place


@given(drawn=several(), profile=st.sampled_from(["limited-data-set", *CLOSED]))
def test_no_class_is_left_that_is_not_listed(drawn: list[Plant], profile: str):
    """What the message made up for a name is nobody's: ids that begin with the outgoing one are left out."""
    listed = {cls for cls, action in builtin_profiles()[profile].actions if action != "remove"}
    for resource in resources(shaped(transaction(*together(drawn)), profile).data):
        for name in [text for text in strings(resource) if "out-1" in text]:
            resource = json.loads(json.dumps(resource).replace(name, "Basic/x" if "/" in name else "x"))
        try:
            message = put(resource)
        except DecodeError:
            continue  # a reference of a made-up name may have pointed to one type only
        own = {id_class(resource["resourceType"])} if resource["id"] == "x" else set()
        assert classes_present(message) <= listed | {"structure", "message.control"} | own


@given(drawn=several())
def test_what_was_shaped_stays_as_it_is(drawn: list[Plant]):
    for one in together(drawn):
        one.pop("address", None)
        once = resources(shaped(put(one)).data)
        for left in once:
            assert resources(shaped(put(left)).data) == [left]


@given(ids=st.lists(IDS, min_size=2, max_size=2), secret=SECRETS)
def test_one_patient_has_one_pseudonym(ids: list[str], secret: str):
    """Whatever the patient is called where, and whatever else is said."""
    pseudonym = token(SEEDS.subject_seed, "patient.identifier", "")
    for ident in ids:
        code = {"coding": [{"system": LOINC, "code": "8867-4", "display": secret}], "text": secret}
        patient = {"resourceType": "Patient", "id": ident, "name": [{"family": secret}], "gender": "female"}
        patient["identifier"] = [{"system": "http://x.org/mrn", "value": ident + "7"}]
        reading = {
            "resourceType": "Observation",
            "id": "o1",
            "status": "final",
            "code": code,
            "valueInteger": 3,
        }
        reading["subject"] = {"reference": f"Patient/{ident}", "display": secret}
        data = shaped(transaction(patient, reading)).data
        left = {one["resourceType"]: one for one in resources(data)}
        assert left["Patient"]["id"] == left["Patient"]["identifier"][0]["value"] == pseudonym
        assert left["Observation"]["subject"] == {"reference": f"Patient/{pseudonym}"}
        assert secret not in data.decode()
        assert ident not in data.decode()


@given(
    secret=SECRETS,
    place=st.sampled_from(["display", "text", "unit", "note", "valueString", "extension", "div", "tag"]),
)
def test_a_word_that_somebody_typed_never_leaves(secret: str, place: str):
    resource: dict[str, Any] = {"resourceType": "Observation", "id": "o1", "status": "final"}
    resource |= {
        "code": {"coding": [{"system": LOINC, "code": "8867-4"}]},
        "valueQuantity": {"value": 3, "code": "mg", "system": "http://unitsofmeasure.org"},
    }
    typed = f"{secret} was here"
    if place == "display":
        resource["code"]["coding"][0]["display"] = typed
    elif place == "text":
        resource["code"]["text"] = typed
    elif place == "unit":
        resource["valueQuantity"]["unit"] = typed
    elif place == "note":
        resource["note"] = [{"text": typed}]
    elif place == "valueString":
        del resource["valueQuantity"]
        resource["valueString"] = typed
    elif place == "extension":
        resource["extension"] = [{"url": f"http://x.org/{secret}", "valueString": typed}]
    elif place == "div":
        div = f'<div xmlns="http://www.w3.org/1999/xhtml">{typed}</div>'
        resource["text"] = {"status": "generated", "div": div}
    else:
        resource["meta"] = {"tag": [{"system": "http://x.org/tags", "code": secret, "display": typed}]}
    for profile in CLOSED:
        assert secret not in shaped(put(resource), profile).data.decode()


# --- reverse


def test_a_profile_that_keeps_everything_is_found(monkeypatch: pytest.MonkeyPatch):
    for name in CLOSED:
        monkeypatch.setitem(PLANS, name, PLANS["treatment"])  # type: ignore[arg-type]  # it is a dict
    with pytest.raises(AssertionError):
        test_a_word_that_somebody_typed_never_leaves()
