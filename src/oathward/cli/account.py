"""``oathward account``: how one signs in here, what others did to that, what waits for oneself, where one is signed in.

Rules:
- The same here and at a server: what is told is the JSON API's document.
- What others did, and what waits, is said after each ``oathward sign-in`` too.

Deliberately absent: changing any of it: the page My account in the console does, and puts notices away.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import typer

from oathward.cli.asking import now_us, opened
from oathward.cli.output import DataOption, JsonOption, document, emit, minute, say
from oathward.cli.remote import ServerOption, as_signed_in, server_of
from oathward.core.errors import InputError
from oathward.core.reasons import Reason

APP = typer.Typer(help="Your account: what others did to it, what waits for you.", add_completion=False)

_KINDS = {"password": "password", "totp": "authenticator app", "passkey": "passkey"}
_SHOW = {"policy": "policy show {}", "people": "people proposals"}


@APP.command()
def account(server: ServerOption = None, data: DataOption = None, as_json: JsonOption = False) -> None:
    """Show your account: how you sign in, what others did to that, what waits for you, where you are signed in.

    Putting a notice away, another factor and another password are for the console: My account.
    """
    url = server_of(server)
    found = there(url) if url else here(data)

    def human() -> None:
        say(found["person"] + (f", login {found['login']}" if found["login"] else ""))
        for one in found["factors"]:
            used = f"last used {minute(one['used'])}" if one["used"] else "not used yet"
            say(f"  {one['label'] or _KINDS.get(one['kind'], one['kind'])}, {used}")
        for one in found["sessions"]:
            where = "here" if one["own"] else f"from {one['origin'] or 'this machine'}"
            say(f"Signed in: {where}, by {one['by']}, since {minute(one['begun'])}")
        news(found, url)

    emit(found, as_json=as_json, human=human)


def there(url: str) -> dict[str, Any]:
    """Ask a server, as who signed in there."""
    with as_signed_in(url) as server:
        found = server.get("/api/v1/own/account")
        return {**found, "sessions": server.get("/api/v1/own/sessions")["items"]}


def here(data: str | None) -> dict[str, Any]:
    """Ask the site of a data folder, as who signed in at its machine.

    Raises:
        InputError: it has no people; nobody is signed in.
    """
    from oathward.cli.permitted import may_of
    from oathward.cli.signed_in import proof_of
    from oathward.proposing.turns import turns
    from oathward.web.api import account as told
    from oathward.web.api import sessions

    with opened(data) as site:
        if not site.keeper.state().get("founded"):
            why = "has no people; a name is enough (oathward people found makes the first)"
            raise InputError("site", why, reason=Reason.CONFLICT)
        proof = proof_of(site.settings, site.keeper, None)
        visit = site.keeper.session_check(proof, used=True)
        person, may = may_of(site, proof)
        waiting = turns(site, person, may, proof, now_us(site))
        people = site.keeper.people
        found = told.told(people.account_own(proof), visit.person, waiting)
        rows = [sessions.shown(one) for one in people.session_list(proof)]
    whole: dict[str, Any] = {**document(found), "sessions": document(rows)}
    return whole


def news(found: Mapping[str, Any], url: str = "") -> None:
    """Say what others did to how somebody signs in, and what waits for them; nothing where there is nothing."""
    for one in found["notices"]:
        say(f"Notice: {one['words']}, {minute(one['at'])} UTC.")
    if found["notices"]:
        print(
            "You did not ask for it? Tell whoever looks after security here. You know of it: My account, in the console."
        )
    for one in found["waiting"]:
        say(f"Waits for you: {one['words']}")
        say(
            f"  oathward {_SHOW[one['kind']].format(one['id'])}{f' --server {url}' if url and one['kind'] == 'policy' else ''}"
        )
