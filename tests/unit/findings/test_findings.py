"""Promises of findings as they are kept: one a matter, each step a record without a person's words, cleared by what raised it."""

import hashlib
import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import oathward.findings.sql
import oathward.ledger.tables  # noqa: F401  these declare their tables
from oathward.core.db import connect, create_tables, read, write
from oathward.core.errors import InputError
from oathward.core.finding import Raised, State, Step
from oathward.core.finding_kinds import KINDS, Severity
from oathward.core.reasons import Reason
from oathward.core.settings_findings import Findings
from oathward.findings import actions, reconciling, views
from oathward.findings.model import IDS_MAX, NOBODY, Filters, Told
from oathward.findings.reconciling import reconcile

SITE = "north"
T = 1_800_000_000_000_000
DAY = 86_400_000_000
TERMS = Findings()


@pytest.fixture
def url(tmp_path):
    return f"sqlite:///{tmp_path}/site.db"


@pytest.fixture
def engine(url):
    engine = connect(url)
    create_tables(engine)
    yield engine
    engine.dispose()


def undeclared(n, **more):
    return Raised("flow.undeclared", f"a>{n}", f"endpoint:e-{n}", **more)


def tell(engine, *seen, at=T, source="mapping"):
    return reconcile(engine, SITE, source, seen, TERMS, at)


def all_of(engine, at=T, **wanted):
    with read(engine) as db:
        return list(views.listed(db, SITE, Filters(**{"state": ""} | wanted), at, limit=1_000).rows)


def records(engine):
    with read(engine) as db:
        rows = db.exec_driver_sql("SELECT kind, body FROM ledger_record ORDER BY idx").fetchall()
    return [(kind, json.loads(body)["body"]) for kind, body in rows]


def steps(engine, id_):
    with read(engine) as db:
        return [row.step for row in reversed(views.steps(db, SITE, id_))]


def do(engine, verb, ids, *, at=T + 10, **more):
    with write(engine) as db:
        return getattr(actions, verb)(db, SITE, ids, by="p-1", now_us=at, **more)


def test_the_same_matter_is_one_finding_and_seeing_it_again_is_no_record(engine):
    assert tell(engine, undeclared(1), undeclared(2)) == Told(opened=2)
    one = all_of(engine)[0]
    assert [kind for kind, _ in records(engine)] == ["finding.opened"]
    assert sorted(records(engine)[0][1]["findings"]) == sorted(row.id for row in all_of(engine))
    assert records(engine)[0][1]["kinds"] == {"flow.undeclared": 2}
    assert tell(engine, undeclared(1), undeclared(2), at=T + DAY) == Told(again=2)
    now = all_of(engine)[0]
    assert (now.id, now.tellings, now.standing.first_us, now.standing.last_us) == (one.id, 2, T, T + DAY)
    assert now.standing.due_us == one.standing.due_us
    assert len(records(engine)) == 1


def test_what_its_source_sees_no_longer_is_cleared_and_back_it_is_the_same_with_its_owner(engine):
    tell(engine, undeclared(1), undeclared(2))
    one = next(row for row in all_of(engine) if row.about == "endpoint:e-1")
    do(engine, "assign", [one.id], to="p-9")
    tell(engine, at=T + 1, source="another")  # what others no longer see is not theirs to clear
    assert len(all_of(engine, state="open")) == 2
    assert tell(engine, undeclared(2), at=T + DAY) == Told(again=1, cleared=1)
    assert [row.id for row in all_of(engine, state="cleared")] == [one.id]
    assert tell(engine, undeclared(1), undeclared(2), at=T + 2 * DAY) == Told(again=1, reopened=1)
    [back] = [row for row in all_of(engine, state="open") if row.id == one.id]
    assert (back.owner, back.standing.first_us, back.standing.due_us) == ("p-9", T, one.standing.due_us)
    assert steps(engine, one.id) == [Step.OPENED, Step.ASSIGNED, Step.CLEARED, Step.REOPENED]
    assert [kind for kind, _ in records(engine)] == [
        "finding.opened",
        "finding.assigned",
        "finding.cleared",
        "finding.reopened",
    ]


