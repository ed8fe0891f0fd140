"""What leaves as FHIR says what was done to it: PSEUDED, ANONYED, REDACTED; and says nothing of what care was not told."""

import json

import pytest
from tests import fhir_shaped
from tests.shaped import SEEDS, message

from oathward.core.labels import CLASSES
from oathward.deid import plan as planning
from oathward.deid.plan import Route, compile_plan, shape
from oathward.deid.profile import builtin_profiles, parse
from oathward.deid.tags import tags_of
from oathward.protocols.fhir.labels import altered, labelled

PROFILES = builtin_profiles()
PATIENT = {"resourceType": "Patient", "id": "p1", "gender": "female", "name": [{"family": "QZVANTER"}]}
TAKEN = {
    "resourceType": "Observation",
    "id": "o1",
    "meta": {
        "security": [{"system": "http://terminology.hl7.org/CodeSystem/v3-Confidentiality", "code": "R"}]
    },
    "status": "final",
    "code": {"coding": [{"system": "http://loinc.org", "code": "8867-4"}]},
    "valueQuantity": {"value": 72, "system": "http://unitsofmeasure.org", "code": "/min"},
}
MEASURED = frozenset(("structure", "observation.code", "observation.value", "observation.time"))


def codes(resource: dict) -> list[str]:
    return [one["code"] for one in resource.get("meta", {}).get("security", [])]


def left(profile: str, classes: frozenset[str] = CLASSES, *resources: dict) -> dict[str, dict]:
    plan = compile_plan(PROFILES[profile], classes, fhir_shaped.FHIR)
    safe = shape(fhir_shaped.transaction(*(resources or (PATIENT, TAKEN))), plan, SEEDS)
    return {one["resourceType"]: one for one in fhir_shaped.resources(safe.data)}


@pytest.mark.parametrize(
    ("profile", "classes", "tags"),
    [
        ("treatment", CLASSES, None),
        ("treatment", MEASURED, None),
        ("safe-harbor", CLASSES, {"PSEUDED"}),
        ("safe-harbor", CLASSES - {"patient.identifier"}, {"ANONYED"}),
        ("limited-data-set", CLASSES, {"PSEUDED"}),
        (
            "limited-data-set",
            CLASSES - {"patient.identifier", "patient.encounter", "order", "device.identity"},
            set(),
        ),
        ("gdpr-pseudonymised", CLASSES, {"PSEUDED"}),
        ("device-telemetry", CLASSES, {"PSEUDED"}),
        ("device-telemetry", MEASURED, set()),  # the true time of an event is somebody's
        ("research", CLASSES, {"PSEUDED"}),
        ("research", MEASURED, set()),
    ],
)
def test_a_plan_says_what_holds_for_everything(profile: str, classes: frozenset[str], tags: set[str] | None):
    assert tags_of(PROFILES[profile], classes) == tags


@pytest.mark.parametrize("action", ["keep", "mask", "town", "shift", "uid"])
def test_nothing_is_called_anonymous_of_which_more_may_be_left(action: str):
    profile = parse("x", f'name = "x"\n[actions]\n"structure" = "keep"\n"patient.time" = "{action}"\n')
    assert "ANONYED" not in (tags_of(profile, CLASSES) or ())


def test_each_resource_says_whether_something_of_it_was_removed():
    found = left("safe-harbor")
    assert codes(found["Patient"]) == ["PSEUDED", "REDACTED"]
    assert codes(found["Observation"]) == ["R", "PSEUDED"]
    anonymous = left(
        "safe-harbor", CLASSES - {"patient.identifier"}, TAKEN | {"note": [{"text": "of QZVANTER"}]}
    )
    assert codes(anonymous["Observation"]) == ["R", "ANONYED", "REDACTED"]


def test_of_care_nothing_is_said_whatever_was_withheld():
    assert codes(left("treatment")["Observation"]) == ["R"]
    narrowed = left("treatment", CLASSES - {"patient.name"})
    assert codes(narrowed["Patient"]) == []


def test_without_labels_nothing_is_said(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(planning, "tags_of", lambda _profile, _classes: None)
    assert codes(left("safe-harbor")["Patient"]) == []


def test_a_label_stands_once():
    once = labelled(PATIENT, ("PSEUDED", "REDACTED"))
    assert labelled(once, ("REDACTED", "PSEUDED")) is once
    assert "meta" not in PATIENT
    assert [one["code"] for one in altered(("REDACTED", "PSEUDED", "PSEUDED"))] == ["PSEUDED", "REDACTED"]


def test_a_message_that_becomes_a_bundle_says_it_of_the_bundle():
    plan = compile_plan(PROFILES["safe-harbor"], CLASSES, Route("hl7v2", "fhir"))
    safe = shape(
        message("PID|1||7^^^H^MR||QZVANTER", "OBR|1|||8867-4^x^LN", "OBX|1|NM|8867-4^x^LN|1|72|/min|||||F"),
        plan,
        SEEDS,
    )
    bundle = json.loads(safe.data)
    assert codes(bundle) == ["PSEUDED", "REDACTED"]
    plain = compile_plan(PROFILES["treatment"], CLASSES, Route("hl7v2", "fhir"))
    assert codes(json.loads(shape(message("PID|1||7^^^H^MR||X"), plain, SEEDS).data)) == []
