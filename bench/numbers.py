"""What every benchmark prints alike: what the numbers stand on, and a middle with its spread."""

from __future__ import annotations

import json
import os
import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from scripts.bench import OUT, SEED, commit, machine

FIGURES = Path(__file__).resolve().parent.parent / "docs" / "explanation" / "figures"
QUIET_LOAD = 1.5


def about() -> dict[str, Any]:
    """Machine, commit, seed; and whether others were at work when it began."""
    found: dict[str, Any] = {**machine(), **commit(), "seed": seed()}
    found["quiet"] = os.getloadavg()[0] < QUIET_LOAD
    return found


def seed() -> int:
    """The seed of this run."""
    return int(os.environ.get("OATHWARD_SEED", str(SEED)))


def say_about(found: dict[str, Any]) -> None:
    """Print it; a run beside others says so."""
    for key, value in found.items():
        print(f"{key:<8} {value}")
    if not found["quiet"]:
        print(f"         load was over {QUIET_LOAD}: made under load, compare nothing with another run")


def triple(values: Sequence[float]) -> tuple[float, float, float]:
    """Middle, lowest, highest."""
    return statistics.median(values), min(values), max(values)


def spread(values: Sequence[float], digits: int = 0) -> str:
    """Write ``middle [lowest .. highest]``."""
    middle, low, high = triple(values)
    return f"{middle:,.{digits}f} [{low:,.{digits}f} .. {high:,.{digits}f}]"


def keep(name: str, value: Any) -> None:
    """Leave the numbers in ``bench/out``."""
    OUT.mkdir(exist_ok=True)
    (OUT / f"{name}.json").write_text(json.dumps(value, indent=2) + "\n")


def recall(name: str) -> Any:
    """What another benchmark left there; none where it did not run."""
    file = OUT / f"{name}.json"
    return json.loads(file.read_text()) if file.exists() else None
