"""Promises of the keeper about patients: who cares opens, on record and within limits; to others nobody is there."""

import json
import statistics
import time

import pytest
from tests.care import adt, peopled, person
from tests.site import Site, bundle, local
from tests.wire import oru

from oathward.core.db import read, write
from oathward.core.errors import KeeperError
from oathward.core.ids import uuid7
from oathward.core.labels import Role
from oathward.core.phi import Phi
from oathward.core.reasons import Reason
from oathward.gateway.arrival import Arrival
from oathward.gateway.commit import commit_group
from oathward.gateway.path import handle
from oathward.gateway.wires import HL7V2
from oathward.inventory.model import Peer
from oathward.patients import actions as patients
from oathward.vault.care_rows import Assignment
from oathward.vault.keeper import client
from oathward.vault.keeper.proof import admin_proof

HERE = Peer("127.0.0.1", None, ())
PEOPLE = [
    (person("p-nurse", units={"HOSP|ICU"}), [Role.CLINICIAN]),
    (person("p-ward", units={"HOSP|WARD"}), [Role.CLINICIAN]),
    (person("p-doctor", staff_ids={"HOSP|D1"}), [Role.CLINICIAN]),
    (person("p-privacy"), [Role.PRIVACY_OFFICER]),
    (person("p-privacy-2"), [Role.PRIVACY_OFFICER]),
    (person("p-auditor"), [Role.AUDITOR]),
    (person("p-admin"), [Role.ADMINISTRATOR]),
    (person("p-vendor", makes={"Acme"}), [Role.VENDOR_USER]),
    (person("p-nobody"), []),
    (person("p-ward-privacy", units={"HOSP|ICU"}), [Role.CLINICIAN, Role.PRIVACY_OFFICER]),
]


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    more = "[keeper]\nopenings_per_person_per_hour_max = 1000\nopenings_per_hour_max = 100000\n"
    site = Site.make(tmp_path_factory.mktemp("s"), more=more)
    site.activate(bundle({"ehr": "mllp://127.0.0.1:9"}))
    site.add(local("adt-1", "ADT1", kind="registration", authoritative_adt=True), local("mon-1", "MON1"))
    with peopled(site, PEOPLE) as found:
        yield found


@pytest.fixture
def mrn():
    return f"7{uuid7().replace('-', '')[-9:]}".upper()


def take(world, raw):
    prepared = handle(world.gate, Arrival(uuid7(), raw, HERE, world.gate.now_us(), HL7V2))
    commit_group(world.gate, [prepared])
    assert world.gate.trouble == "", world.gate.trouble
    world.gate.refresh()
    return prepared.message


def admitted(world, mrn, values=("72", "75")):
    subject = take(world, adt("A01", said="20260504080000", mrn=mrn)).subject
    return subject, [take(world, oru(f"{mrn}-{v}", mrn=mrn, value=v)).id for v in values]


def refused(call):
    with pytest.raises(KeeperError) as found:
        call()
    return found.value.reason, found.value.where, found.value.why


def find(world, who, mrn, purpose="TREAT"):
    return world.app.patients.find(Phi(mrn), "HOSP", "MR", purpose, world.enter(who))


def open_(world, who, subject, *, after="", limit=100, purpose="TREAT"):
    return world.app.patients.open(subject, after, limit, purpose, world.enter(who))


def open_message(world, who, message, purpose="TREAT", reason=""):
    return world.app.patients.open_message(message, purpose, reason, world.enter(who))


def records(world, *kinds):
    with read(world.gate.engine) as db:
        marks = ", ".join(f"'{kind}'" for kind in kinds)
        rows = db.exec_driver_sql(f"SELECT body FROM ledger_record WHERE kind IN ({marks}) ORDER BY idx")
        return [json.loads(body) for (body,) in rows]


def test_who_cares_finds_and_opens_and_the_record_says_why(world, mrn):
    subject, messages = admitted(world, mrn)
    assert find(world, "p-nurse", mrn) == subject
    opened = open_(world, "p-nurse", subject)
    assert [o.message for o in opened.originals][-2:] == messages, "oldest first"
    assert b"|75|" in opened.originals[-1].data.reveal()
    assert (opened.relation.basis, opened.relation.unit, opened.more) == ("unit", "HOSP|ICU", False)
    record = records(world, "keeper.opened")[-1]
    assert record["subject"] == subject
    said = record["body"]
    assert (said["person"], said["purpose"], said["basis"], said["unit"]) == (
        "p-nurse",
        "TREAT",
        "unit",
        "HOSP|ICU",
    )
    assert (said["opened"], said["last"]) == (3, messages[-1])
    sought = records(world, "patient.sought")[-1]
    assert (sought["body"]["told"], sought["subject"]) == (True, subject)
    assert mrn not in json.dumps(records(world, "keeper.opened", "patient.sought"))


