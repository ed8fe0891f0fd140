"""Promises of Notices to recipients: who has not confirmed is red and on Home, and whose it was only for those who may know."""

import pytest
from tests.outbox import waiting
from tests.unit.web.test_explain_page import patient, viewer, words, world

from oathward.consent.notices import sql
from oathward.consent.notices.sql import NoticeRow
from oathward.core.db import write
from oathward.messages import sql as messages
from oathward.messages.model import NOTICES

__all__ = ["patient", "world"]  # fixtures of Explain: the same site, people and patient


@pytest.fixture
def told(world, patient):
    """Two recipients were told: one answered, one refused."""
    subject = patient[0]
    rows = [
        NoticeRow("N1", subject, "ehr", subject, 1, "none", "sent", 1_000_000, "AA", 2_000_000),
        NoticeRow(
            "N2", subject, "registry", subject, 1, "some x", "refused", 1_000_000, "422", 3_000_000, 3_000_000
        ),
    ]
    with write(world.keeper.engine) as db:
        for row in rows:
            sql.put(db, world.keeper.site, row)
    yield subject
    with write(world.keeper.engine) as db:
        sql.forget(db, world.keeper.site, [subject])


def test_who_has_not_confirmed_is_red_and_on_home_until_it_does(world, told):
    officer = viewer(world, "p-privacy")
    assert "Receipts missing from recipients 1" in words(officer.get("/"))
    page = officer.get("/withdrawals/notices")
    said = words(page)
    assert "1 receipt is missing" in said
    assert "nothing answered AA" in said
    assert "some of it refused receipt missing 422" in said
    assert told in page.text
    missing = words(officer.get("/withdrawals/notices?state=missing"))
    assert "refused" in missing
    assert "answered AA" not in missing
    items = officer.get("/api/v1/withdrawals/notices?state=missing").json()["items"]
    assert [(one["id"], one["missing"], one["passes"]) for one in items] == [("N2", True, "some")]
    with write(world.keeper.engine) as db:
        sql.settle(
            db, world.keeper.site, "N2", state="sent", answer="200", at_us=4_000_000, missing_us=3_000_000
        )
    assert "Receipts missing" not in words(officer.get("/"))
    assert "No receipt is missing" in words(officer.get("/withdrawals/notices?state=missing"))
    with write(world.keeper.engine) as db:
        sql.settle(
            db,
            world.keeper.site,
            "N2",
            state="discarded",
            answer="ada",
            at_us=4_000_000,
            missing_us=3_000_000,
        )
    assert "Receipts missing" not in words(officer.get("/"))
    assert "some of it given up by ada" in words(officer.get("/withdrawals/notices"))


def test_whose_it_was_is_for_those_who_may_ask_of_a_patient(world, told, monkeypatch):
    for who in ("p-nurse", "p-admin", "p-vendor"):
        client = viewer(world, who)
        assert client.get("/withdrawals/notices").status_code == 404
        assert client.get("/api/v1/withdrawals/notices").status_code in {403, 404}
        assert "Receipts missing" not in client.get("/").text
    for module in ("oathward.web.pages.notices", "oathward.web.api.notices"):
        monkeypatch.setattr(f"{module}.sees_whose", lambda _: False)
    client = viewer(world, "p-auditor")
    assert told not in client.get("/withdrawals/notices").text
    assert {one["subject"] for one in client.get("/api/v1/withdrawals/notices").json()["items"]} == {""}


def test_where_nobody_was_told_anything_the_page_says_so(world):
    assert "Nobody was told anything" in words(viewer(world, "p-privacy").get("/withdrawals/notices"))


def test_a_notice_in_the_outbox_leads_here_and_not_to_a_message(world):
    row = waiting("N9", sender=f"{NOTICES}p", message="notice-1", site=world.keeper.site, state="dead")
    with write(world.keeper.engine) as db:
        messages.insert_outbox(db, [row])
    page = viewer(world, "p-privacy").get("/deliveries")
    with write(world.keeper.engine) as db:
        messages.delete_delivered(
            db, [one.seq for one in messages.outbox_rows(db, state=None, limit=99) if one.is_notice]
        )
    assert page.status_code == 200
    assert "/withdrawals/notices" in page.text
    assert "notice-1" not in page.text
