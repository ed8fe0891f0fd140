"""What a card of the first page is. Each stands in one file of ``cards/`` as the constant ``CARD``; nothing else registers it.

Rules:
- A card is shown to those who may do its action; to those whose first question it answers it is shown first.
- Its template gets ``card``, what ``values`` gave; with None there is nothing to say and no card.
- One that has no more to say than its heading (``SLIM`` in its values) stands over the whole page: beside a long one it would
  leave a gap.

Deliberately absent: a choice of cards by each person; roles change seldom, and a page that is the same is found again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from oathward.core.labels import Role
from oathward.core.registry import collect
from oathward.policy.actions import ACTIONS

if TYPE_CHECKING:
    from oathward.web.view import View


SLIM = "slim"
"""Of a card's values: it is a heading and no rows this time."""


@dataclass(frozen=True, slots=True)
class Card:
    """One card.

    Args:
        template: of ``templates/``; begins with its own ``h2``. action: who may do it sees the card.
        first: roles that ask this first. order: among the others. wide: over the whole page, else one of two columns.
    """

    template: str
    values: Callable[[View], Mapping[str, Any] | None]
    action: str
    first: frozenset[Role] = frozenset()
    order: int = 50
    wide: bool = False

    def __post_init__(self) -> None:
        """Refuse a card that nobody could see."""
        if self.action not in ACTIONS:
            raise ValueError(f"{self.template}: there is no such action")


@dataclass(frozen=True, slots=True)
class Deck:
    """Cards that stand together, as (template, values): over the whole page, and below them in two columns."""

    wide: Sequence[tuple[str, Mapping[str, Any]]]
    narrow: Sequence[tuple[str, Mapping[str, Any]]]


def cards() -> list[Card]:
    """Collect every card."""
    return [cast("Card", one) for one in collect("oathward.web.cards", "CARD").values()]


def shown(found: list[Card], view: View) -> list[Deck]:
    """Choose the viewer's cards: what their roles ask first, then the others."""
    mine = sorted((one for one in found if view.may(one.action)), key=lambda one: (one.order, one.template))
    roles = view.actor.roles
    told = [(one, values) for one in mine if (values := one.values(view)) is not None]
    decks = ([(one, v) for one, v in told if bool(one.first & roles) is first] for first in (True, False))
    return [
        Deck(
            [(one.template, v) for one, v in deck if one.wide or v.get(SLIM)],
            [(one.template, v) for one, v in deck if not (one.wide or v.get(SLIM))],
        )
        for deck in decks
    ]
