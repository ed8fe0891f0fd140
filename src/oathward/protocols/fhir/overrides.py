"""What a person reviewed: elements, extensions, and what a resource is about where nobody did.

Rules:
- A row of ``tables/reviewed.tsv`` speaks for elements of one type, and a row of ``tables/extensions.tsv`` for one
  URL; it has a source, or it does not load.
- A class there is a word of ``core.labels``; a role alone (``staff``) keeps the kind that the data type gives.
- Where no row speaks, the data type decides, in the light of what the resource is about (``SUBJECTS``).
- A row also says what happens if the element would be removed (``LOST``); where it does not, the element's
  cardinality does.

Deliberately absent: rules about values; what stands in an element is judged when it is seen (``verdicts``).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from oathward.core.labels import CLASSES, ROLES
from oathward.protocols.fhir import tables

BY_TYPE = "-"
OF_PARENT = "="
"""Class of an extension that only qualifies what it stands in."""

FORMS = frozenset(
    (
        "",
        "words",
        "di",
        "unit",
        "range",
        "number",
        "local",
        "token",
        "code",
        "uri",
        "samples",
        "observed",
        "strict",
        "language",
    )
)
PARTS = frozenset(("", "rest", "text", "street", "city", "state", "postcode", "country"))
LOST = frozenset(("", "whole", "group", "masked", "gone"))
"""What happens when all of an element would be removed.