def test_an_hour_that_sees_the_same_a_thousand_times_tells_it_once(engine):
    seen = [undeclared(n % 3) for n in range(1_000)]
    assert tell(engine, *seen).opened == 3
    assert len(records(engine)) == 1
    worse = [undeclared(1), undeclared(1, severity=Severity.URGENT)]
    tell(engine, *worse, undeclared(0), undeclared(2), at=T + 1)
    assert [row.about for row in all_of(engine, severity="urgent")] == ["endpoint:e-1"]
    assert records(engine)[-1][0] == "finding.rose"


def test_a_telling_that_breaks_off_clears_nothing(engine):
    tell(engine, undeclared(1), undeclared(2))

    def broken():
        yield undeclared(1)
        raise InputError("file", "ends early")

    with pytest.raises(InputError):
        reconcile(engine, SITE, "mapping", broken(), TERMS, T + 1)
    with pytest.raises(InputError) as error:
        tell(engine, undeclared(1), Raised("no.such-kind", "k"), at=T + 2)
    assert error.value.reason is Reason.INPUT_INVALID
    assert len(all_of(engine, state="open")) == 2
    assert {kind for kind, _ in records(engine)} == {"finding.opened"}


def test_who_floods_a_source_has_nothing_taken_for_gone(engine, monkeypatch):
    tell(engine, undeclared(1), undeclared(2))
    monkeypatch.setattr(reconciling, "TOLD_MAX", 3)
    flood = tell(engine, *(undeclared(n) for n in range(10, 14)), at=T + 1)
    assert flood == Told(opened=3, cut=True)
    assert len(all_of(engine, state="open")) == 5
    assert tell(engine, *(undeclared(n) for n in range(10, 13)), at=T + 2) == Told(again=3, cleared=2)


def test_a_source_that_looked_at_a_part_takes_nothing_for_gone(engine):
    tell(engine, undeclared(1), undeclared(2))
    told = reconcile(engine, SITE, "mapping", [undeclared(1)], TERMS, T + 1, whole=False)
    assert told == Told(again=1, cut=True)
    assert len(all_of(engine, state="open")) == 2


def test_a_persons_words_stand_in_the_table_and_only_their_digest_in_the_record(engine):
    tell(engine, undeclared(1))
    [one] = all_of(engine)
    words = "the pump of bay 4 is on loan"
    do(engine, "note", [one.id], why=words)
    do(engine, "suppress", [one.id], why=words, until_us=T + DAY)
    do(engine, "extend", [one.id], why=words, until_us=T + 30 * DAY)
    do(engine, "lift", [one.id], why=words)
    digest = hashlib.sha256(words.encode()).hexdigest()
    told = records(engine)[1:]
    assert [kind for kind, _ in told] == [
        "finding.noted",
        "finding.suppressed",
        "finding.extended",
        "finding.lifted",
    ]
    assert {body["why"] for _, body in told} == {digest}
    assert {body["by"] for _, body in told} == {"p-1"}
    assert told[1][1]["until"] == T + DAY
    assert words not in json.dumps(records(engine))
    with read(engine) as db:
        assert {row.why for row in views.steps(db, SITE, one.id)} == {"", words}
    for bad in ("", "  ", "x" * 501, "a\x1bb"):
        with pytest.raises(InputError):
            do(engine, "note", [one.id], why=bad)


