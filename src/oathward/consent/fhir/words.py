"""What the words of a FHIR Consent mean here: purposes, classes of data, labels, actions, roles, base policies.

Rules:
- A word is known by its system and code. What is not in these tables is not known: a permit does not count because
  of it, a denial counts as if it were not there.
- Hierarchies are the standard's: a permit of research is one of clinical trials; one of clinical trials is not one of
  research, but a denial of them is, for nobody here tells one from the other.
- A class of data that a permit names is as small as that resource's own content; one that a denial names takes in where
  else the same could stand.

Deliberately absent: how a Consent is read (``reader.py``).

Source: FHIR R4 value sets consent-scope, consent-action, resource-types; HL7 v3 ActReason (PurposeOfUse), ActCode
(ActConsentDirective, ActInformationSensitivityPolicy), Confidentiality, ParticipationType.
"""

from __future__ import annotations

from collections.abc import Mapping

from oathward.core.labels import CARE_PURPOSES, Confidentiality, Purpose, expand
from oathward.policy.consents import EVERY
from oathward.policy.labels import SENSITIVITIES

THO = "http://terminology.hl7.org/CodeSystem/"
SCOPE = THO + "consentscope"
ACTION = THO + "consentaction"
ACT_CODE = THO + "v3-ActCode"
ACT_REASON = THO + "v3-ActReason"
CONFIDENTIALITY = THO + "v3-Confidentiality"
PARTICIPATION = THO + "v3-ParticipationType"
RESOURCE_TYPES = "http://hl7.org/fhir/resource-types"
OLD = {
    "http://hl7.org/fhir/consentscope": SCOPE,
    "http://hl7.org/fhir/fhir-types": RESOURCE_TYPES,
    "http://hl7.org/fhir/consentaction": ACTION,
    "http://hl7.org/fhir/v3/ActCode": ACT_CODE,
    "http://hl7.org/fhir/v3/ActReason": ACT_REASON,
    "http://hl7.org/fhir/v3/Confidentiality": CONFIDENTIALITY,
    "http://hl7.org/fhir/v3/ParticipationType": PARTICIPATION,
}
"""Systems by the URIs they had before R4, and R5's of resource types."""

CARE = frozenset(str(p) for p in CARE_PURPOSES)
SCOPES: Mapping[str, frozenset[str]] = {
    "patient-privacy": EVERY,
    "research": frozenset((str(Purpose.HRESCH),)),
    "treatment": CARE,
}
"""Scope -> the purposes its consents are of. Advance directives are of none."""

BASES = {"OPTIN": "permit", "OPTINR": "permit", "OPTOUT": "deny", "OPTOUTE": "deny", "EMRGONLY": "deny"}
"""``policyRule`` (ActConsentDirective) -> what holds where no provision says otherwise."""

EMERGENCY_ONLY = "EMRGONLY"
EMERGENCY = frozenset((str(Purpose.ETREAT), str(Purpose.BTG)))

RECIPIENT_ROLES = frozenset(("IRCP", "PRCP"))
"""Roles (ParticipationType) in which an actor is who receives."""

ALLOWS = frozenset(("access", "disclose"))
"""Actions of which a permit must name one, for data to go to a recipient."""
FORBIDS = frozenset(("access", "disclose", "use", "collect"))
"""Actions of which a denial names one, if it is to stop that. ``correct`` alone is of no flow."""
ACTIONS = FORBIDS | {"correct"}

