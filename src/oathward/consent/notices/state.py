"""What a notice says: how much of one link a patient allows now. Pure.

Rules:
- A link hears of its own purpose and of nothing else a patient said.
- ``some`` names the classes that pass of every message, and no reason: that something is withheld by a code or a
  sensitivity would say what it is. Of what passes of some messages only, a notice says that it does not.
- A Consent that waits for a person says nothing yet.

Deliberately absent: statements and where they come from, identities, messages.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from oathward.consent.choices import reach
from oathward.consent.model import Statement
from oathward.core.labels import CLASSES
from oathward.policy.bundle import Bundle
from oathward.policy.consents import ConsentFact
from oathward.policy.model import TRANSPORT_CLASSES, Link

Passes = Literal["all", "some", "none"]
_LEAST = ("none", "some", "all")
_CONTENT = CLASSES - TRANSPORT_CLASSES - {"uncatalogued"}


@dataclass(frozen=True, slots=True)
class State:
    """How much of a link passes; ``classes``: those that pass of every message, where it is some."""

    passes: Passes
    classes: frozenset[str] = frozenset()

    @property
    def text(self) -> str:
        """Write it as it is kept: equal for equal states."""
        return " ".join((self.passes, *sorted(self.classes)))

    def takes_from(self, said: str) -> bool:
        """Say whether something passes no more that passed by what was said (``text``) before."""
        before, *classes = said.split(" ")
        if self.passes != before:
            return _LEAST.index(self.passes) < _LEAST.index(before)
        return bool(set(classes) - self.classes)


def state_of(bundle: Bundle, link: Link, facts: Iterable[ConsentFact], now_us: int) -> State:
    """Say how much of a link passes by what stands for a patient."""
    found = reach(bundle, [Statement(fact) for fact in facts if not fact.pending], now_us)[link.id]
    if found.surely >= link.classes & _CONTENT:
        return State("all")
    return State("some", found.surely) if found.perhaps else State("none")
