"""What explaining costs, and the list of consents: ``python -m bench.bench_explain`` (or ``make bench ARGS=explain``).

Goal: all of Explain's page over 10,000 records of one patient within a second.

How:
- One message is really taken in; its record stands 10,000 times more under the same patient, as it would after a week of a monitor.
- What the page asks is asked: who may see what now, who cares, what is on record; in the order of the page, nothing remembered.
- The list of consents has 50,000 patients' rows; each state's first page and count are asked, and its last page.
- By the clock; CPU time of this process stands beside it, for a machine that others use too.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any

from tests import emergency
from tests.care import peopled
from tests.site import Site, bundle, local

from bench import numbers
from oathward import ledger
from oathward.app import build
from oathward.consent import listing, sql
from oathward.core.clock import micros
from oathward.core.db import insert_many, read, write
from oathward.core.ids import uuid7
from oathward.explaining import carers, now, past
from oathward.ledger import Query, Record

if TYPE_CHECKING:
    from collections.abc import Callable

    from oathward.vault.opened import Opened

GOAL_S = 1.0
DAY_US = 86_400_000_000


def main() -> int:
    """Measure; 1 when the goal is missed."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--records", type=int, default=10_000)
    parser.add_argument("--patients", type=int, default=50_000)
    options = parser.parse_args()
    about = numbers.about()
    numbers.say_about(about)
    with tempfile.TemporaryDirectory() as folder:
        site = Site.make(Path(folder) / "site", console=True)
        site.activate(bundle({"ehr": "mllp://127.0.0.1:9"}))
        site.add(local("adt-1", "ADT1", kind="registration", authoritative_adt=True), local("mon-1", "MON1"))
        with peopled(site, []) as world:
            patient = emergency.admitted(world.gate)
            app = build(site.settings, "app", become_keeper=False)
            _records(app, patient.subject, options.records)
            page = [_timed(lambda: explained(app, patient.subject)) for _ in range(options.rounds)]
            _persons(app, options.patients)
            states = {state: _listed(app, state, options.rounds) for state in listing.STATES}
            app.keeper.close()
            app.engine.dispose()
    wall = [one for one, _ in page]
    print(f"\nExplain, one patient of {options.records:,} records")
    print(f"  page      {numbers.spread(wall, 3)} s")
    print(f"  of it CPU {numbers.spread([cpu for _, cpu in page], 3)} s")
    print(f"\nConsents, {options.patients:,} patients: first page, last page and count, ms")
    for state, found in states.items():
        print(f"  {listing.STATES[state]:<26} {'   '.join(numbers.spread(one, 1) for one in found)}")
    missed = numbers.triple(wall)[0] > GOAL_S
    print(f"\ngoals missed: {'explain' if missed else 'none'}")
    numbers.keep(
        "explain",
        {
            **about,
            "records": options.records,
            "explain_s": numbers.triple(wall),
            "patients": options.patients,
            "list_ms": {
                state or "all": [numbers.triple(one) for one in found] for state, found in states.items()
            },
        },
    )
    return 1 if missed else 0


def explained(site: Opened, subject: str) -> int:
    """Ask all that the page asks; gives how many records were counted."""
    from oathward.activation import load_active

    family = now.family_of(site, subject)
    with read(site.engine) as db:
        active = load_active(db, site.site, site.authority, site.seen)
    now.receives(site, active, family[0])
    carers.carers(site, family[0], names=True)
    return past.past(site, family).records


def _records(site: Opened, subject: str, count: int) -> None:
    """Let the record of a message of this patient stand so many times more, each for a message of its own."""
    with read(site.engine) as db:
        (real,) = ledger.search(db, site.site, Query(subject=subject, kind="message.accepted"), limit=1)
    at_us = micros(site.clock.now()) - 7 * DAY_US
    for start in range(0, count, 250):
        leaves = [
            ledger.prepare(
                Record(real.kind, dict(real.body), at_us + number * 60_000_000, subject, real.links, uuid7())
            )
            for number in range(start, min(count, start + 250))
        ]
        with write(site.engine) as db:
            ledger.append(db, site.site, leaves)
    while ledger.index(site.engine, site.site):
        pass


def _persons(site: Opened, count: int) -> None:
    chance, now_us = Random(numbers.seed()), micros(site.clock.now())
    rows = []
    for _ in range(count):
        ends = chance.choice((sql.NEVER, sql.NEVER, now_us + chance.randrange(-400, 400) * DAY_US))
        soon = ends if now_us < ends < sql.NEVER else 0
        clash = chance.random() < 0.02
        rows.append(
            (
                *(site.site, uuid7(), now_us - chance.randrange(900 * DAY_US), 1 + (chance.random() < 0.03)),
                *(chance.randrange(4), chance.randrange(3), ends, soon),
                *(int(clash), sql.NEVER if clash else 0, int(chance.random() < 0.999)),
            )
        )
    with write(site.engine) as db:
        insert_many(db, sql.person, rows)


def _listed(site: Opened, state: str, rounds: int) -> list[list[float]]:
    now_us = micros(site.clock.now())

    def asked(after: str) -> listing.Listed:
        with read(site.engine) as db:
            return listing.page(db, site.site, state, now_us=now_us, after=after)

    def counted() -> int:
        with read(site.engine) as db:
            return listing.count(db, site.site, state, now_us=now_us)

    last = after = asked("").after
    while after:
        last, after = after, asked(after).after
    asks: list[Callable[[], Any]] = [lambda: asked(""), lambda: asked(last), counted]
    return [[_timed(ask)[0] * 1_000 for _ in range(rounds)] for ask in asks]


def _timed(do: Callable[[], Any]) -> tuple[float, float]:
    """Give seconds by the clock, and of this process."""
    wall, busy = time.perf_counter(), time.process_time()
    do()
    return time.perf_counter() - wall, time.process_time() - busy


if __name__ == "__main__":
    raise SystemExit(main())
