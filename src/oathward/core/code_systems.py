"""What one coding system is called on each wire: its name in HL7 v2 and its URI in FHIR.

Rules:
- A system has one name here, the one that ``name_of`` gives; HL7 v2 senders also write others (``ALIASES``).
- HL7's own tables are computed: ``HL70001`` is ``http://terminology.hl7.org/CodeSystem/v2-0001``, and back.
- An OID is one wherever it stands: ``urn:oid:2.16.840.1.113883.6.1`` names LOINC as its URL does.
- What nobody declared has no other name: the answer is empty, and the caller says what that means.

Deliberately absent: versions of systems, the codes themselves, local systems (``L``, ``99ZZZ``).

Source: HL7 table 0396 and its NamingSystems (both CC0); FHIR R4, terminologies-systems (§4.3.0);
HL7 v2-to-FHIR IG (CWE.3 to ``Coding.system``).
"""

from __future__ import annotations

import re

HL7_TABLES = "http://terminology.hl7.org/CodeSystem/v2-"

URIS: dict[str, str] = {
    "LN": "http://loinc.org",
    "SCT": "http://snomed.info/sct",
    "UCUM": "http://unitsofmeasure.org",
    "MDC": "urn:iso:std:iso:11073:10101",
    "I10": "http://hl7.org/fhir/sid/icd-10",
    "I10C": "http://hl7.org/fhir/sid/icd-10-cm",
    "I10P": "http://www.cms.gov/Medicare/Coding/ICD10",
    "I9": "http://hl7.org/fhir/sid/icd-9",
    "I9C": "http://hl7.org/fhir/sid/icd-9-cm",
    "ICDO3": "http://terminology.hl7.org/CodeSystem/icd-o-3",
    "RXNORM": "http://www.nlm.nih.gov/research/umls/rxnorm",
    "NDC": "http://hl7.org/fhir/sid/ndc",
    "CVX": "http://hl7.org/fhir/sid/cvx",
    "MVX": "http://hl7.org/fhir/sid/mvx",
    "C4": "http://www.ama-assn.org/go/cpt",
    "HCPCS": "http://www.cms.gov/Medicare/Coding/HCPCSReleaseCodeSets",
    "ATC": "http://www.whocc.no/atc",
    "DCM": "http://dicom.nema.org/resources/ontology/DCM",
    "NCI": "http://ncithesaurus-stage.nci.nih.gov",
    "UNII": "http://fdasis.nlm.nih.gov",
    "CDCREC": "urn:oid:2.16.840.1.113883.6.238",
    "ISO3166_1": "urn:iso:std:iso:3166",
    "ICPC2": "http://hl7.org/fhir/sid/icpc-2",
    "ORPHA": "http://www.orpha.net",
}
"""Name in table 0396 -> URI."""

ALIASES: dict[str, str] = {
    "LOINC": "LN",
    "SNOMED": "SCT",
    "SNOMED-CT": "SCT",
    "SNOMEDCT": "SCT",
    "SNM": "SCT",
    "SCT2": "SCT",
    "ISO11073": "MDC",
    "ICD10": "I10",
    "ICD-10": "I10",
    "ICD10CM": "I10C",
    "ICD-10-CM": "I10C",
    "ICD9CM": "I9C",
    "ICD-9-CM": "I9C",
    "I9CDX": "I9C",
    "I9CP": "I9C",
    "RXN": "RXNORM",
    "CPT": "C4",
    "CPT4": "C4",
    "ISO3166": "ISO3166_1",
}
"""What senders write also -> the name here."""

OIDS: dict[str, str] = {
    "2.16.840.1.113883.6.1": "LN",
    "2.16.840.1.113883.6.96": "SCT",
    "2.16.840.1.113883.6.8": "UCUM",
    "2.16.840.1.113883.6.24": "MDC",
    "2.16.840.1.113883.6.3": "I10",
    "2.16.840.1.113883.6.90": "I10C",
    "2.16.840.1.113883.6.4": "I10P",
    "2.16.840.1.113883.6.103": "I9C",
    "2.16.840.1.113883.6.88": "RXNORM",
    "2.16.840.1.113883.6.69": "NDC",
    "2.16.840.1.113883.12.292": "CVX",
    "2.16.840.1.113883.6.12": "C4",
    "2.16.840.1.113883.6.73": "ATC",
    "1.2.840.10008.2.16.4": "DCM",
    "2.16.840.1.113883.6.238": "CDCREC",
}
"""OID of a system -> the name here."""

_NAMES = {uri: name for name, uri in URIS.items()}
_NAMES |= {f"urn:oid:{oid}": name for oid, name in OIDS.items()}
_HL7_NAME = re.compile(r"HL7(?:-)?([0-9]{4})").fullmatch
_HL7_URI = re.compile(re.escape(HL7_TABLES) + r"([0-9]{4})").fullmatch
_HL7_OID = re.compile(r"urn:oid:2\.16\.840\.1\.113883\.12\.([0-9]{1,4})").fullmatch


def uri_of(name: str) -> str:
    """Give the URI of what HL7 v2 calls ``name`` (table 0396, an alias or an OID); empty where nobody knows."""
    upper = name.upper()
    known = URIS.get(ALIASES.get(upper, upper))
    if known:
        return known
    table = _HL7_NAME(upper)
    if table:
        return HL7_TABLES + table[1]
    oid = OIDS.get(name)
    return URIS[oid] if oid else ""


def name_of(uri: str) -> str:
    """Give the name in HL7 v2 of the system with this URI; empty where nobody knows."""
    known = _NAMES.get(uri)
    if known:
        return known
    table = _HL7_URI(uri)
    if table:
        return f"HL7{table[1]}"
    oid = _HL7_OID(uri)
    return f"HL7{int(oid[1]):04d}" if oid else ""


def canonical(name: str) -> str:
    """Give the one name here of what HL7 v2 calls ``name``; itself where nobody knows."""
    return name_of(uri_of(name)) or name
