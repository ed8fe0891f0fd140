"""What a viewer may: ``policy.access.decide`` with the rules in force, asked by the frame and for every link and button.

Rules:
- The rules are those of the bundle in force, looked for again after ``LOOK_S``. Where the bundle cannot be used, nothing
  may be changed, approved or opened; what is wrong may still be seen, under the shipped rules.
- Who is who comes from the keeper with the session; which products a vendor made, from their signed person document.
- On a site without people a session is that of whoever sets it up. A session made for looking changes nothing.

Deliberately absent: any permit of its own.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from oathward.activation import load_active
from oathward.core.db import read
from oathward.core.errors import AuthorityError
from oathward.core.labels import Purpose, Role
from oathward.core.reasons import Reason
from oathward.policy.access import (
    AT_THE_MACHINE,
    PLAIN,
    SETUP,
    Actor,
    Answer,
    Around,
    Denied,
    Permitted,
    Rules,
    Thing,
    Unclear,
    decide,
)
from oathward.policy.actions import ACTIONS
from oathward.policy.people import PERSON, Person
from oathward.vault.authority import load

if TYPE_CHECKING:
    from oathward.activation import Active
    from oathward.vault.keeper.sign_in.visit import Visit
    from oathward.vault.opened import Opened

LOOK_S = 1.0
NOBODY = Actor("person", "", frozenset())
HELPS = frozenset({Reason.ACCESS_STEP_UP, Reason.ACCESS_FACTOR})
"""Reasons of a denial that another proof of the same person mends."""


@dataclass(frozen=True, slots=True)
class InForce:
    """The rules of one moment. ``active``: the bundle they are of; ``whole``: it could be read, or there is none."""

    rules: Rules
    active: Active | None = None
    whole: bool = True


class Book:
    """The rules about people, as this process last loaded them; safe in threads."""

    def __init__(self, site: Opened, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._site, self._monotonic = site, monotonic
        self._guard = threading.Lock()
        self._until_s = float("-inf")
        self._last = InForce(Rules.builtin())

    def now(self) -> InForce:
        """Give the rules in force."""
        with self._guard:
            if self._monotonic() >= self._until_s:
                self._last = self._look()
                self._until_s = self._monotonic() + LOOK_S
            return self._last

    def _look(self) -> InForce:
        site, last = self._site, self._last
        try:
            with read(site.engine) as db:
                found = load_active(db, site.site, site.authority, site.seen, current=last.active)
        except AuthorityError:
            return InForce(Rules.builtin(), whole=False)
        if found is last.active and last.whole:
            return last
        return InForce(Rules.of(found.bundle if found else None), found)


@dataclass(frozen=True, slots=True)
class Asking:
    """One viewer's questions, all of one moment.

    Args:
        acts: the session may change something.
    """

    now: InForce
    actor: Actor = NOBODY
    around: Around = PLAIN
    acts: bool = True

    @property
    def active(self) -> Active | None:
        """The policy in force."""
        return self.now.active

    def answer(self, action: str, thing: Thing) -> Answer:
        """Decide."""
        if not self.now.whole and ACTIONS[action].group != "See":
            return Unclear(Reason.BUNDLE_INVALID, ())
        return decide(self.now.rules, self.actor, action, thing, self.around)

    def may(self, action: str, thing: Thing | None = None) -> bool:
        """Say whether a link or a button is shown: also where a fresh proof is all that lacks."""
        info = ACTIONS[action]
        if not self.acts and info.group != "See":
            return False
        asked = thing or Thing(info.thing, owner=self.actor.id if info.thing == "account" else "")
        if info.group == "Open" or info.thing == "patient":  # for some purpose, of somebody they care for
            return any(_helps(self.opening(one, relation=True).answer(action, asked)) for one in Purpose)
        return _helps(self.answer(action, asked))

    def opening(self, purpose: str, relation: bool) -> Asking:  # noqa: FBT001  as ``Route.around`` gives them
        """Ask for a purpose of use, with a care relationship or without."""
        return replace(self, around=replace(self.around, purpose=purpose, relation=relation))

    def sees_all(self, action: str) -> bool:
        """Say whether a list of things with a make is whole for this viewer; else it is cut to their own products."""
        return isinstance(
            self.answer(action, Thing(ACTIONS[action].thing, _SOMEBODYS, _SOMEBODYS)), Permitted
        )


def _helps(answer: Answer) -> bool:
    """Say whether it may be done, or another proof is all that lacks."""
    return isinstance(answer, Permitted) or (
        isinstance(answer, Denied) and bool(HELPS.intersection(answer.reasons[:1]))
    )


_SOMEBODYS = "\x00"
"""An id and a make that nothing has: permitted only where every one is."""


def asking(book: Book, visit: Visit | None, actor: Actor) -> Asking:
    """Make one viewer's questions."""
    if visit is None:
        return Asking(book.now())
    around = Around(strong=visit.strong, fresh=visit.fresh) if visit.person_id else AT_THE_MACHINE
    return Asking(book.now(), actor, around, visit.acts)


def actor_of(site: Opened, visit: Visit) -> Actor:
    """Say who a session's person is to the rules.

    Raises:
        AuthorityError: a vendor user's person document cannot be believed.
    """
    if not visit.person_id:
        return SETUP
    actor = Actor(visit.kind, visit.person_id, visit.roles)
    if Role.VENDOR_USER not in visit.roles:
        return actor
    with read(site.engine) as db:
        document = load(db, site.site, PERSON, visit.person_id, site.authority, site.seen)
    person = Person.from_body(document.body)
    return replace(actor, makes=person.makes, party=person.party)
