"""Logs of sensors into totals: ``python -m bench.bench_inventory_logs [--records N] [--runs N]``.

Rules:
- A made-up site's connections (5,000 clients, 20,000 links) are written as each sensor would, read from a file by its observer and added up per
  link and hour (``discovery.totals``). One thread of Polars: what is said is what one core does, in CPU time of this process.
- Beside it, on the same files: ``zat`` (a log into a pandas frame, and a group-by of it), where it is set up, and plain ``json`` with a dictionary.
- Exit code 1 where the median of Zeek's JSON is under ``GOAL`` records a second.
"""

from __future__ import annotations

import os

os.environ["POLARS_MAX_THREADS"] = "1"  # before Polars is imported

import argparse
import json
import random
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from bench import numbers
from bench.peers.setup import HOME
from oathward.discovery.model import Around
from oathward.discovery.observer import HEAD_BYTES, observer_of
from oathward.discovery.totals import merged, totals

GOAL = 250_000
START_S = 1_700_000_000
_PORTS = {2575: "", 104: "dicom", 443: "ssl", 53: "dns", 8883: "ssl"}
_MERGE_AT = 64


def main() -> int:
    """Write, read, print; 1 where it is not fast enough."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--records", type=int, default=400_000)
    parser.add_argument("--runs", type=int, default=5)
    options = parser.parse_args()
    about = numbers.about()
    numbers.say_about(about)
    found: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as name:
        for form, write in FORMS.items():
            path = Path(name) / f"{form}.log"
            path.write_bytes(write(connections(random.Random(numbers.seed()), options.records)))
            rates = [rate(path, "conn.log", options.records) for _ in range(options.runs)]
            found[form] = numbers.triple(rates)
            say(form, found[form], path)
            if form in ("zeek-json", "zeek-tsv"):
                found |= beside(form, path, options.records, options.runs)
    numbers.keep("inventory_logs", {"about": about, **found})
    return int(found["zeek-json"][0] < GOAL)


def connections(chance: random.Random, count: int) -> Iterator[dict[str, Any]]:
    """Make connections of a site in the order of their time."""
    at = float(START_S)
    ports = list(_PORTS)
    for _ in range(count):
        at += chance.random() * 0.01
        client = chance.randrange(5_000)
        server = client % 25 + chance.randrange(4) * 50
        port = ports[server % 5]
        yield {
            "ts": round(at, 6),
            "uid": f"C{chance.getrandbits(66):017x}",
            "id.orig_h": f"10.{client >> 8}.{client & 255}.7",
            "id.orig_p": chance.randrange(32_768, 61_000),
            "id.resp_h": f"10.200.0.{server}",
            "id.resp_p": port,
            "proto": "udp" if port == 53 else "tcp",
            **({"service": _PORTS[port]} if _PORTS[port] else {}),
            "duration": round(chance.random() * 10, 6),
            "orig_bytes": chance.randrange(5_000),
            "resp_bytes": chance.randrange(50_000),
            "conn_state": "SF",
            "local_orig": True,
            "local_resp": True,
            "missed_bytes": 0,
            "history": "ShADadFf",
            "orig_pkts": chance.randrange(1, 50),
            "orig_ip_bytes": chance.randrange(6_000),
            "resp_pkts": chance.randrange(50),
            "resp_ip_bytes": chance.randrange(60_000),
        }


def zeek_json(made: Iterator[dict[str, Any]]) -> bytes:
    """Write them as Zeek writes JSON."""
    return b"".join(json.dumps(one, separators=(",", ":")).encode() + b"\n" for one in made)


def zeek_tsv(made: Iterator[dict[str, Any]]) -> bytes:
    """Write them as Zeek writes columns."""
    rows = list(made)
    fields = ["ts", "uid", "id.orig_h", "id.orig_p", "id.resp_h", "id.resp_p", "proto", "service"]
    fields += [name for name in rows[0] if name not in fields]
    kinds = {
        "ts": "time",
        "duration": "interval",
        "id.orig_h": "addr",
        "id.resp_h": "addr",
        "id.orig_p": "port",
        "id.resp_p": "port",
    }
    types = [
        kinds.get(
            name,
            "count" if name.endswith(("bytes", "pkts")) else "bool" if name.startswith("local") else "string",
        )
        for name in fields
    ]
    head = [
        "#separator \\x09",
        "#set_separator\t,",
        "#empty_field\t(empty)",
        "#unset_field\t-",
        "#path\tconn",
        "#open\t2023-11-14-22-13-20",
    ]
    head += ["\t".join(["#fields", *fields]), "\t".join(["#types", *types])]
    lines = (
        "\t".join("T" if one.get(name) is True else str(one.get(name, "-")) for name in fields)
        for one in rows
    )
    return "\n".join([*head, *lines, "#close\t2023-11-14-23-13-20", ""]).encode()


def eve(made: Iterator[dict[str, Any]]) -> bytes:
    """Write them as Suricata writes events of flows."""
    lines = []
    for n, one in enumerate(made):
        begin, end = (
            time.strftime("%Y-%m-%dT%H:%M:%S.000000+0000", time.gmtime(one["ts"] + more))
            for more in (0, one["duration"])
        )
        flow = {
            "pkts_toserver": one["orig_pkts"],
            "pkts_toclient": one["resp_pkts"],
            "bytes_toserver": one["orig_ip_bytes"],
        }
        flow |= {
            "bytes_toclient": one["resp_ip_bytes"],
            "start": begin,
            "end": end,
            "age": 1,
            "state": "closed",
            "reason": "timeout",
        }
        event = {
            "timestamp": end,
            "flow_id": n,
            "event_type": "flow",
            "src_ip": one["id.orig_h"],
            "src_port": one["id.orig_p"],
        }
        event |= {
            "dest_ip": one["id.resp_h"],
            "dest_port": one["id.resp_p"],
            "proto": one["proto"].upper(),
            "flow": flow,
        }
        lines.append(json.dumps(event, separators=(",", ":")).encode())
    return b"\n".join([*lines, b""])


def netflow(made: Iterator[dict[str, Any]]) -> bytes:
    """Write them as NetFlow v5, each direction a record: twice as many as connections."""
    records = []
    for one in made:
        ends = [bytes(map(int, one[name].split("."))) for name in ("id.orig_h", "id.resp_h")]
        ports = (one["id.orig_p"], one["id.resp_p"])
        up = round((one["ts"] - START_S) * 1_000) + 60_000
        for go, out, sent in ((1, "orig_ip_bytes", "orig_pkts"), (-1, "resp_ip_bytes", "resp_pkts")):
            source, target = ends[::go]
            times = struct.pack("!IIII", one[sent], one[out], up, up + round(one["duration"] * 1_000))
            rest = struct.pack("!BBBBHHBBH", 0, 24, 17 if one["proto"] == "udp" else 6, 0, 0, 0, 24, 24, 0)
            records.append(source + target + bytes(8) + times + struct.pack("!HH", *ports[::go]) + rest)
    messages = []
    for n in range(0, len(records), 30):
        some = records[n : n + 30]
        messages.append(
            struct.pack("!HHIIIIBBH", 5, len(some), 60_000 + n, START_S + n // 1_000, 0, n, 0, 0, 0)
            + b"".join(some)
        )
    return b"".join(messages)


FORMS: Mapping[str, Callable[[Iterator[dict[str, Any]]], bytes]] = {
    "zeek-json": zeek_json,
    "zeek-tsv": zeek_tsv,
    "suricata-eve": eve,
    "netflow-v5": netflow,
}


def rate(path: Path, name: str, count: int) -> float:
    """Read a file into totals; records a second of CPU."""
    begin = time.process_time()
    parts = []
    with path.open("rb") as file:
        known = observer_of(file.read(HEAD_BYTES), name)
        assert known is not None
        file.seek(0)
        for seen in known[1].read(file, Around(realm="site", name=name)):
            assert not seen.refused, seen.refused
            if seen.flows is not None:
                parts.append(totals(seen.flows))
            if len(parts) >= _MERGE_AT:
                parts = [merged(parts)]
    whole = merged(parts)
    took = time.process_time() - begin
    assert whole["flows"].sum() == count, (whole["flows"].sum(), count)
    return count / took


def by_dictionary(path: Path) -> int:
    """Add the same up with ``json`` and a dictionary: what a script of an afternoon does."""
    links: dict[tuple[Any, ...], list[int]] = {}
    with path.open("rb") as file:
        for line in file:
            one = json.loads(line)
            key = (
                one["ts"] // 3600,
                one["id.orig_h"],
                one["id.resp_h"],
                one["proto"],
                one["id.resp_p"],
                one.get("service"),
            )
            at = links.setdefault(key, [0, 0, 0])
            at[0] += 1
            at[1] += one["orig_bytes"]
            at[2] += one["resp_bytes"]
    return sum(one[0] for one in links.values())


_ZAT = """
import sys, time
from zat.log_to_dataframe import LogToDataFrame
begin = time.process_time()
frame = LogToDataFrame().create_dataframe(sys.argv[1])
links = frame.groupby(["id.orig_h", "id.resp_h", "proto", "id.resp_p", "service"], observed=True, dropna=False)[["orig_bytes", "resp_bytes"]].sum()
print(len(frame) / (time.process_time() - begin))
"""


def beside(form: str, path: Path, count: int, runs: int) -> dict[str, Any]:
    """Measure the others on the same file."""
    found: dict[str, Any] = {}
    if form == "zeek-json":
        rates = []
        for _ in range(runs):
            begin = time.process_time()
            assert by_dictionary(path) == count
            rates.append(count / (time.process_time() - begin))
        found["json and a dictionary"] = numbers.triple(rates)
        say("  json and a dictionary", found["json and a dictionary"], path)
    python = HOME / "zat" / "venv" / "bin" / "python"
    if form == "zeek-tsv" and python.exists():  # zat reads columns alone
        rates = [
            float(
                subprocess.run([python, "-c", _ZAT, path], capture_output=True, text=True, check=True).stdout
            )
            for _ in range(runs)
        ]
        found["zat"] = numbers.triple(rates)
        say("  zat (columns)", found["zat"], path)
    elif form == "zeek-tsv":
        print("  zat is not set up: scripts/peers.py zat")
    return found


def say(name: str, rates: tuple[float, float, float], path: Path) -> None:
    """Print one row: the median, the slowest and the fastest."""
    megabytes = path.stat().st_size / 1e6
    print(
        f"{name:<24} {rates[0]:>10,.0f} records/s   {rates[1]:>10,.0f} – {rates[2]:,.0f}   ({megabytes:,.0f} MB)"
    )


if __name__ == "__main__":
    sys.exit(main())
