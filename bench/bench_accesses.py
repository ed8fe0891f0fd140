"""What it costs to say why openings were: ``python -m bench.bench_accesses`` (or ``make bench ARGS=accesses``).

Goal: 10,000 openings are read and explained in at most 5 s; a list of 500 reviews is made in at most 300 ms.

How:
- A database of its own with 10,000 records ``keeper.opened`` of 50 people and 200 patients; each has a stay, a tenth of them an
  order by the opener, a fifth of the openings nothing explains.
- Explaining alone (evidence in memory), then reading, gathering and explaining, then taking in and listing what waits.
- By the clock; CPU time of this process stands beside it, for a machine that others use too.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import oathward.vault.kept  # noqa: F401  declares its table
from bench import numbers
from oathward.accesses import actions, evidence, explaining, views
from oathward.core.db import connect, create_tables, read, write
from oathward.ledger import Record, append, index, prepare
from oathward.vault import care_orders, care_rows
from oathward.vault.authority import Seen
from oathward.vault.care_rows import Stamps, Stay
from oathward.vault.sign import Signer

SITE = "bench"
T = 1_800_000_000_000_000
OPENINGS, PEOPLE, PATIENTS, LISTED = 10_000, 50, 200, 500
GOAL_S, LIST_GOAL_S = 5.0, 0.3
SIGNER = Signer.create("keeper")


def main() -> int:
    """Measure; 1 when a goal is missed."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    about = numbers.about()
    numbers.say_about(about)
    with tempfile.TemporaryDirectory() as folder:
        engine = connect(f"sqlite:///{Path(folder) / 'site.db'}")
        create_tables(engine)
        fill(engine)
        with read(engine) as db:
            some = views.openings(db, SITE, limit=OPENINGS)
            known = evidence.gather(db, SITE, some, SIGNER, Seen())

            def whole() -> object:
                listed = views.openings(db, SITE, limit=OPENINGS)
                return views.explained(db, SITE, listed, SIGNER, Seen())

            def page() -> object:
                return views.pairs(views.reviews(db, SITE, SIGNER, Seen(), limit=LISTED))

            found = {
                "explain alone": timed(lambda: explaining.explain(some, known), options.rounds),
                "read, gather, explain": timed(whole, options.rounds),
                f"list {LISTED} reviews": timed(page, options.rounds),
            }
        engine.dispose()
    print(f"\n{len(some)} openings of {PEOPLE} people and {PATIENTS} patients")
    for what, (wall, busy) in found.items():
        print(f"{what:<22} {numbers.spread(wall, 3)} s, of it CPU {numbers.spread(busy, 3)} s")
    late = {
        "explaining": numbers.triple(found["read, gather, explain"][0])[0] > GOAL_S,
        "listing": numbers.triple(found[f"list {LISTED} reviews"][0])[0] > LIST_GOAL_S,
    }
    missed = [what for what, is_late in late.items() if is_late]
    print(f"\ngoals missed: {', '.join(missed) or 'none'}")
    numbers.keep("accesses", {"about": about, "openings": len(some), "seconds": found})
    return 1 if missed else 0


def fill(engine: Any) -> None:
    """Write stays, orders and openings, and take in what nothing explains."""
    stamps = Stamps(b"k" * 32, SITE)
    with write(engine) as db:
        actions.take_in(db, SITE, SIGNER, Seen(), review_us=1, now_us=T)
        for n in range(PATIENTS):
            subject = f"s-{n}"
            stay = Stay(subject, b"v", f"HOSP|{n % 10}", (), T - 1, None, T - 1, T - 1, T - 1, T - 1, T, "m")
            care_rows.put_stay(db, SITE, stay, stamps)
            if n % 10 == 0:
                care_orders.take(db, SITE, [care_orders.Order(subject, "HOSP|D1", T - 1, "m")])
    for start in range(0, OPENINGS, 1_000):
        with write(engine) as db:
            append(db, SITE, [prepare(opening(n)) for n in range(start, start + 1_000)])
    while index(engine, SITE):
        pass
    with write(engine) as db:
        actions.take_in(db, SITE, SIGNER, Seen(), review_us=1, now_us=T)


def opening(n: int) -> Record:
    """Write the record of one opening."""
    told = n % 5 != 0
    unit = f"HOSP|{n % PATIENTS % 10}" if told else ""
    body = {"basis": "unit" if told else "", "opened": 1, "person": f"p-{n % PEOPLE}", "purpose": "TREAT"}
    return Record("keeper.opened", body | {"unit": unit}, T + n, f"s-{n % PATIENTS}")


def timed(work: Callable[[], object], rounds: int) -> tuple[list[float], list[float]]:
    """Time some rounds: by the clock, and of it CPU, in seconds."""
    walls, busy = [], []
    for _ in range(rounds):
        began, cpu = time.perf_counter(), time.process_time()
        work()
        walls.append(time.perf_counter() - began)
        busy.append(time.process_time() - cpu)
    return walls, busy


if __name__ == "__main__":
    raise SystemExit(main())
