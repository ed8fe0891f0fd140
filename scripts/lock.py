"""Lock every dependency with hashes and no host names: ``make lock``.

Rules:
- Python: ``uv pip compile`` of ``requirements/*.in`` and ``bench/peers/*/requirements.in``; all of
  ``base``, ``build``, ``otel``, ``pdf`` and ``pixels`` take the versions of ``dev``.
- npm: ``package-lock.json`` of ``assets`` and of each folder in ``bench/peers`` that has a ``package.json``, with
  integrity hashes and without addresses (``omit-lockfile-registry-resolved``).
- ``--upgrade`` takes newer versions; without it, versions already locked stay.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import assets

ROOT = Path(__file__).resolve().parent.parent
REQUIREMENTS = ROOT / "requirements"
PEERS = ROOT / "bench" / "peers"
COMPILE = (
    str(ROOT / ".venv" / "bin" / "uv"),
    *("pip", "compile", "--quiet", "--generate-hashes", "--no-header", "--no-annotate"),
    *("--no-emit-index-url", "--no-emit-find-links", "--universal", "--python-version", "3.11"),
)
NPM_LOCK = (
    *("install", "--package-lock-only", "--ignore-scripts", "--no-audit", "--no-fund"),
    "--omit-lockfile-registry-resolved",
)


def main(*, upgrade: bool) -> None:
    """Write every lock file."""
    more = ["--upgrade"] if upgrade else []
    dev = REQUIREMENTS / "dev.txt"
    compile_one(REQUIREMENTS / "dev.in", more)
    for name in ("base", "build", "otel", "pdf", "pixels"):
        compile_one(REQUIREMENTS / f"{name}.in", ["--upgrade", "--constraints", str(dev)])
    for source in sorted(PEERS.glob("*/requirements.in")):
        compile_one(source, more)
    for folder in (ROOT / "assets", *(source.parent for source in sorted(PEERS.glob("*/package.json")))):
        print(f"lock: {folder.relative_to(ROOT)}/package-lock.json", flush=True)
        subprocess.run([*assets.npm(), *NPM_LOCK], cwd=folder, check=True, stdin=subprocess.DEVNULL)


def compile_one(source: Path, more: list[str]) -> None:
    """Lock one ``.in`` file into the ``.txt`` beside it."""
    target = source.with_suffix(".txt")
    print(f"lock: {target.relative_to(ROOT)}", flush=True)
    subprocess.run([*COMPILE, *more, str(source), "--output-file", str(target)], check=True, cwd=ROOT)


if __name__ == "__main__":
    main(upgrade="--upgrade" in sys.argv[1:])
