"""The app looks after the living picture: findings told and house kept when sources were read, not when nothing was."""

from dataclasses import replace

from tests.unit.mapping.seeding import seed

from oathward.app import picture
from oathward.core.clock import micros
from oathward.core.db import read, write
from oathward.discovery.model import Mark, MarkKind, Statement
from oathward.endpoints import actions
from oathward.network import sql
from oathward.network.model import ObservedSource

DAY = 86_400_000_000
SOURCE = ObservedSource("s", "zeek", "n", "r", "", 0, 0, 0, "x", 0, 0, 0, 0, 0, 0, 0, 1, True)


def count(site, table):
    with read(site.engine) as db:
        return db.exec_driver_sql(f"SELECT count(*) FROM {table}").scalar()


def test_a_turn_tells_what_differs_and_the_next_waits_for_news(site):
    now_us = micros(site.clock.now())
    seed(site.engine, site.site, [("10.1.0.5", "a", "203.0.113.7", "external", 443, "tls", "", {})], now_us)
    one = picture.Picture(site)
    assert one.turn()
    assert count(site, "finding") > 0
    assert not one.turn()
    with write(site.engine) as db:
        sql.put_source(db, site.site, replace(SOURCE, updated_us=now_us))
    assert one.turn()


def test_leases_and_totals_past_their_days_go_by_themselves(site):
    now_us, kept = micros(site.clock.now()), site.settings.network.total_days * DAY
    for address, at_us in (("10.0.0.1", now_us - kept - DAY), ("10.0.0.2", now_us)):
        said = Statement(at_us, "zeek.conn", "r", (Mark(MarkKind.ADDRESS, address),))
        actions.take(site.engine, site.site, [said], now_us, "p")
    row = ("10.1.0.5", "a", "10.2.0.9", "b", 2575, "hl7", "", {})
    seed(site.engine, site.site, [row], now_us)
    seed(site.engine, site.site, [("10.1.0.6", *row[1:])], now_us - kept - DAY)
    assert (count(site, "endpoint_lease"), count(site, "flow_conversation")) == (2, 2)
    picture.Picture(site).turn()
    assert (count(site, "endpoint_lease"), count(site, "flow_conversation")) == (1, 1)
