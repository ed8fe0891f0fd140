"""What the recorder writes of notices: receipts, refusals, and who has something of whom.

Rules:
- A recipient's answer to a notice is its receipt, in one transaction with the end of its row.
- The first thing that a recipient has of a patient, or may have, is noted once for each link: without it nobody is told
  anything of this patient there.

Deliberately absent: sending, which a notice shares with everything else; making (``gateway.notices``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

from oathward.consent.notices import actions
from oathward.courier.model import Delivered, Item, Result

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from oathward.ledger import Leaf

_REMEMBERED_MAX = 100_000


def settle(db: Connection, site: str, group: Sequence[tuple[Item, Result, str]], at_us: int) -> list[Leaf]:
    """Note what became of the notices of a group; gives the records, to be appended last."""
    leaves: list[Leaf] = []
    for item, result, _ in group:
        row = item.row
        if not row.is_notice:
            continue
        if isinstance(result, Delivered):
            leaves += actions.sent(
                db,
                site,
                row.id,
                answer=result.answer,
                receipt=result.receipt,
                tries=item.attempts + 1,
                at_us=at_us,
            )
        else:
            leaves += actions.refused(
                db, site, row.id, why=result.reason.code, answer=result.answer, at_us=at_us
            )
    return leaves


class Reached:
    """Which subjects and links were noted before; of one recorder.

    Args:
        told: whether a link's recipient is told of withdrawals.
    """

    def __init__(self, told: Callable[[str], bool]) -> None:
        self._told = told
        self._known: set[tuple[str, str]] = set()

    def new(self, group: Sequence[tuple[Item, Result, str]]) -> list[tuple[str, str]]:
        """Give the subjects and links of a group that are to be noted."""
        found = {
            (person, item.row.link)
            for item, result, _ in group
            if not item.row.is_notice and _may_have(item, result) and self._told(item.row.link)
            for person in item.row.persons
        }
        return sorted(found - self._known)

    def note(self, noted: Iterable[tuple[str, str]]) -> None:
        """Remember those that are noted."""
        if len(self._known) > _REMEMBERED_MAX:
            self._known.clear()
        self._known.update(noted)


def _may_have(item: Item, result: Result) -> bool:
    """Whether the recipient has any of it: it said so, or it was sent and nobody knows."""
    return isinstance(result, Delivered) or (item.sent_at_s > 0 and not result.unsent)
