"""Who is taken for whom in a made-up estate: ``python -m bench.bench_inventory_estate [--devices N] [--days D] [--estate DIR]``.

Rules:
- The estate is written from the seed; its sensors' logs, captures and lists are read by the observers, day by day as a nightly run would, and
  resolved into an inventory of its own. Nothing of it reads the truth.
- Then the inventory is compared with the truth (``bench.estate`` says how). Wrong merges and wrong splits are printed as counts, as shares, and by
  what is particular about those devices; never one number for both.
- Exit code 1 where a spoof was merged in silence, a first day was taken for a flood, or a share is over ``GOAL``.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import oathward.endpoints.sql
import oathward.ledger.tables  # noqa: F401  these declare their tables
from bench import chart, numbers
from bench.estate import Evidence, Judged, LeaseSeen, MarkSeen, Truth, judge
from oathward.core.db import connect, create_tables, direct, read
from oathward.discovery.lists.opening import sources
from oathward.discovery.lists.proposing import propose
from oathward.discovery.lists.reading import How, Told, format_of, formats
from oathward.discovery.model import Around, Statement
from oathward.discovery.observer import HEAD_BYTES, observer_of
from oathward.endpoints.actions import take
from oathward_sim.estate.make import make
from oathward_sim.estate.population import START

GOAL = 0.005
BATCH = 20_000
SITE = "bench"
_DAY_US = 86_400_000_000
_START_US = round(START.timestamp() * 1_000_000)


def main() -> int:
    """Write, read, resolve, compare, print; 1 where it is not good enough."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--devices", type=int, default=40_000)
    parser.add_argument("--days", type=int, default=3)
    parser.add_argument("--estate", type=Path, help="one that is there already")
    parser.add_argument("--batch", type=int, default=BATCH, help="statements taken at a time")
    options = parser.parse_args()
    about = numbers.about()
    numbers.say_about(about)
    with tempfile.TemporaryDirectory() as name:
        folder = options.estate or Path(name) / "estate"
        if options.estate is None:
            begin = time.process_time()
            made = make(folder, devices=options.devices, sites=3, days=options.days, seed=numbers.seed())
            print(
                f"written: {made.devices:,} devices, {made.rows:,} rows of logs, {made.bytes / 1e6:,.0f} MB in {time.process_time() - begin:.1f} CPU s"
            )
        found = resolved(folder, Path(name) / "inventory.db", options.batch)
    say(found)
    numbers.keep("inventory_estate", {"about": about, **found})
    draw(found)
    over = [name for name in ("merged_share", "split_share") if found[name] > GOAL]
    return int(bool(over) or found["silent"] > 0 or found["counts"]["held"] > 0)


def resolved(folder: Path, database: Path, size: int = BATCH) -> dict[str, Any]:
    """Read an estate into an inventory and compare it with the truth."""
    truth = Truth(folder / "truth")
    evidence = Evidence(truth)
    engine = connect(f"sqlite:///{database}")
    create_tables(engine)
    refused = Counter[str]()
    counts = Counter[str]()
    conflicts: dict[str, tuple[str, str, str]] = {}
    begin, taking = time.process_time(), 0.0
    now_us = _START_US + 365 * _DAY_US
    statements = told(folder, refused)
    while batch := list(islice(statements, size)):
        for said in batch:
            evidence.take(said)
        started = time.process_time()
        taken = take(engine, SITE, batch, now_us, "bench")
        taking += time.process_time() - started
        counts.update(taken.counts)
        conflicts |= {one.id: (one.endpoint, one.other, one.mark) for one in taken.conflicts}
    whole = time.process_time() - begin
    with read(engine) as db:
        into = dict(direct(db, "SELECT id, merged FROM endpoint WHERE site = ?", (SITE,)).fetchall())
        marks = [
            MarkSeen(*row)
            for row in direct(
                db,
                "SELECT endpoint, kind, scope, value, first_us, last_us FROM endpoint_mark WHERE site = ?",
                (SITE,),
            )
        ]
        leases = [
            LeaseSeen(*row)
            for row in direct(
                db,
                "SELECT endpoint, realm, address, from_us, until_us FROM endpoint_lease WHERE site = ?",
                (SITE,),
            )
        ]
    engine.dispose()

    def now(endpoint: str) -> str:
        while into.get(endpoint):
            endpoint = into[endpoint]
        return endpoint

    marks = [mark._replace(endpoint=now(mark.endpoint)) for mark in marks]
    leases = [lease._replace(endpoint=now(lease.endpoint)) for lease in leases]
    judged = judge(
        truth,
        evidence,
        marks,
        leases,
        [(now(one), now(other), mark) for one, other, mark in conflicts.values()],
    )
    return {
        **_figures(judged),
        "counts": dict(counts),
        "refused": dict(refused),
        "take_s": taking,
        "whole_s": whole,
        "conflicts": len(conflicts),
    }


