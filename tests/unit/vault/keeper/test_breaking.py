"""Promises of breaking the glass: what is withheld opens for minutes, to one person, seen; nothing else opens by it."""

import json
import threading

import pytest
from tests.care import adt, found, peopled, person
from tests.site import Site, bundle, local
from tests.wire import oru

from oathward.consent import actions as consents
from oathward.consent.model import canonical, statement
from oathward.core.db import read, write
from oathward.core.errors import KeeperError
from oathward.core.ids import uuid7
from oathward.core.labels import CARE_PURPOSES, Role
from oathward.core.phi import Phi
from oathward.core.reasons import Reason
from oathward.gateway.arrival import Arrival
from oathward.gateway.commit import commit_group
from oathward.gateway.path import handle
from oathward.gateway.wires import HL7V2
from oathward.inventory.model import Peer
from oathward.policy.glass import REASONS
from oathward.vault.keeper import glasses, patient_opening, proof
from oathward.vault.keeper.signing import Wanted, confirm_stored, sign

HERE = Peer("127.0.0.1", None, ())
PEOPLE = [
    (person("p-nurse", units={"HOSP|ICU"}), [Role.CLINICIAN]),
    (person("p-nurse-2", units={"HOSP|ICU"}), [Role.CLINICIAN]),
    (person("p-ward", units={"HOSP|WARD"}), [Role.CLINICIAN]),
    (person("p-privacy"), [Role.PRIVACY_OFFICER]),
    (person("p-both", units={"HOSP|ICU"}), [Role.CLINICIAN, Role.PRIVACY_OFFICER]),
    (person("p-auditor"), [Role.AUDITOR]),
    (person("p-admin"), [Role.ADMINISTRATOR]),
]
DAILY = 3


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    more = "[keeper]\nopenings_per_person_per_hour_max = 1000\n[breakglass]\nminutes_max = 30\noften_per_day = 3\n"
    site = Site.make(tmp_path_factory.mktemp("s"), more=more)
    site.activate(bundle({"ehr": "mllp://127.0.0.1:9"}))
    site.add(local("adt-1", "ADT1", kind="registration", authoritative_adt=True), local("mon-1", "MON1"))
    with peopled(site, PEOPLE) as world:
        yield world


@pytest.fixture
def mrn():
    return f"7{uuid7().replace('-', '')[-9:]}".upper()


@pytest.fixture(autouse=True)
def nothing_stands(world):
    """Each begins with no glass broken and nobody's day used up."""
    world.keeper.store.rows("DELETE FROM glass")
    world.keeper.glasses.clear()


def take(world, raw):
    prepared = handle(world.gate, Arrival(uuid7(), raw, HERE, world.gate.now_us(), HL7V2))
    commit_group(world.gate, [prepared])
    assert world.gate.trouble == "", world.gate.trouble
    world.gate.refresh()
    return prepared.message


def admitted(world, mrn):
    subject = take(world, adt("A01", said="20260504080000", mrn=mrn)).subject
    return subject, take(world, oru(f"{mrn}-o", mrn=mrn, value="72")).id


def says(world, subject, *statements):
    """Have what a patient says signed and stored."""
    wanted = [Wanted("consent", subject, 0, canonical(subject, statements))]
    documents = sign(world.keeper, wanted, [proof.Person("test", "test")])
    with write(world.keeper.engine) as db:
        consents.store(db, world.keeper.site, documents, by="test", now_us=world.keeper.now_us())
    confirm_stored(world.keeper)


def no(recipients=("house",), classes=("*",), purposes=("TREAT",), **more):
    return statement(permit=False, purposes=purposes, recipients=recipients, classes=classes, **more)


def open_(world, proof_, subject):
    return world.app.patients.open(subject, "", 100, "TREAT", proof_)


def read_(world, proof_, message):
    return world.app.patients.open_message(message, "TREAT", "", proof_)


def begin(world, proof_, subject, *, code="life-threat", words="no pulse", minutes=10, once=""):
    return world.app.glass.begin(subject, code, Phi(words), minutes, once or uuid7(), proof_)


def refused(call):
    with pytest.raises(KeeperError) as found:
        call()
    return found.value.reason


def records(world, *kinds):
    with read(world.gate.engine) as db:
        marks = ", ".join(f"'{kind}'" for kind in kinds)
        rows = db.exec_driver_sql(f"SELECT body FROM ledger_record WHERE kind IN ({marks}) ORDER BY idx")
        return [json.loads(body) for (body,) in rows]


