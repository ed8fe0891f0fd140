"""Who is signed in at this command line: a session's secret in a file of the person's own, shown to the keeper.

Rules:
- One file a site (or server), mode 0600, in a folder of the person's own; it is worth what a browser's cookie is worth, and no more.
- On a site without people a name is enough, and no file is read.
- A secret that has served its time is renewed on the way.

Deliberately absent: passwords and codes; ``sign_in`` asks for them and keeps none.
"""

from __future__ import annotations

import getpass
import hashlib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from oathward.core.errors import InputError, KeeperError
from oathward.core.reasons import Reason

if TYPE_CHECKING:
    from oathward.core.settings import Settings
    from oathward.vault.keeper.client import Client

_SIGNED_OUT = (Reason.NOT_PERMITTED, Reason.SESSION_REUSED)


def proof_of(settings: Settings, keeper: Client, person: str | None) -> Mapping[str, str]:
    """Show the keeper who asks: by session where the site has people, else by name.

    Args:
        person: a name, for a site without people; the login name where it is None.

    Raises:
        InputError: ``ACCESS_SIGN_IN``: nobody is signed in here, or not any more. ``KEEPER_UNAVAILABLE``: the keeper that knew
            the session does not run.
    """
    from oathward.vault.keeper.client.transport import is_here
    from oathward.vault.keeper.proof import admin_proof, console_proof

    if not keeper.state().get("founded"):
        return admin_proof(person or getpass.getuser())
    secret = remembered(str(settings.data))
    if not secret:
        raise _signed_out("nobody is signed in")
    try:
        new = keeper.people.session_rotate(console_proof(secret))
    except KeeperError as error:
        if error.reason in _SIGNED_OUT and is_here(settings):
            why = "it does not run, and sessions end with it: start `oathward serve`, then `oathward sign-in`"
            raise InputError("keeper", why, reason=Reason.KEEPER_UNAVAILABLE) from error
        if error.reason in _SIGNED_OUT:
            raise _signed_out("the session has ended") from error
        raise
    if new:
        remember(str(settings.data), new)
    return console_proof(new or secret)


def remembered(where: str) -> str:
    """Read the secret for a site's folder or a server's address; empty where there is none."""
    try:
        return file_of(where).read_text(encoding="ascii").strip()
    except OSError:
        return ""


def remember(where: str, secret: str) -> None:
    """Keep a secret, for nobody else to read."""
    path = file_of(where)
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    beside = path.with_suffix(".new")
    beside.unlink(missing_ok=True)
    fd = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(fd, "w", encoding="ascii") as file:
        file.write(secret + "\n")
    beside.replace(path)


def forget(where: str) -> None:
    """Let go of a secret."""
    file_of(where).unlink(missing_ok=True)


def file_of(where: str) -> Path:
    """Name the file of a site's folder or a server's address."""
    base = os.environ.get("XDG_CONFIG_HOME") or str(Path.home() / ".config")
    return Path(base) / "oathward" / f"session-{hashlib.sha256(where.encode()).hexdigest()[:16]}"


def _signed_out(why: str) -> InputError:
    return InputError("session", f"{why}: run oathward sign-in", reason=Reason.ACCESS_SIGN_IN)
