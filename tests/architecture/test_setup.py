"""What `make demo` and `make test` install, and that no test folder is left out of them."""

import ast
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from tests.architecture import tracked

ROOT = tracked.ROOT
REQUIREMENTS = ROOT / "requirements"


def locked(name: str) -> dict[str, str]:
    text = (REQUIREMENTS / name).read_text()
    return {
        m[1].lower().replace("_", "-"): m[2]
        for m in re.finditer(r"^([\w.-]+)(?:\[[\w,]+\])?==(\S+)", text, re.MULTILINE)
    }


def asked(name: str) -> list[str]:
    return [line for line in (REQUIREMENTS / name).read_text().splitlines() if line and line[0] not in "#-"]


def test_the_project_and_its_lock_ask_for_the_same():
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    assert sorted(declared) == sorted(asked("base.in"))


@pytest.mark.parametrize("level", ["base", "build", "dev"])
def test_locks_hold_what_is_asked_for(level: str):
    names = {re.match(r"[\w.-]+", line)[0].lower() for line in asked(f"{level}.in")}
    assert names <= set(locked(f"{level}.txt"))


@pytest.mark.parametrize("level", ["base", "build"])
def test_dev_holds_the_same_versions(level: str):
    dev = locked("dev.txt")
    assert {k: v for k, v in locked(f"{level}.txt").items() if dev.get(k) != v} == {}


def test_every_locked_package_has_a_hash():
    for path in REQUIREMENTS.glob("*.txt"):
        entries = re.split(r"\n(?=[\w])", path.read_text().strip())
        assert [e.split()[0] for e in entries if "--hash=sha256:" not in e] == [], path.name


def test_set_up_runs_before_anything_is_installed():
    for name in ("setup.py",):
        module = ast.parse((ROOT / "scripts" / name).read_text())
        imported = {
            (node.module if isinstance(node, ast.ImportFrom) else node.names[0].name).split(".")[0]
            for node in ast.walk(module)
            if isinstance(node, ast.Import | ast.ImportFrom)
        }
        assert imported <= sys.stdlib_module_names


def test_every_test_folder_is_run():
    steps = tracked.script("test")
    folders = {p.relative_to(ROOT / "tests").parts[0] for p in (ROOT / "tests").rglob("test_*.py")}
    assert folders <= {*steps.SIDE_BY_SIDE, *steps.ONE_AT_A_TIME}


def test_help_names_every_command():
    done = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True)
    targets = re.search(r"^\.PHONY: (.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE)[1].split()
    assert re.findall(r"^\s+make (\S+)", done.stdout, re.MULTILINE) == targets


def test_ci_runs_make_test():
    text = (ROOT / ".ci" / "run").read_text()
    assert "set -euo pipefail" in text
    assert "make test" in text


def test_nothing_generated_is_tracked():
    ignored = subprocess.run(
        ["git", "ls-files", "--cached", "--ignored", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ignored.stdout == ""
    assert not Path(ROOT / "uv.lock").exists()
