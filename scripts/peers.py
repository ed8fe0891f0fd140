"""Set up the programs Oathward is measured beside and judged by: ``peers.py all`` or ``peers.py NAME…``."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from bench.peers import setup


def main(names: list[str]) -> int:
    """Set up the peers named; a second run does nothing."""
    wanted = list(setup.PEERS) if names == ["all"] else names
    if not wanted or set(wanted) - set(setup.PEERS):
        print(f"usage: peers.py all | {' '.join(setup.PEERS)}", file=sys.stderr)
        return 64
    for name in wanted:
        setup.ready(name)
        print(f"{name}: .peers/{name}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
