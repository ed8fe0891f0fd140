"""What of a patient is withheld from those who care for them, because consents or labels say so.

Rules:
- Decided of the facts the ledger holds of each message, under what the patient says now (``policy.house``).
- The newest record of a message counts; a message without one, or whose facts are gone, is withheld.
- Facts are believed by their digest alone; consents by their signature.

Deliberately absent: breaking the glass, and any count of what is withheld.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING

from oathward.consent.views import Consents
from oathward.core.clock import micros
from oathward.core.db import read
from oathward.ledger import decided
from oathward.policy import house
from oathward.policy.model import Facts

if TYPE_CHECKING:
    from oathward.policy.consents import ConsentFact
    from oathward.vault.keeper.changing.papers import Asked


@dataclass(frozen=True, slots=True)
class Shut:
    """Which messages stay shut, and whether the card does."""

    messages: frozenset[str]
    card: bool


def withheld(site: Asked, together: Collection[str], messages: Collection[str]) -> Shut:
    """Say what of some messages of one patient is withheld.

    Args:
        together: the subjects that are this patient. messages: ids, each of one of them.
    """
    family = tuple(sorted(together))
    now_us, sure = micros(site.clock.now()), site.clock.sure()
    standing = Consents(site.site, site.authority, site.seen, family=lambda _: family)
    version, consents = standing.of(site.engine, family[:1])
    card = not house.shows_card(consents, now_us, clock_sure=sure)
    with read(site.engine) as db:
        digests = decided.of_messages(db, site.site, messages)
        bodies = decided.facts(db, site.site, digests.values())

    def shown(digest: bytes | None) -> bool:
        body = bodies.get(digest) if digest is not None else None
        return body is not None and _shown(body, version, consents, now_us, sure=sure)

    answers = {digest: shown(digest) for digest in {digests.get(one) for one in messages}}
    return Shut(frozenset(one for one in messages if not answers[digests.get(one)]), card)


def _shown(
    body: bytes, version: int | None, consents: tuple[ConsentFact, ...] | None, now_us: int, *, sure: bool
) -> bool:
    try:
        facts = Facts.from_body(body)
    except ValueError:  # of a version nobody reads any more
        return False
    renewed = facts.renewed(consent_version=version, consents=consents, clock_sure=sure)
    return house.shows(renewed, now_us)
