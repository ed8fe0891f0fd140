"""What is written: ids, references, whole observations, masks, contained resources, transforms; always R4."""

import json
from typing import Any

import pytest
from tests.fhir_shaped import Resource, put, ruled, shaped, transaction

from oathward.core.errors import DecodeError, DeidentificationError
from oathward.core.reasons import Reason
from oathward.deid.actions.year import ACTION as YEAR
from oathward.protocols.fhir import links, resources, rewrite, steps
from oathward.protocols.fhir.catalogue import without_codes
from oathward.protocols.fhir.edits import MASKED
from oathward.protocols.fhir.message import Request
from oathward.protocols.fhir.reader import decode, request_bytes
from oathward.protocols.shaping import REMOVE

LOINC, SNOMED = "http://loinc.org", "http://snomed.info/sct"
RATE = {"coding": [{"system": LOINC, "code": "8867-4"}]}
year = YEAR.rule("observation.time", "", {})


def named(value: str, _context: object) -> str:
    return f"N{value[-1]}"


def observation(**more: Any) -> Resource:
    return {"resourceType": "Observation", "id": "o1", "status": "final", "code": RATE} | more


def patient(**more: Any) -> Resource:
    return {"resourceType": "Patient", "id": "p1"} | more


def left_of(resource: Resource, rules: dict[str, Any], **more: Any) -> list[Resource]:
    return ruled(put(resource), rules, **more)[0]


# --- ids and references


def test_a_control_id_that_may_not_leave_is_made_up_from_the_outgoing_id():
    (left,) = left_of(observation(valueInteger=1), {"message.control": REMOVE})
    assert left["id"] == "out-1-0"


@pytest.mark.parametrize("step", [".", ".."])
@pytest.mark.parametrize("ruling", [{}, {"message.time": REMOVE}])
def test_an_id_that_is_a_step_in_a_path_is_not_kept(step: str, ruling: dict[str, Any]):
    """``PUT base/Patient/..`` would be the base, for whoever takes the address apart."""
    left, _ = ruled(
        transaction(patient(id=step), observation(subject={"reference": f"Patient/{step}"})), ruling
    )
    assert left[0]["id"] == "out-1-0"
    assert left[1]["subject"] == {"reference": "Patient/out-1-0"}


def test_references_follow_the_name_of_their_target():
    message = transaction(
        patient(),
        observation(subject={"reference": "Patient/p1"}, valueInteger=1),
        observation(
            id="o2", subject={"reference": "Patient/p1"}, derivedFrom=[{"reference": "Observation/o1"}]
        ),
    )
    left, done = ruled(message, {"message.control": REMOVE, "patient.identifier": named})
    assert [one["id"] for one in left] == ["N1", "out-1-1", "out-1-2"]
    assert left[1]["subject"] == {"reference": "Patient/N1"}
    assert left[2]["derivedFrom"] == [{"reference": "Observation/out-1-1"}]
    assert done.changed == {"patient.identifier": 3, "message.control": 3}


def test_a_reference_out_of_the_message_takes_the_ruling_of_its_targets_id():
    resource = observation(
        valueInteger=1,
        subject={"reference": "Patient/p9"},
        device={"reference": "Device/d1"},
        encounter={"reference": "Encounter/e1"},
        derivedFrom=[{"reference": "Observation/o7"}],
    )
    rules = {"patient.identifier": named, "device.identity": REMOVE, "message.control": REMOVE}
    (left,) = left_of(resource, rules)
    assert left["subject"] == {"reference": "Patient/N9"}
    assert left["encounter"] == {"reference": "Encounter/e1"}
    assert not {"device", "derivedFrom"} & {*left}


@pytest.mark.parametrize("text", ["Patient/p9/_history/2", "https://elsewhere.org/fhir/Patient/p9"])
def test_other_ways_to_name_a_patient_are_the_same_patient(text: str):
    (left,) = left_of(observation(valueInteger=1, subject={"reference": text}), {"patient.identifier": named})
    assert left["subject"] == {"reference": "Patient/N9"}


def test_the_same_id_at_another_server_is_another_patient():
    elsewhere = [{"reference": "https://elsewhere.org/fhir/Patient/p1"}]
    resource = observation(valueInteger=1, subject={"reference": "Patient/p1"}, focus=elsewhere)
    (left,) = left_of(resource, {"patient.identifier": named})
    assert "focus" not in left


