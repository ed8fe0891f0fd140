"""Promises about the gateway's own traffic: who was identified is that device, each message is counted once, read on where it was left."""

import pytest
from tests.site import Site, bundle, local

from oathward.core.clock import micros
from oathward.core.db import read, write
from oathward.endpoints import views as endpoints
from oathward.endpoints.model import Filters
from oathward.ledger import Record, append, prepare
from oathward.network import views
from oathward.network.model import ConversationFilters
from oathward.observing.living import Living
from oathward.observing.own import observe_own
from oathward.observing.run import Run


@pytest.fixture
def site(tmp_path):
    made = Site.make(tmp_path / "site")
    made.activate(bundle({"ehr": "mllp://10.2.0.9:2575"}))
    made.add(local("mon-1", make="Acme", model="M1", serial="S1", location="ICU"), local("adt-1", kind="adt"))
    with made.admin() as opened:
        yield opened


def accepted(site, *devices):
    with write(site.engine) as db:
        append(db, site.site, [
            prepare(Record("message.accepted", {"device": one, "type": "ORU^R01"}, micros(site.clock.now()), "s-1", ("ehr",), f"m-{n}"))
            for n, one in enumerate(devices)
        ])  # fmt: skip


def go(site):
    run = Run(site, "r", Living(site, "p-1"))
    return observe_own(run)


def talks(site):
    with read(site.engine) as db:
        return {
            (one.key.client, one.key.server): one
            for one in views.conversations(db, site.site, ConversationFilters())
        }


def test_messages_are_flows_of_the_device_that_was_identified(site):
    accepted(site, "mon-1", "mon-1")
    with write(site.engine) as db:
        append(
            db,
            site.site,
            [
                prepare(
                    Record(
                        "message.delivered", {"id": "o-1"}, micros(site.clock.now()), "s-1", ("ehr",), "m-0"
                    )
                )
            ],
        )
    found = go(site)
    assert (found.state, found.flows) == ("read", 3)
    with read(site.engine) as db:
        [device] = endpoints.page(db, site.site, Filters(declared=True)).rows
    assert (device.device, device.make, device.location) == ("mon-1", "Acme", "ICU")
    mine = talks(site)["127.0.0.1", "127.0.0.1"]
    assert (mine.key.client_endpoint, mine.sums.flows, mine.key.service) == (device.id, 2, "hl7")
    out = talks(site)["127.0.0.1", "10.2.0.9"]
    assert (out.key.port, out.sums.flows) == (2_575, 1)


def test_each_is_counted_once_and_read_on_where_it_was_left(site):
    accepted(site, "mon-1")
    assert [go(site).flows for _ in range(3)] == [1, 0, 0]
    with read(site.engine) as db:
        before = db.exec_driver_sql("SELECT count(*) FROM ledger_record").scalar()
    assert go(site).state == "known"  # a record of nothing would be news for ever
    with read(site.engine) as db:
        assert db.exec_driver_sql("SELECT count(*) FROM ledger_record").scalar() == before
    accepted(site, "mon-1")
    assert go(site).flows == 1
    assert talks(site)["127.0.0.1", "127.0.0.1"].sums.flows == 2
