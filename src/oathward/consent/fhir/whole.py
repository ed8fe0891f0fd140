"""What a FHIR Consent as a whole is of, and what makes its permits doubtful: scope, policy, grantees, who gave it, when.

Rules:
- A doubt never takes a denial away: permits of a doubtful Consent do not count, and lift nothing.
- Doubtful is one that is dated in the future, that says nobody verified it, that neither the patient nor a relative gave (as
  far as it says who), or of which nobody knows whether it is active (R5 ``unknown``).
- ``SCOPES`` are of purposes. A denial that names purposes itself is of those, whatever its scope.
- The overarching policies of IHE PCF narrow a Consent that agrees to them; one that rejects a policy is as narrow already.
- Grantees (R5): a permit is of them alone, a denial of everybody.

Deliberately absent: provisions (``reader.py``), whether a signature is good: a person who imports answers for it.

Source: FHIR R4 and R5 §6.2 (Consent); IHE ITI Privacy Consent on FHIR 1.1, 1:53.2.1 (overarching policies).
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import tzinfo
from typing import Any

from oathward.consent.fhir import words
from oathward.consent.fhir.dates import moment
from oathward.consent.fhir.parts import Parts, codings, objects
from oathward.consent.provisions import ANYTHING, Boxes, Provision
from oathward.core.labels import Purpose
from oathward.policy.consents import Box, meet

PCF = "https://profiles.ihe.net/ITI/PCF/Policy-"
POLICIES: dict[str, frozenset[str] | None] = {
    f"{PCF}all-normal": None,
    f"{PCF}basic-normal": words.CARE,
    f"{PCF}break-glass-only": frozenset((str(Purpose.BTG),)),
    f"{PCF}deny": frozenset(),
}
"""Overarching policy -> the purposes that it leaves; ``None``: all."""

DENYING = frozenset((f"{PCF}break-glass-only", f"{PCF}deny"))
"""Those that deny what they do not leave; the other does not speak of it."""

AHEAD_US_MAX = 86_400_000_000
"""A day: so far clocks and zones may be apart."""

_GIVERS = frozenset(("Patient", "RelatedPerson", "Person"))
_PLACE = "Consent.policy"


def scope(parts: Parts, resource: dict[str, Any]) -> tuple[Boxes, Boxes]:
    """Say what the consent as a whole is of, at most and at least."""
    scopes = {code for system, code in codings(resource.get("scope")) if system == words.SCOPE}
    if "scope" not in resource:  # the form that some still write, and R5's: a category says it
        scopes = {
            code
            for category in objects(resource.get("category"))
            for system, code in codings(category)
            if system == words.SCOPE
        }
    purposes = words.SCOPES.get(next(iter(scopes)), frozenset()) if len(scopes) == 1 else frozenset()
    if not purposes:
        parts.note("consent.scope-other", "Consent.scope")
        return ANYTHING, ()
    own = (Box(purposes=purposes),)
    # A denial that names purposes itself is of those, whatever its scope.
    wide = ANYTHING if _says(resource.get("provision"), "purpose") else own
    return wide, _granted(parts, resource, own)


def _says(provision: object, name: str) -> bool:
    """Whether some provision has an element."""
    if not isinstance(provision, dict):
        return False
    return name in provision or any(_says(one, name) for one in objects(provision.get("provision")))


def _granted(parts: Parts, resource: dict[str, Any], own: Boxes) -> Boxes:
    """Narrow to grantees, where it names any."""
    named = list(objects(resource.get("grantee"), "Consent.grantee"))
    if not named:
        return own
    parts.note("consent.grantees-alone", "Consent.grantee")
    whom: frozenset[str] = frozenset()
    for one in named:
        exact, _ = parts.words_of(one)
        if not exact:
            return ()
        whom |= exact
    met = (meet(box, Box(recipients=whom), wide=False) for box in own)
    return tuple(box for box in met if box is not None)


def under_policy(parts: Parts, resource: dict[str, Any], root: Provision) -> Provision:
    """Put a root that agrees to overarching policies under what they leave."""
    if root.type == "deny":
        return root
    for one in objects(resource.get("policy")):
        uri = str(one.get("uri", "")).partition("|")[0]
        left = POLICIES.get(uri)
        if left is None:
            continue
        parts.note("consent.policy-narrows", _PLACE)
        narrow = (Box(purposes=left),) if left else ()
        if uri in DENYING:
            times = tuple(dict.fromkeys(Box(start_us=box.start_us, end_us=box.end_us) for box in root.wide))
            root = Provision("deny", times or ANYTHING, narrow, _PLACE, (root,))
        else:
            root = Provision(None, ANYTHING, narrow, _PLACE, (root,))
    return root


def doubts(
    parts: Parts, resource: dict[str, Any], now_us: int | None, zone: tzinfo
) -> Iterator[tuple[str, str]]:
    """Give why permits of a Consent do not count: remarks, each with its place.

    Args:
        now_us: ``None``: nobody says what time it is, and no date is ahead of it.
    """
    if resource.get("status") == "unknown":
        yield "consent.status-unknown", "Consent.status"
    checks = list(objects(resource.get("verification"), "Consent.verification"))
    if checks and not any(one.get("verified") is True for one in checks):
        yield "consent.not-verified", "Consent.verification"
    givers = [parts.kind_of(one) for one in objects(resource.get("performer"), "Consent.performer")]
    if givers and all(givers) and not _GIVERS & set(givers):
        yield "consent.giver-other", "Consent.performer"
    if "dateTime" in resource and now_us is not None:
        try:
            at_us = (
                moment(resource["dateTime"], end=False, zone=zone)
                if isinstance(resource["dateTime"], str)
                else None
            )
        except ValueError:
            at_us = None
        if at_us is None or at_us > now_us + AHEAD_US_MAX:
            yield "consent.dated-ahead", "Consent.dateTime"
