"""Three recipients, mutual TLS in and out, guard on, at a steady rate: ``python -m bench.bench_soak [--rate 2500 --seconds 600]``.

Rules:
- Messages come at a rate, not as fast as they are answered; a message that had to wait for its turn is timed from
  when it was due.
- The load generator and the recipients share one core with whatever the kernel puts there beside them; gateway,
  courier, keeper and app may use both. (``bench_gateway`` pins the server side to one.)
- Backlog is what stands in the outbox. It grows when its mean over the last fifth is over the mean of the second
  fifth by more than a second's worth of deliveries.
- Then the rate goes up step by step until one is not sustained (backlog grows, p99 over 50 ms, or fewer messages come
  in than were to); or down, where the first was not. The stage that stops it is named from the CPU of each process.

Goal: 2,500 messages/s in and 7,500 out for ten minutes, backlog not growing, p99 of acknowledgement at most 50 ms,
memory at most 300 MB a process; aim 5,000 and 25 ms. 1 when the goal's rate was not sustained.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import tempfile
import time
from dataclasses import dataclass, field
from typing import Any

from bench import numbers, site

P99_MS_MAX = 50.0
RSS_MB_MAX = 300.0
SENDERS = 64
STEP = 1.2
STEPS_MAX = 8
STEP_S_MAX = 20.0
LEAST_SHARE = 0.98
"""Of the rate asked for; less means that the generator was held up."""


@dataclass
class Sample:
    """One look."""

    at_s: float
    outbox: int
    delivered: int
    cpu_s: dict[str, float]
    rss_mb: dict[str, float]


@dataclass
class Step:
    """What one rate came to."""

    rate: float
    seconds: float
    said: dict[str, Any] = field(default_factory=dict)
    samples: list[Sample] = field(default_factory=list)
    ticks: list[dict[str, float]] = field(default_factory=list)
    recipients: int = 3

    @property
    def delivered_per_s(self) -> float:
        """Deliveries a second between the first and the last look."""
        first, last = self.samples[0], self.samples[-1]
        return (last.delivered - first.delivered) / (last.at_s - first.at_s)

    @property
    def cores(self) -> dict[str, float]:
        """CPU of each process in cores."""
        first, last = self.samples[0], self.samples[-1]
        return {n: (last.cpu_s[n] - first.cpu_s[n]) / (last.at_s - first.at_s) for n in last.cpu_s}

    @property
    def growth(self) -> float:
        """How much more stands in the outbox late than early."""
        fifth = max(1, len(self.samples) // 5)
        early, late = self.samples[fifth : 2 * fifth] or self.samples[:1], self.samples[-fifth:]
        return sum(s.outbox for s in late) / len(late) - sum(s.outbox for s in early) / len(early)

    @property
    def rss_mb(self) -> dict[str, float]:
        """The most memory seen of each process."""
        return {name: max(s.rss_mb[name] for s in self.samples) for name in self.samples[0].rss_mb}

    def failures(self) -> list[str]:
        """Why this rate was not sustained; empty when it was."""
        bad = [f"{self.said[n]} {n}" for n in ("strange", "broken", "unanswered", "refused") if self.said[n]]
        if self.growth > self.rate * self.recipients:
            bad.append(f"backlog grew by {self.growth:,.0f}")
        if self.said["p99_ms"] > P99_MS_MAX:
            bad.append(f"p99 {self.said['p99_ms']:.0f} ms")
        if self.said["acked_per_s"] < LEAST_SHARE * self.rate:
            bad.append(f"only {self.said['acked_per_s']:,.0f} came in")
        return bad

    def stage(self) -> str:
        """Say what had no more to give, by who used the processors."""
        cores = self.cores
        name, most = max(((n, c) for n, c in cores.items() if n != "supervisor"), key=lambda pair: pair[1])
        total, there = sum(cores.values()), len(os.sched_getaffinity(0))
        if most > 0.85:
            return f"{name}: one Python process at {most:.2f} cores"
        if total > 0.85 * there:
            return f"the processors: {total:.2f} of {there} cores used, most by {name} ({most:.2f})"
        return f"waiting (flushes, locks): {name} used most, {most:.2f} cores, all together {total:.2f} of {there}"


def main() -> int:
    """Run the soak, then search; 1 when the first rate was not sustained."""
    options = _options()
    about = numbers.about()
    if "OATHWARD_SEED" not in os.environ:
        numbers.say_about(about)
    _, load_core = site.cores()
    with site.running("three", senders=SENDERS, load=load_core) as bench:
        bench.prime(load_core)
        first = _run(bench, options.rate, options.seconds, load_core)
        _say(first, whole=True)
        bad = first.failures() + [f"{n} {mb:.0f} MB" for n, mb in first.rss_mb.items() if mb > RSS_MB_MAX]
        word = f"NOT sustained: {'; '.join(bad)}. What stops it: {first.stage()}" if bad else "sustained"
        print(f"\n{options.rate:,.0f} messages/s for {options.seconds:.0f} s: {word}\n")
        steps = [first] if options.no_search else [first, *_search(bench, first, options, load_core)]
        held = bench.held()
    if held:
        print(f"{held} messages were held: this run was not what it should be")
    numbers.keep("soak", {"about": about, "steps": [_plain(step) for step in steps]})
    return 1 if bad or held else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rate", type=float, default=2_500.0, help="messages a second in")
    parser.add_argument("--seconds", type=float, default=120.0, help="600 is the goal's")
    parser.add_argument("--no-search", action="store_true", help="only this rate")
    return parser.parse_args()


def _search(bench: site.Bench, first: Step, options: argparse.Namespace, load_core: int | None) -> list[Step]:
    """Step up from a rate that was sustained, or down from one that was not."""
    up = not first.failures()
    steps: list[Step] = []
    best, rate = (first if up else None), first.rate
    for _ in range(STEPS_MAX):
        rate = rate * STEP if up else min(rate / STEP, (steps or [first])[-1].said["acked_per_s"])
        bench.drain(60.0)
        step = _run(bench, rate, min(STEP_S_MAX, options.seconds), load_core)
        steps.append(step)
        _say(step, whole=False)
        if not step.failures():
            best = step
        if up == bool(step.failures()):
            break
    stopped = next((s for s in ([first, *steps] if not up else reversed(steps)) if s.failures()), None)
    print(
        f"\nhighest sustained: {best.rate:,.0f} messages/s in, {best.delivered_per_s:,.0f} out"
        if best
        else "\nnone sustained"
    )
    if stopped is not None:
        print(f"at {stopped.rate:,.0f}/s: {'; '.join(stopped.failures())}. What stops it: {stopped.stage()}")
    return steps


def _run(bench: site.Bench, rate: float, seconds: float, load_core: int | None) -> Step:
    step = Step(rate, seconds, recipients=bench.recipients)
    with tempfile.TemporaryFile("w+") as lines:
        generator = site.Generator.start(
            bench.port, load_core, "--connections", SENDERS, "--senders", SENDERS, "--patients", bench.patients,
            "--rate", rate, "--seconds", seconds, "--warm-up", 2.0, "--every", max(1.0, seconds / 20), *bench.tls.load,
            stderr=lines,
        )  # fmt: skip
        generator.line()
        processes = bench.processes() | {
            "load generator": generator.process.pid,
            "recipients": bench.sink.process.pid,
        }
        until = time.perf_counter() + seconds
        while (left := until - time.perf_counter()) > 0:
            step.samples.append(_look(bench, processes))
            time.sleep(min(left, max(0.5, seconds / 100)))
        step.samples.append(_look(bench, processes))
        while "acked" not in (said := generator.line()):
            pass
        generator.end()
        step.said = said
        lines.seek(0)
        step.ticks = [json.loads(line) for line in lines if line.startswith("{")]
    return step


def _look(bench: site.Bench, processes: dict[str, int]) -> Sample:
    return Sample(
        time.perf_counter(), bench.outbox(), bench.sink.stats()["messages"],
        {name: site.cpu_s(pid) for name, pid in processes.items()},
        {name: site.rss_mb(pid) for name, pid in processes.items() if name in site.PARTS},
    )  # fmt: skip


def _say(step: Step, *, whole: bool) -> None:
    said = step.said
    cores = ", ".join(f"{name} {used:.2f}" for name, used in step.cores.items())
    print(
        f"{step.rate:>7,.0f}/s: in {said['acked_per_s']:,.0f}/s, out {step.delivered_per_s:,.0f}/s, "
        f"outbox {step.samples[-1].outbox:,} ({step.growth:+,.0f}), p50 {said['p50_ms']:.1f} ms, p99 {said['p99_ms']:.1f} ms; "
        f"cores: {cores}{'' if not step.failures() else '  NOT sustained'}",
        flush=True,
    )
    if not whole:
        return
    begin = step.samples[0].at_s
    print("\n| at s | outbox | out/s | gateway MB | courier MB |\n|---|---|---|---|---|")
    every = max(1, len(step.samples) // 12)
    chosen = step.samples[::every]
    for before, after in itertools.pairwise(chosen):
        rate = (after.delivered - before.delivered) / (after.at_s - before.at_s)
        memory = " | ".join(f"{after.rss_mb[name]:.0f}" for name in ("gateway", "courier"))
        print(f"| {after.at_s - begin:.0f} | {after.outbox:,} | {rate:,.0f} | {memory} |")
    print("\n| in/s | p50 ms | p99 ms | longest ms |\n|---|---|---|---|")
    for tick in step.ticks:
        print(f"| {tick['acked_per_s']:,.0f} | {tick['p50_ms']} | {tick['p99_ms']} | {tick['max_ms']} |")
    print("memory at most: " + ", ".join(f"{name} {mb:.0f} MB" for name, mb in step.rss_mb.items()))


def _plain(step: Step) -> dict[str, Any]:
    return {
        "rate": step.rate, "seconds": step.seconds, **step.said, "delivered_per_s": step.delivered_per_s,
        "growth": step.growth, "outbox": step.samples[-1].outbox, "cores": step.cores, "rss_mb": step.rss_mb,
        "failures": step.failures(), "stage": step.stage() if step.failures() else "",
    }  # fmt: skip


if __name__ == "__main__":
    raise SystemExit(main())
