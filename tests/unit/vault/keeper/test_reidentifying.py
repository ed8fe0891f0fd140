"""Promises of finding out whose a pseudonym is: two people, this very request, once, in time, and nobody else is told anything."""

import json

import pytest
from tests.care import adt, peopled, person
from tests.site import Site, bundle, local
from tests.unit.vault.keeper.test_breaking import admitted, mrn, take

from oathward.core.db import read, write
from oathward.core.errors import AuthorityError, KeeperError
from oathward.core.ids import uuid7
from oathward.core.labels import Role
from oathward.core.phi import Phi
from oathward.core.reasons import Reason
from oathward.deid.action import token
from oathward.deid.actions.pseudonym import PERSON, _named, _shape
from oathward.jobs import actions as jobs
from oathward.jobs.model import FileDone, JobRow, Progress
from oathward.policy.people import GRANT, Grant, RoleGrant
from oathward.vault import authority
from oathward.vault.keeper import erasing, proof, reidentify_rows, subjects
from oathward.vault.keeper.sign_in import accounts
from oathward.vault.keeper.signing import Wanted, confirm_stored, sign

__all__ = ["mrn"]

PROJECT = "lung-study"
PEOPLE = [
    (person("p-privacy"), [Role.PRIVACY_OFFICER]),
    (person("p-privacy-2"), [Role.PRIVACY_OFFICER]),
    (person("p-security"), [Role.SECURITY_ANALYST]),
    (person("p-admin"), [Role.ADMINISTRATOR]),
    (person("p-both"), [Role.PRIVACY_OFFICER, Role.ADMINISTRATOR]),
    (person("p-nurse", units={"HOSP|ICU"}), [Role.CLINICIAN]),
    (person("p-auditor"), [Role.AUDITOR]),
    (person("p-leaves"), [Role.SECURITY_ANALYST]),
]
DAY_US, HOUR_US = 86_400_000_000, 3_600_000_000


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    more = "[keeper]\nopenings_per_person_per_hour_max = 1000\n[reidentify]\nwaiting_days = 7\nshow_hours = 24\nopen_max = 3\n"
    site = Site.make(tmp_path_factory.mktemp("s"), more=more)
    files = bundle({"ehr": "mllp://127.0.0.1:9"})
    files["projects.toml"] += b"[lung-study]\n[heart-study]\n[no-study]\n"
    site.activate(files)
    site.add(local("adt-1", "ADT1", kind="registration", authoritative_adt=True), local("mon-1", "MON1"))
    with peopled(site, PEOPLE) as world:
        yield world


@pytest.fixture(autouse=True)
def nothing_asked(world):
    world.keeper.store.rows("DELETE FROM reidentify")
    world.keeper.store.rows("DELETE FROM reidentify_told")
    world.keeper.store.rows("DELETE FROM reidentify_looked")
    world.keeper.store.rows("DELETE FROM opening")


@pytest.fixture
def later(world, monkeypatch):
    """Let time go by for the keeper."""
    now = world.keeper.now_us

    def go(by_us):
        monkeypatch.setattr(world.keeper, "now_us", lambda: now() + by_us)

    return go


def seed(world, subject, project=PROJECT):
    return subjects.seed(world.keeper.store, world.keeper.site, subject, project)


def name_of(world, subject, project=PROJECT):
    return token(seed(world, subject, project), PERSON, "")


def ask(
    world, pseudonym, who="p-privacy", *, project=PROJECT, code="incidental-finding", words="a nodule, left"
):
    return world.app.reidentify.request(project, pseudonym, code, Phi(words), world.enter(who))


def look(world, asked, who="p-privacy-2"):
    return world.app.reidentify.one(asked.id, world.enter(who))


def agree(world, asked, who="p-privacy-2", *, agrees=True, proof_=None):
    world.app.reidentify.decide(asked.id, "fits the letter", proof_ or world.enter(who), agrees=agrees)


def show(world, asked, who="p-privacy"):
    return world.app.reidentify.show(asked.id, world.enter(who))


def agreed(world, pseudonym, **more):
    asked = ask(world, pseudonym, **more)
    look(world, asked)
    agree(world, asked)
    return asked


def refused(call):
    with pytest.raises((KeeperError, AuthorityError)) as found:
        call()
    return found.value.reason


