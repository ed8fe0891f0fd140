"""What a request says of persons: values that its texts may repeat."""

from __future__ import annotations

import json

from oathward.protocols.fhir.reader import decode
from oathward.protocols.fhir.told import known_of

REGISTRY = "http://hl7.org/fhir/StructureDefinition/"


def told(name: object) -> set[str]:
    raw = b"POST Patient\n\n" + json.dumps({"resourceType": "Patient", "name": [name]}).encode()
    return {value for cls, _, value in known_of(decode(raw)) if cls == "patient.name"}


def test_a_name_beside_a_part_that_is_absent_is_told():
    own = {"url": f"{REGISTRY}humanname-own-name", "valueString": "Quarrelz"}
    assert told({"_family": {"extension": [own]}, "given": ["Zev"]}) == {"Quarrelz", "Zev"}
    assert told({"family": "Vrelant", "_family": {"extension": [own]}}) == {"Quarrelz", "Vrelant"}


def test_a_code_beside_a_name_is_not_told():
    sort = {"url": f"{REGISTRY}iso21090-EN-qualifier", "valueCode": "CL"}
    assert told({"given": ["Zev"], "_given": [{"extension": [sort]}]}) == {"Zev"}
