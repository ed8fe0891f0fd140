"""``oathward people grant``, ``approve`` and their kin: what takes two people, and the services.

Rules:
- Each asks the keeper with the session of who is signed in here; on a site without people it says to found one first.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from oathward.cli.asking import PersonOption, now_us, opened
from oathward.cli.devices import fingerprint_of, keys_of
from oathward.cli.output import DataOption, JsonOption, emit, one_of
from oathward.cli.permitted import used
from oathward.cli.signed_in import proof_of
from oathward.core.clock import from_micros
from oathward.core.errors import InputError
from oathward.core.labels import UNGRANTED, Role
from oathward.core.reasons import Reason

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy import Connection

    from oathward.granting import Waiting
    from oathward.people.views import PersonView, Reader, ServiceView
    from oathward.vault.keeper.client.changes import Proposed
    from oathward.vault.opened import Opened

WhoArgument = Annotated[
    str, typer.Argument(metavar="PERSON", help="Number, mail address or id, as `people list` shows it.")
]
WhyOption = Annotated[
    str, typer.Option("--why", help="Why; stands with the role, and in the ledger. No patient data.")
]
UntilOption = Annotated[
    str, typer.Option("--until", help="Day (its end), or time with zone; empty: until it is taken away.")
]
ProposalArgument = Annotated[
    str, typer.Argument(metavar="PROPOSAL", help="Its id, as `people proposals` shows it.")
]


_ROLES = sorted(role.value for role in Role if role not in UNGRANTED)


def register(app: typer.Typer) -> None:
    """Add the commands."""
    for one in (grant, proposals, approve, withdraw, services, service):
        app.command()(one)


def grant(  # noqa: PLR0917  one parameter an option
    who: WhoArgument,
    role: Annotated[str, typer.Argument(help=f"One of {', '.join(_ROLES)}.")],
    why: WhyOption,
    until: UntilOption = "",
    end: Annotated[bool, typer.Option("--end", help="Propose that the role ends, instead.")] = False,
    person: PersonOption = None,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Propose a role for somebody; it holds once another person has approved it."""
    from oathward import granting
    from oathward.core.db import read

    one_of("ROLE", role, list(Role), "role")
    until_us = _until(until)
    with opened(data) as site:
        proof = _proof(site, person)
        with read(site.engine) as db:
            id_ = found_one(site, db, who).person.id
        asked: Mapping[str, Any] = {"why": why, "now_us": now_us(site), "proof": proof}
        if end:
            made = granting.propose_end(site, id_, Role(role), **asked)
        else:
            made = granting.propose_role(site, id_, Role(role), until_us=until_us, **asked)
        used(site, proof, "grant.propose")
    _tell_proposed(made, as_json=as_json)


def proposals(person: PersonOption = None, data: DataOption = None, as_json: JsonOption = False) -> None:
    """List proposals of roles and services that wait for somebody, in words."""
    from oathward import granting
    from oathward.core.db import read
    from oathward.people import views

    with opened(data) as site:
        found = granting.waiting(site, now_us=now_us(site), proof=_proof(site, person))
        with read(site.engine) as db:
            names = views.names(db, site.site, (one.proposal.proposer for one in found))

    def human() -> None:
        if not found:
            print("Nothing waits. `oathward people grant` proposes a role.")
        for one in found:
            by = names.get(one.proposal.proposer, one.proposal.proposer)
            print(f"{one.proposal.id}  {one.proposal.state}, by {by} on {day(one.proposal.proposed_us)}")
            for line in one.words:
                print(f"    {line}")

    emit({"proposals": [_plain_waiting(one) for one in found]}, as_json=as_json, human=human)


