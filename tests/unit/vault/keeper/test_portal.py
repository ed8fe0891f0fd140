"""Promises of the keeper about holders of the patient portal: who gets in, what they may, and what is kept of them."""

import json
import sqlite3
from dataclasses import replace

import orjson
import pytest
from tests.unit.vault.keeper.authenticator import Authenticator, data
from tests.unit.vault.keeper.people import Direct, founded
from tests.unit.vault.sites import make_site

from oathward.core.clock import Clock
from oathward.core.db import read, write
from oathward.core.errors import KeeperError
from oathward.core.ids import uuid7
from oathward.core.labels import Role
from oathward.core.phi import Phi
from oathward.core.reasons import Reason
from oathward.core.settings import load
from oathward.policy.portal import ACCESS
from oathward.vault import deaths
from oathward.vault.authority import trust_anchor
from oathward.vault.keeper import allowing, backups, subjects
from oathward.vault.keeper import proof as proving
from oathward.vault.keeper.client import Client
from oathward.vault.keeper.client.portal import holder_proof
from oathward.vault.keeper.erasing import erase
from oathward.vault.keeper.house import House as Housekeeping
from oathward.vault.keeper.operations import table as operations
from oathward.vault.keeper.portal import giving, reports, requests

HOME = "203.0.113.9"
ADDRESS = "Rosa.Lind@example.org"
MORE = '[portal]\nport = 0\nurl = "https://patients.example"\n[mail]\nsender = "file"\nsent_from = "portal@example.org"\n'
BY = proving.Person("setup", "uid 0")


@pytest.fixture
def house(tmp_path):
    folder = tmp_path / "site"
    folder.mkdir()
    (folder / "oathward.toml").write_text(MORE)
    make_site(folder)
    with founded(load(folder)) as found:
        found.person("p-privacy", Role.PRIVACY_OFFICER)
        step, _ = found.enrol("p-privacy")
        found.staff = proving.console_proof(step.secret)
        found.portal = Client(Direct(found.keeper, "portal"), "portal", trust_anchor(found.settings)).portal
        found.subject = subject_of(found)
        yield found


def subject_of(house):
    subject = uuid7()
    subjects.seed(house.keeper.store, house.keeper.site, subject, "p")
    return subject


def invite(house, subject="", address=ADDRESS, **more):
    return house.app.portal.invite(
        subject or house.subject, Phi("Rosa Lind"), Phi(address), house.staff, **more
    )


def letters(house, kind):
    return [one for one in house.app.portal.letters_take() if one.kind == kind]


def code_of(house):
    (letter,) = letters(house, "code")
    house.app.portal.letter_settle(letter.id, sent=True)
    return letter.values.reveal()["code"]


def enrol(house, **more):
    """Invite somebody and let them enrol; gives their proof."""
    invite(house, **more)
    (letter,) = letters(house, "invitation")
    house.app.portal.letter_settle(letter.id, sent=True)
    entry = house.portal.enrol_begin(letter.values.reveal()["key"], HOME)
    return holder_proof(house.portal.sign_in_code(entry.pending, code_of(house), HOME).secret)


def sign_in(house, address=ADDRESS):
    entry = house.portal.sign_in_begin(Phi(address), HOME)
    return holder_proof(house.portal.sign_in_code(entry.pending, code_of(house), HOME).secret)


def refused(call, *args, **more):
    with pytest.raises(KeeperError) as found:
        call(*args, **more)
    return found.value.reason, found.value.where, found.value.why


def records(house, *kinds):
    with read(house.keeper.engine) as db:
        rows = db.exec_driver_sql("SELECT kind, body FROM ledger_record ORDER BY idx").all()
    return [json.loads(body)["body"] for kind, body in rows if kind in kinds]


def wrong(code):
    return f"{(int(code) + 1) % 1_000_000:06d}"


def test_an_invited_patient_enrols_signs_in_and_sees_their_own_portal(house):
    mine = house.portal.who(enrol(house))
    assert mine.name.reveal() == "Rosa Lind"
    (seat,) = mine.seats
    assert (seat.subject, seat.own, seat.scope) == (house.subject, True, {"see", "choose", "request"})
    again = house.portal.who(sign_in(house, " rosa.lind@EXAMPLE.org"))
    assert (again.holder, again.seats, again.by) == (mine.holder, mine.seats, "code")
    assert [one["basis"] for one in records(house, "portal.invited")] == ["self"]
    assert len(records(house, "portal.enrolled")) == 1
    assert {one["kind"] for one in records(house, "letter.sent")} == {"invitation", "code"}


