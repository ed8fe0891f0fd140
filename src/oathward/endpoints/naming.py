"""Who is known by a name alone: a host, client id, AE title or application. Pure; ``resolving`` asks it where nothing surer speaks."""

from __future__ import annotations

from oathward.discovery.model import Statement
from oathward.endpoints.comparing import (
    RANDOM_WITHIN_US,
    excluded,
    may_name,
    parts_differ,
    random_may_follow,
)
from oathward.endpoints.marks import Sorted
from oathward.endpoints.noting import LOCAL, contradict, scope
from oathward.endpoints.picture import Known, Picture


def by_name(picture: Picture, said: Statement, marks: Sorted, parent: Known | None) -> Known | None:
    """Find the one endpoint of a scope that has a name, where nothing surer speaks."""
    if marks.cards or (parent is None and (marks.claims or (marks.addresses and not marks.random))):
        return None
    where = scope(said, parent)
    for name in marks.names:
        found = [one for one in picture.named(name, where) if not (marks.random and one.is_silent)]
        if len(found) != 1:
            continue
        if not marks.random:
            if not excluded(found[0], marks) and not parts_differ(found[0], marks):
                return found[0]
        elif may_name(name, marks) and random_may_follow(found[0], said.at_us):
            return found[0]
    return None


def named_late(picture: Picture, found: Known, said: Statement, marks: Sorted, parent: Known | None) -> Known:
    """Let a random MAC that says its first name follow it, though something else was heard of it before."""
    if any(key[0] in LOCAL for key in found.marks) or not found.began_us:
        return found
    for name in marks.names:
        others = [one for one in picture.named(name, scope(said, parent)) if not one.is_silent]
        if (
            len(others) == 1
            and may_name(name, marks)
            and random_may_follow(others[0], found.began_us)
            and random_may_follow(found, found.spoke_us + RANDOM_WITHIN_US)
            and not picture.are_apart(found, others[0])
            and not contradict(found, others[0])
        ):
            return picture.join(others[0], found, said.at_us, "name")
    return found


def is_common(picture: Picture, said: Statement, marks: Sorted, parent: Known | None) -> bool:
    """Whether several have one of the names."""
    where = scope(said, parent)
    return any(len(picture.named(name, where)) > 1 for name in marks.names)
