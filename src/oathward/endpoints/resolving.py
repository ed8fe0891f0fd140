"""Who a statement is of: the rules of ADR 0052, over a ``Picture``. Pure: no clock, no database.

In order, for each statement by its time:
1. *Card* (universally administered MAC): the endpoint that has it, in any realm; in two realms at the same time it is two endpoints and a conflict.
2. *Address*, where no card speaks (or one that fronts others): who held it then. A random MAC: who showed it in this realm.
3. *Claims* (``marks.CLAIMS``): their endpoint takes the card or address in, or joins the one found, where ``may_follow`` permits;
   otherwise both have the claim, and if both spoke at the same time that is a conflict (``identity.claimed-twice``).
4. *Names* alone: the one endpoint that has them in this realm. A random MAC follows client id or host of an endpoint with random MACs only.
5. Nobody: a new endpoint.

``may_follow``: a claim moves to another card or address where
- the other never spoke itself (it stands in lists alone), or
- a list of the site says so (a mark ``tag``), or
- both cards are plainly one box: one claim, one client id or host, one maker prefix, numbers at most ``marks.NEIGHBOURS_MAX`` apart, or
- the other has been silent since before this one began, for ``REPLACED_AFTER_US`` (a card) or ``MOVED_AFTER_US`` (an address): a replaced part, or
  another lease. A card that comes back after that takes its place again: the newer one stands alone, and that is a conflict.

Never where both have different values of a mark of ``marks.EXCLUSIVE``, or a person said that they are two.

Source: ADR 0052.
"""

from __future__ import annotations

from collections.abc import Sequence

from oathward.discovery.model import Mark, MarkKind, Statement
from oathward.endpoints.fronting import find_fronting
from oathward.endpoints.marks import (
    CLAIMS,
    EXCLUSIVE,
    Sorted,
    is_fixed_client,
    is_random,
    neighbours,
    sort_marks,
)
from oathward.endpoints.noting import LOCAL, SAME_TIME_US, is_list, note, place, scope
from oathward.endpoints.picture import DAY_US, HOUR_US, Key, Known, Picture

MOVED_AFTER_US = HOUR_US
"""An endpoint known by its address alone was silent for this long before a claim of it follows to another address."""

REPLACED_AFTER_US = DAY_US
"""A card was silent for this long before another with the same claim is its replacement."""

RANDOM_WITHIN_US = 30 * DAY_US
"""A random MAC follows an endpoint that was heard of within this."""

SHARED_MAX = 4
"""A claim that so many endpoints have tells nobody from anybody."""

_PARTS = frozenset({MarkKind.SERIAL, MarkKind.UDI, MarkKind.EUI64})


def resolve(picture: Picture, statements: Sequence[Statement]) -> None:
    """Take statements into a picture, the oldest first."""
    ordered = sorted(statements, key=lambda one: one.at_us)
    find_fronting(picture, ordered)
    for said in ordered:
        picture.counts["statements"] += 1
        _take(picture, said)


def _take(picture: Picture, said: Statement) -> None:
    marks = sort_marks(said.marks)
    if not any(marks):
        picture.counts["empty"] += 1
        return
    parent = _parent(picture, said)
    known, shares = _who(picture, said, marks, parent)
    if known is None:
        return
    note(picture, known, said, marks, parent, shares=shares)
    if parent is not None:
        picture.behind(known, parent, said.at_us)


def _parent(picture: Picture, said: Statement) -> Known | None:
    """Find the gateway or hub that a statement came through."""
    marks = sort_marks(said.behind)
    if not any(marks):
        return None
    heard = Statement(said.at_us, said.source, said.realm, said.behind, segment=said.segment)
    known, shares = _who(picture, heard, marks, None)
    if known is not None:
        note(picture, known, heard, marks, None, shares=shares)
    return known


