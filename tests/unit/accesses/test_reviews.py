"""Promises about reviews: what nothing explains waits with a clock, another person looks at it, and being late is a finding."""

import json
from dataclasses import replace

import pytest

from oathward.accesses import actions, sql, views, watching
from oathward.accesses.evidence import gather
from oathward.accesses.model import Duty, Filters
from oathward.core.db import connect, create_tables, read, write
from oathward.core.errors import AuthorityError, InputError
from oathward.core.reasons import Reason
from oathward.ledger import Record, append, prepare
from oathward.vault import care_orders, care_rows
from oathward.vault.authority import Document, Seen, put, signing_input
from oathward.vault.care_orders import Order
from oathward.vault.care_rows import Stamps, Stay
from oathward.vault.sign import Signer

SITE = "north"
T = 1_800_000_000_000_000
HOUR = 3_600_000_000
SIGNER = Signer.create("keeper")


@pytest.fixture
def engine(tmp_path):
    engine = connect(f"sqlite:///{tmp_path}/site.db")
    create_tables(engine)
    take(engine, T)
    yield engine
    engine.dispose()


def note(engine, *records):
    with write(engine) as db:
        append(db, SITE, [prepare(one) for one in records])


def opened(person="p-1", subject="s", at_us=T, kind="keeper.opened", **more):
    body = {"basis": "", "opened": 1, "person": person, "purpose": "TREAT", "unit": ""} | more
    return Record(kind, body, at_us, subject)


def stay(engine, subject="s", unit="HOSP|ICU"):
    one = Stay(subject, b"v", unit, (), T - HOUR, None, T - HOUR, T - HOUR, T - HOUR, T - HOUR, T, "m")
    with write(engine) as db:
        care_rows.put_stay(db, SITE, one, Stamps(b"k" * 32, SITE))


def take(engine, now_us, hours=72):
    with write(engine) as db:
        return actions.take_in(db, SITE, SIGNER, Seen(), review_us=hours * HOUR, now_us=now_us)


def late(engine, now_us):
    with write(engine) as db:
        return actions.tell_overdue(db, SITE, now_us)


def waiting(engine, **more):
    with read(engine) as db:
        return views.reviews(db, SITE, SIGNER, Seen(), Filters(**more))


def review(engine, *openings, by="p-9", outcome="justified", sealed=b"sealed words"):
    with write(engine) as db:
        return actions.review(db, SITE, openings, by=by, outcome=outcome, sealed=sealed, now_us=T + HOUR)


def last(engine):
    with read(engine) as db:
        kind, body = db.exec_driver_sql("SELECT kind, body FROM ledger_record ORDER BY idx DESC").first()
    return kind, json.loads(body)["body"]


def test_what_nothing_explains_waits_and_what_something_explains_does_not(engine):
    stay(engine)
    note(
        engine,
        opened(basis="unit", unit="HOSP|ICU"),
        opened(person="p-2"),
        opened(person="p-3", kind="keeper.refused", why="access.relation"),
        opened(person="p-4", kind="patient.sought", told=False),
        opened(person="p-5", kind="patient.sought", subject="", told=False),
    )
    assert take(engine, T) == 3
    assert {one.row.person for one in waiting(engine)} == {"p-2", "p-3", "p-4"}
    assert take(engine, T) == 0, "each is looked at once"
    assert len(waiting(engine)) == 3


def test_more_than_a_page_of_them_is_taken_in_whole(engine):
    note(engine, *(opened(person=f"p-{n}") for n in range(2 * actions.PAGE + 7)))
    assert take(engine, T) == 2 * actions.PAGE + 7


def test_who_starts_has_no_clock_behind_them(tmp_path):
    engine = connect(f"sqlite:///{tmp_path}/new.db")
    create_tables(engine)
    note(engine, opened())
    assert take(engine, T) == 0
    note(engine, opened(person="p-2"))
    assert take(engine, T) == 1
    engine.dispose()