def test_the_newest_come_first_and_older_ones_are_told_of(world, mrn):
    subject, messages = admitted(world, mrn, [str(60 + n) for n in range(6)])
    opened = open_(world, "p-doctor", subject, limit=4)
    assert [o.message for o in opened.originals] == messages[-4:]
    assert opened.more
    assert [o.message for o in open_(world, "p-doctor", subject, after=messages[3]).originals] == messages[4:]


def test_care_that_ended_opens_nothing_from_that_commit_on(world, mrn):
    subject, (message, _) = admitted(world, mrn)
    assert open_message(world, "p-nurse", message)[0].data.reveal().startswith(b"MSH")
    take(world, adt("A02", said="20260504090000", mrn=mrn, place="WARD^1^A^HOSP"))
    for call in (lambda: open_(world, "p-nurse", subject), lambda: open_message(world, "p-nurse", message)):
        assert refused(call)[0] is Reason.ACCESS_RELATION
    assert find(world, "p-nurse", mrn) == ""
    assert open_(world, "p-ward", subject).originals
    take(world, adt("A03", said="20260504100000", mrn=mrn))
    assert {refused(lambda w=w: open_(world, w, subject))[0] for w in ("p-ward", "p-doctor")} == {
        Reason.ACCESS_RELATION
    }


WHO_ELSE = {
    "p-ward": Reason.ACCESS_RELATION,
    "p-auditor": Reason.ACCESS_ROLE,
    "p-admin": Reason.ACCESS_ROLE,
    "p-vendor": Reason.ACCESS_ROLE,
    "p-nobody": Reason.ACCESS_ROLE,
    "p-privacy": Reason.ACCESS_ROLE,
}


@pytest.mark.parametrize("who", sorted(WHO_ELSE))
def test_to_others_a_patient_looks_like_one_that_never_was(world, mrn, who):
    subject, (message, _) = admitted(world, mrn)
    nowhere, no_message = uuid7(), uuid7()
    assert refused(lambda: open_(world, who, subject)) == refused(lambda: open_(world, who, nowhere))
    assert refused(lambda: open_message(world, who, message)) == refused(
        lambda: open_message(world, who, no_message)
    )
    denied = records(world, "access.denied")[-1]
    assert denied["body"]["person"] == who
    assert subject not in json.dumps(denied["body"])
    if who == "p-ward":
        assert find(world, who, mrn) == find(world, who, "999") == ""
    else:
        assert refused(lambda: find(world, who, mrn)) == refused(lambda: find(world, who, "999"))


def test_guessing_numbers_takes_as_long_for_somebody_as_for_nobody(world, mrn):
    admitted(world, mrn)
    proof = world.enter("p-ward")

    def took_s(number):
        start_s = time.perf_counter()
        assert world.app.patients.find(Phi(number), "HOSP", "MR", "TREAT", proof) == ""
        return time.perf_counter() - start_s

    pairs = [(took_s(mrn), took_s(f"9{n:08}")) for n in range(40)]
    there, absent = (statistics.median(column) for column in zip(*pairs, strict=True))
    assert 0.6 < there / absent < 1.67, (there, absent)


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        ({"purpose": "FUN"}, Reason.INPUT_INVALID),
        ({"purpose": "HRESCH"}, Reason.ACCESS_ROLE),
        ({"purpose": "BTG"}, Reason.ACCESS_ROLE),
        ({"limit": 501}, Reason.INPUT_INVALID),
        ({"limit": 0}, Reason.INPUT_INVALID),
        ({"after": "x" * 65}, Reason.INPUT_INVALID),
    ],
)
def test_what_is_asked_for_must_be_what_it_may_be(world, mrn, more, reason):
    subject, _ = admitted(world, mrn)
    assert refused(lambda: open_(world, "p-nurse", subject, **more))[0] is reason


@pytest.mark.parametrize(
    ("proof", "reason"),
    [
        ({}, Reason.NOT_PERMITTED),
        ({"kind": "console", "session": "x" * 43}, Reason.NOT_PERMITTED),
        ({"kind": "admin", "person": "p-nurse"}, Reason.NOT_PERMITTED),
    ],
)
def test_nobody_opens_without_a_session(world, mrn, proof, reason):
    subject, _ = admitted(world, mrn)
    assert refused(lambda: world.app.patients.open(subject, "", 10, "TREAT", proof))[0] is reason
    assert refused(lambda: world.app.patients.find(Phi(mrn), "HOSP", "MR", "TREAT", proof))[0] is reason


def test_a_session_for_looking_only_or_without_a_second_factor_opens_nothing(world, mrn):
    subject, _ = admitted(world, mrn)
    for more, reason in (({"acts": False}, Reason.NOT_PERMITTED), ({"strong": False}, Reason.ACCESS_FACTOR)):
        proof = world.enter("p-nurse", **more)
        assert refused(lambda p=proof: world.app.patients.open(subject, "", 10, "TREAT", p))[0] is reason


