"""Pages of the inventory and the map at full size: ``python -m bench.bench_inventory_pages [--database postgresql]``.

Goal: with 100,000 devices and 10,000,000 flows a device's page 95 of 100 times within 300 ms, the map within 1 s.

How:
- A site of its own, filled with the rows of ``bench.scale``: endpoints with marks, attributes and leases, conversations, totals, use, single
  flows; and findings on one device in fifty.
- The console serves on a socket of this process, with keeper and sign-in as ``app`` has them; a clinical engineer's browser asks, one
  connection kept open. What is timed is the request as the browser sees it, body included: database, template, socket. Beside it the CPU
  time of this process, which holds both ends: that is what counts where other things ran beside.
- PostgreSQL is a server of the benchmark's own (``tests.postgres``), on a Unix socket; the CPU time of its processes is added, in steps of 10 ms.
  Or the URL of a database of such a server that runs, empty or that of ``--folder``.
- Devices at random, each asked once, so that none is measured warm; the other pages in turns.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.care import peopled, person
from tests.postgres import serving
from tests.site import Site, bundle

from bench import numbers, scale
from bench.browser import Line, say_pages
from oathward.app import build
from oathward.app.__main__ import SWITCH_S
from oathward.core.db import GROUP_ROWS_MAX, connect, write
from oathward.core.finding import Raised
from oathward.core.labels import Role
from oathward.findings.actions import raise_
from oathward.network import sql as network
from oathward.network.model import PlanRow
from oathward.web.serving.server import Server

PAGE_GOAL_MS, MAP_GOAL_MS = 300.0, 1_000.0
PAGES = {
    "inventory": "/inventory",
    "inventory, a facet": "/inventory?type=infusion+pump",
    "inventory, two facets": "/inventory?unit=unit+7&make=maker+7",
    "inventory, search": "/inventory?search=host-777",
    "inventory, nobody fits": "/inventory?search=no-such-thing",
    "inventory, undeclared": "/inventory?show=undeclared",
    "inventory, on no list": "/inventory?show=unlisted",
    "inventory, silent": "/inventory?silent=1",
    "inventory, in conflict": "/inventory?show=conflict",
    "flows": "/flows",
    "flows, an address": "/flows?device=10.0.3.9",
    "flows, a name": "/flows?device=host-777",
    "flows, a service": "/flows?service=dicom",
    "flows, a zone and port": "/flows?zone=imaging&port=104",
    "flows, nobody": "/flows?device=203.0.113.250&peer=10.0.3.9",
    "sources": "/sources",
    "findings": "/findings",
    "home": "/",
}
MAPS = {
    "map": "/map",
    "map, a zone": "/map?zone=clinical",
    "map, a service": "/map?service=hl7",
    "map, one day": "/map?days=1",
    "map, 300 boxes": "/map?boxes=300",
    "map as SVG": "/map.svg",
}


def main() -> int:
    """Make the site, ask, print; 1 where a goal is missed."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--devices", type=int, default=100_000)
    parser.add_argument("--asked", type=int, default=200, help="devices, each once")
    parser.add_argument("--rounds", type=int, default=10, help="of the other pages")
    parser.add_argument("--folder", type=Path, help="keep the site here, and use the one that is here")
    parser.add_argument("--database", default="sqlite", help="sqlite, postgresql, or a URL")
    options = parser.parse_args()
    sys.setswitchinterval(SWITCH_S)
    found = numbers.about()
    numbers.say_about(found)
    folder = options.folder or Path(tempfile.mkdtemp(prefix="oathward-bench-"))
    try:
        with database(options.database) as url:
            site = Site(folder / "s")
            if not (folder / "s" / "made").exists():
                site = make(folder / "s", options.devices, url)
            times, cpu = measure(site, options.devices, options.asked, options.rounds, served(url))
    finally:
        if options.folder is None:
            shutil.rmtree(folder, ignore_errors=True)
    kind = "inventory-pages" if options.database == "sqlite" else "inventory-pages-postgresql"
    numbers.keep(kind, found | {"devices": options.devices, "pages": times, "cpu": cpu})
    print("\nCPU of browser, server and database together")
    say_pages(cpu, PAGE_GOAL_MS)
    print("\nby the clock")
    slow = say_pages({name: of for name, of in times.items() if name not in MAPS}, PAGE_GOAL_MS)
    slow += say_pages({name: of for name, of in times.items() if name in MAPS}, MAP_GOAL_MS)
    goals = f"goals: p95 {PAGE_GOAL_MS:.0f} ms, map {MAP_GOAL_MS:.0f} ms"
    print(f"\n{goals}: {'missed by ' + ', '.join(slow) if slow else 'met by every page'}")
    return 1 if slow else 0


