"""Lists cut to products: exactly those, whatever documents say elsewhere, and only what verifies."""

import pytest
from tests.unit.inventory.conftest import SITE

from oathward.core.db import read
from oathward.inventory import views
from oathward.inventory.model import Device


def device(id_: str, make: str, model: str = "", **more) -> Device:
    return Device(id=id_, make=make, model=model, senders=frozenset({id_}), **more)


ESTATE = [
    device("a1", "Acme", "Vista 3"),
    device("a2", "Acme", "Vista 4"),
    device("a3", "Acme"),
    device("b1", "Bolt", "Vista 3", name='"make":"Acme"'),
    device("b2", "Bolt", "B", location="Acme"),
    device("c1", "Acme Medical", "Vista 3"),
    device("d1", 'Qu"o\\te', "é"),
    device("e1", "", "Vista 3"),
    *(device(f"x{n:03d}", "Bolt", "B") for n in range(30)),
]
CUT = [
    ({"Acme"}, ["a1", "a2", "a3"]),
    ({"Acme|Vista 3"}, ["a1"]),
    ({"Acme|Vista 3", "Bolt|Vista 3"}, ["a1", "b1"]),
    ({"Acme Medical"}, ["c1"]),
    ({'Qu"o\\te'}, ["d1"]),
    ({'Qu"o\\te|é'}, ["d1"]),
    ({"acme"}, []),
    ({"Acm"}, []),
    ({"Acme|"}, []),
    ({""}, []),
    (set(), []),
    ({"%"}, []),
]


def ids(found) -> list[str]:
    return [one.device.id for one in found]


@pytest.fixture
def estate(inventory):
    inventory.add(*ESTATE)
    return inventory


@pytest.mark.parametrize(("makes", "wanted"), CUT)
def test_a_list_has_these_products_and_no_other(estate, makes, wanted):
    makes = frozenset(makes)
    with read(estate.engine) as db:
        by = (db, SITE, estate.signer, estate.seen)
        assert ids(views.of_makes(*by, makes)) == wanted


def test_the_make_of_what_is_not_there_and_of_what_does_not_verify_is_none(estate):
    def make_of(id_: str) -> str:
        with read(estate.engine) as db:
            return views.make_of(db, SITE, id_, estate.signer, estate.seen)

    assert [make_of(id_) for id_ in ("a1", "a3", "no-such", "")] == ["Acme|Vista 3", "Acme", "", ""]
    estate.sql("UPDATE device SET signature = zeroblob(64) WHERE id = 'a1'")
    assert make_of("a1") == ""
    with read(estate.engine) as db:
        found = views.of_makes(db, SITE, estate.signer, estate.seen, frozenset({"Acme"}))
    assert ids(found) == ["a2", "a3"], "nobody is shown what was forged for them"