def test_a_reference_that_nobody_can_read_is_a_note():
    name = "urn:uuid:0a0a0a0a-0a0a-0a0a-0a0a-0a0a0a0a0a0a"
    resource = observation(valueInteger=1, subject={"reference": name})
    assert "subject" not in left_of(resource, {"note.text": REMOVE})[0]
    assert left_of(resource, {})[0]["subject"] == {"reference": name}


def test_a_pseudonym_stands_for_one_patient():
    """A reference to another patient would say that both are one."""
    resource = observation(
        valueInteger=1, subject={"reference": "Patient/p1"}, focus=[{"reference": "Patient/p2"}]
    )
    (left,) = left_of(resource, {"patient.identifier": named})
    assert "focus" not in left
    assert left_of(resource, {"staff.name": REMOVE})[0]["focus"] == resource["focus"]


def test_another_patients_identifier_becomes_nobodys_pseudonym():
    other = [{"reference": "Patient/p2", "identifier": {"value": "77"}}]
    resource = observation(valueInteger=1, subject={"reference": "Patient/p1"}, focus=other)
    (left,) = left_of(resource, {"patient.identifier": named})
    assert "focus" not in left


def test_two_patients_do_not_become_one():
    left, _ = ruled(
        transaction(patient(gender="male"), patient(id="p2", gender="female")),
        {"patient.identifier": lambda _value, _context: "TOKEN"},
    )
    assert [(one["id"], one["gender"]) for one in left] == [("TOKEN", "male")]


def test_an_identifier_of_who_knows_whom_becomes_nobodys_pseudonym():
    performer = [{"identifier": {"value": "77"}}]
    (left,) = left_of(observation(valueInteger=1, performer=performer), {"patient.identifier": named})
    assert "performer" not in left


URN = "urn:uuid:0a0a0a0a-0a0a-0a0a-0a0a-0a0a0a0a0a0"


def test_creations_become_updates_under_fixed_names():
    message = transaction(
        patient(id=f"{URN}1", gender="male"),
        observation(id=f"{URN}2", valueInteger=1, subject={"reference": f"{URN}1"}),
        urns=True,
    )
    left, done = ruled(message, {})
    assert [one["id"] for one in left] == ["out-1-0", "out-1-1"]
    assert left[1]["subject"] == {"reference": "Patient/out-1-0"}
    assert done.changed == {"message.control": 2}
    assert b"fullUrl" not in done.data
    assert ruled(message, {})[1].data == done.data


def test_a_created_patient_is_named_by_its_pseudonym():
    message = transaction(
        patient(id=f"{URN}1", gender="male", identifier=[{"value": "MRN7"}]),
        observation(id=f"{URN}2", valueInteger=1, subject={"reference": f"{URN}1"}),
        urns=True,
    )
    left, _ = ruled(message, {"patient.identifier": named})
    assert left[0]["id"] == "N7"
    assert left[1]["subject"] == {"reference": "Patient/N7"}


def test_a_name_that_is_no_id_is_not_used():
    (left,) = left_of(patient(gender="male"), {"patient.identifier": lambda _v, _c: "not an id"})
    assert left["id"] == "out-1-0"


# --- observations are one thing


@pytest.mark.parametrize(
    ("more", "gone"),
    [
        ({"valueString": "typed"}, "note.text"),
        ({"valueInteger": 1}, "observation.value"),
        ({"valueInteger": 1}, "observation.code"),
        ({"valueInteger": 1, "effectiveDateTime": "2020"}, "observation.time"),
        ({"valueInteger": 1, "bodySite": {"text": "left arm"}}, "note.text"),
        ({"valueInteger": 1, "method": {"text": "by hand"}}, "note.text"),
        ({"valueInteger": 1, "interpretation": [{"text": "odd"}]}, "note.text"),
        ({"valueInteger": 1, "interpretation": [RATE, {"text": "odd"}]}, "note.text"),
        ({"valueQuantity": {"value": 1, "unit": "as we say"}}, "note.text"),
        ({"dataAbsentReason": {"text": "slept"}}, "note.text"),
        ({"component": [{"code": RATE, "valueString": "typed"}]}, "note.text"),
    ],
)
def test_an_observation_that_would_lose_its_meaning_goes_whole(more: Resource, gone: str):
    left, done = ruled(put(observation(**more)), {gone: REMOVE})
    assert left == []
    assert done.observations
    assert json.loads(done.data) == {"resourceType": "Bundle", "type": "transaction"}
    assert "observation.code" not in done.kept


