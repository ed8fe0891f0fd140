"""Which cards speak for others: routers, proxies, gateways that route. What such a card says tells nobody from anybody.

Rules:
- A card fronts where it spoke for more than ``FRONTED_MAX`` IPv4 addresses of a realm within ``WITHIN_US``, or for ``FOREIGN_MAX`` that
  others hold with cards of their own.
- A random MAC never fronts. An address that a card got by DHCP is its own, however many had it before and after.
- One that fronts stays so. Addresses it was seen with before are nobody's again, and names and claims that came through it go, where
  there is more than one of a kind.
- What came through such a card, or through the virtual one of a pair of routers, was not heard in its own segment.

Source: ADR 0052.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import product

from oathward.discovery.model import MarkKind, Statement
from oathward.endpoints.marks import CLAIMS, NAMES, Sorted, sort_marks
from oathward.endpoints.picture import HOUR_US, Known, Picture

FRONTED_MAX = 6
FOREIGN_MAX = 2
WITHIN_US = HOUR_US
DHCP = "dhcp"
"""End of the names of sources that say who was given an address."""


def find_fronting(picture: Picture, ordered: Sequence[Statement]) -> None:
    """Find the cards of a batch that speak for others, before anybody is resolved by them."""
    own = set[tuple[str, str, str]]()
    seen = _seen(picture, ordered, own)
    owners = _owners(seen)
    for (realm, mac), addresses in seen.items():
        if (realm, mac) in picture.fronting:
            continue
        if (
            _crowd(addresses.values()) > FRONTED_MAX
            or _foreign(realm, mac, addresses, owners, own) >= FOREIGN_MAX
        ):
            picture.fronting.add((realm, mac))
            for known in picture.having(MarkKind.MAC, mac):
                _release(picture, known, realm, mac)


def in_its_segment(picture: Picture, said: Statement, marks: Sorted) -> Statement:
    """Give a statement without its segment where none of its cards is its own: a frame's VLAN is where its cards are."""
    if not (said.segment and marks.addresses) or not any(kind is MarkKind.MAC for kind, _ in said.marks):
        return said
    cards = (*marks.cards, *marks.random)
    if any((said.realm, mac) not in picture.fronting for mac in cards):
        return said
    return replace(said, segment="")


Times = dict[str, list[int]]
"""IPv4 address -> when a card was seen with it."""


def _seen(
    picture: Picture, ordered: Sequence[Statement], own: set[tuple[str, str, str]]
) -> dict[tuple[str, str], Times]:
    found: dict[tuple[str, str], Times] = defaultdict(dict)
    for said in ordered:
        marks = sort_marks(said.marks)
        if any(kind is MarkKind.TAG for kind, _ in said.marks):
            continue
        given = said.source.endswith(DHCP)
        for mac, address in product(marks.cards, marks.addresses):
            if given:
                own.add((said.realm, mac, address))
            if ":" not in address:
                times = found[said.realm, mac].setdefault(address, [])
                if not times or said.at_us - times[-1] >= WITHIN_US // 4:
                    times.append(said.at_us)
    _held_before(picture, found)
    return found


def _held_before(picture: Picture, found: dict[tuple[str, str], Times]) -> None:
    """Add the addresses that cards had by what was known before the batch."""
    for (realm, mac), addresses in found.items():
        for known in picture.having(MarkKind.MAC, mac):
            for lease in known.leases.values():
                if lease.realm == realm and lease.mac == mac and ":" not in lease.address:
                    addresses.setdefault(lease.address, []).insert(0, lease.until_us)


def _owners(seen: dict[tuple[str, str], Times]) -> dict[tuple[str, str], dict[str, tuple[int, int]]]:
    """Say for each address which cards it was seen with, from when until when."""
    owners: dict[tuple[str, str], dict[str, tuple[int, int]]] = defaultdict(dict)
    for (realm, mac), addresses in seen.items():
        for address, times in addresses.items():
            owners[realm, address][mac] = (min(times), max(times))
    return owners


def _crowd(times: Iterable[list[int]]) -> int:
    """Count the most addresses that were spoken for within ``WITHIN_US``."""
    rows = list(times)
    if len(rows) <= FRONTED_MAX:
        return len(rows)
    points = sorted((at, which) for which, row in enumerate(rows) for at in row)
    most, start = 0, 0
    inside: dict[int, int] = defaultdict(int)
    for at, which in points:
        inside[which] += 1
        while at - points[start][0] > WITHIN_US:
            gone = points[start][1]
            inside[gone] -= 1
            if not inside[gone]:
                del inside[gone]
            start += 1
        most = max(most, len(inside))
    return most


def _foreign(
    realm: str,
    mac: str,
    addresses: Times,
    owners: dict[tuple[str, str], dict[str, tuple[int, int]]],
    own: set[tuple[str, str, str]],
) -> int:
    """Count the addresses of a card that another was seen with before and after: they did not change hands in between."""
    if len(addresses) <= FOREIGN_MAX:
        return 0
    return sum(
        any(
            first < at < last
            for other, (first, last) in owners[realm, address].items()
            if other != mac
            for at in times
        )
        for address, times in addresses.items()
        if (realm, mac, address) not in own
    )


def _release(picture: Picture, known: Known, realm: str, mac: str) -> None:
    for key, held in known.values(MarkKind.MAC):
        if key[1] == realm and key[2] == mac:
            held.fronts = True
            known.dirty_marks.add(key)
    for lease in [one for one in known.leases.values() if one.realm == realm and one.mac == mac]:
        picture.release(known, lease)
    for kind in (*CLAIMS, *NAMES):
        several = known.values(kind)
        if len(several) > 1:
            for key, _ in several:
                picture.unmark(known, key)