_REASONS = {
    "HMARKT": "", "HOPERAT": "", "HPAYMT": "", "HRESCH": "", "PATRQT": "", "PUBHLTH": "", "TREAT": "",
    **dict.fromkeys(
        ("CAREMGT", "DONAT", "FRAUD", "GOV", "HACCRED", "HCOMPL", "HDECD", "HDIRECT", "HDM", "HLEGAL", "HOUTCOMS",
         "HPRGRP", "HQUALIMP", "HSYSADMIN", "MEMADMIN", "MILCDM", "PATADMIN", "PATSFTY", "PERFMSR", "RECORDMGT",
         "SYSDEV", "TRAIN"),
        "HOPERAT",
    ),
    "LABELING": "HSYSADMIN", "METAMGT": "HSYSADMIN", "SYSADMIN": "HSYSADMIN", "HTEST": "SYSDEV",
    **dict.fromkeys(("CLMATTCH", "COVAUTH", "COVERAGE", "REMITADV"), "HPAYMT"),
    **dict.fromkeys(("ELIGDTRM", "ELIGVER", "ENROLLM", "MILDCRG"), "COVERAGE"),
    **dict.fromkeys(("BIORCH", "CLINTRCH", "DSRCH", "POARCH", "TRANSRCH"), "HRESCH"),
    **dict.fromkeys(("CLINTRCHNPC", "CLINTRCHPC", "PRECLINTRCH"), "CLINTRCH"),
    **dict.fromkeys(("FAMRQT", "PWATRNY", "SUPNWK"), "PATRQT"),
    "DISASTER": "PUBHLTH", "THREAT": "PUBHLTH",
    **dict.fromkeys(("CLINTRL", "COC", "ETREAT", "POPHLTH"), "TREAT"),
    "BTG": "ETREAT", "ERTREAT": "ETREAT",
}  # fmt: skip
"""Purpose of use -> the one above it; ``SYSADMIN`` is what links here call ``HSYSADMIN``."""

_KINDS = {
    "BH": "SPI", "MH": "SPI", "PSY": "SPI", "PSYTHPN": "SPI", "SUD": "SPI", "COGN": "BH", "DVD": "BH", "EMOTDIS": "BH",
    "ETHUD": "SUD", "OPIOIDUD": "SUD",
}  # fmt: skip
_KINDS_LATER = {"MH": "BH", "PSY": "BH", "PSYTHPN": "BH", "SUD": "BH"}
"""Sensitivity -> the one above it, in R4 and in the terminology of today."""

_OBSERVED = ("observation.*",)
_CLINICAL = ("clinical.code",)
_CLASSES: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "Observation": (_OBSERVED, ()),
    "DiagnosticReport": (_OBSERVED, ("attachment", "note.text", "clinical.code")),
    "Patient": (("patient.*",), ("relative.*",)),
    "Person": (("patient.*",), ("relative.*",)),
    "RelatedPerson": (("relative.*",), ()),
    "Device": (("device.*",), ()),
    "DeviceMetric": (("device.*",), _OBSERVED),
    "Practitioner": (("staff.*",), ()),
    "PractitionerRole": (("staff.*",), ()),
    "Organization": (("organisation.*",), ()),
    "Location": (("location",), ()),
    "Encounter": (("patient.encounter", "location"), ("clinical.code", "patient.time")),
    "EpisodeOfCare": (("patient.encounter",), ("clinical.code", "patient.time")),
    "ServiceRequest": (("order",), ("clinical.code", "observation.code")),
    "DocumentReference": (("attachment",), ("note.text",)),
    "Media": (("attachment",), ("note.text",)),
    "Binary": (("attachment",), ("note.text",)),
    "Composition": (("attachment",), ("note.text", "clinical.code")),
    "Coverage": (("financial",), ("patient.identifier",)),
    "Claim": (("financial",), ("clinical.code",)),
    "ExplanationOfBenefit": (("financial",), ("clinical.code",)),
    "Account": (("financial",), ("patient.encounter",)),
    **dict.fromkeys(
        ("Condition", "AllergyIntolerance", "Procedure", "Immunization", "FamilyMemberHistory", "CarePlan",
         "ClinicalImpression", "RiskAssessment", "DetectedIssue", "Flag", "Goal"),
        (_CLINICAL, ("note.text",)),
    ),
    **dict.fromkeys(
        ("MedicationRequest", "MedicationAdministration", "MedicationDispense", "MedicationStatement", "Medication"),
        (_CLINICAL, ("order", "note.text")),
    ),
}  # fmt: skip
"""Resource type -> the classes a permit of it allows, and those a denial of it takes besides."""

