"""Two processes that meet the same new patients at the same time agree on one subject each."""

import json
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PATIENTS = 60
ROUNDS_MAX = 10
"""Whether two processes meet is up to the machine; once is enough, and never shows nothing."""


def one_process(url: str, turn: str) -> dict[str, str]:
    """What each process does: meet everybody, in an order of its own, and retry where it lost a race."""
    import random

    from tests.unit.patients.making import Site, oru

    from oathward.core.db import connect
    from oathward.patients.model import IdentityMovedError

    engine = connect(url)
    site = Site(engine)
    numbers = [f"{turn}{n:02}77^^^HOSP^MR" for n in range(PATIENTS)]
    random.shuffle(numbers)
    found, lost = {}, 0
    print("ready", flush=True)
    sys.stdin.readline()
    for at in range(0, PATIENTS, 3):
        waiting = numbers[at : at + 3]
        while waiting:
            group = {n: site.resolve(oru(n)) for n in waiting}
            time.sleep(0.002)  # long enough for the other one to come between
            try:
                site.commit(*group.values())
            except IdentityMovedError:
                lost += 1
                for resolution in group.values():
                    site.resolver.rolled_back(resolution)
                continue
            found |= {n: r.subject for n, r in group.items()}
            waiting = []
    return {**found, "lost": str(lost)}


def run_two(url: str, turn: int) -> list[dict[str, str]]:
    """Start both, let them off together when both are ready, and take their answers."""
    command = [sys.executable, __file__, url, str(turn)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    both = [subprocess.Popen(command, cwd=ROOT, env={"PYTHONPATH": str(ROOT)}, **pipes) for _ in "ab"]
    assert [process.stdout.readline() for process in both] == [b"ready\n"] * 2
    for process in both:
        process.stdin.write(b"go\n")
        process.stdin.flush()
    answers = [process.communicate(timeout=60)[0] for process in both]
    assert [process.returncode for process in both] == [0, 0]
    return [json.loads(answer) for answer in answers]


def check(url: str) -> None:
    import oathward.ledger.tables  # noqa: F401  declares its tables
    from oathward.core.db import connect, create_tables, read
    from oathward.patients import sql

    engine = connect(url)
    try:
        create_tables(engine)
        for turn in range(1, ROUNDS_MAX + 1):
            one, two = run_two(url, turn)
            races = int(one.pop("lost")) + int(two.pop("lost"))
            assert one == two
            assert len(set(one.values())) == PATIENTS
            with read(engine) as db:
                assert sql.count_subjects(db, "north") == {"known": PATIENTS * turn}
            if races:
                break
        else:
            raise AssertionError("the two never met: the test shows nothing")
    finally:
        engine.dispose()


def test_on_sqlite(tmp_path):
    check(f"sqlite:///{tmp_path}/site.db")


if __name__ == "__main__":
    print(json.dumps(one_process(*sys.argv[1:])))
