"""Joiners, movers, leavers: what a list does to the people that are there."""

from __future__ import annotations

import dataclasses
import itertools

import pytest
from tests.unit.people.conftest import DAY, NOW, SITE, People

from oathward.core.db import read, write
from oathward.core.errors import InputError
from oathward.core.labels import Role
from oathward.core.reasons import Reason
from oathward.people import actions, sql
from oathward.policy.access import actor_of
from oathward.policy.people import Grant, Person, RoleGrant

HEADER = "number,name,units\n"
TWO = HEADER + "17,Anna Berg,ICU\n18,Bert Olsen,ICU;Ward 3\n"


def numbers(changes: tuple[actions.Change, ...]) -> list[str]:
    return [change.number for change in changes]


def test_a_dry_run_says_who_joins_moves_and_leaves_and_changes_nothing(people: People) -> None:
    people.bring(TWO + "19,Carl,\n20,Dora,\n21,Eva,\n")
    found = people.plan(
        HEADER + "17,Anna Berg,ICU\n18,Bert Olsen,Ward 3\n19,Carl,\n20,Dora,\n22,Finn,ICU\n", everyone=True
    )
    assert (numbers(found.joiners), numbers(found.movers), numbers(found.leavers)) == (["22"], ["18"], ["21"])
    assert found.movers[0].fields == ("units",)
    assert found.unchanged == 3
    assert [kind for kind, _ in people.records()] == ["person.joined"] * 5


def test_records_hold_ids_and_names_of_columns_alone(people: People) -> None:
    people.bring("number,name,mail\n17,Anna Berg,anna@hospital.example\n")
    people.bring("number,name,mail\n17,Anna Holm,anna.holm@hospital.example\n")
    people.bring("number,state\n17,left\n")
    kinds = [kind for kind, _ in people.records()]
    assert kinds == ["person.joined", "person.changed", "person.left"]
    told = "".join(str(body) for _, body in people.records())
    assert people.by_number("17").id in told
    assert '"fields":["name","mail"]' in told
    for word in ("Anna", "Holm", "hospital.example"):
        assert word not in told


def test_a_list_without_a_column_leaves_that_as_it_is(people: People) -> None:
    people.bring(TWO)
    people.bring("number,mail\n17,anna@hospital.example\n")
    anna = people.by_number("17")
    assert (anna.units, anna.mail) == ({"ICU"}, "anna@hospital.example")


def test_who_moves_to_another_unit_is_listed_there_alone(people: People) -> None:
    people.bring(TWO)
    people.bring(HEADER + "17,Anna Berg,Ward 3\n")
    with read(people.engine) as db:
        here = sql.page(db, SITE, sql.Wanted(NOW, unit="ICU"))
        there = sql.page(db, SITE, sql.Wanted(NOW, unit="Ward 3"))
    assert [row.person.number for row in here] == ["18"]
    assert [row.person.number for row in there] == ["17", "18"]


def test_without_everyone_nobody_leaves(people: People) -> None:
    people.bring(TWO)
    assert people.bring(HEADER + "17,Anna Berg,ICU\n").leavers == ()


class TestEveryone:
    """A list of everyone makes those who are not on it leave."""

    TEN = HEADER + "".join(f"{n},Person {n},\n" for n in range(10))

    def test_up_to_a_fifth_leave(self, people: People) -> None:
        people.bring(self.TEN)
        rest = HEADER + "".join(f"{n},Person {n},\n" for n in range(8))
        assert numbers(people.bring(rest, everyone=True).leavers) == ["8", "9"]
        assert people.by_number("9").state == "left"

    def test_more_is_refused_with_its_reason_unless_said(self, people: People) -> None:
        people.bring(self.TEN)
        rest = HEADER + "".join(f"{n},Person {n},\n" for n in range(7))
        found = people.plan(rest, everyone=True)
        assert [e.reason for e in found.errors] == [Reason.PEOPLE_MANY_LEAVE.code]
        assert found.documents == ()
        assert numbers(found.leavers) == ["7", "8", "9"]
        assert people.bring(rest, everyone=True, many_leave=True).leavers == found.leavers

    def test_leaving_by_state_counts_too(self, people: People) -> None:
        people.bring(self.TEN)
        gone = "number,name,state\n" + "".join(
            f"{n},Person {n},{'left' if n < 3 else 'active'}\n" for n in range(10)
        )
        assert [e.reason for e in people.plan(gone, everyone=True).errors] == ["people.many-leave"]

    @pytest.mark.parametrize("many_leave", [False, True])
    def test_a_list_that_names_nobody_is_never_taken(self, people: People, *, many_leave: bool) -> None:
        people.bring(self.TEN)
        assert people.plan(HEADER, everyone=True, many_leave=many_leave).errors != ()

    def test_who_has_no_number_cannot_be_listed_and_stays(self, people: People) -> None:
        people.add(Person(id="founder", name="Founder", since_us=NOW))
        found = people.bring(self.TEN, everyone=True)
        assert (found.leavers, found.unlisted) == ((), 1)