def test_who_left_opens_nothing(world, mrn):
    from tests.care import found

    subject, _ = admitted(world, mrn)
    leaver = person("p-leaver", units={"HOSP|ICU"})
    found(world.keeper, [(leaver, [Role.CLINICIAN])])
    proof = world.enter("p-leaver")
    assert world.app.patients.open(subject, "", 10, "TREAT", proof).originals
    gone = person("p-leaver", units={"HOSP|ICU"}, state="left")
    found(world.keeper, [(gone, [Role.CLINICIAN])])
    assert (
        refused(lambda: world.app.patients.open(subject, "", 10, "TREAT", proof))[0] is Reason.NOT_PERMITTED
    )


def test_a_forged_stay_opens_nothing(world, mrn):
    """A captured console writes rows into the database: the keeper believes none of them."""
    subject, _ = admitted(world, mrn)
    with write(world.gate.engine) as db:
        db.exec_driver_sql(f"UPDATE care_stay SET unit = 'HOSP|WARD' WHERE subject = '{subject}'")
    assert refused(lambda: open_(world, "p-ward", subject))[0] is Reason.ACCESS_RELATION


def test_another_patients_messages_are_never_among_them(world, mrn):
    subject, _ = admitted(world, mrn)
    other, theirs = admitted(world, f"{mrn[:-1]}X")
    got = open_(world, "p-nurse", subject).originals
    assert {o.subject for o in got} == {subject} != {other}
    assert not {o.message for o in got} & set(theirs)


def test_what_was_kept_before_a_merge_is_of_the_patient_too(world, mrn):
    subject, messages = admitted(world, mrn)
    second, later = admitted(world, f"{mrn[:-1]}X")
    take(world, adt("A40", said="20260504083000", mrn=f"{mrn[:-1]}X", mrg=mrn))
    for one in (subject, second):
        assert {*messages, *later} <= {o.message for o in open_(world, "p-nurse", one).originals}


def test_for_treatment_what_is_held_stays_shut_and_a_privacy_officer_looks_into_it(world, mrn):
    admitted(world, mrn)
    held = take(world, oru(f"{mrn}-h", mrn=mrn, sender="STRANGER")).id
    assert refused(lambda: open_message(world, "p-nurse", held))[0] is Reason.ACCESS_RELATION
    for nothing in ("", " "):
        without = refused(lambda: open_message(world, "p-privacy", held, "HOPERAT", nothing))  # noqa: B023  called at once
        assert without[0] is Reason.INPUT_INVALID
    opened = open_message(world, "p-privacy", held, "HOPERAT", "a complaint")
    assert opened[0].purpose == "quarantine"
    assert records(world, "keeper.opened")[-1]["body"]["reason"] == "a complaint"
    assert refused(lambda: open_message(world, "p-privacy", uuid7(), "HOPERAT", "x"))[0] is Reason.NOT_FOUND


def test_an_erased_patient_is_gone(world, mrn):
    subject, _ = admitted(world, mrn)
    from oathward.vault.keeper import subjects

    subjects.erase(world.keeper.store, world.keeper.site, subject, "test", world.keeper.now_us())
    with write(world.gate.engine) as db:
        patients.forget(db, world.gate.site, subject, source="test", now_us=world.gate.now_us())
    assert refused(lambda: open_(world, "p-nurse", subject))[0] is Reason.ACCESS_RELATION
    assert find(world, "p-nurse", mrn) == ""


@pytest.fixture
def few(world, monkeypatch):
    """A limit of two openings for somebody who opened none before."""
    import dataclasses

    keeper = dataclasses.replace(world.keeper.settings.keeper, openings_per_person_per_hour_max=2)
    settings = dataclasses.replace(world.keeper.settings, keeper=keeper)
    monkeypatch.setattr(world.keeper, "settings", settings)
    world.keeper.store.rows("DELETE FROM opening")
    world.keeper.store.rows("DELETE FROM opening_ask")


