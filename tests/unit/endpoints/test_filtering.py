"""Promises of the inventory's lists: whichever way the database counts and finds, rows, totals and facets are those of the plain definition."""

import random
from collections import Counter
from dataclasses import fields, replace

import pytest

from oathward.core.db import connect, create_tables, read, write
from oathward.endpoints import filtering, views
from oathward.endpoints.model import EndpointRow, Filters
from oathward.endpoints.tables import endpoint

SITE, MANY = "s", 240
WANTED = {
    "all": (Filters(), lambda row: True),
    "undeclared": (Filters(undeclared=True), lambda row: not row.device),
    "declared": (Filters(declared=True), lambda row: row.device),
    "unlisted": (Filters(unlisted=True), lambda row: not row.tag and row.last_us),
    "never heard": (Filters(never_heard=True), lambda row: not row.last_us),
    "conflict": (Filters(conflict=True), lambda row: row.conflicts),
    "new": (Filters(new_since_us=50), lambda row: row.first_us >= 50),
    "silent": (Filters(until_us=90), lambda row: row.last_us < 90),
    "silent and undeclared": (Filters(until_us=90, undeclared=True), lambda row: row.last_us < 90 and not row.device),
    "make": (Filters(equal={"make": "m1"}), lambda row: row.make == "m1"),
    "no make": (Filters(unknown=frozenset({"make"})), lambda row: not row.make),
    "a word": (Filters(search="HOST-1"), lambda row: "host-1" in row.name),
    "a word and a make": (Filters(search="host-1", equal={"make": "m1"}), lambda row: "host-1" in row.name and row.make == "m1"),
    "what a pattern would mean": (Filters(search="%"), lambda row: False),
    "nobody": (Filters(search="no_such"), lambda row: False),
}  # fmt: skip


@pytest.fixture(scope="module")
def estate(tmp_path_factory):
    """Rows of a site, and the same of another."""
    chance = random.Random(7)
    print("seed 7")
    rows = [
        EndpointRow(
            f"e{n:03}", chance.choice(["network"] * 9 + ["account"]), n % 100, 0 if n % 9 == 8 else n % 120,
            device="" if n % 3 else f"d{n}", conflicts=int(n % 20 == 0), name=f"host-{n}", make=chance.choice(["", "m1", "m2"]),
            type=chance.choice(["", "pump", "monitor"]), unit=f"u{n % 7}", tag="" if n % 4 else f"t{n}",
            lifecycle="retired" if n % 11 == 10 else "in-use", merged="e000" if n % 17 == 16 else "",
        )
        for n in range(MANY)
    ]  # fmt: skip
    engine = connect(f"sqlite:///{tmp_path_factory.mktemp('db') / 'x.db'}")
    create_tables(engine)
    with write(engine) as db:
        for site in (SITE, "other"):
            values = [{one.name: getattr(row, one.name) for one in fields(EndpointRow)} for row in rows]
            more = {"site": site, "began_us": 0, "spoke_us": 0, "segment_us": 0}
            db.execute(endpoint.insert(), [value | more | {"search": value["name"]} for value in values])
    yield engine, rows
    engine.dispose()


@pytest.mark.parametrize("name", WANTED)
@pytest.mark.parametrize("few", [0, 5, 1_000])
@pytest.mark.parametrize("at_once", [0, 1_000])
@pytest.mark.parametrize("ended", [False, True])
def test_rows_totals_and_facets_are_as_the_filter_says(estate, monkeypatch, name, few, at_once, ended):
    engine, rows = estate
    monkeypatch.setattr(filtering, "FEW", few)
    monkeypatch.setattr(views, "FEW", few)
    monkeypatch.setattr(views, "_AT_ONCE", at_once)
    wanted, holds = WANTED[name]
    fits = [row for row in rows if not row.merged and (ended or row.lifecycle != "retired") and holds(row)]
    fits.sort(key=lambda row: (row.last_us, row.id), reverse=True)
    wanted = replace(wanted, ended=ended)
    with read(engine) as db:
        assert views.count(db, SITE, wanted) == len(fits)
        found, after = [], ""
        while True:
            page = views.page(db, SITE, wanted, after=after, limit=50)
            found += page.rows
            assert page.total == len(fits)
            for facet, counts in page.facets.items():
                assert counts == Counter(getattr(row, facet) for row in fits), facet
            plain = views.page(db, SITE, wanted, after=after, limit=50, facets=False, total=False)
            assert (plain.rows, plain.after) == (page.rows, page.after)
            after = page.after
            if not after:
                break
    assert found == fits