def test_what_is_no_part_of_its_meaning_goes_alone():
    more = {
        "valueQuantity": {
            "value": 1,
            "unit": "as we say",
            "system": "http://unitsofmeasure.org",
            "code": "mg",
        },
        "note": [{"text": "typed"}],
        "code": {"coding": [{"system": LOINC, "code": "8867-4", "display": "Anna"}], "text": "Anna"},
        "referenceRange": [{"text": "usual"}],
    }
    (left,) = left_of(observation(**more), {"note.text": REMOVE})
    assert left["code"] == RATE
    assert left["valueQuantity"] == {"value": 1, "system": "http://unitsofmeasure.org", "code": "mg"}
    assert not {"note", "referenceRange"} & {*left}


def test_a_component_goes_whole_and_leaves_the_others():
    parts = [{"code": RATE, "valueString": "typed"}, {"code": RATE, "valueInteger": 2}]
    left, done = ruled(put(observation(component=parts)), {"note.text": REMOVE})
    assert left[0]["component"] == [{"code": RATE, "valueInteger": 2}]
    assert done.observations == 1


def test_an_observation_that_goes_takes_references_to_it_with_it():
    report = {"resourceType": "DiagnosticReport", "id": "r1", "status": "final", "code": RATE}
    report |= {"result": [{"reference": "Observation/o1"}, {"reference": "Observation/o2"}]}
    message = transaction(observation(valueString="typed"), observation(id="o2", valueInteger=1), report)
    left, _ = ruled(message, {"note.text": REMOVE})
    assert [one["id"] for one in left] == ["o2", "r1"]
    assert left[1]["result"] == [{"reference": "Observation/o2"}]


# --- what is asked for is masked, or goes


def test_a_required_element_is_masked():
    condition = {
        "resourceType": "Condition",
        "id": "c1",
        "code": RATE,
        "subject": {"reference": "Patient/p1"},
    }
    (left,) = left_of(condition, {"patient.identifier": REMOVE})
    assert left["subject"] == MASKED


def test_a_required_primitive_is_masked_beside_it():
    event = {
        "resourceType": "Provenance",
        "id": "e1",
        "target": [{"reference": "Observation/o1"}],
        "recorded": "2020-01-01T00:00:00Z",
        "agent": [{"who": {"reference": "Practitioner/d1"}}],
        "activity": RATE,
    }
    (left,) = left_of(event, {"message.time": year})
    assert "recorded" not in left
    assert left["_recorded"] == MASKED


def test_a_rule_of_r4_is_kept_by_leaving_more_out():
    organisation = {"resourceType": "Organization", "id": "g1", "name": "Clinic", "type": [RATE]}
    assert left_of(organisation, {"organisation.name": REMOVE}) == []


def test_only_structure_left_is_nothing_left():
    left, done = ruled(put(patient(active=True, name=[{"family": "Smith"}])), {"patient.name": REMOVE})
    assert left == []
    assert done.removed["patient.name"] == 1


def test_what_others_refer_to_stays_as_a_stub():
    message = transaction(
        patient(active=True, name=[{"family": "Smith"}]),
        observation(valueInteger=1, subject={"reference": "Patient/p1"}),
    )
    left, _ = ruled(message, {"patient.name": REMOVE})
    assert left[0] == {"resourceType": "Patient", "id": "p1", "active": True}
    left, _ = ruled(message, {"patient.name": REMOVE, "patient.identifier": REMOVE})
    assert [one["resourceType"] for one in left] == ["Observation"]
    assert "subject" not in left[0]


def test_no_object_and_no_array_is_left_empty():
    resource = patient(
        name=[{"family": "Smith", "given": ["Anna"]}], contact=[{"name": {"family": "Smith"}}], gender="male"
    )
    (left,) = left_of(resource, {"patient.name": REMOVE, "relative.name": REMOVE})
    assert left == patient(gender="male")


# --- extensions, contained resources


@pytest.mark.parametrize("where", ["resource", "component", "implicitRules"])
def test_a_modifier_that_nobody_knows_takes_the_resource_with_it(where: str):
    unknown = [{"url": "http://x.org/not", "valueBoolean": True}]
    resource = observation(valueInteger=1)
    if where == "resource":
        resource["modifierExtension"] = unknown
    elif where == "component":
        part = {"coding": [{"system": LOINC, "code": "718-7"}]}
        resource["component"] = [{"code": part, "valueInteger": 1, "modifierExtension": unknown}]
    else:
        resource["implicitRules"] = "http://x.org/rules"
    assert left_of(resource, {"uncatalogued": REMOVE}) == []
    assert left_of(resource, {}) == [resource]


