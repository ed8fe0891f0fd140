"""``oathward console``: a one-time link that signs one named person in at the console."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from oathward.cli.asking import person_of
from oathward.cli.output import DataOption, JsonOption, emit, settings_of
from oathward.cli.people_found import base_of
from oathward.core.errors import InputError, KeeperError
from oathward.core.reasons import Reason

if TYPE_CHECKING:
    from oathward.core.settings import Settings

APP = typer.Typer(help="Sign in at the console: a one-time link.", add_completion=False)


@APP.command()
def console(
    person: Annotated[
        str | None,
        typer.Option(
            "--as",
            "--person",
            metavar="NAME",
            help="Who signs in; your login name by default. All that is done is recorded under it.",
            show_default=False,
        ),
    ] = None,
    look: Annotated[
        bool, typer.Option("--look-only", help="A session that can look and change nothing.")
    ] = False,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Print a link to the console, for one use within minutes; open it in a browser of this machine.

    From another machine, go through a tunnel to this one: ssh -L PORT:127.0.0.1:PORT HOST.
    """
    from oathward.core.process import statuses
    from oathward.vault.keeper import client
    from oathward.vault.keeper.proof import admin_proof

    settings = settings_of(data)
    port = (statuses(settings.run_folder).get("app", {}).get("ports") or {}).get("console")
    if port is None:
        why = (
            "is off ([console] port)"
            if settings.console.port < 0
            else "does not run; start it: oathward serve"
        )
        raise InputError("console", why, reason=Reason.NOT_FOUND)
    name = person_of(person)
    with client.connect(settings, "admin", become=False) as keeper:
        try:
            key = keeper.session_invite(admin_proof(name), acts=not look)
        except KeeperError as error:
            if error.reason is not Reason.SIGN_IN_LINKS_OFF:
                raise
            why = f"{error.why}, at {base_of(settings)}"
            raise KeeperError(error.where, why, reason=error.reason) from error
    link, minutes = f"{_base(settings, port)}/sign-in?key={key}", settings.console.link_minutes_max

    def human() -> None:
        print(link)
        print(f"For {name}, once, within {minutes:g} minutes.")

    value = {"link": link, "person": name, "minutes": minutes, "look_only": look}
    emit(value, as_json=as_json, human=human)


def _base(settings: Settings, port: int) -> str:
    """Give the console's own address: as the settings name it, or where it listens."""
    if settings.console.url:
        return settings.console.url.rstrip("/")
    host = f"[{settings.console.host}]" if ":" in settings.console.host else settings.console.host
    return f"{'https' if settings.console.certificate else 'http'}://{host}:{port}"
