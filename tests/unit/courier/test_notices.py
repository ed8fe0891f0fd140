"""What becomes of notices at the courier: receipts, refusals, a lane of their own, and who has something of whom."""

from dataclasses import replace

import pytest
from tests.outbox import waiting

import oathward.consent.notices.sql
import oathward.ledger.tables
import oathward.vault.shown  # noqa: F401  these declare their tables
from oathward.consent.notices import actions, sql
from oathward.consent.notices.sql import NoticeRow
from oathward.core.db import connect, create_tables, read, write
from oathward.core.reasons import Reason
from oathward.courier import recheck
from oathward.courier.model import Delivered, Failed, Item
from oathward.courier.notices import Reached
from oathward.courier.record import record_group
from oathward.messages import sql as messages
from oathward.messages.model import NOTICES, Delivery
from oathward.vault import shown
from oathward.vault.shown import Shown

HOUR_US = 3_600_000_000


@pytest.fixture
def engine(tmp_path):
    engine = connect(f"sqlite:///{tmp_path}/t.db")
    create_tables(engine)
    with write(engine) as db:
        sql.put(db, "s", NoticeRow("N1", "p", "link", "p", 3, "none", "queued", 1_000))
        messages.insert_outbox(db, [waiting("N1", sender=f"{NOTICES}p", subject="p")])
    yield engine
    engine.dispose()


def outbox(engine):
    with read(engine) as db:
        return [(row.id, row.state) for row in messages.outbox_rows(db, state=None, limit=10)]


def row_of(engine):
    with read(engine) as db:
        [row] = messages.outbox_rows(db, state=None, limit=1)
        return row


def records(engine):
    import json

    with read(engine) as db:
        rows = db.exec_driver_sql("SELECT kind, body FROM ledger_record ORDER BY idx")
        return [(kind, json.loads(body)["body"]) for kind, body in rows]


def notice(engine):
    with read(engine) as db:
        return sql.find(db, "s", "N1")


def settled(engine, result, at_us=2_000):
    record_group(engine, "s", [(Item(row_of(engine), b""), result, Delivery.DEAD)], at_us=at_us)


def test_a_receipt_is_kept_and_recorded_with_the_end_of_its_row(engine):
    settled(engine, Delivered("CA", "digest"))
    assert outbox(engine) == []
    body = {"answer": "CA", "id": "N1", "passes": "none", "receipt": "digest", "tries": 1, "version": 3}
    assert records(engine) == [("consent.notice-sent", body)]
    found = notice(engine)
    assert (found.state, found.answer, found.settled_us, found.is_missing) == ("sent", "CA", 2_000, False)


def test_a_refusal_is_missing_at_once_and_a_finding_and_may_be_tried_again(engine):
    settled(engine, Failed(Reason.RECIPIENT_REFUSED, refused=True, answer="422"))
    assert outbox(engine) == [("N1", "dead")]
    kinds = [(kind, body.get("finding"), body["reason"]) for kind, body in records(engine)]
    why = Reason.RECIPIENT_REFUSED.code
    assert kinds == [("consent.notice-missing", None, why), ("finding.raised", "consent.notice-missing", why)]
    with read(engine) as db:
        assert sql.missing_count(db, "s") == 1
    # A person tries again, and it is taken: that closes it.
    settled(engine, Delivered("AA"), at_us=3_000)
    assert records(engine)[-1][1]["late"] is True
    with read(engine) as db:
        assert sql.missing_count(db, "s") == 0


def test_one_that_somebody_gives_up_is_missing_no_more_and_says_who_did_it(engine):
    settled(engine, Failed(Reason.RECIPIENT_REFUSED, refused=True, answer="422"))
    with write(engine) as db:
        actions.discarded(db, "s", "another", by="ada", at_us=2_500)
        actions.discarded(db, "s", "N1", by="ada", at_us=2_500)
    given_up = notice(engine)
    assert (given_up.state, given_up.answer, given_up.is_missing) == ("discarded", "ada", False)
    with write(engine) as db:
        assert sql.missing_count(db, "s") == 0
        assert actions.tell_missing(db, "s", hours=24.0, now_us=48 * HOUR_US) == 0, "nor is it told of later"
        assert sql.last_said(db, "s", "p", "link") == "none", "nor does it begin anew by itself"


def test_a_receipt_that_was_there_before_is_not_given_up(engine):
    settled(engine, Delivered("AA"))
    with write(engine) as db:
        actions.discarded(db, "s", "N1", by="ada", at_us=2_500)
    assert (notice(engine).state, notice(engine).answer) == ("sent", "AA")


