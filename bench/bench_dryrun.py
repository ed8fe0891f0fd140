"""A dry run's speed: ``python -m bench.bench_dryrun --decisions 1000000`` (or ``make bench ARGS=dryrun``).

Goal: 1,000,000 recorded decisions in at most 60 s.

The ledger is made up, row by row as the gateway writes it, without the tree (a dry run verifies nothing): 2,000 devices of
4 kinds, 5,000 patients with three devices each, of whom half have consents of their own and a tenth of these with dates.
So some 37,000 different facts. The change tried touches every link: a label rule is added, a policy without a scope, classes.
"""

from __future__ import annotations

import argparse
import os
import random
import resource
import shutil
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

from bench.numbers import about, keep, say_about, spread, triple
from oathward.core.db import connect, create_tables, insert_many, write
from oathward.core.ids import uuid7
from oathward.core.labels import Assurance, Confidentiality
from oathward.dry_running import dry_run
from oathward.ledger import Record
from oathward.ledger.log import start
from oathward.ledger.records import canonical
from oathward.ledger.tables import FACTS, RECORD, run
from oathward.policy import starter
from oathward.policy.bundle import Bundle, load
from oathward.policy.decide import decide
from oathward.policy.model import ConsentFact, Deny, Facts, Permit

SITE = "bench"
GOAL_S = 60.0
BASE_US = 1_782_907_200_000_000
DAY_US = 86_400_000_000
DEVICES, PATIENTS, KINDS = 2_000, 5_000, ("monitor", "infusion-pump", "ventilator", "glucometer")
TYPES = (("ORU^R01", "observation.*"), ("ORU^R40", "observation.*"), ("ADT^A08", "patient.*"))
FILES = starter.files(keys={"research-registry": bytes(range(1, 33))})
GROUP = 2_000


def before() -> Bundle:
    """The starter bundle."""
    return load(FILES)


def after() -> Bundle:
    """A change of which every link knows something."""
    files = dict(FILES)
    files["labels.toml"] += (
        b'\n[[rules]]\nid = "ventilators"\ndevice_kind = ["ventilator"]\nconfidentiality = "R"\n'
    )
    files["links/vendor-cloud.toml"] = files["links/vendor-cloud.toml"].replace(
        b'"device.*"', b'"device.type"'
    )
    files["policies/more.cedar"] = (
        b'@id("no-glucometers") forbid(principal, action == Action::"Disclose", resource) '
        b'when { resource.recipient.external && context.device_kind == "glucometer" };'
    )
    return load(files)


