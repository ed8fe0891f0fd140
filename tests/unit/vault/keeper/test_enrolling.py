"""Promises about enrolling: by invitation once, two factors before anything, changes by who proved it again just now."""

from urllib.parse import parse_qs, urlsplit

import pytest
from tests.unit.vault.keeper.people import HERE, PASSWORD, SETUP, Phone, founded
from tests.unit.vault.keeper.test_opening import records, refused

from oathward.core.errors import KeeperError
from oathward.core.labels import Role
from oathward.core.reasons import Reason
from oathward.vault.keeper.proof import console_proof, pending_proof
from oathward.vault.keeper.sign_in import accounts, entrance, persons


@pytest.fixture
def house(site):
    with founded(site) as found:
        found.person("ada", Role.ADMINISTRATOR, mail="ada@hospital.example")
        found.person("ben", Role.AUDITOR, number="E-4711")
        found.person("cem")
        yield found


def begin(house, person="ada"):
    return house.people.enrol_begin(house.invited(person), HERE)


@pytest.mark.parametrize(
    ("person", "given", "login"),
    [
        ("ada", "", "ada@hospital.example"),
        ("ben", "", "e-4711"),
        ("cem", "", "cem"),
        ("cem", "Céline ", "céline"),
    ],
)
def test_an_invitation_says_whose_it_is_and_the_login(house, person, given, login):
    step = house.people.enrol_begin(house.invited(person, given), HERE)
    assert (step.state, step.person, step.login, step.offers) == (
        "enrol",
        person.title(),
        login,
        ("password", "passkey"),
    )
    assert step.secret == ""
    assert step.visit is None


def test_an_invitation_is_used_up_by_the_second_factor(house):
    key = house.invited("ada")
    step = house.people.enrol_password(PASSWORD, house.people.enrol_begin(key, HERE).pending)
    assert step.offers == ("totp", "passkey")
    pending = pending_proof(step.pending)
    secret, _ = house.people.enrol_totp_begin(pending)
    assert house.people.enrol_begin(key, HERE), "broken off: it may be begun again"
    act = refused(lambda: house.people.enrol_totp_finish(Phone(secret, house.time).code(), "", pending))
    assert act is Reason.SIGN_IN_REFUSED, "and the one before has ended"
    step = house.people.enrol_password(PASSWORD, house.people.enrol_begin(key, HERE).pending)
    pending = pending_proof(step.pending)
    secret, _ = house.people.enrol_totp_begin(pending)
    assert house.people.enrol_totp_finish(Phone(secret, house.time).code(), "", pending).state == "signed-in"
    assert refused(lambda: house.people.enrol_begin(key, HERE)) is Reason.INVITATION_ENDED
    kinds = sorted(one.kind for one in accounts.factors(house.keeper.store, "ada"))
    assert kinds == ["password", "totp"], "the password of the first try is replaced"


KEYS = {
    "made up": lambda _: "x" * 43,
    "replaced by a newer one": lambda h: (h.invited("ada"), h.invited("ada"))[0],
    "too old": lambda h: (h.invited("ada"), h.time.pass_(hours=h.settings.people.enrolment_hours_max))[0],
    "of somebody who left": lambda h: (h.invited("ada"), h.leave("ada"))[0],
}


@pytest.mark.parametrize("name", KEYS)
def test_invitations_that_are_none(house, name):
    key = KEYS[name](house)
    assert refused(lambda: house.people.enrol_begin(key, HERE)) is Reason.INVITATION_ENDED


def test_invitations_cannot_be_tried_on_and_on(house):
    for _ in range(entrance.ADDRESS_WRONG_MAX):
        refused(lambda: house.people.enrol_begin("x" * 43, HERE))
    assert refused(lambda: house.people.enrol_begin("x" * 43, HERE)) is Reason.SIGN_IN_TOO_MANY


def test_an_enrolment_that_takes_too_long_ends(house):
    step = begin(house)
    house.time.pass_(seconds=entrance.PENDING_S + 1)
    assert refused(lambda: house.people.enrol_password(PASSWORD, step.pending)) is Reason.SIGN_IN_REFUSED


@pytest.mark.parametrize(
    "password", ["short", "password12345678", "ada@hospital.example", "Ada-Ada-Ada-Ada-Ada"]
)
def test_a_bad_password_is_refused_and_another_may_be_tried(house, password):
    step = begin(house)
    assert refused(lambda: house.people.enrol_password(password, step.pending)) is Reason.PASSWORD_REFUSED
    assert house.people.enrol_password(PASSWORD, step.pending).offers == ("totp", "passkey")


