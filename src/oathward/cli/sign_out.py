"""``oathward sign-out``: end the session of this command line."""

from __future__ import annotations

import contextlib

import typer

from oathward.cli import signed_in
from oathward.cli.output import DataOption, JsonOption, emit, settings_of
from oathward.core.errors import KeeperError

APP = typer.Typer(help="End the session of this command line.", add_completion=False)


@APP.command()
def sign_out(data: DataOption = None, as_json: JsonOption = False) -> None:
    """End the session here and at the keeper."""
    from oathward.vault.keeper import client
    from oathward.vault.keeper.proof import console_proof

    settings = settings_of(data)
    where = str(settings.data)
    secret = signed_in.remembered(where)
    signed_in.forget(where)
    with contextlib.suppress(KeeperError), client.connect(settings, "admin", become=False) as keeper:
        if secret:
            keeper.session_end(console_proof(secret))
    was = bool(secret)
    emit(
        {"signed_in": was},
        as_json=as_json,
        human=lambda: print("Signed out." if was else "Nobody was signed in."),
    )