@pytest.mark.parametrize(
    ("more", "place"),
    [
        ({"extension": [{"url": "http://x.org/a", "valueString": "x"}]}, "Observation.extension"),
        (
            {"_status": {"extension": [{"url": "http://x.org/a", "valueString": "x"}]}},
            "Observation.status.extension",
        ),
        (
            {"modifierExtension": [{"url": "http://x.org/a", "valueString": "x"}]},
            "Observation.modifierExtension",
        ),
        ({"implicitRules": "http://x.org/rules"}, "Observation.implicitRules"),
    ],
)
def test_what_nobody_catalogued_is_held_by_its_place(more: Resource, place: str):
    message = put(observation(valueInteger=1, **more))
    with pytest.raises(DeidentificationError) as caught:
        ruled(message, {}, hold=True)
    assert caught.value.reason is Reason.UNCATALOGUED
    assert caught.value.where == place
    assert "x.org" not in str(caught.value)
    assert ruled(message, {"staff.name": REMOVE})[1].uncatalogued == 1


def test_a_contained_patient_is_shaped_as_a_patient():
    resource = observation(
        valueInteger=1,
        contained=[
            {"resourceType": "Patient", "id": "smith", "name": [{"family": "Smith"}], "gender": "male"}
        ],
        subject={"reference": "#smith"},
    )
    (left,) = left_of(resource, {"patient.name": REMOVE, "patient.identifier": REMOVE})
    assert left["contained"] == [{"resourceType": "Patient", "id": "c0", "gender": "male"}]
    assert left["subject"] == {"reference": "#c0"}
    (left,) = left_of(resource, {"patient.name": REMOVE, "patient.demographic": REMOVE})
    assert not {"contained", "subject"} & {*left}


def test_what_nothing_refers_to_any_more_is_not_contained():
    resource = observation(
        valueInteger=1,
        contained=[{"resourceType": "Device", "id": "d", "modelNumber": "M1"}],
        note=[{"text": "x", "authorReference": {"reference": "#d"}}],
    )
    resource["note"] = [{"text": "x"}]
    resource["focus"] = [{"reference": "#d"}]
    (left,) = left_of(resource, {"note.text": REMOVE})
    assert left["contained"] == resource["contained"]


def provenance(n: int) -> Resource:
    target = f"Provenance/e{n - 1}" if n else "Observation/o1"
    return {
        "resourceType": "Provenance",
        "id": f"e{n}",
        "target": [{"reference": target}],
        "recorded": "2020-01-01T00:00:00Z",
        "agent": [{"who": {"reference": "Practitioner/d1"}}],
    }


def test_a_chain_of_references_costs_a_few_passes(monkeypatch: pytest.MonkeyPatch):
    """Each would go because the one before it went: looking once for each would take the square of their number."""
    looked: list[str] = []
    real = rewrite.shape

    def counting(*of: Any) -> Any:
        looked.append(of[2])
        return real(*of)

    passes: list[object] = []
    staying = rewrite.Rewriter._staying

    def passing(*of: Any) -> Any:
        passes.append(None)
        return staying(*of)

    monkeypatch.setattr(rewrite, "shape", counting)
    monkeypatch.setattr(rewrite.Rewriter, "_staying", passing)
    chain = [provenance(n) for n in range(60)]
    message = transaction(observation(valueString="typed"), observation(id="o2", valueInteger=1), *chain)
    left, _ = ruled(message, {"note.text": REMOVE})
    assert [one["id"] for one in left] == ["o2"]
    assert len(passes) <= 10
    assert len(looked) <= 3 * len(message.entries)


def test_only_what_refers_to_what_went_is_shaped_again(monkeypatch: pytest.MonkeyPatch):
    looked: list[str] = []
    real = rewrite.shape

    def counting(*of: Any) -> Any:
        looked.append(of[1]["id"])
        return real(*of)

    monkeypatch.setattr(rewrite, "shape", counting)
    others = [observation(id=f"o{n}", valueInteger=n) for n in range(2, 12)]
    ruled(transaction(observation(valueString="typed"), provenance(0), *others), {"note.text": REMOVE})
    assert {name for name in looked if looked.count(name) > 1} == {provenance(0)["id"]}


