"""Numbers kept under another name of their authority, before the site declared the names the same.

Rules:
- A hash cannot be turned back, so nothing can be rewritten when a table of names changes: each number is taken over
  when a message next says it.
- Known under one name only, it names that subject from now on; under several, their subjects become one person by an
  edge that can be undone (``declared`` stands as its event).
- Only what the site declared counts; a message cannot declare anything.

Deliberately absent: encounter numbers known under several names: the declared name's counts.
"""

from __future__ import annotations

from oathward.patients.identifiers import Identifier, Spoken
from oathward.patients.model import EdgeKind
from oathward.patients.work import Work

EVENT = "declared"


def take_over(work: Work, spoken: Spoken) -> None:
    """Let the numbers of a message name whom they named under their authority's other names."""
    if not work.hasher.authorities:
        return
    for one in (*spoken.persons, *spoken.visits):
        take_over_one(work, one)


def take_over_one(work: Work, one: Identifier) -> None:
    """Let one number name whom it named under its authority's other names."""
    others = work.hasher.others(one)
    if not others:
        return
    hashed = work.hasher.identifier(one)
    subjects = work.known([hashed, *others])
    if not subjects:
        return
    own = subjects[0]
    work.attach_hashes(own, [(hashed, work.hasher.scope(one))])
    if one.encounter:
        return
    for other in subjects[1:]:
        if work.effective(other) != work.effective(own) and not work.was_undone(EdgeKind.JOINED, other, own):
            work.edge(EdgeKind.JOINED, other, own, event=EVENT)
