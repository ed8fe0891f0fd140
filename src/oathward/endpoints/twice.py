"""Who is there twice: one card in two places, one claim through two speakers, one name with two cards. Pure.

Rules:
- A card goes on with an address that DHCP gave it (RFC 2131 §4.4.5: it asks its server itself, from that address) though DHCP gave it
  another one since it last asked anew for this one: it did not leave this network, so another card has its number. Who roams asks anew.
- It goes on so, and has an address of another network that DHCP never gave it, and that it had for ``FIXED_US`` before and has used since: who has a
  fixed address asks nobody for another.
- A card comes back, ``RETURNS_MAX`` times with less than ``PLACES_WITHIN_US`` between, to an address where it was before it was last seen at another one
  of another network; ``ROAMS_WITHIN_US``, where it asked DHCP for both.
- A claim is heard through one, through another, and through the first again within ``RETURNED_WITHIN_US``. An endpoint that claims for itself is one of them.
- Not where each of them is the endpoint itself or a gateway, which speaks for ``GATEWAY_OTHERS_MIN`` others too: then it is put into a dock and taken out, or
  carried to another, until that is ``DOCKED_MAX`` times more than one change in ``DOCKED_EVERY_US``: nobody docks a pump as often as two that speak at once are heard by turns.
- Nor where both are plainly two cards of one box: neighbouring numbers, and one client id or host.
- The name of a device that speaks HL7 or DICOM is given by another maker's card that says nothing else of itself, while that device's own card is there
  too: worth a look, no more. Where both say what they are, two makers count alike, or a list does. A list may be all that has the name: it is the device's
  that was claimed by what the list says, by itself or through one card that claims for nobody else. Where several devices have the name, each of another make, not before
  the card has said nothing of itself for ``WORDLESS_US``: it may be one more of them. A name of more than ``NAMESAKES_MAX`` is nobody's.

What cannot be told: a card used by another while the first is silent and no name or claim differs; one that speaks for others as a gateway does, for one
more no oftener than that one is docked.

Source: ADR 0052; RFC 2131 §4.4.5.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from itertools import product

from oathward.discovery.model import RENEWED, MarkKind, Statement
from oathward.endpoints.fronting import DHCP
from oathward.endpoints.marks import CLAIMS, Sorted, neighbours
from oathward.endpoints.model import Lease
from oathward.endpoints.picture import HOUR_US, MINUTE_US, SKEW_US, Known, Picture

RETURNED_WITHIN_US = 36 * HOUR_US
"""A name or claim that comes back within this after another one began: two speak as one."""

_CLINICAL = frozenset({MarkKind.APPLICATION, MarkKind.AE_TITLE})
_OWN = (MarkKind.CLIENT_ID, MarkKind.HOST)
_NO_MORE = frozenset({MarkKind.MAC, MarkKind.ADDRESS, MarkKind.HOST, MarkKind.CLIENT_ID})
"""Marks of one that says who it is by a name alone: a DHCP client id says no more than its card."""
NAMESAKES_MAX = 4
WORDLESS_US = 24 * HOUR_US

PLACES_WITHIN_US = 2 * HOUR_US
ROAMS_WITHIN_US = 15 * MINUTE_US
RETURNS_MAX = 4
FIXED_US = 12 * HOUR_US
GATEWAY_OTHERS_MIN = 3
DOCKED_MAX = 8
DOCKED_EVERY_US = HOUR_US


def check_places(picture: Picture, known: Known, said: Statement, address: str) -> None:
    """Find a card that is in two places. Called before the lease of ``address`` grows."""
    row = known.leases.get((said.realm, address))
    if row is None or not row.mac or ":" in address:
        return
    others = [one for one in known.leases.values() if one.mac == row.mac and one.realm == row.realm]
    others = [one for one in others if one is not row and ":" not in one.address]
    if _went_on(row, others, said) or _came_back(known, row, others, said):
        picture.conflict(known, None, MarkKind.MAC, said.at_us)


def note_lease(picture: Picture, known: Known, said: Statement, address: str) -> None:
    """Note that DHCP gave an address. Called after its lease grew."""
    row = known.leases.get((said.realm, address))
    if row is None or not said.source.endswith(DHCP) or said.at_us <= row.given_us:
        return
    row.given_us = said.at_us
    if RENEWED not in said.facts:
        row.asked_us = said.at_us
    picture.leased(row)


def _went_on(row: Lease, others: list[Lease], said: Statement) -> bool:
    if not row.asked_us or RENEWED not in said.facts or not said.source.endswith(DHCP):
        return False
    return any(row.asked_us < one.given_us < said.at_us or _is_fixed(row, one) for one in others)


def _is_fixed(row: Lease, other: Lease) -> bool:
    """Whether an address is a fixed one in another network, in use before and since DHCP gave its card another."""
    return (
        not other.given_us
        and other.from_us + FIXED_US <= row.asked_us < other.until_us - SKEW_US
        and _is_elsewhere(row, other)
    )


def _came_back(known: Known, row: Lease, others: list[Lease], said: Statement) -> bool:
    between = [one for one in others if row.until_us < one.until_us <= said.at_us and _is_elsewhere(row, one)]
    if not between:
        return False
    key = (MarkKind.MAC, row.realm, row.mac)
    held = known.marks.get(key)
    if held is None:
        return False
    roams = all(row.asked_us and one.asked_us for one in between)
    within = ROAMS_WITHIN_US if roams else PLACES_WITHIN_US
    held.returns = held.returns + 1 if said.at_us - held.returned_us <= within else 1
    held.returned_us = said.at_us
    known.dirty_marks.add(key)
    return held.returns >= RETURNS_MAX


def _is_elsewhere(one: Lease, other: Lease) -> bool:
    """Whether two addresses are no two of one network: they are in different ones of 256."""
    return one.address.rpartition(".")[0] != other.address.rpartition(".")[0]


def check_speakers(picture: Picture, known: Known, speaker: Known, said: Statement, marks: Sorted) -> None:
    """Find a claim that is heard through two by turns, and note through whom it was heard now."""
    if known.sort == "account" or not marks.claims:
        return
    rows = picture.relations.get(known.id, {})
    here = rows.get(speaker.id)
    between = [
        id_
        for id_, there in rows.items()
        if here is not None
        and id_ != speaker.id
        and here.last_us < there.last_us <= said.at_us
        and said.at_us - there.last_us <= RETURNED_WITHIN_US
        and not is_one_box(speaker, picture.root(id_))
    ]
    if between and not _docks(picture, known, (speaker.id, *between), said.at_us):
        picture.conflict(known, None, marks.claims[0].kind, said.at_us)


def is_one_box(one: Known, other: Known | None) -> bool:
    """Whether two that speak are cards of one box."""
    if other is None:
        return False
    cards = product(*([key[2] for key, _ in each.values(MarkKind.MAC)] for each in (one, other)))
    names, theirs = ({key for kind in _OWN for key, _ in each.values(kind)} for each in (one, other))
    return bool(names & theirs) and any(neighbours(mine, its) for mine, its in cards)


def _docks(picture: Picture, known: Known, speakers: Iterable[str], at_us: int) -> bool:
    """Whether who claims now for itself and now through a gateway, or through two, may be carried from one to the other. Counts the change."""
    claims = [key for kind in CLAIMS for key, _ in known.values(kind)]
    gateways = [id_ for id_ in speakers if id_ != known.id]
    if not claims or any(picture.voices.get(id_, 0) <= GATEWAY_OTHERS_MIN for id_ in gateways):
        return False
    held = known.marks[claims[0]]
    past = max(0, at_us - held.returned_us) // DOCKED_EVERY_US
    left = max(0, held.returns - past)
    held.returned_us = held.returned_us + past * DOCKED_EVERY_US if left else at_us
    held.returns = min(left + 1, DOCKED_MAX)
    known.dirty_marks.add(claims[0])
    return held.returns < DOCKED_MAX


def check_names(picture: Picture, known: Known, marks: Sorted, where: str, at_us: int) -> None:
    """Find the name of one that speaks HL7 or DICOM, given by another maker's card while that one is there."""
    if not known.began_us or any(key[0] not in _NO_MORE for key in known.marks):
        return
    for name in marks.names:
        if name.kind is not MarkKind.HOST:
            continue
        named = {one.id: one for one in map(partial(_voice, picture), picture.named(name, where)) if one}
        named.pop(known.id, None)
        if len(named) > 1 and (len(named) > NAMESAKES_MAX or at_us - known.began_us < WORDLESS_US):
            continue
        if all(_is_other_make(known, one) for one in named.values()):
            for one in named.values():
                if _is_there(known, one, at_us):
                    picture.conflict(known, one, name.kind, at_us)


def _voice(picture: Picture, named: Known) -> Known | None:
    """Give who speaks as one that has a name: itself, or where a list alone has the name who claims for it and for nobody else; None where nobody does."""
    if not named.is_silent:
        return named
    speaker = picture.root(named.parent) if named.parent else None
    return speaker if speaker is not None and picture.voices.get(speaker.id, 0) == 1 else None


def _is_there(known: Known, other: Known, at_us: int) -> bool:
    return other.began_us <= at_us and known.began_us < other.spoke_us


def _is_other_make(known: Known, other: Known) -> bool:
    """Whether somebody has no card of the make of one that speaks HL7 or DICOM."""
    if not any(key[0] in _CLINICAL for key in other.marks):
        return False
    mine, theirs = ({key[2][:8] for key, _ in one.values(MarkKind.MAC)} for one in (known, other))
    return bool(mine and theirs) and not mine & theirs
