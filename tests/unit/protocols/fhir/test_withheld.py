"""What bears a withheld code leaves a FHIR message whole, and so do references to it."""

import orjson
import pytest

from oathward.protocols.fhir import catalogue
from oathward.protocols.fhir.reader import decode

HR = {"system": "http://loinc.org", "code": "8867-4"}
MDC = {"system": "urn:iso:std:iso:11073:10101", "code": "147842"}
HIV = {"system": "http://loinc.org", "code": "75622-1"}
KETAMINE = {"system": "http://snomed.info/sct", "code": "724713006"}


def observation(id_: str, *codings: dict, **more: object) -> dict:
    code = {"coding": list(codings)}
    return {"resourceType": "Observation", "id": id_, "status": "final", "code": code} | more


def message(*resources: dict):
    entries = [
        {"resource": r, "request": {"method": "PUT", "url": f"{r['resourceType']}/{r['id']}"}}
        for r in resources
    ]
    bundle = {"resourceType": "Bundle", "type": "transaction", "entry": entries}
    return decode(b"POST \n\n" + orjson.dumps(bundle))


PATIENT = {"resourceType": "Patient", "id": "p"}
WHOLE = [
    PATIENT,
    observation("hr", HR, MDC),
    observation("hiv", HIV, subject={"reference": "Patient/p"}),
    observation(
        "complaint",
        {"system": "http://loinc.org", "code": "8661-1"},
        valueCodeableConcept={"coding": [KETAMINE]},
    ),
    observation(
        "panel", {"system": "http://loinc.org", "code": "85353-1"}, component=[{"code": {"coding": [HR]}}]
    ),
    {
        "resourceType": "Condition",
        "id": "c",
        "subject": {"reference": "Patient/p"},
        "code": {"coding": [KETAMINE]},
    },
]


def left(withheld: str, only: str | None = None) -> list[str]:
    kept = None if only is None else frozenset(only.split())
    found = catalogue.without_codes(message(*WHOLE), frozenset(withheld.split()), kept)
    return [entry.id for entry in found.entries]


@pytest.mark.parametrize(
    ("withheld", "only", "expected"),
    [
        ("", None, "p hr hiv complaint panel c"),
        ("LN|75622-1", None, "p hr complaint panel c"),
        ("MDC|147842", None, "p hiv complaint panel c"),
        ("LN|8867-4", None, "p hiv complaint c"),
        ("SCT|724713006", None, "p hr hiv panel"),
        ("", "LN|8867-4", "p hr c"),
        ("", "LN|85353-1 LN|75622-1", "p hiv panel c"),
        ("LN|75622-1", "LN|85353-1 LN|75622-1", "p panel c"),
        ("", "SCT|724713006", "p c"),
        ("", "", "p c"),
    ],
)
def test_what_bears_a_code_leaves(withheld, only, expected):
    assert left(withheld, only) == expected.split()


def test_every_code_that_can_be_withheld_is_among_the_codes():
    assert catalogue.codes(message(*WHOLE)) >= {"LN|8867-4", "MDC|147842", "LN|75622-1", "SCT|724713006"}
