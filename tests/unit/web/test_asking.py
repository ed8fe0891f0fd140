"""What a viewer may: the rules in force, a policy that cannot be used, sessions for looking, secrets that are due."""

from dataclasses import dataclass, replace

import pytest
from tests.unit.web import estate
from tests.unit.web.people import COOKIE, console, copied
from tests.unit.web.test_nothing_to_see import opened, prepared  # noqa: F401  the site with two vendors
from tests.unit.web.viewers import GRANTED, console_of, viewer, visit

from oathward.core.errors import AuthorityError
from oathward.core.labels import Role
from oathward.policy.access import Permitted, Rules, Thing, Unclear, read_people
from oathward.policy.actions import ACTIONS
from oathward.web import asking
from oathward.web.asking import Asking, Book, InForce
from oathward.web.security import token_of

FORBID = '@id("no-ledger") @why("test") forbid(principal, action == Action::"ledger.see", resource);\n'
LOOKER = "looker-secret-of-forty-characters-or-so-xx"


@dataclass
class Bundle:
    people: tuple


@dataclass
class Active:
    bundle: Bundle
    label: str = "test"


def actor(role):
    return asking.Actor("person", "p-1", frozenset({role}))


def test_a_sites_own_policy_about_people_counts_from_its_activation_on(opened, monkeypatch):  # noqa: F811  the fixture above
    now, active = [1.0], [None]
    monkeypatch.setattr(asking, "load_active", lambda *_a, **_m: active[0])
    book = Book(opened, monotonic=lambda: now[0])

    def ask() -> Asking:
        return Asking(book.now(), actor(Role.AUDITOR), asking.AT_THE_MACHINE)

    assert ask().may("ledger.see")
    errors: list = []
    active[0] = Active(Bundle(read_people({"people/x.cedar": FORBID.encode()}, errors)))
    assert errors == []
    assert ask().may("ledger.see"), "for a moment"
    now[0] += asking.LOOK_S
    assert not ask().may("ledger.see")
    assert ask().may("messages.see")
    active[0] = None
    now[0] += asking.LOOK_S
    assert ask().may("ledger.see")


def test_a_policy_that_cannot_be_used_changes_nothing_and_can_be_looked_into(opened, monkeypatch):  # noqa: F811  the fixture above
    def broken(*_args, **_more):
        raise AuthorityError("bundle/active", "does not verify")

    monkeypatch.setattr(asking, "load_active", broken)
    found = Asking(Book(opened).now(), actor(Role.INTEGRATION_ENGINEER), asking.AT_THE_MACHINE)
    assert not found.now.whole
    for action, info in ACTIONS.items():
        answer = found.answer(action, Thing(info.thing))
        assert isinstance(answer, Unclear) or info.group == "See", action
    assert isinstance(found.answer("health.see", Thing("area")), Permitted)
    app, _ = console_of(opened, monkeypatch)
    client = viewer(app, Role.INTEGRATION_ENGINEER)
    assert client.get("/messages").status_code == 200
    assert client.get("/devices/unknown/x").status_code == 422


def test_without_that_rule_an_unusable_policy_would_change_something(opened, monkeypatch):  # noqa: F811  the fixture above
    """Reverse: the refusal above comes from it."""
    whole = Asking(InForce(Rules.builtin()), actor(Role.INTEGRATION_ENGINEER), asking.AT_THE_MACHINE)
    assert isinstance(whole.answer("device.adopt", Thing("device")), Permitted)


def test_a_session_for_looking_is_shown_no_button_and_changes_nothing(opened, monkeypatch):  # noqa: F811  the fixture above
    looks = replace(visit(Role.INTEGRATION_ENGINEER), acts=False)
    app, _ = console_of(opened, monkeypatch, **{LOOKER: looks})
    client = viewer(app, GRANTED[0])
    client.cookies.set(COOKIE, LOOKER)
    text = client.get("/quarantine").text
    assert estate.OURS in text
    assert "Release ticked" not in text
    form = {"token": token_of(LOOKER), "reason": "test", "message": estate.message_id(2)}
    answer = client.post("/quarantine/release", data=form, headers={"origin": "http://127.0.0.1:2579"})
    assert (answer.status_code, "looking only" in answer.text) == (403, True)


@pytest.fixture
def home(prepared, tmp_path):  # noqa: F811  the fixture above
    with console(copied(prepared.settings.data, tmp_path / "own")) as (house, browser):
        house.person("ada", Role.CLINICAL_ENGINEER)
        phone = house.enrol("ada", "ada")[1]
        found = browser()
        found.sign_in("ada", phone)
        yield house, found


def test_a_secret_that_is_due_is_renewed_on_the_way(home, monkeypatch):
    house, browser = home
    monkeypatch.setattr("oathward.web.believed.BELIEVED_S", 0.0)
    before = browser.session
    assert "set-cookie" not in browser.get("/health").headers
    house.time.pass_(seconds=15 * 60 + 1)
    assert "set-cookie" not in browser.get("/messages/new").headers, (
        "an open page asks by itself, in the middle of others"
    )
    cookie = browser.get("/health").headers["set-cookie"]
    assert cookie.startswith(f"{COOKIE}=")
    assert {"HttpOnly", "SameSite=strict", "Path=/"} <= {part.strip() for part in cookie.split(";")}
    assert browser.session != before
    assert browser.get("/health").status_code == 200


def test_a_stolen_secret_that_was_renewed_ends_both(home, monkeypatch):
    house, browser = home
    monkeypatch.setattr("oathward.web.believed.BELIEVED_S", 0.0)
    stolen = browser.session
    house.time.pass_(seconds=15 * 60 + 1)
    browser.get("/health")
    new = browser.session
    assert browser.get("/health").status_code == 200, (
        "the browser has the new one: now the old one is nobody's"
    )
    house.time.pass_(seconds=120)
    browser.client.cookies.clear()
    browser.plant(COOKIE, stolen)
    assert browser.get("/health").headers["location"].startswith("/sign-in")
    browser.client.cookies.clear()
    browser.plant(COOKIE, new)
    assert browser.get("/health").status_code == 303, "the whole family has ended"
