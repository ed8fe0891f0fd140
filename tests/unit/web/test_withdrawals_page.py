"""Promises of Withdrawals: seconds per link, silence in red and on Home, and whose it was only for those who may know."""

import pytest
from tests.unit.web.test_explain_page import STRANGER, patient, says, viewer, words, world

from oathward.consent import sql
from oathward.consent.model import EffectRow, statement
from oathward.core.db import read, write

__all__ = ["patient", "world"]  # fixtures of Explain: the same site, people and patient


@pytest.fixture
def withdrawn(world, patient):
    """Somebody said no on the link to the ward: the gateway noted it, and the courier did not."""
    subject = patient[0]
    says(world, subject, statement(permit=False, purposes=["TREAT"], recipients=["ehr"], classes=["*"]))
    with read(world.keeper.engine) as db:
        [(_, _, at_us)] = [one for one in sql.signed_since(db, world.keeper.site, 0, 99) if one[0] == subject]
    at_us -= 5_000_000
    with write(world.keeper.engine) as db:
        db.exec_driver_sql("UPDATE consent_fact SET at_us = ? WHERE subject = ?", (at_us, subject))
        sql.put_effects(db, [row(world, subject, "gateway", at_us, 180)])
    return subject, at_us


def row(world, subject, process, at_us, ms, **more):
    return EffectRow(world.keeper.site, subject, 1, "ehr", process, at_us, at_us + ms * 1_000, **more)


def reported(world, subject, at_us):
    with write(world.keeper.engine) as db:
        sql.put_effects(db, [row(world, subject, "courier", at_us, 430, withdrawn=7, in_flight=1)])


def test_silence_is_red_on_home_and_on_the_page_until_it_is_reported(world, withdrawn):
    subject, at_us = withdrawn
    officer = viewer(world, "p-privacy")
    assert "Withdrawals not yet in effect" in words(officer.get("/"))
    page = officer.get("/withdrawals?state=unheard")
    assert f"/withdrawals/{subject}/1" in page.text
    assert "not reported ehr" in words(page)
    one = words(officer.get(f"/withdrawals/{subject}/1"))
    assert "not in effect everywhere" in one
    assert "0.18 s not reported" in one
    assert viewer(world, "p-privacy").get("/api/v1/withdrawals?state=unheard").json()["items"]
    reported(world, subject, at_us)
    assert subject not in officer.get("/withdrawals?state=unheard").text
    one = words(officer.get(f"/withdrawals/{subject}/1"))
    assert "in effect everywhere after 0.43 s" in one
    assert "0.18 s 0.43 s 7 1 0 0" in one
    told = officer.get(f"/api/v1/withdrawals/{subject}/1").json()
    [link] = told["links"]
    assert (told["ms"], link["withdrawn"], link["in_flight"], link["unheard"]) == (430, 7, 1, [])
    sums = officer.get("/api/v1/withdrawals/links").json()["items"]
    assert next(one for one in sums if one["link"] == "ehr")["worst_ms"] >= 430


def test_whose_it_was_is_for_those_who_may_ask_of_a_patient(world, withdrawn):
    subject, at_us = withdrawn
    reported(world, subject, at_us)
    for who in ("p-privacy", "p-auditor"):
        assert subject in viewer(world, who).get("/withdrawals").text
    for who in ("p-nurse", "p-admin", "p-vendor"):
        client = viewer(world, who)
        assert client.get("/withdrawals").status_code == 404
        assert client.get("/api/v1/withdrawals").status_code in {403, 404}
        assert "Withdrawals not yet" not in client.get("/").text
    assert viewer(world, "p-admin").get(f"/withdrawals/{subject}/1").status_code == 404
    nurse = viewer(world, "p-nurse")
    assert nurse.get(f"/withdrawals/{subject}/1").status_code == 200, "one's own patient's"
    assert viewer(world, "p-ward").get(f"/withdrawals/{subject}/1").status_code == 404


def test_an_analyst_sees_how_soon_and_not_whose(world, withdrawn, monkeypatch):
    subject, at_us = withdrawn
    reported(world, subject, at_us)
    client = viewer(world, "p-auditor")
    for module in ("oathward.web.pages.withdrawals", "oathward.web.api.withdrawals"):
        monkeypatch.setattr(f"{module}.sees_whose", lambda _: False)
    assert subject not in client.get("/withdrawals").text
    assert all(one["subject"] == "" for one in client.get("/api/v1/withdrawals").json()["items"])


def test_what_is_not_there_is_no_page(world, patient):
    officer = viewer(world, "p-privacy")
    for path in (f"/withdrawals/{patient[0]}/9", f"/withdrawals/{STRANGER}/1", "/withdrawals/none/x"):
        assert officer.get(path).status_code == 404
