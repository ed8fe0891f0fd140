"""What a card of the first page is. Each stands in one file of ``cards/`` as the constant ``CARD``; nothing else registers it.

Rules:
- A card is shown to those who may do its action; to those whose first question it answers it is shown first.
- Its template gets ``card``, what ``values`` gave; with None there is nothing to say and no card.
- One in which something waits for the viewer (``WAITS`` in its values, how many) stands before all else, whatever its order.
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

WAITS = "waits"
"""Of a card's values: so many things in it wait for the viewer."""


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
    """Cards that stand together, as (template, values): over the whole page, and below them in two columns.

    ``waits``: how much in them waits for the viewer; such a deck is the first.
    """

    wide: Sequence[tuple[str, Mapping[str, Any]]]
    narrow: Sequence[tuple[str, Mapping[str, Any]]]
    waits: int = 0


def cards() -> list[Card]:
    """Collect every card."""
    return [cast("Card", one) for one in collect("oathward.web.cards", "CARD").values()]


def shown(found: list[Card], view: View) -> list[Deck]:
    """Choose the viewer's cards: what waits for them, where anything does; what their roles ask first; the others."""
    mine = sorted((one for one in found if view.may(one.action)), key=lambda one: (one.order, one.template))
    roles = view.actor.roles
    every = [(one, values) for one in mine if (values := one.values(view)) is not None]
    told = [(one, v) for one, v in every if not v.get(WAITS)]
    first = [(one.template, v) for one, v in every if v.get(WAITS)]
    waits = [Deck(first, (), sum(v[WAITS] for _, v in first))] if first else []
    decks = ([(one, v) for one, v in told if bool(one.first & roles) is first] for first in (True, False))
    return waits + [
        Deck(
            [(one.template, v) for one, v in deck if one.wide or v.get(SLIM)],
            [(one.template, v) for one, v in deck if not (one.wide or v.get(SLIM))],
        )
        for deck in decks
    ]