@pytest.mark.parametrize(
    ("said", "shown", "card"),
    [
        (no(), False, False),
        (no(recipients=()), False, False),
        (no(purposes=()), False, False),
        (no(recipients=("ehr",)), True, True),
        (no(purposes=("HRESCH",)), True, True),
        (no(classes=("observation.value",)), False, True),
        (no(classes=("attachment",)), True, True),
        (no(end_us=1), True, True),
        (no(start_us=1 << 60), True, True),
    ],
)
def test_what_a_patient_denies_the_house_is_withheld_and_nothing_else(world, mrn, said, shown, card):
    subject, message = admitted(world, mrn)
    nurse = world.enter("p-nurse")
    assert not open_(world, nurse, subject).withheld
    says(world, subject, said)
    opened = open_(world, nurse, subject)
    assert (message in {one.message for one in opened.originals}) is shown
    assert (opened.card is not None) is card
    assert opened.withheld is not (shown and card)
    if not shown:
        assert refused(lambda: read_(world, nurse, message)) is Reason.WITHHELD
    else:
        assert read_(world, nurse, message)


def test_consents_that_do_not_verify_withhold_everything(world, mrn):
    subject, _ = admitted(world, mrn)
    says(world, subject, no(recipients=("ehr",)))
    with write(world.gate.engine) as db:
        db.exec_driver_sql(f"DELETE FROM consent_fact WHERE subject = '{subject}'")
    opened = open_(world, world.enter("p-nurse"), subject)
    assert (opened.originals, opened.card, opened.withheld) == ((), None, True)


def test_facts_that_are_gone_withhold_the_message(world, mrn):
    subject, message = admitted(world, mrn)
    with write(world.gate.engine) as db:
        db.exec_driver_sql(f"UPDATE ledger_record SET message = 'x' WHERE message = '{message}'")
    opened = open_(world, world.enter("p-nurse"), subject)
    assert opened.withheld
    assert message not in {one.message for one in opened.originals}


def test_a_keeper_that_cannot_read_consents_withholds(world, mrn, monkeypatch):
    subject, _ = admitted(world, mrn)
    monkeypatch.setattr(world.keeper, "register", None)
    assert open_(world, world.enter("p-nurse"), subject).originals == ()


@pytest.mark.parametrize("purpose", sorted(CARE_PURPOSES))
def test_no_purpose_of_care_is_a_way_round_the_glass(world, mrn, monkeypatch, purpose):
    """A site's policy may let clinicians ask for another purpose of care; what is withheld is withheld of it too."""
    subject, message = admitted(world, mrn)
    says(world, subject, no())
    nurse = world.enter("p-nurse")
    monkeypatch.setattr(patient_opening.roles, "permit", lambda *_, **__: None)
    opened = world.app.patients.open(subject, "", 100, purpose, nurse)
    assert (opened.originals, opened.card, opened.withheld) == ((), None, True)
    with pytest.raises(KeeperError) as found:
        world.app.patients.open_message(message, purpose, "", nurse)
    assert found.value.reason is Reason.WITHHELD


def test_broken_glass_opens_all_of_it_and_each_record_says_so(world, mrn):
    subject, message = admitted(world, mrn)
    says(world, subject, no())
    nurse = world.enter("p-nurse")
    glass = begin(world, nurse, subject, words="Zebulonova does not breathe")
    assert (glass.person, glass.purpose, 0 < glass.left_s <= 600) == ("p-nurse", "ETREAT", True)
    opened = open_(world, nurse, subject)
    assert message in {one.message for one in opened.originals}
    assert (opened.card is not None, opened.withheld) == (True, False)
    assert read_(world, nurse, message)
    told = records(world, "keeper.opened")[-1]["body"]
    assert (told["purpose"], told["basis"], told["glass"]) == ("ETREAT", "break-glass", glass.id)
    begun = records(world, "breakglass.begun")[-1]
    assert (begun["subject"], begun["body"]["code"], begun["body"]["person"]) == (
        subject,
        "life-threat",
        "p-nurse",
    )
    assert "Zebulonova" not in json.dumps(records(world, "breakglass.begun", "keeper.opened"))
    assert [one.id for one in world.app.glass.mine(nurse)] == [glass.id]
    world.app.glass.end(glass.id, nurse)
    assert open_(world, nurse, subject).withheld
    ended = records(world, "breakglass.ended")[-1]["body"]
    assert (ended["id"], ended["why"], ended["openings"]) == (glass.id, "hand", 2)


