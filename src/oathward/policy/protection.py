"""How well a link must be protected: data class × zone crossing × exposure → minimum.

Rules:
- The table is published: it stands in the bundle (``protection.toml``), signed with it.
- A link needs the strongest minimum of all rules that match any of its classes.
- A class that no rule covers is a mistake in the table, never "no protection needed".
- The classes counted are the declared ones, before any profile removes something.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from oathward.policy.model import PROTECTION, Link, Recipient

EXPOSURES = ("internal", "partner", "internet")
CROSSINGS = ("same", "other")
ANY_WORD = "any"


@dataclass(frozen=True, slots=True)
class Rule:
    """One row of the table; ``where`` is its place in the file."""

    classes: frozenset[str]
    crossing: str
    exposure: str
    minimum: str
    where: str = ""


@dataclass(frozen=True, slots=True)
class Protection:
    """The table: ``here`` is the zone Oathward stands in, ``zones`` the exposure of each."""

    here: str = ""
    zones: Mapping[str, str] = field(default_factory=dict)
    rules: tuple[Rule, ...] = ()

    def crossing(self, recipient: Recipient) -> str:
        """``same`` zone as ours, or an ``other``."""
        return "same" if recipient.zone == self.here else "other"

    def minimum(self, link: Link, recipient: Recipient) -> tuple[str, Rule | None, frozenset[str]]:
        """Find what a link needs: level, the rule that asks for it, and the classes no rule covers."""
        crossing, exposure = self.crossing(recipient), self.zones.get(recipient.zone, "internet")
        hits = [
            rule
            for rule in self.rules
            if rule.crossing in (ANY_WORD, crossing)
            and rule.exposure in (ANY_WORD, exposure)
            and rule.classes & link.classes
        ]
        uncovered = link.classes.difference(*(rule.classes for rule in hits))
        strongest = max(hits, key=lambda rule: PROTECTION.index(rule.minimum), default=None)
        needed = max(
            link.min_protection, strongest.minimum if strongest else PROTECTION[0], key=PROTECTION.index
        )
        return needed, strongest if strongest and strongest.minimum == needed else None, uncovered
