"""Owners are written as people name each other: by staff number or mail address; nobody else becomes one by it."""

import pytest
from tests.people import employ
from tests.site import Site, bundle

from oathward import governing
from oathward.core.clock import micros
from oathward.core.db import read


@pytest.fixture(scope="module")
def house(tmp_path_factory):
    site = Site.make(tmp_path_factory.mktemp("house") / "s")
    site.activate(bundle({"ehr": "mllp://127.0.0.1:9"}))
    ids = employ(site)
    with site.admin() as opened:
        yield opened, ids


@pytest.mark.parametrize("text", ["4711", "Anna@Hospital.example", "id"])
def test_a_number_an_address_and_an_id_name_the_person(house, text):
    opened, ids = house
    wanted = ids["4711"] if text == "id" else text
    with read(opened.engine) as db:
        assert governing.person_of(db, opened, wanted, micros(opened.clock.now()), sees=True) == ids["4711"]


@pytest.mark.parametrize("text", ["", "9999", "Anna Berg", "x" * 300])
def test_what_names_nobody_stays_what_it_is(house, text):
    opened, _ = house
    with read(opened.engine) as db:
        assert governing.person_of(db, opened, text, micros(opened.clock.now()), sees=True) == text


@pytest.mark.parametrize("text", ["4711", "anna@hospital.example"])
def test_who_may_not_see_people_learns_whose_none_of_them_is(house, text):
    opened, _ = house
    with read(opened.engine) as db:
        assert governing.person_of(db, opened, text, micros(opened.clock.now()), sees=False) == text


def test_the_register_reads_whom_it_is_asked_for_and_not_who_left(house):
    opened, ids = house
    with read(opened.engine) as db:
        found = governing.register(db, opened, also=(ids["4711"], ids["4715"]))
        assert dict(governing.register(db, opened).living or {}) == {}
    assert dict(found.living or {}) == {ids["4711"]: "Anna Berg"}