ALL_TYPES = frozenset(("Resource", "DomainResource", "Bundle"))


def _below(parents: Mapping[str, str], word: str) -> frozenset[str]:
    """Give a word with all that is below it."""
    found = {word}
    while more := {w for w, parent in parents.items() if parent in found} - found:
        found |= more
    return frozenset(found)


def _above(parents: Mapping[str, str], word: str) -> frozenset[str]:
    found = set()
    while word:
        found.add(word)
        word = parents.get(word, "")
    return frozenset(found)


LEVELS = frozenset(str(level) for level in Confidentiality)
_OURS = frozenset(str(p) for p in Purpose)
_ROOTS = frozenset(("PurposeOfUse", "_ActHealthInformationPurposeOfUseReason"))


def purposes_of(code: str) -> tuple[frozenset[str], frozenset[str]] | None:
    """Give the purposes that a permit and a denial of a purpose of use are of; ``None`` where it is not known."""
    if code in _ROOTS:
        return EVERY, EVERY
    if code not in _REASONS:
        return None
    narrow = _below(_REASONS, code) & _OURS
    return narrow, narrow if code in _OURS else narrow | (_above(_REASONS, code) & _OURS)


def kinds_of(code: str, *, wide: bool) -> frozenset[str]:
    """Give a sensitivity with those below it; empty where it is none."""
    if code not in SENSITIVITIES:
        return frozenset()
    found = _below(_KINDS, code)
    if wide:
        found = found.union(*(_below(_KINDS_LATER, word) for word in found))
        found = found.union(*(_below(_KINDS, word) for word in found))
    return found


def levels_of(codes: frozenset[str], *, permit: bool) -> frozenset[str]:
    """Give the levels that some confidentialities mean: up to the highest in a permit, from the lowest in a denial."""
    order = [str(level) for level in Confidentiality]
    ranks = sorted(order.index(code) for code in codes)
    return frozenset(order[: ranks[-1] + 1] if permit else order[ranks[0] :])


def classes_of_type(type_: str) -> tuple[frozenset[str], frozenset[str]] | None:
    """Give the classes that a permit and a denial of a resource type are of; ``None`` where it is not known."""
    if type_ in ALL_TYPES:
        return EVERY, EVERY
    if type_ not in _CLASSES:
        return None
    own, besides = _CLASSES[type_]
    return expand(own), expand((*own, *besides))


def types_of(classes: frozenset[str], *, wide: bool) -> tuple[str, ...]:
    """Give the fewest resource types of these classes and no others, as ``classes_of_type`` reads them; as far as there are."""
    found, left = list[str](), set(classes)
    sized = (
        (expand((*own, *besides)) if wide else expand(own), type_)
        for type_, (own, besides) in _CLASSES.items()
    )
    for meant, type_ in sorted(sized, key=lambda pair: (-len(pair[0]), pair[1])):
        if meant <= classes and meant & left:
            found.append(type_)
            left -= meant
    return tuple(sorted(found))


def tops_of(purposes: frozenset[str]) -> tuple[str, ...]:
    """Give the purposes of which none is below another of them."""
    return tuple(sorted(w for w in purposes if not (_above(_REASONS, w) - {w}) & purposes))


def kinds_tops_of(kinds: frozenset[str], *, wide: bool) -> tuple[str, ...]:
    """Give the sensitivities that say all of these, as ``kinds_of`` reads them."""
    below = {word: kinds_of(word, wide=wide) for word in kinds}
    return tuple(
        sorted(
            w
            for w in kinds
            if not any(w in below[o] and (w not in below or o not in below[w] or o < w) for o in kinds - {w})
        )
    )


def level_of(levels: frozenset[str], *, permit: bool) -> tuple[str, ...]:
    """Give the one confidentiality that means these levels, as ``levels_of`` reads it; none of none."""
    order = [str(level) for level in Confidentiality if str(level) in levels]
    return (order[-1 if permit else 0],) if order else ()
