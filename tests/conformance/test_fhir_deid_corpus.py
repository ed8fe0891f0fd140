"""Bundles, resources and rules of others: nothing of the patient's own words leaves, what leaves is R4."""

import json
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from tests.corpus import CORPUS, needs_corpus
from tests.fhir_planted import plants
from tests.fhir_shaped import PLANS, put, resources, strings
from tests.shaped import CLOSED, PROFILES, SEEDS

from oathward.core.errors import DecodeError
from oathward.deid.plan import shape
from oathward.protocols.fhir import tables
from oathward.protocols.fhir.catalogue import classes_present
from oathward.protocols.fhir.message import Message, Request
from oathward.protocols.fhir.reader import decode, request_bytes

pytestmark = needs_corpus

FOLDER = CORPUS / "fhir"
BUNDLES = sorted((FOLDER / "synthea-r4-bundles").glob("*.json"))
BUNDLES += [
    path
    for path in sorted((FOLDER / "ms-anonymizer-samples" / "samples").rglob("*.json"))
    if path.stat().st_size < 600_000 and "Information" not in path.name
]
"""Each is about one patient."""

SINGLES = sorted(
    path
    for name in ("phd-ig-examples", "r4-examples", "ds4p-security-labels/examples", "leap-consent-fixtures")
    for path in (FOLDER / name).rglob("*.json")
)
SHORT = 3
"""Strings of so many characters stand in other words too."""


@cache
def read(path: Path) -> Message | None:
    """Decode a file; None for what is no update or transaction of valid R4."""
    raw = path.read_bytes()
    body = json.loads(raw)
    if not isinstance(body, dict):
        return None
    if body.get("resourceType") == "Bundle" and body.get("type") in ("batch", "transaction"):
        request = Request("POST", "")
    elif body.get("resourceType") in tables.resource_types() - {"Bundle"} and "id" in body:
        request = Request("PUT", f"{body['resourceType']}/{body['id']}")
    else:
        return None
    try:
        return decode(request_bytes(request, raw))
    except DecodeError:
        return None


def secrets(message: Message) -> dict[str, set[str]]:
    """Give every string of the patients' identifiers, names, addresses and contacts: kind -> strings."""
    found: dict[str, set[str]] = {
        "name": set(),
        "identifier": set(),
        "line": set(),
        "city": set(),
        "telecom": set(),
    }
    for entry in message.entries:
        if entry.type != "Patient":
            continue
        patient: dict[str, Any] = entry.resource
        found["identifier"] |= {entry.id, *(one.get("value", "") for one in patient.get("identifier", ()))}
        for name in patient.get("name", ()):
            found["name"] |= {*strings({key: name.get(key, []) for key in ("family", "given", "text")})}
        for address in patient.get("address", ()):
            found["line"] |= {*address.get("line", ())}
            found["city"] |= {address.get("city", ""), address.get("postalCode", "")}
        found["telecom"] |= {one.get("value", "") for one in patient.get("telecom", ())}
    return {kind: {word for word in words if len(word) > SHORT} for kind, words in found.items()}


@pytest.mark.parametrize("path", BUNDLES, ids=lambda path: path.stem[:24])
@pytest.mark.parametrize("profile", [name for name in PROFILES if name != "treatment"])
def test_nothing_of_the_patient_is_left(profile: str, path: Path):
    message = read(path)
    if message is None:
        pytest.skip("no transaction")
    left = resources(shape(message, PLANS[profile], SEEDS).data)
    words = " ".join(strings(left))
    for kind, values in secrets(message).items():
        if kind != "city" or profile in CLOSED:
            assert not [value for value in values if value in words], kind
    assert len(left) > 10


def test_the_patients_words_are_in_what_comes():
    """Else their absence would show nothing."""
    for path in BUNDLES:
        message = read(path)
        if message is None:
            continue
        came = " ".join(strings([entry.resource for entry in message.entries]))
        found = secrets(message)
        assert all(found[kind] for kind in ("name", "identifier", "line", "telecom"))
        assert all(word in came for words in found.values() for word in words)


@pytest.mark.parametrize("profile", PROFILES)
def test_every_single_resource_leaves_as_r4(profile: str):
    """Every output passes the check of what comes in."""
    seen = 0
    for path in SINGLES:
        message = read(path)
        if message is not None:
            resources(shape(message, PLANS[profile], SEEDS).data)
            seen += 1
    assert seen > 40


def test_treatment_gives_every_single_resource_as_it_came():
    for path in SINGLES:
        message = read(path)
        if message is None or message.bundle:
            continue
        (left,) = resources(shape(message, PLANS["treatment"], SEEDS).data)
        assert left == message.entries[0].resource


