"""What an emergency copy costs: ``python -m bench.bench_emergency`` (or ``make bench ARGS=emergency``).

How:
- 500 inpatients, each admitted and with some messages of values, really taken in.
- The copy is made as the keeper makes it: every record proved, every original opened and sealed anew, the file flushed. It is
  made twice: the second one is as a site makes it every some minutes.
- Then it is read as with the main system down: opened and verified, listed by ward, one patient shown.
- By the clock; CPU time of this process stands beside it, for a machine that others use too.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests import emergency
from tests.care import peopled
from tests.site import Site, bundle, local

from bench import numbers
from oathward.emergency.log import Log, Reader
from oathward.emergency.reading import Readings
from oathward.vault.emergency import copies

if TYPE_CHECKING:
    from collections.abc import Callable


def main() -> int:
    """Measure; there is no goal but the figures."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--patients", type=int, default=500)
    parser.add_argument("--values", type=int, default=8)
    options = parser.parse_args()
    about = numbers.about()
    numbers.say_about(about)
    found: dict[str, tuple[float, float]] = {}
    with tempfile.TemporaryDirectory() as folder:
        copied, safe = Path(folder) / "copies", Path(folder) / "safe"
        copied.mkdir()
        safe.mkdir()
        site = Site.make(
            Path(folder) / "site", more='[emergency]\npublic_key_file = "emergency.pub"\n', console=True
        )
        site.activate(bundle({"ehr": "mllp://127.0.0.1:9"}))
        site.add(local("adt-1", "ADT1", kind="registration", authoritative_adt=True), local("mon-1", "MON1"))
        with peopled(site, []) as world:
            key = emergency.give_key(world.keeper, safe)
            values = tuple(range(60, 60 + options.values))
            for _ in range(options.patients):
                subject = emergency.admitted(world.gate, values=values).subject
            found["made, first"] = _timed(lambda: emergency.make(world.keeper, copied))
            found["made, again"] = _timed(lambda: emergency.make(world.keeper, copied))
        path = copied / copies.name_of(2)
        with copies.open_copy(path, key.trust) as copy:
            manifest = copy.manifest
            readings = Readings(copy, key, Log(copied / "readings.log", key), Reader("bench", "drill"))
            found["verified"] = _timed(lambda: copies.check_sections(copy))
            found["listed"] = _timed(lambda: readings.wards(manifest.made_us))
            found["one patient"] = _timed(lambda: readings.patient(subject, manifest.made_us))
        size = path.stat().st_size
    print(f"\n{options.patients} inpatients, {options.values} messages each; {size:,} bytes")
    for name, (wall, cpu) in found.items():
        print(f"  {name:<12} {wall:8.3f} s   of it CPU {cpu:8.3f} s")
    numbers.keep("emergency", {**about, "patients": options.patients, "bytes": size, "seconds": found})
    return 0


def _timed(do: Callable[[], Any]) -> tuple[float, float]:
    """Give seconds by the clock, and of this process."""
    wall, busy = time.perf_counter(), time.process_time()
    do()
    return time.perf_counter() - wall, time.process_time() - busy


if __name__ == "__main__":
    raise SystemExit(main())