def test_another_person_reviews_once_with_words(engine):
    note(engine, opened())
    take(engine, T)
    [one] = waiting(engine)
    number = one.row.opening
    for wrong, reason in (
        ({"by": "p-1"}, Reason.ACCESS_OWN),
        ({"outcome": "fine"}, Reason.INPUT_INVALID),
        ({"sealed": b""}, Reason.INPUT_INVALID),
    ):
        with pytest.raises(InputError) as error:
            review(engine, number, **wrong)
        assert error.value.reason is reason
    with pytest.raises(InputError) as error:
        review(engine, 999)
    assert error.value.reason is Reason.NOT_FOUND
    assert review(engine, number)[0].by == "p-9"
    assert last(engine) == ("access.reviewed", {
        "by": "p-9", "opening": number, "outcome": "justified", "person": "p-1",
    }), "words stand in no record"  # fmt: skip
    assert waiting(engine) == []
    assert [one.row.outcome for one in waiting(engine, waiting=False)] == ["justified"]
    with pytest.raises(InputError) as error:
        review(engine, number)
    assert error.value.reason is Reason.CONFLICT


def test_overdue_is_a_finding_once_and_not_before(engine):
    note(engine, opened(), opened(person="p-2"))
    take(engine, T)
    review(engine, waiting(engine)[0].row.opening)
    assert late(engine, T + 72 * HOUR) == 0
    assert late(engine, T + 73 * HOUR) == 1, "what was reviewed is not late"
    kind, body = last(engine)
    assert (kind, body["finding"], len(body["openings"])) == ("finding.raised", actions.OVERDUE, 1)
    assert late(engine, T + 99 * HOUR) == 0
    with read(engine) as db:
        assert views.waiting(db, SITE, T + 73 * HOUR) == views.Waiting(1, 1)


def test_many_of_one_person_are_worth_a_look(engine):
    note(engine, *(opened(person="clerk") for _ in range(views.MANY)), opened(person="p-2"))
    note(engine, *(opened("nosy", "", kind="patient.sought", told=False) for _ in range(views.SOUGHT_MANY)))
    take(engine, T)
    with read(engine) as db:
        found = {(one.kind, one.person, one.count) for one in views.patterns(db, SITE, T)}
    assert found == {("unexplained", "clerk", views.MANY), ("sought", "nosy", views.SOUGHT_MANY)}


def test_a_broken_glass_and_a_release_are_found_in_the_records(engine):
    begun = Record("breakglass.begun", {"id": "g", "minutes": 30, "person": "p-1"}, T - 60, "s")
    ordered = Record("release.ordered", {"messages": ["m1"], "order": "o", "person": "p-2"}, T - 60)
    note(engine, begun, ordered, opened(), opened("p-2", "other", messages=["m1"]))
    note(engine, Record("breakglass.ended", {"id": "g"}, T + 60, "s"), opened(at_us=T + 61))
    with read(engine) as db:
        some = views.openings(db, SITE)
        found = {one.opening.index: one for one in views.explained(db, SITE, some, SIGNER, Seen())}
    assert [[r.id for r in found[i].reasons] for i in sorted(found)] == [
        ["break-glass"],
        ["privacy-work"],
        [],
    ]


def test_openings_of_one_person_and_patient_are_reviewed_together_and_no_others(engine):
    note(engine, opened(), opened(), opened(subject="other"), opened(person="p-2"))
    take(engine, T)
    one, two, other, another = (one.row.opening for one in waiting(engine))
    for wrong in ((one, other), (one, another)):
        with pytest.raises(InputError) as error:
            review(engine, *wrong)
        assert error.value.reason is Reason.INPUT_INVALID
    done = review(engine, one, two)
    assert [(row.said_of, bool(row.sealed)) for row in done] == [(one, True), (one, False)]
    with read(engine) as db:
        told = views.one(db, SITE, two, SIGNER, Seen())
        pairs = views.pairs(views.reviews(db, SITE, SIGNER, Seen()))
    assert told.sealed == b"sealed words"
    assert [step.step for step in told.steps] == ["taken", "reviewed"]
    assert [(pair.person, pair.subject, len(pair.reviews)) for pair in pairs] == [("p-1", "other", 1), ("p-2", "s", 1)]  # fmt: skip


