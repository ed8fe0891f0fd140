"""Words that every protocol, profile, link and decision share: element classes and labels.

An *element class* is ``kind × role``, written ``role.kind`` for what belongs to a
person or thing (``patient.name``, ``staff.identifier``, ``device.identity``) and ``kind`` alone
where no role applies (``observation.value``, ``note.text``). The same words stand in catalogues,
profiles, links, facts of decisions and ledger records.

Source: confidentiality codes from HL7 v3 Confidentiality; purposes from HL7 v3 ActReason.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum

ROLES = ("patient", "relative", "staff", "organisation")

PERSON_KINDS = (
    "name",  # PN, XPN, XCN name parts
    "identifier",  # MRN, SSN, licence, insurance and employee numbers
    "address",  # street, city, postcode, county, country of a person
    "contact",  # telephone, fax, e-mail, URL
    "birth-date",  # date (or time) of birth, and of death
    "demographic",  # sex, race, religion, language, marital state, occupation
    "encounter",  # visit, account and episode numbers: name one stay of the person
    "time",  # dates tied to the person: admission, discharge, event, result
    "image",  # photographs, signatures, biometrics
)

PLAIN_KINDS = (
    "device.identity",  # EUI-64, serial, UDI-PI, AE title, host: names one unit
    "device.type",  # make, model, UDI-DI, software: names a kind of unit
    "location",  # room, bed, point of care
    "observation.code",
    "observation.value",
    "observation.time",
    "order",  # placer, filler and other order identifiers
    "clinical.code",  # diagnoses, procedures, allergies and other coded clinical content
    "note.text",  # free text of any kind, and whatever could hold it
    "attachment",  # encapsulated data, reference pointers
    "financial",
    "message.control",  # MSH-10, batch names, sequence numbers: identifiers of the transport
    "message.time",  # MSH-7 and its kin
    "message.party",  # sending and receiving application and facility
    "structure",  # set ids, type codes, actions, versions: says nothing about anyone
    "uncatalogued",  # nobody has said what it is: never passes, except where a treatment link says so
)

CLASSES: frozenset[str] = frozenset(PLAIN_KINDS) | frozenset(f"{r}.{k}" for r in ROLES for k in PERSON_KINDS)
"""Every element class there is."""

OBSERVATION_CLASSES = frozenset({"observation.code", "observation.value", "observation.time"})


def expand(patterns: Iterable[str]) -> frozenset[str]:
    """Turn class words with ``*`` (``patient.*``, ``*.name``, ``*``) into the classes they name.

    Raises:
        KeyError: a pattern names no class; the key is the pattern (a word of policy, not of a message).
    """
    found: set[str] = set()
    for pattern in patterns:
        head, star, tail = pattern.partition("*")
        hits = (
            {c for c in CLASSES if c.startswith(head) and c.endswith(tail)} if star else {pattern} & CLASSES
        )
        if not hits:
            raise KeyError(pattern)
        found |= hits
    return frozenset(found)


class Confidentiality(StrEnum):
    """HL7 v3 Confidentiality, ordered from unrestricted to very restricted."""

    U = "U"
    L = "L"
    M = "M"
    N = "N"
    R = "R"
    V = "V"


class Purpose(StrEnum):
    """HL7 v3 ActReason purposes of use that links and openings may name."""

    TREAT = "TREAT"
    ETREAT = "ETREAT"
    BTG = "BTG"
    HPAYMT = "HPAYMT"
    HOPERAT = "HOPERAT"
    HRESCH = "HRESCH"
    PUBHLTH = "PUBHLTH"
    SYSADMIN = "SYSADMIN"
    PATRQT = "PATRQT"


CARE_PURPOSES = frozenset({Purpose.TREAT, Purpose.ETREAT, Purpose.BTG})


class Role(StrEnum):
    """What somebody may be here; what a role permits stands in ``policy/rules``.

    ``SETUP`` is whoever sets up a site that has no people yet, at its own machine; nobody is granted it. ``PATIENT`` and
    ``PROXY`` are of holders at the portal: they follow from an access that is in force, and nobody is granted them either.
    """

    CLINICAL_ENGINEER = "clinical-engineer"
    SECURITY_ANALYST = "security-analyst"
    PRIVACY_OFFICER = "privacy-officer"
    INTEGRATION_ENGINEER = "integration-engineer"
    CLINICIAN = "clinician"
    VENDOR_USER = "vendor-user"
    AUDITOR = "auditor"
    ADMINISTRATOR = "administrator"
    KEY_HOLDER = "key-holder"
    PROVISIONER = "provisioner"  # of services: brings in person records, as SCIM does
    SETUP = "setup"
    PATIENT = "patient"
    PROXY = "proxy"


UNGRANTED: frozenset[Role] = frozenset({Role.PROVISIONER, Role.SETUP, Role.PATIENT, Role.PROXY})
"""Roles that no person is granted."""


class Assurance(StrEnum):
    """How sure we are which device is speaking, strongest first."""

    CERTIFICATE = "certificate"
    VOUCHED = "vouched"
    ADDRESS = "address"
    CLAIMED = "claimed"
    NONE = "none"

    @property
    def rank(self) -> int:
        """4 for a certificate down to 0 for none."""
        return 4 - list(Assurance).index(self)
