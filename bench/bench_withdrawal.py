"""A withdrawal under load, at the recipients' own sockets: ``python -m bench.bench_withdrawal [--rate 2000 --seconds 60]``.

Rules:
- Four recipients, each by a link for care: one that is quick, one that reads a kilobyte a second with a full queue before it, a
  FHIR server, a folder. They time what comes, on the machine's clock (``bench.arrivals``; of a file its name, ``ctime``).
- The quick one gets every message; the others those of one device in ``--one-in``, as a site's second recipients do. A message
  is 20 observations: a FHIR server that got all of them would be what limits the rate, not the withdrawals.
- Time to effect: from the signature of the withdrawal, just before its commit, to the last byte about that patient at a path.
  What had come before counts as no time. Of a path it is told of the patients whose messages it gets: they are every other one
  who withdraws, and, as long as there are any, those whose message, of 60 KB, the slow recipient is reading just then.
- Messages come at the rate asked for, or at the highest of those below that the machine sustains; it says which.
- What it costs: messages acknowledged a second in a closed loop, in turns, without and with (a) the watch at its usual pace,
  (b) the usual bound of what the kernel holds, (c) withdrawals going on, one a second.

Goal: at most one second on every path, and at most 5 % lost. 1 when one was missed.
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.site import Site, bundle
from tests.wire import Client

from bench import numbers
from bench.arrivals import NUMBER
from bench.message import template
from bench.site import HERE, LIMITS, ROOT, TLS, Generator, cores, device, pinned, without_keep
from oathward.cli.asking import hasher_of, opened
from oathward.cli.consents import store, subjects_of
from oathward.consent.model import statement
from oathward.core.phi import Phi
from oathward.patients.identifiers import Identifier
from oathward_sim.pki import Authority

EFFECT_S_MAX = 1.0
LOST_MAX = 0.05
SENDERS = 64
PATIENTS = 384
EACH = PATIENTS // SENDERS
RATES = (1.0, 0.85, 0.7, 0.6, 0.5, 0.35, 0.25, 0.125, 0.0625)
LEAST_SHARE = 0.98
BACKLOG_S_MAX = 2.0
REST_S_MAX = 60.0
LONG_BYTES = 60_000
PATHS = ("fast", "slow", "fhir", "folder")
USUAL = {"poll_ms": 100.0, "send_buffer_bytes": 131_072}
VARIANTS = {
    "without": {"poll_ms": 800.0, "send_buffer_bytes": 8_388_608},
    "watch": {"poll_ms": 100.0, "send_buffer_bytes": 8_388_608},
    "watch, bound": USUAL,
    "watch, bound, withdrawals": USUAL,
}
LONGEST = "watch, bound, withdrawals"


@dataclass
class Recipients:
    """The process of the recipients with sockets, and the folder."""

    process: subprocess.Popen[str]
    folder: Path
    trusted: list[Path]
    ports: dict[str, int] = field(default_factory=dict)

    @classmethod
    def start(cls, folder: Path, core: int | None) -> Recipients:
        folder.mkdir()
        authority = Authority(folder.parent / "recipients", "recipients")
        server, courier = authority.issue("server"), authority.issue("courier")
        with pinned(core):
            process = subprocess.Popen(
                [sys.executable, "-m", "bench.arrivals", str(server.cert), str(server.key)],
                cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            )  # fmt: skip
        found = cls(process, folder, [authority.file, courier.cert, courier.key])
        found.ports = found._read()
        return found

    def addresses(self) -> dict[str, str]:
        """Where each path leads."""
        at = self.ports
        return {
            "fast": f"mllp://127.0.0.1:{at['fast']}",
            "slow": f"mllp://127.0.0.1:{at['slow']}",
            "fhir": f"https://localhost:{at['fhir']}/fhir",
            "folder": f"file://{self.folder}",
        }

    def ask(self, word: str) -> dict[str, Any]:
        assert self.process.stdin is not None
        self.process.stdin.write(word + "\n")
        self.process.stdin.flush()
        return self._read()

    def last(self) -> dict[str, dict[str, float]]:
        """When the last byte about each patient came, by path; ends the slow one's slowness."""
        found = self.ask("report")
        found["folder"] = {}
        for file in self.folder.glob("*.hl7"):
            if number := NUMBER.search(file.read_bytes()):
                last = found["folder"]
                last[number[0].decode()] = max(file.stat().st_ctime, last.get(number[0].decode(), 0.0))
        return found

    def stop(self) -> None:
        self.ask("quit")
        self.process.wait(10)

    def _read(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        return json.loads(self.process.stdout.readline())


@dataclass
class Running:
    """A site that serves, its recipients, and who its patients are: hospital number -> subject."""

    site: Site
    recipients: Recipients
    subjects: dict[str, str]
    core: int | None
    narrow: tuple[int, ...]
    said: dict[str, float] = field(default_factory=dict)

    @property
    def everywhere(self) -> set[str]:
        """The patients whose messages go by every path."""
        return {str(97_000_000 + sender * EACH + n) for sender in self.narrow for n in range(EACH)}

    def load(self, *options: object) -> Generator:
        return Generator.start(
            self.site.port(), self.core, "--connections", SENDERS, "--senders", SENDERS,
            "--patients", PATIENTS, *options,
        )  # fmt: skip

    def backlog(self) -> int:
        """What waits on the three links that can keep up."""
        return self.site.rows("SELECT count(*) FROM outbox WHERE state = 'pending' AND link <> 'slow'")[0][0]

    def rest(self, *, whole: bool = False) -> None:
        """Wait until nothing waits; of the slow one only where the whole is asked for."""
        until = time.monotonic() + REST_S_MAX
        everything = "SELECT count(*) FROM outbox"
        while (self.site.rows(everything)[0][0] if whole else self.backlog()) and time.monotonic() < until:
            time.sleep(0.2)

    def send_long(self, count: int) -> None:
        """Send long messages, each of another sender and patient: they are on the slow one's wire for a minute each."""
        text = b"OBX|21|TX|8716-3^Vital signs^LN||" + b"x" * LONG_BYTES + b"||||||F\r"
        with Client(self.site.port(), timeout_s=60) as client:
            for n in range(min(count, len(self.narrow) * EACH)):
                sender = self.narrow[n % len(self.narrow)]
                form = template(f"LOAD-{sender:03d}", EACH, sender * EACH)
                raw = form.message(900_000_000 + n, n // len(self.narrow))
                assert client.send(raw + text) == "AA"

    def withdraw(self, office: Any, number: str) -> None:
        """Put on record that a patient denies everything."""
        denial = statement(permit=False, purposes=(), recipients=(), classes=(), source="bench")
        store(office, {self.subjects[number]: [denial]}, "bench", replaces=True)
        rows = self.site.rows(f"SELECT at_us FROM consent_fact WHERE subject = '{self.subjects[number]}'")
        self.said[number] = rows[0][0] / 1e6


@contextmanager
def running(
    core: int | None, consent: dict[str, float], paths: Sequence[str], one_in: int
) -> Iterator[Running]:
    """Set up a site with these recipients and serve it; everything is gone afterwards."""
    narrow = tuple(range(0, SENDERS, one_in))
    folder = Path(tempfile.mkdtemp(prefix="oathward-bench-"))
    recipients = Recipients.start(folder / "out", core)
    try:
        more = f"[consent]\npoll_ms = {consent['poll_ms']}\n"
        courier = f"send_buffer_bytes = {consent['send_buffer_bytes']:.0f}\n"
        made = Site.make(folder / "data", mllp=LIMITS, courier=courier, more=more, console=True)
        settings = made.folder / "oathward.toml"  # the slow one is waited for
        settings.write_text(settings.read_text().replace("reply_timeout_s = 3.0", "reply_timeout_s = 120.0"))
        made.add(*(device(f"LOAD-{n:03d}", HERE) for n in range(SENDERS)))
        (made.folder / "recipients").mkdir()
        for file in recipients.trusted:
            shutil.copyfile(file, made.folder / "recipients" / file.name)
        files = bundle({path: at for path, at in recipients.addresses().items() if path in paths})
        for path in {*paths} - {"fast"}:
            few = json.dumps([f"LOAD-{sender:03d}" for sender in narrow])
            link = files[f"links/{path}.toml"].decode().replace('devices = ["*"]', f"devices = {few}")
            files[f"links/{path}.toml"] = link.encode()
        if "fhir" in paths:
            files["recipients/fhir.toml"] += TLS.encode()
        made.activate(without_keep(files))
        made.start()
        try:
            found = Running(made, recipients, {}, core, narrow)
            prime = found.load("--count", 4 * PATIENTS, "--warm-up", 0, "--seconds", 180)
            while "acked" not in prime.line():
                pass
            prime.end()
            found.rest(whole=True)
            recipients.ask("slow")
            numbers_ = [str(97_000_000 + n) for n in range(PATIENTS)]
            with opened(str(made.folder)) as office:
                hasher = hasher_of(office.settings)
                ids = [Identifier(Phi(number), "HOSP", "MR") for number in numbers_]
                found.subjects = dict(zip(numbers_, subjects_of(office, hasher, ids, "bench"), strict=True))
            yield found
        finally:
            made.stop()
    finally:
        recipients.stop()
        shutil.rmtree(folder, ignore_errors=True)


def main() -> int:
    """Measure time to effect, then what it costs; 1 when a goal was missed."""
    options = _options()
    about = numbers.about()
    numbers.say_about(about)
    _, core = cores()
    effect = _effect(options, core)
    missed = _say_effect(effect)
    costs = {} if options.no_costs else _costs(options, core)
    missed += _say_costs(costs)
    numbers.keep("withdrawal", {"about": about, "effect": effect, "costs": costs})
    return 1 if missed else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rate", type=float, default=2_000.0, help="messages a second in")
    parser.add_argument("--seconds", type=float, default=75.0, help="of load while patients withdraw")
    parser.add_argument("--withdrawals", type=int, default=60, help="spread over it")
    parser.add_argument("--runs", type=int, default=5, help="rounds of what it costs")
    parser.add_argument("--cost-seconds", type=float, default=8.0, help="measured of each variant in a round")
    parser.add_argument("--no-costs", action="store_true")
    parser.add_argument("--paths", nargs="+", choices=PATHS, default=PATHS)
    parser.add_argument("--one-in", type=int, default=8, help="devices whose messages go by every path")
    return parser.parse_args()


def _effect(options: argparse.Namespace, core: int | None) -> dict[str, Any]:
    with running(core, USUAL, options.paths, options.one_in) as found:
        found.send_long(options.withdrawals)
        rate = _sustained(found, options.rate)
        generator = found.load("--rate", rate, "--seconds", options.seconds, "--warm-up", 3.0)
        generator.line()
        with opened(str(found.site.folder)) as office:
            _withdraw_some(found, office, options.withdrawals, options.seconds)
        generator.line()
        said = generator.line()
        generator.end()
        found.rest()
        time.sleep(1.5)
        reset = found.site.rows("SELECT count(*) FROM outbox WHERE reason = 'delivery.withdrawn-in-flight'")
        queue = found.site.rows("SELECT count(*) FROM outbox WHERE link = 'slow' AND state = 'pending'")
        noted = found.site.rows(
            "SELECT link, (effective_us - committed_us) / 1e6 FROM consent_effect"
            " WHERE process = 'courier' AND away = 0"
        )
        last = found.recipients.last()
        reached = {path: found.everywhere if path != "fast" else {*found.said} for path in options.paths}
        times = {
            path: [last[path].get(n, 0.0) - at_s for n, at_s in found.said.items() if n in who]
            for path, who in reached.items()
        }
    own: dict[str, list[float]] = defaultdict(list)
    for link, seconds in noted:
        own[link].append(seconds)
    return {
        "asked": options.rate, "rate": rate, "acked_per_s": said["acked_per_s"], "p99_ms": said["p99_ms"],
        "withdrawals": len(found.said), "broken_off": reset[0][0], "queue_of_slow": queue[0][0],
        "times_s": {path: [max(0.0, one) for one in some] for path, some in times.items()}, "noted_s": own,
    }  # fmt: skip


def _sustained(found: Running, asked: float) -> float:
    """Give the highest rate that the machine sustains: all comes in, and the three links keep up."""
    for share in RATES:
        rate = asked * share
        generator = found.load("--rate", rate, "--seconds", 8.0, "--warm-up", 2.0)
        generator.line()
        generator.line()
        behind = found.backlog()
        said = generator.line()
        generator.end()
        enough = said["acked_per_s"] >= LEAST_SHARE * rate and behind <= 3 * BACKLOG_S_MAX * rate
        print(
            f"{rate:,.0f}/s offered: {said['acked_per_s']:,.0f} came in, {behind:,} behind: "
            f"{'sustained' if enough else 'not sustained'}",
            flush=True,
        )
        found.rest()
        if enough:
            return rate
    return asked * RATES[-1]


def _withdraw_some(found: Running, office: Any, count: int, seconds: float) -> None:
    begin = time.monotonic()
    for number in range(count):
        wait_s = begin + (number + 0.5) * seconds / count - time.monotonic()
        if wait_s > 0:
            time.sleep(wait_s)
        free = [one for one in found.subjects if one not in found.said]
        everywhere = [one for one in free if one in found.everywhere]
        reading = [one for one in found.recipients.ask("wire")["slow"] if one in everywhere]
        others = [one for one in free if one not in found.everywhere]
        some = (reading[:1] or everywhere) if number % 2 and everywhere else others
        found.withdraw(office, some[number % len(some)])


def _costs(options: argparse.Namespace, core: int | None) -> dict[str, dict[str, list[float]]]:
    found: dict[str, dict[str, list[float]]] = {
        name: {"acked_per_s": [], "delivered_per_s": []} for name in VARIANTS
    }
    for number in range(options.runs):
        for name, how in VARIANTS.items():
            with running(core, how, options.paths, options.one_in) as site:
                acked, delivered = _throughput(site, options.cost_seconds, withdraw=name == LONGEST)
            found[name]["acked_per_s"].append(acked)
            found[name]["delivered_per_s"].append(delivered)
            print(f"  {name:<28} {acked:,.0f} in/s, {delivered:,.0f} out/s at the quick one", flush=True)
        print(f"round {number + 1} of {options.runs} done at load {numbers.machine()['load']}", flush=True)
    return found


def _throughput(found: Running, seconds: float, *, withdraw: bool) -> tuple[float, float]:
    generator = found.load("--seconds", seconds, "--warm-up", 2.0)
    generator.line()
    begin_s, before = time.perf_counter(), found.recipients.ask("counts")["fast"]
    if withdraw:
        worker = threading.Thread(target=_one_a_second, args=(found, seconds))
        worker.start()
    generator.line()
    after, end_s = found.recipients.ask("counts")["fast"], time.perf_counter()
    said = generator.line()
    generator.end()
    if withdraw:
        worker.join()
    return said["acked_per_s"], (after - before) / (end_s - begin_s)


def _one_a_second(found: Running, seconds: float) -> None:
    with opened(str(found.site.folder)) as office:
        for number in range(int(seconds)):
            began_s = time.monotonic()
            found.withdraw(office, str(97_000_000 + number))
            time.sleep(max(0.0, 1.0 - (time.monotonic() - began_s)))


def _say_effect(found: dict[str, Any]) -> int:
    print(
        f"\n{found['withdrawals']} withdrawals at {found['acked_per_s']:,.0f} messages/s"
        f" ({found['asked']:,.0f} asked for), {found['queue_of_slow']:,} in the slow one's queue,"
        f" {found['broken_off']} broken off on the wire; acknowledged in {found['p99_ms']:.1f} ms (p99)\n"
    )
    print(
        "| path | patients | p50 s | p95 s | longest s | as the courier noted it: p50, longest s |\n|---|---|---|---|---|---|"
    )
    missed = 0
    for path in found["times_s"]:
        times, own = sorted(found["times_s"][path]), found["noted_s"].get(path) or [0.0]
        p95 = times[min(len(times) - 1, int(0.95 * len(times)))]
        print(
            f"| {path} | {len(times)} | {statistics.median(times):.3f} | {p95:.3f} | {times[-1]:.3f}"
            f" | {statistics.median(own):.3f}, {max(own):.3f} |"
        )
        missed += times[-1] > EFFECT_S_MAX
    print(f"at most {EFFECT_S_MAX:.0f} s on every path: {'MISSED' if missed else 'met'}")
    return missed


def _say_costs(found: dict[str, dict[str, list[float]]]) -> int:
    if not found:
        return 0
    print("\n| variant | acknowledged/s | delivered/s, quick recipient | lost |\n|---|---|---|---|")
    base, missed = found["without"], 0
    for name, one in found.items():
        lost = _lost(base["acked_per_s"], one["acked_per_s"])
        print(
            f"| {name} | {numbers.spread(one['acked_per_s'])} | {numbers.spread(one['delivered_per_s'])} | {lost:+.1%} |"
        )
        missed += lost > LOST_MAX
    print(f"at most {LOST_MAX:.0%} lost: {'MISSED' if missed else 'met'}")
    return missed


def _lost(base: Sequence[float], other: Sequence[float]) -> float:
    """Give the middle of the rounds' losses: each round is compared with itself, whatever the machine's mood."""
    return statistics.median(1 - new / old for old, new in zip(base, other, strict=True))


if __name__ == "__main__":
    raise SystemExit(main())