def test_suppressed_it_is_in_no_list_of_open_ones_until_its_end_and_wakes_once(engine):
    tell(engine, undeclared(1))
    [one] = all_of(engine)
    do(engine, "suppress", [one.id], why="known", until_us=T + 20 * DAY)
    tell(engine, undeclared(1), at=T + DAY)
    assert all_of(engine, T + DAY, state="open") == []
    assert [row.why for row in all_of(engine, T + DAY, state="suppressed")] == ["known"]
    late = T + 20 * DAY
    assert [row.id for row in all_of(engine, late, state="open", overdue=True)] == [one.id]
    assert all_of(engine, late, state="suppressed") == []
    with read(engine) as db:
        assert views.one(db, SITE, one.id, late).standing.state is State.OPEN
        assert views.counts(db, SITE, late).overdue == 1
    for count in (1, 0):
        with write(engine) as db:
            assert actions.wake(db, SITE, late) == count
    [now] = all_of(engine, late, state="open")
    assert (now.by, now.why) == ("", "")
    assert steps(engine, one.id)[-1] is Step.ENDED
    assert records(engine)[-1][0] == "finding.ended"


def test_many_at_once_are_decided_where_their_state_allows_it(engine):
    tell(engine, *(undeclared(n) for n in range(4)))
    tell(engine, *(undeclared(n) for n in range(3)), at=T + 1)
    gone = all_of(engine, state="cleared")[0].id
    ids = [row.id for row in all_of(engine)]
    done = do(engine, "suppress", ids, why="known", until_us=T + DAY)
    assert (len(done.done), done.left) == (3, (gone,))
    assert records(engine)[-1][1]["findings"] == list(done.done)
    for bad, reason in (
        ([gone], Reason.CONFLICT),
        ([], Reason.INPUT_INVALID),
        ([*ids, "no-such"], Reason.NOT_FOUND),
        ([f"x-{n}" for n in range(IDS_MAX + 1)], Reason.LIMIT_EXCEEDED),
    ):
        before = records(engine)
        with pytest.raises(InputError) as error:
            do(engine, "suppress", bad, why="known", until_us=T + 2 * DAY)
        assert error.value.reason is reason
        assert records(engine) == before


def test_five_hundred_at_once_are_one_record_that_fits(engine):
    tell(engine, *(undeclared(n) for n in range(IDS_MAX)))
    ids = [row.id for row in all_of(engine)]
    assert len(do(engine, "assign", ids, to="p-2").done) == IDS_MAX
    assert len(records(engine)[-1][1]["findings"]) == IDS_MAX
    assert len(do(engine, "assign", ids[:1], to="").done) == 1
    assert len(all_of(engine, owner=NOBODY)) == 1


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.text(),
    st.text(),
    st.dictionaries(st.text(), st.one_of(st.text(), st.integers(), st.floats(), st.booleans()), max_size=30),
)
def test_whatever_a_network_says_is_bounded_and_printable(engine, key, about, details):
    tell(engine, Raised("flow.undeclared", key * 50, about * 50, details=details))
    [one] = all_of(engine, state="open")
    for text in (one.key, one.about, *one.details, *map(str, one.details.values())):
        assert len(text) <= 200
        assert text.isprintable()
    assert len(one.details) <= 20
    tell(engine, at=T + 1)
    with write(engine) as db:
        assert actions.forget(db, SITE, T + 2, 10) == 1