ORGANIZATION = {"resourceType": "Organization", "id": "g1", "name": "St Elsewhere"}


@pytest.mark.parametrize("hollow", [True, False])
def test_what_refers_to_an_organisation_of_which_nothing_is_left_is_shaped_once(
    hollow: bool, monkeypatch: pytest.MonkeyPatch
):
    looked: list[str] = []
    real = rewrite.shape

    def counting(*of: Any) -> Any:
        looked.append(of[1]["id"])
        return real(*of)

    monkeypatch.setattr(rewrite, "shape", counting)
    before = observation(valueInteger=1, performer=[{"reference": "Organization/g1"}])
    rules = (
        {"organisation.name": REMOVE, "organisation.identifier": REMOVE} if hollow else {"note.text": REMOVE}
    )
    left, done = ruled(transaction(before, ORGANIZATION), rules)
    assert ("performer" in left[0], len(left)) == ((False, 1) if hollow else (True, 2))
    assert sorted(looked) == ["g1", "o1"]
    assert done.removed == ({"organisation.name": 1, "organisation.identifier": 2} if hollow else {})


def test_what_contains_something_of_which_nothing_is_left_is_shaped_once(monkeypatch: pytest.MonkeyPatch):
    looked: list[str] = []
    real = resources._alone

    def counting(*of: Any) -> Any:
        looked.append(of[2])
        return real(*of)

    monkeypatch.setattr(resources, "_alone", counting)
    smith = {"resourceType": "Patient", "id": "smith", "name": [{"family": "Smith"}]}
    resource = observation(valueInteger=1, contained=[smith], focus=[{"reference": "#smith"}])
    (left,) = left_of(resource, {"patient.name": REMOVE})
    assert not {"contained", "focus"} & {*left}
    assert looked.count("Observation") == 1


def test_a_chain_of_contained_resources_costs_a_few_passes(monkeypatch: pytest.MonkeyPatch):
    looked: list[str] = []
    real = resources._alone

    def counting(*of: Any) -> Any:
        looked.append(of[2])
        return real(*of)

    monkeypatch.setattr(resources, "_alone", counting)
    inner: list[Resource] = [{"resourceType": "Patient", "id": "c0", "name": [{"family": "Smith"}]}]
    inner += [
        {"resourceType": "Basic", "id": f"c{n}", "code": MASKED, "subject": {"reference": f"#c{n - 1}"}}
        for n in range(1, 60)
    ]
    resource = observation(valueInteger=1, contained=inner, focus=[{"reference": "#c59"}])
    (left,) = left_of(resource, {"patient.name": REMOVE, "message.control": REMOVE})
    assert "contained" not in left
    assert len(looked) <= 10 * (len(inner) + 1)


# --- transforms


@pytest.mark.parametrize(
    ("more", "key", "value"),
    [
        ({"effectiveDateTime": "2020-03-04T05:06:07Z"}, "effectiveDateTime", "2020"),
        ({"effectiveDateTime": "2020-03"}, "effectiveDateTime", "2020"),
        ({"effectiveDateTime": "2020"}, "effectiveDateTime", "2020"),
        ({"effectiveInstant": "2020-03-04T05:06:07Z"}, "effectiveDateTime", "2020"),
        (
            {"effectivePeriod": {"start": "2020-03-04", "end": "2021-03-04"}},
            "effectivePeriod",
            {"start": "2020", "end": "2021"},
        ),
    ],
)
def test_a_year_is_a_valid_date(more: Resource, key: str, value: Any):
    (left,) = left_of(observation(valueInteger=1, **more), {"observation.time": year})
    assert left[key] == value
    assert "effectiveInstant" not in left


def test_an_instant_that_is_no_instant_any_more_goes():
    resource = observation(valueInteger=1, effectiveDateTime="2020-01-01", issued="2020-03-04T05:06:07Z")
    (left,) = left_of(resource, {"observation.time": year})
    assert "issued" not in left


@pytest.mark.parametrize(("made", "left"), [("male", "male"), ("female", None), ("X Y", None), ("", None)])
def test_what_a_transform_gives_must_be_valid(made: str, left: str | None):
    """Of a code with a required value set only the code itself is left: nothing may become another gender."""
    (found,) = left_of(
        patient(gender="male", birthDate="1980-01-01"), {"patient.demographic": lambda _v, _c: made}
    )
    assert found.get("gender") == left


