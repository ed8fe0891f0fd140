"""Promises of signing in: two factors or none, one answer to whatever is wrong, each code once, waits that nobody is told of."""

from dataclasses import replace

import pytest
from tests.unit.vault.keeper.people import HERE, PASSWORD, Phone, founded
from tests.unit.vault.keeper.test_opening import change, records, refused

from oathward.core.errors import KeeperError, StorageError
from oathward.core.labels import Role
from oathward.core.reasons import Reason
from oathward.vault.keeper.operations import table as operations
from oathward.vault.keeper.proof import console_proof, pending_proof
from oathward.vault.keeper.sign_in import accounts, entrance, passwords, totp, visiting, waits
from oathward.vault.keeper.sign_in.passwords import Hashes


@pytest.fixture
def house(site):
    with founded(site) as found:
        found.person("ada", Role.PRIVACY_OFFICER, mail="ada@hospital.example")
        found.person("ben")
        yield found


def why(house):
    """Say why the last tries were refused, as the record does."""
    visiting.flush(house.keeper)
    return [
        (one["body"]["factor"], one["body"]["person"], one["body"]["why"])
        for one in records(house.settings, "sign-in.refused")
    ]


def test_enrolling_makes_an_account_and_signs_in(house):
    step, _ = house.enrol("ada")
    assert (step.state, step.visit.person, step.visit.person_id) == ("signed-in", "Ada", "ada")
    assert (step.visit.strong, step.visit.fresh, step.visit.by) == (True, True, "invitation+password+totp")
    assert step.visit.roles == {Role.PRIVACY_OFFICER}
    begun = records(house.settings, "session.begun")[0]["body"]
    assert (begun["person"], begun["by"]) == ("ada", "invitation+password+totp")
    kinds = [one["body"]["kind"] for one in records(house.settings, "factor.enrolled")]
    assert kinds == ["password", "totp"]


def test_password_and_code_sign_in_and_a_password_alone_does_not(house):
    _, phone = house.enrol("ada")
    step = house.people.sign_in_password("Ada@Hospital.Example ", PASSWORD, HERE)
    assert (step.state, step.offers, step.secret, step.visit, step.person) == (
        "second",
        ("totp",),
        "",
        None,
        "",
    )
    assert (
        refused(lambda: house.app.session_check(console_proof(step.pending), used=True))
        is Reason.NOT_PERMITTED
    )
    done = house.people.sign_in_second(step.pending, phone.code(), HERE)
    assert house.app.session_check(console_proof(done.secret), used=True).person_id == "ada"
    assert done.visit.by == "password+totp"


def test_each_sign_in_is_a_new_session(house):
    first, phone = house.enrol("ada")
    proof, second = house.sign_in("ada@hospital.example", phone)
    assert first.secret != second.secret
    assert first.visit.id != second.visit.id
    assert house.app.session_check(proof, used=True).id == second.visit.id


