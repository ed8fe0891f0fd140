"""The ledger's speed: ``python -m bench.bench_ledger --records 1000000`` (or ``make bench ARGS=ledger``).

Goals: append at least 10,000 records/s, an inclusion proof at most 1 ms at a million, a full verification of a million
at most 60 s. Every number is the median of the runs with the lowest and the highest; CPU is this process's own.

What is timed:
- prepare: one record into its leaf (JSON of some 600 bytes, salt, hash), outside any transaction
- append: groups of 1, 16, 64 and 256 prepared records, each group one durable commit (SQLite, WAL, FULL)
- index: the search index over all records, as the background part does it
- proof: an inclusion proof of a random record, database read included
- verify: every leaf, column, tile, index block and checkpoint again
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

from oathward.core.db import checkpoint as flush_log
from oathward.core.db import connect, create_tables, read, write
from oathward.core.ids import uuid7
from oathward.ledger import Record, append, checkpoint, head, inclusion_proof, index, note, prepare, start
from oathward.ledger.verify import Keys, verify_database
from oathward.vault.sign import Signer

SITE = "bench"
KEY = Signer("oathward/bench", b"\x01" * 32)
GROUPS = (1, 16, 64, 256)
BUILD_GROUP = 256
CHECKPOINT_EVERY = 1_024
SUBJECTS = 500
FACTS = {sha256(b"facts %d" % n).digest(): b"facts %d" % n for n in range(40)}
GOALS = {"append": 10_000.0, "proof": 1.0, "verify": 60.0}


def main() -> int:
    """Measure all of it; 1 when a goal is missed."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--records", type=int, default=1_000_000)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--seed", type=int, default=int(os.environ.get("OATHWARD_SEED", "1")))
    options = parser.parse_args()
    if "OATHWARD_SEED" not in os.environ:
        _about(options.seed)
    chance = random.Random(options.seed)
    folder = Path(tempfile.mkdtemp(prefix="oathward-bench-"))
    try:
        misses = _prepare(chance, options.runs) + _append(chance, folder, options.runs)
        misses += _large(chance, folder, options.records, options.runs)
    finally:
        shutil.rmtree(folder)
    print(f"missed: {', '.join(misses)}" if misses else "all goals met")
    return 1 if misses else 0


def records(chance: random.Random, count: int) -> list[Record]:
    """Make records as a device message with three links makes them; ids and digests random."""
    subjects, facts = [uuid7() for _ in range(SUBJECTS)], [digest.hex() for digest in FACTS]
    made = []
    for n in range(count):
        decisions = [
            {"answer": "permit", "facts": chance.choice(facts), "link": "ehr", "profile": "treatment"},
            {
                "answer": "permit",
                "facts": chance.choice(facts),
                "link": "registry",
                "profile": "safe-harbor",
            },
            {"answer": "deny", "link": "cloud", "reasons": ["decision.no-consent"]},
        ]
        body = {
            "bundle": 3,
            "classes": ["device.identity", "observation.value", "patient.identifier", "patient.name"],
            "decisions": decisions,
            "device": "pump-17",
            "digest": chance.randbytes(32).hex(),
        }
        links = ("ehr", "registry", "cloud")
        subject = chance.choice(subjects)
        made.append(Record("message.accepted", body, 1_767_225_600_000_000 + n, subject, links, uuid7()))
    return made


def _prepare(chance: random.Random, runs: int) -> list[str]:
    made = records(chance, 5_000)
    times = [_timed(lambda: [prepare(r) for r in made])[1] / len(made) * 1e6 for _ in range(runs)]
    _say("prepare", "µs CPU a record", times)
    return []


