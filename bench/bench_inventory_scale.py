"""Flows of one device out of ten million: how long what a device's page and the map read takes.

An estate is made as rows, straight into SQLite: devices with ten conversations each, with servers that a few thousand share, over ten hours;
every row of ``flow_total`` stands for one flow or more. Asked of devices at random, and of the busiest servers apart: what one page reads
(peers, conversations, use by hour of 30 days). What the map reads (all of it by zones) beside. Goals: a device's page 95 of 100 within 300 ms,
the map within 1 s. Wall time: a page waits for a disk too.

    python -m bench.bench_inventory_scale [--devices 100000] [--asked 400]
"""

from __future__ import annotations

import argparse
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import oathward.ledger.tables  # noqa: F401  declares its tables
from bench import numbers
from oathward.core.db import connect, create_tables, insert_many, read, write
from oathward.network import actions, sql, views
from oathward.network.model import ConversationFilters, ConversationKey, Sums

SITE, HOUR_US = "bench", 3_600_000_000
T = 497_222 * HOUR_US
PER_DEVICE, HOURS = 10, 10
SERVICES = (("hl7", 2_575), ("dicom", 104), ("ssl", 443), ("dns", 53), ("mqtt", 8_883), ("", 5_900))
ZONES = ("clinical", "enterprise", "imaging", "laboratory", "cloud", "external")
PAGE_GOAL_MS, MAP_GOAL_MS = 300, 1_000


def main() -> int:
    """Make the estate, ask, print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--devices", type=int, default=100_000)
    parser.add_argument("--asked", type=int, default=400)
    options = parser.parse_args()
    found = numbers.about()
    numbers.say_about(found)
    with tempfile.TemporaryDirectory() as folder:
        found |= measured(Path(folder), options.devices, options.asked)
    numbers.keep("inventory-scale", found)
    fine = found["page_ms"]["p95"] <= PAGE_GOAL_MS and found["map_ms"]["p50"] <= MAP_GOAL_MS
    print(f"goals: page p95 {PAGE_GOAL_MS} ms, map {MAP_GOAL_MS} ms: {'met' if fine else 'missed'}")
    return 0 if fine else 1


def measured(folder: Path, devices: int, asked: int) -> dict[str, Any]:
    """Make so many devices, and time what pages read."""
    chance = random.Random(numbers.seed())
    engine = connect(f"sqlite:///{folder}/site.db")
    create_tables(engine)
    began = time.perf_counter()
    made = fill(engine, devices, chance)
    print(
        f"{devices:,} devices, {made['conversations']:,} conversations, {made['totals']:,} totals of {made['flows']:,} flows, made in {time.perf_counter() - began:.0f} s"
    )
    print(f"{(folder / 'site.db').stat().st_size / 1e9:.2f} GB")
    servers = [f"s{n}" for n in range(20)]
    result: dict[str, Any] = {"devices": devices, **made}
    with read(engine) as db:
        pages = {f"d{chance.randrange(devices)}" for _ in range(asked)}

        def page(endpoint: str) -> None:
            views.peers(db, SITE, [endpoint], limit=50)
            views.conversations(db, SITE, ConversationFilters(endpoints=(endpoint,)), limit=100)
            views.use(db, SITE, [endpoint], T - 720 * HOUR_US, T + 720 * HOUR_US)

        result["page_ms"] = timed("page of a device", [lambda one=one: page(one) for one in sorted(pages)])
        result["server_ms"] = timed("page of a busy server", [lambda one=one: page(one) for one in servers])
        result["map_ms"] = timed("all by zones", [lambda: views.zone_pairs(db, SITE)] * 5)
        result["top_ms"] = timed(
            "busiest conversations",
            [lambda: views.conversations(db, SITE, ConversationFilters(), limit=100)] * 5,
        )
        result["newest_ms"] = timed(
            "newest conversations",
            [lambda: views.conversations(db, SITE, ConversationFilters(), limit=100, newest=True)] * 5,
        )
    engine.dispose()
    return result


def fill(engine: Any, devices: int, chance: random.Random, site: str = SITE) -> dict[str, int]:
    """Write conversations, totals and use of so many devices."""
    servers = max(20, devices // 50)
    rows: list[tuple[Any, ...]] = []
    for device in range(devices):
        for _ in range(PER_DEVICE):
            server = min(int(chance.expovariate(1) * servers / 6), servers - 1)  # few are asked by many
            service, port = chance.choice(SERVICES)
            key = ConversationKey(
                "r",
                f"10.{device >> 16}.{device >> 8 & 255}.{device & 255}",
                f"d{device}",
                f"10.200.{server >> 8}.{server & 255}",
                f"s{server}",
                "tcp",
                port,
                service,
                "",
            )
            size = chance.randrange(100, 100_000)
            sums = Sums(HOURS, HOURS, 0, size, size // 3, HOURS * 4, HOURS * 3)
            rows.append(
                (
                    site,
                    actions.conversation_id(key),
                    *key,
                    chance.choice(ZONES[:4]),
                    chance.choice(ZONES),
                    T,
                    T + HOURS * HOUR_US,
                    *sums,
                )
            )
    rows = list({row[1]: row for row in rows}.values())
    rows.sort(key=lambda row: row[1])
    put(engine, sql.flow_conversation, iter(rows))
    one = Sums(1, 1, 0, 100, 30, 4, 3)
    put(
        engine,
        sql.flow_total,
        ((site, row[1], T + hour * HOUR_US, *one) for row in rows for hour in range(HOURS)),
    )
    ends = sorted({row[4] for row in rows} | {row[6] for row in rows})
    put(
        engine,
        sql.flow_use,
        ((site, end, T + hour * HOUR_US, 10, 1_000, 300) for end in ends for hour in range(HOURS)),
    )
    return {"conversations": len(rows), "totals": len(rows) * HOURS, "flows": len(rows) * HOURS}


def put(engine: Any, table: Any, rows: Iterator[tuple[Any, ...]]) -> None:
    """Write rows in transactions of a hundred thousand."""
    group: list[tuple[Any, ...]] = []
    for row in rows:
        group.append(row)
        if len(group) == 100_000:
            with write(engine) as db:
                insert_many(db, table, group)
            group = []
    with write(engine) as db:
        insert_many(db, table, group)


def timed(name: str, asks: list[Callable[[], object]]) -> dict[str, float]:
    """Ask each once, and print how long it took."""
    took = []
    for ask in asks:
        began = time.perf_counter()
        ask()
        took.append((time.perf_counter() - began) * 1_000)
    took.sort()
    found = {
        "p50": statistics.median(took),
        "p95": took[min(len(took) - 1, int(len(took) * 0.95))],
        "max": took[-1],
    }
    print(
        f"{name:<24} {found['p50']:8.1f} ms  p95 {found['p95']:8.1f}  longest {found['max']:8.1f}  ({len(took)} asked)"
    )
    return found


if __name__ == "__main__":
    sys.exit(main())
