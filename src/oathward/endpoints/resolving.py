"""Who a statement is of: the rules of ADR 0052, over a ``Picture``. Pure: no clock, no database.

In order, for each statement by its time:
1. *Card* (universally administered MAC): the endpoint that has it, in any realm; in two realms at the same time it is two endpoints and a conflict.
2. *Address*, where no card speaks (or one that fronts others): who held it then. A random MAC: who showed it in this realm.
3. *Claims* (``marks.CLAIMS``): their endpoint takes the card or address in, or joins the one found, where ``may_follow`` permits;
   otherwise both have the claim, and if both spoke at the same time that is a conflict (``identity.claimed-twice``).
4. *Names* alone: the one endpoint that has them in this realm. A random MAC follows client id or host of an endpoint with random MACs only.
5. Nobody: a new endpoint; where its source tells of far more of them than ever (``flooding``), once it is heard again.

``may_follow``: a claim moves to another card or address where
- the other never spoke itself (it stands in lists alone), or
- a list of the site says so (a mark ``tag``), or
- both cards are plainly one box: one claim, one client id or host, one maker prefix, numbers at most ``marks.NEIGHBOURS_MAX`` apart, or
- the other has been silent since before this one began, for ``REPLACED_AFTER_US`` (a card) or ``MOVED_AFTER_US`` (an address): a replaced part, or
  another lease. A card that comes back after that takes its place again: the newer one stands alone, and that is a conflict.

Never where both have different values of a mark of ``marks.EXCLUSIVE``, or a person said that they are two; and none joins by what a probe told (``Picture.may_join``).

Source: ADR 0052.
"""

from __future__ import annotations

from collections.abc import Sequence

from oathward.discovery.model import Mark, MarkKind, Statement
from oathward.endpoints.comparing import (
    differ,
    excluded,
    is_another,
    is_outside,
    one_box,
    parts_differ,
    tags_differ,
)
from oathward.endpoints.disputing import by_row, check_tags, in_dispute, is_of_other_row
from oathward.endpoints.flooding import foremost
from oathward.endpoints.fronting import find_fronting, in_its_segment
from oathward.endpoints.itself import check_another, is_itself
from oathward.endpoints.marks import (
    CLAIMS,
    EXCLUSIVE,
    Sorted,
    is_random,
    sort_marks,
)
from oathward.endpoints.model import Held
from oathward.endpoints.naming import by_name, is_common, named_late
from oathward.endpoints.noting import (
    PARTS,
    SAME_TIME_US,
    is_heard,
    is_list,
    note,
    place,
    scope,
)
from oathward.endpoints.picture import HOUR_US, REPLACED_AFTER_US, Key, Known, Picture
from oathward.endpoints.twice import check_names, check_speakers

MOVED_AFTER_US = HOUR_US
"""An endpoint known by its address alone was silent for this long before a claim of it follows to another address."""

SHARED_MAX = 4
"""A claim that so many endpoints have tells nobody from anybody."""


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
    said = in_its_segment(picture, said, marks)
    parent, waits = _parent(picture, said)
    if waits:
        return
    known, shares = _who(picture, said, marks, parent)
    if known is None:
        return
    if parent is not None and is_itself(picture, known, parent, said):
        known = parent = picture.join(known, parent, said.at_us, "name")
    note(picture, known, said, marks, parent, shares=shares)
    check_tags(picture, known, said)
    if marks.cards and is_heard(said):
        check_names(picture, known, marks, scope(said, parent), said.at_us)
    if parent is not None or (is_heard(said) and any(one.kind in PARTS for one in marks.claims)):
        speaker = parent or known
        check_speakers(picture, known, speaker, said, marks)
        check_another(picture, known, speaker, said, marks)
        picture.behind(known, speaker, said.at_us)


