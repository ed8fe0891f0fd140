"""Who may do what: one file says it for every action and route, and a route that nobody owns cannot be."""

import pytest
from tests.architecture import tracked

from oathward.core.labels import Role
from oathward.policy import access
from oathward.policy.access import Rules
from oathward.policy.actions import ACTIONS
from oathward.web.page import BEGIN, Route, calls, named, pages

matrix = tracked.script("access_matrix")

CHANGES_NOTHING_OF_OTHERS = {
    "/sign-out",
    "/consents/find",
    "/explain/find",
    "/trace/find",
    "/portal-access/find",
    "/theme",
    "/ledger/verify",
    "/api/v1/sign-out",
    "/api/v1/step-up",
}
"""What is posted and only ends one's own session, chooses how pages look, or reads."""


def routes() -> list[Route]:
    return [*(route for page in pages() for route in page.routes), *calls()]


def answer(_view):
    """Answer nothing."""


def test_the_file_says_who_may_do_what_now():
    assert matrix.FILE.read_text() == matrix.text(), "run .venv/bin/python scripts/access_matrix.py, read its difference"  # fmt: skip


def test_a_rule_more_would_change_the_file(monkeypatch):
    """Reverse: the file comes from the rules, not from what it was."""
    [mine] = [s for s in Rules.builtin().statements if s.id == "clinician-links"]
    without = access._compiled(tuple(s for s in Rules.builtin().statements if s is not mine))
    monkeypatch.setattr(Rules, "builtin", classmethod(lambda _cls: without))
    assert "GET /links  links.see  clinical-engineer" in matrix.text()
    assert matrix.least(Role.CLINICIAN, "links.see") == ""
    assert matrix.FILE.read_text() != matrix.text()


def test_every_action_is_somebodys():
    """An action nobody has is a name too many; one everybody has is the account's alone."""
    for action in ACTIONS:
        having = [role for role in Role if matrix.least(role, action)]
        assert having, action


def test_a_route_without_an_action_cannot_be_written():
    with pytest.raises(TypeError, match="action"):
        Route("/x", answer)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"path": "/x", "action": "no.such"}, "no such action"),
        ({"path": "/x/{id}", "action": "devices.see"}, "says what it is"),
        ({"path": "/x", "action": BEGIN}, "public"),
        ({"path": "/x", "action": "home.see", "public": True}, "public"),
        ({"path": "/x", "action": "home.see", "method": "POST", "quiet": True}, "use of the session"),
        ({"path": "/x", "action": "home.see", "api": True}, "JSON API"),
        ({"path": "/api/v1/x", "action": "home.see"}, "JSON API"),
    ],
)
def test_a_route_nobody_could_own_cannot_be_written(wrong, said):
    with pytest.raises(ValueError, match=said):
        Route(answer=answer, **wrong)


def test_what_changes_something_is_no_looking():
    for route in routes():
        looks = not route.public and ACTIONS[route.action].group == "See"
        own = not route.public and ACTIONS[route.action].thing == "account"
        if route.method != "GET" and looks and not own:
            assert route.path in CHANGES_NOTHING_OF_OTHERS, route.path
        if route.method == "GET" and not route.public:
            assert ACTIONS[route.action].group in {"See", "Open"} or "{" in route.path or looks or _form(route), route.path  # fmt: skip


def _form(route: Route) -> bool:
    """Whether a page holds the form, or the result, of what its action changes: then who may not do it does not see it."""
    return any(other.method == "POST" and other.action == route.action for other in routes())


def test_addresses_are_one_route_each():
    paths = [(route.method, route.path) for route in routes()]
    assert len(paths) == len(set(paths))


def test_named_things_are_of_their_actions_kind():
    """A thing of another kind could never be permitted: the page would be nobody's."""
    for route in routes():
        if route.thing is not None and getattr(route.thing, "kind", route.kind) != route.kind:
            pytest.fail(f"{route.path} names a {route.thing.kind}, its action is about a {route.kind}")
    assert named("link", "link").kind == "link"
