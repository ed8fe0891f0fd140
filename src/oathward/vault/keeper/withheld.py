"""What stays shut to somebody who cares for a patient, and what the glass they broke opens of it.

Rules:
- What is withheld is decided where consents are read (``papers.Register``); a keeper that was given none withholds all.
- Of every purpose of care, whatever a site's policy lets somebody ask for: the glass is the only way past it.
- A broken glass is of the subject it was broken for, and crosses a merge once a person confirmed it.
- Whoever is told that something is withheld is not told what, how much, or since when.
- To who stands in for a patient (``from_proxy``) what was said under every number counts that a merge made theirs, also where
  no person has confirmed it: a denial crosses at once.

Deliberately absent: who may open at all (``patient_opening``), and how a glass is broken (``breaking``).
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from oathward.core.labels import CARE_PURPOSES
from oathward.vault.cards import Card
from oathward.vault.keeper import glasses
from oathward.vault.keeper.glasses import Glass
from oathward.vault.keeper.keeper import Keeper
from oathward.vault.keeper.sign_in.sessions import Session
from oathward.vault.kept import Kept

_CONSENT = "consent"


@dataclass(frozen=True, slots=True)
class Left:
    """What is left to open. ``withheld``: there is more."""

    rows: list[Kept]
    card: Card | None
    withheld: bool
    glass: Glass | None = None

    def told(self, who: dict[str, Any]) -> dict[str, Any]:
        """What a record says of the opening: by which glass, where one was broken."""
        if self.glass is None:
            return who
        told = {"basis": glasses.BASIS, "care": who["basis"], "glass": self.glass.id}
        return who | told | {"purpose": self.glass.purpose}


def left(
    keeper: Keeper,
    session: Session,
    purpose: str,
    together: Collection[str],
    rows: Sequence[Kept],
    card: Card | None = None,
) -> Left:
    """Take out what is withheld, but for what a standing glass of this session opens.

    Raises:
        AuthorityError, StorageError: what is withheld cannot be told.
    """
    if purpose not in CARE_PURPOSES:
        return Left(list(rows), card, withheld=False)
    messages, card_shut = shut(keeper, together, rows)
    if card is None:
        card_shut = False
    glass = glasses.standing(keeper, session, together)
    opens = glasses.opens(keeper, glass) if glass is not None else frozenset[str]()
    found = [row for row in rows if row.message not in messages or row.subject in opens]
    fine = card if not card_shut or (card is not None and card.subject in opens) else None
    return Left(
        found, fine, withheld=len(found) < len(rows) or (card is not None and fine is None), glass=glass
    )


def shut(keeper: Keeper, together: Collection[str], rows: Sequence[Kept]) -> tuple[frozenset[str], bool]:
    """Say which messages consents and labels withhold from who cares for a patient, and whether the card.

    Raises:
        AuthorityError, StorageError: it cannot be told.
    """
    return _shut(keeper, together, frozenset(row.message for row in rows))


def from_proxy(keeper: Keeper, subject: str, messages: Collection[str]) -> tuple[frozenset[str], bool]:
    """Say the same of who stands in for a patient, of messages by their ids; raises as ``shut``."""
    together = keeper.register.family(keeper, subject) if keeper.register is not None else (subject,)
    return _shut(keeper, together, frozenset(messages))


def _shut(keeper: Keeper, together: Collection[str], names: frozenset[str]) -> tuple[frozenset[str], bool]:
    if keeper.register is None:
        return names, True
    marks = ", ".join("?" * len(together))
    sql = f"SELECT id, stored FROM signed WHERE kind = ? AND id IN ({marks})"  # noqa: S608  marks only
    newest = keeper.store.rows(sql, _CONSENT, *together)
    keeper.seen.learn({(_CONSENT, id_): version for id_, version in newest})
    found = keeper.register.withheld(keeper, together, names)
    return found.messages, found.card
