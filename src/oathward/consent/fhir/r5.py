"""A FHIR R5 Consent in R4's form, so that one reader reads both; and which edition a Consent is of.

Rules:
- An edition is told by the caller, else by the form of ``provision`` (an object in R4, a list in R5), else by elements that
  one alone has, else by ``meta.profile``; R4 where nothing tells. One with elements of both is read as both, and the narrower counts.
- ``decision`` is the root's type. Provisions are exceptions to it, and theirs to them: types alternate with depth. A type that
  a provision states itself counts where it is the alternate one, else it denies. Without a decision each provision denies.
- ``TYPE``, a modifier extension of a provision where there is no decision, says its type: what ``write.py`` writes where
  alternation cannot say it. Who does not know it may not read that provision, as FHIR has it of modifiers.
- ``regulatoryBasis`` (opt in, opt out) never permits: one that denies stands against a decision that permits.
- ``resourceType`` is R4's ``class``; ``documentType`` and ``expression`` are not read.
- ``grantee`` holds of permits alone, ``grantor`` as R4's ``performer``.

Deliberately absent: what the elements mean (``parts.py``), ``manager`` and ``policyText``: they decide nothing.

Source: FHIR R5 §6.2 (Consent), R4 §6.2; FHIR extensions between versions (``[version]/StructureDefinition/extension-[path]``).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from oathward.consent.fhir import words
from oathward.consent.fhir.parts import codings, objects
from oathward.core.errors import InputError

Edition = Literal["r4", "r5"]
Type = Literal["permit", "deny"]

TYPE = "http://hl7.org/fhir/4.0/StructureDefinition/extension-Consent.provision.type"
NESTED_MAX = 16
"""Deeper ones stay as they are: the reader stops long before."""

STATUSES: Mapping[Edition, tuple[str, ...]] = {
    "r4": ("draft", "proposed", "active", "rejected", "inactive", "entered-in-error"),
    "r5": ("draft", "active", "inactive", "not-done", "entered-in-error", "unknown"),
}
"""Source: FHIR R4 and R5, ConsentState (required)."""

_BOTH = frozenset(
    (
        "resourceType", "id", "meta", "implicitRules", "language", "text", "contained", "extension", "modifierExtension",
        "identifier", "status", "category", "sourceAttachment", "sourceReference", "verification", "provision",
    )
)  # fmt: skip
_R4_ALONE = frozenset(("scope", "patient", "dateTime", "performer", "organization", "policy", "policyRule"))
_R5_ALONE = frozenset(
    (
        "subject", "date", "period", "grantor", "grantee", "manager", "controller", "regulatoryBasis", "policyBasis",
        "policyText", "decision",
    )
)  # fmt: skip
_FHIR = "http://hl7.org/fhir/"
_VERSIONS: Mapping[Edition, tuple[str, ...]] = {"r4": ("/4.0/", "|4."), "r5": ("/5.0/", "|5.")}
_OTHER: Mapping[Type, Type] = {"permit": "deny", "deny": "permit"}
_RENAMED = {
    "category": "category", "subject": "patient", "date": "dateTime", "grantor": "performer",
    "grantee": "grantee", "controller": "organization",
}  # fmt: skip
_SCOPES = {
    ("http://loinc.org", "57016-8"): "patient-privacy",
    ("http://loinc.org", "64292-6"): "patient-privacy",
    (words.ACT_CODE, "IDSCL"): "patient-privacy",
    (words.ACT_CODE, "INFA"): "patient-privacy",
    ("http://terminology.hl7.org/CodeSystem/consentcategorycodes", "research"): "research",
}
"""Categories of R5 -> the scope of R4 that says the same. Of others (a consent to treatment may be one) nobody can say."""


@dataclass(frozen=True, slots=True)
class Form:
    """A Consent in R4's form. ``strange``: it has elements that its edition does not have.

    ``contradicted``: its decision permits and its regulatory basis denies.
    """

    resource: dict[str, Any]
    strange: bool = False
    contradicted: bool = False


def edition_of(resource: dict[str, Any]) -> tuple[Edition, bool]:
    """Tell the edition of a Consent, and whether something in it is of the other."""
    provision, names = resource.get("provision"), set(resource)
    signs: dict[Edition, bool] = {
        "r4": bool(names & _R4_ALONE) or isinstance(provision, dict),
        "r5": bool(names & _R5_ALONE) or isinstance(provision, list),
    }
    for edition, marks in _VERSIONS.items():
        signs[edition] |= any(mark in profile for profile in _profiles(resource) for mark in marks)
    if isinstance(provision, dict | list):
        return ("r4" if isinstance(provision, dict) else "r5"), signs["r4"] and signs["r5"]
    return ("r5" if signs["r5"] and not signs["r4"] else "r4"), signs["r4"] and signs["r5"]


def _profiles(resource: dict[str, Any]) -> list[str]:
    meta = resource.get("meta")
    found = meta.get("profile") if isinstance(meta, dict) else None
    own = found if isinstance(found, list) else []
    return [one for one in own if isinstance(one, str) and one.startswith(_FHIR)]


def as_r4(resource: dict[str, Any]) -> Form:
    """Give an R5 Consent in R4's form.

    Raises:
        InputError: no R5 Consent; names the place.
    """
    found = {name: resource[name] for name in _BOTH & resource.keys() if name != "provision"}
    found |= {there: resource[name] for name, there in _RENAMED.items() if name in resource}
    if scopes := _scopes(resource):
        found["category"] = [{"coding": [{"system": words.SCOPE, "code": code} for code in sorted(scopes)]}]
    rules = list(objects(resource.get("provision"), "Consent.provision"))
    if "provision" in resource and not rules:
        raise InputError("Consent.provision", "a list of objects, not empty")
    decision, base = resource.get("decision"), _basis(resource)
    contradicted = decision == "permit" and base == "deny"
    if base == "deny" and decision != "permit":
        found["policyRule"] = {
            "coding": [one for r in _concepts(resource) for one in objects(r.get("coding"))]
        }
    found |= _policy(resource)
    root: dict[str, Any] = {"type": "deny" if contradicted else decision} if "decision" in resource else {}
    root |= {"period": resource["period"]} if "period" in resource else {}
    if rules:
        turned = _OTHER.get(decision) if isinstance(decision, str) else None  # type: ignore[call-overload]  # plain JSON
        root["provision"] = [_rule(one, turned, 1, stated="decision" not in resource) for one in rules]
    if root:
        found["provision"] = root
    strange = any(not name.startswith("_") for name in set(resource) - _BOTH - _R5_ALONE)
    return Form(found, strange, contradicted)


def _policy(resource: dict[str, Any]) -> dict[str, Any]:
    basis = resource.get("policyBasis")
    url = basis.get("url") if isinstance(basis, dict) else None
    return {"policy": [{"uri": url}]} if isinstance(url, str) else {}


def _concepts(resource: dict[str, Any]) -> list[dict[str, Any]]:
    return list(objects(resource.get("regulatoryBasis"), "Consent.regulatoryBasis"))


def _basis(resource: dict[str, Any]) -> str:
    """Give what a regulatory basis says of it all: one that denies stands; empty where none says anything."""
    named = {
        words.BASES[code]
        for concept in _concepts(resource)
        for system, code in codings(concept)
        if system == words.ACT_CODE and code in words.BASES
    }
    return "deny" if "deny" in named else next(iter(named), "")


def _scopes(resource: dict[str, Any]) -> set[str]:
    named = {pair for one in objects(resource.get("category")) for pair in codings(one)}
    return {code for system, code in named if system == words.SCOPE} | {
        _SCOPES[pair] for pair in named if pair in _SCOPES
    }


def _rule(rule: dict[str, Any], turned: Type | None, depth: int, *, stated: bool = False) -> dict[str, Any]:
    """Give one provision in R4's form. ``turned``: the type it has by its depth; ``stated``: it may say it itself."""
    found = {
        name: value for name, value in rule.items() if name not in {"resourceType", "class", "provision"}
    }
    if stated and (said := _type_said(rule)):
        del found["modifierExtension"]
        turned = said
    claims = [rule[name] for name in ("type", "decision") if name in rule]
    if all(claim == turned for claim in claims):
        found = {name: value for name, value in found.items() if name not in {"type", "decision"}}
        word = turned
    else:
        word, found["decision"] = "deny", claims  # R4 has none: a remark, and no permit of it counts
    if word is not None:
        found["type"] = word
    if "resourceType" in rule:
        found["class"] = rule["resourceType"]
    if "class" in rule:
        found["class of R4"] = rule["class"]  # no element of either: a remark, and no permit of it counts
    if "provision" in rule:
        nested = rule["provision"]
        if depth < NESTED_MAX and isinstance(nested, list) and all(isinstance(one, dict) for one in nested):
            below = _OTHER[word] if word is not None else None
            nested = [_rule(one, below, depth + 1) for one in nested]
        found["provision"] = nested
    return found


def _type_said(rule: dict[str, Any]) -> Type | None:
    """Give the type that a provision's one modifier extension says."""
    for type_ in _OTHER:
        if rule.get("modifierExtension") == [{"url": TYPE, "valueCode": type_}]:
            return type_
    return None


def place_of(place: str) -> str:
    """Give a place of R4's form as R5 calls it."""
    if place.startswith("Consent.provision.provision["):
        return "Consent." + place.removeprefix("Consent.provision.").replace(".class", ".resourceType")
    known = {
        "Consent.provision.period": "Consent.period", "Consent.scope": "Consent.category",
        "Consent.patient": "Consent.subject", "Consent.performer": "Consent.grantor",
        "Consent.dateTime": "Consent.date",
    }  # fmt: skip
    if place.startswith(("Consent.provision", "Consent.policyRule")):
        return known.get(place, "Consent.decision")
    return known.get(place, place)