def test_above_the_limit_another_person_allows_as_much_again(world, mrn, few):
    subject, _ = admitted(world, mrn)
    nurse = world.enter("p-nurse")

    def once():
        return world.app.patients.open(subject, "", 10, "TREAT", nurse)

    assert once().originals
    assert find(world, "p-nurse", mrn) == subject
    assert refused(once)[0] is Reason.RATE_OF_OPENING
    assert records(world, "keeper.refused")[-1]["body"]["why"] == Reason.RATE_OF_OPENING.code
    id_ = world.app.patients.ask("a full ward", nurse)
    waiting = world.app.patients.asked(world.enter("p-privacy"))
    assert [(a.id, a.reason, a.own) for a in waiting] == [(id_, "a full ward", False)]
    assert [a.own for a in world.app.patients.asked(nurse)] == [True]
    assert world.app.patients.asked(world.enter("p-ward")) == []
    assert refused(once)[0] is Reason.RATE_OF_OPENING, "asking alone helps nothing"
    world.app.patients.allow(id_, world.enter("p-privacy"))
    assert once().originals
    assert once().originals
    assert refused(once)[0] is Reason.RATE_OF_OPENING
    allowed = records(world, "opening.allowed")[-1]["body"]
    assert (allowed["by"], allowed["person"]) == ("p-privacy", "p-nurse")
    assert refused(lambda: world.app.patients.allow(id_, world.enter("p-privacy-2")))[0] is Reason.NOT_FOUND


def test_an_allowance_ends_after_an_hour(world, mrn, few):
    subject, _ = admitted(world, mrn)
    id_ = world.app.patients.ask("a full ward", world.enter("p-nurse"))
    world.app.patients.allow(id_, world.enter("p-privacy"))
    world.keeper.store.rows("UPDATE opening_ask SET until_us = 1")
    assert [bool(open_(world, "p-nurse", subject).originals) for _ in range(2)] == [True, True]
    assert refused(lambda: open_(world, "p-nurse", subject))[0] is Reason.RATE_OF_OPENING


@pytest.mark.parametrize(
    ("asker", "allower", "reason"),
    [
        ("p-ward-privacy", "p-ward-privacy", Reason.ACCESS_OWN),
        ("p-nurse", "p-nurse", Reason.ACCESS_ROLE),
        ("p-nurse", "p-ward", Reason.ACCESS_ROLE),
        ("p-nurse", "p-admin", Reason.ACCESS_ROLE),
        ("p-nurse", "p-auditor", Reason.ACCESS_ROLE),
    ],
)
def test_nobody_is_their_own_second_person_nor_is_just_anybody(world, few, asker, allower, reason):
    id_ = world.app.patients.ask("x", world.enter(asker))
    assert refused(lambda: world.app.patients.allow(id_, world.enter(allower)))[0] is reason
    assert world.keeper.store.one("SELECT state FROM opening_ask WHERE id = ?", id_) == ("waiting",)


def test_allowing_takes_a_fresh_proof(world, few):
    id_ = world.app.patients.ask("x", world.enter("p-nurse"))
    from oathward.vault.keeper.proof import console_proof
    from oathward.vault.keeper.sign_in.sessions import Visitor

    visitor = Visitor(name="p", by="test", person_id="p-privacy")
    secret, session = world.keeper.sessions.open(visitor)
    session.proved_s -= 10_000
    assert refused(lambda: world.app.patients.allow(id_, console_proof(secret)))[0] is Reason.ACCESS_STEP_UP


def test_a_site_without_people_opens_nothing(tmp_path):
    site = Site.make(tmp_path / "s")
    with peopled(site, []) as bare:
        bare.keeper.store.set_meta("founded", "")
        from oathward.vault.keeper.proof import console_proof
        from oathward.vault.keeper.sign_in.sessions import Visitor

        secret, _ = bare.keeper.sessions.open(Visitor(name="Dana", by="test"))
        for call in (
            lambda: bare.app.patients.open(uuid7(), "", 10, "TREAT", console_proof(secret)),
            lambda: bare.app.patients.find(Phi("1"), "HOSP", "MR", "TREAT", console_proof(secret)),
            lambda: bare.app.patients.open_message(uuid7(), "TREAT", "", console_proof(secret)),
        ):
            assert refused(call)[0] in {Reason.ACCESS_ROLE, Reason.NOT_PERMITTED}


@pytest.mark.parametrize(
    ("who", "reason"),
    [
        ("p-admin", None),
        ("p-privacy", None),
        ("p-nurse", Reason.ACCESS_ROLE),
        ("p-auditor", Reason.ACCESS_ROLE),
        ("p-integration", Reason.NOT_PERMITTED),
        ("", Reason.ACCESS_SIGN_IN),
        ("p-ward-privacy", Reason.ACCESS_OWN),
    ],
)
def test_who_cares_for_whom_is_said_by_those_who_may_and_nobody_gives_it_to_themselves(world, who, reason):
    cared_by = "p-ward-privacy" if who == "p-ward-privacy" else "p-ward"
    row = Assignment("a-1", cared_by, "HOSP|ICU", "", 0, 1, "test")
    with client.connect(world.site.settings, "admin", become=False) as admin:
        proof = world.enter(who) if who else admin_proof("root")
        if reason is None:
            assert admin.patients.stamp([row], proof)[0][0] == row
            assert records(world, "care.assigned")[-1]["body"]["people"] == ["p-ward"]
        else:
            assert refused(lambda: admin.patients.stamp([row], proof))[0] is reason