def _who(picture: Picture, said: Statement, marks: Sorted, parent: Known | None) -> tuple[Known | None, bool]:
    """Find or make the endpoint of a statement, and say whether it shares where it speaks from with another.

    None where its names are several endpoints', and where there is no room for another endpoint.
    """
    found = None if parent is not None else _here(picture, said, marks)
    shares = found is not None and _is_another(found, said, marks)
    if shares and found is not None and is_list(said):
        _note_clash(picture, found, said, marks)
    if found is not None and not shares and is_list(said):
        found = _listed(picture, found, said, marks)
    known = _claimed(picture, said, marks, None if shares else found)
    if known is None and not shares:
        known = _by_name(picture, said, marks, parent)
    if known is not None:
        picture.counts["known"] += 1
        return known, shares
    speaking = marks.cards or marks.random or marks.addresses or marks.claims
    if not speaking and _is_common(picture, said, marks, parent):
        picture.counts["unclear"] += 1
        return None, False
    return _new(picture, said, marks), shares


def _new(picture: Picture, said: Statement, marks: Sorted) -> Known | None:
    if picture.room <= 0:
        picture.counts["refused"] += 1
        return None
    picture.room -= 1
    account = any(one.kind is MarkKind.ACCOUNT for one in marks.claims)
    known = picture.new(said.at_us, "account" if account else "network")
    for claim in marks.claims:
        picture.mark(known, (claim.kind, "", claim.value), said.at_us)
    return known


def _listed(picture: Picture, found: Known, said: Statement, marks: Sorted) -> Known:
    """Join those whose cards a list of the site gives one device."""
    for mac in marks.cards:
        for other in picture.having(MarkKind.MAC, mac):
            if other is not found and _may_join(picture, found, other, said, marks):
                found = picture.join(found, other, said.at_us, "list")
    return found


def _note_clash(picture: Picture, found: Known, said: Statement, marks: Sorted) -> None:
    """A list gives one card or address two numbers: it is wrong in one of them."""
    for claim in marks.claims:
        for other in picture.having(claim.kind, claim.value) if claim.kind in EXCLUSIVE else ():
            if other is not found:
                picture.conflict(found, other, claim.kind, said.at_us)


def _here(picture: Picture, said: Statement, marks: Sorted) -> Known | None:
    """Find who speaks here: by card, by random MAC, else by address."""
    fronted = False
    for mac in (*marks.cards, *marks.random):
        if marks.addresses and (said.realm, mac) in picture.fronting:
            fronted = True
            continue
        known = _of_card(picture, said, mac)
        if known is not None:
            return known
    if (marks.cards or marks.random) and not fronted:
        return _bare(picture, said, marks)
    for address in marks.addresses:
        known = picture.holder(said.realm, address, said.at_us)
        if known is not None:
            return known
    return None


def _of_card(picture: Picture, said: Statement, mac: str) -> Known | None:
    """Find whose card a MAC is. In another realm it moved here, unless it speaks there as well."""
    having = picture.having(MarkKind.MAC, mac)
    key = (MarkKind.MAC, said.realm, mac)
    for known in having:
        if key in known.marks:
            return _returned(picture, known, key, said.at_us)
    if is_random(mac):
        return None  # a random MAC means something in its own realm alone
    for known in having:
        last = max(held.last_us for other, held in known.values(MarkKind.MAC) if other[2] == mac)
        if said.at_us > last + SAME_TIME_US:
            return known
    return None


def _returned(picture: Picture, known: Known, key: Key, at_us: int) -> Known:
    """A card that was replaced and speaks again: what took its place is another endpoint after all."""
    held = known.marks[key]
    if not held.ended_us or at_us <= held.ended_us or known.kept_whole:
        return known
    newer = [
        one for one, other in known.values(MarkKind.MAC) if other.first_us >= held.ended_us and one != key
    ]
    held.ended_us = 0
    known.dirty_marks.add(key)
    if newer:
        other = picture.new(at_us)
        for one in newer:
            moved = known.marks[one]
            picture.mark(other, one, moved.first_us)
            picture.mark(other, one, moved.last_us)
            picture.unmark(known, one)
            other.first_us = min(other.first_us, moved.first_us)
            other.began_us, other.spoke_us = other.first_us, max(other.spoke_us, moved.last_us)
        for key_, claim in [one for kind in CLAIMS for one in known.values(kind)]:
            picture.mark(other, key_, max(claim.first_us, other.first_us))
        for lease in [one for one in known.leases.values() if one.mac in {k[2] for k in newer}]:
            picture.release(known, lease)
        picture.conflict(
            known, other, MarkKind.SERIAL if known.values(MarkKind.SERIAL) else MarkKind.MAC, at_us
        )
    return known