WRONG = {
    "unknown login": (lambda _: ("nobody", PASSWORD), ("password", "", "account.unknown")),
    "empty password": (lambda _: ("ada@hospital.example", ""), ("password", "ada", "password.wrong")),
    "wrong password": (lambda _: ("ada@hospital.example", "x" * 20), ("password", "ada", "password.wrong")),
    "a password longer than any": (
        lambda _: ("ada@hospital.example", "x" * 256),
        ("password", "ada", "password.wrong"),
    ),
    "a person without an account": (lambda _: ("ben", PASSWORD), ("password", "", "account.unknown")),
    "a NUL": (lambda _: ("ada@hospital.example", PASSWORD + "\0"), ("password", "ada", "password.wrong")),
    "who left": (
        lambda house: (house.leave("ada"), ("ada@hospital.example", PASSWORD))[1],
        ("password", "ada", "account.unknown"),
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_whatever_is_wrong_is_one_answer_after_the_same_work(house, name):
    make, recorded = WRONG[name]
    house.enrol("ada")
    login, password = make(house)
    before = house.keeper.entrance.hashes.verified
    with pytest.raises(KeeperError) as caught:
        house.people.sign_in_password(login, password, HERE)
    assert (caught.value.reason, caught.value.where, caught.value.why) == (
        Reason.SIGN_IN_REFUSED,
        "sign-in",
        "was not accepted",
    )
    assert house.keeper.entrance.hashes.verified == before + 1, "one hash, real or dummy"
    assert why(house) == [recorded]
    told = str(records(house.settings, "sign-in.refused"))
    assert "nobody" not in told
    assert PASSWORD not in told


CODES = ("", "12345", "1234567", "abcdef", "１２３４５６", "12 456", "-12345", "000000\n")


@pytest.mark.parametrize("code", CODES)
def test_what_is_no_code_is_refused(house, code):
    house.enrol("ada")
    step = house.people.sign_in_password("ada@hospital.example", PASSWORD, HERE)
    assert refused(lambda: house.people.sign_in_second(step.pending, code, HERE)) is Reason.SIGN_IN_REFUSED
    assert why(house) == [("totp", "ada", "code.wrong")]


def test_a_code_counts_once(house):
    _, phone = house.enrol("ada")
    code = phone.code()
    first = house.people.sign_in_password("ada@hospital.example", PASSWORD, HERE)
    second = house.people.sign_in_password("ada@hospital.example", PASSWORD, HERE)
    assert house.people.sign_in_second(first.pending, code, HERE).state == "signed-in"
    assert refused(lambda: house.people.sign_in_second(second.pending, code, HERE)) is Reason.SIGN_IN_REFUSED
    assert (
        refused(lambda: house.people.sign_in_second(second.pending, phone.code(-1), HERE))
        is Reason.SIGN_IN_REFUSED
    )
    house.time.pass_(seconds=30)
    assert house.people.sign_in_second(second.pending, phone.code(), HERE).state == "signed-in"


def clocks_may_differ(house):
    people = replace(house.keeper.settings.people, clocks_may_differ=True)
    house.keeper.settings = replace(house.keeper.settings, people=people)


def test_a_code_lives_its_own_thirty_seconds(house):
    """From the first second of its step to the last, and neither before nor after; while enrolling too."""
    _, phone = house.enrol("ada")
    house.time.pass_(seconds=300 + totp.STEP_S - house.time.wall_s % totp.STEP_S)
    code = phone.code(1)
    for seconds, taken in ((29, False), (1, True), (29, True), (1, False)):  # around the ends of its step
        house.time.pass_(seconds=seconds)
        step = house.people.sign_in_password("ada@hospital.example", PASSWORD, HERE)
        house.keeper.store.rows(
            "UPDATE factor SET counter = 0 WHERE kind = 'totp'"
        )  # as if nobody had used it

        def act(pending=step.pending):
            return house.people.sign_in_second(pending, code, HERE)

        if taken:
            assert act().state == "signed-in"
        else:
            assert refused(act) is Reason.SIGN_IN_REFUSED


@pytest.mark.parametrize("steps", [-1, 1])
def test_no_phone_is_enrolled_whose_clock_is_another(house, steps):
    step = house.people.enrol_password(PASSWORD, house.people.enrol_begin(house.invited("ada"), HERE).pending)
    pending = pending_proof(step.pending)
    phone = Phone(house.people.enrol_totp_begin(pending)[0], house.time)
    act = refused(lambda: house.people.enrol_totp_finish(phone.code(steps), "", pending))
    assert act is Reason.CODE_REFUSED
    clocks_may_differ(house)
    assert house.people.enrol_totp_finish(phone.code(steps), "", pending).state == "signed-in"


@pytest.mark.parametrize(("steps", "taken"), [(-2, False), (-1, True), (0, True), (1, True), (2, False)])
def test_where_clocks_may_differ_a_code_of_the_step_before_or_after_counts(house, steps, taken):
    clocks_may_differ(house)
    _, phone = house.enrol("ada")
    house.time.pass_(minutes=5)
    step = house.people.sign_in_password("ada@hospital.example", PASSWORD, HERE)

    def act():
        return house.people.sign_in_second(step.pending, phone.code(steps), HERE)

    if taken:
        assert act().state == "signed-in"
    else:
        assert refused(act) is Reason.SIGN_IN_REFUSED


def test_where_clocks_may_differ_one_that_drifts_is_followed_but_not_far(house):
    clocks_may_differ(house)
    _, phone = house.enrol("ada")
    for ahead in (1, 2, 3):
        house.time.pass_(minutes=5)
        step = house.people.sign_in_password("ada@hospital.example", PASSWORD, HERE)
        assert house.people.sign_in_second(step.pending, phone.code(ahead), HERE).state == "signed-in", ahead
    house.time.pass_(minutes=5)
    step = house.people.sign_in_password("ada@hospital.example", PASSWORD, HERE)
    assert (
        refused(lambda: house.people.sign_in_second(step.pending, phone.code(4), HERE))
        is Reason.SIGN_IN_REFUSED
    )


def test_an_unfinished_sign_in_has_few_tries_and_ends(house):
    _, phone = house.enrol("ada")
    step = house.people.sign_in_password("ada@hospital.example", PASSWORD, HERE)
    for _ in range(entrance.TRIES_MAX):
        assert (
            refused(lambda: house.people.sign_in_second(step.pending, "000000", HERE))
            is Reason.SIGN_IN_REFUSED
        )
    assert (
        refused(lambda: house.people.sign_in_second(step.pending, phone.code(), HERE))
        is Reason.SIGN_IN_REFUSED
    )
    step = house.people.sign_in_password("ada@hospital.example", PASSWORD, HERE)
    house.time.pass_(seconds=entrance.PENDING_S + 1)
    assert (
        refused(lambda: house.people.sign_in_second(step.pending, phone.code(), HERE))
        is Reason.SIGN_IN_REFUSED
    )
    step = house.people.sign_in_password("ada@hospital.example", PASSWORD, HERE)
    done = house.people.sign_in_second(step.pending, phone.code(), HERE)
    assert done.state == "signed-in"
    house.time.pass_(seconds=60)
    assert (
        refused(lambda: house.people.sign_in_second(step.pending, phone.code(), HERE))
        is Reason.SIGN_IN_REFUSED
    ), "used up"


def wrong(house, times, login="ada@hospital.example", origin=HERE):
    for _ in range(times):
        assert (
            refused(lambda: house.people.sign_in_password(login, "x" * 20, origin)) is Reason.SIGN_IN_REFUSED
        )


def test_after_too_many_wrong_tries_the_account_waits_longer_and_longer_and_tells_nobody(house):
    house.enrol("ada")
    free = house.settings.people.wrong_per_hour_max
    wrong(house, free + 1)

    def right():
        return house.people.sign_in_password("ada@hospital.example", PASSWORD, HERE)

    before = house.keeper.entrance.hashes.verified
    assert refused(right) is Reason.SIGN_IN_REFUSED, "right, and refused all the same"
    assert house.keeper.entrance.hashes.verified == before + 1, "and as much work"
    house.time.pass_(minutes=1, seconds=1)
    wrong(house, 1)
    house.time.pass_(minutes=1, seconds=1)
    assert refused(right) is Reason.SIGN_IN_REFUSED, "the second wait is longer"
    house.time.pass_(minutes=1)
    assert right().state == "second"
    assert house.keeper.store.rows("SELECT * FROM wrong") == [], "and it begins again"
    assert ("password", "ada", "account.waits") in why(house)


def test_no_wait_is_longer_than_an_hour(house):
    name, now_us = waits.name_of("password", "ada"), house.time.now_us
    for _ in range(60):
        waits.reserve(house.keeper.store, name, now_us, 1)
        now_us += waits.WAIT_US_MAX
        assert waits.reserve(house.keeper.store, name, now_us, 1)


def test_a_login_that_nobody_has_waits_as_any_other(house):
    wrong(house, house.settings.people.wrong_per_hour_max + 2, login="nobody")
    assert why(house)[-1][2] in {"account.unknown", "account.waits"}
    assert {one[2] for one in why(house)} == {"account.unknown", "account.waits"}


def test_only_what_was_compared_counts(house, monkeypatch):
    """A challenge nobody knows, an unfinished sign-in that is over, hashing that broke down: none is a wrong try."""
    _, phone = house.enrol("ada")
    for _ in range(50):
        assert (
            refused(lambda: house.people.sign_in_second("x" * 43, phone.code(), HERE))
            is Reason.SIGN_IN_REFUSED
        )
        assert refused(lambda: house.people.passkey_finish("x" * 43, "{}", HERE)) is Reason.SIGN_IN_REFUSED
    monkeypatch.setattr(passwords, "WAIT_S_MAX", 0.0)
    house.keeper.entrance.hashes = Hashes(memory_kib=64, passes=1, at_once_max=1)
    house.keeper.entrance.hashes._slots.acquire()
    for _ in range(20):

        def busy():
            return house.people.sign_in_password("ada@hospital.example", PASSWORD, HERE)

        assert refused(busy) is Reason.KEEPER_UNAVAILABLE
    house.keeper.entrance.hashes._slots.release()
    assert house.people.sign_in_password("ada@hospital.example", PASSWORD, HERE).state == "second"


def test_tries_at_once_are_counted_before_they_are_compared(house):
    """Reverse of counting afterwards: a hundred at once would all have been free."""
    store, name = house.keeper.store, waits.name_of("password", "ada")
    judged = [waits.reserve(store, name, house.time.now_us, 3) for _ in range(100)]
    assert judged == [True] * 4 + [False] * 96


def test_an_address_that_is_wrong_too_often_waits_whoever_it_asks_for(house):
    _, phone = house.enrol("ada")
    for n in range(entrance.ADDRESS_WRONG_MAX):
        assert (
            refused(lambda n=n: house.people.sign_in_password(f"no{n}", "x", "2001:db8::1"))
            is Reason.SIGN_IN_REFUSED
        )
    before = house.keeper.entrance.hashes.verified

    def same():
        return house.people.sign_in_password("ada@hospital.example", PASSWORD, "2001:db8::2")

    assert refused(same) is Reason.SIGN_IN_TOO_MANY, "another address of one network"
    assert house.keeper.entrance.hashes.verified == before, "nothing is hashed for it"
    house.sign_in("ada@hospital.example", phone)
    house.time.pass_(seconds=entrance.ADDRESS_WINDOW_S)
    assert same().state == "second"


def test_a_password_under_older_figures_is_hashed_anew(house):
    house.enrol("ada")
    old = accounts.factors(house.keeper.store, "ada", "password")[0].secret
    house.keeper.entrance.hashes = Hashes(memory_kib=128, passes=1)
    house.people.sign_in_password("ada@hospital.example", PASSWORD, HERE)
    new = accounts.factors(house.keeper.store, "ada", "password")[0].secret
    assert b"m=64," in old
    assert b"m=128," in new
    house.people.sign_in_password("ada@hospital.example", PASSWORD, HERE)
    assert accounts.factors(house.keeper.store, "ada", "password")[0].secret == new


def test_todays_figures_are_owasps():
    assert Hashes().make("x").startswith("$argon2id$v=19$m=19456,t=2,p=1$")


def test_nothing_in_store_or_records_is_a_secret_in_clear(house):
    step, phone = house.enrol("ada")
    operations.flush_counts(house.keeper)
    raw = house.keeper.store.path.read_bytes()
    for secret in (PASSWORD, phone.secret, step.secret, "$argon2id$"):
        assert secret.encode() not in raw, secret
    assert b"ada@hospital.example" in raw  # reverse: what is there in clear is found this way


def test_a_pending_sign_in_enrols_nothing_where_there_is_a_second_factor(house):
    """Who knows the password alone may not add a factor of their own."""
    house.enrol("ada")
    step = house.people.sign_in_password("ada@hospital.example", PASSWORD, HERE)
    pending = pending_proof(step.pending)
    for act in (
        lambda: house.people.enrol_totp_begin(pending),
        lambda: house.people.enrol_passkey_begin(pending),
        lambda: house.people.enrol_password(PASSWORD + "x", step.pending),
        lambda: house.people.enrol_totp_finish("000000", "", pending),
        lambda: house.people.account_own(pending),
        lambda: house.people.factor_remove("x", pending),
    ):
        assert refused(act) in {Reason.SIGN_IN_REFUSED, Reason.NOT_PERMITTED}


def test_a_phone_of_somebody_else_does_not_do(house):
    house.enrol("ada")
    _, theirs = house.enrol("ben")
    step = house.people.sign_in_password("ada@hospital.example", PASSWORD, HERE)
    assert isinstance(theirs, Phone)
    assert (
        refused(lambda: house.people.sign_in_second(step.pending, theirs.code(), HERE))
        is Reason.SIGN_IN_REFUSED
    )


def test_counts_of_logins_that_nobody_has_do_not_grow_without_end(house, monkeypatch):
    """And whoever was wrong most is forgotten last."""
    store, now_us = house.keeper.store, house.time.now_us
    monkeypatch.setattr(waits, "COUNTS_MAX", 1_100)
    ada = waits.name_of("password", "ada")
    for _ in range(3):
        waits.reserve(store, ada, now_us, 10)
    with store.transaction():
        for n in range(1_200):
            waits.reserve(store, waits.name_of("password", f"no{n}"), now_us + n, 10)
    assert store.one("SELECT COUNT(*) FROM wrong")[0] <= 1_100
    assert store.one("SELECT count FROM wrong WHERE id = ?", ada) == (3,)


def test_what_could_not_be_recorded_is_recorded_later(house):
    wrong(house, 2, login="nobody")
    change(house.settings, "ALTER TABLE ledger_record RENAME TO away")
    with pytest.raises(StorageError):
        visiting.flush(house.keeper)
    change(house.settings, "ALTER TABLE away RENAME TO ledger_record")
    wrong(house, 1, login="nobody")
    visiting.flush(house.keeper)
    [record] = records(house.settings, "sign-in.refused")
    assert record["body"] == {"count": 3, "factor": "password", "person": "", "why": "account.unknown"}
