"""The files of the repository: tracked, or new and not ignored."""

import importlib.util
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[2]


@cache
def files() -> tuple[Path, ...]:
    if shutil.which("git") is None or not (ROOT / ".git").exists():
        pytest.skip("not a git checkout: cannot tell what is tracked")
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return tuple(p for name in listed.split("\0") if name and (p := ROOT / name).is_file())


def texts() -> dict[str, str]:
    """Map every text file to its content; what is not UTF-8 is not text."""
    found = {}
    for path in files():
        data = path.read_bytes()
        if b"\0" not in data[:4096]:
            found[str(path.relative_to(ROOT))] = data.decode("utf-8", errors="replace")
    return found


def script(name: str) -> ModuleType:
    """Load one of ``scripts/``, which are no package."""
    spec = importlib.util.spec_from_file_location(f"oathward_script_{name}", ROOT / "scripts" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module
