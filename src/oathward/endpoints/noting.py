"""Write what a statement showed onto the endpoint it is of: marks, addresses, times, facts. Pure.

A name or claim that comes back on one card after another took its place is a conflict: two speak as one (a clone of a card). So is a card
that two endpoints show in two realms.
"""

from __future__ import annotations

from oathward.discovery.model import MarkKind, Statement
from oathward.endpoints.late import note_begun
from oathward.endpoints.marks import EXCLUSIVE, Sorted, is_random
from oathward.endpoints.picture import DAY_US, HOLD_US, MINUTE_US, Key, Known, Picture
from oathward.endpoints.twice import RETURNED_WITHIN_US, check_places, note_lease

SAME_TIME_US = 10 * MINUTE_US
"""Two that spoke within this are there at the same time."""

CARD_WITHIN_US = DAY_US
"""A card seen with an address so long before or after somebody nameless is theirs, where nobody else had it between."""

LISTS = frozenset({"cmms", "netbox", "fhir", "mud"})
"""Sources that were written down, not heard. A vendor's list says itself when it heard of an endpoint."""

PARTS = frozenset({MarkKind.SERIAL, MarkKind.UDI, MarkKind.EUI64})
"""Claims that a part of a device makes; of each it has one at a time."""

LOCAL = frozenset({MarkKind.CLIENT_ID, MarkKind.HOST})
"""Names that an endpoint has by itself, whatever runs on it."""

_ABOUT = ".dns"
"""End of the names of sources that speak of an address, where nobody needs to be there."""

_SEGMENT = 0.9
_RETURNING = frozenset({MarkKind.HOST, MarkKind.CLIENT_ID, MarkKind.SERIAL, MarkKind.UDI, MarkKind.EUI64})


def is_list(said: Statement) -> bool:
    """Whether a list of the site says it: it has the site's own number."""
    for kind, _ in said.marks:  # noqa: SIM110  asked several times of each statement
        if kind is MarkKind.TAG:
            return True
    return False


def is_heard(said: Statement) -> bool:
    """Whether an endpoint was heard, on a wire or through its hub; what a list says of it is no sign of life."""
    return said.source not in LISTS and not is_list(said)


def scope(said: Statement, parent: Known | None) -> str:
    """Say where names mean something: in a realm, or behind one gateway."""
    return said.realm if parent is None else f"behind:{parent.id}"


def note(
    picture: Picture, known: Known, said: Statement, marks: Sorted, parent: Known | None, *, shares: bool
) -> None:
    """Write what a statement showed onto its endpoint."""
    at_us, where = said.at_us, scope(said, parent)
    for claim in marks.claims:
        key = (claim.kind, "", claim.value)
        if not is_list(said):
            _check_return(picture, known, key, at_us)
        picture.mark(known, key, at_us)
    for name in marks.names:
        key = (name.kind, where, name.value)
        _check_return(picture, known, key, at_us)
        picture.mark(known, key, at_us)
    if parent is None and shares:
        for address in marks.addresses:
            picture.mark(known, (MarkKind.ADDRESS, said.realm, address), at_us)
        place(known, said, marks)
    elif parent is None:
        known = _note_place(picture, known, said, marks)
    if is_heard(said):
        known.first_us, known.last_us = min(known.first_us or at_us, at_us), max(known.last_us, at_us)
    known.realm = known.realm or said.realm
    for attribute, value, confidence in said.facts:
        _fact(known, (attribute, value, said.source), at_us, confidence)
    if said.segment and parent is None:
        _fact(known, ("segment", said.segment, said.source), at_us, _SEGMENT)
    known.touched = True


def _note_place(picture: Picture, known: Known, said: Statement, marks: Sorted) -> Known:
    """Write from where an endpoint spoke; gives the endpoint it is then."""
    at_us, realm = said.at_us, said.realm
    own = [
        mac
        for mac in (*marks.cards, *marks.random)
        if not (marks.addresses and (realm, mac) in picture.fronting)
    ]
    for mac in own:
        held = picture.mark(known, (MarkKind.MAC, realm, mac), at_us)
        held.fronts = held.fronts or (realm, mac) in picture.fronting
        for other in picture.having(MarkKind.MAC, mac):
            if other is not known and not is_random(mac):
                picture.conflict(known, other, MarkKind.MAC, at_us)
    if not is_heard(said):
        for address in marks.addresses:  # where it will be known by, when somebody speaks from there
            picture.mark(known, (MarkKind.ADDRESS, realm, address), at_us)
        return known
    for address in marks.addresses:
        if own:
            known = _with_cardless(picture, known, realm, address, at_us)
        if own or not said.source.endswith(_ABOUT) or picture.holder(realm, address, at_us) is None:
            check_places(picture, known, said, address)
            row = picture.lease(known, realm, address, at_us, own[0] if own else "")
            if own:
                note_begun(picture, known, row, at_us)
            note_lease(picture, known, said, address)
    place(known, said, marks)
    return known


def _with_cardless(picture: Picture, known: Known, realm: str, address: str, at_us: int) -> Known:
    """Join whoever was known by this address alone just before or soon after its card was seen with it: nobody else had it between."""
    for lease in picture.beside(realm, address, at_us):
        holder = picture.root(lease.endpoint)
        if holder is None or holder is known or holder.values(MarkKind.MAC) or len(holder.leases) > 1:
            continue
        gap = max(at_us - lease.until_us, lease.from_us - at_us)
        within = (
            HOLD_US if lease.from_us > at_us else CARD_WITHIN_US
        )  # in time it would have been theirs so long
        near = gap <= (within if holder.is_bare else SAME_TIME_US)
        if near and not picture.are_apart(known, holder) and not contradict(known, holder):
            known = picture.join(known, holder, at_us, "address")
    return known


def contradict(one: Known, other: Known) -> bool:
    """Whether two endpoints have different values of a kind of which there is one alone, or of a serial, UDI or EUI-64."""
    for kind in (*EXCLUSIVE, *PARTS):
        mine, theirs = ({key for key, _ in each.values(kind)} for each in (one, other))
        if mine and theirs and not mine & theirs:
            return True
    return False


def place(known: Known, said: Statement, marks: Sorted) -> None:
    """Note that an endpoint spoke itself, and where."""
    if not is_heard(said) or not (marks.cards or marks.random or marks.addresses):
        return
    known.began_us = min(known.began_us or said.at_us, said.at_us)
    if said.at_us >= known.spoke_us:
        known.spoke_us, known.realm = said.at_us, said.realm
        known.segment = said.segment or known.segment


def _check_return(picture: Picture, known: Known, key: Key, at_us: int) -> None:
    """Find a name or claim that comes back after another took its place: two speak with one card."""
    held = known.marks.get(key)
    if held is None or key[0] not in _RETURNING or at_us <= held.last_us or known.sort == "account":
        return
    for other, seen in known.values(key[0]):
        if (
            other != key
            and other[1] == key[1]
            and held.last_us < seen.last_us < at_us
            and seen.first_us > held.first_us
        ):
            if at_us - seen.last_us <= RETURNED_WITHIN_US:
                picture.conflict(known, None, key[0], at_us)
            return


def _fact(known: Known, fact: tuple[str, str, str], at_us: int, confidence: float) -> None:
    seen = known.facts.get(fact)
    if seen is None:
        known.facts[fact] = [at_us, at_us, confidence]
    else:
        seen[0], seen[1], seen[2] = (
            min(seen[0], at_us),
            max(seen[1], at_us),
            confidence if at_us >= seen[1] else seen[2],
        )
