"""Who sends clinical data now is in use, and says by what; who stopped is idle where a sensor still listens, else unknown."""

import pytest
from tests.unit.observing.test_run import go
from tests.zeek import conn

from oathward.core.clock import from_micros, micros
from oathward.core.db import read, write
from oathward.endpoints import deciding, views
from oathward.endpoints.care import IN_USE_US
from oathward.observing import caring

MINUTE = 60_000_000


def line(at_us, client, service="hl7", n=1):
    return conn(n, client, ts=at_us / 1e6, uid=f"C{at_us}{client}{n}", service=service)


@pytest.fixture
def clock(site, monkeypatch):
    """The site's clock, moved by hand."""
    now = [micros(site.clock.now())]
    monkeypatch.setattr(type(site.clock), "now", lambda _self: from_micros(now[0]))
    return now


def cares(site):
    with read(site.engine) as db:
        return {
            row.address: row.care for row in views.page(db, site.site, views.Filters()).rows if row.address
        }


def said(site, address):
    with read(site.engine) as db:
        [id_] = [row.id for row in views.page(db, site.site, views.Filters()).rows if row.address == address]
        return {
            one.attribute: one for one in views.one(db, site.site, id_).attributes if one.source == "activity"
        }


def test_a_device_is_in_use_while_it_sends_and_idle_only_where_somebody_listens(site, clock, tmp_path):
    log, began = tmp_path / "conn.log", clock[0]
    log.write_text(line(began - MINUTE, "10.1.0.1") + line(began - MINUTE, "10.1.0.2", "dns"))
    go(site, log)
    assert caring.tend(site) == 1
    assert cares(site) == {"10.1.0.1": "in use", "10.1.0.2": "", "10.2.0.9": ""}
    told = said(site, "10.1.0.1")
    assert told["care-from"].value == "hl7"
    assert abs(told["care"].last_us - (began - MINUTE)) <= 2 * MINUTE
    assert caring.tend(site) == 0, "nothing changed"
    clock[0] = began + 2 * IN_USE_US
    (tmp_path / "later.log").write_text(line(clock[0] - MINUTE, "10.1.0.2", "dns"))
    go(site, tmp_path / "later.log")
    caring.tend(site)
    assert cares(site)["10.1.0.1"] == "idle"
    clock[0] += 2 * IN_USE_US
    caring.tend(site)
    assert cares(site)["10.1.0.1"] == "", "no sensor is at work: nobody knows"
    assert said(site, "10.1.0.1") == {}


def test_an_old_capture_and_who_passes_on_make_nobody_in_use(site, clock, tmp_path):
    log = tmp_path / "conn.log"
    log.write_text(line(clock[0] - 60 * MINUTE, "10.1.0.1") + line(clock[0] - MINUTE, "10.1.0.3"))
    go(site, log)
    caring.tend(site)
    assert cares(site) == {"10.1.0.1": "", "10.1.0.3": "in use", "10.2.0.9": ""}
    with read(site.engine) as db:
        [id_] = [
            row.id for row in views.page(db, site.site, views.Filters()).rows if row.address == "10.1.0.3"
        ]
    deciding.describe(site.engine, site.site, [id_], {"type": "interface-engine"}, by="p", now_us=clock[0])
    caring.tend(site)
    assert cares(site)["10.1.0.3"] == ""


def test_messages_that_the_gateway_took_tell_it_too(site, clock):
    from oathward.discovery.model import Mark, MarkKind, Statement
    from oathward.endpoints import actions
    from oathward.messages.tables import message
    from oathward.messages.views import from_time

    marks = (Mark(MarkKind.DEVICE, "pump-1"), Mark(MarkKind.ADDRESS, "10.1.0.7"))
    actions.take(site.engine, site.site, [Statement(clock[0] - MINUTE, "gateway", "r", marks)], clock[0], "p")
    blank = {column.name: b"" if "BLOB" in str(column.type) else "" for column in message.c}
    rows = [("pump-1", "ADT^A01"), ("pump-1", "ORU^R01")]
    for n, (device, type_) in enumerate(rows):
        at_us = clock[0] - MINUTE
        row = blank | {"id": f"{from_time(at_us)}-{n}", "site": site.site, "device": device, "type": type_}
        row |= {"received_us": at_us, "size_bytes": 1, "duplicate_key": b"%d" % n}
        with write(site.engine) as db:
            db.execute(message.insert().values(**row))
        caring.tend(site)
        assert cares(site)["10.1.0.7"] == ("" if type_.startswith("ADT") else "in use")
    assert said(site, "10.1.0.7")["care-from"].value == caring.GATEWAY