def test_several_identifiers_become_one_pseudonym():
    resource = patient(identifier=[{"system": "http://x.org/a", "value": "1"}, {"value": "2"}], gender="male")
    (left,) = left_of(resource, {"patient.identifier": lambda _v, _c: "TOKEN"})
    assert left["identifier"][0]["value"] == "TOKEN"
    safe = json.loads(shaped(put(resource)).data)
    assert len(safe["identifier"]) == 1
    assert set(safe["identifier"][0]) == {"value"}


def test_an_array_keeps_what_stands_beside_its_items():
    beside = {"url": "http://hl7.org/fhir/StructureDefinition/iso21090-EN-qualifier", "valueCode": "IN"}
    resource = patient(
        name=[{"family": "Smith", "given": ["Anna", "B"], "_given": [None, {"extension": [beside]}]}],
        gender="male",
    )
    assert left_of(resource, {"staff.name": REMOVE}) == [resource]


def test_birth_dates_over_89_go():
    old = json.loads(shaped(put(patient(gender="male", birthDate="1930-01-01"))).data)
    young = json.loads(shaped(put(patient(gender="male", birthDate="1990-01-01"))).data)
    assert "birthDate" not in old
    assert young["birthDate"] == "1990"


# --- what is kept


def test_numbers_keep_their_written_form():
    raw = b'{"resourceType":"Observation","id":"o1","status":"final","code":{"coding":[{"system":"http://loinc.org","code":"8867-4"}]},"valueQuantity":{"value":1.10}}'
    message = decode(request_bytes(Request("PUT", "Observation/o1"), raw))
    for rules in ({}, {"staff.name": REMOVE}):
        assert b'"value":1.10' in ruled(message, rules)[1].data


def test_the_long_way_keeps_everything_too():
    resource = observation(
        valueInteger=1, subject={"reference": "Patient/p1", "display": "Anna"}, note=[{"text": "x"}]
    )
    assert left_of(resource, {}) == left_of(resource, {"financial": REMOVE}) == [resource]


@pytest.mark.parametrize("key", ["valueQuantity", "valueCodeableConcept", "method", "bodySite"])
def test_what_says_only_why_there_is_nothing_stays(key: str):
    resource = observation(component=[]) | {key: MASKED, "valueInteger": 1}
    del resource["component"]
    if key.startswith("value"):
        del resource["valueInteger"]
    assert left_of(resource, {"financial": REMOVE}) == [resource]


def test_the_same_message_may_be_written_by_several_links():
    message = put(observation(valueInteger=1, subject={"reference": "Patient/p1"}))
    before = json.dumps(message.entries[0].resource)
    ruled(message, {"patient.identifier": named})
    ruled(message, {"patient.identifier": REMOVE})
    assert json.dumps(message.entries[0].resource) == before


def test_a_message_of_which_nothing_is_left_is_an_empty_transaction():
    message = without_codes(put(observation(valueInteger=1)), frozenset(("LN|8867-4",)))
    assert ruled(message, {})[0] == ruled(message, {"staff.name": REMOVE})[0] == []


# --- reverse: each guard off, and a test above sees it


def test_reverse_observations_that_lose_a_part(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(steps.edits, "whole", lambda step: step)
    with pytest.raises(AssertionError):
        test_an_observation_that_would_lose_its_meaning_goes_whole(
            {"valueInteger": 1, "bodySite": {"text": "left arm"}}, "note.text"
        )


def test_reverse_rules_of_r4(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(steps, "RULES", {})
    with pytest.raises(DecodeError, match="org-1"):
        test_a_rule_of_r4_is_kept_by_leaving_more_out()


@pytest.mark.parametrize("of", ["entries", "contained"])
def test_reverse_chains(of: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(rewrite if of == "entries" else resources, "PASSES_MAX", 1_000)
    chain = (
        test_a_chain_of_references_costs_a_few_passes
        if of == "entries"
        else test_a_chain_of_contained_resources_costs_a_few_passes
    )
    with pytest.raises(AssertionError):
        chain(monkeypatch)


def test_reverse_hollow_resources(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(resources, "HOLLOW", frozenset())
    with pytest.raises(AssertionError):
        test_only_structure_left_is_nothing_left()


def test_reverse_two_patients(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(links, "own_patient", lambda _entries: "")
    resource = observation(
        valueInteger=1, focus=[{"reference": "Patient/p2"}], subject={"reference": "Patient/p1"}
    )
    assert left_of(resource, {"patient.identifier": named}) == [], "the first one met stands for the patient"
