"""The eighteen kinds of identifiers of 45 CFR 164.514(b)(2)(i), one a row, planted in HL7 v2 and in FHIR: none leaves.

``research`` and ``gdpr-pseudonymised`` do not claim the rule; which rows they let through is written down here too.
"""

from __future__ import annotations

import base64
from typing import Any, NamedTuple

import pytest
from tests import fhir_shaped
from tests.shaped import SEEDS, message, plan, runs

from oathward.core.labels import CLASSES
from oathward.deid.plan import compile_plan, shape
from oathward.deid.profile import builtin_profiles, builtin_texts, parse
from oathward.protocols.hl7v2.escapes import unescape_bytes

IMAGE = base64.b64encode(b"\x89PNG QZPORTRAIT of somebody").decode()
PRINT = base64.b64encode(b"QZFINGERPRINT minutiae").decode()
WHO = {"reference": "Patient/p4711"}
DONE = {"status": "final", "code": {"coding": [{"system": "http://loinc.org", "code": "8867-4"}]}}
TAKEN: dict[str, Any] = {
    "subject": WHO,
    "valueQuantity": {"value": 72, "system": "http://unitsofmeasure.org", "code": "/min"},
}


def patient(**more: Any) -> dict[str, Any]:
    return {"resourceType": "Patient", "id": "p4711", "gender": "female", **more}


def observation(**more: Any) -> dict[str, Any]:
    return {"resourceType": "Observation", "id": "o4711", **DONE, **TAKEN, **more}


def numbered(value: str, kind: str) -> dict[str, Any]:
    system = "http://terminology.hl7.org/CodeSystem/v2-0203"
    return {
        "type": {"coding": [{"system": system, "code": kind}]},
        "system": "urn:oid:1.2.3.4",
        "value": value,
    }


def reached(system: str, value: str) -> list[dict[str, str]]:
    return [{"system": system, "value": value}]


class Row(NamedTuple):
    """One kind: segments and resources that hold it, and the values of which nothing may leave."""

    kind: str
    segments: tuple[str, ...]
    resources: tuple[dict[str, Any], ...]
    secrets: tuple[str, ...]


