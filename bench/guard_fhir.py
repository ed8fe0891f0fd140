"""FHIR traffic for the guard: estates of made-up patients and devices, and what is left of it without its persons.

- ``traffic`` gives originals (Observations alone, in bundles, with their Patient) and outgoing JSON that holds nothing
  of the patient: every stop is a false one. Ids are those of a gateway and of senders: counted, UUIDs, hexadecimal.
- ``planted`` gives originals and outgoing JSON with the patient's data in a disguise: every one must stop.

Deliberately absent: shaping. What leaves is written here, so that a hole there is not one here.
"""

from __future__ import annotations

import json
import random
import uuid
from base64 import b64encode
from collections.abc import Iterator
from typing import Any

from bench.guard_words import NAMES, NUMBER_CODES, WORDS, name_of
from oathward.protocols.fhir.message import Entry, Message, Request

PATIENTS = 500
Resource = dict[str, Any]


def message_of(resources: list[Resource]) -> Message:
    """Make what came of resources."""
    entries = tuple(
        Entry(one, "POST", one["resourceType"], str(one.get("id", "")), index=n)
        for n, one in enumerate(resources)
    )
    body = {"resourceType": "Bundle", "type": "batch", "entry": [{"resource": one} for one in resources]}
    raw = b"POST \n\n" + json.dumps(body, ensure_ascii=False).encode()
    if len(resources) == 1:
        return Message(raw, Request("POST", resources[0]["resourceType"]), resources[0], "", entries)
    return Message(raw, Request("POST", ""), body, "batch", entries)


def traffic(seed: int, count: int, number_length: int) -> Iterator[tuple[Message, bytes]]:
    """Make messages and what is left of them without their persons.

    Args:
        number_length: digits of the hospital's numbers; short ones occur by chance.
    """
    chance = random.Random(f"fhir/{seed}/{number_length}")
    patients = [_patient(chance, number_length) for _ in range(PATIENTS)]
    for n in range(count):
        patient = chance.choice(patients)
        second = n % 86_400
        at = f"2026-{chance.randint(1, 12):02}-{chance.randint(1, 28):02}T{second // 3600:02}:{second // 60 % 60:02}"
        size = chance.choice((1, 1, 1, 8))
        subject = {"reference": f"Patient/{patient['id']}"}
        if chance.random() < 0.3:
            subject["display"] = f"{patient['name'][0]['given'][0]} {patient['name'][0]['family']}"
        measured = [_observation(chance, at) for _ in range(size)]
        came = [one | {"id": _sent_id(chance, i), "subject": subject} for i, one in enumerate(measured)]
        ours = f"{chance.getrandbits(80):020x}"
        pseudonym = {"reference": f"Patient/{_pseudonym(chance)}"}
        left = [one | {"id": f"{ours}-{i + 1}", "subject": pseudonym} for i, one in enumerate(measured)]
        yield message_of(([patient] if chance.random() < 0.5 else []) + came), _written(left)


def planted(fragments: dict[str, str], message: Message, seed: int) -> Iterator[tuple[str, Message, bytes]]:
    """Put each fragment (a member and its value) into made-up Observations: its name, what came and what would leave."""
    chance = random.Random(f"planted/{seed}")
    for name, fragment in fragments.items():
        one = _observation(chance, "2026-03-01T11:59") | {"id": f"{chance.getrandbits(80):020x}-1"}
        text = json.dumps(one, ensure_ascii=False, separators=(",", ":"))
        yield name, message, (text[:-1] + f",{fragment}}}").encode("utf-8", "surrogatepass")


def _written(resources: list[Resource]) -> bytes:
    if len(resources) == 1:
        whole = resources[0]
    else:
        entries = [
            {"resource": one, "request": {"method": "PUT", "url": f"Observation/{one['id']}"}}
            for one in resources
        ]
        whole = {"resourceType": "Bundle", "type": "transaction", "entry": entries}
    return json.dumps(whole, ensure_ascii=False, separators=(",", ":")).encode()