def told(folder: Path, refused: Counter[str]) -> Iterator[Statement]:
    """Give what an estate's files say: lists of the first hour, then day by day, then lists of the last."""
    realms = sorted(path.name for path in folder.iterdir() if path.is_dir() and path.name != "truth")
    days = sorted({path.name for realm in realms for path in (folder / realm / "zeek").iterdir()})
    until_us = _START_US + (len(days) + 1) * _DAY_US
    for realm in realms:
        yield from listed(
            [folder / realm / "cmms-first.csv", folder / realm / "netbox.json"], realm, _START_US, refused
        )
    for day in days:
        for realm in realms:
            files = [
                *sorted((folder / realm / "zeek" / day).iterdir()),
                folder / realm / "heads" / f"{day}.pcap",
            ]
            for path in files:
                yield from observed(
                    path,
                    Around(realm=realm, name=path.name, from_us=_START_US - _DAY_US, until_us=until_us),
                    refused,
                )
    for realm in realms:
        lists = [folder / realm / "cmms-last.csv", *sorted((folder / realm).glob("wearables-*.csv"))]
        yield from listed(lists, realm, _START_US + len(days) * _DAY_US, refused)


def observed(path: Path, around: Around, refused: Counter[str]) -> Iterator[Statement]:
    """Give the statements of one file, as its observer reads it."""
    with path.open("rb") as stream:
        head = stream.read(HEAD_BYTES)
        stream.seek(0)
        found = observer_of(head, path.name)
        if found is None:
            refused[f"no observer: {path.suffix}"] += 1
            return
        for seen in found[1].read(stream, around):
            for (reason, place), count in seen.refused.items():
                refused[f"{found[0]}: {reason.code} {place}"] += count
            yield from seen.statements


def listed(paths: Iterable[Path], realm: str, at_us: int, refused: Counter[str]) -> Iterator[Statement]:
    """Give the statements of lists, by the mapping that is proposed for each."""
    for path in paths:
        vendor = path.stem.partition("-")[2] if path.stem.startswith("wearables") else ""
        with path.open("rb") as stream:
            for source in sources(path.name, stream):
                found = format_of(source.head, path.name)
                if found is None:
                    refused[f"no format: {path.suffix}"] += 1
                    continue
                form = formats()["vendor"] if vendor else found[1]
                columns = (
                    propose(source, None, "vendor" if vendor else "cmms").mapping(
                        "vendor" if vendor else "cmms", vendor
                    )
                    if form.mapped
                    else None
                )
                for one in form.read([source], How(realm=realm, at_us=at_us, columns=columns)):
                    if not isinstance(one, Told):
                        refused[f"{path.name}: {one.column} {one.reason.code}"] += 1
                    elif isinstance(one.what, Statement):
                        yield one.what