OBX = "OBX|1|NM|8867-4^Heart rate^LN|1|72|/min^^UCUM|||||F|||20260317"
ROWS = {
    "A": Row(
        "names",
        (
            "PID|1||7^^^H^MR||QZVANTER^MIRABEL^J^^^^L",
            "NK1|1|QZOSTRANDER^PHILOMENA|SPO",
            "PV1|1|I|||||4711^QZDOCTOROW^AMADEUS",
        ),
        (
            patient(
                name=[{"family": "QZVANTER", "given": ["MIRABEL"], "text": "MIRABEL QZVANTER"}],
                contact=[{"name": {"family": "QZOSTRANDER", "given": ["PHILOMENA"]}}],
                text={
                    "status": "generated",
                    "div": '<div xmlns="http://www.w3.org/1999/xhtml">QZVANTER</div>',
                },
            ),
            {
                "resourceType": "Practitioner",
                "id": "d4711",
                "name": [{"family": "QZDOCTOROW", "given": ["AMADEUS"]}],
            },
        ),
        ("QZVANTER", "MIRABEL", "QZOSTRANDER", "PHILOMENA", "QZDOCTOROW", "AMADEUS"),
    ),
    "B": Row(
        "places smaller than a state",
        (
            "PID|1||7||X||||||17 QZKESTREL LANE^^LOWTHORPE^ID^83123-9876^USA||||||||||||QZBIRTHPLACE",
            "PV1|1|I|QZWARD^12^3",
        ),
        (
            patient(
                address=[
                    {
                        "line": ["17 QZKESTREL LANE"],
                        "city": "LOWTHORPE",
                        "district": "QZCOUNTY",
                        "state": "ID",
                        "postalCode": "83123-9876",
                        "country": "USA",
                    }
                ]
            ),
        ),
        ("QZKESTREL", "LOWTHORPE", "83123", "9876", "831", "QZBIRTHPLACE", "QZWARD", "QZCOUNTY"),
    ),
    "C": Row(
        "dates but the year, ages over 89",
        (
            "PID|1||7||X||19330417",
            "PV1|1|I|" + "|" * 41 + "20260317|20260429",
            OBX.replace("20260317", "20260317081500"),
        ),
        (
            patient(birthDate="1933-04-17"),
            observation(effectiveDateTime="2026-03-17T08:15:00Z"),
            {
                "resourceType": "Encounter",
                "id": "e4711",
                "status": "finished",
                "class": {"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "IMP"},
                "subject": WHO,
                "period": {"start": "2026-03-17", "end": "2026-04-29"},
            },
        ),
        ("1933", "0417", "04-17", "0317", "03-17", "0429", "04-29", "0815", "08:15"),
    ),
    "D": Row(
        "telephone numbers",
        ("PID|1||7||X||||||||(555)201-4711^PRN^PH", "NK1|1|X|SPO||(555)201-4712"),
        (
            patient(
                telecom=reached("phone", "(555)201-4711"),
                contact=[{"telecom": reached("phone", "(555)201-4712")}],
            ),
        ),
        ("201-4711", "201-4712"),
    ),
    "E": Row(
        "fax numbers",
        ("PID|1||7||X||||||||(555)301-4711^PRN^FX",),
        (patient(telecom=reached("fax", "(555)301-4711")),),
        ("301-4711",),
    ),
    "F": Row(
        "e-mail addresses",
        ("PID|1||7||X||||||||^NET^Internet^qzmail@example.org",),
        (patient(telecom=reached("email", "qzmail@example.org")),),
        ("qzmail", "example.org"),
    ),
    "G": Row(
        "social security numbers",
        ("PID|1||7~219099999^^^USSSA^SS||X" + "|" * 14 + "219099999",),
        (patient(identifier=[numbered("219099999", "SS")]),),
        ("219099999", "9999"),
    ),
    "H": Row(
        "medical record numbers",
        ("PID|1|88001122|88001122^^^HOSP&1.2.3&ISO^MR|88001133|X",),
        (patient(identifier=[numbered("88001122", "MR")]),),
        ("88001122", "88001133"),
    ),
    "I": Row(
        "health plan beneficiary numbers",
        (
            "PID|1||7||X",
            "IN1|1|QZPLAN|QZCOMPANY|" + "|" * 32 + "QZPOLICY776655|" + "|" * 12 + "QZINSURED5544",
        ),
        (
            patient(identifier=[numbered("QZINSURED5544", "MB")]),
            {
                "resourceType": "Coverage",
                "id": "c4711",
                "status": "active",
                "subscriberId": "QZPOLICY776655",
                "beneficiary": WHO,
                "payor": [{"display": "QZCOMPANY"}],
            },
        ),
        ("QZPOLICY", "776655", "QZINSURED", "QZCOMPANY"),
    ),
    "J": Row(
        "account numbers",
        (
            "PID|1||7||X" + "|" * 13 + "QZACCOUNT9911^^^H^AN",
            "PV1|1|I" + "|" * 17 + "QZVISIT8822" + "|" * 31 + "QZALTERNATE7733",
        ),
        (
            {
                "resourceType": "Account",
                "id": "a4711",
                "status": "active",
                "identifier": [numbered("QZACCOUNT9911", "AN")],
                "subject": [WHO],
            },
        ),
        ("QZACCOUNT", "9911", "QZVISIT", "8822", "QZALTERNATE", "7733"),
    ),
    "K": Row(
        "certificate and licence numbers",
        ("PID|1||7||X" + "|" * 15 + "QZLICENCE445566^CA^20301231", "PV1|1|I|||||QZNPI667788^X"),
        (
            patient(identifier=[numbered("QZLICENCE445566", "DL")]),
            {
                "resourceType": "Practitioner",
                "id": "d4711",
                "identifier": [numbered("QZNPI667788", "NPI")],
                "qualification": [{"identifier": [numbered("QZMD998877", "MD")], "code": {"text": "MD"}}],
            },
        ),
        ("QZLICENCE", "445566", "QZNPI667788", "QZMD998877"),
    ),
    "L": Row(
        "vehicle identifiers",
        ("PID|1||7||X", "ZVH|1|QZPLATE-77^1QZVIN5512345", "NTE|1||ambulance QZPLATE-77"),
        (
            observation(
                note=[{"text": "ambulance QZPLATE-77"}],
                extension=[{"url": "http://x.example/vehicle", "valueString": "1QZVIN5512345"}],
            ),
        ),
        ("QZPLATE", "QZVIN", "12345"),
    ),
    "M": Row(
        "device identifiers and serial numbers",
        ("PID|1||7||X", OBX + "||||QZSERIAL3344^^00A1B2FFFEC3D4E5^EUI-64"),
        (
            {
                "resourceType": "Device",
                "id": "v4711",
                "serialNumber": "QZSERIAL3344",
                "identifier": [{"value": "00A1B2FFFEC3D4E5"}],
                "udiCarrier": [{"carrierHRF": "(01)00844588003288(21)QZSERIAL3344"}],
            },
        ),
        ("QZSERIAL", "3344", "A1B2", "C3D4", "(21)"),
    ),
    "N": Row(
        "URLs",
        ("PID|1||7||X||||||||^NET^Internet^http://qzpage.example/me", "NTE|1||http://qzpage.example/me"),
        (
            patient(
                telecom=reached("url", "http://qzpage.example/me"),
                photo=[{"url": "http://qzpage.example/me"}],
            ),
        ),
        ("qzpage",),
    ),
    "O": Row(
        "IP addresses",
        ("PID|1||7||X", "NTE|1||from 203.0.113.77", OBX + "||||203.0.113.77^^203.0.113.77^DNS"),
        (
            {
                "resourceType": "Device",
                "id": "v4711",
                "url": "http://203.0.113.77/x",
                "identifier": [{"value": "203.0.113.77"}],
            },
            observation(note=[{"text": "from 203.0.113.77"}]),
        ),
        ("203.0.113.77", "113.77"),
    ),
    "P": Row(
        "biometric identifiers",
        ("PID|1||7||X", f"OBX|1|ED|FP^finger^L|1|^application^octet-stream^Base64^{PRINT}||||||F"),
        (patient(photo=[{"contentType": "application/octet-stream", "data": PRINT}]),),
        (PRINT, PRINT[:12], "FINGERPRINT"),
    ),
    "Q": Row(
        "full-face photographs",
        ("PID|1||7||X", f"OBX|1|ED|PHOTO^face^L|1|^image^png^Base64^{IMAGE}||||||F"),
        (patient(photo=[{"contentType": "image/png", "data": IMAGE}]),),
        (IMAGE, IMAGE[:12], "PORTRAIT"),
    ),
    "R": Row(
        "any other number",
        (
            "PID|1||7||X",
            "OBR|1|QZPLACER221^A|QZFILLER332^B|8867-4^Heart rate^LN||20260317",
            "SPM|1|QZSPECIMEN443||119297000^Blood^SCT",
            OBX,
        ),
        (
            observation(id="QZLOGICAL554", identifier=[{"value": "QZFILLER332"}]),
            {
                "resourceType": "ServiceRequest",
                "id": "s4711",
                "status": "active",
                "intent": "order",
                "identifier": [{"value": "QZPLACER221"}],
                "subject": WHO,
            },
        ),
        ("QZPLACER", "QZFILLER", "QZSPECIMEN", "QZLOGICAL"),
    ),
}

LETTERS = "ABCDEFGHIJKLMNOPQR"
RESEARCH = frozenset("ABDEFGHIJKLMNOPQR")
"""Rows of which ``research`` lets nothing through; of C it moves the dates."""


def outputs(row: Row, profile: str) -> dict[str, str]:
    """Give what leaves of a row by wire, escapes undone."""
    hl7 = message(*row.segments)
    safe = shape(hl7, plan(profile), SEEDS)
    sent = fhir_shaped.transaction(*row.resources)
    made = fhir_shaped.shaped(sent, profile)
    return {
        "hl7v2": (safe.data + unescape_bytes(safe.data, hl7.separators)).decode() + repr(safe),
        "fhir": made.data.decode() + repr(made),
    }


def test_there_are_eighteen():
    assert "".join(ROWS) == LETTERS
    assert f"(A)-({LETTERS[-1]})" in builtin_texts()["safe-harbor"]


@pytest.mark.parametrize("letter", ROWS)
def test_nothing_of_a_kind_leaves_under_safe_harbor(letter: str):
    row = ROWS[letter]
    for wire, text in outputs(row, "safe-harbor").items():
        assert [secret for secret in row.secrets if secret.upper() in text.upper()] == [], wire


@pytest.mark.parametrize("letter", ROWS)
def test_what_is_planted_is_there(letter: str):
    """The reverse: a profile that keeps everything shows each value on one wire at least."""
    row = ROWS[letter]
    text = " ".join(outputs(row, "treatment").values())
    planted = [secret for secret in row.secrets if secret not in ("FINGERPRINT", "PORTRAIT")]
    assert [secret for secret in planted if secret.upper() not in text.upper()] == []


@pytest.mark.parametrize("letter", sorted(RESEARCH))
def test_nothing_of_a_kind_but_dates_leaves_under_research(letter: str):
    row = ROWS[letter]
    for wire, text in outputs(row, "research").items():
        assert [secret for secret in row.secrets if secret.upper() in text.upper()] == [], wire


def test_under_research_no_true_date_leaves_and_no_age_over_89():
    for text in outputs(ROWS["C"], "research").values():
        assert [
            one
            for one in ("1933", "0417", "04-17", "20260317", "2026-03-17", "20260429", "2026-04-29")
            if one in text
        ] == []
        assert "081500" in text or "08:15:00" in text  # the time of day stays


@pytest.mark.parametrize("letter", [letter for letter in ROWS if letter not in "BC"])
def test_direct_identifiers_leave_as_keyed_names_alone_under_gdpr_pseudonymised(letter: str):
    row = ROWS[letter]
    for wire, text in outputs(row, "gdpr-pseudonymised").items():
        assert [secret for secret in row.secrets if secret.upper() in text.upper()] == [], wire


def test_streets_go_and_towns_stay_under_gdpr_pseudonymised():
    for text in outputs(ROWS["B"], "gdpr-pseudonymised").values():
        assert "QZKESTREL" not in text
        assert "LOWTHORPE" in text


def test_a_line_that_keeps_a_kind_turns_the_table_red():
    kept = builtin_texts()["safe-harbor"].replace('"safe-harbor"', '"mine"')
    kept = kept.replace('"patient.address" = "postcode3"', '"patient.address" = "town"')
    compiled = compile_plan(parse("mine", kept), CLASSES)
    text = shape(message(*ROWS["B"].segments), compiled, SEEDS).data.decode()
    assert "LOWTHORPE" in text


@pytest.mark.parametrize("profile", ["safe-harbor", "research", "gdpr-pseudonymised", "limited-data-set"])
def test_one_person_has_one_pseudonym_on_every_wire(profile: str):
    row = ROWS["H"]
    hl7 = shape(message(*row.segments), plan(profile), SEEDS).data.decode()
    fhir = fhir_shaped.shaped(fhir_shaped.transaction(*row.resources), profile)
    (made,) = fhir_shaped.resources(fhir.data)
    name = made["identifier"][0]["value"]
    assert name == made["id"]
    assert f"|{name}" in hl7
    assert not runs("88001122") & runs(name)


def test_the_same_day_moves_to_the_same_day_on_every_wire():
    row = ROWS["C"]
    hl7 = shape(message(*row.segments), plan("research"), SEEDS).data.decode()
    fhir = fhir_shaped.resources(fhir_shaped.shaped(fhir_shaped.transaction(*row.resources), "research").data)
    taken = next(one for one in fhir if one["resourceType"] == "Observation")["effectiveDateTime"]
    born = next(one for one in fhir if one["resourceType"] == "Patient")["birthDate"]
    stay = next(one for one in fhir if one["resourceType"] == "Encounter")["period"]
    assert taken.replace("-", "").replace(":", "").replace("T", "").rstrip("Z") in hl7
    assert born.replace("-", "") in hl7
    assert f"{stay['start'].replace('-', '')}|{stay['end'].replace('-', '')}" in hl7


def test_no_profile_but_treatment_keeps_what_nobody_catalogued():
    assert {name for name, one in builtin_profiles().items() if one.uncatalogued != "remove"} == {"treatment"}
