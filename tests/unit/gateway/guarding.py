"""The persons of ``disguises`` as both wires tell of them, and what makes originals of messages."""

import json

from oathward.gateway.guard import original
from oathward.protocols.fhir.message import Entry, Message, Request
from oathward.protocols.hl7v2.reader import decode

HEADER = "MSH|^~\\&|MON|ICU|EHR|HOSP|20260301120000+0000||ORU^R01^ORU_R01|MSG77|P|2.6||||||UNICODE UTF-8"
HL7_ORIGINAL = (
    HEADER,
    (
        "PID|1||004711223^^^HOSP&1.2.840.113619&ISO^MR~123-45-6780^^^SSA^SS||DOE^JOHN^QUENTIN|ROSENQVIST^ADA|19700131|M|"
        "|2106-3^White^HL70005|12 Rosebud Lane^^Springwell^OR^97477||(555) 314-1592^PRN^PH~^NET^X.400^john.doe77@example.org|"
        "|ENG^English^ISO639|||ACC-88-1234-X"
    ),
    "NK1|1|Vandermeulen^Berta|SPO||(555) 271-8281|||||||99-00-5512-7",
    "GT1|1|G1|Weissmann^Ottokar",
    "IN1|1|PPO|INSCO|Good Insurance" + "|" * 32 + "POL55512345",
    "MRG|MRG7771119^^^HOSP^MR",
)
PATIENT = {
    "resourceType": "Patient",
    "id": "pat-88x21z",
    "identifier": [
        {"system": "urn:oid:1.2.840.113619", "value": "004711223"},
        {"system": "http://hl7.org/fhir/sid/us-ssn", "value": "123-45-6780"},
        {"type": {"coding": [{"code": "XX"}]}, "value": "MRG7771119"},
    ],
    "name": [{"use": "official", "family": "Doe", "given": ["John", "Quentin"], "prefix": ["Mr"]}],
    "telecom": [
        {"system": "phone", "value": "(555) 314-1592"}, {"system": "email", "value": "john.doe77@example.org"},
    ],
    "gender": "male",
    "birthDate": "1970-01-31",
    "address": [{"line": ["12 Rosebud Lane"], "city": "Springwell", "state": "OR", "postalCode": "97477"}],
    "extension": [
        {"url": "http://hl7.org/fhir/StructureDefinition/patient-mothersMaidenName", "valueString": "Rosenqvist, Ada"}
    ],
    "contact": [
        {"name": {"family": "Weissmann", "given": ["Ottokar"]}, "relationship": [{"coding": [{"code": "N"}]}]}
    ],
    "managingOrganization": {"reference": "Organization/1", "display": "Good Hospital"},
}  # fmt: skip
RELATIVE = {
    "resourceType": "RelatedPerson",
    "patient": {"reference": "Patient/pat-88x21z"},
    "identifier": [{"value": "99-00-5512-7"}],
    "name": [{"text": "Berta Vandermeulen"}],
    "telecom": [{"system": "phone", "value": "555 271 8281"}],
}
COVERAGE = {
    "resourceType": "Coverage",
    "status": "active",
    "subscriberId": "POL55512345",
    "beneficiary": {"reference": "Patient/pat-88x21z"},
}
ACCOUNT = {"resourceType": "Account", "identifier": [{"value": "ACC-88-1234-X"}]}
MEASURED = {
    "resourceType": "Observation",
    "id": "o1",
    "effectiveDateTime": "2026-03-01T12:00:00Z",
    "subject": {"reference": "Patient/pat-88x21z"},
}
FHIR_ORIGINAL = (PATIENT, RELATIVE, COVERAGE, ACCOUNT, MEASURED)
UUID = "urn:uuid:6f1c2b44-9a77-4c1e-8d2e-3b5f0c9a7e11"


def hl7v2(lines):
    """Make the original of HL7 v2 segments."""
    return original.of_hl7v2(decode("".join(f"{line}\r" for line in lines).encode()))


def request(resources, *, target="", conditions=()):
    """Make a FHIR request of resources; the first one has a full URL."""
    entries = tuple(
        Entry(one, "POST", one["resourceType"], str(one.get("id") or ""), UUID if n == 0 else "", index=n)
        for n, one in enumerate(resources)
    )
    body = {"resourceType": "Bundle", "type": "batch", "entry": [{"resource": one} for one in resources]}
    return Message(
        b"POST \n\n" + json.dumps(body).encode(), Request("POST", target, conditions), body, "batch", entries
    )


def fhir(resources, **more):
    """Make the original of FHIR resources."""
    return original.of_fhir(request(resources, **more))