def _append(chance: random.Random, folder: Path, runs: int) -> list[str]:
    misses = []
    for group in GROUPS:
        rates, cpu = [], []
        for run in range(runs):
            leaves = [prepare(r) for r in records(chance, min(group * 80, 8_000))]
            engine = connect(f"sqlite:///{folder / f'append-{group}-{run}.db'}")
            create_tables(engine)

            def work(engine=engine, leaves=leaves, group=group) -> None:
                for at in range(0, len(leaves), group):
                    with write(engine) as db:
                        append(db, SITE, leaves[at : at + group], FACTS)

            wall_s, cpu_s = _timed(work)
            rates.append(len(leaves) / wall_s)
            cpu.append(cpu_s / len(leaves) * 1e6)
            engine.dispose()
        _say(f"append, groups of {group}", "records/s", rates, digits=0)
        _say("", "µs CPU a record, commit included", cpu)
        if group >= 64 and statistics.median(rates) < GOALS["append"]:
            misses.append(f"append in groups of {group}")
    return misses


def _large(chance: random.Random, folder: Path, count: int, runs: int) -> list[str]:
    engine = connect(f"sqlite:///{folder / 'large.db'}")
    create_tables(engine)
    wall_s, _ = _timed(lambda: _build(chance, engine, count))
    with read(engine) as db:
        size = head(db, SITE).size
    print(f"built {size:,} records with their checkpoints in {wall_s:.1f} s")
    wall_s, _ = _timed(lambda: _index_all(engine))
    flush_log(engine)
    print(f"indexed in {wall_s:.1f} s, {wall_s / size * 1e6:.1f} µs a record; "
          f"{(folder / 'large.db').stat().st_size / size:.0f} bytes a record on disk")  # fmt: skip
    proofs: list[float] = []
    slow: list[float] = []
    for _ in range(runs):
        times = sorted(_proof_ms(engine, chance.randrange(size), size) for _ in range(200))
        proofs.append(times[100])
        slow.append(times[197])
    _say(f"inclusion proof at {size:,}", "ms, median of 200", proofs, digits=3)
    _say("", "ms, 99th percentile", slow, digits=3)
    walls, cpus = [], []
    for _ in range(runs):
        wall_s, cpu_s = _timed(lambda: _verify(engine))
        walls.append(wall_s)
        cpus.append(cpu_s)
    _say(f"verification of {size:,}", "s", walls, digits=1)
    _say("", "s CPU", cpus, digits=1)
    engine.dispose()
    misses = ["inclusion proof"] if statistics.median(proofs) > GOALS["proof"] else []
    return misses + (["verification"] if statistics.median(walls) > GOALS["verify"] else [])


def _build(chance: random.Random, engine, count: int) -> None:
    with write(engine) as db:
        start(db, SITE, KEY.name, note.encode_key(KEY), 0)
    sample = records(chance, 4_096)
    for at in range(0, count, BUILD_GROUP):
        group = [prepare(sample[(at + n) % len(sample)]) for n in range(min(BUILD_GROUP, count - at))]
        with write(engine) as db:
            append(db, SITE, group, FACTS)
        if not at % CHECKPOINT_EVERY:
            with read(engine) as db:
                found = checkpoint.propose(db, SITE, None)
            with write(engine) as db:
                checkpoint.store(db, SITE, note.sign(found.text, KEY))
            flush_log(engine)


def _index_all(engine) -> None:
    while index(engine, SITE):
        pass


def _proof_ms(engine, at: int, size: int) -> float:
    with read(engine) as db:
        begin = time.perf_counter()
        inclusion_proof(db, SITE, at, size)
        return (time.perf_counter() - begin) * 1e3


def _verify(engine) -> None:
    report = verify_database(engine, SITE, Keys([KEY]))
    assert report.ok, report.problems


def _timed(work: Callable[[], object]) -> tuple[float, float]:
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - wall, time.process_time() - cpu


def _say(what: str, unit: str, values: list[float], digits: int = 1) -> None:
    low, middle, high = min(values), statistics.median(values), max(values)
    print(f"{what:<32} {middle:>12,.{digits}f} [{low:,.{digits}f} .. {high:,.{digits}f}] {unit}", flush=True)


def _about(seed: int) -> None:
    from scripts.bench import commit, machine

    for key, value in {**machine(), **commit(), "seed": seed}.items():
        print(f"{key:<8} {value}")


if __name__ == "__main__":
    raise SystemExit(main())
