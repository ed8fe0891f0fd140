"""Promises about one's own account within a session: who may only look changes nothing; all of it is proved again first."""

import pytest
from tests.unit.vault.keeper.people import PASSWORD, founded
from tests.unit.vault.keeper.test_opening import refused

from oathward.core.labels import Role
from oathward.core.reasons import Reason
from oathward.vault.keeper import accounts, visiting
from oathward.vault.keeper.proof import console_proof
from oathward.vault.keeper.sessions import Visitor

NEW = "four yellow boats at noon"


@pytest.fixture
def house(site):
    with founded(site) as found:
        found.person("ada", Role.ADMINISTRATOR, mail="ada@hospital.example")
        found.person("ben", Role.AUDITOR)
        yield found


def looks(house, who):
    """Let somebody in by a link for looking, as a trial's site makes it."""
    visitor = Visitor(name=who, by="link", person_id=who, acts=False, always_fresh=True)
    return console_proof(house.keeper.sessions.open(visitor, house.keeper.now_us())[0])


def changes(house, proof):
    """Whatever changes how somebody signs in, or ends where they are signed in."""
    [factor, *_] = accounts.factors(house.keeper.store, "ada")
    [session, *_] = house.keeper.sessions.listed("ada")
    return {
        "an app": lambda: house.people.enrol_totp_begin(proof),
        "its code": lambda: house.people.enrol_totp_finish("000000", "", proof),
        "a passkey": lambda: house.people.enrol_passkey_begin(proof),
        "the passkey made": lambda: house.people.enrol_passkey_finish("x" * 43, "{}", "", proof),
        "the password": lambda: house.people.password_change(PASSWORD, NEW, proof),
        "a factor": lambda: house.people.factor_remove(factor.id, proof),
        "a session": lambda: house.people.session_revoke(session.id, proof),
        "all others": lambda: house.people.session_revoke("others", proof),
    }


def test_who_may_only_look_changes_no_factor_and_ends_no_session(house):
    house.enrol("ada")
    before = house.people.account_own(looks(house, "ada"))
    for what, act in changes(house, looks(house, "ada")).items():
        assert refused(act) is Reason.NOT_PERMITTED, what
    after = house.people.account_own(looks(house, "ada"))
    assert after.factors == before.factors
    assert {one.id for one in before.sessions} < {one.id for one in after.sessions}


def test_reverse_without_the_check_a_look_becomes_an_account(house, monkeypatch):
    monkeypatch.setattr(visiting, "check_acts", lambda _: None)
    assert house.people.enrol_totp_begin(looks(house, "ben"))
