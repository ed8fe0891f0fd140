"""What each stage of a message costs alone, against the whole: ``python -m bench.bench_stages [--messages 4000 --runs 5]``.

Rules:
- CPU microseconds a message of this one process, caches warm, median of the runs with the lowest and the highest.
- A stage runs over all messages before the next one begins, on what the one before gave: what is read lazily is
  paid where the path pays it.
- Frame and answer are measured as a server of their own (``bench.bare``) at 64 connections, by the kernel's count.
- The courier's stages likewise: read rows, check them again, open their bodies, record the outcome, each a delivery.
- The sum of the stages stands against the whole path in process (``arrive`` and ``commit_group``), and against what the
  gateway's process used for each acknowledged message where ``bench_gateway`` has just run.

Goal: the gateway's process at most 1.7 times the sum of its stages.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench import numbers, site
from bench.message import template
from oathward.core.db import read
from oathward.core.ids import uuid7
from oathward.courier.mllp import msa
from oathward.courier.model import Delivered, Item
from oathward.courier.recheck import Now, refused_each
from oathward.courier.record import Settled, record_group
from oathward.deid.plan import Seeds, shape
from oathward.gateway import outcome
from oathward.gateway.arrival import Arrival, Part, Prepared
from oathward.gateway.commit import commit_group
from oathward.gateway.gate import Gate
from oathward.gateway.path import handle
from oathward.gateway.wires import HL7V2, Wire
from oathward.inventory.model import Peer
from oathward.messages import sql as messages
from oathward.messages.model import OutboxRow
from oathward.plans import Plans
from oathward.policy.decide import decide
from oathward.protocols.hl7v2.mllp import wrap
from oathward.vault.bodies import SegmentReader
from oathward.vault.envelope import Opener
from oathward.vault.keeper import client

GOAL = 1.7
GROUPS = (64, 256)
DEVICES = 64
DELIVERIES = 128
"""How many outcomes the recorder finds waiting, about, when the courier has much to do."""

GC_THRESHOLD = 50_000  # as the gateway's process sets it


@dataclass
class Work:
    """One message on its way through the stages."""

    raw: bytes
    arrival: Arrival
    message: Any = None
    device: Any = None
    assurance: Any = None
    resolution: Any = None
    known: Any = None
    permits: dict[str, Any] = field(default_factory=dict)
    plans: dict[str, Any] = field(default_factory=dict)
    safe: dict[str, Any] = field(default_factory=dict)
    sealed: dict[str, Any] = field(default_factory=dict)
    guarded: Any = None
    part: Any = None


def main() -> int:
    """Measure, print, keep; 1 when the goal was missed."""
    options = _options()
    about = numbers.about()
    if "OATHWARD_SEED" not in os.environ:
        numbers.say_about(about)
    gc.set_threshold(GC_THRESHOLD, 20, 20)
    table: dict[str, dict[str, list[float]]] = {}
    for kind in options.shapes:
        with site.gate_of(lambda folder, kind=kind: site.at_rest(kind, folder, DEVICES)) as gate:
            table[kind] = _stages(gate, options)
    bare = {"plain": _bare(options.seconds, secure=False), "tls": _bare(options.seconds, secure=True)}
    missed = _say(table, bare)
    plain = {kind: {name: numbers.triple(v) for name, v in stages.items()} for kind, stages in table.items()}
    numbers.keep("stages", {"about": about, "stages": plain, "bare": bare})
    return missed


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--messages", type=int, default=4_096)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=3.0, help="of each server that only acknowledges")
    parser.add_argument("--shapes", nargs="*", default=["one", "three"])
    return parser.parse_args()


def _stages(gate: Gate, options: argparse.Namespace) -> dict[str, list[float]]:
    """Prime, then measure run after run."""
    found: dict[str, list[float]] = defaultdict(list)
    raws = _messages(options.messages * (2 * options.runs + 1) + DEVICES * site.PATIENTS_EACH)
    peer = Peer("127.0.0.1", None, ())
    whole(gate, [next(raws) for _ in range(DEVICES * site.PATIENTS_EACH)], peer, 256)
    whole(gate, [next(raws) for _ in range(options.messages)], peer, 256)
    _deliver(gate, defaultdict(list))
    for _ in range(options.runs):
        run_stages(gate, [next(raws) for _ in range(options.messages)], peer, found)
        gate.refresh()
        batch = [next(raws) for _ in range(options.messages)]
        half = len(batch) // 2
        for group, part in zip(GROUPS, (batch[:half], batch[half:]), strict=True):
            path_us, commit_us = whole(gate, part, peer, group)
            found["whole path"].append(path_us)
            found[f"whole commit at {group}"].append(commit_us)
        _deliver(gate, found)
    return dict(found)


def _deliver(gate: Gate, found: dict[str, list[float]]) -> None:
    """Take everything out of the outbox as the courier does, without a wire; CPU µs a delivery of each stage."""
    opened, opener = gate.opened, Opener(_outbox_keys(gate))
    bodies = SegmentReader(opened.settings.data / "bodies")
    spent: dict[str, float] = defaultdict(float)
    count = 0
    for link in gate.links(None, "hl7v2"):
        after = 0
        while rows := _timed(
            spent, "courier: read rows", lambda link=link, after=after: _pending(gate, link.id, after)
        ):
            after, count = rows[-1].seq, count + len(rows)
            refused = _timed(spent, "courier: check again", lambda rows=rows: _recheck(gate, rows))
            assert not any(refused), refused
            items = _timed(
                spent, "courier: read and open body",
                lambda rows=rows: _items(bodies, opener, rows),
            )  # fmt: skip
            _timed(
                spent,
                "courier: frame, read answer",
                lambda items=items: [(wrap(i.body), msa(_ANSWER)) for i in items],
            )
            settled: list[Settled] = [(item, Delivered("AA"), "") for item in items]
            for at in range(0, len(settled), DELIVERIES):
                group = settled[at : at + DELIVERIES]
                _timed(
                    spent, f"courier: record, groups of {DELIVERIES}",
                    lambda group=group: record_group(gate.engine, gate.site, group, at_us=gate.now_us()),
                )  # fmt: skip
    bodies.close()
    for name, seconds in spent.items():
        found[name].append(seconds / count * 1e6)


def _timed(spent: dict[str, float], name: str, step: Callable[[], Any]) -> Any:
    begin = time.process_time()
    got = step()
    spent[name] += time.process_time() - begin
    return got


def _pending(gate: Gate, link: str, after: int) -> list[OutboxRow]:
    with read(gate.engine) as db:
        return messages.pending(db, link, after, 256)


def _recheck(gate: Gate, rows: list[OutboxRow]) -> list[Any]:
    consents = {who: gate.consents.of(gate.engine, who) for who in {row.persons for row in rows}}
    now = Now(
        gate.active_bundle, gate.bundle_name, _PLANS, consents, gate.now_us(), clock_sure=gate.clock.sure()
    )
    return refused_each(gate.engine, gate.site, rows, now)


def _items(bodies: SegmentReader, opener: Opener, rows: list[OutboxRow]) -> list[Item]:
    sealed = bodies.read_many([row.body for row in rows])
    return [Item(row, opener.open(data).data.reveal()) for row, data in zip(rows, sealed, strict=True)]


def _outbox_keys(gate: Gate) -> dict[str, bytes]:
    keeper = client.connect(gate.opened.settings, "courier")
    try:
        return dict(keeper.outbox_keys())
    finally:
        keeper.close()


_PLANS = Plans()
_ANSWER = b"MSH|^~\\&|||||||ACK|A1|P|2.6\rMSA|AA|0123456789ABCDEF0123\r"


def _messages(count: int) -> Iterator[bytes]:
    forms = [template(f"LOAD-{n:03d}", site.PATIENTS_EACH, n * site.PATIENTS_EACH) for n in range(DEVICES)]
    for number in range(count):
        yield forms[number % DEVICES].message(number, number // DEVICES)


def whole(gate: Gate, raws: list[bytes], peer: Peer, group: int, wire: Wire = HL7V2) -> tuple[float, float]:
    """The path and the commit as the gateway runs them; gives CPU µs a message of each."""
    path_s = commit_s = 0.0
    for at in range(0, len(raws), group):
        begin = time.process_time()
        prepared = [
            handle(gate, Arrival(uuid7(), piece, peer, gate.now_us(), wire))
            for raw in raws[at : at + group]
            for piece in wire.pieces(raw)
        ]
        path_s += time.process_time() - begin
        commit_s += _commit(gate, prepared)
    return path_s / len(raws) * 1e6, commit_s / len(raws) * 1e6


def _commit(gate: Gate, prepared: list[Prepared]) -> float:
    assert not gate.trouble, gate.trouble
    assert not any(one.held for one in prepared), {one.held.reason for one in prepared if one.held}
    begin = time.process_time()
    commit_group(gate, prepared)
    return time.process_time() - begin


def run_stages(
    gate: Gate, raws: list[bytes], peer: Peer, found: dict[str, list[float]], wire: Wire = HL7V2
) -> None:
    def timed(name: str, step: Callable[[Work], None]) -> None:
        begin = time.process_time()
        for one in works:
            step(one)
        found[name].append((time.process_time() - begin) / len(works) * 1e6)

    works = [Work(raw, Arrival(uuid7(), raw, peer, gate.now_us(), wire)) for raw in raws]
    timed("(loop)", lambda _one: None)
    timed("clock, id", lambda _one: (gate.now_us(), uuid7()))
    for name, step in _before_links(gate):
        timed(name, step)
    links = list(gate.links(None, wire.name))
    timed("decide, all links", lambda w: _decide(gate, w, links))
    for link in links:
        for name, step in _of_link(gate, link):
            timed(f"{name}: {link.profile}", step)
    timed(
        "seal original",
        lambda w: gate.sealer.seal_original(w.resolution.subject, w.arrival.id, "bench", w.raw),
    )
    timed("rows", lambda w: _rows(gate, w, links))
    timed(
        "record",
        lambda w: w.part.leaves.insert(0, outcome.accepted(gate, w.part, w.device, w.assurance, w.known)),
    )
    done: list[Prepared] = []
    timed(
        "put together",
        lambda w: done.append(outcome.together(gate, w.arrival, w.message, w.device, [w.part])),
    )
    timed("reply", lambda _one: done[0].reply("AA"))
    half = len(done) // 2
    for group, part in zip(GROUPS, (done[:half], done[half:]), strict=True):
        spent = sum(_commit(gate, part[at : at + group]) for at in range(0, len(part), group))
        found[f"commit at {group}"].append(spent / len(part) * 1e6)


def _before_links(gate: Gate) -> Iterator[tuple[str, Callable[[Work], None]]]:
    def decoded(w: Work) -> None:
        w.message = w.arrival.wire.decode(w.raw)

    def identified(w: Work) -> None:
        w.device, w.assurance, _ = gate.inventory.identify(w.arrival.peer, w.arrival.wire.sender(w.message))

    def resolved(w: Work) -> None:
        w.resolution = gate.resolve(w.arrival.wire, w.message, w.device, w.arrival.at_us)

    def known(w: Work) -> None:
        w.known = gate.facts_of(w.arrival.wire, w.message, w.device, w.assurance, w.resolution)

    yield "decode", decoded
    yield "identify", identified
    yield "resolve", resolved
    yield "classes, labels, facts", known


def _decide(gate: Gate, w: Work, links: list[Any]) -> None:
    for link in links:
        w.permits[link.id] = decide(gate.active_bundle, link, w.known.facts, w.arrival.at_us)


def _of_link(gate: Gate, link: Any) -> Iterator[tuple[str, Callable[[Work], None]]]:
    def planned(w: Work) -> None:
        permit = w.permits[link.id]
        plan = gate.plan(w.arrival.wire.name, link, permit)
        secrets = gate.seeds(w.resolution.subject, link.project) if plan.plan.needs_seeds else (b"", b"")
        outgoing_id = gate.outgoing_id(w.arrival.id, link.id)
        w.plans[link.id] = plan, Seeds(*secrets, outgoing_id, gate.year)

    def shaped(w: Work) -> None:
        plan, seeds = w.plans[link.id]
        w.safe[link.id] = shape(w.message, plan.plan, seeds)

    def guarded(w: Work) -> None:
        (plan, _), data = w.plans[link.id], w.safe[link.id].data
        if w.guarded is None:
            w.guarded = gate.guarded(
                w.arrival.wire.original(w.message), w.resolution.subject, w.arrival.at_us
            )
        gate.check(w.guarded, data, link, plan.clear)

    def sealed(w: Work) -> None:
        _, seeds = w.plans[link.id]
        w.sealed[link.id] = gate.sealer.seal_outgoing(
            w.safe[link.id], link.id, w.arrival.id, seeds.outgoing_id, gate.recipient_key(link)
        )

    yield "plan, seeds, id", planned
    yield "shape", shaped
    yield "guard", guarded
    yield "seal", sealed


def _rows(gate: Gate, w: Work, links: list[Any]) -> None:
    part = w.part = Part(w.arrival, w.resolution)
    part.facts[w.known.key] = w.known.body
    for link in links:
        (planned, _), sealed = w.plans[link.id], w.sealed[link.id]
        part.facts[planned.key] = planned.body
        row = outcome.outbox_row(gate, part, link, w.permits[link.id], w.known, planned.key, sealed)
        part.send(sealed, row)
        part.answer(link.id, "permit", sealed.outgoing_id, w.safe[link.id].removed)


def _bare(seconds: float, *, secure: bool) -> float:
    """CPU µs a message of a server that frames and acknowledges, by the kernel's count."""
    core, load_core = site.cores()
    folder = Path(tempfile.mkdtemp(prefix="oathward-bench-"))
    try:
        server_files, load_files = site.tls_files(folder, 1) if secure else ((), ())
        with site.pinned(core):
            process = subprocess.Popen(
                [sys.executable, "-m", "bench.bare", *server_files],
                cwd=site.ROOT,
                stdout=subprocess.PIPE,
                text=True,
            )
        try:
            assert process.stdout is not None
            port = json.loads(process.stdout.readline())["port"]
            generator = site.Generator.start(
                port, load_core, "--connections", 64, "--seconds", seconds, "--warm-up", 0.5, *load_files
            )
            generator.line()
            before = site.cpu_s(process.pid)
            generator.line()
            used = site.cpu_s(process.pid) - before
            said = generator.line()
            generator.end()
        finally:
            process.terminate()
            process.wait(5)
            assert process.stdout is not None
            process.stdout.close()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return used / said["acked_measured"] * 1e6


