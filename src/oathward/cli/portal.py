"""``oathward portal``: who has access to a patient's portal; invite somebody, end an access.

Rules:
- A patient's identifier, and whom to invite, come from a file or stdin, never from an argument, and are never printed.
- What is printed are random ids, dates and codes.

Deliberately absent: keys and codes: they go by letter to the address, and whoever invites never has them.
"""

from __future__ import annotations

import tomllib
from datetime import date
from typing import TYPE_CHECKING, Annotated, Any

import typer

from oathward.cli.asking import (
    IdentifierFileOption,
    PersonOption,
    hasher_of,
    identifiers_in,
    opened,
    read_bytes,
)
from oathward.cli.consents import check_subject
from oathward.cli.output import DataOption, JsonOption, console, emit, minute
from oathward.cli.permitted import used
from oathward.cli.signed_in import proof_of
from oathward.core.clock import from_micros, iso
from oathward.core.errors import InputError
from oathward.core.reasons import Reason

if TYPE_CHECKING:
    from oathward.core.phi import Phi
    from oathward.vault.opened import Opened

APP = typer.Typer(
    help="The patient portal: invite a patient or who stands in for them, list, end.",
    add_completion=False,
    no_args_is_help=True,
)

_FIELDS = frozenset({"name", "address", "language", "born"})
SubjectOption = Annotated[str, typer.Option(help="Subject id, instead of an identifier.")]


@APP.command()
def invite(  # noqa: PLR0913, PLR0917  one parameter an option
    holder_file: Annotated[
        str,
        typer.Option(
            "--holder-file",
            metavar="FILE",
            help="Whom to invite, as TOML: name, address; language (en), born (the patient's, YYYY-MM-DD; of a child). - for stdin.",
        ),
    ],
    subject: SubjectOption = "",
    identifier_file: IdentifierFileOption = None,
    proxy: Annotated[
        bool, typer.Option("--proxy", help="Not the patient: somebody who stands in for them.")
    ] = False,
    basis: Annotated[str, typer.Option(help="Of a proxy: parent, guardian, attorney or wish.")] = "",
    scope: Annotated[
        list[str] | None, typer.Option(help="see, choose, request; may be repeated; all by default.")
    ] = None,
    until: Annotated[str, typer.Option(help="Day (its end), or time with zone; empty: without end.")] = "",
    person: PersonOption = None,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Give a patient, or a proxy, access to the patient's portal; a letter with a link goes to their address.

    See first that the address is theirs: whoever reads its mail sees what the patient may see.
    """
    from oathward.consent.sheet import moment

    if proxy != bool(basis):
        raise InputError("--basis", "goes with --proxy, and --proxy with --basis")
    holder = _holder(holder_file)
    until_us = moment(until, "--until", end=True)
    with opened(data) as site:
        whose = _subject(site, subject, identifier_file)
        proof = proof_of(site.settings, site.keeper, person)
        access = site.keeper.portal.invite(
            *(whose, holder["name"], holder["address"], proof),
            language=holder["language"].reveal(),
            basis=basis or "self",
            scope=tuple(scope or ("see", "choose", "request")),
            until_us=until_us,
            born=holder.get("born"),
        )
        used(site, proof, "portal.invite")

    def human() -> None:
        print(f"Invited; access {access}. The letter goes out while `oathward serve` runs.")

    emit({"access": access, "subject": whose}, as_json=as_json, human=human)


@APP.command("list")
def list_(
    subject: SubjectOption = "",
    identifier_file: IdentifierFileOption = None,
    person: PersonOption = None,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """List who has access: of one patient, or of everybody."""
    with opened(data) as site:
        whose = _subject(site, subject, identifier_file) if subject or identifier_file else ""
        proof = proof_of(site.settings, site.keeper, person)
        found = site.keeper.portal.given(whose, proof)
        used(site, proof, "portal.list")
    rows = [
        {
            "access": one.access,
            "basis": one.basis,
            "enrolled": one.enrolled,
            "scope": list(one.scope),
            "standing": one.standing,
            "since": iso(from_micros(one.start_us)),
            "subject": one.subject,
            "until": iso(from_micros(one.until_us)) if one.until_us else "",
        }
        for one in found
    ]

    def human() -> None:
        for one, row in zip(found, rows, strict=True):
            enrolled = "" if row["enrolled"] else ", has not signed in yet"
            until = f", until {minute(iso(from_micros(one.until_us)))}" if one.until_us else ""
            console().print(
                f"{one.access}  {one.subject}  {one.standing}  {one.basis}: {', '.join(one.scope)}, since {minute(iso(from_micros(one.start_us)))}{until}{enrolled}",
                markup=False,
                highlight=False,
                soft_wrap=True,
            )
        if not rows:
            print("Nobody has access; `oathward portal invite` gives it.")

    emit(rows, as_json=as_json, human=human)


@APP.command()
def resend(
    access: Annotated[str, typer.Argument(help="Id of the access, as the list has it.")],
    person: PersonOption = None,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Send an invitation again that was lost or is too old; the link of the one before ends."""
    with opened(data) as site:
        proof = proof_of(site.settings, site.keeper, person)
        site.keeper.portal.invite_again(access, proof)
        used(site, proof, "portal.invite")

    def human() -> None:
        print("Invited again. The letter goes out while `oathward serve` runs.")

    emit({"access": access, "invited": True}, as_json=as_json, human=human)


@APP.command()
def end(
    access: Annotated[str, typer.Argument(help="Id of the access, as the list has it.")],
    why: Annotated[
        str, typer.Option(help="staff, mistake, or death: that ends every access to this patient.")
    ] = "staff",
    person: PersonOption = None,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """End an access at once, also where a page is open."""
    with opened(data) as site:
        proof = proof_of(site.settings, site.keeper, person)
        site.keeper.portal.end(access, why, proof)
        used(site, proof, "portal.end")

    emit({"access": access, "ended": True}, as_json=as_json, human=lambda: print("Ended."))


def _subject(site: Opened, subject: str, identifier_file: str | None) -> str:
    from oathward.core.db import read
    from oathward.patients import views

    if bool(subject) == bool(identifier_file):
        raise InputError("options", "say either --subject or --identifier-file")
    if not identifier_file:
        check_subject(site, subject)
        return subject
    hasher = hasher_of(site.settings)
    named = identifiers_in(identifier_file, hasher)
    if len(named) != 1:
        raise InputError("--identifier-file", "must hold one identifier")
    with read(site.engine) as db:
        found = views.find(db, site.site, hasher, named[0])
    if found is None:
        raise InputError("--identifier-file", "no such patient", reason=Reason.NOT_FOUND)
    return found


def _holder(path: str) -> dict[str, Phi[str]]:
    """Read whom to invite; errors name a field and never what stands in it."""
    from oathward.core.phi import Phi

    try:
        found: dict[str, Any] = tomllib.loads(read_bytes(path).decode())
    except ValueError as error:
        raise InputError("--holder-file", "is not TOML in UTF-8") from error
    found = {"language": "en"} | {
        name: value.isoformat() if type(value) is date else value for name, value in found.items()
    }
    wrong = (found.keys() - _FIELDS) | ({"name", "address"} - found.keys())
    if wrong or not all(isinstance(value, str) and value for value in found.values()):
        raise InputError(
            "--holder-file", 'must have name = "…" and address = "…", and may have language and born'
        )
    return {name: Phi(value) for name, value in found.items()}