``whole``: the resource goes with it. ``group``: what it stands in goes with it. ``masked``: an extension says that
something was there. ``gone``: nothing. Empty: ``masked`` where R4 asks for the element, else ``gone``.
"""


@dataclass(frozen=True, slots=True)
class Review:
    """What a reviewed element is.

    ``cls``: a class, a role, or empty (by data type). ``part``, ``form``: see ``elements``. ``lost``: see ``LOST``.
    """

    cls: str
    part: str
    form: str
    lost: str
    source: str


@cache
def reviewed() -> dict[str, dict[str, Review]]:
    """Map type to path below it (``component.value[x]``, ``valueString``) to its review.

    Raises:
        ValueError: a row of the table is not usable; names the row.
    """
    found: dict[str, dict[str, Review]] = {}
    for kind, paths, words, lost, source in tables.rows("reviewed.tsv"):
        review = _review(words, lost, source, f"reviewed.tsv: {kind} {paths}")
        of_kind = found.setdefault(kind, {})
        for path in paths.split(","):
            if path in of_kind:
                raise ValueError(f"reviewed.tsv: {kind}.{path} twice")
            of_kind[path] = review
    return found


@cache
def extensions() -> dict[str, Review]:
    """Map URL of an extension to what it is; ``url#inner`` for one that stands inside another.

    Raises:
        ValueError: a row of the table is not usable; names the row.
    """
    found: dict[str, Review] = {}
    for url, words, source in tables.rows("extensions.tsv"):
        if url in found:
            raise ValueError(f"extensions.tsv: {url} twice")
        found[url] = _review(words, "-", source, f"extensions.tsv: {url}")
    return found


def _review(words: str, lost: str, source: str, where: str) -> Review:
    head, _, form = words.partition(":")
    cls, _, part = head.partition("/")
    known = cls in (BY_TYPE, OF_PARENT) or cls in CLASSES or cls in ROLES
    lost = "" if lost == "-" else lost
    if not (known and form in FORMS and part in PARTS and lost in LOST and source):
        raise ValueError(where)
    return Review("" if cls == BY_TYPE else cls, part, form, lost, source)


@dataclass(frozen=True, slots=True)
class Subject:
    """What a resource is about: gives the classes of data types that do not say it themselves.

    ``role``: of names, addresses, contacts and dates. ``code``: of coded elements, booleans and numbers.
    ``entity``: of identifiers.
    """

    role: str = "patient"
    code: str = "clinical.code"
    entity: str = "order"


CLINICAL = Subject()
PATIENT = Subject("patient", "patient.demographic", "patient.identifier")
RELATIVE = Subject("relative", "relative.demographic", "relative.identifier")
STAFF = Subject("staff", "staff.demographic", "staff.identifier")
ORGANISATION = Subject("organisation", "organisation.demographic", "organisation.identifier")
PLACE = Subject("organisation", "location", "location")
DEVICE = Subject("organisation", "device.type", "device.identity")
MONEY = Subject("patient", "financial", "patient.identifier")
STAY = Subject(entity="patient.encounter")
PUBLISHED = Subject("organisation")
"""Of definitions and bundles: their dates are printed, or of a system, and the same for every patient."""

OF_ROLE = {"patient": PATIENT, "relative": RELATIVE, "staff": STAFF, "organisation": ORGANISATION}

SUBJECTS: dict[str, Subject] = {
    **dict.fromkeys(("Patient", "Person", "ResearchSubject"), PATIENT),
    **dict.fromkeys(("RelatedPerson", "FamilyMemberHistory"), RELATIVE),
    **dict.fromkeys(("Practitioner", "PractitionerRole", "CareTeam", "Schedule", "Slot"), STAFF),
    **dict.fromkeys(
        ("Organization", "OrganizationAffiliation", "HealthcareService", "Endpoint", "InsurancePlan"),
        ORGANISATION,
    ),
    "Location": PLACE,
    **dict.fromkeys(("Device", "DeviceDefinition", "DeviceMetric"), DEVICE),
    **dict.fromkeys(
        (
            *("Account", "ChargeItem", "Claim", "ClaimResponse", "Contract", "Coverage", "EnrollmentRequest"),
            *("CoverageEligibilityRequest", "CoverageEligibilityResponse", "EnrollmentResponse", "Invoice"),
            *("ExplanationOfBenefit", "PaymentNotice", "PaymentReconciliation"),
        ),
        MONEY,
    ),
    **dict.fromkeys(("Encounter", "EpisodeOfCare"), STAY),
    **dict.fromkeys(
        (
            *(
                "ActivityDefinition",
                "CapabilityStatement",
                "CatalogEntry",
                "ChargeItemDefinition",
                "CodeSystem",
            ),
            *(
                "CompartmentDefinition",
                "ConceptMap",
                "EffectEvidenceSynthesis",
                "EventDefinition",
                "Evidence",
            ),
            *(
                "EvidenceVariable",
                "ExampleScenario",
                "GraphDefinition",
                "ImplementationGuide",
                "Library",
                "Measure",
            ),
            *("MedicinalProduct", "MedicinalProductAuthorization", "MessageDefinition", "NamingSystem"),
            *("OperationDefinition", "PlanDefinition", "Questionnaire", "ResearchDefinition"),
            *("ResearchElementDefinition", "ResearchStudy", "RiskEvidenceSynthesis", "SearchParameter"),
            *("StructureDefinition", "StructureMap", "SubstanceSpecification", "TerminologyCapabilities"),
            *("TestReport", "TestScript", "ValueSet"),
        ),
        PUBLISHED,
    ),
}
"""Resource type -> what it is about; all others are clinical data of the patient, the strictest reading."""


def subject_of(kind: str) -> Subject:
    """Say what a resource type is about."""
    return SUBJECTS.get(kind, CLINICAL)


ID_CLASSES: dict[str, str] = {
    **dict.fromkeys(("Patient", "Person"), "patient.identifier"),
    "RelatedPerson": "relative.identifier",
    **dict.fromkeys(("Practitioner", "PractitionerRole"), "staff.identifier"),
    "Organization": "organisation.identifier",
    "Location": "location",
    "Device": "device.identity",
    **dict.fromkeys(("Encounter", "EpisodeOfCare", "Account"), "patient.encounter"),
}
"""Resource type -> class of its logical id."""

CONTROL = "message.control"


def id_class(kind: str) -> str:
    """Give the class of the logical ids of a resource type; those not listed are identifiers of the transport."""
    return ID_CLASSES.get(kind, CONTROL)