def test_an_invitation_takes_its_code_and_is_used_once(house):
    invite(house)
    (letter,) = letters(house, "invitation")
    key = letter.values.reveal()["key"]
    entry = house.portal.enrol_begin(key, HOME)
    first = code_of(house)
    assert refused(house.portal.sign_in_code, entry.pending, wrong(first), HOME)[0] is Reason.SIGN_IN_REFUSED
    house.portal.sign_in_code(entry.pending, first, HOME)
    assert refused(house.portal.enrol_begin, key, HOME)[0] is Reason.INVITATION_ENDED
    assert refused(house.portal.sign_in_code, entry.pending, first, HOME)[0] is Reason.SIGN_IN_REFUSED


def test_an_invitation_that_was_lost_is_sent_again_and_the_first_is_good_for_nothing(house):
    access = invite(house)
    (lost,) = letters(house, "invitation")
    house.app.portal.invite_again(access, house.staff)
    (letter,) = letters(house, "invitation")
    assert refused(house.portal.enrol_begin, lost.values.reveal()["key"], HOME)[0] is Reason.INVITATION_ENDED
    entry = house.portal.enrol_begin(letter.values.reveal()["key"], HOME)
    house.portal.sign_in_code(entry.pending, code_of(house), HOME)
    assert len(records(house, "portal.invited-again")) == 1
    assert refused(house.app.portal.invite_again, access, house.staff)[0] is Reason.CONFLICT, "they enrolled"
    assert refused(house.app.portal.invite_again, "none", house.staff)[0] is Reason.NOT_FOUND


def test_an_invitation_ends_by_time(house):
    invite(house)
    (letter,) = letters(house, "invitation")
    house.time.pass_(days=15)
    assert (
        refused(house.portal.enrol_begin, letter.values.reveal()["key"], HOME)[0] is Reason.INVITATION_ENDED
    )


def test_whatever_is_wrong_while_signing_in_is_one_answer(house):
    enrol(house)
    known = house.portal.sign_in_begin(Phi(ADDRESS), HOME)
    code = code_of(house)
    unknown = house.portal.sign_in_begin(Phi("nobody@example.org"), HOME)
    assert (known.state, len(known.pending)) == (unknown.state, len(unknown.pending))
    answers = {
        refused(house.portal.sign_in_code, known.pending, wrong(code), HOME),
        refused(house.portal.sign_in_code, unknown.pending, code, HOME),
        refused(house.portal.sign_in_code, "no such", code, HOME),
        refused(house.portal.sign_in_code, known.pending, "", HOME),
        refused(house.portal.sign_in_code, known.pending, "１２３４５６", HOME),
    }
    assert len(answers) == 1
    assert letters(house, "code") == [], "nobody is sent the other one"


def test_a_login_that_nobody_has_costs_the_same_statements(house):
    enrol(house)
    asked = []
    store = house.keeper.store
    store._db.set_trace_callback(lambda sql: asked.append(sql.split(" ")[0:3]))
    house.portal.sign_in_begin(Phi(ADDRESS), HOME)
    known, asked[:] = list(asked), []
    house.portal.sign_in_begin(Phi("nobody@example.org"), HOME)
    store._db.set_trace_callback(None)
    assert known == asked


def test_a_code_has_five_tries_over_all_codes_of_a_login(house):
    enrol(house)
    for _ in range(2):
        entry = house.portal.sign_in_begin(Phi(ADDRESS), HOME)
        code = code_of(house)
        for _ in range(3):
            refused(house.portal.sign_in_code, entry.pending, wrong(code), HOME)
    entry = house.portal.sign_in_begin(Phi(ADDRESS), HOME)
    reason, *_ = refused(house.portal.sign_in_code, entry.pending, code_of(house), HOME)
    assert reason is Reason.SIGN_IN_REFUSED, "the right code is refused while the login waits"
    house.time.pass_(minutes=61)
    sign_in(house)


def test_one_code_is_over_after_five_tries_and_after_ten_minutes(house):
    enrol(house)
    entry = house.portal.sign_in_begin(Phi(ADDRESS), HOME)
    code = code_of(house)
    house.time.pass_(minutes=11)
    assert refused(house.portal.sign_in_code, entry.pending, code, HOME)[0] is Reason.SIGN_IN_REFUSED
    entry = house.portal.sign_in_begin(Phi(ADDRESS), HOME)
    code = code_of(house)
    for _ in range(5):
        refused(house.portal.sign_in_code, entry.pending, wrong(code), HOME)
    assert house.keeper.desk.waiting.get(entry.pending) is None


