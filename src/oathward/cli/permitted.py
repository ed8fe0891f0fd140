"""Who asks at this command line, once it is sure that policies permit them what they ask; and that they used a role for it.

Rules:
- On a site with people: the person whose session it is, asked of the keeper, and ``policy.access.decide`` as a page asks it.
- What was permitted is noted as a page notes it (``people.using``): a role used here alone is no unused one.
- What the keeper has done already is done: no error of the noting keeps anybody from what it gave (``used``).
- On a site without people a name, as before.

Deliberately absent: operations of the keeper; it asks for itself. What it permitted is noted by ``used``, afterwards.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple

from oathward.cli.signed_in import proof_of
from oathward.core.errors import InputError, KeeperError, OathwardError
from oathward.core.reasons import Reason

if TYPE_CHECKING:
    from oathward.policy.access import Actor, Around, Rules, Thing
    from oathward.vault.opened import Opened


class Asks(NamedTuple):
    """Who asks: what the keeper is shown, and the person's id, or a name on a site without people."""

    proof: Mapping[str, str]
    who: str


def who_may(site: Opened, person: str | None, action: str) -> str:
    """Name who asks: a person's id, or a name on a site without people. Raises as ``asks``."""
    return asks(site, person, action).who


def asks(site: Opened, person: str | None, action: str) -> Asks:
    """Say who asks, once policies permit them the action at all, and note that they used a role for it.

    Args:
        person: a name, for a site without people. action: of ``policy.actions.ACTIONS``.

    Raises:
        InputError: nobody is signed in here, or policies do not permit it: with the reason of the denial.
    """
    from oathward.policy.access import Denied, Permitted, Thing, decide
    from oathward.policy.actions import ACTIONS

    proof = proof_of(site.settings, site.keeper, person)
    if not site.keeper.state().get("founded"):
        return Asks(proof, str(proof["person"]))
    rules, actor, around = _asking(site, proof)
    answer = decide(rules, actor, action, Thing(ACTIONS[action].thing), around)
    if not isinstance(answer, Permitted):
        reason = answer.reasons[0] if isinstance(answer, Denied) else Reason.POLICY_ERROR
        raise InputError(action, "policies do not permit it", reason=reason)
    _note(site, rules, actor, action, around)
    return Asks(proof, actor.id)


def who_may_of(site: Opened, person: str | None, action: str, subject: str) -> str:
    """Name who asks about one patient, once policies permit them that: with the care relationship they have now.

    Raises:
        InputError: as ``asks``; ``not-found`` where all that lacks is the relationship, as for who is not there.
    """
    from dataclasses import replace

    from oathward.core.labels import Purpose
    from oathward.policy.access import Denied, Permitted, Thing, decide
    from oathward.policy.actions import ACTIONS

    proof = proof_of(site.settings, site.keeper, person)
    if not site.keeper.state().get("founded"):
        return str(proof["person"])
    rules, actor, around = _asking(site, proof)
    thing = Thing(ACTIONS[action].thing, subject)
    around = replace(around, purpose=str(Purpose.TREAT), relation=_cares(site, actor.id, subject))
    answer = decide(rules, actor, action, thing, around)
    if isinstance(answer, Permitted):
        _note(site, rules, actor, action, around)
        return actor.id
    if isinstance(decide(rules, actor, action, thing, replace(around, relation=True)), Permitted):
        raise InputError("subject", "no such subject", reason=Reason.NOT_FOUND)
    reason = answer.reasons[0] if isinstance(answer, Denied) else Reason.POLICY_ERROR
    raise InputError(action, "policies do not permit it", reason=reason)


def _cares(site: Opened, person: str, subject: str) -> bool:
    """Say whether somebody cares for a patient now; a patient who is not there is looked for in the same way."""
    from oathward.core.clock import micros
    from oathward.core.db import read
    from oathward.core.errors import AuthorityError
    from oathward.policy.people import PERSON, Person
    from oathward.vault import care
    from oathward.vault.authority import load

    with read(site.engine) as db:
        try:
            found = Person.from_body(load(db, site.site, PERSON, person, site.authority, site.seen).body)
        except AuthorityError as error:
            if error.reason is not Reason.NOT_FOUND:
                raise
            return False
        asked = care.Asked.by(site.settings.people)
        now_us = micros(site.clock.now())
        return care.relation(db, site.site, found, subject, now_us, asked) is not None


def sees_people(site: Opened, person: str | None) -> bool:
    """Say whether somebody who may see people asks: who is named by number or address is found for them alone."""
    return may(site, person, "people.see")


def may(site: Opened, person: str | None, action: str) -> bool:
    """Say whether who asks may do this too, for what a command shows beside the rest."""
    try:
        who_may(site, person, action)
    except (InputError, KeeperError):  # policies do not permit it, or nobody is signed in
        return False
    return True


def may_of(site: Opened, proof: Mapping[str, str]) -> tuple[str, Callable[[str, Thing | None], bool]]:
    """Give who asks, by id, and what asks the policies for them as a page does for its links.

    Raises:
        KeeperError: nobody is signed in.
    """
    from oathward.policy.access import Permitted, Thing, decide
    from oathward.policy.actions import ACTIONS

    rules, actor, around = _asking(site, proof)

    def may(action: str, thing: Thing | None = None) -> bool:
        about = thing or Thing(ACTIONS[action].thing)
        return isinstance(decide(rules, actor, action, about, around), Permitted)

    return actor.id, may


def used(site: Opened, proof: Mapping[str, str], action: str) -> None:
    """Note that the keeper permitted somebody an action, and that a role of theirs was used for it.

    Call it once what the keeper gave is safe. Where it cannot be noted it is not: the thing is done, and on record.
    """
    from sqlalchemy.exc import SQLAlchemyError

    with suppress(OathwardError, SQLAlchemyError, OSError):
        if site.keeper.state().get("founded"):
            rules, actor, around = _asking(site, proof)
            _note(site, rules, actor, action, around)


def _asking(site: Opened, proof: Mapping[str, str]) -> tuple[Rules, Actor, Around]:
    from oathward.activation import load_active
    from oathward.core.db import read
    from oathward.policy.access import Actor, Around, Rules

    visit = site.keeper.session_check(proof, used=True)
    with read(site.engine) as db:
        active = load_active(db, site.site, site.authority, site.seen)
    rules = Rules.of(active.bundle if active else None)
    actor = Actor("person", visit.person_id, visit.roles)
    return rules, actor, Around(strong=visit.strong, fresh=visit.fresh)


def _note(site: Opened, rules: Rules, actor: Actor, action: str, around: Around) -> None:
    from oathward.core.clock import micros
    from oathward.people.using import Uses
    from oathward.policy.access import Thing
    from oathward.policy.actions import ACTIONS

    thing, now_us = Thing(ACTIONS[action].thing), micros(site.clock.now())
    Uses(site.engine, site.site).note(rules, actor, action, thing, now_us, around)
