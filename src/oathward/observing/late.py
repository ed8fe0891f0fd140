"""What leases say that were learned late: sums of flows that were kept before go to the device that had the address.

Rules:
- After each run, and by the ``app`` process: by realm, address and time, ``LEASES_MAX`` leases and ``ROWS_MAX`` totals of an hour at a time; what is left waits.
- A note that a lease was learned late goes in the transaction that moves the last of its sums: cut short, it is gone on with, and nothing is added twice.
- Sums of octets, packets and flows are the same before and after; conversations, the map and findings follow when they are told next.

Deliberately absent: single flows (they name addresses alone, and whoever reads them asks who had those); which lease is right (``endpoints.late``).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from oathward.core.db import read, write
from oathward.endpoints import leases, sql
from oathward.endpoints.alone import alone
from oathward.network import moving
from oathward.network.model import Holding

if TYPE_CHECKING:
    from oathward.vault.opened import Opened

LEASES_MAX = 100_000
ROWS_MAX = 200_000
_ASKED = 256


class Given(NamedTuple):
    """What was given to whom it belongs. ``hours``: totals of a conversation and hour. ``touched``: endpoints that have more or less now."""

    hours: int = 0
    touched: frozenset[str] = frozenset()


def settle(site: Opened) -> Given:
    """Give sums of flows to the devices that had their addresses, where that was learned late."""
    hours, looked, touched = 0, 0, set[str]()
    after: leases.Late | None = None
    with alone(site.engine, site.site, "flows"):
        while looked < LEASES_MAX and hours < ROWS_MAX:
            with read(site.engine) as db:
                some = leases.late(db, site.site, after, _ASKED)
                busy = moving.concerned(db, site.site, [(one.address, one.from_us) for one in some])
            if not some:
                break
            looked, after = looked + len(some), some[-1]
            quiet = [one for one in some if (one.address, one.from_us) not in busy]
            for one in some:
                if (one.address, one.from_us) in busy and hours < ROWS_MAX:
                    hours += _settle(site, one, ROWS_MAX - hours, touched)
            with write(site.engine) as db:
                sql.drop_late(db, site.site, [(one.id, one.from_us) for one in quiet])
    return Given(hours, frozenset(touched))


def _settle(site: Opened, lease: leases.Late, most: int, touched: set[str]) -> int:
    """Give what is another's of one lease, in small transactions; gives how many totals of an hour went."""
    hours = 0
    while hours < most:
        with write(site.engine) as db:
            span = leases.span(db, site.site, lease.id)
            size = min(moving.MOVED_MAX, most - hours)
            given = moving.give(db, site.site, Holding(*span), size) if span is not None else moving.Moved()
            done = given.rows < size
            if done:
                sql.drop_late(
                    db, site.site, [(lease.id, span.from_us if span is not None else lease.from_us)]
                )
        hours += given.rows
        if span is not None and given.rows:
            touched |= {span.endpoint, *given.given_by} - {""}
        if done:
            break
    return hours
