"""Promises of the list of pseudonyms asked about: who asked and who agreed, for those who may see it, and never which pseudonym."""

from dataclasses import fields

import pytest
from tests.unit.web.test_patients_page import BASE, token_of, viewer, world  # noqa: F401  fixtures

from oathward.core.phi import Phi
from oathward.web.api.reidentify import ReidentifyOut

PSEUDONYM = "7Q2M0XK41V9T3BZC"


@pytest.fixture
def asked(world):  # noqa: F811  the fixture
    for table in ("reidentify", "reidentify_told"):
        world.keeper.store.rows(f"DELETE FROM {table}")
    terms = ("registry", PSEUDONYM, "law", Phi("the court's letter"))
    return world.app.reidentify.request(*terms, world.enter("p-privacy"))


def test_who_asked_is_listed_and_neither_pseudonym_nor_words(world, asked):  # noqa: F811  the fixture
    for who in ("p-privacy", "p-auditor"):
        page = viewer(world, who).get("/reidentify").text
        assert asked.id in page
        assert "Person p-privacy" in page
        assert "A law or a court asks for it" in page
        assert "waits for a second person" in page
        assert PSEUDONYM not in page
        assert "letter" not in page
    assert viewer(world, "p-nurse").get("/reidentify").status_code == 404


def test_what_has_ended_is_among_all_alone(world, asked):  # noqa: F811  the fixture
    world.app.reidentify.withdraw(asked.id, world.enter("p-privacy"))
    officer = viewer(world, "p-privacy")
    assert "Nothing waits" in officer.get("/reidentify").text
    assert "withdrawn" in officer.get("/reidentify?state=all").text


def shown_by(client):
    """What a page of somebody's own shows with its calls."""
    return {"oathward-token": token_of(client.get("/account").text), "origin": BASE}


def test_programs_have_the_same(world, asked):  # noqa: F811  the fixture
    auditor, nurse = viewer(world, "p-auditor"), viewer(world, "p-nurse")
    [row] = auditor.get("/api/v1/reidentify", headers=shown_by(auditor)).json()["items"]
    assert set(row) == {field.name for field in fields(ReidentifyOut)}
    assert (row["id"], row["project"], row["code"], row["person"], row["state"]) == (
        asked.id, "registry", "law", "p-privacy", "waiting",
    )  # fmt: skip
    assert PSEUDONYM not in str(row)
    assert nurse.get("/api/v1/reidentify", headers=shown_by(nurse)).status_code == 404