def test_an_address_that_asks_for_very_many_codes_waits_and_a_mailbox_is_not_flooded(house):
    enrol(house)
    for _ in range(29):
        house.portal.sign_in_begin(Phi(ADDRESS), HOME)
    assert len(letters(house, "code")) <= 6
    assert refused(house.portal.sign_in_begin, Phi(ADDRESS), HOME)[0] is Reason.SIGN_IN_TOO_MANY
    house.portal.sign_in_begin(Phi(ADDRESS), "198.51.100.4")


def test_sessions_end_by_idling_by_their_whole_time_and_everywhere_at_once(house):
    first, second = enrol(house), sign_in(house)
    house.portal.sign_out_everywhere(first)
    assert {refused(house.portal.who, one)[0] for one in (first, second)} == {Reason.NOT_PERMITTED}
    idle = sign_in(house)
    house.time.pass_(minutes=9)
    house.portal.who(idle)
    house.time.pass_(minutes=9)
    house.portal.who(idle, used=False)
    house.time.pass_(minutes=2)
    assert refused(house.portal.who, idle)[0] is Reason.NOT_PERMITTED
    long = sign_in(house)
    for _ in range(53):
        house.time.pass_(minutes=9)
        secret = house.portal.renew(long)
        long = holder_proof(secret) if secret else long
    house.time.pass_(minutes=9)
    assert refused(house.portal.who, long)[0] is Reason.NOT_PERMITTED


def test_a_holders_session_is_none_of_staff_and_staffs_is_none_of_a_holder(house):
    mine = enrol(house)
    secret = mine["session"]
    app = house.app
    assert refused(app.session_check, proving.console_proof(secret), used=True)[0] is Reason.NOT_PERMITTED
    assert refused(house.portal.who, holder_proof(house.staff["session"]))[0] is Reason.NOT_PERMITTED
    assert refused(house.portal.who, house.staff)[0] is Reason.NOT_PERMITTED
    other = Client(Direct(house.keeper, "app"), "app", trust_anchor(house.settings))
    assert refused(other.portal.who, mine)[0] is Reason.NOT_PERMITTED, "the portal's socket alone"


@pytest.mark.parametrize("role", ["gateway", "courier", "app", "admin"])
def test_a_captured_portal_has_no_operation_of_anybody_elses(house, role):
    portal = Direct(house.keeper, "portal")
    for name in operations.TABLES[role]:
        answer = portal.request({"op": name, "args": {}})
        assert answer["refused"]["reason"] == Reason.NOT_PERMITTED.code, name
        assert answer["refused"]["where"] == "operation", name


def test_another_patients_portal_and_one_that_never_was_are_one_answer(house):
    mine = enrol(house)
    other = subject_of(house)
    enrol(house, subject=other, address="ben@example.org")
    answers = {refused(house.portal.open, subject, [], mine) for subject in (other, uuid7(), "guess")} | {
        refused(house.portal.choose, other, "HRESCH", "registry", "allowed", "seen", mine)
    }
    assert answers == {(Reason.NOT_FOUND, "subject", "there is no such")}
    assert house.portal.open(house.subject, [], mine).originals == ()


def test_a_proxy_does_what_its_scope_says_until_its_end_with_a_page_open(house):
    until = house.keeper.now_us() + 300_000_000
    proxy = enrol(house, basis="wish", scope=("see",), until_us=until)
    (seat,) = house.portal.who(proxy).seats
    assert (seat.own, seat.until_us) == (False, until)
    house.portal.open(house.subject, [], proxy)
    asked = (house.subject, "HRESCH", "registry", "not-allowed", "seen", proxy)
    assert refused(house.portal.choose, *asked)[0] is Reason.NOT_FOUND
    house.time.pass_(minutes=6)
    assert house.portal.who(proxy).seats == ()
    assert refused(house.portal.open, house.subject, [], proxy)[0] is Reason.NOT_FOUND


