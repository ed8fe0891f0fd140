"""Who let whom in, and who widened whom alone: three findings, each with its facts, and without any of them none."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.unit.people.conftest import DAY, NOW, SITE, People

from oathward.core.db import read, write
from oathward.ledger import Record, append, prepare
from oathward.people import actions, doors, granted_sql
from oathward.people.doors import ONE_DOOR, ONE_MAKER, WIDENED
from oathward.policy.people import Person
from oathward.policy.review_findings import RULES, marked, with_names

NAMES = {"adam": "Adam Roth", "eve": "Eve Sand", "ines": "Ines Vogel", "paul": "Paul Graf"}
MADE = [("ines", "paul")]


@pytest.fixture
def site(people: People) -> People:
    people.add(*(Person(id=id_, name=name, number=f"n-{id_}") for id_, name in NAMES.items()))
    return people


def note(site: People, kind: str, *, at_us: int = NOW, **body: object) -> None:
    with write(site.engine) as db:
        append(db, SITE, [prepare(Record(kind, body, at_us))])


def invited(site: People, by: str, *whom: str) -> None:
    for one in whom:
        note(site, "account.invited", by=by, person=one)


def enrolled(site: People, by: str, *whom: str) -> None:
    for one in whom:
        note(site, "account.enrolled", invited_by=by, person=one)


def reset(site: People, by: str, *whom: str) -> None:
    for one in whom:
        note(site, "account.reset", by=by, person=one, factors=[], sessions=[])


def came(site: People, who: str, by: str, days: int = 1) -> None:
    note(site, "session.begun", at_us=NOW - days * DAY, acts=True, by=by, person=who, session="s")


def found(site: People, rule: str, made=MADE, *, provider: bool = True):
    with read(site.engine) as db:
        return [row for row in doors.review(db, SITE, made, NOW, provider=provider) if row.rule == rule]


def test_two_who_made_a_change_and_whom_one_person_let_in_are_named_with_that_person(site: People):
    invited(site, "adam", "ines", "paul")
    came(site, "ines", "password+totp")
    (one,) = found(site, ONE_DOOR)
    assert one.about == "ines,paul"
    said = with_names(one.words, NAMES)
    assert said.startswith("Adam Roth let both Ines Vogel and Paul Graf in to enrol, and neither signed in")
    assert said.endswith("Adam Roth could have been both; changes they made together: 1")
    assert marked(one.words) == {"adam", "ines", "paul"}
    assert "adam" not in with_names(one.words, None)


def test_the_order_of_the_two_is_no_difference(site: People):
    invited(site, "adam", "ines", "paul")
    (one,) = found(site, ONE_DOOR, [("paul", "ines"), ("ines", "paul")])
    assert one.words.endswith("together: 2")


NOT = {
    "two people let them in": lambda s: (invited(s, "adam", "ines"), invited(s, "eve", "paul")),
    "the first came by the provider": lambda s: (invited(s, "adam", "ines", "paul"), came(s, "ines", "provider")),
    "the second came by the provider": lambda s: (invited(s, "adam", "ines", "paul"), came(s, "paul", "provider")),
    "nobody invited one of them": lambda s: invited(s, "adam", "ines"),
    "who founded the site is a name": lambda s: invited(s, "uid 0", "ines", "paul"),
    "another's was the last": lambda s: (invited(s, "adam", "ines", "paul"), invited(s, "eve", "paul")),
    "another's was used": lambda s: (invited(s, "eve", "paul"), enrolled(s, "eve", "paul"), invited(s, "adam", "ines", "paul")),
    "another's reset was used since": lambda s: (enrolled(s, "adam", "ines", "paul"), reset(s, "eve", "paul"), enrolled(s, "eve", "paul")),
    "another's reset was the last": lambda s: (invited(s, "adam", "ines", "paul"), reset(s, "eve", "paul")),
}  # fmt: skip


USED = {
    "whose replaced another's": lambda s: (invited(s, "eve", "paul"), invited(s, "adam", "ines", "paul"), enrolled(s, "adam", "ines", "paul")),
    "whose was used, and another's waits": lambda s: (enrolled(s, "adam", "ines", "paul"), invited(s, "eve", "paul")),
    "who reset one": lambda s: (invited(s, "eve", "paul"), enrolled(s, "eve", "paul"), enrolled(s, "adam", "ines"), reset(s, "adam", "paul"), enrolled(s, "adam", "paul")),
    "who reset both, unrecorded": lambda s: (invited(s, "eve", "ines", "paul"), reset(s, "adam", "ines", "paul")),
}  # fmt: skip


@pytest.mark.parametrize("name", USED)
def test_what_was_used_counts(site: People, name: str):
    USED[name](site)
    assert with_names(found(site, ONE_DOOR)[0].words, NAMES).startswith("Adam Roth")


ONE_IS_THE_OTHERS = {
    "who approved let in who proposed": (lambda s: enrolled(s, "paul", "ines"), "Paul Graf let Ines Vogel in to enrol, who did not sign in"),
    "who proposed let in who approved": (lambda s: invited(s, "ines", "paul"), "Ines Vogel let Paul Graf in to enrol, who did not sign in"),
    "through a third": (lambda s: (enrolled(s, "paul", "eve"), enrolled(s, "eve", "ines")), "Paul Graf, through others, let Ines Vogel in to enrol"),
    "both through others": (
        lambda s: (enrolled(s, "adam", "eve", "paul"), enrolled(s, "eve", "ines")),
        "Adam Roth, through others, let both Ines Vogel and Paul Graf in to enrol",
    ),
    "by turns": (lambda s: (reset(s, "paul", "ines"), reset(s, "ines", "paul")), "Ines Vogel let Paul Graf in"),
}  # fmt: skip


@pytest.mark.parametrize("name", ONE_IS_THE_OTHERS)
def test_whom_the_other_let_in_is_no_second_person(site: People, name: str):
    act, said = ONE_IS_THE_OTHERS[name]
    act(site)
    (one,) = found(site, ONE_DOOR, provider=False)
    words = with_names(one.words, NAMES)
    assert words.startswith(said)
    assert " could have been both; changes they made together: 1" in words


@pytest.mark.parametrize("who", ["ines", "eve"])
def test_who_came_by_the_provider_is_somebody_wherever_they_stand_between(site: People, who: str):
    enrolled(site, "paul", "eve")
    enrolled(site, "eve", "ines")
    came(site, "paul", "provider")
    assert found(site, ONE_DOOR), "that who let somebody in came by it shows nothing of whom they let in"
    came(site, who, "provider")
    assert found(site, ONE_DOOR) == []


def test_a_site_whose_accounts_one_person_made_says_so_and_again_with_each_more(site: People):
    enrolled(site, "uid 0", "adam")
    enrolled(site, "adam", "ines")
    assert found(site, ONE_MAKER, [], provider=False) == [], "one more is nobody's pair"
    enrolled(site, "adam", "paul")
    (one,) = found(site, ONE_MAKER, [], provider=False)
    said = with_names(one.words, NAMES)
    assert said.startswith(
        "Adam Roth let in everybody whose account was made in the last 90 days: Ines Vogel, Paul Graf;"
    )
    assert said.endswith("Adam Roth could be any of them")
    assert one.about == "adam,paul"
    enrolled(site, "adam", "eve")
    assert [row.about for row in found(site, ONE_MAKER, [], provider=False)] == ["adam,eve"], "open again"


MADE_BY_MORE = {
    "another made one": lambda s: enrolled(s, "eve", "paul"),
    "who founded made all": lambda s: enrolled(s, "uid 0", "ines", "paul"),
    "a colleague reset one since": lambda s: (enrolled(s, "adam", "paul"), enrolled(s, "eve", "paul")),
    "who left counts no more": lambda s: (enrolled(s, "adam", "paul"), s.add(Person(id="paul", name="Paul Graf", number="n-paul", state="left"))),
    "it is long ago": lambda s: note(s, "account.enrolled", at_us=NOW - (doors.DAYS + 1) * DAY, invited_by="adam", person="paul"),
}  # fmt: skip


@pytest.mark.parametrize("name", MADE_BY_MORE)
def test_where_not_one_person_made_all_accounts_there_is_none(site: People, name: str):
    if name != "who founded made all":
        enrolled(site, "adam", "ines")
    MADE_BY_MORE[name](site)
    assert found(site, ONE_MAKER, [], provider=False) == []


def test_a_site_with_a_provider_has_others_than_accounts(site: People):
    enrolled(site, "adam", "ines", "paul")
    assert found(site, ONE_MAKER, [], provider=True) == []
    assert found(site, ONE_MAKER, [], provider=False)


@pytest.mark.parametrize("name", NOT)
def test_without_one_of_the_facts_there_is_none(site: People, name: str):
    NOT[name](site)
    assert found(site, ONE_DOOR) == []


def test_who_came_by_the_provider_long_ago_or_at_a_site_that_has_none_did_not(site: People):
    invited(site, "adam", "ines", "paul")
    came(site, "ines", "provider", days=doors.DAYS + 1)
    assert found(site, ONE_DOOR)
    came(site, "ines", "provider")
    assert not found(site, ONE_DOOR)
    assert found(site, ONE_DOOR, provider=False)


@pytest.mark.parametrize(("until_us", "count"), [(None, 1), (NOW + 1, 1), (NOW, 0)])
def test_roles_that_hold_are_changes_too(site: People, until_us: int | None, count: int):
    invited(site, "adam", "ines", "paul")
    values = {
        "proposer": "ines",
        "approver": "paul",
        "why": "",
        "proposal": "p",
        "until_us": until_us,
        "at_us": 1,
    }
    with write(site.engine) as db:
        granted_sql.put_role(db, SITE, "eve", ("clinician", 1), values)
    assert len(found(site, ONE_DOOR, [])) == count


def test_many_invitations_are_all_read(site: People, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(doors, "_PAGE", 2)
    enrolled(site, "eve", "paul")
    invited(site, "eve", "ines")
    for _ in range(4):
        invited(site, "adam", "paul")
        enrolled(site, "adam", "adam")
    assert with_names(found(site, ONE_DOOR)[0].words, NAMES).startswith("Eve Sand")


# --- widened alone


def widen(site: People, *, by_hand: bool = True, **fields: frozenset[str]) -> None:
    after = replace(site.by_number("n-paul"), **fields)
    signed = site.signed(actions.draft(SITE, after))
    with write(site.engine) as db:
        actions.store(db, SITE, [signed], by="adam", now_us=NOW, by_hand=by_hand)


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"units": frozenset({"ICU"})}, "units"),
        ({"staff_ids": frozenset({"HOSP|1"})}, "staff ids"),
        ({"makes": frozenset({"Acme"})}, "makes"),
        ({"units": frozenset({"ICU"}), "makes": frozenset({"Acme"})}, "units, makes"),
    ],
)
def test_who_widened_whom_by_hand_is_named_with_what(site: People, fields, said):
    widen(site, **fields)
    (one,) = found(site, WIDENED)
    assert one.about == "adam,paul"
    words = with_names(one.words, NAMES)
    assert words == f"Adam Roth alone widened what Paul Graf has, by hand in the last 90 days: {said}"


def test_a_list_and_a_directory_widen_nobody_by_hand(site: People):
    widen(site, by_hand=False, units=frozenset({"ICU"}))
    assert found(site, WIDENED) == []


def test_to_take_away_is_not_to_widen(site: People):
    widen(site, by_hand=False, units=frozenset({"ICU", "Ward 3"}))
    widen(site, units=frozenset({"ICU"}))
    assert found(site, WIDENED) == []


def test_each_rule_has_a_title():
    assert {ONE_DOOR, ONE_MAKER, WIDENED} <= set(RULES)
