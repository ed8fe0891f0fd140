"""TLS versions that are said after their flows were stored: by a later run, or by another connection of a listener.

Rules:
- What is given goes before the group that says it is stored: cut short in between, the group is read again, and what was given is not found again.
- A version goes on sums that have none, and on those of a stronger one that was only said in the same way: of several the weakest counts, whichever was
  read first. What a flow said itself stays.
- Who says a version of flows that are counted makes no conversation of its own.

Deliberately absent: names and certificates of what was stored: single flows stay as they were written.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

from oathward.core.db import read, write
from oathward.discovery.totals import says_more
from oathward.endpoints.alone import alone
from oathward.network import moving
from oathward.network.versions import Ends, Stored, give, stored
from oathward.observing.joining import DAY_US, NEAR, Key, Tls, is_encrypted, says_version, weakest

if TYPE_CHECKING:
    import polars as pl

    from oathward.vault.opened import Opened


class _Gift(NamedTuple):
    id: bytes
    tls: str
    from_us: int
    until_us: int


def settle(site: Opened, tls: Tls, flows: pl.DataFrame) -> set[Ends]:
    """Give flows that are stored the versions that rows of a group say, before these are remembered; gives whose flows are counted elsewhere."""
    said = {key: words[0] for key, words in weakest(flows).items()}
    if not said:
        return set()
    with read(site.engine) as db:
        rows = stored(db, site.site, {ends.client for _, ends in said})
    gifts, counted = _gifts(said, rows, tls)
    if gifts:
        with alone(site.engine, site.site, "flows"):
            while gifts:
                _give_some(site, gifts)
    return counted


def uncounted(flows: pl.DataFrame, counted: set[Ends]) -> pl.DataFrame:
    """Leave out rows that say more of flows which are counted: stored before, or in the same group."""
    import polars as pl

    theirs = flows.filter(~says_more() & is_encrypted()).select(Ends._fields).unique().rows()
    ends = counted.union(Ends(*one) for one in theirs)
    if not ends:
        return flows
    known = pl.DataFrame(sorted(ends), schema=flows.select(Ends._fields).schema, orient="row")
    spoken = flows.filter(says_version()).join(known, on=list(Ends._fields), how="anti")
    return pl.concat([flows.filter(~says_version()), spoken])


def _gifts(said: Mapping[Key, str], rows: list[Stored], tls: Tls) -> tuple[deque[_Gift], set[Ends]]:
    """Pair what is said with the conversations it is said of, the weakest version first."""
    by_ends = defaultdict[Ends, list[Stored]](list)
    for one in rows:
        by_ends[one.ends].append(one)
    gifts, counted = deque[_Gift](), set[Ends]()
    for (day, ends), version in sorted(said.items(), key=lambda item: (item[1], item[0])):
        from_us, until_us = (day + NEAR[0]) * DAY_US, (day + NEAR[-1] + 1) * DAY_US
        for one in by_ends.get(ends, ()):
            if one.last_us < from_us or one.first_us >= until_us:
                continue
            counted.add(ends)
            if not one.tls or (one.tls > version and one.tls in tls.versions(day, ends)):
                gifts.append(_Gift(one.id, version, from_us, until_us))
    return gifts, counted


def _give_some(site: Opened, gifts: deque[_Gift]) -> None:
    """Give as much as one small transaction holds."""
    with write(site.engine) as db:
        hours = 0
        while gifts and hours < moving.MOVED_MAX:
            hours += give(db, site.site, *gifts.popleft())