@pytest.mark.parametrize("restarted", [False, True])
def test_an_access_that_ended_is_not_in_force_again_when_the_clock_is_set_back(house, tmp_path, restarted):
    until = house.keeper.now_us() + 300_000_000
    proxy = enrol(house, basis="wish", scope=("see",), until_us=until)
    parent = enrol(house, basis="parent", born=Phi("2012-01-02"), address="mother@example.org")
    mine = enrol(house, address="own@example.org")
    back_s = 0.0

    def clock():
        sources = {"wall": lambda: house.time.wall_s - back_s, "monotonic": lambda: house.time.wall_s}
        return Clock(tmp_path / "clock", **sources)

    house.keeper.clock = clock()
    house.keeper.clock.persist()
    assert [len(house.portal.who(one).seats) for one in (proxy, parent, mine)] == [1, 1, 1]
    house.time.pass_(minutes=6)
    house.keeper.clock.persist()
    back_s = 330.0
    if restarted:
        house.keeper.clock = clock()
    assert [len(house.portal.who(one).seats) for one in (proxy, parent, mine)] == [0, 0, 1]
    assert refused(house.portal.open, house.subject, [], proxy)[0] is Reason.NOT_FOUND
    listed = {one.basis: one.standing for one in house.app.portal.given(house.subject, house.staff)}
    assert listed == {"self": "in-force", "wish": "unsure", "parent": "unsure"}
    house.time.pass_(minutes=6)  # as far as it had come, and the time it takes to be believed
    assert [len(house.portal.who(one).seats) for one in (proxy, parent, mine)] == [0, 1, 1]


def test_nobody_is_forgotten_for_being_past_an_end_by_a_clock_that_jumped(house):
    enrol(house, basis="wish", until_us=house.keeper.now_us() + 300_000_000)
    ahead_s = 0.0
    sources = {"wall": lambda: house.time.wall_s + ahead_s, "monotonic": lambda: house.time.wall_s}
    house.keeper.clock = Clock(**sources)

    def kept():
        giving.keep_up(house.keeper)
        return house.keeper.store.one("SELECT COUNT(*) FROM holder")[0]

    ahead_s = 3_600.0
    assert [one.standing for one in house.app.portal.given(house.subject, house.staff)] == ["late"]
    assert kept() == 1
    house.time.pass_(minutes=6)  # it runs evenly: it was no mistake
    assert kept() == 0


def test_a_parents_access_ends_when_the_child_comes_of_age(house):
    for born in (None, Phi("2012-01-01")):
        assert refused(invite, house, basis="parent", born=born)[:2] == (Reason.INPUT_INVALID, "born")
    proxy = enrol(house, basis="parent", born=Phi("2012-01-02"))  # the clock stands at 1 January 2030
    assert len(house.portal.who(proxy).seats) == 1
    house.time.pass_(hours=10)
    assert house.portal.who(sign_in(house)).seats == (), "in Kiribati it is the second already"


def test_the_patient_ends_a_proxy_and_a_proxy_ends_nobody_else(house):
    mine = enrol(house)
    proxy = enrol(house, basis="wish", address="friend@example.org")
    (seat,) = house.portal.who(proxy).seats
    (own,) = house.portal.who(mine).seats
    assert refused(house.portal.access_end, own.access, proxy)[0] is Reason.NOT_FOUND
    house.portal.access_end(seat.access, mine)
    assert refused(house.portal.who, proxy)[0] is Reason.NOT_PERMITTED, "nothing is left of who had one seat"
    assert [one["why"] for one in records(house, "portal.access-ended")] == ["own-word"]


def test_what_is_hidden_shows_nothing_and_may_be_given_again(house):
    mine = enrol(house)
    (seat,) = house.portal.who(mine).seats
    house.portal.access_hide(seat.access, mine)
    assert house.portal.who(mine).seats == ()
    assert [one.standing for one in house.app.portal.given(house.subject, house.staff)] == ["hidden"]
    invite(house)
    assert len(house.portal.who(mine).seats) == 1


def test_staff_list_and_end_and_a_death_ends_all(house):
    enrol(house)
    enrol(house, basis="wish", address="friend@example.org")
    first, second = sorted(house.app.portal.given(house.subject, house.staff), key=lambda one: one.basis)
    assert (first.own, first.standing, first.enrolled, second.basis) == (True, "in-force", True, "wish")
    house.app.portal.end(first.access, "death", house.staff)
    assert {one.standing for one in house.app.portal.given("", house.staff)} == {"ended"}
    assert house.keeper.store.rows("SELECT id FROM holder") == []
    assert refused(house.app.portal.end, "none", "staff", house.staff)[0] is Reason.NOT_FOUND


