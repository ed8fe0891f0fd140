"""What somebody does on the older pages stands in the ledger under their id, not under a name that may change or be shared."""

import pytest
from starlette.testclient import TestClient
from tests.unit.web.test_patients_page import BASE, post, world  # noqa: F401  a fixture

from oathward.core.db import read, write
from oathward.inventory import actions
from oathward.inventory.model import Peer
from oathward.ledger import Query, Record, append, prepare, search
from oathward.vault.keeper.sign_in.sessions import Visitor
from oathward.web.view import View

NAME = "Dana Shared"


@pytest.fixture
def as_dana(world):  # noqa: F811  the fixture
    """Two people of one name: gives the browser of one of them."""

    def enter(who):
        client = TestClient(world.web, base_url=BASE, follow_redirects=False)
        visitor = Visitor(name=NAME, by="test", person_id=who, always_fresh=True)
        client.cookies.set("oathward_2579", world.keeper.sessions.open(visitor)[0])
        return client

    return enter


def newest(world, kind):  # noqa: F811  the fixture
    with read(world.gate.engine) as db:
        return search(db, world.gate.site, Query(kind=kind))[0].body


def dismissed(world, client, name):  # noqa: F811  the fixture
    with write(world.gate.engine) as db:
        peer, now_us = Peer("10.9.9.9", b"\x08" * 32), world.gate.now_us()
        held = actions.remember_unknown(db, world.gate.site, peer, (name.encode(), b""), now_us)
    answer = post(client, f"/devices/unknown/{held}/dismiss", f"/devices/unknown/{held}")
    assert answer.status_code == 303, answer.text
    return newest(world, "device.dismissed")


def test_a_record_has_the_id_and_the_page_the_name(world, as_dana):  # noqa: F811  the fixture
    dana = as_dana("p-integration")
    assert NAME in dana.get("/account").text
    body = dismissed(world, dana, "NOBODY-8")
    assert "p-integration" in body.values()
    assert NAME not in str(body)


def test_by_name_two_people_would_be_one(world, as_dana, monkeypatch):  # noqa: F811  the fixture
    """Reverse: with names in records nobody could tell whose it was."""
    monkeypatch.setattr(View, "who", property(lambda view: view.person))
    assert NAME in dismissed(world, as_dana("p-integration"), "NOBODY-9").values()


def test_records_of_before_have_names_and_verify(world):  # noqa: F811  the fixture
    now_us = world.gate.now_us()
    with write(world.gate.engine) as db:
        old = Record("device.dismissed", {"by": NAME, "held": "h-1"}, now_us)
        append(db, world.gate.site, [prepare(old)])
    assert NAME in newest(world, "device.dismissed").values()
    assert world.site.cli("ledger", "verify")["problems"] == []