def _bare(picture: Picture, said: Statement, marks: Sorted) -> Known | None:
    """A new card on an address that somebody nameless holds at this very time: it is their card."""
    for address in marks.addresses:
        known = picture.holder(said.realm, address, said.at_us)
        if known is not None and known.is_bare and said.at_us - known.spoke_us <= SAME_TIME_US:
            return known
    return None


def _claimed(picture: Picture, said: Statement, marks: Sorted, known: Known | None) -> Known | None:
    """Let claims say whose a statement is; ``known`` where they say nothing else."""
    for claim in marks.claims:
        holders = picture.having(claim.kind, claim.value)
        if known is not None and known in holders:
            for other in holders:
                if other is not known and _may_join(picture, known, other, said, marks):
                    known = picture.join(known, other, said.at_us, f"claim:{claim.kind.value}")
            _check_twice(picture, known, picture.having(claim.kind, claim.value), claim, said.at_us)
        elif holders and (claim.kind in EXCLUSIVE or len(holders) < SHARED_MAX):
            known = _follow(picture, said, marks, known, holders, claim)
    return known


def _follow(
    picture: Picture,
    said: Statement,
    marks: Sorted,
    known: Known | None,
    holders: Sequence[Known],
    claim: Mark,
) -> Known | None:
    """Follow a claim to one of those who have it, where that may be; else whoever claims it now has it as well."""
    for other in holders:
        if known is None:
            if may_follow(picture, other, said, marks):
                _end_cards(other, said, marks)
                return other
        elif _may_join(picture, known, other, said, marks):
            return picture.join(known, other, said.at_us, f"claim:{claim.kind.value}")
    known = known or _new(picture, said, marks)
    if known is not None:
        picture.mark(known, (claim.kind, "", claim.value), said.at_us)
        place(known, said, marks)
        _check_twice(picture, known, holders, claim, said.at_us)
    return known


def may_follow(picture: Picture, other: Known, said: Statement, marks: Sorted) -> bool:
    """Whether a card or address nobody had yet may belong to the one whose claim it shows."""
    if _excluded(other, marks):
        return False
    if other.is_silent or is_list(said) or not (marks.cards or marks.random or marks.addresses):
        return True
    for address in marks.addresses:  # its own address, or the one it shares
        if picture.holder(said.realm, address, said.at_us) is other:
            return True
        if (MarkKind.ADDRESS, said.realm, address) in other.marks:
            return True
    cards = other.values(MarkKind.MAC)
    if marks.cards and cards:
        return _one_box(other, marks) or said.at_us - other.spoke_us >= REPLACED_AFTER_US
    return said.at_us - other.spoke_us >= MOVED_AFTER_US


def _may_join(picture: Picture, known: Known, other: Known, said: Statement, marks: Sorted) -> bool:
    """Whether two endpoints that were both there may be one, by a claim that they share."""
    if picture.are_apart(known, other) or _differ(known, other):
        return False
    if other.is_silent or known.is_silent or is_list(said):
        return True
    if marks.cards and _one_box(other, marks):
        return True
    quiet = REPLACED_AFTER_US if known.values(MarkKind.MAC) and other.values(MarkKind.MAC) else MOVED_AFTER_US
    if other.spoke_us < known.began_us and said.at_us - other.spoke_us >= quiet:
        _end_cards(other, said, marks)
        return True
    return False


def _end_cards(other: Known, said: Statement, marks: Sorted) -> None:
    """Note when the cards of an endpoint stopped, where another takes their place."""
    if is_list(said) or not marks.cards or other.is_silent or _one_box(other, marks):
        return
    for key, held in other.values(MarkKind.MAC):
        if key[2] not in marks.cards and not held.ended_us:
            held.ended_us = held.last_us + 1
            other.dirty_marks.add(key)