def _parent(picture: Picture, said: Statement) -> tuple[Known | None, bool]:
    """Find the gateway or hub that a statement came through, and say whether that one waits to be heard again."""
    marks = sort_marks(said.behind)
    if not any(marks):
        return None, False
    heard = Statement(said.at_us, said.source, said.realm, said.behind, segment=said.segment)
    known, shares = _who(picture, heard, marks, None)
    if known is not None:
        note(picture, known, heard, marks, None, shares=shares)
    return known, known is None and shares


def _who(picture: Picture, said: Statement, marks: Sorted, parent: Known | None) -> tuple[Known | None, bool]:
    """Find or make the endpoint of a statement, and say whether it shares where it speaks from with another.

    None where its names are several endpoints', and where there is no room for another endpoint; None and True where it is new and waits to be heard again.
    """
    found = None if parent is not None else _here(picture, said, marks)
    shares = found is not None and (is_another(found, marks) or is_of_other_row(picture, found, said))
    if shares and found is not None and is_list(said):
        _note_clash(picture, found, said, marks)
    if found is not None and not shares and is_list(said):
        found = _listed(picture, found, said, marks)
    if found is not None and not shares and marks.random:
        found = named_late(picture, found, said, marks, parent)
    known = _claimed(picture, said, marks, None if shares else found)
    if known is None and not shares:
        known = by_name(picture, said, marks, parent)
    if known is not None:
        picture.counts["known"] += 1
        return known, shares
    speaking = marks.cards or marks.random or marks.addresses or marks.claims
    if not speaking and is_common(picture, said, marks, parent):
        picture.counts["unclear"] += 1
        return None, False
    if not shares and _waits(picture, said, marks):
        return None, True
    return _new(picture, said, marks), shares


def _is_ours(said: Statement) -> bool:
    """Whether the site says it itself: a list of it, or what it declared."""
    return is_list(said) or any(mark.kind is MarkKind.DEVICE for mark in said.marks)


def _waits(picture: Picture, said: Statement, marks: Sorted) -> bool:
    """Whether a source tells of so many new ones that this one is to be heard again first."""
    fronted = bool(marks.addresses) and any((said.realm, mac) in picture.fronting for mac in marks.cards)
    mark = None if _is_ours(said) else foremost(marks, fronted=fronted)
    if mark is None or not picture.news.waits(said, mark):
        return False
    picture.counts["held"] += 1
    return True


def _new(picture: Picture, said: Statement, marks: Sorted) -> Known | None:
    if picture.room <= 0 and not _is_ours(
        said
    ):  # who fills the inventory from the network keeps out nothing the site says itself
        picture.counts["refused"] += 1
        return None
    picture.room -= 1
    account = any(one.kind is MarkKind.ACCOUNT for one in marks.claims)
    known = picture.new(said.at_us, "account" if account else "network")
    if not _is_ours(said):
        picture.news.began(said)
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
        known = (
            picture.holder(said.realm, address, said.at_us)
            or _listed_at(picture, said, address)
            or picture.next_holder(said.realm, address, said.at_us)
        )
        if known is not None:
            return known
    return None


def _listed_at(picture: Picture, said: Statement, address: str) -> Known | None:
    """Find the one that a list has at an address, and that never spoke."""
    key = (MarkKind.ADDRESS, said.realm, address)
    found = [one for one in picture.having(MarkKind.ADDRESS, address) if key in one.marks and one.is_silent]
    return found[0] if len(found) == 1 else None


def _of_card(picture: Picture, said: Statement, mac: str) -> Known | None:
    """Find whose card a MAC is. In another realm it moved here, unless it speaks there as well."""
    having = picture.having(MarkKind.MAC, mac)
    key = (MarkKind.MAC, said.realm, mac)
    for known in having:
        if key in known.marks:
            return _returned(picture, _here_alone(picture, known, key, said.at_us), key, said.at_us)
    if is_random(mac):
        return None  # a random MAC means something in its own realm alone
    for known in having:
        there = [held for other, held in known.values(MarkKind.MAC) if other[2] == mac]
        if all(_is_outside_of(said.at_us, held) for held in there):
            return known
    return None


