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
from oathward.policy.model import Link, Permit, Wire, outgoing_wire


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
    """Say by which protocol leaves on a link what came by another, and what becomes of what it only mentions."""
    leaves = outgoing_wire(link, bundle.recipients[link.recipient], came)
    return Route(came, leaves) if came == leaves else Route(came, leaves, link.mentioned)


def wire_of_type(message_type: str | None) -> Wire:
    """Say by which protocol a message of a type came."""
    return "fhir" if message_type and message_type.startswith("FHIR^") else "hl7v2"


PLANS_MAX = 4_096
"""Kept at a time: what consents withhold differs from patient to patient."""


class Plans:
    """Compile once per profile, classes, and what the link says of uncatalogued elements.

    Args:
        texts: the site's own profiles, name -> TOML text.

    Raises:
        PolicyError: one of them cannot be used.
    """

    def __init__(self, texts: Mapping[str, str] | None = None) -> None:
        self._profiles = load_profiles(texts or {})
        self._compiled: dict[tuple[object, ...], tuple[Plan, frozenset[str]]] = {}
        self._plans: dict[tuple[object, ...], Planned] = {}  # by all that a plan is made of

    def of(self, route: Route, link: Link, permit: Permit) -> Planned:
        """Give the plan for a permit."""
        how = (route, link.uncatalogued if link.for_care else "", permit.profile, permit.classes)
        key = (how, permit.withheld, permit.only)
        found = self._plans.get(key)
        if found is None:
            compiled = self._compiled.get(how)
            if compiled is None:
                compiled = self._compiled[how] = self._compile(route, link, permit)
            if len(self._plans) >= PLANS_MAX:
                self._plans.clear()
            found = self._plans[key] = _planned(*compiled, permit)
        return found

    def _compile(self, route: Route, link: Link, permit: Permit) -> tuple[Plan, frozenset[str]]:
        """Compile a profile; gives also the classes that pass as they are."""
        profile = self._profiles[permit.profile]
        if link.for_care:
            # What nobody catalogued: the treatment link itself says whether it passes with a finding or is held.
            profile = replace(profile, uncatalogued=link.uncatalogued)
        plan = compile_plan(profile, permit.classes, route)
        return plan, frozenset(cls for cls, action in profile.actions if action == "keep")


def _planned(plan: Plan, kept: frozenset[str], permit: Permit) -> Planned:
    row: dict[str, object] = {
        "classes": sorted(permit.classes),
        "plan": plan.digest.hex(),
        "profile": permit.profile,
    }
    if permit.withheld:
        row["withheld"] = sorted(permit.withheld)
    if permit.only is not None:
        row["only"] = sorted(permit.only)
    body = orjson.dumps(row, option=orjson.OPT_SORT_KEYS)
    return Planned(plan, sha256(body).digest(), body, permit.classes & kept)


def permit_of(body: bytes, answer: Permit) -> Permit:
    """Give the permit that a plan was made for, as far as ``Planned.body`` says, in the place of today's answer."""
    row = orjson.loads(body)
    only = row.get("only")
    return replace(
        answer,
        classes=frozenset(row["classes"]),
        withheld=frozenset(row.get("withheld", ())),
        only=None if only is None else frozenset(only),
    )
