"""``oathward sign-in`` and ``sign-out``: who works at this command line, proved with password and code.

Rules:
- The password is asked for without echo, or read from standard input; never an argument.
- A wrong password and a wrong code are one answer, after both were asked for: which it was is nobody's to know.

Deliberately absent: enrolling and passkeys (the console does both); what is kept (``signed_in``).
"""

from __future__ import annotations

import getpass
import sys
from typing import Annotated

import typer

from oathward.cli import signed_in
from oathward.cli.output import DataOption, JsonOption, emit, settings_of
from oathward.core.errors import InputError
from oathward.core.reasons import Reason

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
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Sign in; commands on this site then act for you until you sign out, or the session ends."""
    from oathward.vault.keeper import client
    from oathward.vault.keeper.proof import console_proof

    settings = settings_of(data)
    where = str(settings.data)
    with client.connect(settings, "admin", become=False) as keeper:
        if not keeper.state().get("founded"):
            why = "has no people; a name is enough (oathward people found makes the first)"
            raise InputError("site", why, reason=Reason.CONFLICT)
        if again:
            secret = signed_in.remembered(where)
            step = keeper.people.step_up_code(_ask("Code: ", stdin=stdin), console_proof(secret))
        else:
            name = login or (_line("login") if stdin else input("Login: "))
            password = _ask("Password: ", stdin=stdin)
            first = keeper.people.sign_in_password(name, password, "")
            if first.state == "enrol":
                why = "open your invitation's link in a browser and set up a second factor first"
                raise InputError("account", why, reason=Reason.FACTOR_MISSING)
            step = keeper.people.sign_in_second(first.pending, _ask("Code: ", stdin=stdin), "")
    signed_in.remember(where, step.secret)
    person = step.visit.person if step.visit else ""
    left_s = step.visit.left_s if step.visit else 0
    value = {"person": person, "left_s": left_s}
    emit(
        value,
        as_json=as_json,
        human=lambda: print(f"Signed in: {person}, for {left_s // 60} minutes at most."),
    )


def _ask(prompt: str, *, stdin: bool) -> str:
    if stdin:
        return _line(prompt.strip(": ").lower())
    return getpass.getpass(prompt)


def _line(what: str) -> str:
    line = sys.stdin.readline()
    if not line:
        raise InputError("--stdin", f"ended before the {what}")
    return line.rstrip("\n")
