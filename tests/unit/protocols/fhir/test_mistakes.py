"""What is told of a request that was refused: each mistake, those that another hides too, and no other."""

import itertools
import time

import pytest
from tests.fhir import component, observation, patient, raw

from oathward.core.reasons import Reason
from oathward.protocols.fhir import mistakes
from oathward.protocols.fhir.limits import Limits
from oathward.protocols.fhir.mistakes import mistakes_of

HELD = {"resourceType": "Practitioner", "id": "p", "name": [{"family": "Roe"}]}
GOOD = {
    "performer": [{"reference": "#p"}],
    "contained": [HELD],
    "note": [{"text": "calm"}, {"text": "rested"}],
    "effectiveDateTime": "2026-05-05",
    "_effectiveDateTime": {"extension": [{"url": "https://x.example/e", "valueCode": "a"}]},
    "interpretation": [{"text": "high"}],
    "valueQuantity": {"value": 1, "comparator": "<"},
}
WRONG = {
    "a code": ("status", "nonsense", "status"),
    "a type": ("issued", 5, "issued"),
    "a stranger": ("bogus", 1, "children()"),
    "a target": ("subject", {"reference": "Medication/1"}, "subject.reference"),
    "a rule within": ("valueQuantity", {"value": 1, "code": "a"}, "valueQuantity"),
    "a rule deep within": (
        "component",
        [
            component("8480-6", 1.0),
            component("8462-4", 2) | {"referenceRange": [{"text": "a"}, {"type": {}}]},
        ],
        "component[1].referenceRange[1].type",
    ),
    "an item of several": ("note", [{"text": "calm"}, {"text": 7}], "note[1].text"),
    "what is contained": ("contained", [HELD | {"gender": "x"}], "contained[0].gender"),
    "two of a choice": ("effectiveInstant", "2026-05-05T00:00:00Z", "effective[x]"),
    "a period that ends too soon": (
        "extension",
        [{"url": "https://x.example/p", "valuePeriod": {"start": "2026-05-05", "end": "2026-05-01"}}],
        "extension[0].valuePeriod",
    ),
}


def places(*names, limits=Limits(issues_max=50)):  # noqa: B008  a value
    changes = GOOD | {WRONG[name][0]: WRONG[name][1] for name in names}
    found = [issue.where for issue in mistakes_of(raw(observation(**changes)), limits)]
    return sorted(one.partition("[")[0] if "children()" in one else one for one in found)


def test_of_what_is_good_nothing_is_told():
    assert places() == []


@pytest.mark.parametrize(("one", "other"), list(itertools.combinations(WRONG, 2)))
def test_two_mistakes_are_both_told_and_nothing_else(one, other):
    assert places(one, other) == sorted(f"Observation.{WRONG[name][2]}" for name in (one, other))


def test_all_of_them_at_once():
    assert places(*WRONG) == sorted(f"Observation.{place}" for _, _, place in WRONG.values())


def test_without_the_closer_look_rules_stay_hidden(monkeypatch):
    """The reverse: what the reader itself says."""
    monkeypatch.setattr(mistakes, "BYTES_MAX", 0)
    assert places("a code", "a rule within") == ["Observation.status"]


def test_what_is_wrong_with_entries_is_told_in_their_order():
    bad, asked = patient(gender="x", birthDate="1"), {"method": "POST", "url": "Patient"}
    entries = [
        {"resource": one, "request": asked} for one in (patient(), bad, {"resourceType": "Patient", "id": ""})
    ]
    entries.append({"request": {"method": "DELETE", "url": "Patient/1"}})
    body = {"resourceType": "Bundle", "type": "transaction", "entry": entries}
    found = mistakes_of(raw(body, target=""))
    assert [issue.where for issue in found] == [
        "Bundle.entry[1].resource.gender",
        "Bundle.entry[1].resource.birthDate",
        "Bundle.entry[2].resource.id",
        "Bundle.entry[3].request",
    ]
    assert found[-1].reason is Reason.INTERACTION_UNSUPPORTED


def test_how_many_are_told_and_how_much_is_looked_at_has_a_bound():
    deep = {"url": "https://x.example/e"}
    for _ in range(30):
        deep = {"url": "https://x.example/e", "extension": [deep, {"url": 5}]}
    hostile = [
        observation(component=[{"code": {"text": 1}} for _ in range(1_000)]),
        observation(extension=[deep] * 8),
        observation(note=[{"text": "a", "authorString": 5, "time": {}} for _ in range(400)]),
    ]
    for body in hostile:
        begin = time.process_time()
        assert 0 < len(mistakes_of(raw(body), Limits(issues_max=20))) <= 20
        assert time.process_time() - begin < 0.5
