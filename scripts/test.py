"""Run everything that must hold, step by step: ``make test`` and ``make test-long``.

Rules:
- Every step is named and timed; all run, even after a failure; the last lines say which failed.
- What is checked without running anything (``CHECKS``) is checked while the peers are fetched: each of both keeps one core busy.
- Debian's peers (PostgreSQL, OpenSSL, tshark, Tesseract, nftables, DCMTK) and its browser (Chromium) are installed where this is root on a machine with
  ``apt-get``; else their names are printed, and the tests that need them skip with a reason.
- Tests run side by side (pytest-xdist), those that serve sites, kill them or drive a browser a file a worker: one more at
  once than a machine of two cores computes, for they wait as well. What watches the clock (``alone``) runs one at a time.
- Sites of tests lie in memory where there is room for it: a hundred of them are made, and most of that was waiting for a disk
  to flush. A killed process loses as little there as on a disk. What watches the clock, and all of ``make test-long``, has the disk.
- Commands that tests of sites ask for, ``serve`` and its parts among them, are forked from a process that has imported the
  program (``tests/forked.py``): what one takes is mostly that. Some sites start as anyone's do, so that this is seen too.
- The ten slowest tests and files of tests are printed, and one closing line counts all.

Deliberately absent: retries. A test that fails sometimes is a bug.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree as ET
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

ROOT = Path(__file__).resolve().parent.parent
BIN = ROOT / ".venv" / "bin"
LONG = bool(os.environ.get("OATHWARD_LONG"))
WORKERS = 3
TEST_S_MAX = 7_200 if LONG else 120
STOP = (
    "-o",
    f"faulthandler_timeout={2 * TEST_S_MAX}",
)  # ends the worker of a test that does not end by itself at its time
DEBIAN = {
    "postgresql": "initdb",
    "openssl": "openssl",
    "tshark": "tshark",
    "chromium": "chromium",
    "pango1.0-tools": "pango-view",
    "poppler-utils": "pdftotext",
    "tesseract-ocr": "tesseract",
    "nftables": "nft",
    "dcmtk": "storescp",
}
"""Debian package -> a program of it."""

CHECKS = {
    "lint": ("ruff", "check", "--output-format=concise", "."),
    "format": ("ruff", "format", "--check", "."),
    "types": ("mypy",),
    "imports": ("lint-imports",),
}
"""Step -> its program; of each we ask nothing but to be content."""

SIDE_BY_SIDE = ("conformance", "property", "architecture", "unit")
"""The folders of long tests first: behind the rest, one of them keeps a worker busy while the others have nothing left."""

WITH_SITES = ("faults", "e2e")
STOLEN = ("--numprocesses", str(WORKERS), "--dist", "worksteal")
"""Tests of a file mostly run in one worker, so that what they share is made once: a seventh of the CPU less."""

SPREAD = ("--numprocesses", str(WORKERS), "--dist", "loadfile")
MEMORY = Path("/dev/shm")  # noqa: S108  where Linux has a file system in memory; a folder of our own is made in it
MEMORY_BYTES_MIN = 4 << 30
NO_TESTS = 5  # pytest's exit code when a folder holds none


@dataclass
class Outcome:
    """What the test steps counted; filled from pytest's JUnit files."""

    passed: int = 0
    failed: int = 0
    skipped: int = 0
    slowest: list[tuple[float, str]] = field(default_factory=list)


def main(wanted: list[str]) -> int:
    """Run the steps named (all when none is) and sum up."""
    outcome = Outcome()
    steps: dict[str, Callable[[], bool]] = {
        "peers": peers,
        "tests": lambda: pytest(SIDE_BY_SIDE, outcome, *STOLEN),
        "tests-sites": lambda: pytest(WITH_SITES, outcome, "-m", "not alone", *SPREAD),
        "tests-alone": lambda: pytest(WITH_SITES, outcome, "-m", "alone", disk=True),
    }
    unknown = set(wanted) - {*steps, *CHECKS}
    if unknown:
        raise SystemExit(f"no step {', '.join(sorted(unknown))}; steps: {', '.join((*CHECKS, *steps))}")
    begin = time.monotonic()
    asked = [name for name in (*steps, *CHECKS) if name in (wanted or (*steps, *CHECKS))]
    with ThreadPoolExecutor(1) as beside:
        checks = [beside.submit(checked, name) for name in CHECKS if name in asked]
        results = [stepped(name, steps[name]) for name in ("peers",) if name in asked]
        for check in checks:
            result, said = check.result()
            print(f"\n=== {result[0]}\n{said}{closing(result)}", flush=True)
            results.append(result)
    results += [stepped(name, step) for name, step in steps.items() if name in asked and name != "peers"]
    return summary(results, outcome, time.monotonic() - begin)


Result = tuple[str, bool, float]
"""A step's name, whether it was content, and the seconds it took."""


def stepped(name: str, step: Callable[[], bool]) -> Result:
    """Run a step that says what it does as it goes."""
    print(f"\n=== {name}", flush=True)
    begin = time.monotonic()
    result = (name, step(), time.monotonic() - begin)
    print(closing(result), flush=True)
    return result


def checked(name: str) -> tuple[Result, str]:
    """Run one of ``CHECKS``; gives also what it said, for others speak meanwhile."""
    program, *arguments = CHECKS[name]
    begin = time.monotonic()
    with tempfile.TemporaryFile() as said:
        done = execute(program, *arguments, said=said)
        said.seek(0)
        return (name, done == 0, time.monotonic() - begin), said.read().decode(errors="replace")


def closing(result: Result) -> str:
    """Say how a step ended."""
    name, done, seconds = result
    return f"=== {name}: {'ok' if done else 'FAILED'} in {seconds:.1f} s"


