"""Whole path beside servers that only acknowledge: ``python -m bench.bench_gateway [--seconds 3 --runs 5 --only NAME …]``.

Rules:
- Servers of one round run one after another, each alone, started anew; rounds are repeated, so that a mood of the
  machine falls on all of them. A number is the median of the rounds with the lowest and the highest.
- What acknowledges has one core to itself, a peer's one process as Oathward's gateway. The load generator, the
  recipients and Oathward's other processes (courier, keeper, app, supervisor) share the other. Both are pinned.
- Closed loop, one message outstanding a connection; acknowledged means stored, decided, sealed and in the ledger for
  Oathward, and nothing but parsed for a peer.
- Delivered is what recipients got while it was measured; what had not gone out by then is the backlog.

Oathward's devices are one a connection, at most 64. ``node-hl7-server`` answers wrongly on a connection kept open and
``hl7apy`` serves one message a connection: both are rated with a new connection each.
"""

from __future__ import annotations

import argparse
import contextlib
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from bench import chart, numbers, site
from bench.peers import launch, setup

CONNECTIONS = (1, 16, 64, 256)
FEW = (16, 64)
SENDERS = 64
WARM_UP_S = 1.0
DRAIN_S_MAX = 30.0


@dataclass(frozen=True, slots=True)
class Server:
    """One row of the comparison: what it is, and at how many connections it is rated."""

    name: str
    title: str
    connections: tuple[int, ...] = CONNECTIONS
    fresh: bool = False


SERVERS = (
    Server("one", "Oathward, one recipient, plain TCP"),
    Server("three", "Oathward, three recipients, mutual TLS, guard", FEW),
    Server("medplum", "@medplum/hl7"),
    Server("node-hl7-server", "node-hl7-server, a new connection each", FEW, fresh=True),
    Server("hl7apy", "hl7apy, a new connection each", FEW, fresh=True),
    Server("python-hl7", "python-hl7", FEW),
)


@dataclass
class Target:
    """A server that runs: where, its processes, and how to ask what was delivered."""

    port: int
    processes: dict[str, int]
    load: tuple[str, ...] = ()
    bench: site.Bench | None = None
    version: str = ""


@dataclass
class Results:
    """All runs: (server, connections) -> measure -> values."""

    runs: dict[tuple[str, int], dict[str, list[float]]] = field(
        default_factory=lambda: defaultdict(lambda: defaultdict(list))
    )
    wrong: dict[str, str] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=dict)


def main() -> int:
    """Run all rounds, print, keep, draw; 1 when a goal was missed."""
    options = _options()
    about = numbers.about()
    numbers.say_about(about)
    server_core, load_core = site.cores()
    print(
        f"pinned   what acknowledges on core {server_core}, everything else on core {load_core}\n",
        flush=True,
    )
    chosen = [s for s in SERVERS if not options.only or s.name in options.only]
    results = Results()
    for number in range(options.runs):
        for server in chosen:
            _round(server, options, results, (server_core, load_core))
        print(f"round {number + 1} of {options.runs} done at load {about_load()}", flush=True)
    _table(chosen, results)
    numbers.keep("gateway", _plain(about, chosen, results))
    numbers.FIGURES.mkdir(parents=True, exist_ok=True)
    if not options.only and not options.no_figure:
        (numbers.FIGURES / "throughput.svg").write_text(_figure(about, chosen, results))
    return _goals(results)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=3.0, help="measured")
    parser.add_argument(
        "--warm-up", type=float, default=WARM_UP_S, help="seconds before; 15 leave out a site's first review"
    )
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--only", nargs="*", choices=[s.name for s in SERVERS], help="only these")
    parser.add_argument("--connections", type=int, nargs="*", choices=CONNECTIONS, help="only these")
    parser.add_argument("--no-figure", action="store_true")
    return parser.parse_args()


def about_load() -> str:
    """The load average now."""
    return numbers.machine()["load"]