def records(world, *kinds):
    with read(world.gate.engine) as db:
        marks = ", ".join(f"'{kind}'" for kind in kinds)
        sql = f"SELECT kind, subject, body FROM ledger_record WHERE kind IN ({marks}) ORDER BY idx"
        return [(kind, subject, json.loads(body)["body"]) for kind, subject, body in db.exec_driver_sql(sql)]


def state(world, asked):
    return reidentify_rows.get(world.keeper, asked.id).state


# --- the way it goes


def test_it_ends_at_the_right_patient_and_everything_is_on_record(world, mrn):
    subject, _ = admitted(world, mrn)
    admitted(world, mrn[::-1])
    pseudonym = name_of(world, subject)
    asked = ask(world, pseudonym.lower())
    look(world, asked, "p-security")
    agree(world, asked, "p-security")
    found = show(world, asked)
    assert (found.found, found.subject, found.project) == ("one", subject, PROJECT)
    [card] = found.originals
    assert [one["value"] for one in json.loads(card.data.reveal())["identifiers"]] == [mrn]
    told = records(world, "reidentify.requested", "reidentify.approved", "reidentify.shown", "keeper.opened")[
        -4:
    ]
    assert [kind for kind, _, _ in told] == [
        "reidentify.requested", "reidentify.approved", "reidentify.shown", "keeper.opened",
    ]  # fmt: skip
    assert [of for _, of, _ in told] == ["", "", subject, subject]
    assert {body["person"] for _, _, body in told} == {"p-privacy"}
    assert [told[1][2]["by"], told[1][2]["reason"], told[2][2]["by"]] == [
        "p-security",
        "fits the letter",
        "p-security",
    ]
    assert told[3][2]["basis"] == "reidentify"
    assert {body["code"] for _, _, body in told[:3]} == {"incidental-finding"}


def test_no_record_has_the_pseudonym_or_the_words(world, mrn):
    subject, _ = admitted(world, mrn)
    pseudonym = name_of(world, subject)
    one, other = agreed(world, pseudonym), ask(world, pseudonym)
    show(world, one)
    told = records(
        world, "reidentify.requested", "reidentify.approved", "reidentify.shown", "reidentify.denied"
    )
    assert pseudonym not in json.dumps(told)
    assert "nodule" not in json.dumps(told)
    same = {body["pseudonym"] for kind, _, body in told if body["id"] in {one.id, other.id}}
    assert len(same) == 1, "the same pseudonym asked for again can be told"


def test_each_project_has_names_of_its_own(world, mrn):
    subject, _ = admitted(world, mrn)
    name_of(world, subject)  # the project has a key
    found = show(world, agreed(world, name_of(world, subject, "heart-study")))
    assert (found.found, found.subject, found.originals) == ("nobody", "", ())


def test_of_a_project_that_the_policy_does_not_have_nothing_is_asked(world):
    with pytest.raises(KeeperError) as found:
        ask(world, "0" * 16, project="lung-studi")
    assert found.value.reason is Reason.INPUT_INVALID
    assert "did you mean `lung-study`?" in found.value.why
    assert records(world, "reidentify.denied")[-1][2]["why"] == "input.invalid"
    assert not world.keeper.store.rows("SELECT 1 FROM reidentify")


def test_a_project_that_named_nobody_gets_no_key_by_a_question(world, mrn):
    admitted(world, mrn)
    assert show(world, agreed(world, "0" * 16, project="no-study")).found == "nobody"
    assert world.keeper.store.one("SELECT 1 FROM project WHERE id = 'no-study'") is None


def test_a_patient_of_files_alone_is_found_without_a_number(world):
    subject = uuid7()
    found = show(world, agreed(world, name_of(world, subject)))
    assert (found.found, found.subject, found.originals) == ("one", subject, ())


def test_without_a_card_the_newest_original_says_who_it_is(world, mrn):
    subject, message = admitted(world, mrn)
    with write(world.gate.engine) as db:
        db.exec_driver_sql(f"DELETE FROM subject_card WHERE subject = '{subject}'")
    [original] = show(world, agreed(world, name_of(world, subject))).originals
    assert original.message == message
    assert mrn.encode() in original.data.reveal()


# --- two people


