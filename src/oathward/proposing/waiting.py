"""What waits to be delivered now on the links that a change of policy touches: said before anybody agrees to it.

Rules:
- Once another policy is in force, each delivery that waits is decided again; what it no longer permits just as it was is
  withdrawn and never sent. A link that loses something is told first.
- Counted at each look: what is delivered before then has left, and nothing takes that back.

Deliberately absent: deciding them beforehand; the courier does it, with the consents there are by then.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from sqlalchemy import Engine

from oathward.core.db import read
from oathward.messages import views
from oathward.messages.model import Delivery
from oathward.policy.difference import Change
from oathward.policy.dry_run_sums import DryRun, LinkSums

_LESS = ("newly_denied", "newly_held", "classes_less", "observations_less", "reshaped")
"""Of what a dry run counts: it takes something away from what was permitted, or gives it another form."""
_AGAIN = "decided again when this comes in force, and what is no longer permitted just as it was is withdrawn and never sent"


@dataclass(frozen=True, slots=True)
class Waiting:
    """Deliveries that wait now on a link that a change touches; `less`: it takes something away there."""

    link: str
    deliveries: int
    less: bool
    words: str


def waiting(engine: Engine, changes: Sequence[Change], dry_run: DryRun | None = None) -> tuple[Waiting, ...]:
    """Count what waits now on each link that changes touch, where anything does; those that lose something first."""
    touched = dict(_touched(changes, dry_run))
    less = {link for link, takes in _touched(changes, dry_run) if takes}
    if not touched:
        return ()
    with read(engine) as db:
        states = {row.link: row.states for row in views.waiting(db)}
    counts = {
        link: sum(n for state, n in states.get(link, {}).items() if state != Delivery.DEAD)
        for link in touched
    }
    found = [_of(link, count, less=link in less) for link, count in counts.items() if count]
    return tuple(sorted(found, key=lambda one: (not one.less, one.link)))


def _of(link: str, count: int, *, less: bool) -> Waiting:
    why = ", and less leaves on this link" if less else ""
    many = f"{count:,} {'delivery waits' if count == 1 else 'deliveries wait'} now{why}"
    return Waiting(link, count, less, f"{link}: {many}; {'it is' if count == 1 else 'each is'} {_AGAIN}.")


def _touched(changes: Sequence[Change], dry_run: DryRun | None) -> Iterator[tuple[str, bool]]:
    """Name each link that something touches, and whether that takes something away."""
    for change in changes:
        for link in change.links if change.direction != "same" else ():
            yield link, change.direction == "narrow"
    for sums in dry_run.links if dry_run else ():
        yield sums.link, _takes(sums)


def _takes(sums: LinkSums) -> bool:
    return any(sums.counts.get(kind) for kind in _LESS)
