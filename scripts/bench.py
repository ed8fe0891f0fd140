"""Measure speed beside the peers, in one run: ``make bench``, or ``make bench ARGS="ledger --seed 7"``.

Rules:
- First what the numbers stand on: machine, commit, seed; also as ``bench/out/run.json`` for the benchmarks.
- Then the table of which peers answer rightly; a rate of one that does not means nothing.
- Then every ``bench/bench_*.py``, or those named, each in a process of its own that reads
  ``OATHWARD_SEED``, prints its numbers with their spread, and leaves figures in ``bench/out``.

Deliberately absent: comparison with numbers of another run. The machine's mood changes by half.
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import os
import platform
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BENCH = ROOT / "bench"
OUT = BENCH / "out"
SEED = 20_260_101


def main(arguments: list[str]) -> int:
    """Run the benchmarks named, or all; give 1 when one of them failed."""
    known = {p.stem.removeprefix("bench_"): p for p in sorted(BENCH.glob("bench_*.py"))}
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of: {', '.join(known) or 'none yet'}")
    parser.add_argument("--seed", type=int, default=SEED)
    options = parser.parse_args(arguments)
    unknown = set(options.names) - set(known)
    if unknown:
        parser.error(
            f"no benchmark {', '.join(sorted(unknown))}; there are: {', '.join(known) or 'none yet'}"
        )
    OUT.mkdir(exist_ok=True)
    about = {**machine(), **commit(), "seed": options.seed}
    (OUT / "run.json").write_text(json.dumps(about, indent=2) + "\n")
    for key, value in about.items():
        print(f"{key:<8} {value}")
    results = {"peers": run("bench.peers.correctness", options.seed)}
    for name in options.names or known:
        results[name] = run(f"bench.bench_{name}", options.seed)
    bad = [name for name, code in results.items() if code]
    print(
        f"\nfailed: {', '.join(bad)}"
        if bad
        else f"\n{len(results)} measured; figures in {OUT.relative_to(ROOT)}"
    )
    return 1 if bad else 0


def run(module: str, seed: int) -> int:
    """Run one benchmark; give its exit code."""
    print(f"\n=== {module}", flush=True)
    begin = time.monotonic()
    environment = {**os.environ, "OATHWARD_SEED": str(seed)}
    done = subprocess.run(
        [sys.executable, "-m", module], cwd=ROOT, env=environment, stdin=subprocess.DEVNULL, check=False
    )
    print(
        f"=== {module}: {'ok' if done.returncode == 0 else 'FAILED'} in {time.monotonic() - begin:.1f} s",
        flush=True,
    )
    return done.returncode


def machine() -> dict[str, str]:
    """Say what the numbers were measured on."""
    cpu = next((v for k, v in pairs("/proc/cpuinfo") if k == "model name"), platform.processor())
    memory_kib = next((int(v.split()[0]) for k, v in pairs("/proc/meminfo") if k == "MemTotal"), 0)
    return {
        "machine": f"{cpu}, {os.cpu_count()} cores, {memory_kib / 1_048_576:.0f} GiB",
        "system": f"{platform.system()} {platform.release()}, Python {platform.python_version()}",
        "load": " ".join(f"{value:.2f}" for value in os.getloadavg()),
        "at": dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
    }


def pairs(file: str) -> list[tuple[str, str]]:
    """Read ``key : value`` lines; none where the file is absent."""
    path = Path(file)
    lines = path.read_text().splitlines() if path.exists() else []
    return [(key.strip(), value.strip()) for key, _, value in (line.partition(":") for line in lines)]


def commit() -> dict[str, str]:
    """Say which state of the source was measured."""

    def git(*arguments: str) -> str:
        done = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=False)
        return done.stdout.strip()

    changed = " with changes" if git("status", "--porcelain", "--", "src", "bench") else ""
    return {"commit": (git("rev-parse", "--short", "HEAD") or "unknown") + changed}


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
