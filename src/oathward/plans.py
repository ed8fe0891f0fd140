"""Compiled plans of a bundle in force: what was permitted on a link -> how a message is shaped for it.

Used by the gateway to shape, and by the courier to see whether what was shaped then is what would be shaped now.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from hashlib import sha256

import orjson

from oathward.deid.plan import Plan, Route, compile_plan
from oathward.deid.profile import load_profiles
from oathward.policy.bundle import Bundle
from oathward.policy.model import Link, Wire, outgoing_wire


@dataclass(frozen=True, slots=True)
class Planned:
    """A plan with what the ledger keeps of it once.

    ``clear``: classes that pass as they are, which the guard need not look for. ``body``: canonical JSON of classes, profile and the plan's digest. ``key``: its SHA-256.
    """

    plan: Plan
    key: bytes
    body: bytes
    clear: frozenset[str]


def route_of(bundle: Bundle, link: Link, came: Wire) -> Route:
    """Say by which protocol leaves on a link what came by another."""
    return Route(came, outgoing_wire(link, bundle.recipients[link.recipient], came))


def wire_of_type(message_type: str | None) -> Wire:
    """Say by which protocol a message of a type came."""
    return "fhir" if message_type and message_type.startswith("FHIR^") else "hl7v2"


class Plans:
    """Compile once per profile, classes, and what the link says of uncatalogued elements.

    Args:
        texts: the site's own profiles, name -> TOML text.

    Raises:
        PolicyError: one of them cannot be used.
    """

    def __init__(self, texts: Mapping[str, str] | None = None) -> None:
        self._profiles = load_profiles(texts or {})
        self._plans: dict[tuple[Route, str, str, frozenset[str]], Planned] = {}  # by all a plan is made of

    def of(self, route: Route, link: Link, profile: str, classes: frozenset[str]) -> Planned:
        """Give the plan for a permit."""
        key = (route, link.uncatalogued if link.for_care else "", profile, classes)
        found = self._plans.get(key)
        if found is None:
            found = self._plans[key] = self._compile(route, link, profile, classes)
        return found

    def _compile(self, route: Route, link: Link, name: str, classes: frozenset[str]) -> Planned:
        profile = self._profiles[name]
        if link.for_care:
            # What nobody catalogued: the treatment link itself says whether it passes with a finding or is held.
            profile = replace(profile, uncatalogued=link.uncatalogued)
        plan = compile_plan(profile, classes, route)
        row = {"classes": sorted(classes), "plan": plan.digest.hex(), "profile": name}
        body = orjson.dumps(row, option=orjson.OPT_SORT_KEYS)
        clear = classes & frozenset(cls for cls, action in profile.actions if action == "keep")
        return Planned(plan, sha256(body).digest(), body, clear)
