"""Promises about one's own account within a session: who may only look changes nothing; all of it is proved again first."""

from dataclasses import replace
from functools import partial

import pytest
from tests.unit.vault.keeper.people import HERE, PASSWORD, Phone, founded
from tests.unit.vault.keeper.test_opening import records, refused

from oathward.core.errors import KeeperError
from oathward.core.labels import Role
from oathward.core.reasons import Reason
from oathward.policy.people import PERSON
from oathward.vault.keeper.proof import console_proof, pending_proof
from oathward.vault.keeper.sign_in import accounts, notices, persons, visiting
from oathward.vault.keeper.sign_in.sessions import Visitor

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


def test_when_each_factor_was_used_last_is_told_of_the_password_too(house):
    step, phone = house.enrol("ada")
    own = house.people.account_own(console_proof(step.secret))
    assert {one.kind: one.used_us for one in own.factors}["password"] == 0, "made, and not used yet"
    refused(lambda: house.people.sign_in_password("ada@hospital.example", "x" * 20, HERE))
    assert house.people.account_own(console_proof(step.secret)).factors == own.factors, (
        "a wrong one is no use"
    )
    at_us = house.keeper.now_us()
    proof, _ = house.sign_in("ada@hospital.example", phone)
    assert {one.used_us >= at_us for one in house.people.account_own(proof).factors} == {True}


# --- what somebody else did


def told(house, proof):
    return [(one.what, one.by, one.name) for one in house.people.account_own(proof).notices]


def reset(house):
    """Ada resets Ben's account, and Ben enrols anew."""
    ada, _ = house.enrol("ada")
    key = house.people.account_reset("ben", console_proof(ada.secret))
    step = house.people.enrol_password(PASSWORD, house.people.enrol_begin(key, HERE).pending)
    pending = pending_proof(step.pending)
    phone = Phone(house.people.enrol_totp_begin(pending)[0], house.time)
    return house.people.enrol_totp_finish(phone.code(), "", pending), phone


def test_who_was_reset_reads_by_whom_and_when_until_they_put_it_away(house):
    house.enrol("ben")
    at_us = house.keeper.now_us()
    step, phone = reset(house)
    assert step.visit.notices == 1
    house.time.pass_(minutes=1)
    proof, again = house.sign_in("ben", phone)
    assert again.visit.notices == 1, "at the next sign-in too"
    [notice] = house.people.account_own(proof).notices
    assert (notice.what, notice.by, notice.name) == ("reset", "ada", "Ada")
    assert at_us <= notice.at_us <= house.keeper.now_us()
    assert (
        refused(lambda: house.people.notice_put_away(notice.id, looks(house, "ben"))) is Reason.NOT_PERMITTED
    )
    theirs = console_proof(house.keeper.sessions.open(Visitor(name="Ada", by="passkey", person_id="ada"))[0])
    assert refused(lambda: house.people.notice_put_away(notice.id, theirs)) is Reason.NOT_FOUND
    enrolled = console_proof(step.secret)
    assert refused(lambda: house.people.notice_put_away(notice.id, enrolled)) is Reason.NOT_PERMITTED, (
        "the invitation is the way it tells of"
    )
    house.people.notice_put_away(notice.id, proof)
    assert house.app.session_check(proof, used=True).notices == 0
    [record] = records(house.settings, "notice.put-away")
    assert record["body"] == {"by": "ada", "person": "ben", "what": "reset"}


def test_a_notice_goes_by_itself_after_its_time_and_the_oldest_where_there_are_many(house):
    for n in range(notices.KEPT_MAX + 5):
        notices.add(house.keeper, ["ben"], f"p{n}", "reset")
        house.time.pass_(seconds=1)
    kept = notices.of(house.keeper, "ben")
    assert [kept[0].by, len(kept)] == ["p5", notices.KEPT_MAX]
    house.time.pass_(seconds=notices.SHOWN_US / 1_000_000)
    assert notices.of(house.keeper, "ben") == []


def test_a_notice_nobody_knows_of_is_shown_for_ninety_days(house):
    notices.add(house.keeper, ["ben"], "ada", "reset")
    house.time.pass_(days=89)
    assert [one.what for one in notices.of(house.keeper, "ben")] == ["reset"]
    house.time.pass_(days=1)
    assert notices.of(house.keeper, "ben") == []


def test_whoever_put_a_reset_away_hides_it_from_nobody_who_is_reset_again(house):
    _, phone = reset(house)  # by Ada, who may have used the invitation herself
    house.time.pass_(minutes=1)
    proof, _ = house.sign_in("ben", phone)
    [notice] = notices.of(house.keeper, "ben")
    house.people.notice_put_away(notice.id, proof)
    assert refused(lambda: house.people.notice_put_away(notice.id, proof)) is Reason.NOT_FOUND
    notices.add(house.keeper, ["ben"], "ada", "provider")
    assert [one.what for one in notices.of(house.keeper, "ben")] == ["provider"]
    [other] = notices.of(house.keeper, "ben")
    assert refused(lambda: house.people.notice_put_away(other.id, proof)) is Reason.NOT_PERMITTED, (
        "for all the keeper knows these factors are hers too"
    )
    notices.add(house.keeper, ["ben"], "vera", "reset")
    assert [(one.what, one.by) for one in notices.of(house.keeper, "ben")] == [
        ("reset", "ada"),
        ("provider", "ada"),
        ("reset", "vera"),
    ]
    assert len(records(house.settings, "notice.put-away")) == 1, "the record stays"