def _here_alone(picture: Picture, known: Known, key: Key, at_us: int) -> Known:
    """A card that moved from one realm to another does not speak in both by turns: then it is two, each with its realm."""
    held = known.marks[key]
    for other, seen in known.values(MarkKind.MAC):
        within = seen.first_us + SAME_TIME_US < at_us < seen.last_us - SAME_TIME_US
        if (
            other[2] == key[2]
            and other[1] != key[1]
            and within
            and not is_random(key[2])
            and not known.kept_whole
        ):
            part = picture.new(at_us)
            picture.mark(part, key, held.first_us)
            picture.mark(part, key, held.last_us)
            picture.unmark(known, key)
            part.began_us, part.spoke_us, part.realm = held.first_us, held.last_us, key[1]
            part.first_us, part.last_us = held.first_us, held.last_us
            picture.conflict(known, part, MarkKind.MAC, at_us)
            return part
    return known


def _is_outside_of(at_us: int, held: Held) -> bool:
    return at_us > held.last_us + SAME_TIME_US or at_us < held.first_us - SAME_TIME_US


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
            other.first_us = min(other.first_us or moved.first_us, moved.first_us)
            other.last_us = max(other.last_us, moved.last_us)
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
    """A new card on an address that a list has for somebody who never spoke: it is theirs, unless its names or claims are others'."""
    for address in marks.addresses:
        known = _listed_at(picture, said, address)
        if known is not None and not known.values(MarkKind.MAC) and not parts_differ(known, marks):
            return known
    return None


def _claimed(picture: Picture, said: Statement, marks: Sorted, known: Known | None) -> Known | None:
    """Let claims say whose a statement is; ``known`` where they say nothing else."""
    for claim in marks.claims:
        if claim.kind is MarkKind.CERTIFICATE and is_outside(marks):
            continue  # many addresses of one service show one certificate
        holders = by_row(picture.having(claim.kind, claim.value), said, claim)
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
    if excluded(other, marks) or is_of_other_row(picture, other, said):
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
        return one_box(other, marks) or said.at_us - other.spoke_us >= REPLACED_AFTER_US
    return said.at_us - other.spoke_us >= MOVED_AFTER_US


def _may_join(picture: Picture, known: Known, other: Known, said: Statement, marks: Sorted) -> bool:
    """Whether two endpoints that were both there may be one, by a claim that they share."""
    if picture.are_apart(known, other) or differ(known, other) or in_dispute(known, other):
        return False
    if not picture.may_join or is_of_other_row(picture, other, said):
        return False
    if other.is_silent or known.is_silent or is_list(said):
        return True
    if one_box(other, marks, known):
        return True
    quiet = REPLACED_AFTER_US if known.values(MarkKind.MAC) and other.values(MarkKind.MAC) else MOVED_AFTER_US
    if other.spoke_us < known.began_us and said.at_us - other.spoke_us >= quiet:
        _end_cards(other, said, marks)
        return True
    return False


def _end_cards(other: Known, said: Statement, marks: Sorted) -> None:
    """Note when the cards of an endpoint stopped, where another takes their place."""
    if is_list(said) or not marks.cards or other.is_silent or one_box(other, marks):
        return
    for key, held in other.values(MarkKind.MAC):
        if key[2] not in marks.cards and not held.ended_us:
            held.ended_us = held.last_us + 1
            other.dirty_marks.add(key)


def _check_twice(picture: Picture, known: Known, holders: Sequence[Known], claim: Mark, at_us: int) -> None:
    """Find those who claim the same and spoke at the same time."""
    for other in holders:
        if other is known or other.is_silent or known.is_silent:
            if other is not known and claim.kind not in EXCLUSIVE and tags_differ(known, other):
                picture.conflict(known, other, claim.kind, at_us)
            continue
        began = max(known.began_us, other.began_us)
        if min(known.spoke_us, other.spoke_us) >= began - SAME_TIME_US:
            picture.conflict(known, other, claim.kind, at_us)