def test_who_may_not_give_access_does_not(house):
    house.person("p-nurse", Role.CLINICIAN)
    step, _ = house.enrol("p-nurse")
    nurse = proving.console_proof(step.secret)
    asked = (house.subject, Phi("X"), Phi("x@example.org"), nurse)
    assert refused(house.app.portal.invite, *asked)[0] is Reason.ACCESS_ROLE
    house.time.pass_(minutes=11)
    assert refused(invite, house)[0] is Reason.ACCESS_STEP_UP


@pytest.mark.parametrize(
    ("more", "where"),
    [
        ({"address": "no address"}, "address"),
        ({"address": "a@b\r\nBcc: c@d"}, "holder address"),
        ({"basis": "cousin"}, "access"),
        ({"scope": ("choose",)}, "access"),
        ({"born": Phi("tomorrow")}, "born"),
        ({"language": "EN"}, "language"),
        ({"until_us": 1}, "access"),
    ],
    ids=str,
)
def test_an_invitation_that_cannot_be_meant_is_refused(house, more, where):
    reason, place, _ = refused(invite, house, **more)
    assert (reason, place.endswith(where)) == (Reason.INPUT_INVALID, True)
    assert house.keeper.store.rows("SELECT id FROM holder") == []


def test_a_patient_has_one_access_of_their_own(house):
    enrol(house)
    assert refused(invite, house, address="thief@example.org")[0] is Reason.CONFLICT


def test_erasing_a_patient_ends_accesses_and_leaves_nothing_of_a_holder(house):
    mine = enrol(house)
    erase(house.keeper, house.subject, "gdpr.art17", BY)
    assert refused(house.portal.who, mine)[0] is Reason.NOT_PERMITTED
    for table in ("holder", "holder_seat", "holder_invitation", "letter"):
        assert house.keeper.store.rows(f"SELECT * FROM {table}") == []
    assert [one["why"] for one in records(house, "portal.access-ended")] == ["erased"]
    erase(house.keeper, house.subject, "gdpr.art17", BY)
    assert refused(invite, house)[0] is Reason.KEY_DESTROYED


def test_a_holder_with_another_seat_stays_when_one_patient_is_erased(house):
    proxy = enrol(house, basis="wish")
    other = subject_of(house)
    invite(house, subject=other, basis="wish")
    assert [one.values.reveal() for one in letters(house, "notice")] == [{"about": "seat"}]
    erase(house.keeper, house.subject, "gdpr.art17", BY)
    assert [one.subject for one in house.portal.who(proxy).seats] == [other]


def test_an_old_copy_of_the_store_shows_nothing_of_who_was_erased(house):
    """As after a restore: the seat is back, the tombstone stands."""
    mine = enrol(house)
    store = house.keeper.store
    rows = store.rows("SELECT * FROM holder_seat"), store.rows("SELECT * FROM holder")
    erase(house.keeper, house.subject, "gdpr.art17", BY)
    store.many("INSERT INTO holder_seat VALUES (?, ?, ?, ?)", rows[0])
    store.many("INSERT INTO holder VALUES (?, ?, ?, ?, ?, ?)", rows[1])
    assert refused(house.portal.open, house.subject, [], mine)[0] is Reason.NOT_PERMITTED
    giving.keep_up(house.keeper)
    assert store.rows("SELECT id FROM holder") == []


def test_a_passkey_signs_in_at_the_portal_and_nowhere_else(house):
    mine = enrol(house)
    key = Authenticator(origin="https://patients.example", host="patients.example")
    ceremony, options = house.portal.passkey_enrol_begin(mine)
    house.portal.passkey_enrol_finish(ceremony, key.create(options), "phone", mine)
    assert house.portal.who(mine).passkeys == 1
    ceremony, options = house.portal.passkey_begin()
    entry = house.portal.passkey_finish(ceremony, key.get(options), HOME)
    assert house.portal.who(holder_proof(entry.secret)).by == "passkey"
    ceremony, options = house.people.passkey_begin()
    found = refused(house.people.passkey_finish, ceremony, key.get(options), HOME)
    assert found[0] is Reason.SIGN_IN_REFUSED
    wrong_place = Authenticator(origin="http://localhost:2579", host="localhost")
    ceremony, options = house.portal.passkey_enrol_begin(mine)
    assert [data(one["id"]) for one in options["excludeCredentials"]] == [key.id], "none is made over another"
    answer = refused(house.portal.passkey_enrol_finish, ceremony, wrong_place.create(options), "x", mine)
    assert answer[0] is Reason.PASSKEY_REFUSED