class TestTwice:
    """One human being is one record."""

    ANNA = "number,name,mail,staff_ids,provider_subject\n17,Anna,a@h.example,HOSP|1,sub-1\n"

    @pytest.mark.parametrize(
        ("row", "column"),
        [
            ("18,Bert,a@h.example,,", "mail"),
            ("18,Bert,A@H.example,,", "mail"),
            ("18,Bert,,HOSP|1,", "staff_ids"),
            ("18,Bert,,hosp|1;HOSP|2,", "staff_ids"),
            ("18,Bert,,,sub-1", "provider_subject"),
        ],
    )
    def test_what_is_another_persons_is_refused_with_its_reason(
        self, people: People, row: str, column: str
    ) -> None:
        people.bring(self.ANNA)
        (error,) = people.plan(self.ANNA.splitlines()[0] + f"\n{row}\n").errors
        assert (error.line, error.column, error.reason) == (2, column, "person.twice")

    def test_two_new_people_of_one_list_are_kept_apart_too(self, people: People) -> None:
        (error,) = people.plan(self.ANNA + "18,Bert,,,sub-1\n").errors
        assert (error.line, error.column, error.reason) == (3, "provider_subject", "person.twice")
        assert "line 2" in error.why

    def test_two_people_may_change_what_they_have(self, people: People) -> None:
        people.bring(self.ANNA + "18,Bert,b@h.example,,\n")
        people.bring("number,mail\n17,b@h.example\n18,a@h.example\n")
        assert (people.by_number("17").mail, people.by_number("18").mail) == ("b@h.example", "a@h.example")

    def test_an_address_is_given_on_after_somebody_left_a_staff_number_is_not(self, people: People) -> None:
        people.bring(self.ANNA)
        people.bring("number,state\n17,left\n")
        people.bring("number,name,mail\n18,Bert,a@h.example\n")
        (error,) = people.plan("number,name,staff_ids\n18,Bert,HOSP|1\n").errors
        assert error.reason == "person.twice"

    def test_the_database_itself_keeps_them_apart(self, people: People) -> None:
        one, two = (Person(id=i, name="A", number="17") for i in ("one", "two"))
        people.add(one)
        with pytest.raises(Exception, match="IntegrityError"):
            people.store([actions.draft(SITE, two)])

    def test_a_plan_for_one_person_refuses_too(self, people: People) -> None:
        people.bring(self.ANNA)
        with read(people.engine) as db, pytest.raises(InputError) as error:
            actions.plan(db, SITE, [Person(id="x", name="X", number="17")])
        assert error.value.reason is Reason.PERSON_TWICE


class TestLeaving:
    """Who leaves loses everything at once; who comes back is the same person, without the roles of before."""

    GRANT = (RoleGrant(Role.CLINICIAN, NOW),)

    def roles(self, people: People, now: int) -> frozenset[Role]:
        anna = people.by_number("17")
        return actor_of(anna, Grant(anna.id, self.GRANT), now).roles

    def test_leaving_and_coming_back(self, people: People) -> None:
        people.bring(TWO)
        first = people.by_number("17")
        assert self.roles(people, NOW + DAY) == {Role.CLINICIAN}
        people.now = NOW + DAY
        people.bring("number,state\n17,left\n")
        assert self.roles(people, NOW + DAY) == frozenset()
        people.now = NOW + 2 * DAY
        assert numbers(people.bring("number,state\n17,active\n").joiners) == ["17"]
        again = people.by_number("17")
        assert (again.id, again.since_us) == (first.id, NOW + 2 * DAY)
        assert self.roles(people, NOW + 3 * DAY) == frozenset()

    def test_reverse_without_a_new_beginning_the_roles_of_before_would_hold(self, people: People) -> None:
        people.bring(TWO)
        kept = dataclasses.replace(people.by_number("17"), since_us=NOW)
        assert actor_of(kept, Grant(kept.id, self.GRANT), NOW + 3 * DAY).roles == {Role.CLINICIAN}

    def test_on_a_list_of_everyone_who_stands_there_is_back(self, people: People) -> None:
        people.bring(TWO)
        people.bring("number,state\n17,left\n")
        assert numbers(people.bring(TWO, everyone=True).joiners) == ["17"]

    def test_a_partial_list_brings_nobody_back_by_accident(self, people: People) -> None:
        people.bring(TWO)
        people.bring("number,state\n17,left\n")
        assert people.bring(HEADER + "17,Anna Berg,Ward 3\n").joiners == ()
        assert people.by_number("17").state == "left"

    def test_one_person_leaves_by_name_and_only_once(self, people: People) -> None:
        people.bring(TWO)
        id_ = people.by_number("17").id
        with read(people.engine) as db:
            people.store([actions.plan_leaving(db, SITE, id_)])
        with read(people.engine) as db, pytest.raises(InputError) as error:
            actions.plan_leaving(db, SITE, id_)
        assert error.value.reason is Reason.CONFLICT
        with read(people.engine) as db, pytest.raises(InputError) as error:
            actions.plan_leaving(db, SITE, "nobody")
        assert error.value.reason is Reason.NOT_FOUND


def test_a_race_is_noticed_at_the_latest_when_stored(people: People) -> None:
    people.bring(TWO)
    plans = [people.plan(HEADER + f"17,Anna {n},\n").documents for n in range(2)]
    early, late = (people.signed(plan[0]) for plan in plans)
    for document, fits in ((late, True), (early, False)):
        with write(people.engine) as db:
            if fits:
                actions.store(db, SITE, [document], by="me", now_us=NOW)
                continue
            with pytest.raises(InputError) as error:
                actions.store(db, SITE, [document], by="me", now_us=NOW)
    assert error.value.reason is Reason.CONFLICT


def test_ids_say_nothing_and_come_from_outside_in_tests(people: People) -> None:
    ids = (f"p-{n}" for n in itertools.count())
    found = people.plan(TWO, new_id=lambda: next(ids))
    assert [change.person for change in found.joiners] == ["p-0", "p-1"]
