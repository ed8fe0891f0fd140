"""``oathward people invite`` and ``reset``: links with which people make, or make anew, their own way to sign in."""

from __future__ import annotations

from typing import TYPE_CHECKING

from oathward.cli.asking import PersonOption, opened
from oathward.cli.output import DataOption, JsonOption, emit
from oathward.cli.people_found import base_of
from oathward.cli.people_grants import WhoArgument, found_one
from oathward.cli.permitted import used
from oathward.cli.signed_in import proof_of

if TYPE_CHECKING:
    from oathward.policy.people import Person
    from oathward.vault.opened import Opened


def invite(
    who: WhoArgument, person: PersonOption = None, data: DataOption = None, as_json: JsonOption = False
) -> None:
    """Invite somebody to enrol: a link, for one use within days, with which they set up password, code or passkey."""
    with opened(data) as site:
        one = _one(site, who)
        proof = proof_of(site.settings, site.keeper, person)
        key = site.keeper.people.account_invite(one.id, "", proof)
        _tell(site, one, key, as_json=as_json)
        used(site, proof, "account.invite")


def reset(
    who: WhoArgument, person: PersonOption = None, data: DataOption = None, as_json: JsonOption = False
) -> None:
    """Take every factor of somebody away, end their sessions, and give a link to enrol anew; on record.

    See who it is first: whoever holds the link becomes that person.
    """
    with opened(data) as site:
        one = _one(site, who)
        proof = proof_of(site.settings, site.keeper, person)
        key = site.keeper.people.account_reset(one.id, proof)
        _tell(site, one, key, as_json=as_json)
        used(site, proof, "account.reset")


def _one(site: Opened, who: str) -> Person:
    from oathward.core.db import read

    with read(site.engine) as db:
        return found_one(site, db, who).person


def _tell(site: Opened, one: Person, key: str, *, as_json: bool) -> None:
    link = f"{base_of(site.settings)}/enrol?key={key}"
    hours = site.settings.people.enrolment_hours_max

    def human() -> None:
        print(link)
        print(f"For {one.name}, once, within {hours:g} hours; hand it over where nobody else reads it.")

    emit({"link": link, "person": one.id, "hours": hours}, as_json=as_json, human=human)