def _check_twice(picture: Picture, known: Known, holders: Sequence[Known], claim: Mark, at_us: int) -> None:
    """Find those who claim the same and spoke at the same time."""
    for other in holders:
        if other is known or other.is_silent or known.is_silent:
            if other is not known and claim.kind not in EXCLUSIVE and _tags_differ(known, other):
                picture.conflict(known, other, claim.kind, at_us)
            continue
        began = max(known.began_us, other.began_us)
        if min(known.spoke_us, other.spoke_us) >= began - SAME_TIME_US:
            picture.conflict(known, other, claim.kind, at_us)


def _by_name(picture: Picture, said: Statement, marks: Sorted, parent: Known | None) -> Known | None:
    """Find the one endpoint of a scope that has a name, where nothing surer speaks."""
    if marks.cards or (parent is None and (marks.claims or (marks.addresses and not marks.random))):
        return None
    where = scope(said, parent)
    for name in marks.names:
        found = picture.named(name, where)
        if len(found) != 1:
            continue
        if not marks.random:
            if not _excluded(found[0], marks) and not _parts_differ(found[0], marks):
                return found[0]
        elif (
            name.kind in LOCAL
            and not any(is_fixed_client(name.value, mac) for mac in marks.random)
            and _random_may_follow(found[0], said.at_us)
        ):
            return found[0]
    return None


def _random_may_follow(known: Known, at_us: int) -> bool:
    macs = known.values(MarkKind.MAC)
    return (
        bool(macs)
        and all(is_random(key[2]) for key, _ in macs)
        and SAME_TIME_US < at_us - known.spoke_us <= RANDOM_WITHIN_US
    )


def _is_common(picture: Picture, said: Statement, marks: Sorted, parent: Known | None) -> bool:
    where = scope(said, parent)
    return any(len(picture.named(name, where)) > 1 for name in marks.names)


def _is_another(known: Known, said: Statement, marks: Sorted) -> bool:
    """Whether claims say that somebody else speaks from where ``known`` was found."""
    if _excluded(known, marks):
        return True
    if marks.cards or marks.random or is_list(said):
        return False  # a card whose serial is another one now had its main board replaced
    return _parts_differ(known, marks)


def _excluded(known: Known, marks: Sorted) -> bool:
    """Whether claims and an endpoint have different values of a kind of which there is one alone."""
    for claim in marks.claims:
        if claim.kind in EXCLUSIVE:
            has = [key for key, _ in known.values(claim.kind)]
            if has and (claim.kind, "", claim.value) not in known.marks:
                return True
    return False


def _parts_differ(known: Known, marks: Sorted) -> bool:
    """Whether an endpoint has another serial, UDI or EUI-64 than is claimed, and none that is."""
    claimed = [one for one in marks.claims if one.kind in _PARTS]
    if not claimed or any((one.kind, "", one.value) in known.marks for one in claimed):
        return False
    return any(known.values(one.kind) for one in claimed)


def _differ(one: Known, other: Known) -> bool:
    """Whether two endpoints have different values of a kind of which there is one alone."""
    for kind in EXCLUSIVE:
        mine, theirs = {key for key, _ in one.values(kind)}, {key for key, _ in other.values(kind)}
        if mine and theirs and mine != theirs:
            return True
    return False


def _tags_differ(one: Known, other: Known) -> bool:
    mine, theirs = ({key for key, _ in each.values(MarkKind.TAG)} for each in (one, other))
    return bool(mine and theirs) and mine != theirs


def _one_box(other: Known, marks: Sorted) -> bool:
    """Whether a card was plainly made for the box that has another: neighbouring numbers, and one client id or host."""
    near = any(neighbours(key[2], mac) for key, _ in other.values(MarkKind.MAC) for mac in marks.cards)
    if not near:
        return False
    said = {(one.kind, one.value) for one in marks.names if one.kind in LOCAL}
    return any((key[0], key[2]) in said for key in other.marks)
