"""A hundred thousand devices and ten million flows: how long what the pages of the inventory and the map read takes.

An estate is made as rows (``bench.scale``): endpoints with marks, attributes and leases, ten conversations each with servers that a few thousand
share, over ten hours; every row of ``flow_total`` is a flow or more, and there are as many single flows in segments. Asked of devices at random, and
of the busiest servers apart: what an endpoint's page reads (all of it, peers, names, what is behind it, use by hour, open findings). Beside:
the list with its facets, searched, and by page; what the map compares and draws; who held each address in an hour. On SQLite, and on
PostgreSQL where its programs are. Goals: a device's page 95 of 100 within 300 ms, list with facets and the map within 1 s. Wall time: a page waits
for a disk too. Takes 5 GB of the folder for temporary files, one database after the other.

    python -m bench.bench_inventory_scale [--devices 100000] [--asked 400] [--only sqlite|postgresql]
"""

from __future__ import annotations

import argparse
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import polars as pl
from tests.postgres import serving, why_not

import oathward.app  # noqa: F401  declares every table
from bench import numbers
from bench.scale import HOUR_US, HOURS, SERVERS_MIN, SITE, Estate, T, fill, put_segments
from oathward.core.db import connect, create_tables, read
from oathward.core.settings import load
from oathward.endpoints import views
from oathward.endpoints.model import Filters
from oathward.findings import views as findings
from oathward.findings.model import Filters as FindingFilters
from oathward.mapping import reading
from oathward.mapping.picture import picture, svg
from oathward.network import views as network
from oathward.network.model import ConversationFilters
from oathward.web.map_asked import LOOKED_MAX

GOALS_MS = {"page": 300, "list": 1_000, "map": 1_000}
NOW = T + HOURS * HOUR_US


