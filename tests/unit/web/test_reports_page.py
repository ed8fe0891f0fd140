"""Promises of Reports from patients: a clock for the privacy officer, words by a form alone, and an upload made of one."""

import re

import pytest
from tests.unit.vault.keeper.people import Direct
from tests.unit.web.test_patients_page import PEOPLE, post, viewer, world  # noqa: F401  fixtures

from oathward.core.ids import uuid7
from oathward.vault.keeper import subjects
from oathward.vault.keeper.portal import reports


@pytest.fixture
def reported(world):  # noqa: F811  the fixture
    """What a patient reported, as the portal's operation keeps it."""
    subject, id_ = uuid7(), uuid7()
    keeper = world.keeper
    subjects.seed(keeper.store, keeper.site, subject, "p")
    keeper.store.rows("DELETE FROM report")
    sealed = reports._seal(keeper, subject, id_, "It is my neighbour Quentin")
    keeper.store.rows(
        "INSERT INTO report VALUES (?, ?, ?, ?, 'maker', -1, ?, ?, 'sent', '', 0, '', 0)",
        *(id_, "once", "h-1", subject, keeper.now_us(), sealed),
    )
    return id_, subject


def test_a_privacy_officer_reads_words_by_a_form_and_settles(world, reported):  # noqa: F811  the fixture
    id_, subject = reported
    officer = viewer(world, "p-privacy")
    listed = officer.get("/reports").text
    assert "A device sends to its maker" in listed
    assert "Quentin" not in listed
    assert re.search(r"<td>\d{4}-\d\d-\d\d \d\d:\d\d</td>", listed), "due to the minute, as on other pages"
    assert officer.get(f"/reports/{id_}").headers["location"] == "/reports"
    opened = post(officer, f"/reports/{id_}", "/reports").text
    assert "It is my neighbour Quentin" in opened
    assert f"/uploads?report={id_}&amp;subject={subject}" in opened
    answer = post(officer, f"/reports/{id_}/settle", "/reports", outcome="stopped")
    assert answer.headers["location"] == "/reports"
    assert "Nothing waits to be settled" in officer.get("/reports").text
    assert "It was wrong and is stopped" in officer.get("/reports?state=all").text


def test_home_says_that_one_waits(world, reported):  # noqa: F811  the fixture
    assert "Reports from patients" in viewer(world, "p-privacy").get("/").text


@pytest.mark.parametrize("who", ["p-nurse", "p-admin", "p-vendor"])
def test_nobody_else_has_such_a_page(world, reported, who):  # noqa: F811  the fixture
    id_, _ = reported
    assert viewer(world, who).get("/reports").status_code in {403, 404}
    assert world.keeper.store.one("SELECT state FROM report WHERE id = ?", id_) == ("sent",)


def test_the_portals_socket_reads_no_words(world, reported):  # noqa: F811  the fixture
    id_, _ = reported
    for name in ("reports_list", "report_one", "report_settle"):
        answer = Direct(world.keeper, "portal").request({"op": name, "args": {"id": id_}})
        assert answer["refused"]["where"] == "operation"
