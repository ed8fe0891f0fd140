"""What ``oathward doctor`` says of people: whether a site has any, and what their sign-in does not stop."""

from __future__ import annotations

from collections.abc import Iterator

from oathward.cli.comparing import Line
from oathward.core.settings import Settings


def people(settings: Settings) -> Iterator[Line]:
    """Look at the founding, at links that sign in, whom the provider's tokens are believed from, and passwords."""
    from oathward.vault.keeper import client

    with client.connect(settings, "admin") as keeper:
        founded = bool(keeper.state().get("founded"))
    if not founded:
        what = "none: whoever is at this machine changes policy alone; `oathward people found` ends that"
        yield Line("note", "people", what)
        return
    yield Line("ok", "people", "sign in with two factors; policy, roles and services take two of them")
    if settings.people.links_sign_in:
        what = "one-time links sign anybody in without a factor ([people] links_sign_in); for trials only"
        yield Line("bad", "people", what)
    if settings.oidc.issuer and not settings.oidc.keys_file:
        what = (
            "the sign-in provider's keys are not pinned ([oidc] keys_file): a captured app could show its own"
        )
        yield Line("note", "people", what)
    yield from _leaked(settings)


def _leaked(settings: Settings) -> Iterator[Line]:
    """Look whether new passwords are compared with a list of leaked ones of this site."""
    from oathward.vault.keeper.sign_in import leaked

    name = settings.people.leaked_file
    if not name:
        what = "new passwords are compared with the 30,000 leaked ones that are used most, few of which are long ([people] leaked_file names a longer list)"
        yield Line("note", "people", what)
        return
    try:
        leaked.holds(settings.data / name, "password")
    except (OSError, ValueError):
        what = (
            "[people] leaked_file cannot be read, or is no list of SHA-1 in order: no new password is taken"
        )
        yield Line("bad", "people", what)
