"""Make ``.venv`` at the checkout's root ready: ``python3 scripts/setup.py base|dev``.

Rules:
- Only the standard library of Python 3.11: this runs before anything is installed.
- Every package comes from a lock file with hashes (``requirements/*.txt``).
- A second run does nothing: two stamps in ``.venv`` say what was installed from which files.
- All output goes to stderr, so that ``make demo`` may print only JSON on stdout.

Deliberately absent: Debian packages (``scripts/test.py`` installs those that only tests need).
"""

from __future__ import annotations

import fcntl
import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
import time
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
STATIC = ROOT / "src" / "oathward" / "web" / "static"
LEVELS = {"base": ("base.txt", "build.txt"), "dev": ("dev.txt",)}
"""Lock files of each level; ``dev`` holds all of ``base`` in the same versions."""


def main(level: str) -> int:
    """Bring the environment to a level, or leave it alone when it is there."""
    problem = missing()
    if problem:
        say(problem)
        return 69
    lock = os.open(ROOT, os.O_RDONLY)
    fcntl.flock(lock, fcntl.LOCK_EX)  # two makes at once: the second waits, then finds all done
    begin = time.monotonic()
    steps = [step for step in (environment, lambda: packages(level), project, assets) if step()]
    if steps:
        say(f"ready in {time.monotonic() - begin:.0f} s: {VENV.relative_to(ROOT)}")
    return 0


def missing() -> str:
    """Say what this machine lacks, and what to do about it; empty when nothing."""
    if sys.version_info < (3, 11):  # noqa: UP036  older interpreters do run this file
        return f"Python 3.11 or newer is needed; {sys.executable} is {sys.version.split()[0]}"
    if importlib.util.find_spec("ensurepip") is None:
        return "this Python has no `venv` with pip: on Debian, `apt-get install python3-venv`"
    return ""


def environment() -> bool:
    """Create ``.venv`` when absent, of another Python, or moved with its checkout."""
    if read("place") == place() and works():
        return False
    say(f"creating {VENV.name} with Python {sys.version.split()[0]}")
    shutil.rmtree(VENV, ignore_errors=True)
    run(sys.executable, "-m", "venv", str(VENV))
    write("place", place())
    return True


def packages(level: str) -> bool:
    """Install the lock files of a level, hashes required."""
    wanted = {name: digest(name) for name in LEVELS}
    if read("packages") in {wanted[level], wanted["dev"]}:
        return False
    files = [ROOT / "requirements" / name for name in LEVELS[level]]
    count = sum(line[:1].isalnum() for file in files for line in file.read_text().splitlines())
    say(f"installing {count} locked packages ({level})")
    listing = [part for file in files for part in ("--requirement", str(file))]
    pip("install", "--require-hashes", *listing)
    write("packages", wanted[level])
    return True


def project() -> bool:
    """Install the checkout itself, editable, when what it declares has changed."""
    table = tomllib.loads((ROOT / "pyproject.toml").read_text())
    declared = repr((table["project"], table["build-system"], table["tool"]["hatch"]))
    stamp = hashlib.sha256(declared.encode()).hexdigest()
    if read("project") == stamp and (VENV / "bin" / "oathward").exists():
        return False
    pip("install", "--no-deps", "--no-build-isolation", "--editable", str(ROOT))
    write("project", stamp)
    return True


def assets() -> bool:
    """Build the console's assets again when their sources have changed since the checkout was installed."""
    before = (STATIC / ".stamp").read_text() if (STATIC / ".stamp").exists() else ""
    run(str(PYTHON), str(ROOT / "scripts" / "assets.py"))
    return (STATIC / ".stamp").read_text() != before


def works() -> bool:
    """Say whether ``.venv`` has this Python's version and a pip that runs."""
    if not PYTHON.exists():
        return False
    probe = "import pip, sys; print(*sys.version_info[:2])"
    done = subprocess.run([str(PYTHON), "-c", probe], capture_output=True, text=True, check=False)
    return done.stdout.split() == [str(part) for part in sys.version_info[:2]]


def place() -> str:
    """Tell one home of the environment from another: its scripts hold absolute paths."""
    return f"{ROOT} {sys.version_info.major}.{sys.version_info.minor}"


def digest(level: str) -> str:
    """Digest the lock files of a level and the Python version."""
    whole = hashlib.sha256(sys.version.encode())
    for name in LEVELS[level]:
        whole.update((ROOT / "requirements" / name).read_bytes())
    return whole.hexdigest()


def read(stamp: str) -> str:
    """Read a stamp; empty when absent."""
    file = VENV / f".oathward-{stamp}"
    return file.read_text().strip() if file.exists() else ""


def write(stamp: str, text: str) -> None:
    """Leave a stamp; the last thing a step does."""
    (VENV / f".oathward-{stamp}").write_text(text + "\n")


def pip(*arguments: str) -> None:
    """Run the environment's pip; chatty only on a terminal."""
    quiet = () if sys.stderr.isatty() else ("-qq",)
    run(str(PYTHON), "-m", "pip", "--disable-pip-version-check", "--no-input", *arguments, *quiet)


def run(*command: str) -> None:
    """Run a command with its output on stderr; end this script where it fails."""
    done = subprocess.run(command, cwd=ROOT, stdout=sys.stderr, stdin=subprocess.DEVNULL, check=False)
    if done.returncode:
        say(f"failed ({done.returncode}): {' '.join(command[:6])} …")
        raise SystemExit(done.returncode)


def say(text: str) -> None:
    """Tell the person at the terminal."""
    print(f"setup: {text}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    if len(sys.argv) != 2 or sys.argv[1] not in LEVELS:
        raise SystemExit(f"usage: setup.py {'|'.join(LEVELS)}")
    raise SystemExit(main(sys.argv[1]))
