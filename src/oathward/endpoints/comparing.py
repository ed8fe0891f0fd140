"""Whether two sets of marks can be one endpoint's. Pure; each answers one question of ``resolving``."""

from __future__ import annotations

from oathward.discovery.model import Mark, MarkKind
from oathward.endpoints.marks import EXCLUSIVE, Sorted, is_fixed_client, is_global, is_random, neighbours
from oathward.endpoints.noting import LOCAL, PARTS, SAME_TIME_US
from oathward.endpoints.picture import DAY_US, Known

RANDOM_WITHIN_US = 30 * DAY_US
"""A random MAC follows an endpoint that was heard of within this."""


def random_may_follow(known: Known, at_us: int) -> bool:
    """Whether a random MAC may be the next one of an endpoint that has none but random ones."""
    macs = known.values(MarkKind.MAC)
    return (
        bool(macs)
        and all(is_random(key[2]) for key, _ in macs)
        and SAME_TIME_US < at_us - known.spoke_us <= RANDOM_WITHIN_US
    )


def may_name(name: Mark, marks: Sorted) -> bool:
    """Whether a random MAC may follow a name: one that it has by itself, and that is not the MAC again."""
    return name.kind in LOCAL and not any(is_fixed_client(name.value, mac) for mac in marks.random)


def is_another(known: Known, marks: Sorted) -> bool:
    """Whether claims say that somebody else speaks from where ``known`` was found."""
    if excluded(known, marks):
        return True
    if marks.cards or marks.random:
        return False  # a card whose serial is another one now had its main board replaced
    return parts_differ(known, marks)


def excluded(known: Known, marks: Sorted) -> bool:
    """Whether claims and an endpoint have different values of a kind of which there is one alone."""
    for claim in marks.claims:
        if claim.kind in EXCLUSIVE:
            has = [key for key, _ in known.values(claim.kind)]
            if has and (claim.kind, "", claim.value) not in known.marks:
                return True
    return False


def parts_differ(known: Known, marks: Sorted) -> bool:
    """Whether an endpoint has another serial, UDI or EUI-64 than is claimed, and none that is."""
    claimed = [one for one in marks.claims if one.kind in PARTS]
    if not claimed or any((one.kind, "", one.value) in known.marks for one in claimed):
        return False
    return any(known.values(one.kind) for one in claimed)


def differ(one: Known, other: Known) -> bool:
    """Whether two endpoints have different values of a kind of which there is one alone."""
    for kind in EXCLUSIVE:
        mine, theirs = {key for key, _ in one.values(kind)}, {key for key, _ in other.values(kind)}
        if mine and theirs and mine != theirs:
            return True
    return False


def tags_differ(one: Known, other: Known) -> bool:
    """Whether the site's lists number two endpoints differently."""
    mine, theirs = ({key for key, _ in each.values(MarkKind.TAG)} for each in (one, other))
    return bool(mine and theirs) and mine != theirs


def one_box(other: Known, marks: Sorted, known: Known | None = None) -> bool:
    """Whether a card was plainly made for the box that has another: neighbouring numbers, and one client id or host."""
    cards, said = set(marks.cards), {(one.kind, one.value) for one in marks.names if one.kind in LOCAL}
    if known is not None:
        cards |= {key[2] for key, _ in known.values(MarkKind.MAC)}
        said |= {(key[0], key[2]) for key in known.marks if key[0] in LOCAL}
    if not any(neighbours(key[2], mac) for key, _ in other.values(MarkKind.MAC) for mac in cards):
        return False
    return any((key[0], key[2]) in said for key in other.marks)


def is_outside(marks: Sorted) -> bool:
    """Whether somebody of the internet speaks, of whom no card is seen."""
    return not marks.cards and bool(marks.addresses) and all(is_global(one) for one in marks.addresses)