def test_a_code_alone_enrols_nobody(house):
    """An invitation and a phone are one factor: the password comes first."""
    pending = pending_proof(begin(house).pending)
    secret, _ = house.people.enrol_totp_begin(pending)
    act = refused(lambda: house.people.enrol_totp_finish(Phone(secret, house.time).code(), "", pending))
    assert act is Reason.SIGN_IN_REFUSED
    assert accounts.factors(house.keeper.store, "ada") == []


def test_a_password_alone_signs_in_to_enrolling_and_nothing_else(house):
    """Somebody who broke off after the password goes on with it: the second factor is enrolled at the first sign-in."""
    house.people.enrol_password(PASSWORD, begin(house).pending)
    step = house.people.sign_in_password("ada@hospital.example", PASSWORD, HERE)
    assert (step.state, step.offers) == ("enrol", ("totp", "passkey"))
    pending = pending_proof(step.pending)
    assert refused(lambda: house.people.account_own(pending)) is Reason.NOT_PERMITTED
    assert (
        refused(lambda: house.people.sign_in_second(step.pending, "000000", HERE)) is Reason.SIGN_IN_REFUSED
    )
    secret, _ = house.people.enrol_totp_begin(pending)
    done = house.people.enrol_totp_finish(Phone(secret, house.time).code(), "", pending)
    assert (done.state, done.visit.by) == ("signed-in", "password+totp")


def test_a_wrong_code_may_be_tried_again_and_the_secret_counts_only_after(house):
    step = house.people.enrol_password(PASSWORD, begin(house).pending)
    pending = pending_proof(step.pending)
    assert refused(lambda: house.people.enrol_totp_finish("000000", "", pending)) is Reason.CODE_REFUSED, (
        "none shown"
    )
    old, _ = house.people.enrol_totp_begin(pending)
    secret, _ = house.people.enrol_totp_begin(pending)
    for code in ("000000", Phone(old, house.time).code(), ""):
        assert (
            refused(lambda code=code: house.people.enrol_totp_finish(code, "", pending))
            is Reason.CODE_REFUSED
        )
    assert accounts.factors(house.keeper.store, "ada", "totp") == []
    assert house.people.enrol_totp_finish(Phone(secret, house.time).code(), "", pending).state == "signed-in"


def test_the_address_for_the_phone(house):
    step = house.people.enrol_password(PASSWORD, begin(house).pending)
    secret, uri = house.people.enrol_totp_begin(pending_proof(step.pending))
    parts = urlsplit(uri)
    asked = parse_qs(parts.query)
    assert (parts.scheme, parts.netloc) == ("otpauth", "totp")
    assert asked["secret"] == [secret]
    assert len(secret) == 32, "160 bits"
    assert asked["issuer"] == [f"Oathward {house.settings.site.name}"]


def test_who_is_enrolled_is_reset_and_not_invited(house):
    """An invitation beside factors that hold would be a second way in that its owner never sees."""
    house.enrol("ada")
    with pytest.raises(KeeperError) as caught:
        house.invited("ada")
    assert caught.value.reason is Reason.CONFLICT
    house.people.enrol_password(PASSWORD, begin(house, "ben").pending)
    assert house.invited("ben"), "who broke off after the password may be invited again"


def test_a_login_is_one_persons(house):
    house.enrol("ada")
    for login in ("ADA@hospital.example", " ada@hospital.example"):
        with pytest.raises(KeeperError) as caught:
            house.invited("ben", login)
        assert caught.value.reason is Reason.CONFLICT
    house.invited("cem", "cem-1")
    with pytest.raises(KeeperError):
        house.invited("ben", "cem-1")


@pytest.mark.parametrize("login", ["x" * 129, "a\nb", " "])
def test_a_login_can_be_typed(house, login):
    with pytest.raises(KeeperError):
        house.invited("cem", login)


# --- within a session


def test_changing_ones_own_factors_takes_a_fresh_proof_of_two_factors(house):
    step, phone = house.enrol("ada")
    proof = console_proof(step.secret)
    own = house.people.account_own(proof)
    assert (own.login, [one.kind for one in own.factors]) == ("ada@hospital.example", ["password", "totp"])
    house.time.pass_(minutes=house.settings.people.step_up_minutes)
    proof = console_proof(house.people.step_up_code(phone.code(), proof).secret)
    assert house.app.session_check(proof, used=True).fresh, "a code is a fresh proof, of one factor"
    for act in (
        lambda: house.people.enrol_totp_begin(proof),
        lambda: house.people.enrol_totp_finish("000000", "", proof),
        lambda: house.people.enrol_passkey_begin(proof),
        lambda: house.people.enrol_passkey_finish("x" * 43, "{}", "", proof),
        lambda: house.people.password_change(PASSWORD, PASSWORD, proof),
        lambda: house.people.factor_remove(own.factors[0].id, proof),
    ):
        assert refused(act) is Reason.ACCESS_PROVE_BOTH
    house.time.pass_(minutes=1)
    assert refused(lambda: house.people.step_up_code(phone.code(), proof, "x" * 20)) is Reason.SIGN_IN_REFUSED
    both = house.people.step_up_code(phone.code(), proof, PASSWORD)
    assert house.people.enrol_totp_begin(console_proof(both.secret))
    stepped = [one["body"]["by"] for one in records(house.settings, "session.stepped-up")]
    assert stepped == ["totp", "password+totp"]


