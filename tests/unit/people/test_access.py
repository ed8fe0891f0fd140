"""Roles of people and services: planned, stored with who is behind them, shown, used, reviewed."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import pytest
from tests.unit.people.conftest import DAY, NOW, SITE, People

from oathward.core.db import read, write
from oathward.core.errors import AuthorityError, InputError, StorageError
from oathward.core.labels import Role
from oathward.core.reasons import Reason
from oathward.people import granted_sql, grants, sql, views
from oathward.people.using import NOTED_S, Uses
from oathward.policy.access import AT_THE_MACHINE, Actor, Rules, Thing, actor_of, actor_of_service
from oathward.policy.people import Grant, Person, Service
from oathward.vault.authority import Document

ANNA = Person(id="anna", name="Anna Berg", number="17", units=frozenset({"ICU"}), since_us=NOW - 400 * DAY)
BERT = Person(id="bert", name="Bert Olsen", number="18", party="Acme", since_us=NOW - 400 * DAY)
FEED = Service(
    id="hr-feed", name="Staff register", owner="bert", roles=frozenset({Role.PROVISIONER}), jwk="{}"
)
BEHIND = {"proposer": "priya", "approver": "sam", "proposal": "p-1"}


def reader(people: People, now: int = NOW) -> views.Reader:
    return views.Reader(people.signer, people.seen, now)


def show(people: People, id_: str, now: int = NOW) -> views.PersonView:
    with read(people.engine) as db:
        found = views.one(db, SITE, reader(people, now), id_)
    assert found is not None
    return found


def current(people: People, id_: str) -> Grant | None:
    with read(people.engine) as db:
        return views.granted(db, SITE, reader(people), id_)


def keep(people: People, drafts: Sequence[Document], now: int = NOW) -> None:
    signed = [people.signed(draft) for draft in drafts]
    with write(people.engine) as db:
        grants.store_approved(db, SITE, signed, **BEHIND, now_us=now)


def give(
    people: People,
    person: Person,
    role: Role,
    now: int = NOW,
    until: int | None = None,
    why: str = "works here",
) -> None:
    held = current(people, person.id)
    keep(people, [grants.plan_role(SITE, person, held, role, why=why, now_us=now, until_us=until)], now)


@pytest.fixture
def staff(people: People) -> People:
    people.add(ANNA, BERT)
    return people


class TestGrants:
    """A role comes with who proposed and approved it, and ends without being forgotten."""

    def test_who_has_what_since_when_and_why(self, staff: People) -> None:
        give(staff, ANNA, Role.CLINICIAN, NOW - 3 * DAY, NOW + 90 * DAY, "nurse on the ICU")
        (role,) = show(staff, "anna").held
        assert (role.role, role.from_us, role.until_us) == (Role.CLINICIAN, NOW - 3 * DAY, NOW + 90 * DAY)
        assert (role.why, role.proposer, role.approver) == ("nurse on the ICU", "priya", "sam")
        kind, body = staff.records()[-1]
        assert kind == "grant.changed"
        assert '"added":["clinician"]' in body
        assert "nurse" not in body

    def test_an_ended_role_is_history(self, staff: People) -> None:
        give(staff, ANNA, Role.CLINICIAN, NOW - 3 * DAY)
        held = current(staff, "anna")
        keep(staff, [grants.plan_end(SITE, ANNA, held, Role.CLINICIAN, NOW - DAY)])
        assert show(staff, "anna").held == ()
        assert [r.until_us for r in show(staff, "anna").roles] == [NOW - DAY]
        assert '"ended":["clinician"]' in staff.records()[-1][1]
        with pytest.raises(InputError) as error:
            grants.plan_end(SITE, ANNA, current(staff, "anna"), Role.CLINICIAN, NOW)
        assert error.value.reason is Reason.NOT_FOUND

    @pytest.mark.parametrize(
        ("role", "more", "where", "reason"),
        [
            (Role.CLINICIAN, {}, "role", Reason.CONFLICT),
            (Role.AUDITOR, {}, "role", Reason.ROLES_APART),
            (Role.PROVISIONER, {}, "role", Reason.ROLES_APART),
            (Role.SETUP, {}, "role", Reason.ROLES_APART),
            (Role.VENDOR_USER, {"why": "  "}, "why", Reason.INPUT_INVALID),
            (Role.VENDOR_USER, {"why": "a\nb"}, "why", Reason.INPUT_INVALID),
            (Role.VENDOR_USER, {"until_us": NOW}, "until", Reason.INPUT_INVALID),
        ],
    )
    def test_what_may_not_be_granted_is_refused_with_its_reason(
        self, staff: People, role: Role, more: dict[str, object], where: str, reason: Reason
    ) -> None:
        give(staff, ANNA, Role.CLINICIAN)
        with pytest.raises(InputError) as error:
            grants.plan_role(SITE, ANNA, current(staff, "anna"), role, **({"why": "x"} | more), now_us=NOW)  # type: ignore[arg-type]  # of the table
        assert (error.value.where, error.value.reason) == (where, reason)

    def test_who_left_gets_nothing(self) -> None:
        left = dataclasses.replace(ANNA, state="left")
        with pytest.raises(InputError) as error:
            grants.plan_role(SITE, left, None, Role.CLINICIAN, why="x", now_us=NOW)
        assert error.value.reason is Reason.CONFLICT

    def test_a_leavers_roles_stay_as_history_and_hold_no_more_after_a_return(self, staff: People) -> None:
        give(staff, ANNA, Role.CLINICIAN, NOW - 3 * DAY)
        staff.bring("number,state\n17,left\n")
        assert (show(staff, "anna").held, len(show(staff, "anna").roles)) == ((), 1)
        staff.bring("number,state\n17,active\n")
        assert show(staff, "anna", NOW + 1).held == ()
        with read(staff.engine) as db:
            wanted = sql.Wanted(NOW + 1, role="clinician")
            assert sql.page(db, SITE, wanted) == []
        give(staff, staff.by_number("17"), Role.AUDITOR, NOW + DAY)
        assert [r.role for r in show(staff, "anna", NOW + DAY).held] == [Role.AUDITOR]

    def test_words_for_whoever_approves(self) -> None:
        draft = grants.plan_role(SITE, ANNA, None, Role.CLINICIAN, why="nurse", now_us=NOW)
        after = Grant.from_body(draft.body)
        assert grants.words(ANNA, None, after, NOW) == ["Anna Berg becomes clinician, without an end: nurse"]
        ended = Grant.from_body(grants.plan_end(SITE, ANNA, after, Role.CLINICIAN, NOW).body)
        assert grants.words(ANNA, after, ended, NOW) == ["Anna Berg is clinician no longer"]


class TestLists:
    """Filters, and what is not believed."""

    @pytest.mark.parametrize(
        ("asked", "found"),
        [
            ({}, ["anna", "bert"]),
            ({"words": "BERG"}, ["anna"]),
            ({"words": "18"}, ["bert"]),
            ({"words": "%"}, []),
            ({"role": "clinician"}, ["anna"]),
            ({"role": "auditor"}, []),
            ({"unit": "ICU"}, ["anna"]),
            ({"party": "Acme"}, ["bert"]),
            ({"party": ""}, ["anna"]),
            ({"state": "left"}, []),
        ],
    )
    def test_filters(self, staff: People, asked: dict[str, str], found: list[str]) -> None:
        give(staff, ANNA, Role.CLINICIAN)
        with read(staff.engine) as db:
            rows = views.page(db, SITE, reader(staff), views.Wanted(NOW, **asked))  # type: ignore[arg-type]  # of the table
        assert [row.person.id for row in rows] == found

    def test_pages_go_on_by_id(self, staff: People) -> None:
        with read(staff.engine) as db:
            rows = views.page(db, SITE, reader(staff), views.Wanted(NOW), after="anna")
        assert [row.person.id for row in rows] == ["bert"]

    @pytest.mark.parametrize("name", ["anna", "17"])
    def test_somebody_is_found_by_id_or_number(self, staff: People, name: str) -> None:
        with read(staff.engine) as db:
            found = views.find(db, SITE, reader(staff), name)
        assert found is not None
        assert found.person.id == "anna"

    def test_a_record_that_somebody_changed_is_not_believed(self, staff: People) -> None:
        give(staff, ANNA, Role.CLINICIAN)
        body = dataclasses.replace(ANNA, name="Mallory").body()
        with write(staff.engine) as db:
            db.exec_driver_sql("UPDATE person SET body = ? WHERE id = 'anna'", (body,))
        view = show(staff, "anna")
        assert (view.signed, view.roles) == (Reason.SIGNATURE_INVALID.code, ())

    def test_a_grant_that_somebody_changed_is_not_believed(self, staff: People) -> None:
        give(staff, ANNA, Role.CLINICIAN)
        staff.seen = type(staff.seen)()
        with write(staff.engine) as db:
            sql_text = (
                "UPDATE authority SET body = replace(body, 'clinician', 'auditor') WHERE kind = 'grant'"
            )
            db.exec_driver_sql(sql_text.replace("replace(body", "replace(CAST(body AS TEXT)"))
        assert show(staff, "anna").signed == Reason.SIGNATURE_INVALID.code
        with read(staff.engine) as db, pytest.raises(AuthorityError):
            views.granted(db, SITE, reader(staff), "anna")


class TestServices:
    """A service answers to a person who is here."""

    def test_it_is_nobody_once_its_owner_left(self, staff: People) -> None:
        keep(staff, [grants.plan_service(SITE, FEED, BERT)])
        assert actor_of_service(FEED, BERT, NOW).roles == {Role.PROVISIONER}
        with read(staff.engine) as db:
            (view,) = views.services(db, SITE, reader(staff))
        assert (view.alive, view.proposer, view.approver) == (True, "priya", "sam")
        staff.bring("number,state\n18,left\n")
        assert actor_of_service(FEED, staff.by_number("18"), NOW).roles == frozenset()
        with read(staff.engine) as db:
            (view,) = views.services(db, SITE, reader(staff))
            rows = views.review(db, SITE, NOW, 90)
        assert not view.alive
        assert ("service.ownerless", "hr-feed") in [(row.rule, row.about) for row in rows]

    @pytest.mark.parametrize(
        ("change", "where"),
        [
            ({"id": "hr feed"}, "id"),
            ({"name": ""}, "name"),
            ({"owner": "anna"}, "owner"),
            ({"roles": frozenset({Role.CLINICIAN})}, "role"),
            ({"roles": frozenset({Role.KEY_HOLDER})}, "role"),
            ({"roles": frozenset()}, "role"),
            ({"jwk": ""}, "certificate"),
        ],
    )
    def test_a_misshapen_one_is_refused_by_place(self, change: dict[str, object], where: str) -> None:
        with pytest.raises(InputError) as error:
            grants.plan_service(SITE, dataclasses.replace(FEED, **change), BERT)  # type: ignore[arg-type]  # of the table
        assert error.value.where == where


class TestReview:
    """Where somebody should look."""

    def rules(self, people: People, now: int = NOW) -> list[tuple[str, str]]:
        with read(people.engine) as db:
            rows = views.review(db, SITE, now, 90)
        return [(row.rule, row.about) for row in rows if row.rule != "roles.few"]

    def test_unused_endless_and_due(self, staff: People) -> None:
        give(staff, ANNA, Role.CLINICIAN, NOW - 100 * DAY)
        give(staff, BERT, Role.VENDOR_USER, NOW - 10 * DAY, NOW + 20 * DAY)
        assert self.rules(staff) == [
            ("grant.due", "bert/vendor-user"),
            ("grant.endless", "anna/clinician"),
            ("grant.unused", "anna/clinician"),
        ]

    def test_use_takes_it_off_the_list_and_comes_back_when_it_stops(self, staff: People) -> None:
        give(staff, ANNA, Role.CLINICIAN, NOW - 100 * DAY)
        with write(staff.engine) as db:
            granted_sql.note_use(db, SITE, "anna", "patient.open", ["clinician"], NOW - DAY)
        assert ("grant.unused", "anna/clinician") not in self.rules(staff)
        assert ("grant.unused", "anna/clinician") in self.rules(staff, NOW + 90 * DAY)

    def test_who_left_is_no_longer_reviewed(self, staff: People) -> None:
        give(staff, ANNA, Role.CLINICIAN, NOW - 100 * DAY)
        staff.bring("number,state\n17,left\n")
        assert self.rules(staff) == []

    def test_too_few_to_approve_for_each_other(self, staff: People) -> None:
        def few() -> list[str]:
            with read(staff.engine) as db:
                return [row.words for row in views.review(db, SITE, NOW, 90) if row.rule == "roles.few"]

        assert few() == [], "a site that nobody has a role on has no people yet"
        give(staff, ANNA, Role.PRIVACY_OFFICER)
        words = "privacy-officer or security-analyst: too few to approve for each other"
        assert few() == [f"1 person is {words}"]
        give(staff, BERT, Role.SECURITY_ANALYST)
        assert few() == []
        staff.bring("number,state\n18,left\n")
        assert len(few()) == 1

    def test_many_roles_and_roles_that_stand_apart(self, staff: People) -> None:
        for role in (Role.CLINICIAN, Role.CLINICAL_ENGINEER, Role.VENDOR_USER, Role.ADMINISTRATOR):
            give(staff, ANNA, role, until=NOW + 90 * DAY)
        with write(staff.engine) as db:  # as no plan and no keeper would make it
            values = {"until_us": NOW + DAY * 90, "at_us": NOW, "why": "", **BEHIND}
            granted_sql.put_role(db, SITE, "bert", ("auditor", NOW), values)
            granted_sql.put_role(db, SITE, "bert", ("administrator", NOW), values)
        assert self.rules(staff) == [("roles.apart", "bert"), ("roles.many", "anna")]


class TestUses:
    """A use is noted once an hour, for the role that was needed."""

    def test_the_role_that_permitted_it_was_used_the_other_was_not(self, staff: People) -> None:
        uses = Uses(staff.engine, SITE)
        actor = Actor("person", "anna", frozenset({Role.PRIVACY_OFFICER, Role.VENDOR_USER}))
        assert uses.note(Rules.builtin(), actor, "ledger.see", Thing("area"), NOW, AT_THE_MACHINE)
        with read(staff.engine) as db:
            assert granted_sql.uses(db, SITE) == {("anna", "privacy-officer"): NOW}

    def test_once_an_hour(self, staff: People) -> None:
        uses = Uses(staff.engine, SITE)
        actor = Actor("person", "anna", frozenset({Role.AUDITOR}))
        noted = [
            uses.note(
                Rules.builtin(), actor, "ledger.see", Thing("area"), NOW + after_s * 1_000_000, AT_THE_MACHINE
            )
            for after_s in (0, 1, NOTED_S - 1, NOTED_S)
        ]
        assert noted == [True, False, False, True]
        with read(staff.engine) as db:
            assert granted_sql.uses(db, SITE) == {("anna", "auditor"): NOW + NOTED_S * 1_000_000}

    def test_what_anybody_may_is_no_use_of_a_role(self, staff: People) -> None:
        actor = Actor("person", "anna", frozenset({Role.AUDITOR}))
        assert not Uses(staff.engine, SITE).note(Rules.builtin(), actor, "home.see", Thing("area"), NOW)

    def test_time_never_goes_back(self, staff: People) -> None:
        for at in (NOW, NOW - DAY):
            with write(staff.engine) as db:
                granted_sql.note_use(db, SITE, "anna", "ledger.see", ["auditor"], at)
        with read(staff.engine) as db:
            assert granted_sql.uses(db, SITE) == {("anna", "auditor"): NOW}

    def test_a_full_disk_does_not_stop_what_was_permitted(
        self, staff: People, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def full(*_: object) -> None:
            raise StorageError("", "", reason=Reason.STORAGE_FULL)

        monkeypatch.setattr(granted_sql, "note_use", full)
        actor = Actor("person", "anna", frozenset({Role.AUDITOR}))
        assert not Uses(staff.engine, SITE).note(
            Rules.builtin(), actor, "ledger.see", Thing("area"), NOW, AT_THE_MACHINE
        )

    def test_what_could_not_be_written_is_noted_the_next_time(
        self, staff: People, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def busy(*_: object) -> None:
            raise StorageError("", "", reason=Reason.STORAGE_FULL)

        uses, actor = Uses(staff.engine, SITE), Actor("person", "anna", frozenset({Role.AUDITOR}))
        asked = Rules.builtin(), actor, "ledger.see", Thing("area"), NOW, AT_THE_MACHINE
        with monkeypatch.context() as patched:
            patched.setattr(granted_sql, "note_use", busy)
            assert not uses.note(*asked)
        assert uses.note(*asked), "a busy moment does not count as an hour noted"

    def test_nobody_is_noted_for_a_site_without_people(self, staff: People) -> None:
        nobody = Actor("person", "", frozenset({Role.SETUP}))
        assert not Uses(staff.engine, SITE).note(Rules.builtin(), nobody, "home.see", Thing("area"), NOW)


def test_an_actor_has_the_roles_that_the_page_shows(staff: People) -> None:
    give(staff, ANNA, Role.CLINICIAN, NOW - DAY)
    shown = {role.role for role in show(staff, "anna").held}
    assert actor_of(staff.by_number("17"), current(staff, "anna"), NOW).roles == shown