def _round(
    server: Server, options: argparse.Namespace, results: Results, cores: tuple[int | None, int | None]
) -> None:
    start = _oathward if server.name in {"one", "three"} else _peer
    with start(server, *cores) as target:
        results.versions[server.name] = target.version
        for connections in server.connections:
            if options.connections and connections not in options.connections:
                continue
            measured = _measure(server, target, connections, options, cores[1])
            if wrong := measured.pop("wrong"):
                results.wrong[server.name] = wrong
            for name, value in measured.items():
                results.runs[server.name, connections][name].append(value)
            print(f"  {server.name:<16} {connections:>4}  " + _line(measured), flush=True)


@contextmanager
def _oathward(server: Server, core: int | None, load_core: int | None) -> Iterator[Target]:
    with site.running(server.name, senders=SENDERS, server=core, load=load_core) as bench:
        bench.prime(load_core)
        yield Target(bench.port, bench.processes(), bench.tls.load, bench)


@contextmanager
def _peer(server: Server, core: int | None, _load_core: int | None) -> Iterator[Target]:
    setup.ready(server.name)
    with launch.running(server.name, cpu=core) as peer:
        yield Target(peer.port, {server.name: peer.process.pid}, version=peer.version)


def _measure(
    server: Server, target: Target, connections: int, options: argparse.Namespace, load_core: int | None
) -> dict[str, Any]:
    extra = ["--fresh"] if server.fresh else []
    if target.bench is not None:
        speaking = min(SENDERS, connections)
        extra += ["--senders", str(speaking), "--patients", str(speaking * site.PATIENTS_EACH)]
    generator = site.Generator.start(
        target.port, load_core, "--connections", connections, "--seconds", options.seconds,
        "--warm-up", options.warm_up, *target.load, *extra,
    )  # fmt: skip
    generator.line()
    before = _state(target)
    generator.line()
    after = _state(target)
    said = generator.line()
    generator.end()
    seconds = after["at_s"] - before["at_s"]
    found: dict[str, Any] = {
        "acked_per_s": said["acked_per_s"], "p50_ms": said["p50_ms"], "p99_ms": said["p99_ms"],
        "load cpu_us": said["cpu_us_per_message"] or 0.0,
    }  # fmt: skip
    acked = max(1, said["acked_measured"])
    for name, used in after["cpu_s"].items():
        found[f"{name} cpu_us"] = (used - before["cpu_s"][name]) / acked * 1e6
    if target.bench is not None:
        found |= _delivered(target.bench, before, after, seconds)
    bad = {name: said[name] for name in ("strange", "broken", "unanswered", "refused") if said[name]}
    found["wrong"] = ", ".join(f"{count} {name}" for name, count in bad.items())
    return found


def _delivered(
    bench: site.Bench, before: dict[str, Any], after: dict[str, Any], seconds: float
) -> dict[str, Any]:
    backlog, at = after["outbox"], time.monotonic()
    left = bench.drain(DRAIN_S_MAX)
    took = time.monotonic() - at
    return {
        "delivered_per_s": (after["sink"] - before["sink"]) / seconds / bench.recipients,
        "backlog": backlog,
        "drain_per_s": (backlog - left) / took if took > 0.5 else 0.0,
        "left": left,
        "held": bench.held(),
        "rss_mb": max(site.rss_mb(pid) for pid in bench.processes().values()),
    }


def _state(target: Target) -> dict[str, Any]:
    state: dict[str, Any] = {
        "at_s": time.perf_counter(), "cpu_s": {n: site.cpu_s(pid) for n, pid in target.processes.items()}
    }  # fmt: skip
    if target.bench is not None:
        stats = target.bench.sink.stats()
        state["sink"] = stats["messages"]
        state["cpu_s"]["recipients"] = stats["cpu_s"]
        state["outbox"] = target.bench.outbox()
    return state


