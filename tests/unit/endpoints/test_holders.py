"""Who held many addresses in an hour: what one look at a time says, and no more is read than was asked for."""

import random

import polars as pl
from tests.unit.endpoints.conftest import HOUR, SITE, T

from oathward.core.db import read, write
from oathward.endpoints import sql, views
from oathward.endpoints.model import Lease
from oathward.endpoints.picture import HOLD_US


def leased(inventory, leases):
    with write(inventory.engine) as db:
        sql.put_leases(db, SITE, leases)


def test_many_are_told_what_one_alone_is_told(inventory):
    chance = random.Random(7)
    addresses = [f"10.0.0.{n}" for n in range(12)]
    leases = []
    for n in range(300):
        begun = T + chance.randrange(0, 60 * HOUR)
        until = begun + chance.randrange(HOUR, 9 * HOUR)
        leases.append(Lease(chance.choice("ab"), chance.choice(addresses), begun, until, f"e{n}", id=f"l{n}"))
    leased(inventory, leases)
    asked = [
        (
            chance.choice("abc"),
            chance.choice([*addresses, "10.9.9.9"]),
            (T // HOUR + chance.randrange(-3, 90)) * HOUR,
        )
        for _ in range(1_700)
    ]  # more than one statement asks for, and some of them twice
    frame = pl.DataFrame(asked, schema=["realm", "address", "hour_us"], orient="row")
    with read(inventory.engine) as db:
        found = views.holders(db, SITE, frame.with_columns(n=pl.int_range(pl.len())))
    assert found["n"].to_list() == list(range(1_700))
    for (realm, address, hour), told in zip(asked, found["endpoint"], strict=True):
        begun = [
            one
            for one in leases
            if (one.realm, one.address) == (realm, address) and one.from_us < hour + HOUR
        ]
        last = max(begun, key=lambda one: one.from_us, default=None)
        wanted = last.endpoint if last and hour - last.until_us <= HOLD_US else ""
        assert told == wanted
    assert len(set(found["endpoint"])) > 50


def test_of_the_leases_of_an_address_none_but_the_one_that_counts_is_read(inventory):
    """Who makes a thousand leases an hour makes nobody's question dearer."""
    leased(inventory, [Lease("a", "10.0.0.1", T + n, T + n + HOUR, f"e{n}", id=f"l{n}") for n in range(500)])
    frame = pl.DataFrame({"realm": ["a"], "address": ["10.0.0.1"], "hour_us": [T // HOUR * HOUR]})
    with read(inventory.engine) as db:
        assert views.holders(db, SITE, frame)["endpoint"].to_list() == ["e499"]
        text = views._holders_sql(1)
        plan = [
            row[3]
            for row in db.exec_driver_sql("EXPLAIN QUERY PLAN " + text, (0, "a", "10.0.0.1", T, SITE, SITE))
        ]
    looks = [step for step in plan if " l " in step]
    assert len(looks) == 2
    assert all(
        "endpoint_lease_address (site=? AND address=? AND realm=? AND from_us<?)" in step for step in looks
    )
    assert not any("TEMP B-TREE" in step for step in plan)