def test_what_one_does_to_oneself_is_no_news(house):
    notices.add(house.keeper, ["ada", "ben"], "ada", "provider")
    assert notices.of(house.keeper, "ada") == []
    assert len(notices.of(house.keeper, "ben")) == 1


def session_by(house, by):
    visitor = Visitor(name="Ben", by=by, person_id="ben")
    return console_proof(house.keeper.sessions.open(visitor, house.keeper.now_us())[0])


@pytest.mark.parametrize(
    ("what", "by", "since", "may"),
    [
        ("provider", "provider+totp", (), False),
        ("provider", "password+totp", (), True),
        ("provider", "password+totp", ("totp",), False),
        ("invitation", "password+totp", (), True),
        ("invitation", "password+totp", ("password",), False),
        ("invitation", "password+totp", ("passkey",), True),
        ("invitation", "invitation+passkey", ("passkey",), False),
        ("invitation", "provider", (), True),
        ("invitation", "provider+totp", ("totp",), False),
        ("reset", "password+totp", ("password", "totp"), True),
        ("reset", "passkey", ("password", "passkey"), True),
        ("reset", "provider+totp", ("password", "totp"), True),
        ("reset", "password", ("password", "totp"), False),
        ("reset", "invitation+password+totp", ("password", "totp"), False),
        ("reset", "invitation+passkey", ("passkey",), False),
        ("reset", "provider", ("password", "totp"), True),
        ("reset", "link", (), False),
    ],
)
def test_who_came_in_by_a_way_that_is_no_older_does_not_hide_it(house, what, by, since, may):
    def factors(*kinds):
        for kind in kinds:
            accounts.add(house.keeper.store, "ben", kind, b"secret", house.keeper.now_us())
            house.time.pass_(seconds=1)

    factors("password", "totp")
    notices.add(house.keeper, ["ben"], "ada", what)
    factors(*since)
    [notice] = notices.of(house.keeper, "ben")
    proof = session_by(house, by)
    if may:
        house.people.notice_put_away(notice.id, proof)
    else:
        assert refused(lambda: house.people.notice_put_away(notice.id, proof)) is Reason.NOT_PERMITTED
    assert len(notices.of(house.keeper, "ben")) == (not may)


def test_of_two_ways_that_one_person_added_neither_hides_the_other(house):
    notices.add(house.keeper, ["ben"], "ada", "provider")
    house.time.pass_(seconds=1)
    notices.add(house.keeper, ["ben"], "ada", "invitation")
    house.time.pass_(seconds=1)
    for kind in ("password", "totp"):
        accounts.add(house.keeper.store, "ben", kind, b"secret", house.keeper.now_us())
    for by in ("provider+totp", "password+totp", "provider"):
        for one in notices.of(house.keeper, "ben"):
            put_away = partial(house.people.notice_put_away, one.id, session_by(house, by))
            assert refused(put_away) is Reason.NOT_PERMITTED
    assert [one.what for one in notices.of(house.keeper, "ben")] == ["provider", "invitation"]


def test_nobody_pushes_a_notice_out_by_many_others(house):
    notices.add(house.keeper, ["ben"], "ada", "invitation")
    for _ in range(notices.KEPT_MAX + 5):
        house.time.pass_(seconds=1)
        notices.add(house.keeper, ["ben"], "ada", "provider")
    kept = notices.of(house.keeper, "ben")
    assert (kept[0].what, len(kept)) == ("invitation", notices.KEPT_MAX)
    assert house.keeper.now_us() - kept[-1].at_us < 1_000_000


def test_a_sign_in_at_the_provider_that_is_written_into_a_record_is_told(house):
    oidc = replace(house.keeper.settings.oidc, issuer="https://id.example")
    house.keeper.settings = replace(house.keeper.settings, oidc=oidc)
    ada, _ = house.enrol("ada")
    ben, _ = house.enrol("ben")
    record = replace(
        persons.person_of(house.keeper, "ben"), sign_ins=frozenset({("https://id.example", "7")})
    )
    house.app.changes.sign_people([(PERSON, "ben", 0, record.body())], console_proof(ada.secret))
    assert told(house, console_proof(ben.secret)) == [("provider", "ada", "Ada")]


# --- words for who looks after accounts


def test_who_looks_after_accounts_is_told_what_to_do(house):
    ada, _ = house.enrol("ada")
    house.enrol("ben")
    proof = console_proof(ada.secret)
    with pytest.raises(KeeperError, match="reset it instead \\(oathward people reset\\)") as caught:
        house.people.account_invite("ben", "", proof)
    assert caught.value.reason is Reason.CONFLICT
    house.time.pass_(minutes=house.settings.people.step_up_minutes)
    with pytest.raises(KeeperError, match="oathward sign-in --again") as caught:
        house.people.account_reset("ben", proof)
    assert caught.value.reason is Reason.ACCESS_STEP_UP