def test_no_name_address_or_code_stands_anywhere_in_clear(house):
    mine = enrol(house)
    house.portal.language("es", mine)
    entry = house.portal.sign_in_begin(Phi(ADDRESS), HOME)
    (letter,) = letters(house, "code")
    code = letter.values.reveal()["code"]
    assert letter.language == "es"
    words = [b"Rosa", b"Lind", b"rosa.lind", b"Rosa.Lind"]
    stored = house.keeper.store.path.read_bytes()
    with read(house.keeper.engine) as db:
        rows = db.exec_driver_sql("SELECT body FROM ledger_record").all()
        rows += db.exec_driver_sql(f"SELECT body FROM authority WHERE kind = '{ACCESS}'").all()
    ledger = b"".join(body if isinstance(body, bytes) else body.encode() for (body,) in rows)
    for word in words:
        assert word not in stored
        assert word not in ledger
    assert code.encode() not in stored
    house.portal.sign_in_code(entry.pending, code, HOME)


def test_a_letter_is_tried_a_few_times_and_then_given_up(house):
    invite(house)
    tries = 0
    for _ in range(10):
        for letter in letters(house, "invitation"):
            tries += 1
            house.app.portal.letter_settle(letter.id, sent=False)
        assert letters(house, "invitation") == [], "not due yet"
        house.time.pass_(minutes=30)
    assert tries == 5
    assert [one["kind"] for one in records(house, "letter.given-up")] == ["invitation"]


def test_an_access_that_was_changed_in_the_database_gives_nothing(house):
    mine = enrol(house)
    forge(house)
    answer = Direct(house.keeper, "portal").request(
        {"op": "portal_who", "args": {"used": True, "proof": mine}}
    )
    assert answer["refused"]["reason"] == Reason.SIGNATURE_INVALID.code


def forge(house):
    """Change every access in the database."""
    path = house.settings.database_url.removeprefix("sqlite:///")
    db = sqlite3.connect(path)
    (body,) = db.execute("SELECT body FROM authority WHERE kind = ?", (ACCESS,)).fetchone()
    forged = orjson.dumps(orjson.loads(body) | {"subject": "another"}, option=orjson.OPT_SORT_KEYS)
    db.execute("UPDATE authority SET body = ? WHERE kind = ?", (forged, ACCESS))
    db.commit()
    db.close()


def test_an_access_that_was_changed_keeps_the_keeper_from_nothing_else_in_its_house(house, monkeypatch):
    enrol(house)
    forge(house)
    done = []
    for part in (reports, requests, backups):
        monkeypatch.setattr(part, "keep_up", lambda *_, name=part.__name__: done.append(name))
    monkeypatch.setattr(house.keeper, "record_erasures", lambda: done.append("erasures"))
    with write(house.keeper.engine) as db:
        deaths.take(db, house.keeper.site, house.subject, dead=True, at_us=house.keeper.now_us(), message="m")
    kept = Housekeeping(house.keeper)
    kept.turn(last=True)
    assert len(done) == 4
    assert kept.problem.reason is Reason.SIGNATURE_INVALID, "and it says so"


def test_letters_do_not_wait_in_memory(house):
    """What was taken and never settled is due again: the process that sends may die."""
    invite(house)
    assert len(letters(house, "invitation")) == 1
    assert letters(house, "invitation") == []
    house.time.pass_(seconds=61)
    assert len(letters(house, "invitation")) == 1


def test_holders_who_look_all_day_are_limited_themselves_and_shut_nobody_out(house):
    limits = replace(house.keeper.settings.keeper, openings_per_hour_max=3)
    portal = replace(house.keeper.settings.portal, openings_per_hour_max=5)
    house.keeper.settings = replace(house.keeper.settings, keeper=limits, portal=portal)
    mine = enrol(house)
    for _ in range(5):
        house.portal.open(house.subject, [], mine)
    assert refused(house.portal.open, house.subject, [], mine)[0] is Reason.RATE_OF_OPENING
    other = enrol(house, basis="wish", address="friend@example.org")
    house.portal.open(house.subject, [], other)
    for person in ("p-nurse", "p-doctor", "p-night"):
        allowing.count(house.keeper, person, 1)
    with pytest.raises(KeeperError):
        allowing.count(house.keeper, "p-fourth", 1)
    house.time.pass_(minutes=61)
    house.portal.open(house.subject, [], sign_in(house))