def test_reverse_without_the_check_a_code_alone_changes_a_factor(house, monkeypatch):
    step, phone = house.enrol("ada")
    house.time.pass_(minutes=house.settings.people.step_up_minutes)
    proof = console_proof(house.people.step_up_code(phone.code(), console_proof(step.secret)).secret)
    monkeypatch.setattr(house.keeper.sessions, "both", house.keeper.sessions.fresh)
    assert house.people.enrol_totp_begin(proof)


def more(house, proof):
    """Add a second phone within a session."""
    secret, _ = house.people.enrol_totp_begin(proof)
    step = house.people.enrol_totp_finish(Phone(secret, house.time).code(), "tablet", proof)
    assert (step.state, step.secret) == ("done", "")
    house.time.pass_(minutes=1)
    return Phone(secret, house.time)


def test_a_second_phone_signs_in_too_and_ends_other_sessions(house):
    first, phone = house.enrol("ada")
    proof, _ = house.sign_in("ada@hospital.example", phone)
    tablet = more(house, proof)
    assert (
        refused(lambda: house.app.session_check(console_proof(first.secret), used=True))
        is Reason.NOT_PERMITTED
    )
    assert house.app.session_check(proof, used=True)
    assert house.sign_in("ada@hospital.example", tablet)[1].state == "signed-in"
    whys = [one["body"]["why"] for one in records(house.settings, "session.revoked")]
    assert whys == ["factor.enrolled"]


def test_the_last_second_factor_cannot_go(house):
    step, phone = house.enrol("ada")
    proof = console_proof(step.secret)
    [totp] = [one for one in house.people.account_own(proof).factors if one.kind == "totp"]
    assert refused(lambda: house.people.factor_remove(totp.id, proof)) is Reason.FACTOR_LAST
    more(house, proof)
    house.people.factor_remove(totp.id, proof)
    assert [one["body"]["kind"] for one in records(house.settings, "factor.removed")] == ["totp"]
    step = house.people.sign_in_password("ada@hospital.example", PASSWORD, HERE)
    assert (
        refused(lambda: house.people.sign_in_second(step.pending, phone.code(), HERE))
        is Reason.SIGN_IN_REFUSED
    )


@pytest.mark.parametrize("first", [False, True])
def test_what_is_left_can_sign_in(house, first):
    """A code alone cannot, unless the provider is there for the first factor."""
    if first:
        house.person("ada", mail="ada@hospital.example", sign_ins=frozenset({("https://id.example", "1")}))
    step, _ = house.enrol("ada")
    proof = console_proof(step.secret)
    [password] = [one for one in house.people.account_own(proof).factors if one.kind == "password"]
    if first:
        house.people.factor_remove(password.id, proof)
    else:
        assert refused(lambda: house.people.factor_remove(password.id, proof)) is Reason.FACTOR_LAST


def test_another_persons_factor_is_none(house):
    ada, _ = house.enrol("ada")
    ben, _ = house.enrol("ben")
    theirs = house.people.account_own(console_proof(ada.secret)).factors[0]
    assert (
        refused(lambda: house.people.factor_remove(theirs.id, console_proof(ben.secret))) is Reason.NOT_FOUND
    )


def test_a_password_changes_with_the_current_one(house):
    step, phone = house.enrol("ada")
    other, _ = house.sign_in("ada@hospital.example", phone)
    proof, new = console_proof(step.secret), "four yellow boats at noon"
    assert refused(lambda: house.people.password_change("x" * 20, new, proof)) is Reason.SIGN_IN_REFUSED
    assert (
        refused(lambda: house.people.password_change(PASSWORD, "password12345678", proof))
        is Reason.PASSWORD_REFUSED
    )
    house.people.password_change(PASSWORD, new, proof)
    assert refused(lambda: house.app.session_check(other, used=True)) is Reason.NOT_PERMITTED
    assert house.app.session_check(proof, used=True)
    assert (
        refused(lambda: house.people.sign_in_password("ada@hospital.example", PASSWORD, HERE))
        is Reason.SIGN_IN_REFUSED
    )
    assert house.people.sign_in_password("ada@hospital.example", new, HERE).state == "second"


