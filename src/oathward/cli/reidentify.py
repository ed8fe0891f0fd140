"""``oathward reidentify``: whose a pseudonym is. One person asks, another agrees, the first is shown, once."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any

import orjson
import typer

from oathward.cli.asking import opened
from oathward.cli.output import DataOption, JsonOption, emit, one_of
from oathward.cli.permitted import used
from oathward.cli.signed_in import proof_of
from oathward.core.clock import from_micros
from oathward.core.errors import DecodeError, InputError, KeeperError
from oathward.core.phi import Phi
from oathward.core.reasons import Reason
from oathward.policy.reidentify import REASONS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from oathward.vault.keeper.client.reidentify import Asked
    from oathward.vault.keeper.original import Original
    from oathward.vault.opened import Opened

APP = typer.Typer(
    help="Whose a pseudonym of a project is: ask, agree as the second person, be shown.",
    no_args_is_help=True,
    add_completion=False,
)

IdArgument = Annotated[str, typer.Argument(metavar="ID", help="As `list` shows it.")]
SaidOption = Annotated[str, typer.Option("--why", help="Why; it goes into the ledger: no patient data.")]


@APP.command()
def request(
    pseudonym: Annotated[
        str, typer.Argument(metavar="PSEUDONYM", help="As the data have it, or - for stdin.")
    ],
    *,
    project: Annotated[str, typer.Option("--project", metavar="ID", help="Whose pseudonym it is.")],
    reason: Annotated[
        str,
        typer.Option(
            "--reason",
            metavar="CODE",
            help=f"Why, as a code: {', '.join(REASONS)}. It stands in the records.",
        ),
    ],
    why: Annotated[
        str,
        typer.Option("--why", metavar="WORDS", help="Why, for the second person; kept sealed, in no record."),
    ],
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Ask whose a pseudonym is. Another person has to agree before anything is looked for."""
    one_of("--reason", reason, REASONS, "reason")
    if not why.strip():
        raise InputError("--why", "is empty: it says to the second person why", reason=Reason.INPUT_INVALID)
    told = sys.stdin.readline().strip() if pseudonym == "-" else pseudonym
    with opened(data) as site:
        proof = proof_of(site.settings, site.keeper, None)
        asked = site.keeper.reidentify.request(project, told, reason, Phi(why), proof)
        used(site, proof, "reidentify.request")

    def human() -> None:
        print(f"{asked.id}  waits for a second person until {_when(asked.until_us)}.")
        print(f"They run: oathward reidentify look {asked.id}")

    emit(_plain(asked), as_json=as_json, human=human)


