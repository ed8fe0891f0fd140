"""Who asks at this command line, once it is sure that policies permit them what they ask.

Rules:
- On a site with people: the person whose session it is, asked of the keeper, and ``policy.access.decide`` as a page asks it.
- On a site without people a name, as before.

Deliberately absent: operations of the keeper; it asks for itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from oathward.cli.asking import person_of
from oathward.core.errors import InputError
from oathward.core.reasons import Reason

if TYPE_CHECKING:
    from oathward.vault.opened import Opened


def who_may(site: Opened, person: str | None, action: str) -> str:
    """Name who asks: a person's id, or a name on a site without people.

    Args:
        person: a name, for a site without people. action: of ``policy.actions.ACTIONS``.

    Raises:
        InputError: nobody is signed in here, or policies do not permit it: with the reason of the denial.
    """
    from oathward.activation import load_active
    from oathward.cli.signed_in import proof_of
    from oathward.core.db import read
    from oathward.policy.access import Actor, Around, Denied, Permitted, Rules, Thing, decide
    from oathward.policy.actions import ACTIONS

    if not site.keeper.state().get("founded"):
        return person_of(person)
    visit = site.keeper.session_check(proof_of(site.settings, site.keeper, person), used=True)
    with read(site.engine) as db:
        active = load_active(db, site.site, site.authority, site.seen)
    answer = decide(
        Rules.of(active.bundle if active else None),
        Actor("person", visit.person_id, visit.roles),
        action,
        Thing(ACTIONS[action].thing),
        Around(strong=visit.strong, fresh=visit.fresh),
    )
    if not isinstance(answer, Permitted):
        reason = answer.reasons[0] if isinstance(answer, Denied) else Reason.POLICY_ERROR
        raise InputError(action, "policies do not permit it", reason=reason)
    return visit.person_id