@pytest.mark.parametrize("who", ["p-nurse", "p-admin", "p-auditor", "p-both", "p-security"])
def test_who_has_another_role_neither_asks_nor_is_shown(world, mrn, who):
    subject, _ = admitted(world, mrn)
    if who != "p-both":  # whose other role asks
        assert refused(lambda: ask(world, name_of(world, subject), who)) is Reason.ACCESS_ROLE
    asked = agreed(world, name_of(world, subject))
    assert refused(lambda: show(world, asked, who)) in {Reason.ACCESS_ROLE, Reason.NOT_FOUND}
    assert state(world, asked) == "approved"


@pytest.mark.parametrize("who", ["p-nurse", "p-admin", "p-auditor", "p-both"])
def test_who_has_another_role_agrees_to_nothing(world, who):
    asked = ask(world, "0" * 16)
    assert refused(lambda: agree(world, asked, who)) is Reason.ACCESS_ROLE
    assert refused(lambda: world.app.reidentify.one(asked.id, world.enter(who))) is Reason.ACCESS_ROLE
    assert state(world, asked) == "waiting"


def test_nobody_is_their_own_second_person(world):
    asked = ask(world, "0" * 16)
    assert refused(lambda: agree(world, asked, "p-privacy")) is Reason.ACCESS_OWN
    assert records(world, "access.denied")[-1][2]["action"] == "reidentify.approve"


def test_nobody_agrees_to_what_they_have_not_seen(world):
    asked = ask(world, "0" * 16)
    assert refused(lambda: agree(world, asked)) is Reason.REIDENTIFY_UNSEEN
    assert records(world, "reidentify.denied")[-1][2]["why"] == "reidentify.unseen"
    look(world, asked, "p-security")
    assert refused(lambda: agree(world, asked)) is Reason.REIDENTIFY_UNSEEN
    look(world, asked)
    agree(world, asked)
    assert state(world, asked) == "approved"
    other = ask(world, "1" * 16)
    assert refused(lambda: agree(world, other)) is Reason.REIDENTIFY_UNSEEN
    agree(world, other, agrees=False)
    assert state(world, other) == "refused"


def test_the_keeper_compares_persons_itself_whatever_a_policy_permits(world, monkeypatch):
    asked = ask(world, "0" * 16)
    monkeypatch.setattr("oathward.vault.keeper.roles.permit", lambda *_, **__: None)
    assert refused(lambda: agree(world, asked, "p-privacy")) is Reason.ACCESS_OWN
    assert records(world, "reidentify.denied")[-1][2]["why"] == "access.own"
    assert state(world, asked) == "waiting"


def test_who_let_the_asker_in_is_no_second_person(world, monkeypatch):
    asked = ask(world, "0" * 16)
    monkeypatch.setattr(
        accounts, "let_in_by", lambda _, one: {"p-privacy-2"} if one == "p-privacy" else set()
    )
    assert refused(lambda: agree(world, asked)) is Reason.ACCESS_OWN


def test_the_second_person_proves_who_they_are_at_that_moment(world, monkeypatch):
    asked = ask(world, "0" * 16)
    monkeypatch.setattr(world.keeper.sessions, "fresh", lambda _: False)
    assert refused(lambda: agree(world, asked)) is Reason.ACCESS_STEP_UP
    monkeypatch.undo()
    look(world, asked)
    agree(world, asked)
    monkeypatch.setattr(world.keeper.sessions, "fresh", lambda _: False)
    assert refused(lambda: show(world, asked)) is Reason.ACCESS_STEP_UP


def test_a_site_without_people_has_no_two(world, monkeypatch):
    monkeypatch.setattr("oathward.vault.keeper.roles.founded", lambda _: False)
    assert refused(lambda: ask(world, "0" * 16)) is Reason.NOT_PERMITTED


def test_a_second_person_whose_role_is_over_counts_no_more(world, mrn):
    subject, _ = admitted(world, mrn)
    asked = ask(world, name_of(world, subject))
    look(world, asked, "p-leaves")
    agree(world, asked, "p-leaves")
    over = Grant("p-leaves", (RoleGrant(Role.SECURITY_ANALYST, 0, world.keeper.now_us() - 1, "test"),))
    signed(world, Wanted(GRANT, "p-leaves", 0, over.body()))
    assert refused(lambda: show(world, asked)) is Reason.ACCESS_ROLE
    assert not [one for one in records(world, "reidentify.shown") if one[2]["id"] == asked.id]