@pytest.mark.parametrize("code", sorted(REASONS))
def test_every_reason_says_its_purpose(world, mrn, code):
    subject, _ = admitted(world, mrn)
    nurse = world.enter("p-nurse")
    begin(world, nurse, subject, code=code)
    open_(world, nurse, subject)
    assert records(world, "keeper.opened")[-1]["body"]["purpose"] == REASONS[code].purpose


def test_it_is_of_one_person_one_session_one_patient(world, mrn):
    subject, _ = admitted(world, mrn)
    other, _ = admitted(world, f"{mrn[:-1]}X")
    says(world, subject, no())
    says(world, other, no())
    nurse = world.enter("p-nurse")
    begin(world, nurse, subject)
    assert not open_(world, nurse, subject).withheld
    assert open_(world, nurse, other).withheld
    assert open_(world, world.enter("p-nurse-2"), subject).withheld
    assert open_(world, world.enter("p-nurse"), subject).withheld, "another session of the same person"


def test_a_merge_that_waits_for_a_person_is_not_crossed(world, mrn):
    subject, message = admitted(world, mrn)
    second, theirs = admitted(world, f"{mrn[:-1]}X")
    take(world, adt("A40", said="20260504083000", mrn=f"{mrn[:-1]}X", mrg=mrn))
    says(world, subject, no())
    nurse = world.enter("p-nurse")
    assert open_(world, nurse, second).originals == (), "what was denied under the prior identity is denied"
    begin(world, nurse, second)
    opened = open_(world, nurse, second)
    assert opened.withheld
    assert theirs in {one.message for one in opened.originals}
    assert message not in {one.message for one in opened.originals}


ATTACKS = {
    "another's patient": ("p-ward", {}, Reason.ACCESS_RELATION),
    "nobody's role": ("p-auditor", {}, Reason.ACCESS_ROLE),
    "an administrator": ("p-admin", {}, Reason.ACCESS_ROLE),
    "a privacy officer": ("p-privacy", {}, Reason.ACCESS_ROLE),
    "one factor": ("p-nurse", {"strong": False}, Reason.ACCESS_FACTOR),
    "an old proof": ("p-nurse", {"always_fresh": False}, Reason.ACCESS_STEP_UP),
    "to look only": ("p-nurse", {"acts": False}, Reason.NOT_PERMITTED),
}


@pytest.mark.parametrize("name", sorted(ATTACKS))
def test_who_may_not_breaks_nothing(world, mrn, name, monkeypatch):
    who, more, reason = ATTACKS[name]
    subject, _ = admitted(world, mrn)
    if "always_fresh" in more:
        monkeypatch.setattr(type(world.keeper.sessions), "fresh", lambda *_: False)
        more = {}
    proof_ = world.enter(who, **more)
    assert refused(lambda: begin(world, proof_, subject)) is reason
    assert not world.keeper.store.rows("SELECT 1 FROM glass")


def test_a_guessed_id_answers_as_a_patient_of_others_before_and_after(world, mrn):
    subject, _ = admitted(world, mrn)
    ward = world.enter("p-ward")

    def said(one):
        found = []
        for call in (lambda: begin(world, ward, one), lambda: open_(world, ward, one)):
            with pytest.raises(KeeperError) as error:
                call()
            found.append((error.value.reason, error.value.where, error.value.why))
        return found

    assert said(subject) == said(uuid7())


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        ({"code": "bored"}, Reason.INPUT_INVALID),
        ({"words": "  "}, Reason.INPUT_INVALID),
        ({"words": "x" * 501}, Reason.INPUT_INVALID),
        ({"minutes": 31}, Reason.LIMIT_EXCEEDED),
        ({"minutes": 0}, Reason.INPUT_INVALID),
    ],
)
def test_what_is_said_must_be_sayable(world, mrn, more, reason):
    subject, _ = admitted(world, mrn)
    assert refused(lambda: begin(world, world.enter("p-nurse"), subject, **more)) is reason