@pytest.mark.parametrize("path", BUNDLES[:3], ids=lambda path: path.stem[:24])
def test_treatment_changes_only_names_of_entries(path: Path):
    message = read(path)
    if message is None:
        pytest.skip("no transaction")
    left = resources(shape(message, PLANS["treatment"], SEEDS).data)
    names = {entry.full_url: f"{entry.type}/{entry.id}" for entry in message.entries}

    def told(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: told(item) for key, item in value.items()}
        if isinstance(value, list):
            return [told(item) for item in value]
        return names.get(value, value) if isinstance(value, str) else value

    assert left == [told(entry.resource) for entry in message.entries]


def test_numbers_keep_their_written_form():
    path = FOLDER / "r4-examples" / "observation-decimal.json"
    message = read(path)
    if message is None:
        pytest.skip("not in this corpus, or not valid R4")
    data = shape(message, PLANS["treatment"], SEEDS).data
    for text in ("1.0E-24", "1.000000000000000000E-245"):
        assert (text in path.read_text()) is (text in data.decode())


@pytest.mark.parametrize("profile", PROFILES)
def test_no_class_is_left_that_the_profile_does_not_list(profile: str):
    listed = {cls for cls, action in PLANS_ACTIONS[profile] if action != "remove"} | {
        "structure",
        "message.control",
    }
    for path in (*BUNDLES[:2], *SINGLES):
        message = read(path)
        if message is None:
            continue
        for resource in resources(shape(message, PLANS[profile], SEEDS).data):
            own = classes_present(put(resource))
            # A name that the message made up is nobody's, whatever the type of its bearer.
            made = (
                {
                    "patient.encounter",
                    "device.identity",
                    "location",
                }
                if resource["id"].startswith("out-1") or "out-1" in json.dumps(resource)
                else set()
            )
            assert own <= listed | made, (path.name, own - listed)


def _actions() -> dict[str, tuple[tuple[str, str], ...]]:
    from oathward.deid.profile import builtin_profiles

    return {name: builtin_profiles()[name].actions for name in PROFILES}


PLANS_ACTIONS = _actions()


# --- the rules of another anonymizer

RULES = (
    FOLDER
    / "ms-anonymizer-samples"
    / "src"
    / "Microsoft.Health.Fhir.Anonymizer.R4.CommandLineTool"
    / "configuration-sample.json"
)
OURS = frozenset(
    (
        *("Observation.value", "Observation.referenceRange", "Observation.component.value"),
        *("Condition.onset", "Condition.abatement", "Procedure.performed", "Immunization.occurrence"),
        *("AllergyIntolerance.onset", "Claim.supportingInfo.value", "QuestionnaireResponse.item.answer"),
        *("Device.udiCarrier", "Goal.statusReason"),
        *("FamilyMemberHistory.condition.onset as Age", "AllergyIntolerance.onset as Age"),
    )
)
"""What they take away whole and we do not: measurements, dates (as years), answers in codes, the model of a device."""


def removed_by_them() -> list[str]:
    rules = json.loads(RULES.read_text())["fhirPathRules"]
    return [
        rule["path"]
        for rule in rules
        if rule["method"] == "redact" and "(" not in rule["path"] and rule["path"] not in OURS
    ]


@pytest.mark.skipif(not RULES.exists(), reason="no rules of the other anonymizer in the corpus")
@pytest.mark.long  # what is left of patients and of classes is asked of the same files above
def test_what_another_anonymizer_takes_away_is_gone_under_safe_harbor():
    """For each of its rules on an element: what we planted there does not leave."""
    checked = 0
    by_kind: dict[str, list[Any]] = {}
    for rule in removed_by_them():
        kind, _, path = rule.partition(".")
        if kind not in tables.resource_types() - {"Bundle"}:
            continue
        for one in by_kind.setdefault(kind, plants(kind)):
            below = one.place.removeprefix(f"{kind}.")
            inside = (
                below == path
                or below.startswith(f"{path}.")
                or (below.startswith(path) and below[len(path) : len(path) + 1].isupper())
            )
            if not inside or one.cls in ("clinical.code", "structure", "observation.value"):
                continue
            try:
                message = put(one.resource)
            except DecodeError:
                continue
            assert one.value not in shape(message, PLANS["safe-harbor"], SEEDS).data.decode(), one.place
            checked += 1
    assert checked > 100


# --- reverse


def test_a_profile_that_keeps_texts_is_found(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(PLANS, "safe-harbor", PLANS["treatment"])  # type: ignore[arg-type]  # it is a dict
    with pytest.raises(AssertionError):
        test_nothing_of_the_patient_is_left("safe-harbor", next(path for path in BUNDLES if read(path)))
