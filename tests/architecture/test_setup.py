"""What `make demo` and `make test` install, and that no test folder is left out of them."""

import ast
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from tests.architecture import rules, tracked

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


@pytest.mark.parametrize("level", ["base", "build", "otel", "pdf", "pixels", "dev"])
def test_locks_hold_what_is_asked_for(level: str):
    names = {re.match(r"[\w.-]+", line)[0].lower() for line in asked(f"{level}.in")}
    assert names <= set(locked(f"{level}.txt"))


@pytest.mark.parametrize("level", ["base", "build", "otel", "pdf", "pixels"])
def test_dev_holds_the_same_versions(level: str):
    dev = locked("dev.txt")
    assert {k: v for k, v in locked(f"{level}.txt").items() if dev.get(k) != v} == {}


def test_every_locked_package_has_a_hash():
    for path in REQUIREMENTS.glob("*.txt"):
        entries = re.split(r"\n(?=[\w])", path.read_text().strip())
        assert [e.split()[0] for e in entries if "--hash=sha256:" not in e] == [], path.name


def test_set_up_runs_before_anything_is_installed():
    for name in ("setup.py", "assets.py"):
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
    assert folders <= {*steps.SIDE_BY_SIDE, *steps.WITH_SITES}


def test_a_check_that_is_not_content_says_why_and_fails_it_all(monkeypatch, capsys):
    steps = tracked.script("test")
    content, not_so = (("python", "-c", f"print('this is why'); raise SystemExit({code})") for code in (0, 1))
    for lint, code in ((content, 0), (not_so, 1)):
        monkeypatch.setattr(steps, "CHECKS", {"lint": lint, "types": content})
        assert steps.main(["lint", "types"]) == code
        said = capsys.readouterr().out
        assert said.count("this is why") == 2
        assert ("failed: lint\n" in said) is bool(code)


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


CALLED = {"argon2-cffi": "argon2", "google-re2": "re2"}
"""What a package is imported as, where that is another name."""


def undeclared(sources: rules.Sources, declared: set[str]) -> list[str]:
    """Imports in ``sources`` of packages that are neither ours, nor Python's, nor declared."""
    known = {
        *sys.stdlib_module_names,
        "oathward",
        "oathward_sim",
        *(CALLED.get(name, name.replace("-", "_")) for name in declared),
    }
    found = []
    for path, module in sources.items():
        for node in ast.walk(module):
            names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and node.level == 0:
                names = [node.module or ""]
            found += [f"{path}:{node.lineno} {n}" for n in names if n.split(".")[0] not in known]
    return found


def declared_names() -> set[str]:
    return {re.match(r"[\w.-]+", line)[0].lower() for line in asked("base.in")}


EXTRAS = {
    "oathward/app/telemetry/otlp.py": {"opentelemetry"},
    "oathward/web/portal/copying/paper.py": {"weasyprint"},
    **{f"oathward/deid/pixels/{name}.py": {"numpy"} for name in ("clean", "frames", "lines", "picture")},
}
"""Who may import what only an extra brings; everybody else must do without."""


def test_everything_imported_is_declared():
    sources = rules.real_sources()
    for path, brought in EXTRAS.items():
        assert undeclared({path: sources.pop(path)}, declared_names() | brought) == []
    assert undeclared(sources, declared_names()) == []


def test_an_extra_imported_elsewhere_is_found():
    plant = rules.planted(oathward__app__metrics="from opentelemetry.proto.common.v1 import common_pb2")
    assert undeclared(plant, declared_names()) == ["oathward/app/metrics.py:1 opentelemetry.proto.common.v1"]


def test_an_undeclared_import_is_found():
    plant = rules.planted(
        oathward__cli__main="def f():\n    import click.core\nimport orjson\nfrom . import x"
    )
    assert undeclared(plant, declared_names()) == ["oathward/cli/main.py:2 click.core"]


@pytest.mark.parametrize(("uid", "why"), [(1000, "not root"), (0, "no apt-get")])
def test_what_cannot_be_installed_is_named(uid: int, why: str, monkeypatch, capsys):
    steps = tracked.script("test")
    monkeypatch.setattr(steps, "DEBIAN", {"tshark": "no-such-program"})
    monkeypatch.setattr(steps.os, "geteuid", lambda: uid)
    monkeypatch.setattr(steps.shutil, "which", lambda _: None)
    assert steps.debian_peers()
    assert capsys.readouterr().out.startswith(f"skipped ({why}): tshark")


def test_a_failed_step_fails_the_run(capsys):
    steps = tracked.script("test")
    good, bad = ("lint", True, 1.0), ("types", False, 2.0)
    assert steps.summary([good], steps.Outcome(), 3.0) == 0
    assert steps.summary([good, bad], steps.Outcome(), 3.0) == 1
    assert "failed: types" in capsys.readouterr().out
    assert steps.summary([("tests", True, 1.0)], steps.Outcome(), 3.0) == 1, "no test ran"
    assert steps.summary([("tests", True, 1.0)], steps.Outcome(passed=3), 3.0) == 0
    assert capsys.readouterr().out.endswith("3 passed, 0 failed, 0 skipped\n")


def test_counts_come_from_the_report(tmp_path: Path):
    steps = tracked.script("test")
    report = tmp_path / "report.xml"
    report.write_text(
        '<testsuites><testsuite tests="5" failures="1" errors="1" skipped="1">'
        '<testcase classname="a" name="slow" time="2.5"/><testcase classname="a" name="b" time="0.1"/>'
        "</testsuite></testsuites>"
    )
    outcome = steps.Outcome()
    steps.count(report, outcome)
    assert (outcome.passed, outcome.failed, outcome.skipped) == (2, 2, 1)
    assert max(outcome.slowest) == (2.5, "a::slow")
