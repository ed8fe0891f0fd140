"""Promises of a choice made at the patient portal: signed and stored by the keeper alone, once, of what was seen, by who may."""

import pytest
from tests.unit.policy import small
from tests.unit.vault.keeper.people import founded
from tests.unit.vault.keeper.test_portal import (
    BY,
    MORE,
    Client,
    Direct,
    enrol,
    letters,
    proving,
    records,
    refused,
    subject_of,
    trust_anchor,
)
from tests.unit.vault.sites import make_site

from oathward import choosing
from oathward.consent import actions, sql, views
from oathward.consent.choices import choices_of
from oathward.consent.model import canonical, statement
from oathward.core.db import read, write
from oathward.core.errors import AuthorityError, InputError
from oathward.core.ids import uuid7
from oathward.core.labels import Role
from oathward.core.reasons import Reason
from oathward.core.settings import load
from oathward.patients import sql as patients
from oathward.patients.model import Edge, EdgeKind
from oathward.proposing import register
from oathward.vault.keeper import signing, subjects
from oathward.vault.keeper.erasing import erase

RESEARCH = ("HRESCH", "research-registry")
BUNDLE = small.bundle()


@pytest.fixture
def house(tmp_path):
    folder = tmp_path / "site"
    folder.mkdir()
    (folder / "oathward.toml").write_text(MORE)
    make_site(folder)
    with founded(load(folder), register) as found:
        found.person("p-privacy", Role.PRIVACY_OFFICER)
        step, _ = found.enrol("p-privacy")
        found.staff = proving.console_proof(step.secret)
        found.portal = Client(Direct(found.keeper, "portal"), "portal", trust_anchor(found.settings)).portal
        found.subject = subject_of(found)
        found.sign(("bundle", "active", BUNDLE.body))
        yield found


def board(house, subject=""):
    return choosing.board(house.keeper, BUNDLE, subject or house.subject)


def seen(house, purpose="HRESCH", recipient="research-registry", subject=""):
    shown = board(house, subject)
    return shown.seen(shown.find(purpose, recipient))


def choose(house, proof, answer, *, shown=None, choice=RESEARCH, subject=""):
    what = seen(house, *choice, subject) if shown is None else shown
    return house.portal.choose(subject or house.subject, *choice, answer, what, proof)


def state(house, choice=RESEARCH, subject=""):
    return board(house, subject).find(*choice).state


def said(house, subject=""):
    with read(house.keeper.engine) as db:
        return views.facts_of(
            *(db, house.keeper.site, subject or house.subject, house.keeper.authority, house.keeper.seen)
        )


def says(house, *statements, subject=""):
    """Have what came on paper signed and stored, as staff do."""
    whose = subject or house.subject
    signed = signing.sign(
        house.keeper, [signing.Wanted("consent", whose, 0, canonical(whose, statements))], [BY]
    )
    with write(house.keeper.engine) as db:
        actions.store(db, house.keeper.site, signed, by="p-privacy", now_us=house.keeper.now_us())
    signing.confirm_stored(house.keeper)


def change_count(house):
    with read(house.keeper.engine) as db:
        return sql.change_count(db, house.keeper.site)


def test_a_yes_and_a_no_are_signed_stored_and_counted_with_both_records(house):
    mine = enrol(house)
    assert state(house) == "not-allowed"
    before = change_count(house)
    assert choose(house, mine, "allowed")
    assert state(house) == "allowed"
    assert choose(house, mine, "not-allowed")
    assert state(house) == "not-allowed"
    assert change_count(house) == before + 2, "every process sees that something changed"
    version, statements = said(house)
    assert (version, [one.fact.permit for one in statements]) == (2, [False])
    holder = house.portal.who(mine)
    chose = records(house, "portal.chose")
    assert [(one["answer"], one["purpose"], one["recipient"], one["version"]) for one in chose] == [
        ("allowed", *RESEARCH, 1),
        ("not-allowed", *RESEARCH, 2),
    ]
    assert {(one["by"], one["access"], one["basis"]) for one in chose} == {
        (holder.holder, holder.seats[0].access, "self")
    }
    assert [one["version"] for one in records(house, "consent.recorded")] == [1, 2]
    assert letters(house, "notice") == [], "who chose need not be told"


def test_a_second_click_writes_nothing_more(house):
    mine = enrol(house)
    shown = seen(house)
    assert choose(house, mine, "allowed", shown=shown)
    assert not choose(house, mine, "allowed", shown=shown)
    assert len(records(house, "portal.chose")) == len(records(house, "consent.recorded")) == 1
    assert said(house)[0] == 1


def test_another_tab_that_saw_what_was_before_changes_nothing(house):
    mine = enrol(house)
    shown = seen(house)
    choose(house, mine, "allowed", shown=shown)
    assert refused(choose, house, mine, "not-allowed", shown=shown)[0] is Reason.CONFLICT
    assert (state(house), said(house)[0], len(records(house, "portal.chose"))) == ("allowed", 1, 1)


def test_a_policy_that_came_after_the_page_was_shown_is_not_said_yes_to(house):
    mine = enrol(house)
    shown = seen(house)
    wider = small.changed("links/research-registry.toml", "retention_days = 7", "retention_days = 17")
    house.sign(("bundle", "active", small.load(wider).body))
    assert refused(choose, house, mine, "allowed", shown=shown)[0] is Reason.CONFLICT
    assert records(house, "portal.chose") == records(house, "consent.recorded") == []