def approve(
    proposal: ProposalArgument,
    person: PersonOption = None,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Agree to another person's proposal of a role or service; it is in force at once."""
    from oathward import granting

    with opened(data) as site:
        proof, now = _proof(site, person), now_us(site)
        document = granting.approve(site, proposal, now_us=now, proof=proof)
        used(site, proof, "grant.approve")
    value = {"proposal": proposal, "kind": document.kind, "about": document.id, "version": document.version}
    emit(value, as_json=as_json, human=lambda: print("Approved, signed and in force."))


def withdraw(
    proposal: ProposalArgument,
    why: WhyOption,
    person: PersonOption = None,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Take your own proposal of a role or service back, or refuse another person's."""
    from oathward import granting

    with opened(data) as site:
        done = granting.withdraw(site, proposal, why, _proof(site, person))
    emit({"proposal": done.id, "state": done.state}, as_json=as_json, human=lambda: print(f"{done.state}."))


def services(data: DataOption = None, as_json: JsonOption = False) -> None:
    """List services: who answers for each, what it may be, whether it may ask now."""
    from oathward.core.db import read
    from oathward.people import views

    with opened(data) as site, read(site.engine) as db:
        found = views.services(db, site.site, reader(site))

    def human() -> None:
        if not found:
            print("No services. `oathward people service` proposes one.")
        for one in found:
            owner = one.owner.name if one.owner else one.service.owner
            state = "may ask" if one.alive else "may do nothing"
            roles = ", ".join(sorted(role.value for role in one.service.roles))
            print(f"{one.service.id:<20} {one.service.name}: {roles}; {owner} answers for it; {state}")

    emit({"services": [_plain_service(one) for one in found]}, as_json=as_json, human=human)


def service(  # noqa: PLR0913, PLR0917  one parameter an option
    id_: Annotated[str, typer.Argument(metavar="ID", help="Its id: what it calls itself when it asks.")],
    why: WhyOption,
    name: Annotated[str, typer.Option(help="What people call it.")] = "",
    owner: Annotated[str, typer.Option(help="Who answers for it: number, mail address or id.")] = "",
    role: Annotated[list[str] | None, typer.Option(help="What it may be; may be repeated.")] = None,
    certificate: Annotated[
        str, typer.Option(help="SHA-256 of its client certificate in hex, or the file.")
    ] = "",
    key: Annotated[str, typer.Option(help="File of its public key: JWK or PEM.")] = "",
    until: UntilOption = "",
    end: Annotated[bool, typer.Option("--end", help="Propose that it may do nothing any more.")] = False,
    person: PersonOption = None,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Propose a service account, another version of one, or its end; another person approves.

    What is not said stays as it was.
    """
    import dataclasses

    from oathward import granting
    from oathward.core.db import read
    from oathward.people import views
    from oathward.policy.people import Service

    for one in role or ():
        one_of("--role", one, list(Role), "role")
    said: dict[str, Any] = {"name": name} if name else {}
    said |= {"roles": frozenset(map(Role, role))} if role else {}
    said |= {"certificate": fingerprint_of(certificate)} if certificate else {}
    said |= {"jwk": _one_key(key)} if key else {}
    said |= {"until_us": _until(until)} if until else {}
    said["state"] = "left" if end else "active"
    with opened(data) as site:
        proof = _proof(site, person)
        with read(site.engine) as db:
            there = {v.service.id: v.service for v in views.services(db, site.site, reader(site))}
            said |= {"owner": found_one(site, db, owner).person.id} if owner else {}
        before = there.get(id_, Service(id=id_, name="", owner=""))
        wanted = dataclasses.replace(before, **said)
        made = granting.propose_service(site, wanted, why=why, now_us=now_us(site), proof=proof)
        used(site, proof, "service.propose")
    _tell_proposed(made, as_json=as_json)


def reader(site: Opened) -> Reader:
    """Say with what signatures are checked, and the time it is."""
    from oathward.people import views

    return views.Reader(site.authority, site.seen, now_us(site))


def found_one(site: Opened, db: Connection, who: str) -> PersonView:
    """Find the person somebody names.

    Raises:
        InputError: ``not-found``.
    """
    from oathward.people import views

    found = views.find(db, site.site, reader(site), who)
    if found is None:
        raise InputError(
            "PERSON", "nobody has this number, address or id; `people list --find`", reason=Reason.NOT_FOUND
        )
    return found


def last_day(until_us: int | None) -> str:
    """Write the last day of what ends then; empty for what has no end."""
    return day(until_us - 1) if until_us else ""


def day(at_us: int) -> str:
    """Write the day of a time; empty for none."""
    return f"{from_micros(at_us):%Y-%m-%d}" if at_us else ""


def _proof(site: Opened, person: str | None) -> Mapping[str, str]:
    """Show who asks.

    Raises:
        InputError: the site has no people: roles are for those.
    """
    if not site.keeper.state().get("founded"):
        why = "has no people yet, and nobody who could approve: `oathward people found` first"
        raise InputError("site", why, reason=Reason.CONFLICT)
    return proof_of(site.settings, site.keeper, person)


def _until(text: str) -> int | None:
    from oathward.consent.sheet import moment

    return moment(text, "--until", end=True)


def _one_key(file: str) -> str:
    keys = sorted(keys_of(file))
    if len(keys) != 1:
        raise InputError("--key", "must hold one public key")
    return keys[0]


def _tell_proposed(made: Proposed, *, as_json: bool) -> None:
    emit(
        {"proposal": made.id, "state": made.state},
        as_json=as_json,
        human=lambda: print(f"Proposed. Another person: oathward people approve {made.id}"),
    )


def _plain_waiting(one: Waiting) -> dict[str, Any]:
    return {
        "proposal": one.proposal.id,
        "state": one.proposal.state,
        "proposer": one.proposal.proposer,
        "proposed": day(one.proposal.proposed_us),
        "kind": one.kind,
        "about": one.about,
        "why": one.reason,
        "words": list(one.words),
    }


def _plain_service(one: ServiceView) -> dict[str, Any]:
    return {
        "service": one.service.id,
        "name": one.service.name,
        "owner": one.service.owner,
        "roles": sorted(role.value for role in one.service.roles),
        "state": one.service.state,
        "until": last_day(one.service.until_us),
        "may_ask": one.alive,
        "proposer": one.proposer,
        "approver": one.approver,
        "last_used": day(one.last_us),
    }