def summary(results: list[Result], outcome: Outcome, whole: float) -> int:
    """Print the slowest tests, one line a step, and the counts; give the exit code."""
    files: dict[str, float] = {}
    for seconds, name in outcome.slowest:
        name = name.partition("::")[0]
        files[name] = files.get(name, 0.0) + seconds
    for title, found in (
        ("tests", outcome.slowest),
        ("files of tests", [(s, name) for name, s in files.items()]),
    ):
        if found:
            print(f"\nten slowest {title}")
        for seconds, name in sorted(found, reverse=True)[:10]:
            print(f"  {seconds:7.2f} s  {name}")
    print(f"\nsteps{' (long)' if LONG else ''}")
    for name, done, seconds in results:
        print(f"  {seconds:7.1f} s  {name:<12} {'ok' if done else 'FAILED'}")
    print(f"  {whole:7.1f} s  in all")
    bad = [name for name, done, _ in results if not done]
    tests_wanted = any(name.startswith("tests") for name, *_ in results)
    if tests_wanted and not outcome.passed + outcome.failed:
        bad.append("no test ran")
    print(f"\nfailed: {', '.join(bad)}" if bad else "\nall steps passed")
    if tests_wanted:
        print(f"{outcome.passed} passed, {outcome.failed} failed, {outcome.skipped} skipped")
    return 1 if bad else 0


def peers() -> bool:
    """Have the programs that judge us: Debian's where that is allowed, and an OpenID provider on the packaged Node."""
    return debian_peers() and run("python", "scripts/peers.py", "oidc-provider")


def debian_peers() -> bool:
    """Install the independent programs that tests use as judges, where that is allowed."""
    absent = [package for package, program in DEBIAN.items() if not found(program)]
    if not absent:
        print(f"already here: {', '.join(DEBIAN)}")
        return True
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        why = "not root" if os.geteuid() != 0 else "no apt-get"
        print(f"skipped ({why}): {', '.join(absent)}; tests that need them skip")
        return True
    if not (apt("install", *absent) or (apt("update") and apt("install", *absent))):
        print(f"skipped (apt-get could not install them): {', '.join(absent)}; tests that need them skip")
    return True


def found(program: str) -> bool:
    """Say whether a program is here; Debian keeps PostgreSQL's own off the path."""
    return shutil.which(program) is not None or any(Path("/usr/lib/postgresql").glob(f"*/bin/{program}"))


def apt(verb: str, *packages: str) -> bool:
    """Run apt-get without questions."""
    print(f"apt-get {verb} {' '.join(packages)}".rstrip(), flush=True)
    options = ["--yes", "--no-install-recommends"] if verb == "install" else []
    done = subprocess.run(
        ["apt-get", "--quiet=2", verb, *options, *packages],
        env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        check=False,
    )
    return done.returncode == 0


def pytest(folders: tuple[str, ...], outcome: Outcome, *more: str, disk: bool = LONG) -> bool:
    """Run the tests of some folders and add to the counts; ``disk``: their sites lie on the disk."""
    paths = [f"tests/{name}" for name in folders if any((ROOT / "tests" / name).rglob("test_*.py"))]
    if not paths:
        print("no tests here yet")
        return True
    with tempfile.TemporaryDirectory(prefix="o", dir=None if disk else in_memory()) as folder:
        Path(folder).chmod(0o1777)  # as any folder for temporary files: some tests have users of their own
        report = Path(folder) / "report.xml"
        arguments = (*paths, "-rs", f"--junit-xml={report}", f"--timeout={TEST_S_MAX}", *STOP, *more)
        done = execute("pytest", *arguments) if disk else execute("pytest", *arguments, TMPDIR=folder)
        if report.exists():
            count(report, outcome)
    return done in (0, NO_TESTS)


def in_memory() -> Path | None:
    """Give a file system in memory with room for the sites of tests, on which programs may lie; none where there is none."""
    try:
        room = os.statvfs(MEMORY)
    except OSError:
        return None
    fits = room.f_bavail * room.f_frsize >= MEMORY_BYTES_MIN and not room.f_flag & os.ST_NOEXEC
    return MEMORY if fits and os.access(MEMORY, os.W_OK) else None


def count(report: Path, outcome: Outcome) -> None:
    """Add one JUnit file to the counts."""
    suite = ET.parse(report).getroot().find("testsuite")  # noqa: S314  written by our own pytest a moment ago
    if suite is None:
        return
    bad, skipped = (int(suite.get(key, 0)) for key in ("failures", "skipped"))
    bad += int(suite.get("errors", 0))
    outcome.failed += bad
    outcome.skipped += skipped
    outcome.passed += int(suite.get("tests", 0)) - bad - skipped
    for case in suite.iter("testcase"):
        outcome.slowest.append((float(case.get("time", 0)), f"{case.get('classname')}::{case.get('name')}"))


def run(*command: str) -> bool:
    """Run one of the environment's programs and say whether it was content."""
    return execute(*command) == 0


def execute(program: str, *arguments: str, said: IO[bytes] | None = None, **environment: str) -> int:
    """Run one of the environment's programs; give its exit code.

    Args:
        said: the file that takes what it says; ours when none.
        environment: more of it than is here.
    """
    command = [str(BIN / program), *arguments]
    given = os.environ | environment
    given.pop("PYTHONDONTWRITEBYTECODE", None)  # each worker would compile tests and their tools again
    done = subprocess.run(
        command,
        cwd=ROOT,
        env=given,
        stdin=subprocess.DEVNULL,
        stdout=said,
        stderr=said and subprocess.STDOUT,
        check=False,
    )
    return done.returncode


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