@APP.command("list")
def list_(
    *,
    every: Annotated[bool, typer.Option("--all", help="Also what has ended.")] = False,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """List requests, newest first: neither pseudonyms nor patients."""
    with opened(data) as site:
        proof = proof_of(site.settings, site.keeper, None)
        rows = site.keeper.reidentify.listed(proof, waiting=not every)

    def human() -> None:
        for one in rows:
            second = f"  {one.by_name}" if one.by_name else ""
            print(f"{one.id}  {_when(one.at_us)}  {one.name}  {one.project}  {one.code}  {one.state}{second}")
        if not rows:
            print("Nothing waits; --all lists what has ended." if not every else "Nobody asked yet.")

    emit({"requests": [_plain(one) for one in rows]}, as_json=as_json, human=human)


@APP.command()
def look(id_: IdArgument, *, data: DataOption = None, as_json: JsonOption = False) -> None:
    """Show another person's request, with its pseudonym and words, before you agree or refuse; it is on record that you looked."""
    with opened(data) as site:
        proof = proof_of(site.settings, site.keeper, None)
        with _of_another():
            asked, pseudonym, words = site.keeper.reidentify.one(id_, proof)
        used(site, proof, "reidentify.approve")
    said = words.reveal() if words is not None else None

    def human() -> None:
        print(f"{asked.name} asks whose a pseudonym of project {asked.project} is: {asked.code}")
        print(pseudonym if pseudonym is not None else "The pseudonym is gone: the request has ended.")
        print(said if said is not None else "The words are gone.")
        print(f"{asked.state}, until {_when(asked.until_us)}" if asked.open else asked.state)

    emit(_plain(asked) | {"pseudonym": pseudonym, "words": said}, as_json=as_json, human=human)


@APP.command()
def approve(
    id_: IdArgument, *, why: SaidOption, data: DataOption = None, as_json: JsonOption = False
) -> None:
    """Agree to another person's request, after a proof of this moment (`oathward sign-in --again`)."""
    _decide(id_, why, data, agrees=True, as_json=as_json)


@APP.command()
def refuse(id_: IdArgument, *, why: SaidOption, data: DataOption = None, as_json: JsonOption = False) -> None:
    """Refuse another person's request."""
    _decide(id_, why, data, agrees=False, as_json=as_json)


@APP.command()
def withdraw(id_: IdArgument, *, data: DataOption = None, as_json: JsonOption = False) -> None:
    """Take your own request back."""
    with opened(data) as site:
        proof = proof_of(site.settings, site.keeper, None)
        site.keeper.reidentify.withdraw(id_, proof)
    emit({"id": id_, "state": "withdrawn"}, as_json=as_json, human=lambda: print("Withdrawn."))


@APP.command()
def show(id_: IdArgument, *, data: DataOption = None, as_json: JsonOption = False) -> None:
    """Show whose it is: once, to who asked, in time. Exit code 1 where nobody is shown."""
    with opened(data) as site:
        proof = proof_of(site.settings, site.keeper, None)
        found = site.keeper.reidentify.show(id_, proof)
        numbers = [one for original in found.originals for one in _numbers(original)]
        files = _files(site, found.project, found.together)
        used(site, proof, "reidentify.show")

    def human() -> None:
        if not found.subject:
            print(_NOT_ONE[found.found])
            return
        print(f"subject  {found.subject}")
        for one in found.together:
            if one != found.subject:
                print(f"also     {one}  (the same patient)")
        for number in numbers:
            print(
                f"number   {number['value']}  {number.get('authority', '')}  {number.get('type', '')}".rstrip()
            )
        for file in files:
            print(f"file     {file['file']}  of job {file['job']}")
        if not numbers:
            print(_next(found.subject, bool(files)))
        print("This is shown once. It is on record, and the patient can read of it.")

    told = {
        "id": found.id,
        "found": found.found,
        "subject": found.subject,
        "together": list(found.together),
        "numbers": numbers,
        "files": files,
    }
    emit(told, as_json=as_json, human=human)
    if not found.subject:
        raise typer.Exit(1)


_NOT_ONE = {
    "nobody": "Nobody in this project has that name.",
    "several": "Several patients may have that name by chance, so nobody is shown. Ask again with another pseudonym of this patient.",
}


def _next(subject: str, files: bool) -> str:
    """Say what leads on where nothing is kept that says the patient's number."""
    on = "oathward trace back FILE --in FOLDER" if files else f"oathward trace subject {subject}"
    whose = (
        "who has the folder finds the file it was made of" if files else "where their data went and came from"
    )
    return f"Nothing is kept that says the patient's number; {whose}: {on}"


@contextmanager
def _of_another() -> Iterator[None]:
    """Say of one's own request who it takes."""
    try:
        yield
    except KeeperError as error:
        if error.reason is not Reason.ACCESS_OWN:
            raise
        why = "takes another person: a privacy officer or a security analyst, who is not who asked"
        raise KeeperError("request", why, reason=error.reason) from error


def _decide(id_: str, why: str, data: str | None, *, agrees: bool, as_json: bool) -> None:
    with opened(data) as site:
        proof = proof_of(site.settings, site.keeper, None)
        with _of_another():
            site.keeper.reidentify.decide(id_, why, proof, agrees=agrees)
        used(site, proof, "reidentify.approve")
    state = "approved" if agrees else "refused"
    emit({"id": id_, "state": state}, as_json=as_json, human=lambda: print(f"{state.capitalize()}."))


def _numbers(original: Original) -> list[Mapping[str, str]]:
    """Read a patient's numbers from their card, or from an original that no card was made of."""
    from oathward.bedside.card import is_card
    from oathward.gateway.wires import of_raw

    raw = original.data.reveal()
    if not is_card(original):
        wire = of_raw(raw)
        try:
            raw = wire.card(wire.decode(raw))
        except DecodeError:  # it is shown once: what cannot be read keeps nobody from the subject's id
            return []
    card: Any = orjson.loads(raw)
    return [one for one in card.get("identifiers", ()) if one.get("value")]


def _files(site: Opened, project: str, subjects: tuple[str, ...]) -> list[dict[str, str]]:
    """Name the files of jobs of the project that hold something of a patient."""
    from oathward.core.db import read
    from oathward.jobs.views import units_in_project

    if not subjects:
        return []
    with read(site.engine) as db:
        units = units_in_project(db, site.site, project, subjects)
    return [{"job": job, "file": file} for job, file in dict.fromkeys((one.job, one.file) for one in units)]


def _plain(one: Asked) -> dict[str, Any]:
    return {
        "id": one.id,
        "project": one.project,
        "because": one.code,
        "person": one.person,
        "name": one.name,
        "asked": from_micros(one.at_us),
        "until": from_micros(one.until_us),
        "state": one.state,
        "second": one.by_name,
        "said": one.said,
    }


def _when(at_us: int) -> str:
    return f"{from_micros(at_us):%Y-%m-%d %H:%M}"