def main() -> int:
    """Make the estate, ask, print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--devices", type=int, default=100_000)
    parser.add_argument("--asked", type=int, default=400)
    parser.add_argument("--only", choices=("sqlite", "postgresql"))
    options = parser.parse_args()
    found = numbers.about()
    numbers.say_about(found)
    met = True
    for kind in [options.only] if options.only else ["sqlite", "postgresql"]:
        if kind == "postgresql" and why_not():
            print(f"\npostgresql: {why_not()}")
            continue
        print(f"\n{kind}")
        with tempfile.TemporaryDirectory() as folder, database(kind, Path(folder)) as url:
            found[kind] = measured(url, Path(folder), options.devices, options.asked)
        for name, goal in GOALS_MS.items():
            fine = found[kind][name]["p95"] <= goal
            met &= fine
            print(f"goal: {name}, 95 of 100 within {goal} ms: {'met' if fine else 'missed'}")
    numbers.keep("inventory-scale", found)
    return 0 if met else 1


@contextmanager
def database(kind: str, folder: Path) -> Iterator[str]:
    """Give the URL of a new database."""
    if kind == "sqlite":
        yield f"sqlite:///{folder}/site.db"
        return
    settings = {
        "shared_buffers": "256MB",
        "work_mem": "32MB",
        "max_wal_size": "512MB",
        "maintenance_work_mem": "256MB",
    }
    with serving(**settings) as socket:
        yield f"postgresql+psycopg://oathward@/postgres?host={socket}"


def measured(url: str, folder: Path, devices: int, asked: int) -> dict[str, Any]:
    """Make so many devices, and time what pages read."""
    chance = random.Random(numbers.seed())
    engine = connect(url)
    create_tables(engine)
    began = time.perf_counter()
    estate = Estate(devices, chance)
    made = fill(engine, estate)
    put_segments(folder, made["totals"], estate)
    print(
        f"{', '.join(f'{n:,} {what}' for what, n in made.items())}, made in {time.perf_counter() - began:.0f} s"
    )
    site = SimpleNamespace(site=SITE, engine=engine, settings=load(folder))
    result: dict[str, Any] = {"devices": devices, **made}
    pages = sorted({f"d{chance.randrange(devices)}" for _ in range(asked)})
    servers = [f"s{n}" for n in range(SERVERS_MIN)]
    with read(engine) as db:
        lists = {
            "list": Filters(),
            "list of a type": Filters(equal={"type": "monitor"}),
            "list, type unknown": Filters(unknown=frozenset({"type"})),
            "list, searched": Filters(search="host-77"),
            "list of a serial": Filters(equal={"serial": "serial-77"}),
        }
        asks: dict[str, list[Callable[[], object]]] = {
            "page": [lambda one=one: page(db, one) for one in pages],
            "page of a busy server": [lambda one=one: page(db, one) for one in servers],
            **{name: [lambda of=of: views.page(db, SITE, of)] * 5 for name, of in lists.items()},
            "second page": [lambda: second(db)] * 5,
            "map": [lambda: drawn(db, site)] * 5,
            "map of a zone": [lambda: drawn(db, site, zone="laboratory")] * 5,
            "all by zones": [lambda: network.zone_pairs(db, SITE)] * 5,
            "busiest conversations": [
                lambda: network.conversations(db, SITE, ConversationFilters(), limit=100)
            ]
            * 5,
            "newest conversations": [lambda: network.newest(db, SITE, ConversationFilters())] * 5,
            "holders of 50,000": [lambda: views.holders(db, SITE, held(estate))] * 3,
        }
        result |= {name: timed(name, some) for name, some in asks.items()}
    engine.dispose()
    return result


def page(db: Any, id_: str) -> None:
    """Read what the page of an endpoint reads."""
    found = views.one(db, SITE, id_)
    assert found is not None
    peers = network.peers(db, SITE, {id_}, limit=50)
    views.names(db, SITE, sorted({one.endpoint for one in peers if one.endpoint}))
    views.children(db, SITE, id_)
    span = network.span(db, SITE)
    assert span is not None
    network.use(db, SITE, {id_}, span[0], span[1] + 1)
    findings.listed(db, SITE, FindingFilters(about=id_), NOW, limit=100)


def second(db: Any) -> None:
    """Read the list's second page."""
    first = views.page(db, SITE, Filters(), facets=False)
    views.page(db, SITE, Filters(), after=first.after)


def drawn(db: Any, site: Any, **wanted: str) -> None:
    """Compare and draw as the map's page does."""
    since_us = network.since(db, SITE, NOW, reading.DAYS)
    found = reading.living(db, site, None, NOW, since_us=since_us, most=LOOKED_MAX, **wanted)  # type: ignore[arg-type]  # zone and service alone
    svg(picture(*reading.ends_and_lines(found), most=60), "map")


def held(estate: Estate) -> pl.DataFrame:
    """Ask for as many addresses as a group of flows has at most."""
    some = [address for (_, address), _ in zip(estate.ids(), range(50_000), strict=False)]
    return pl.DataFrame({"realm": ["r"] * len(some), "address": some, "hour_us": [T] * len(some)})


def timed(name: str, asks: list[Callable[[], object]]) -> dict[str, float]:
    """Ask each once, and print how long it took."""
    took, begun = [], time.process_time()
    for ask in asks:
        began = time.perf_counter()
        ask()
        took.append((time.perf_counter() - began) * 1_000)
    cpu_ms = (time.process_time() - begun) * 1_000 / len(asks)
    took.sort()
    found = {
        "p50": statistics.median(took),
        "p95": took[min(len(took) - 1, int(len(took) * 0.95))],
        "max": took[-1],
        "own_cpu": cpu_ms,
    }
    print(
        f"{name:<24} {found['p50']:8.1f} ms  p95 {found['p95']:8.1f}  longest {found['max']:8.1f}  CPU of this process {cpu_ms:8.1f}  ({len(took)} asked)",
        flush=True,
    )
    return found


if __name__ == "__main__":
    sys.exit(main())