def test_a_version_that_came_between_draft_and_store_is_not_written_over(house, monkeypatch):
    """The other one was signed later and stored first: its number is higher, and it still did not see ours."""
    mine = enrol(house)
    shown, sign = seen(house), signing.sign

    def late(*args):
        monkeypatch.setattr(signing, "sign", sign)
        says(
            house,
            statement(permit=False, purposes=["TREAT"], recipients=["*"], classes=["*"], source="paper"),
        )
        return sign(*args)

    monkeypatch.setattr(signing, "sign", late)
    assert refused(choose, house, mine, "allowed", shown=shown)[0] is Reason.CONFLICT
    version, (one,) = said(house)
    assert (version, one.fact.permit, records(house, "portal.chose")) == (1, False, [])


def test_a_choice_leaves_what_came_another_way_as_it_is(house):
    mine = enrol(house)
    says(house, statement(permit=False, purposes=["HRESCH"], recipients=["*"], classes=["*"], source="paper"))
    (paper,) = said(house)[1]
    assert board(house).find(*RESEARCH).elsewhere == (paper.fact.id,)
    choose(house, mine, "allowed")
    assert paper in said(house)[1]
    assert state(house) == "not-allowed", "the denial of paper wins"


@pytest.mark.parametrize("choice", [("HRESCH", "nobody"), ("BTG", "research-registry"), ("*", "*")])
def test_what_is_no_choice_is_answered_as_what_there_is_not(house, choice):
    mine = enrol(house)
    asked = (house.subject, *choice, "allowed", "x", mine)
    assert refused(house.portal.choose, *asked)[0] is Reason.NOT_FOUND
    assert records(house, "portal.chose") == []


def test_where_the_law_leaves_no_choice_nothing_is_signed(house):
    mine = enrol(house)
    for one in choices_of(BUNDLE, (), house.keeper.now_us()):
        if one.kind == "law":
            asked = (house.subject, one.purpose, one.recipient, "not-allowed", "x", mine)
            assert refused(house.portal.choose, *asked)[0] is Reason.NOT_FOUND
    with pytest.raises(InputError):
        board(house).find("PUBHLTH", "law")


def test_an_answer_is_yes_or_no(house):
    mine = enrol(house)
    assert refused(choose, house, mine, "partly")[0] is Reason.INPUT_INVALID


def test_a_proxy_who_may_choose_does_and_the_patient_is_told(house):
    enrol(house, address="rosa@example.org")
    proxy = enrol(house, basis="wish", address="friend@example.org")
    assert choose(house, proxy, "allowed")
    (letter,) = letters(house, "notice")
    assert (letter.address.reveal(), letter.values.reveal()) == ("rosa@example.org", {"about": "choice"})
    assert [one["basis"] for one in records(house, "portal.chose")] == ["wish"]


def test_a_proxy_who_may_not_and_one_whose_time_is_over_sign_nothing(house):
    looks = enrol(house, basis="wish", scope=("see",))
    until = house.keeper.now_us() + 300_000_000
    ends = enrol(house, basis="wish", address="friend@example.org", until_us=until)
    shown = seen(house)
    assert refused(choose, house, looks, "allowed", shown=shown)[0] is Reason.NOT_FOUND
    house.time.pass_(minutes=6)
    assert refused(choose, house, ends, "allowed", shown=shown)[0] is Reason.NOT_FOUND
    assert said(house) == (0, ())


def test_a_patient_who_was_erased_has_no_choice_any_more(house):
    mine = enrol(house)
    shown = seen(house)
    erase(house.keeper, house.subject, "gdpr.art17", BY)
    refused(choose, house, mine, "allowed", shown=shown)
    assert said(house) == (0, ())


def test_a_statement_that_was_put_back_to_an_older_one_is_not_built_upon(house):
    mine = enrol(house)
    choose(house, mine, "not-allowed")
    choose(house, mine, "allowed")
    shown = seen(house)
    with write(house.keeper.engine) as db:
        db.exec_driver_sql("DELETE FROM consent_fact WHERE version = 2")
    with pytest.raises(AuthorityError):
        seen(house)
    before = len(records(house, "portal.chose"))
    refused(choose, house, mine, "not-allowed", shown=shown)
    assert len(records(house, "portal.chose")) == before


def merged(house, child):
    """Tie another number of the patient to this one, as an ADT merge does."""
    edge = Edge(uuid7(), EdgeKind.MERGED, child, house.subject, "m-1", "adt-1", house.keeper.now_us())
    with write(house.keeper.engine) as db:
        patients.insert_edges(db, house.keeper.site, [edge])
    return edge


def test_what_was_said_under_a_number_that_a_message_merged_goes_on(house):
    other = uuid7()
    subjects.seed(house.keeper.store, house.keeper.site, other, "p")
    theirs = enrol(house, subject=other, address="other@example.org")
    choose(house, theirs, "not-allowed", subject=other)
    mine = enrol(house)
    merged(house, other)
    (found,) = [one.fact.id for one in said(house, other)[1]]
    assert board(house).find(*RESEARCH).elsewhere == (found,)
    choose(house, mine, "allowed")
    assert state(house) == "not-allowed"
    assert said(house, other)[0] == 1