def test_a_second_person_who_could_by_now_be_the_first_counts_no_more(world, mrn, monkeypatch):
    subject, _ = admitted(world, mrn)
    asked = agreed(world, name_of(world, subject))
    monkeypatch.setattr(
        accounts, "let_in_by", lambda _, one: {"p-privacy-2"} if one == "p-privacy" else set()
    )
    assert refused(lambda: show(world, asked)) is Reason.ACCESS_OWN
    assert state(world, asked) == "approved"


def signed(world, wanted):
    documents = sign(world.keeper, [wanted], [proof.Person("test", "test")])
    with write(world.keeper.engine) as db:
        authority.put_all(db, documents)
    confirm_stored(world.keeper)


# --- this very request


def test_before_somebody_agreed_nothing_is_looked_for(world, mrn, monkeypatch):
    subject, _ = admitted(world, mrn)
    asked = ask(world, name_of(world, subject))
    monkeypatch.setattr("oathward.vault.keeper.pseudonyms.whose", lambda *_: pytest.fail("looked"))
    assert refused(lambda: show(world, asked)) is Reason.CONFLICT
    assert records(world, "reidentify.denied")[-1][2]["id"] == asked.id


def test_what_was_refused_shows_nothing_and_its_pseudonym_is_gone(world, mrn):
    subject, _ = admitted(world, mrn)
    asked = ask(world, name_of(world, subject))
    agree(world, asked, agrees=False)
    assert refused(lambda: show(world, asked)) is Reason.CONFLICT
    assert refused(lambda: agree(world, asked)) is Reason.CONFLICT
    assert world.keeper.store.rows("SELECT * FROM reidentify_told") == []
    assert records(world, "reidentify.refused")[-1][2]["by"] == "p-privacy-2"


def test_it_is_shown_once(world, mrn):
    subject, _ = admitted(world, mrn)
    asked = agreed(world, name_of(world, subject))
    show(world, asked)
    assert refused(lambda: show(world, asked)) is Reason.CONFLICT
    assert world.keeper.store.rows("SELECT * FROM reidentify_told") == []


@pytest.mark.parametrize("ends", [show, lambda world, asked: world.app.reidentify.withdraw(asked.id, world.enter("p-privacy"))])  # fmt: skip
def test_rows_of_an_old_copy_of_the_store_show_nothing_again(world, mrn, ends):
    subject, _ = admitted(world, mrn)
    asked, store = agreed(world, name_of(world, subject)), world.keeper.store
    old = {
        table: store.rows(f"SELECT * FROM {table} WHERE id = ?", asked.id)
        for table in ("reidentify", "reidentify_told")
    }
    ends(world, asked)
    for table, rows in old.items():
        store.rows(f"DELETE FROM {table} WHERE id = ?", asked.id)
        for row in rows:
            store.rows(f"INSERT INTO {table} VALUES ({', '.join('?' * len(row))})", *row)
    assert refused(lambda: show(world, asked)) is Reason.CONFLICT


def test_it_is_shown_to_who_asked_alone(world, mrn):
    subject, _ = admitted(world, mrn)
    asked = agreed(world, name_of(world, subject))
    assert refused(lambda: show(world, asked, "p-privacy-2")) is Reason.NOT_FOUND
    assert show(world, asked).subject == subject


@pytest.mark.parametrize(
    "change",
    [
        "state = 'approved', by = 'p-privacy-2', decided_us = at_us",
        "state = 'approved', by = 'p-security'",
    ],
)
def test_an_approval_that_the_keeper_did_not_sign_is_none(world, mrn, change):
    subject, _ = admitted(world, mrn)
    asked = ask(world, name_of(world, subject))
    world.keeper.store.rows(f"UPDATE reidentify SET {change} WHERE id = ?", asked.id)
    assert refused(lambda: show(world, asked)) is Reason.SIGNATURE_INVALID
    assert records(world, "reidentify.denied")[-1][2]["why"] == Reason.SIGNATURE_INVALID.code


@pytest.mark.parametrize("column", ["project", "person", "code", "by", "until_us", "digest"])
def test_an_approval_is_of_one_request_and_of_no_other(world, mrn, column):
    subject, _ = admitted(world, mrn)
    asked = agreed(world, name_of(world, subject))
    other = agreed(world, name_of(world, subject, "heart-study"), project="heart-study", code="law")
    world.keeper.store.rows(f"UPDATE reidentify SET {column} = ? WHERE id = ?", _changed(column), asked.id)
    who = "p-privacy-2" if column == "person" else "p-privacy"
    assert refused(lambda: show(world, asked, who)) is Reason.SIGNATURE_INVALID
    assert show(world, other).subject == subject