def _say(table: dict[str, dict[str, list[float]]], bare: dict[str, float]) -> int:
    missed = 0
    processes = _processes()
    for kind, stages in table.items():
        print(f"\n{kind}: CPU µs a message\n\n| stage | µs |\n|---|---|")
        wire = bare["tls" if kind == "three" else "plain"]
        print(f"| receive, frame, send a ready answer, as a server of its own | {wire:.1f} |")
        loop = numbers.triple(stages["(loop)"])[0]
        path = commit = 0.0
        for name, values in stages.items():
            middle = numbers.triple(values)[0]
            if name.startswith(("whole", "(", "courier")):
                continue
            print(f"| {name} | {numbers.spread(values, 1)} |")
            if name.startswith("commit"):
                commit = middle if name.endswith(str(GROUPS[0])) else commit
            elif name != "seal original":  # no link of these sites keeps originals
                path += middle - loop
        whole = numbers.triple(stages["whole path"])[0]
        whole_commit = numbers.triple(stages[f"whole commit at {GROUPS[0]}"])[0]
        total = path + commit + wire
        print(
            f"| **sum**, path {path:.0f} + commit at {GROUPS[0]} {commit:.0f} + wire {wire:.0f} | {total:.0f} |"
        )
        print(f"| whole path in this process | {numbers.spread(stages['whole path'], 1)} |")
        for group in GROUPS:
            print(f"| whole commit at {group} | {numbers.spread(stages[f'whole commit at {group}'], 1)} |")
        print(
            f"| whole path and commit against their stages | {(whole + whole_commit) / (path + commit):.2f} × |"
        )
        for name, values in stages.items():
            if name.startswith("courier"):
                print(f"| {name}, each delivery | {numbers.spread(values, 1)} |")
        if kind in processes:
            ratio = processes[kind] / total
            missed += ratio > GOAL
            word = "met" if ratio <= GOAL else "MISSED"
            print(
                f"| gateway's process {processes[kind]:.0f} (bench_gateway, 64 connections), goal {GOAL} ×: {word} | {ratio:.2f} × |"
            )
    return 1 if missed else 0


def _processes() -> dict[str, float]:
    """CPU µs of the gateway's process for each acknowledged message at 64 connections, as last measured."""
    kept = numbers.recall("gateway")
    rows = kept["rows"] if kept else []
    return {
        row["server"]: numbers.triple(row["gateway cpu_us"])[0]
        for row in rows
        if row["connections"] == 64 and "gateway cpu_us" in row
    }


if __name__ == "__main__":
    raise SystemExit(main())
