"""Each role on the console: what it is shown leads somewhere, and what it asks first stands first."""

from types import SimpleNamespace

import pytest
from starlette.routing import compile_path
from tests.architecture import tracked
from tests.unit.web import estate
from tests.unit.web.test_nothing_to_see import console, opened, prepared  # noqa: F401  the site with two vendors
from tests.unit.web.viewers import GRANTED, forms_of, links_of, viewer

from oathward.core.labels import Role
from oathward.web.card import Card, cards, shown
from oathward.web.page import pages
from oathward.web.render import HERE

POSTS = [
    (compile_path(route.path)[0], route)
    for page in pages()
    for route in page.routes
    if route.method == "POST"
]
PEOPLE = [role for role in GRANTED if role is not Role.PROVISIONER]
LOOK_MAX = 120
least = tracked.script("access_matrix").least


def may_post(role, path: str) -> bool:
    """Whether a form's address takes what this role sends there; some forms ask with GET."""
    found = [route for address, route in POSTS if address.match(path)]
    return not found or any(route.public or least(role, route.action) for route in found)


@pytest.mark.turns(3, "role")  # every third role
@pytest.mark.parametrize("role", PEOPLE)
def test_every_link_a_role_is_shown_leads_somewhere(console, role):  # noqa: F811  the fixture above
    """Navigation, links and forms of every page a role can reach: none leads to what it may not see."""
    app, _ = console
    client = viewer(app, role)
    todo, done, dead = ["/"], set(), []
    while todo and len(done) < LOOK_MAX:
        path = todo.pop(0)
        done.add(path)
        answer = client.get(path)
        if answer.status_code in {404, 405, 500}:  # 403: the real keeper knows no session of theirs
            dead.append((path, answer.status_code))
        pages_, forms = links_of(answer.text), forms_of(answer.text)
        dead += [(path, form) for form in forms if not may_post(role, form)]
        todo += sorted(link for link in pages_ if link not in done and link not in todo)
    assert dead == []


FIRST = {
    Role.CLINICAL_ENGINEER: "What flows now",
    Role.SECURITY_ANALYST: "Is anything wrong?",
    Role.PRIVACY_OFFICER: "Who receives",
    Role.INTEGRATION_ENGINEER: "What is held",
    Role.CLINICIAN: "The patient in front of you",
    Role.VENDOR_USER: "Your products here",
    Role.AUDITOR: "What is proven",
    Role.ADMINISTRATOR: "What flows now",
    Role.KEY_HOLDER: "Is anything wrong?",
}


@pytest.mark.parametrize("role", FIRST)
def test_each_role_is_shown_what_it_asks(console, role):  # noqa: F811  the fixture above
    app, _ = console
    text = viewer(app, role).get("/").text
    assert FIRST[role] in text
    wanted = {one.template for one in cards() if role in one.first}
    assert wanted, "no card is first for this role"
    others = [title for title in {*FIRST.values()} if title not in _titles(wanted) and title in text]
    assert all(text.index(FIRST[role]) < text.index(title) for title in others)


def _titles(templates: set[str]) -> str:
    return "".join((HERE / "templates" / name).read_text() for name in templates)


def test_a_vendors_first_page_counts_its_own_alone(console):  # noqa: F811  the fixture above
    app, _ = console
    text = viewer(app, Role.VENDOR_USER).get("/").text
    assert estate.OURS in text
    assert "Bolt" not in text
    assert estate.OTHERS not in text
    for word in ("quarantine", "Who receives", "/ledger", "/health", "wait their turn"):
        assert word not in text


def test_navigation_names_only_what_a_role_may_open(console):  # noqa: F811  the fixture above
    app, _ = console
    text = viewer(app, Role.CLINICIAN).get("/").text
    assert 'href="/links"' in text
    for path in ("/messages", "/devices", "/quarantine", "/health", "/ledger", "/deliveries"):
        assert f'href="{path}"' not in text


def test_a_card_without_an_action_cannot_be_written():
    with pytest.raises(ValueError, match="no such action"):
        Card("x.html", lambda _view: None, "no.such")


def test_a_link_is_shown_only_where_its_page_may_be_opened(console, monkeypatch):  # noqa: F811  the fixture above
    """Reverse: the walk above finds a link that leads nowhere."""
    app, _ = console
    monkeypatch.setattr("oathward.web.view.View.leads", lambda _view, _href: True)
    found = links_of(viewer(app, Role.KEY_HOLDER).get("/").text)
    assert any(viewer(app, Role.KEY_HOLDER).get(path).status_code == 404 for path in found)


def test_a_card_that_is_a_heading_alone_leaves_no_gap_beside_a_long_one():
    def one(name, values, **how):
        return Card(f"{name}.html", lambda _view: values, "home.see", **how)

    short, long, none = {"slim": True}, {"slim": False, "rows": [1]}, None
    asked = SimpleNamespace(may=lambda _action: True, actor=SimpleNamespace(roles=frozenset({Role.AUDITOR})))
    first = {"first": frozenset({Role.AUDITOR})}
    cards_ = [one("a", short, **first), one("b", long, **first), one("c", none, **first), one("d", {})]
    mine, others = shown(cards_, asked)
    assert ([t for t, _ in mine.wide], [t for t, _ in mine.narrow]) == (["a.html"], ["b.html"])
    assert ([t for t, _ in others.wide], [t for t, _ in others.narrow]) == ([], ["d.html"])
