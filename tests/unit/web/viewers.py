"""Viewers of every role on a console, without anybody's account: the keeper says who holds which secret.

The keeper's answer to "whose session is this" is stood in for; everything else is asked of the real one. What accounts
and sessions are is tested with the keeper itself; here it counts what each role is shown.
"""

import re
from collections import Counter
from contextlib import contextmanager
from dataclasses import replace

import pytest
from anyio.from_thread import start_blocking_portal
from starlette.testclient import TestClient

from oathward.core.errors import KeeperError
from oathward.core.labels import Role
from oathward.core.reasons import Reason
from oathward.policy.access import Actor
from oathward.vault.keeper.sign_in.visit import Visit
from oathward.web import asking
from oathward.web.frame import create

BASE = "http://127.0.0.1:2579"
COOKIE = "oathward_2579"
GRANTED = [role for role in Role if role not in {Role.SETUP, Role.PATIENT, Role.PROXY}]
MAKES = frozenset({"Acme"})


class Keeper:
    """The keeper, who knows these visitors; every other question goes to the real one. ``calls`` counts what was asked."""

    def __init__(self, real, visits):
        self._real, self._visits, self.calls = real, visits, Counter()

    def __getattr__(self, name):
        self.calls[name] += 1
        return getattr(self._real, name)

    def session_check(self, proof, *, used):
        self.calls["session_check"] += 1
        visit = self._visits.get(proof.get("session") or proof.get("token"))
        if visit is None:
            raise KeeperError("session", "has ended", reason=Reason.NOT_PERMITTED)
        return visit


def visit(role, *, strong=True, fresh=True, person="p-1"):
    """A person who has one role, or several; everybody's secret is made of that."""
    roles = frozenset({role} if isinstance(role, Role) else role)
    kind = "service" if role is Role.PROVISIONER else "person"
    return Visit("s-1", "Ada", True, 3_600, person, roles, strong, fresh, "test", kind)


def secret_of(role) -> str:
    return f"{role.value}-secret-of-forty-characters-or-so-xx"


def actor_of(site, found):
    """As ``asking.actor_of``, without signed person documents: vendors here are all Acme's."""
    makes = MAKES if Role.VENDOR_USER in found.roles else frozenset()
    return Actor(found.kind, found.person_id, found.roles, makes)


def console_of(opened, monkeypatch, **visits):
    """Make a console for which the keeper knows these visitors, and everybody of one role."""
    known = {secret_of(role): visit(role) for role in GRANTED} | visits
    keeper = Keeper(opened.keeper, known)
    monkeypatch.setattr("oathward.web.believed.actor_of", actor_of)
    monkeypatch.setattr(
        asking, "LOOK_S", 1e9
    )  # the rules are read once: what is counted is each request's own
    return create(replace(opened, keeper=keeper)), keeper


@contextmanager
def one_loop():
    """Let clients share an event loop: one that is not entered makes its own for each request, a quarter of what that takes."""
    with start_blocking_portal() as portal, pytest.MonkeyPatch.context() as patch:
        patch.setattr(TestClient, "portal", portal)
        yield


def viewer(app, role) -> TestClient:
    """A browser of somebody who has a role, and the header an API call of its page shows."""
    client = TestClient(app, base_url=BASE, raise_server_exceptions=False, follow_redirects=False)
    client.cookies.set(COOKIE, secret_of(role))
    return client


def bearer(role) -> dict[str, str]:
    """The header of a call by a token."""
    return {"authorization": f"Bearer {'s_' if role is Role.PROVISIONER else 'p_'}{secret_of(role)}"}


def links_of(text: str) -> set[str]:
    """Addresses a page leads to."""
    found = re.findall(r'href="(/[^"#?]*)', text)
    return {one for one in found if not one.startswith("/static/")}


def forms_of(text: str) -> set[str]:
    """Addresses a page's forms are sent to."""
    posted = re.findall(r'<form[^>]*method="post"[^>]*>.*?</form>', text, re.DOTALL)
    return {one for form in posted for one in re.findall(r'(?:form)?action="(/[^"#?]*)', form)}