SERVER = {
    "shared_buffers": "256MB",
    "work_mem": "32MB",
    "max_wal_size": "512MB",
    "maintenance_work_mem": "256MB",
}


@contextmanager
def database(kind: str) -> Iterator[str]:
    """Give the URL of a database; empty for the site's own file."""
    if kind == "postgresql":
        with serving(**SERVER) as socket:
            yield f"postgresql+psycopg://oathward@/postgres?host={socket}"
    else:
        yield "" if kind == "sqlite" else kind


def served(url: str) -> Callable[[], float]:
    """Give what says how long a database's server computed, in seconds: its processes, and those of its that ended."""
    if not url:
        return lambda: 0.0
    pid = int((Path(url.partition("host=")[2]) / "data/postmaster.pid").read_text().partition("\n")[0])

    def seconds() -> float:
        ticks = sum(_ticks(pid)[2:])
        for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
            try:
                ticks += sum(_ticks(int(child))[:2])
            except OSError:  # it ended just now
                continue
        return ticks / os.sysconf("SC_CLK_TCK")

    return seconds


def _ticks(pid: int) -> list[int]:
    """Give ticks of a process, and of its children that ended: of its own and of the system's."""
    return [int(word) for word in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:15]]


def make(folder: Path, devices: int, url: str = "") -> Site:
    """Make the data folder; ``url``: of a database that is not its own file."""
    chance, began = random.Random(numbers.seed()), time.monotonic()
    site = Site.make(folder, console=True, more=f'[database]\nurl = "{url}"\n' if url else "")
    site.activate(bundle({"ehr": "mllp://127.0.0.1:9"}))
    with site.admin() as opened:
        name = opened.site
    estate = scale.Estate(devices, chance, name)
    engine = connect(site.settings.database_url)  # alone: rows go in without a log
    made = scale.fill(engine, estate)
    engine.dispose()
    scale.put_segments(site.settings.data, made["totals"], estate)
    with site.admin() as opened:
        engine = opened.engine
        with write(engine) as db:
            network.put_plan(
                db, name, [PlanRow("r", f"10.{n}.0.0/16", zone) for n, zone in enumerate(scale.ZONES[:5])]
            )
        seen = [
            Raised("flow.undeclared", f"k{n}", f"endpoint:d{n}", details={"port": 443})
            for n in range(0, devices, 50)
        ]
        for at in range(0, len(seen), GROUP_ROWS_MAX):
            with write(engine) as db:
                raise_(db, name, "mapping", seen[at : at + GROUP_ROWS_MAX], site.settings.findings, scale.T)
    (folder / "made").touch()
    size = sum(one.stat().st_size for one in folder.glob("oathward.db*")) / 1e9
    where = f"{size:.1f} GB" if not url else "PostgreSQL"
    print(f"{devices:,} devices, {made['totals']:,} flows, {where}, made in {time.monotonic() - began:.0f} s")
    return site


def measure(
    site: Site, devices: int, asked: int, rounds: int, beside: Callable[[], float]
) -> tuple[dict[str, list[float]], dict[str, list[float]]]:
    """Ask for every page; gives milliseconds by the clock, and of CPU.

    Args:
        beside: says how many seconds the database's server computed.
    """
    chance = random.Random(numbers.seed() + 1)
    with peopled(site, [(person("p-engineer"), [Role.CLINICAL_ENGINEER])]) as world:
        opened = build(site.settings, "app", become_keeper=False)
        server = Server(opened, site.settings.console)
        cookie = f"oathward_{server.port}={world.enter('p-engineer')['session']}"
        line = Line(server.port, 60)

        wall: dict[str, list[float]] = defaultdict(list)
        cpu: dict[str, list[float]] = defaultdict(list)

        def ask(name: str, path: str) -> None:
            began, worked = time.perf_counter(), time.process_time() + beside()
            answer, body = line.ask("GET", path, cookie)
            wall[name].append((time.perf_counter() - began) * 1_000)
            cpu[name].append((time.process_time() + beside() - worked) * 1_000)
            assert answer.status == 200, (path, answer.status, body[-500:])

        try:
            line.ask("GET", "/", cookie)  # templates are compiled, the policy is read
            for n in chance.sample(range(devices), min(asked, devices)):
                ask("a device", f"/inventory/d{n}")
            for n in range(20):
                ask("a busy server", f"/inventory/s{n}")
            for _ in range(rounds):
                for name, path in (PAGES | MAPS).items():
                    ask(name, path)
            return dict(wall), dict(cpu)
        finally:
            server.stop()
            opened.keeper.close()
            opened.engine.dispose()


if __name__ == "__main__":
    sys.exit(main())
