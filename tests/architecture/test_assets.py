"""The console's assets: exact versions, built from what is committed, of the right types, and small."""

import json
import re
import subprocess

import pytest
from tests.architecture import tracked

ASSETS = tracked.ROOT / "assets"
BYTES_MAX = 120_000
"""Of all that a browser loads; a page over a slow line must be there within seconds."""


@pytest.fixture(scope="module")
def assets():
    return tracked.script("assets")


def test_versions_are_exact_and_locked():
    package = json.loads((ASSETS / "package.json").read_text())
    lock = json.loads((ASSETS / "package-lock.json").read_text())
    wanted = package["dependencies"] | package["devDependencies"]
    assert all(re.fullmatch(r"\d+\.\d+\.\d+", version) for version in wanted.values())
    assert {name: lock["packages"][f"node_modules/{name}"]["version"] for name in wanted} == wanted
    locked = [entry for name, entry in lock["packages"].items() if name]
    assert all(entry["integrity"].startswith("sha512-") for entry in locked)


def test_what_is_built_is_current_and_small(assets):
    assets.build()
    assert assets.current()
    assert sum((assets.OUTPUT / name).stat().st_size for name in assets.PRODUCED) < BYTES_MAX
    assert not [path for path in tracked.files() if path.is_relative_to(assets.OUTPUT)]


def test_a_colour_has_both_its_themes_in_one_place():
    text = (ASSETS / "src" / "tokens.css").read_text()
    names = re.findall(r"^\s*--([\w-]+):", text, re.MULTILINE)
    assert len(names) == len(set(names)) > 15
    colours = re.findall(r"--[\w-]+:[^;]*(?:#|rgb)[^;]*;", text)
    assert len(colours) > 15
    assert [colour for colour in colours if "light-dark(" not in colour] == []


def test_a_second_build_does_nothing_and_a_changed_source_is_seen(assets, tmp_path, monkeypatch):
    assert not assets.build()
    before = assets.digest()
    source = tmp_path / "assets"
    (source / "src").mkdir(parents=True)
    for path in (*ASSETS.glob("*.json"), *ASSETS.glob("*.mjs"), *(ASSETS / "src").iterdir()):
        (source / path.relative_to(ASSETS)).write_bytes(path.read_bytes())
    monkeypatch.setattr(assets, "SOURCE", source)
    assert assets.digest() == before
    (source / "src" / "print.css").write_text("/* changed */")
    assert assets.digest() != before
    assert not assets.current()


def test_an_output_that_lacks_a_file_is_not_current(assets, tmp_path, monkeypatch):
    output = tmp_path / "static"
    output.mkdir()
    (output / assets.STAMP).write_text(assets.digest())
    monkeypatch.setattr(assets, "OUTPUT", output)
    assert not assets.current()


def test_types_are_right(assets):
    """esbuild takes types away without reading them; the compiler reads them."""
    compiler = assets.modules(development=True) / "typescript" / "bin" / "tsc"
    done = subprocess.run([assets.node(), compiler, "--noEmit", "-p", "."], cwd=ASSETS, capture_output=True, text=True, check=False)  # fmt: skip
    assert (done.returncode, done.stdout) == (0, "")


def test_a_wrong_type_is_found(assets, tmp_path):
    compiler = assets.modules(development=True) / "typescript" / "bin" / "tsc"
    (tmp_path / "x.ts").write_text("const n: number = 'one';\n")
    done = subprocess.run([assets.node(), compiler, "--noEmit", "--strict", tmp_path / "x.ts"], capture_output=True, text=True, check=False)  # fmt: skip
    assert "TS2322" in done.stdout


def test_a_style_sheet_that_is_not_closed_is_not_built(assets, tmp_path):
    """esbuild only warns, and closes it somewhere."""
    (tmp_path / "build.mjs").symlink_to(ASSETS / "build.mjs")
    (tmp_path / "node_modules").symlink_to(assets.modules(development=True))
    (tmp_path / "src").mkdir()
    for path in (ASSETS / "src").iterdir():
        (tmp_path / "src" / path.name).write_bytes(path.read_bytes())
    build = [
        str(assets.node()),
        "--preserve-symlinks",
        "--preserve-symlinks-main",
        "build.mjs",
        str(tmp_path / "out"),
    ]
    assert subprocess.run(build, cwd=tmp_path, check=False).returncode == 0
    with (tmp_path / "src" / "portal.css").open("a") as file:
        file.write(".x { color: red;\n")
    assert subprocess.run(build, cwd=tmp_path, check=False).returncode == 1