def _patient(chance: random.Random, number_length: int) -> Resource:
    number = str(chance.randrange(10 ** (number_length - 1), 10**number_length))
    id_ = chance.choice((number, _uuid(chance), f"pat-{number}"))
    return {
        "resourceType": "Patient",
        "id": id_,
        "identifier": [{"system": "urn:oid:1.2.3", "value": number}],
        "name": [{"use": "official", "family": name_of(chance), "given": [name_of(chance), chance.choice(NAMES)]}],
        "telecom": [{"system": "phone", "value": f"({chance.randint(200, 999)}) {chance.randint(200, 999)}-{chance.randint(1000, 9999)}"}],
        "birthDate": f"{chance.randint(1930, 2025)}-{chance.randint(1, 12):02}-{chance.randint(1, 28):02}",
        "address": [
            {"line": [f"{chance.randint(1, 200)} {name_of(chance)} Street"], "city": name_of(chance), "postalCode": str(chance.randint(10_000, 99_999))}
        ],
    }  # fmt: skip


def _observation(chance: random.Random, at: str) -> Resource:
    code, display, unit = chance.choice(NUMBER_CODES)
    zone = chance.choice(("Z", "+00:00", "-05:00"))
    fraction = chance.choice(("", f".{chance.randint(0, 999):03}", f".{chance.randint(0, 999_999):06}"))
    one: Resource = {
        "resourceType": "Observation",
        "meta": {"profile": ["http://hl7.org/fhir/StructureDefinition/vitalsigns"]},
        "status": "final",
        "category": [
            {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/observation-category", "code": "vital-signs"}]}
        ],
        "code": {"coding": [{"system": "http://loinc.org", "code": code, "display": display}], "text": display},
        "effectiveDateTime": f"{at}:{chance.randint(0, 59):02}{fraction}{zone}",
        "device": {"reference": f"Device/{_pseudonym(chance)}", "display": "Monitor"},
    }  # fmt: skip
    return one | _value(chance, unit)


def _value(chance: random.Random, unit: str) -> Resource:
    kind = chance.random()
    if kind < 0.1:
        return {"note": [{"text": " ".join(chance.choices(WORDS, k=chance.randint(5, 40)))}]}
    if kind < 0.15:
        data = " ".join(str(chance.randint(0, 4095)) for _ in range(chance.randint(10, 120)))
        return {
            "valueSampledData": {
                "origin": {"value": 0, "unit": unit},
                "period": 2.5,
                "dimensions": 1,
                "data": data,
            }
        }
    if kind < 0.18:
        blob = bytes(chance.randrange(256) for _ in range(chance.randint(20, 300)))
        return {"extension": [{"url": "urn:x:image", "valueAttachment": {"data": b64encode(blob).decode()}}]}
    quantity = {
        "value": round(chance.uniform(0, 300), chance.randint(0, 6)),
        "unit": unit,
        "system": "http://unitsofmeasure.org",
        "code": unit,
    }
    if kind < 0.4:
        low, high = chance.randint(1, 90), chance.randint(91, 300)
        return {
            "valueQuantity": quantity,
            "referenceRange": [{"low": {"value": low}, "high": {"value": high}}],
        }
    if kind < 0.5:
        return {
            "component": [
                {"code": {"text": chance.choice(WORDS)}, "valueQuantity": quantity} for _ in range(2)
            ]
        }
    return {"valueQuantity": quantity}


def _sent_id(chance: random.Random, n: int) -> str:
    return chance.choice((str(chance.randrange(10**7)), _uuid(chance), f"obs-{n}"))


def _uuid(chance: random.Random) -> str:
    return str(uuid.UUID(int=chance.getrandbits(128), version=4))


def _pseudonym(chance: random.Random) -> str:
    return "".join(chance.choices("abcdefghijklmnopqrstuvwxyz234567", k=20))