def test_a_receipt_that_does_not_come_is_missing_once_until_it_comes(engine):
    with write(engine) as db:
        assert actions.tell_missing(db, "s", hours=24.0, now_us=24 * HOUR_US) == 0, "not yet"
    for expected in (1, 0):
        with write(engine) as db:
            assert actions.tell_missing(db, "s", hours=24.0, now_us=24 * HOUR_US + 1_000) == expected
    assert [kind for kind, _ in records(engine)] == ["consent.notice-missing", "finding.raised"]
    assert notice(engine).is_missing
    settled(engine, Delivered("AA"), at_us=30 * HOUR_US)
    assert not notice(engine).is_missing


def test_nonsense_for_an_answer_is_no_receipt(engine):
    settled(engine, Failed(Reason.RECIPIENT_UNCLEAR, refused=True))
    assert notice(engine).state == "refused"


def test_a_notice_goes_out_whatever_is_denied_but_not_on_a_link_that_is_gone():
    row = waiting("N1", sender=f"{NOTICES}p")

    class Bundle:
        links = {"link": object()}  # noqa: RUF012  as small as it goes

    now = recheck.Now(Bundle(), "b", None, {}, 0, clock_sure=True)
    assert recheck.refused_now(None, "s", row, now) is None
    assert recheck.refused_now(None, "s", row._replace(link="gone"), now) is Reason.NO_LINK
    with pytest.raises(KeyError):  # data of the same row is decided anew
        recheck.refused_now(None, "s", row._replace(sender="device"), now)


def test_who_has_something_is_noted_once_and_only_where_it_is_kept(engine):
    with write(engine) as db:
        shown.put(db, "s", Shown("p", "link", "hl7v2", "all", "m", "", b"", 1))
    reached = Reached(lambda link: link == "link")
    data = Item(waiting("M1", subject="p"), b"")
    group = [
        (data, Delivered("AA"), ""),
        (Item(waiting("M2", subject="p", link="other"), b""), Delivered("AA"), ""),
        (Item(waiting("M3", subject="q"), b""), Failed(Reason.CONSENT_DENIES), ""),
        (
            Item(waiting("M4", subject="r"), b"", sent_at_s=1.0),
            Failed(Reason.CONSENT_WITHDRAWN_IN_FLIGHT),
            "",
        ),
        (Item(waiting("N2", subject="t", sender=f"{NOTICES}t"), b""), Delivered("AA"), ""),
    ]
    assert reached.new([(Item(waiting("M5", subject="u", others="v"), b""), Delivered("AA"), "")]) == [
        ("u", "link"),
        ("v", "link"),
    ], "also by whom it was named there"
    found = reached.new(group)
    assert found == [("p", "link"), ("r", "link")]
    with write(engine) as db:
        noted = shown.mark_sent(db, "s", found)
        assert noted == [("p", "link")]
        assert shown.of(db, "s", ["p"])[0].sent
    reached.note(noted)
    assert reached.new(group) == [("r", "link")], "of whom nothing is kept here is asked about again"


def test_what_is_kept_first_stays_until_something_could_be_sealed(engine):
    first = Shown("p", "link", "hl7v2", "all", "m1", "", b"", 1)
    with write(engine) as db:
        for row in (
            first,
            replace(first, message="m2", key_id="k", sealed=b"x"),
            replace(first, message="m3"),
        ):
            shown.put(db, "s", row)
        [kept] = shown.of(db, "s", ["p"])
        assert (kept.message, kept.sealed, kept.said) == ("m2", b"x", "all")
        assert shown.known(db, "s", "p", "link", sealed=True)
        shown.forget(db, "s", ["p"])
        assert not shown.known(db, "s", "p", "link", sealed=False)


def test_a_version_is_told_once_and_takes_the_place_of_what_waits(engine):
    row = NoticeRow("N5", "q", "link", "q", 1, "none", "waiting", 5)
    with write(engine) as db:
        sql.wait(db, "s", row)
        sql.wait(db, "s", replace(row, id="N6", due_us=9))
        assert [one.due_us for one in sql.waiting(db, "s", 10)] == [5], "since when it is due, stays"
        assert sql.last_said(db, "s", "q", "link") is None
        assert sql.put(db, "s", replace(row, id="N7", state="queued"))
        assert sql.waiting(db, "s", 10) == []
        assert not sql.put(db, "s", replace(row, id="N8", state="queued"))
        assert sql.is_told(db, "s", replace(row, said="all")), (
            "of this version it was told, whatever it is to say now"
        )
        assert not sql.is_told(db, "s", replace(row, version=2))
        assert sql.last_said(db, "s", "q", "link") == "none"
        assert sql.queued(db, "s") == {"link": 2}
        actions.forget(db, "s", ["q"])
        assert sql.rows(db, "s", subjects=["q"]) == []
