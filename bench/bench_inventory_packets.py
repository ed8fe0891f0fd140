"""Packets a second, one core: ``python -m bench.bench_inventory_packets [--packets 300000 --runs 5]``.

Rules:
- A capture of mixed traffic (``bench.captures``) is written to a file and read whole, into flows with medical heads recognised and patients'
  data counted; CPU seconds of this one process, the file's reading included, the writing not. What the mix holds is counted and printed.
- Before it is timed, what was read is compared with what was written: packets, services, applications, AE titles.
- Beside it on the same file: dpkt into a table of flows, without anything recognised; nfstream into flows with nDPI's applications and
  tshark's conversations, both with their start-up, in CPU time of all of their processes.
- Also by kind of traffic alone, so that no mix hides what one of them costs.

Goal: at least 300,000 packets a second and core, by the median.
"""

from __future__ import annotations

import argparse
import io
import json
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from tests import captured as write

from bench import captures, numbers
from bench.peers import setup
from oathward.discovery.model import Around
from oathward.discovery.observers.pcap import OBSERVER
from oathward.discovery.worker import warm

GOAL = 300_000


def main() -> int:
    """Write, check, measure, print; 1 where it is too slow or wrong."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--packets", type=int, default=300_000)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--no-peers", action="store_true")
    options = parser.parse_args()
    about = numbers.about()
    numbers.say_about(about)
    warm()
    found: dict[str, object] = {"about": about, "packets": options.packets}
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "mixed.pcap"
        file.write_bytes(captures.capture(options.packets, numbers.seed()))
        print(
            f"\n{options.packets:,} packets, {file.stat().st_size / 1e6:,.0f} MB, {captures.OPEN} flows open at a time"
        )
        found["mix"] = _mix(options.packets)
        wrong = _wrong(file, options.packets)
        rates = [options.packets / _seconds(file.read_bytes()) for _ in range(options.runs)]
        found["oathward"] = rates
        print(f"{'oathward, flows and heads':<44} {numbers.spread(rates)} packets/s, best {max(rates):,.0f}")
        if not options.no_peers:
            _peers(file, options, found)
    _kinds(options, found)
    numbers.keep("inventory_packets", found)
    for line in wrong:
        print(f"WRONG: {line}")
    met = statistics.median(rates) >= GOAL
    print(f"goal {GOAL:,}: {'met' if met else 'not met'} by the median")
    return int(bool(wrong) or not met)


def _mix(count: int) -> dict[str, dict[str, float]]:
    """Count what the mix holds, by kind: packets, those that carry something, those that begin or end a flow, bytes."""
    kinds = {443: "tls", 2_575: "hl7", 11_112: "dicom", 53: "dns"}
    mix = {name: Counter[str]() for name in kinds.values()}
    for frame in captures.frames(count, numbers.seed()):
        ports = int.from_bytes(frame[34:36]), int.from_bytes(frame[36:38])
        one = mix[next(kinds[port] for port in ports if port in kinds)]
        udp = frame[23] == 17
        one["packets"] += 1
        one["bytes"] += len(frame)
        one["payload"] += udp or int.from_bytes(frame[16:18]) > 20 + (frame[46] >> 4) * 4
        one["ends"] += not udp and bool(frame[47] & 7)
        one["flows"] += ports[1] in kinds if udp else frame[47] & 0x12 == 0x02
    for name, one in mix.items():
        print(
            f"  {name:<6} {one['packets'] / count:>6.1%} of packets, {one['bytes'] / one['packets']:>6.0f} bytes each; "
            f"{one['flows']:,} flows of {one['packets'] / one['flows']:.0f} packets; {one['payload'] / one['packets']:.0%} carry something, "
            f"{one['ends'] / one['packets']:.1%} are SYN or FIN"
        )
    return {name: dict(one) for name, one in mix.items()}


def _seconds(data: bytes) -> float:
    """Read a capture, give CPU seconds."""
    begin = time.process_time()
    for _ in OBSERVER.read(io.BytesIO(data), Around(realm="bench")):
        pass
    return time.process_time() - begin


def _wrong(file: Path, count: int) -> list[str]:
    """Compare what is read with what was written."""
    services: Counter[str] = Counter()
    packets, values = 0, set()
    with file.open("rb") as stream:
        for seen in OBSERVER.read(stream, Around(realm="bench")):
            values |= {mark.value for one in seen.statements for mark in one.marks}
            if seen.flows is not None:
                packets += int((seen.flows["client_packets"] + seen.flows["server_packets"]).sum())
                services.update(seen.flows["service"].to_list())
    wrong = [] if packets == count else [f"{packets} packets read of {count}"]
    wrong += [f"no flow of {name}" for name in ("tls", "hl7", "dicom", "dns") if not services[name]]
    wrong += [] if services[""] < sum(services.values()) / 100 else ["flows that nobody recognised"]
    wrong += [] if any(value.startswith("PUMP") for value in values) else ["no application"]
    wrong += [] if "ARCHIVE" in values else ["no AE title"]
    return wrong


def _peers(file: Path, options: argparse.Namespace, found: dict[str, object]) -> None:
    for name, words in (
        ("dpkt", "dpkt 1.9.8, flows alone"),
        ("nfstream", "nfstream 6.6.0, flows and applications"),
    ):
        home = setup.ready(name)
        command = [str(home / "venv" / "bin" / "python"), str(home / "flows.py"), str(file)]
        rates = []
        for _ in range(min(3, options.runs)):
            said = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
            if said["packets"] != options.packets:
                print(f"{words}: {said['packets']:,} packets of {options.packets:,}")
            rates.append(said["packets"] / said["seconds"])
        found[name] = rates
        print(f"{words:<44} {numbers.spread(rates)} packets/s")
    if shutil.which("tshark") is None:
        print("tshark is not installed")
        return
    rates = []
    for _ in range(min(3, options.runs)):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run(
            ["tshark", "-r", str(file), "-n", "-q", "-z", "conv,tcp", "-z", "conv,udp"],
            check=True,
            capture_output=True,
        )
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        rates.append(options.packets / (after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime))
    found["tshark"] = rates
    print(f"{'tshark, conversations':<44} {numbers.spread(rates)} packets/s")


def _kinds(options: argparse.Namespace, found: dict[str, object]) -> None:
    """Measure each kind of traffic alone."""
    count = max(5_000, options.packets // 10)
    for name, _ in captures.SHARES:
        data = write.pcap(captures.frames(count, numbers.seed(), only=name), step_us=captures.STEP_US)
        rates = [count / _seconds(data) for _ in range(options.runs)]
        found[name] = rates
        print(f"{'  ' + name + ' alone':<44} {numbers.spread(rates)} packets/s")


if __name__ == "__main__":
    sys.exit(main())
