"""Compiled plans by what was permitted: profile and classes of a link."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from hashlib import sha256

import orjson

from oathward.deid.plan import Plan, compile_plan
from oathward.deid.profile import Profile, load_profiles
from oathward.policy.model import Link


@dataclass(frozen=True, slots=True)
class Planned:
    """A plan with what the ledger keeps of it once: digest and canonical body."""

    plan: Plan
    key: bytes
    body: bytes
    needs_seeds: bool


class Plans:
    """Compile once per (link, profile, classes).

    Args:
        texts: the site's own profiles, name -> TOML text.
    """

    def __init__(self, texts: Mapping[str, str] | None = None) -> None:
        self._profiles = load_profiles(texts or {})
        self._plans: dict[tuple[str, str, frozenset[str]], Planned] = {}

    def of(self, link: Link, profile: str, classes: frozenset[str]) -> Planned:
        """Give the plan for a permit."""
        key = (link.id, profile, classes)
        found = self._plans.get(key)
        if found is None:
            found = self._plans[key] = _planned(link, self._profiles[profile], classes)
        return found


def profile_digest(profile: Profile) -> str:
    """Name the content of a profile: what a change of it changes."""
    return sha256(repr(profile).encode()).hexdigest()


def _planned(link: Link, profile: Profile, classes: frozenset[str]) -> Planned:
    if link.for_care:
        # What nobody catalogued: the treatment link itself says whether it passes with a finding or is held.
        profile = replace(profile, uncatalogued=link.uncatalogued)
    body = orjson.dumps(
        {"classes": sorted(classes), "profile": profile_digest(profile)}, option=orjson.OPT_SORT_KEYS
    )
    return Planned(compile_plan(profile, classes), sha256(body).digest(), body)
