"""Leases that are learned late: a card is seen with an address after others spoke from there without one. Pure.

Rules:
- Sensors that tell no cards (a log of connections) let an address stay its last holder's. A card that had it earlier than was known by then takes
  what was seen of it since, until the next one that had it.
- Not where a card of whoever had it until now was seen since, and at no other address: two cards on one address are two, and each keeps what is its own.
- A lease that begins before the last flow that was kept is noted (``Picture.late``): sums of those flows are of another, or of nobody, still.

Deliberately absent: names and claims that were seen by address alone; the sums (``network.moving``).
"""

from __future__ import annotations

from oathward.discovery.model import MarkKind
from oathward.endpoints.model import Lease
from oathward.endpoints.picture import HOLD_US, SKEW_US, Known, Picture


def note_begun(picture: Picture, known: Known, row: Lease, at_us: int) -> None:
    """Note that a card had an address from a time on, where nobody knew it before. Called after its lease grew."""
    if row.from_us != at_us:
        return
    rows = picture.leases[row.realm, row.address]
    at = next(number for number, one in enumerate(rows) if one is row)
    before, after = (rows[at - 1] if at else None), (rows[at + 1] if at + 1 < len(rows) else None)
    if before is not None and before.until_us >= at_us:
        holder = picture.root(before.endpoint)
        if holder is None or holder is known or _is_there(holder, before, at_us + SKEW_US):
            return
        was = before.until_us
        row.until_us = max(row.until_us, min(was, after.from_us - 1) if after is not None else was)
        before.until_us = max(before.from_us, at_us - 1)
        picture.leased(before)
        _heard_until(holder, was)
    elif after is not None and after.from_us - at_us <= HOLD_US:
        _begin_later(picture, known, row, after)
    if at_us <= picture.late_us:
        picture.late.add(id(row))
        picture.leased(row)


def _begin_later(picture: Picture, known: Known, row: Lease, after: Lease) -> None:
    """Let the lease behind begin when a card of its holder was seen first: what was seen of the address before was of who had it then."""
    holder = picture.root(after.endpoint)
    if holder is None or holder is known:
        return
    cards = [held.first_us for key, held in holder.values(MarkKind.MAC) if key[1] == after.realm]
    first = min(cards, default=0)
    if after.from_us < first <= after.until_us:
        row.until_us, after.from_us = max(row.until_us, first - 1), first
        rows = picture.leases[row.realm, row.address]
        rows.sort(key=lambda one: one.from_us)
        picture.leased(after)
        if holder.began_us < first:
            holder.began_us = holder.first_us = min(
                [
                    first,
                    *(one.from_us for one in holder.leases.values()),
                    *(held.first_us for held in holder.marks.values()),
                ]
            )


def _is_there(holder: Known, lease: Lease, at_us: int) -> bool:
    """Whether a card of the holder of an address was seen after a time, and not with another address last."""
    others = [one.until_us for one in holder.leases.values() if one is not lease and one.realm == lease.realm]
    last = max(others, default=0)
    return any(
        key[1] == lease.realm and held.last_us > at_us and held.last_us > last
        for key, held in holder.values(MarkKind.MAC)
    )


def _heard_until(holder: Known, was_us: int) -> None:
    """Say anew when one spoke last whose last word was another's. What was seen later than that stands in lists."""
    leases = [one.until_us for one in holder.leases.values()]
    if holder.spoke_us == was_us:
        cards = [held.last_us for _, held in holder.values(MarkKind.MAC) if held.last_us <= was_us]
        holder.spoke_us = max([holder.began_us, *leases, *cards])
    if holder.last_us == was_us:
        marks = [held.last_us for held in holder.marks.values() if held.last_us <= was_us]
        holder.last_us = max([holder.first_us, *leases, *marks])