def _line(measured: dict[str, float]) -> str:
    short = {
        "acked_per_s": "acked/s", "delivered_per_s": "delivered/s", "backlog": "backlog", "left": "left",
        "drain_per_s": "draining/s", "p50_ms": "p50 ms", "p99_ms": "p99 ms", "rss_mb": "MB", "held": "held",
    }  # fmt: skip
    parts = [
        f"{title} {measured[name]:,.{2 if 'ms' in name else 0}f}"
        for name, title in short.items()
        if name in measured
    ]
    cpu = [
        f"{name.removesuffix(' cpu_us')} {v:.0f}" for name, v in measured.items() if name.endswith("cpu_us")
    ]
    return ", ".join(parts) + "; CPU µs: " + ", ".join(cpu)


def _table(chosen: list[Server], results: Results) -> None:
    print(
        "\n| server | connections | acknowledged/s | delivered/s | backlog | p50 ms | p99 ms | CPU µs a message |"
    )
    print("|---|---|---|---|---|---|---|---|")
    for server in chosen:
        title = f"{server.title} {results.versions.get(server.name, '')}".strip()
        for connections in server.connections:
            runs = results.runs.get((server.name, connections))
            if runs is None:
                continue
            cell: Callable[..., str] = lambda name, digits=0, runs=runs: (  # noqa: E731  bound here, used here
                numbers.spread(runs[name], digits) if name in runs else ""
            )
            cpu = ", ".join(
                f"{name.removesuffix(' cpu_us')} {numbers.triple(values)[0]:.0f}"
                for name, values in runs.items()
                if name.endswith("cpu_us")
            )
            print(
                f"| {title} | {connections} | {cell('acked_per_s')} | {cell('delivered_per_s')} | {cell('backlog')} "
                f"| {cell('p50_ms', 2)} | {cell('p99_ms', 2)} | {cpu} |"
            )
    for name, wrong in results.wrong.items():
        print(f"{name} answered wrongly: {wrong}")


def _plain(about: dict[str, Any], chosen: list[Server], results: Results) -> dict[str, Any]:
    rows = [
        {"server": server.name, "title": server.title, "version": results.versions.get(server.name, ""),
         "connections": connections, **results.runs[server.name, connections]}
        for server in chosen for connections in server.connections if (server.name, connections) in results.runs
    ]  # fmt: skip
    return {"about": about, "rows": rows, "wrong": results.wrong}


def _figure(about: dict[str, Any], chosen: list[Server], results: Results) -> str:
    series = []
    for server in chosen:
        for name, what in (("acked_per_s", "acknowledged"), ("delivered_per_s", "delivered")):
            values = [results.runs.get((server.name, c), {}).get(name) for c in CONNECTIONS]
            if any(values):
                title = (
                    server.title
                    if what == "acknowledged"
                    else f"{server.title.split(',')[0]} ({server.name}): delivered"
                )
                series.append(chart.Series(title, [numbers.triple(v) if v else None for v in values]))
    note = f"{about['machine']}; commit {about['commit']}; {'quiet' if about['quiet'] else 'made under load'}; lines show the spread"
    groups = [f"{c} connection{'s' if c > 1 else ''}" for c in CONNECTIONS]
    return chart.grouped_bars(
        "2.2 KB ORU^R01 a second; peers only acknowledge", note, groups, series, "messages/s"
    )


def _goals(results: Results) -> int:
    missed = 0
    with contextlib.suppress(KeyError):
        ours, peer = results.runs[("one", 64)], results.runs[("medplum", 64)]
        if ours and peer:
            right = numbers.triple(peer["acked_per_s"])[0]
            for name, goal in (("acked_per_s", 1.5), ("delivered_per_s", 1.0)):
                ratio = numbers.triple(ours[name])[0] / right
                missed += ratio < goal
                print(
                    f"{name} at 64 connections: {ratio:.2f} × @medplum/hl7 (goal {goal}): {'met' if ratio >= goal else 'MISSED'}"
                )
    return 1 if missed or any(name in results.wrong for name in ("one", "three")) else 0


if __name__ == "__main__":
    raise SystemExit(main())