def test_the_current_password_cannot_be_tried_on_and_on(house):
    step, _ = house.enrol("ada")
    proof = console_proof(step.secret)
    for _ in range(house.settings.people.wrong_per_hour_max + 1):
        refused(lambda: house.people.password_change("x" * 20, "four yellow boats at noon", proof))
    right = refused(lambda: house.people.password_change(PASSWORD, "four yellow boats at noon", proof))
    assert right is Reason.SIGN_IN_REFUSED


def test_there_is_a_most_of_factors(house):
    step, _ = house.enrol("ada")
    proof = console_proof(step.secret)
    for _ in range(accounts.FACTORS_MAX - 2):
        step = house.people.step_up_code(more(house, proof).code(), proof, PASSWORD)
        proof = console_proof(step.secret)
        house.time.pass_(minutes=1)
    assert refused(lambda: more(house, proof)) is Reason.LIMIT_EXCEEDED


# --- others' accounts


def test_an_administrator_invites_and_resets(house):
    ada, _ = house.enrol("ada")
    ben, phone = house.enrol("ben")
    proof = console_proof(ada.secret)
    rows = {one.person_id: one for one in house.people.account_list(proof)}
    assert (rows["ben"].login, rows["ben"].factors, rows["ben"].invited) == (
        "e-4711",
        ("password", "totp"),
        False,
    )
    key = house.people.account_reset("ben", proof)
    assert (
        refused(lambda: house.app.session_check(console_proof(ben.secret), used=True)) is Reason.NOT_PERMITTED
    )
    assert refused(lambda: house.people.sign_in_password("e-4711", PASSWORD, HERE)) is Reason.SIGN_IN_REFUSED
    assert accounts.factors(house.keeper.store, "ben") == []
    [record] = records(house.settings, "account.reset")
    assert record["body"] == {
        "by": "ada", "factors": ["password", "totp"], "person": "ben", "sessions": [ben.visit.id],
    }  # fmt: skip
    assert {one.person_id for one in house.people.account_list(proof) if one.invited} == {"ben"}
    assert house.people.enrol_begin(key, HERE).login == "e-4711"
    assert phone.secret


def test_who_invited_is_remembered(house):
    """They could have been that person, for once: who approves compares."""
    ada, _ = house.enrol("ada")
    house.enrol("ben")
    assert accounts.inviter_of(house.keeper, "ben") == SETUP.name
    step = house.people.enrol_begin(house.people.account_reset("ben", console_proof(ada.secret)), HERE)
    house.people.enrol_password(PASSWORD, step.pending)
    assert accounts.inviter_of(house.keeper, "ben") == "ada"
    assert accounts.inviter_of(house.keeper, "cem") == ""


def test_who_may_not_invites_resets_and_sees_nobody(house):
    ben, _ = house.enrol("ben")
    proof = console_proof(ben.secret)
    for act in (
        lambda: house.people.account_invite("cem", "", proof),
        lambda: house.people.account_invite("nobody", "", proof),
        lambda: house.people.account_reset("ada", proof),
        lambda: house.people.account_reset("nobody", proof),
    ):
        assert refused(act) is Reason.ACCESS_ROLE
    ada, _ = house.enrol("ada")
    mine = console_proof(ada.secret)
    assert house.people.account_invite("cem", "", mine)
    assert refused(lambda: house.people.account_invite("nobody", "", mine)) is Reason.NOT_FOUND


def test_a_reset_ends_waits_too(house):
    ada, _ = house.enrol("ada")
    house.enrol("ben")
    for _ in range(house.settings.people.wrong_per_hour_max + 2):
        refused(lambda: house.people.sign_in_password("e-4711", "x", "198.51.100.1"))
    key = house.people.account_reset("ben", console_proof(ada.secret))
    step = house.people.enrol_begin(key, HERE)
    house.people.enrol_password(PASSWORD, step.pending)
    assert house.people.sign_in_password("e-4711", PASSWORD, HERE).state == "enrol"


def test_keys_of_invitations_lie_there_hashed(house):
    key = house.invited("ada")
    assert len(key) >= 43
    assert key.encode() not in house.keeper.store.path.read_bytes()
    assert key not in str(records(house.settings, "account.invited"))
    assert persons.person_of(house.keeper, "ada")


def test_reverse_without_the_question_a_code_alone_would_enrol(house, monkeypatch):
    """The guard off, the check above turns red."""
    real = entrance.Pending
    monkeypatch.setattr(
        "oathward.vault.keeper.sign_in.enrolling.Pending",
        lambda person, factors, **more: real(person, ("password", *factors), **more),
    )
    pending = pending_proof(begin(house).pending)
    secret, _ = house.people.enrol_totp_begin(pending)
    assert house.people.enrol_totp_finish(Phone(secret, house.time).code(), "", pending).state == "signed-in"
