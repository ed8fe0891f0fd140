"""Promises about sessions of people: renewed, ended by time, by others, by leaving; a copied secret ends its family."""

from dataclasses import replace

import pytest
from tests.unit.vault.keeper.people import HERE, PASSWORD, SETUP, Direct, founded
from tests.unit.vault.keeper.test_opening import records, refused
from tests.unit.vault.sites import ME, asking

from oathward.core.labels import Role
from oathward.core.reasons import Reason
from oathward.vault.authority import trust_anchor
from oathward.vault.keeper import roles
from oathward.vault.keeper.client import Client
from oathward.vault.keeper.operations import table as operations
from oathward.vault.keeper.proof import console_proof
from oathward.vault.keeper.sign_in import sessions
from oathward.vault.keeper.sign_in.sessions import SESSIONS_PER_PERSON_MAX, Sessions, Visitor

MINUTES = 60


@pytest.fixture
def house(site):
    with founded(site) as found:
        found.person("ada", Role.ADMINISTRATOR)
        found.person("ben", Role.AUDITOR)
        yield found


def check(house, secret, *, used=True):
    return house.app.session_check(console_proof(secret), used=used)


def ended(house, secret):
    return refused(lambda: check(house, secret))


def use(house, secret, minutes):
    """Let time pass with the session in use."""
    for _ in range(minutes // 10):
        house.time.pass_(minutes=10)
        check(house, secret)


def test_a_secret_is_renewed_after_its_time_and_the_old_one_goes(house):
    first = house.enrol("ada")[0]
    assert not check(house, first.secret).renew
    assert house.people.session_rotate(console_proof(first.secret)) == ""
    use(house, first.secret, 20)
    assert check(house, first.secret).renew
    second = house.people.session_rotate(console_proof(first.secret))
    assert second not in {"", first.secret}
    assert not check(house, first.secret).renew, "one is on its way"
    assert house.people.session_rotate(console_proof(first.secret)) == ""
    assert check(house, second).id == first.visit.id
    assert check(house, first.secret).id == first.visit.id, "requests under way"
    house.time.pass_(seconds=sessions.GRACE_S + 1)
    assert check(house, second)
    assert ended(house, first.secret) is Reason.SESSION_REUSED
    assert ended(house, second) is Reason.NOT_PERMITTED, "the whole family"
    [record] = records(house.settings, "session.revoked")
    assert record["body"] == {"person": "ada", "session": first.visit.id, "why": "session.reused"}


def test_a_new_secret_that_never_arrived_is_given_again(house):
    first = house.enrol("ada")[0]
    use(house, first.secret, 20)
    lost = house.people.session_rotate(console_proof(first.secret))
    house.time.pass_(seconds=sessions.GRACE_S + 1)
    assert check(house, first.secret).renew
    second = house.people.session_rotate(console_proof(first.secret))
    assert check(house, second).id == first.visit.id
    assert ended(house, lost) is Reason.SESSION_REUSED, "somebody else had it"


def test_a_thief_who_renews_ends_with_the_owner(house):
    """Whoever comes second with the old secret ends both."""
    first = house.enrol("ada")[0]
    use(house, first.secret, 20)
    thief = house.people.session_rotate(console_proof(first.secret))
    check(house, thief)
    house.time.pass_(seconds=sessions.GRACE_S + 1)
    assert ended(house, first.secret) is Reason.SESSION_REUSED
    assert ended(house, thief) is Reason.NOT_PERMITTED


def test_reverse_without_an_end_to_the_grace_a_copy_lives_on(house, monkeypatch):
    monkeypatch.setattr(sessions, "GRACE_S", float("inf"))
    first = house.enrol("ada")[0]
    use(house, first.secret, 20)
    second = house.people.session_rotate(console_proof(first.secret))
    check(house, second)
    house.time.pass_(minutes=5)
    assert check(house, first.secret)


def test_a_session_ends_when_nobody_uses_it_and_after_its_whole_time(house):
    idle, whole = house.settings.console.idle_minutes_max, house.settings.console.session_hours_max
    first, phone = house.enrol("ada")
    house.time.pass_(minutes=idle, seconds=1)
    assert ended(house, first.secret) is Reason.NOT_PERMITTED
    proof, second = house.sign_in("ada", phone)
    secret = proof["session"]
    for _ in range(int(whole * 6) - 1):
        house.time.pass_(minutes=10)
        secret = house.people.session_rotate(console_proof(secret)) or secret
        check(house, secret)
    house.time.pass_(minutes=10)
    assert ended(house, secret) is Reason.NOT_PERMITTED
    operations.flush_counts(house.keeper)
    over = [(one["body"]["session"], one["body"]["why"]) for one in records(house.settings, "session.ended")]
    assert over == [(first.visit.id, "time"), (second.visit.id, "time")]


def test_who_leaves_is_signed_out_at_the_next_use(house):
    first = house.enrol("ada")[0]
    house.leave("ada")
    assert ended(house, first.secret) is Reason.NOT_PERMITTED
    [record] = records(house.settings, "session.revoked")
    assert record["body"] == {"person": "ada", "session": first.visit.id, "why": "person.left"}
    house.person("ada", Role.ADMINISTRATOR)
    assert ended(house, first.secret) is Reason.NOT_PERMITTED, "coming back opens nothing old"


def test_reverse_a_record_that_was_rolled_back_does_not_bring_anybody_back(house):
    """The database's administrator deletes the record of leaving: refused, not believed."""
    from tests.unit.vault.keeper.test_opening import change

    first = house.enrol("ada")[0]
    house.leave("ada")
    change(house.settings, "DELETE FROM authority WHERE kind = 'person' AND id = 'ada' AND version = 2")
    assert ended(house, first.secret) is Reason.AUTHORITY_STALE


def test_roles_are_those_of_now(house):
    first = house.enrol("ada")[0]
    assert check(house, first.secret).roles == {Role.ADMINISTRATOR}
    house.person("ada", Role.CLINICAL_ENGINEER)
    assert check(house, first.secret).roles == {Role.CLINICAL_ENGINEER}


def test_one_sees_and_ends_ones_own_sessions(house):
    first, phone = house.enrol("ada")
    proof, second = house.sign_in("ada", phone)
    rows = house.people.session_list(proof)
    assert [(row.id, row.own, row.origin) for row in rows] == [
        (second.visit.id, True, HERE),
        (first.visit.id, False, HERE),
    ]
    assert rows[0].begun_us > rows[1].begun_us
    house.people.session_revoke(first.visit.id, proof)
    assert ended(house, first.secret) is Reason.NOT_PERMITTED
    third, _ = house.sign_in("ada", phone)
    house.people.session_revoke("others", proof)
    assert refused(lambda: house.app.session_check(third, used=True)) is Reason.NOT_PERMITTED
    assert house.app.session_check(proof, used=True)
    by = {one["body"]["by"] for one in records(house.settings, "session.revoked")}
    assert by == {"ada"}
    house.people.session_revoke(second.visit.id, proof)
    assert refused(lambda: house.app.session_check(proof, used=True)) is Reason.NOT_PERMITTED


def test_another_of_ones_sessions_is_ended_by_a_fresh_proof_of_two_factors_alone(house):
    """A browser that was left open ends nobody's session elsewhere, nor one beside a phone; it may end its own."""
    first, phone = house.enrol("ada")
    proof, second = house.sign_in("ada", phone)
    house.time.pass_(seconds=700)
    for id_ in (first.visit.id, "others", "no-such"):
        assert refused(lambda id_=id_: house.people.session_revoke(id_, proof)) is Reason.ACCESS_PROVE_BOTH
    assert check(house, first.secret), "still there"
    proof = console_proof(house.people.step_up_code(phone.code(), proof).secret)
    assert refused(lambda: house.people.session_revoke("others", proof)) is Reason.ACCESS_PROVE_BOTH
    house.time.pass_(seconds=30)
    step = house.people.step_up_code(phone.code(), proof, PASSWORD)
    house.people.session_revoke("others", console_proof(step.secret))
    assert ended(house, first.secret) is Reason.NOT_PERMITTED
    house.time.pass_(seconds=700)
    house.people.session_revoke(second.visit.id, console_proof(step.secret))
    assert ended(house, step.secret) is Reason.NOT_PERMITTED


def test_without_asking_for_it_an_old_proof_would_end_another_session(house, monkeypatch):
    first, phone = house.enrol("ada")
    proof, _ = house.sign_in("ada", phone)
    house.time.pass_(seconds=700)
    monkeypatch.setattr(house.keeper.sessions, "both", lambda _session: True)
    house.people.session_revoke("others", proof)
    assert ended(house, first.secret) is Reason.NOT_PERMITTED


def test_sessions_of_others_are_for_who_may(house):
    ada, _ = house.enrol("ada")
    ben, _ = house.enrol("ben")
    theirs, mine = console_proof(ada.secret), console_proof(ben.secret)
    assert refused(lambda: house.people.session_revoke(ada.visit.id, mine)) is Reason.ACCESS_ROLE
    assert refused(lambda: house.people.session_revoke("0" * 12, mine)) is Reason.ACCESS_ROLE, (
        "as if there were one"
    )
    assert check(house, ada.secret), "still there"
    assert [row.person_id for row in house.people.session_list(theirs, "ben")] == ["ben"]
    house.people.session_revoke(ben.visit.id, theirs)
    assert ended(house, ben.secret) is Reason.NOT_PERMITTED
    assert refused(lambda: house.people.session_revoke("nothing", theirs)) is Reason.NOT_FOUND


def test_many_sessions_of_one_person_end_the_oldest(house):
    first, phone = house.enrol("ada")
    proofs = [house.sign_in("ada", phone)[0] for _ in range(SESSIONS_PER_PERSON_MAX)]
    assert ended(house, first.secret) is Reason.NOT_PERMITTED
    assert house.app.session_check(proofs[0], used=True)
    whys = [one["body"].get("why") for one in records(house.settings, "session.revoked")]
    assert whys == ["too-many"]


def test_signing_out_ends_this_session_alone(house):
    first, phone = house.enrol("ada")
    proof, _ = house.sign_in("ada", phone)
    house.app.session_end(proof)
    assert refused(lambda: house.app.session_check(proof, used=True)) is Reason.NOT_PERMITTED
    assert check(house, first.secret)


def test_a_session_that_is_not_on_record_does_not_begin(house):
    from tests.unit.vault.keeper.test_opening import change

    _, phone = house.enrol("ada")
    step = house.people.sign_in_password("ada", PASSWORD, HERE)
    change(house.settings, "ALTER TABLE ledger_record RENAME TO away")
    before = len(house.keeper.sessions.listed())
    assert (
        refused(lambda: house.people.sign_in_second(step.pending, phone.code(), HERE))
        is Reason.STORAGE_FAILED
    )
    assert len(house.keeper.sessions.listed()) == before
    change(house.settings, "ALTER TABLE away RENAME TO ledger_record")


def test_a_fresh_proof_grows_old(house):
    first, phone = house.enrol("ada")
    assert check(house, first.secret).fresh
    house.time.pass_(minutes=house.settings.people.step_up_minutes)
    assert not check(house, first.secret).fresh
    step = house.people.step_up_code(phone.code(), console_proof(first.secret))
    assert step.visit.fresh
    assert step.secret != first.secret
    assert check(house, step.secret).id == first.visit.id
    stepped = records(house.settings, "session.stepped-up")[0]["body"]
    assert stepped == {"by": "totp", "person": "ada", "session": first.visit.id}


def test_proving_it_again_takes_a_right_code_of_ones_own(house):
    first, _ = house.enrol("ada")
    _, theirs = house.enrol("ben")
    house.time.pass_(minutes=15)
    proof = console_proof(first.secret)
    for code in ("000000", theirs.code()):
        assert refused(lambda code=code: house.people.step_up_code(code, proof)) is Reason.SIGN_IN_REFUSED
    assert not check(house, first.secret).fresh


# --- links of the command line


def admin_of(house):
    return Client(Direct(house.keeper, "admin"), "admin", trust_anchor(house.settings))


def test_a_link_signs_nobody_in_on_a_site_with_people(house):
    act = refused(lambda: admin_of(house).session_invite(ME, acts=True))
    assert act is Reason.SIGN_IN_LINKS_OFF


def test_a_link_from_before_signs_nobody_in_after(site):
    with founded(site) as house:
        house.keeper.store.set_meta(roles.FOUNDED, "")
        admin = admin_of(house)
        waiting = admin.session_invite(ME, acts=True)
        secret, visit = house.app.session_begin(admin.session_invite(ME, acts=True))
        assert (visit.person_id, visit.roles) == ("", {Role.SETUP})
        house.keeper.store.set_meta(roles.FOUNDED, "1")
        assert refused(lambda: house.app.session_begin(waiting)) is Reason.SIGN_IN_LINKS_OFF
        assert ended(house, secret) is Reason.NOT_PERMITTED, "and who was signed in is so no more"
        assert records(site, "session.revoked")[0]["body"]["why"] == "site.founded"


def test_where_links_may_sign_in_they_sign_in_a_person_of_the_record(site):
    trial = replace(site, people=replace(site.people, links_sign_in=True))
    with founded(trial) as house:
        house.person("p-1", Role.AUDITOR, name="ada")
        house.person("p-2", name="ben")
        house.person("p-3", name="ben")
        admin = admin_of(house)
        secret, visit = house.app.session_begin(admin.session_invite(ME, acts=True))
        assert (visit.person_id, visit.strong, visit.fresh, visit.roles) == (
            "p-1",
            True,
            True,
            {Role.AUDITOR},
        )
        house.time.pass_(minutes=20)
        assert check(house, secret).fresh, "nothing of a link can be proved again"
        for name in ("cem", "ben"):
            proof = {"kind": "admin", "person": name}
            assert refused(lambda proof=proof: admin.session_invite(proof, acts=True)) is Reason.NOT_FOUND
        house.leave("p-1")
        assert ended(house, secret) is Reason.NOT_PERMITTED


def test_an_unfounded_site_is_as_it_was(site):
    with asking(site, "admin") as admin, asking(site, "app") as app:
        _, visit = app.session_begin(admin.session_invite(ME, acts=True))
    assert (visit.person, visit.person_id, visit.acts, visit.strong, visit.fresh) == (
        "ada",
        "",
        True,
        True,
        True,
    )
    assert SETUP.name == "setup"


# --- the table by itself


def test_secrets_lie_there_as_hashes_alone():
    held = Sessions(60, 60, 600, renew_s=0.0)
    secret, session = held.open(Visitor(name="Ada", by="x", person_id="ada"))
    new = held.renew(secret)
    assert held.find(new) is session
    kept = repr(vars(held))
    assert secret not in kept
    assert new not in kept
    assert len(secret) >= 43, "32 random bytes"


def test_two_at_once_renew_once():
    held = Sessions(60, 60, 600, renew_s=0.0)
    secret, _ = held.open(Visitor(name="Ada", by="x", person_id="ada"))
    given = [held.renew(secret) for _ in range(5)]
    assert [bool(one) for one in given] == [True, False, False, False, False]