def test_it_is_given_to_somebody_else_than_who_opened(engine):
    note(engine, opened())
    take(engine, T)
    [one] = waiting(engine)
    with write(engine) as db, pytest.raises(InputError) as error:
        actions.assign(db, SITE, [one.row.opening], by="p-9", to="p-1", now_us=T)
    assert error.value.reason is Reason.ACCESS_OWN
    with write(engine) as db:
        actions.assign(db, SITE, [one.row.opening], by="p-9", to="p-8", now_us=T)
    assert last(engine) == ("access.assigned", {"by": "p-9", "openings": [one.row.opening], "to": "p-8"})
    assert [len(waiting(engine, assigned=who)) for who in ("p-8", "p-9")] == [1, 0]


def test_openings_of_labelled_patients_are_always_looked_at(engine, monkeypatch):
    monkeypatch.setattr(watching, "watched", lambda _db, _site, some: {some[0].index: "CEL"} if some else {})
    stay(engine)
    note(engine, opened(basis="unit", unit="HOSP|ICU"), opened(basis="unit", unit="HOSP|ICU"))
    assert take(engine, T) == 1
    [one] = waiting(engine)
    assert one.row.watched == "CEL"
    assert one.found.reason.id == "unit"


def duties(engine, *some, source="night"):
    with write(engine) as db:
        actions.import_duties(
            *(db, SITE, [Duty(*one, source) for one in some]), source=source, digest="00", by="p-9", now_us=T
        )


def test_a_roster_replaces_what_it_said_of_that_time_and_is_on_record(engine):
    duties(engine, ("E1", "HOSP|ICU", T, T + HOUR), ("E2", "HOSP|ICU", T, T + HOUR))
    duties(engine, ("E9", "HOSP|ICU", T, T + HOUR), source="other")
    duties(engine, ("E1", "HOSP|ICU", T, T + 2 * HOUR))
    assert last(engine)[1] == {"by": "p-9", "digest": "00", "lines": 1, "source": "night"}
    with read(engine) as db:
        found = sql.duties(db, SITE, {"E1", "E2", "E9"}, T, T)
    assert [(one.number, one.until_us - T) for one in found] == [("E1", 2 * HOUR), ("E9", HOUR)]
    with write(engine) as db:
        assert actions.forget_duties(db, SITE, T + 401 * 24 * HOUR) == 2


def test_an_order_is_found_and_explains(engine):
    order = Order("s", "HOSP|D12", T - HOUR, "m")
    with write(engine) as db:
        care_orders.take(db, SITE, [order, order])
    note(engine, opened())
    with read(engine) as db:
        [one] = views.openings(db, SITE)
        evidence = gather(db, SITE, [one], SIGNER, Seen())
    assert evidence.orders == {"s": (order,)}
    with write(engine) as db:
        care_orders.forget(db, SITE, ["s"])
        assert care_orders.of(db, SITE, ["s"]) == []


def test_no_row_names_whom_it_was_about():
    assert "subject" not in {
        column.name
        for table in (sql.access_review, sql.access_step, sql.access_duty, sql.access_taken)
        for column in table.columns
    }


def signed(engine, kind, id_, body, signer=SIGNER):
    document = Document(SITE, kind, id_, 1, json.dumps(body).encode(), b"")
    with write(engine) as db:
        put(db, replace(document, signature=signer.sign(signing_input(document))))


def test_of_devices_only_those_that_openings_name_are_read(engine):
    """A site has a hundred thousand: one that does not verify, and that no opening names, is not in the way."""
    signed(engine, "device", "d-1", {"owner": "E77"})
    signed(engine, "device", "d-2", {"owner": "E78"}, Signer.create("another"))
    for message, device in (("m1", "d-1"), ("m2", "d-2")):
        note(engine, Record("message.accepted", {"device": device}, T - HOUR, "s", (), message))

    def owners(message, purpose):
        note(engine, Record("keeper.opened", opened(purpose=purpose).body, T, "s", (), message))
        with read(engine) as db:
            return gather(db, SITE, views.openings(db, SITE)[:1], SIGNER, Seen()).owners

    assert owners("m1", "HOPERAT") == {"d-1": "E77"}
    assert owners("m2", "TREAT") == {}, "a patient's care is no device that went wrong"
    with pytest.raises(AuthorityError):
        owners("m2", "HOPERAT")
