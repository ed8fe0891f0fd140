"""``oathward sign-in`` and ``sign-out``: who works at this command line, proved with password and code.

Rules:
- The password is asked for without echo, or read from standard input; never an argument.
- A wrong password and a wrong code are one answer, after both were asked for: which it was is nobody's to know.

- Afterwards is said what others did to how one signs in, and what waits (``account``); where that cannot be read, so much.

Deliberately absent: enrolling (the console does it); passkeys, which a browser alone can show, at its own address; what is kept
(``signed_in``).
"""

from __future__ import annotations

import getpass
import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from oathward.cli import account, remote, signed_in
from oathward.cli.output import DataOption, JsonOption, emit, settings_of
from oathward.cli.remote import ServerOption, server_of
from oathward.core.errors import InputError, OathwardError
from oathward.core.reasons import Reason

if TYPE_CHECKING:
    from oathward.vault.keeper.client import Client
    from oathward.vault.keeper.sign_in.visit import Visit

APP = typer.Typer(help="Sign in at the command line, with password and code.", add_completion=False)


@APP.command()
def sign_in(
    login: Annotated[
        str | None,
        typer.Option(help="The name you sign in with; asked for where it is missing.", show_default=False),
    ] = None,
    stdin: Annotated[
        bool, typer.Option("--stdin", help="Read password and code from standard input, a line each.")
    ] = False,
    again: Annotated[
        bool,
        typer.Option("--again", help="You are signed in: prove it again with a code, for what takes that."),
    ] = False,
    server: ServerOption = None,
    trial: Annotated[
        str | None,
        typer.Option(
            "--as",
            metavar="NAME",
            help="On a trial's site (setting people.links_sign_in): be this person, without password and code.",
            show_default=False,
        ),
    ] = None,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Sign in; commands on this site, or that server, then act for you until you sign out, or the session ends.

    It takes a password and a code of an authenticator app, the first time and with --again. A passkey is good in a browser alone: who has only that adds an app in the console, under My account.
    """
    url = server_of(server)
    if url:
        value = _there(url, login, stdin=stdin, again=again)
    else:
        value = _here(data, login, trial, stdin=stdin, again=again)
    found = _news(url, data)
    value |= {"notices": found["notices"], "waiting": found["waiting"]}

    def human() -> None:
        print(f"Signed in: {value['person']}, for {value['left_s'] // 60} minutes at most.")
        account.news(found, url)

    emit(value, as_json=as_json, human=human)


def _news(url: str, data: str | None) -> dict[str, Any]:
    """Ask what others did to how one signs in, and what waits; one is signed in whatever comes of it."""
    try:
        return account.there(url) if url else account.here(data)
    except OathwardError as error:
        print(f"What others did to your account could not be read: {error.reason.code}", file=sys.stderr)
        return {"notices": [], "waiting": []}


def _there(url: str, login: str | None, *, stdin: bool, again: bool) -> dict[str, Any]:
    """Sign in at a server."""
    if again:
        return remote.step_up(url, _ask("Code: ", stdin=stdin))
    name = _name(login, stdin=stdin)
    password = _ask("Password: ", stdin=stdin)
    return remote.sign_in(url, name, password, _ask("Code: ", stdin=stdin))


def _here(
    data: str | None, login: str | None, trial: str | None, *, stdin: bool, again: bool
) -> dict[str, Any]:
    """Sign in at the site of a data folder."""
    from oathward.vault.keeper import client
    from oathward.vault.keeper.proof import admin_proof

    settings = settings_of(data)
    where = str(settings.data)
    with client.connect(settings, "admin", become=False) as keeper:
        if not keeper.state().get("founded"):
            why = "has no people; a name is enough (oathward people found makes the first)"
            raise InputError("site", why, reason=Reason.CONFLICT)
        if trial is not None:
            secret, visit = keeper.session_begin(keeper.session_invite(admin_proof(trial), acts=True))
        else:
            secret, visit = _proved(keeper, where, login, stdin=stdin, again=again)
    signed_in.remember(where, secret)
    return {"person": visit.person, "left_s": visit.left_s}


def _proved(keeper: Client, where: str, login: str | None, *, stdin: bool, again: bool) -> tuple[str, Visit]:
    """Ask for what proves who it is; gives the session's secret, and whose it is."""
    from oathward.vault.keeper.proof import console_proof

    if again:
        proof = console_proof(signed_in.remembered(where))
        step = keeper.people.step_up_code(_ask("Code: ", stdin=stdin), proof)
    else:
        name = _name(login, stdin=stdin)
        first = keeper.people.sign_in_password(name, _ask("Password: ", stdin=stdin), "")
        if first.state == "enrol":
            why = "open your invitation's link in a browser and set up a second factor first"
            raise InputError("account", why, reason=Reason.FACTOR_MISSING)
        step = keeper.people.sign_in_second(first.pending, _ask("Code: ", stdin=stdin), "")
    assert step.visit is not None, "whoever is signed in is somebody"
    return step.secret, step.visit


def _name(login: str | None, *, stdin: bool) -> str:
    return login or (_line("login") if stdin else input("Login: "))


def _ask(prompt: str, *, stdin: bool) -> str:
    if stdin:
        return _line(prompt.strip(": ").lower())
    return getpass.getpass(prompt)


def _line(what: str) -> str:
    line = sys.stdin.readline()
    if not line:
        raise InputError("--stdin", f"ended before the {what}")
    return line.rstrip("\n")