def test_replayed_it_begins_nothing_and_standing_it_is_not_extended(world, mrn):
    subject, _ = admitted(world, mrn)
    nurse, once = world.enter("p-nurse"), uuid7()
    glass = begin(world, nurse, subject, once=once)
    assert refused(lambda: begin(world, nurse, subject)) is Reason.CONFLICT
    assert [(one.id, one.until_us) for one in world.app.glass.mine(nurse)] == [(glass.id, glass.until_us)]
    world.app.glass.end(glass.id, nurse)
    assert refused(lambda: begin(world, nurse, subject, once=once)) is Reason.CONFLICT
    assert world.app.glass.mine(nurse) == []


def test_of_many_at_once_one_begins(world, mrn):
    subject, _ = admitted(world, mrn)
    nurse, answers = world.enter("p-nurse"), []

    def go():
        try:
            answers.append(begin(world, nurse, subject).id)
        except KeeperError as error:
            answers.append(error.reason)

    threads = [threading.Thread(target=go) for _ in range(4)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert len(answers) == 4
    assert answers.count(Reason.CONFLICT) == 3


def test_it_ends_by_itself_whatever_the_wall_clock_says(world, mrn, monkeypatch):
    subject, _ = admitted(world, mrn)
    says(world, subject, no())
    nurse = world.enter("p-nurse")
    begin(world, nurse, subject, minutes=1)
    now_us, now_s = world.keeper.now_us(), world.keeper.monotonic()
    monkeypatch.setattr(world.keeper, "now_us", lambda: now_us - 3_600_000_000)  # the clock goes back
    assert not open_(world, nurse, subject).withheld
    monkeypatch.setattr(world.keeper, "monotonic", lambda: now_s + 61)
    assert open_(world, nurse, subject).withheld
    assert records(world, "breakglass.ended")[-1]["body"]["why"] == "time"


def test_the_keeper_ends_it_within_a_second_by_itself(world, mrn):
    import time

    subject, _ = admitted(world, mrn)
    glass = begin(world, world.enter("p-nurse"), subject)
    world.keeper.glasses[glass.id] = world.keeper.monotonic()
    for _ in range(40):
        ended = [one["body"]["id"] for one in records(world, "breakglass.ended")]
        if glass.id in ended:
            return
        time.sleep(0.1)
    pytest.fail("not ended")


def test_it_ends_with_the_session_and_with_the_role(world, mrn):
    subject, _ = admitted(world, mrn)
    says(world, subject, no())
    nurse = world.enter("p-nurse")
    begin(world, nurse, subject)
    world.app.session_end(nurse)
    assert refused(lambda: open_(world, nurse, subject)) is Reason.NOT_PERMITTED
    glasses.tick(world.keeper)
    assert records(world, "breakglass.ended")[-1]["body"]["why"] == "session"
    loser = person("p-loser", units={"HOSP|ICU"})
    found(world.keeper, [(loser, [Role.CLINICIAN])])
    proof_ = world.enter("p-loser")
    begin(world, proof_, subject)
    found(world.keeper, [(loser, [])])
    assert refused(lambda: open_(world, proof_, subject)) is Reason.ACCESS_ROLE


def test_care_that_ended_ends_what_it_opens(world, mrn):
    subject, _ = admitted(world, mrn)
    nurse = world.enter("p-nurse")
    begin(world, nurse, subject)
    take(world, adt("A02", said="20260504090000", mrn=mrn, place="WARD^1^A^HOSP"))
    assert refused(lambda: open_(world, nurse, subject)) is Reason.ACCESS_RELATION


def test_more_than_a_days_worth_is_never_refused_and_a_finding_at_once(world, mrn):
    nurse = world.enter("p-nurse")
    for number in range(DAILY + 1):
        subject, _ = admitted(world, f"{mrn[:-1]}{number}")
        glass = begin(world, nurse, subject)
        assert glass.often is (number == DAILY)
    often = records(world, "breakglass.often")[-1]["body"]
    assert (often["id"], often["person"], often["count"]) == (glass.id, "p-nurse", DAILY + 1)
    assert world.app.state()["glass"] == {"waiting": DAILY + 1, "overdue": 0, "often": 1}


def test_no_limit_of_openings_stops_an_emergency(world, mrn, monkeypatch):
    from dataclasses import replace

    subject, _ = admitted(world, mrn)
    says(world, subject, no(classes=("attachment",)))
    nurse = world.enter("p-nurse-2")
    world.keeper.store.rows("DELETE FROM opening")
    tight = replace(world.keeper.settings.keeper, openings_per_person_per_hour_max=1)
    monkeypatch.setattr(world.keeper, "settings", replace(world.keeper.settings, keeper=tight))
    open_(world, nurse, subject)
    assert refused(lambda: open_(world, nurse, subject)) is Reason.RATE_OF_OPENING
    begin(world, nurse, subject)
    assert open_(world, nurse, subject).originals


def test_another_person_reviews_it_with_the_words_and_once(world, mrn):
    subject, _ = admitted(world, mrn)
    nurse, privacy = world.enter("p-nurse"), world.enter("p-privacy")
    glass = begin(world, nurse, subject, words="no pulse")
    assert refused(lambda: world.app.glass.review(glass.id, "justified", "fine", privacy)) is Reason.CONFLICT
    world.app.glass.end(glass.id, nurse)
    (listed,) = world.app.glass.listed(privacy, waiting=True)
    assert (listed.id, listed.name, listed.outcome) == (glass.id, "Person p-nurse", "")
    shown, words = world.app.glass.one(glass.id, privacy)
    assert (shown.id, words.reveal()) == (glass.id, "no pulse")
    world.app.glass.review(glass.id, "not-justified", "there was time to ask", privacy)
    told = records(world, "breakglass.reviewed")[-1]["body"]
    assert (told["by"], told["outcome"], told["person"]) == ("p-privacy", "not-justified", "p-nurse")
    assert refused(lambda: world.app.glass.review(glass.id, "justified", "x", privacy)) is Reason.CONFLICT
    assert world.app.glass.listed(privacy, waiting=True) == []


def test_nobody_reviews_their_own_and_others_see_nothing(world, mrn):
    subject, _ = admitted(world, mrn)
    both, nurse = world.enter("p-both"), world.enter("p-nurse")
    glass = begin(world, both, subject)
    world.app.glass.end(glass.id, both)
    again = world.enter("p-both")
    assert refused(lambda: world.app.glass.review(glass.id, "justified", "x", again)) is Reason.ACCESS_OWN
    assert refused(lambda: world.app.glass.one(glass.id, again)) is Reason.ACCESS_OWN
    for call in (
        lambda: world.app.glass.listed(nurse),
        lambda: world.app.glass.one(glass.id, nurse),
        lambda: world.app.glass.review(glass.id, "justified", "x", nurse),
    ):
        assert refused(call) is Reason.ACCESS_ROLE
    assert refused(lambda: world.app.glass.end(glass.id, nurse)) is Reason.NOT_FOUND
    assert [one.id for one in world.app.glass.listed(world.enter("p-auditor"))] == [glass.id]


def test_a_review_nobody_made_in_time_is_overdue(world, mrn, monkeypatch):
    subject, _ = admitted(world, mrn)
    nurse = world.enter("p-nurse")
    glass = begin(world, nurse, subject)
    world.app.glass.end(glass.id, nurse)
    later = world.keeper.now_us() + 73 * 3_600_000_000
    assert not glass.overdue(world.keeper.now_us())
    assert glass.overdue(later)
    monkeypatch.setattr(world.keeper, "now_us", lambda: later)
    assert world.app.state()["glass"]["overdue"] == 1


def test_how_long_a_review_may_wait_is_the_sites_to_say(world, mrn, monkeypatch):
    from dataclasses import replace

    subject, _ = admitted(world, mrn)
    nurse = world.enter("p-nurse")
    short = replace(world.keeper.settings.breakglass, review_hours=1.0)
    monkeypatch.setattr(world.keeper, "settings", replace(world.keeper.settings, breakglass=short))
    glass = begin(world, nurse, subject)
    world.app.glass.end(glass.id, nurse)
    begun_us = world.keeper.now_us()
    assert world.app.state()["glass"]["overdue"] == 0
    monkeypatch.setattr(world.keeper, "now_us", lambda: begun_us + 3_700_000_000)
    assert world.app.state()["glass"]["overdue"] == 1


def test_the_words_go_with_the_patients_keys(world, mrn):
    from oathward.vault.keeper import subjects

    subject, _ = admitted(world, mrn)
    nurse = world.enter("p-nurse")
    glass = begin(world, nurse, subject)
    world.app.glass.end(glass.id, nurse)
    subjects.erase(world.keeper.store, world.keeper.site, subject, "test", world.keeper.now_us())
    _, words = world.app.glass.one(glass.id, world.enter("p-privacy"))
    assert words is None