def main() -> int:
    """Measure it; 1 when the goal is missed."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--decisions", type=int, default=1_000_000)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--seed", type=int, default=int(os.environ.get("OATHWARD_SEED", "1")))
    options = parser.parse_args()
    machine = about()
    say_about(machine)
    folder = Path(tempfile.mkdtemp(prefix="oathward-bench-"))
    try:
        engine = connect(f"sqlite:///{folder / 'dryrun.db'}")
        create_tables(engine)
        different = build(engine, random.Random(options.seed), options.decisions)
        print(f"{options.decisions:,} decisions, {different:,} different facts")
        walls, cpus = [], []
        for _ in range(options.runs):
            old, new = before(), after()
            wall_s, cpu_s = time.perf_counter(), time.process_time()
            found = dry_run(engine, SITE, old, new, since_us=BASE_US, until_us=BASE_US + 8 * DAY_US)
            walls.append(time.perf_counter() - wall_s)
            cpus.append(time.process_time() - cpu_s)
            assert found.decisions == options.decisions, found.decisions
        engine.dispose()
    finally:
        shutil.rmtree(folder)
    rates = [options.decisions / wall_s for wall_s in walls]
    print(f"dry run    {spread(walls, 1)} s, {spread(cpus, 1)} s CPU, {spread(rates)} decisions/s")
    print(
        f"found      {found.changed:,} otherwise, {found.undecided:,} undecided, {len(found.body()):,} bytes"
    )
    print(
        f"memory     {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024} MB at most, building and all"
    )
    keep("dryrun", {"machine": machine, "decisions": options.decisions, "facts": different,
                    "seconds": triple(walls), "cpu_s": triple(cpus), "rate": triple(rates)})  # fmt: skip
    allowed_s = GOAL_S * options.decisions / 1_000_000
    missed = triple(walls)[0] > allowed_s
    print(f"missed: {allowed_s:.0f} s" if missed else "all goals met")
    return 1 if missed else 0


def build(engine: Any, chance: random.Random, count: int) -> int:
    """Write a ledger of decisions; gives how many different facts they are of."""
    kept: dict[tuple[object, ...], tuple[bytes, list[list[str]], str]] = {}
    bodies: dict[bytes, bytes] = {}
    made = _made(chance, count, kept, bodies)
    with write(engine) as db:
        start(db, SITE, "bench/ledger", "bench", BASE_US)
        first = int(run(db, "SELECT size FROM ledger_head WHERE site = ?", (SITE,)).scalar() or 0)
    index = first
    while rows := [row for _, row in zip(range(GROUP), made, strict=False)]:
        with write(engine) as db:
            insert_many(db, RECORD, [(SITE, index + n, *row) for n, row in enumerate(rows)])
        index += len(rows)
    listed = list(bodies.items())
    for at in range(0, len(listed), GROUP):
        with write(engine) as db:
            insert_many(
                db, FACTS, [(SITE, digest, body, None, None) for digest, body in listed[at : at + GROUP]]
            )
    with write(engine) as db:
        run(db, "UPDATE ledger_head SET size = ? WHERE site = ?", (index, SITE))
    return len(bodies)


def _made(
    chance: random.Random, count: int, kept: dict, bodies: dict[bytes, bytes]
) -> Iterator[tuple[Any, ...]]:
    bundle, plain = before(), _plain()
    subjects = [uuid7() for _ in range(PATIENTS)]
    of = [[chance.randrange(DEVICES) for _ in range(3)] for _ in subjects]
    for n in range(count):
        patient, kind = chance.randrange(PATIENTS), chance.randrange(len(TYPES))
        device = chance.choice(of[patient])
        key = (patient if patient % 2 else -1, device, kind)
        found = kept.get(key)
        if found is None:
            facts = _facts(plain, patient, device, kind)
            body = facts.body()
            digest = sha256(body).digest()
            bodies[digest] = body
            found = kept[key] = digest, _answers(bundle, facts), digest.hex()
        answers = [[link, word, f"{n:020X}" if word == "permit" else more] for link, word, more in found[1]]
        at_us = BASE_US + n * (7 * DAY_US // count)
        accepted = {
            "answers": answers,
            "assurance": "certificate",
            "bundle": "starter@1",
            "device": f"device-{device}",
            "facts": [found[2], "0" * 64, "1" * 64],
            "type": TYPES[kind][0],
        }
        links = tuple(answer[0] for answer in answers)
        message = uuid7()
        entry = canonical(Record("message.accepted", accepted, at_us, subjects[patient], links, message))
        yield "message.accepted", at_us, subjects[patient], message, bytes(32), bytes(16), entry, None, None


def _plain() -> Facts:
    return Facts(
        site=SITE, device="d", device_kind="monitor", assurance=Assurance.CERTIFICATE, subject_kind="known",
        message_type="ORU^R01", confidentiality=Confidentiality.N, sensitivity=frozenset(), classes_present=frozenset(),
        consent_version=0, consents=(), clock_sure=True, bundle_version=1,
    )  # fmt: skip


def _facts(plain: Facts, patient: int, device: int, kind: int) -> Facts:
    from oathward.core.labels import expand

    type_, classes = TYPES[kind]
    consents: tuple[ConsentFact, ...] = ()
    if patient % 2:
        end_us = BASE_US + 3 * DAY_US if patient % 20 == 1 else None
        research, cloud = frozenset({"HRESCH"}), frozenset({"vendor-cloud"})
        every = frozenset({"*"})
        consents = (
            ConsentFact(f"c{patient}", True, research, frozenset({"research-registry"}), every, None, end_us),
            ConsentFact(f"d{patient}", False, every, cloud, frozenset({"device.identity"})),
        )
    return replace(
        plain,
        device=f"device-{device}",
        device_kind=KINDS[device % len(KINDS)],
        message_type=type_,
        consents=consents,
        consent_version=patient if consents else 0,
        classes_present=expand([classes, "structure", "message.*", "patient.*", "device.*"]),
    )


def _answers(bundle: Bundle, facts: Facts) -> list[list[str]]:
    found = []
    for link in bundle.carriers("hl7v2"):
        match decide(bundle, link, facts, BASE_US):
            case Permit():
                found.append([link.id, "permit", ""])
            case Deny(_, reasons) if reasons[0].code != "decision.no-link":
                found.append([link.id, "deny", reasons[0].code])
    return found


if __name__ == "__main__":
    raise SystemExit(main())