def _changed(column):
    return {
        "project": "heart-study", "person": "p-privacy-2", "code": "other", "by": "p-security", "until_us": 1 << 60,
        "digest": "0" * 32,
    }[column]  # fmt: skip


def test_another_pseudonym_under_an_approval_is_not_looked_for(world, mrn):
    subject, _ = admitted(world, mrn)
    asked = agreed(world, "0" * 16)
    store = world.keeper.store
    value = json.dumps([name_of(world, subject), "words"]).encode()
    sealed = store.wrap("reidentify_told", "value", asked.id, value)
    store.rows("UPDATE reidentify_told SET value = ? WHERE id = ?", sealed, asked.id)
    assert refused(lambda: show(world, asked)) is Reason.SIGNATURE_INVALID


# --- time, and how many


def test_what_nobody_agreed_to_in_time_has_ended(world, mrn, later):
    subject, _ = admitted(world, mrn)
    asked = ask(world, name_of(world, subject))
    later(7 * DAY_US + 1)
    assert refused(lambda: agree(world, asked)) is Reason.CONFLICT
    assert state(world, asked) == "lapsed"
    assert world.keeper.store.rows("SELECT * FROM reidentify_told") == []
    assert records(world, "reidentify.lapsed")[-1][2]["id"] == asked.id


def test_who_asked_looks_in_time_or_not_at_all(world, mrn, later):
    subject, _ = admitted(world, mrn)
    asked = agreed(world, name_of(world, subject))
    later(24 * HOUR_US + 1)
    assert refused(lambda: show(world, asked)) is Reason.CONFLICT


def test_one_person_has_few_open_at_once(world):
    asked = [ask(world, "0" * 16) for _ in range(3)]
    assert refused(lambda: ask(world, "0" * 16)) is Reason.LIMIT_EXCEEDED
    ask(world, "0" * 16, "p-privacy-2")
    world.app.reidentify.withdraw(asked[0].id, world.enter("p-privacy"))
    ask(world, "0" * 16)
    assert (
        refused(lambda: world.app.reidentify.withdraw(asked[1].id, world.enter("p-privacy-2")))
        is Reason.NOT_FOUND
    )


@pytest.mark.parametrize(("code", "words"), [("curious", "w"), ("other", " ")])
def test_a_reason_is_given_by_code_and_in_words(world, code, words):
    assert refused(lambda: ask(world, "0" * 16, code=code, words=words)) is Reason.INPUT_INVALID


def test_an_opening_counts_for_who_is_shown(world, mrn, monkeypatch):
    subject, _ = admitted(world, mrn)
    asked = agreed(world, name_of(world, subject))
    world.keeper.store.many(
        "INSERT INTO opening VALUES (?, 'p-privacy', 1)", [(world.keeper.now_us(),)] * 1_000
    )
    assert refused(lambda: show(world, asked)) is Reason.RATE_OF_OPENING
    assert state(world, asked) == "approved"


# --- who it is, and who nobody is


def test_the_erased_and_who_never_was_are_one_answer(world, mrn):
    subject, _ = admitted(world, mrn)
    asked, never = agreed(world, name_of(world, subject)), agreed(world, "0" * 16)
    erasing.erase(world.keeper, subject, "gdpr.art17", proof.Person("test", "test"))
    one, other = show(world, asked), show(world, never)
    assert (one.found, one.subject, one.together, one.originals) == ("nobody", "", (), ())
    assert (other.found, other.subject, other.together, other.originals) == ("nobody", "", (), ())
    told = [(of, body["found"]) for _, of, body in records(world, "reidentify.shown")[-2:]]
    assert told == [("", "nobody")] * 2


def test_both_names_of_a_merged_patient_lead_to_them(world, mrn):
    (one, _), (other, _) = admitted(world, mrn), admitted(world, mrn[::-1])
    names = {one: name_of(world, one), other: name_of(world, other)}
    take(world, adt("A40", said="20260504090000", mrn=mrn, mrg=mrn[::-1]))
    for subject, name in names.items():
        found = show(world, agreed(world, name))
        assert (found.found, found.subject) == ("one", subject)
        assert found.together == (subject,), "a merge that no person confirmed shows nobody else's card"
        [card] = found.originals
        number = mrn if subject == one else mrn[::-1]
        assert json.loads(card.data.reveal())["identifiers"][0]["value"] == number