def test_lists_go_by_page_the_gravest_and_first_due_on_top(engine):
    tell(engine, *(undeclared(n) for n in range(7)))
    tell(engine, Raised("rule.forbids-flow", "r"), source="rules")
    tell(engine, Raised("element.unused", "e"), at=T + 1, source="register")
    found, after = [], ""
    with read(engine) as db:
        while True:
            page = views.listed(db, SITE, Filters(), T, after=after, limit=4)
            found += page.rows
            after = page.after
            if not after:
                break
    assert len({row.id for row in found}) == len(found) == 9
    assert [row.standing.severity.rank for row in found] == [0, *[1] * 7, 2]
    tell(engine, at=T + 2)
    with read(engine) as db:
        first = views.listed(db, SITE, Filters(state="cleared"), T, limit=4)
        rest = views.listed(db, SITE, Filters(state="cleared"), T, after=first.after, limit=4)
        assert len({row.id for row in (*first.rows, *rest.rows)}) == 7
        for bad in ("x", "1.2", "1.2.3.4", "-1.2.a", "9" * 30 + ".a"):
            with pytest.raises(InputError):
                views.listed(db, SITE, Filters(), T, after=bad)


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ("rules:fw1", {"rules:fw1"}),
        ("fw1", {"rules:fw1"}),
        ("FW1", {"rules:fw1"}),
        ("w1", set()),
        ("rules:", set()),
        ("fw*", {"rules:fw1", "rules:fw10", "rules:fw_1"}),
        ("rules:fw1*", {"rules:fw1", "rules:fw10"}),
        ("*w1*", {"rules:fw1", "rules:fw10"}),
        ("fw_1", {"rules:fw_1"}),
        ("fw%", set()),
        ("fe80::1", {"address:fe80::1"}),
        ("1", set()),
    ],
)
def test_what_a_finding_is_about_is_asked_for_whole_and_in_part_by_a_star(engine, wanted, found):
    abouts = ("rules:fw1", "rules:fw10", "rules:fw_1", "address:fe80::1")
    tell(engine, *(Raised("rule.unused", about, about) for about in abouts))
    assert {row.about for row in all_of(engine, about=wanted)} == found


def test_tellings_count_how_often_it_was_told_and_not_what_was_seen(engine):
    for day in range(3):
        tell(
            engine,
            *[Raised("identity.claimed-twice", "c", "endpoint:e", details={"sightings": 7})] * 4,
            at=T + day * DAY,
        )
    [one] = all_of(engine)
    assert (one.tellings, one.details["sightings"]) == (3, 7)


def test_counts_of_each_filter_are_what_it_would_leave(engine):
    tell(engine, *(undeclared(n) for n in range(5)), Raised("rule.forbids-flow", "r", "rule:fw-1/9"))
    ids = [row.id for row in all_of(engine, kind="flow.undeclared")]
    do(engine, "assign", ids[:2], to="p-2")
    do(engine, "suppress", ids[2:3], why="known", until_us=T + DAY)
    at = T + DAY // 2
    for wanted in (
        Filters(),
        Filters(state=""),
        Filters(kind="flow.undeclared"),
        Filters(owner="p-2"),
        Filters(severity="urgent"),
        Filters(about="fw-1/9"),
        Filters(about="fw*"),
        Filters(owner=NOBODY, kind="flow.undeclared"),
        Filters(overdue=True),
    ):
        with read(engine) as db:
            facets = views.facets(db, SITE, wanted, at)
            of = {
                "state": facets.states,
                "severity": facets.severities,
                "kind": facets.kinds,
                "source": facets.sources,
                "owner": facets.owners,
            }
            plain = {name: getattr(wanted, name) for name in (*of, "overdue", "about")}
            assert facets.total == len(all_of(engine, at, **plain))
            assert facets.overdue == len(all_of(engine, at, **plain | {"overdue": True}))
            for name, counts in of.items():
                for value, count in counts.items():
                    assert count == len(all_of(engine, at, **plain | {name: value})), (wanted, name, value)
    with read(engine) as db:
        assert views.counts(db, SITE, T + DAY // 2, "p-2") == views.Counts(5, 0, 1, 2)


def test_what_was_cleared_long_ago_goes_with_its_history(engine):
    tell(engine, undeclared(1), undeclared(2))
    tell(engine, undeclared(2), at=T + DAY)
    [gone] = all_of(engine, state="cleared")
    for before, count in ((T + DAY, 0), (T + DAY + 1, 1), (T + DAY + 1, 0)):
        with write(engine) as db:
            assert actions.forget(db, SITE, before, 10) == count
    assert steps(engine, gone.id) == []
    assert len(all_of(engine)) == 1
    assert all(kind in KINDS for kind in {row.kind for row in all_of(engine)})
