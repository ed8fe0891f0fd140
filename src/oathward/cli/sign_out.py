"""``oathward sign-out``: end the session of this command line."""

from __future__ import annotations

import contextlib

import typer

from oathward.cli import remote, signed_in
from oathward.cli.output import DataOption, JsonOption, emit, settings_of
from oathward.cli.remote import ServerOption, server_of
from oathward.core.errors import KeeperError

APP = typer.Typer(help="End the session of this command line.", add_completion=False)


@APP.command()
def sign_out(server: ServerOption = None, data: DataOption = None, as_json: JsonOption = False) -> None:
    """End the session here and at the keeper."""
    url = server_of(server)
    was = remote.sign_out(url) if url else _here(data)
    emit(
        {"signed_in": was},
        as_json=as_json,
        human=lambda: print("Signed out." if was else "Nobody was signed in."),
    )


def _here(data: str | None) -> bool:
    """End the session at the site of a data folder; says whether there was one."""
    from oathward.vault.keeper import client
    from oathward.vault.keeper.proof import console_proof

    settings = settings_of(data)
    where = str(settings.data)
    secret = signed_in.remembered(where)
    signed_in.forget(where)
    with contextlib.suppress(KeeperError), client.connect(settings, "admin", become=False) as keeper:
        if secret:
            keeper.session_end(console_proof(secret))
    return bool(secret)