def shaped(world, subject, like):
    return _named(seed(world, subject), PERSON, _shape(like), "", "")


def job(world, subject, project=PROJECT):
    """Have it on record that something of a patient left in a job."""
    id_, now_us = uuid7(), world.keeper.now_us()
    with write(world.gate.engine) as db:
        jobs.begin(db, world.keeper.site, JobRow(id_, "research", project, "p", now_us, now_us))
    with write(world.gate.engine) as db:
        done = [FileDone("AAAA", units=[(0, subject)])]
        jobs.advance(db, world.keeper.site, id_, Progress(), done, now_us=now_us)


def test_a_name_in_the_shape_of_a_number_is_one_of_whom_the_project_has_something(world, mrn):
    subject, other = uuid7(), uuid7()
    name = shaped(world, subject, "12345678")
    seed(world, other)
    assert show(world, agreed(world, name)).found == "nobody", "nothing of the project is on record"
    job(world, subject, "heart-study")
    assert show(world, agreed(world, name)).found == "nobody", "of another project is none of this"
    job(world, subject)
    assert show(world, agreed(world, name)).subject == subject


def test_what_went_out_on_a_link_of_no_project_makes_nobody_of_one(world, mrn):
    subject, _ = admitted(world, mrn)
    name = shaped(world, subject, "12345678")
    assert show(world, agreed(world, name)).found == "nobody"


@pytest.mark.parametrize("check", ["luhn", "npi", "nhs"])
def test_a_check_digit_is_tried(world, check):
    subject = uuid7()
    job(world, subject)
    name = _named(seed(world, subject), PERSON, _shape("1234567890"), "", check)
    assert show(world, agreed(world, name)).subject == subject


def test_of_several_who_may_have_a_name_nobody_is_shown(world, monkeypatch):
    one, other = uuid7(), uuid7()
    name = shaped(world, one, "12345678")
    job(world, one)
    job(world, other)
    seeds = {seed(world, one), seed(world, other)}
    monkeypatch.setattr("oathward.deid.actions.pseudonym.may_be_of", lambda _, seed: seed in seeds)
    asked = agreed(world, name)
    found = show(world, asked)
    assert (found.found, found.subject, found.originals) == ("several", "", ())
    assert records(world, "reidentify.shown")[-1][1:] == ("", records(world, "reidentify.shown")[-1][2])
    assert state(world, asked) == "shown"


# --- what the second person sees


def test_the_second_person_sees_pseudonym_and_words_on_record(world, mrn):
    subject, _ = admitted(world, mrn)
    name = name_of(world, subject)
    asked = ask(world, name)
    _, pseudonym, words = world.app.reidentify.one(asked.id, world.enter("p-security"))
    assert (pseudonym, words.reveal()) == (name, "a nodule, left")
    assert records(world, "reidentify.looked")[-1][2]["by"] == "p-security"
    agree(world, asked, "p-security")
    show(world, asked)
    _, pseudonym, words = world.app.reidentify.one(asked.id, world.enter("p-security"))
    assert (pseudonym, words.reveal()) == (None, "a nodule, left"), (
        "the words stay, under the patient's own key"
    )
    erasing.erase(world.keeper, subject, "gdpr.art17", proof.Person("test", "test"))
    assert world.app.reidentify.one(asked.id, world.enter("p-security"))[1:] == (None, None)


def test_a_list_names_neither_pseudonym_nor_patient(world, mrn):
    subject, _ = admitted(world, mrn)
    name = name_of(world, subject)
    show(world, agreed(world, name))
    ask(world, name)
    rows = world.app.reidentify.listed(world.enter("p-auditor"))
    assert [one.state for one in rows] == ["waiting", "shown"]
    assert not any(word in repr(rows) for word in (name, subject, "nodule"))
    assert [one.state for one in world.app.reidentify.listed(world.enter("p-auditor"), waiting=True)] == [
        "waiting"
    ]
    assert refused(lambda: world.app.reidentify.listed(world.enter("p-nurse"))) is Reason.ACCESS_ROLE