def _figures(judged: Judged) -> dict[str, Any]:
    return {
        "devices": judged.devices, "endpoints": judged.endpoints, "merged_pairs": sum(judged.merged.values()), "merged_told": judged.merged_told, "in_merged": judged.in_merged,
        "merged_share": judged.in_merged / judged.devices, "split_devices": sum(judged.split.values()),
        "split_share": sum(judged.split.values()) / judged.devices, "merged": dict(judged.merged.most_common()),
        "split": dict(judged.split.most_common()), "apart": judged.apart, "silent": len(judged.silent), "told": dict(judged.told),
        "intruders": dict(judged.intruders), "split_told": dict(judged.split_told.most_common()), "false": dict(judged.false.most_common()), "docked": judged.docked, "addresses": dict(judged.addresses), "examples": judged.examples,
    }  # fmt: skip


def say(found: dict[str, Any]) -> None:
    """Print it."""
    counts = found["counts"]
    print(
        f"\nread and resolved: {counts['statements']:,} statements, {found['whole_s']:.0f} CPU s, {found['take_s']:.0f} of them resolving and storing"
    )
    print(
        f"refused: {', '.join(f'{what} {count:,}' for what, count in found['refused'].items()) or 'nothing'}"
    )
    print(
        f"{found['devices']:,} devices that something spoke of, {found['endpoints']:,} endpoints; of {found['apart']:,} devices the evidence is in parts that nothing joins"
    )
    pairs = f"{found['merged_pairs']} pairs (of {found['merged_told']} a finding tells), {found['in_merged']} devices"
    splits = f"{found['split_devices']} devices in more endpoints than their evidence has parts"
    for what, of, share, causes in (
        ("wrong merges", pairs, "merged_share", "merged"),
        ("wrong splits", splits, "split_share", "split"),
    ):
        print(
            f"\n{what}: {of}, of {found['devices']:,}: {100 * found[share]:.2f} % (goal {100 * GOAL:.1f} %)"
        )
        for cause, count in found[causes].items():
            print(f"  {count:>6}  {cause}")
    held_apart = sum(found["split_told"].values())
    print(
        f"\nheld apart with a finding that says so, for a person to decide: {held_apart} devices ({100 * held_apart / found['devices']:.2f} %)"
    )
    for cause, count in found["split_told"].items():
        print(f"  {count:>6}  {cause}")
    told = ", ".join(
        f"{claim} {found['told'].get(claim, 0)} of {n}" for claim, n in found["intruders"].items()
    )
    print(
        f"\nspoofs merged in silence: {found['silent']} (must be 0); intruders that a conflict tells of: {told}; conflicts: {found['conflicts']:,}"
    )
    false = sum(found["false"].values())
    print(
        f"false conflicts, of one device that nothing is the matter with: {false}, {10_000 * false / found['devices']:.1f} per 10,000 devices "
        f"(of {found['docked']} that are docked and undocked: {sum(n for what, n in found['false'].items() if what.endswith('docked'))}); "
        f"held back as a flood: {counts['held']:,} (must be 0)"
    )
    for what, count in found["false"].items():
        print(f"  {count:>6}  {what}")
    held = sum(found["addresses"].values()) or 1
    print(
        "addresses, in the middle of the time somebody had them: "
        + ", ".join(f"{who} {100 * n / held:.2f} %" for who, n in found["addresses"].items())
    )
    for line in found["examples"]:
        print(f"  {line}")


def draw(found: dict[str, Any]) -> None:
    """Draw wrong merges and splits by cause."""
    causes = sorted(
        {*found["merged"], *found["split"]},
        key=lambda one: -found["merged"].get(one, 0) - found["split"].get(one, 0),
    )[:7]
    if not causes:
        return
    bars = [
        chart.Series(name, [(float(n := found[key].get(cause, 0)), float(n), float(n)) for cause in causes])
        for name, key in (("wrong merges, pairs", "merged"), ("wrong splits, devices", "split"))
    ]
    note = f"{found['devices']:,} devices of three sites; by what is particular about the device"
    text = chart.grouped_bars("Who was taken for somebody else", note, causes, bars, "count")
    (numbers.OUT / "inventory-estate.svg").write_text(text)


if __name__ == "__main__":
    sys.exit(main())
